//! Callbacks of completions: where they run, with what, and that nothing of theirs harms who resolves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use agate::{
    Completion, CompletionError, CompletionPool, Handler, Local, Pending, Resolver, Scope,
    completion,
};

const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });

/// Calls back into a channel, from a closure of one word.
fn tell<T: Send + 'static>(
    completion: Completion<T>,
) -> mpsc::Receiver<(thread::ThreadId, Result<T, CompletionError>)> {
    let (send, receive) = mpsc::channel();
    let send = Box::new(send);
    completion.on_done(move |outcome| {
        send.send((thread::current().id(), outcome)).unwrap();
    });
    receive
}

#[test]
fn a_callback_runs_on_the_resolvers_thread() {
    let (resolver, completion) = completion();
    let told = tell(completion);
    assert!(told.try_recv().is_err(), "not before it is resolved");
    let resolving = thread::spawn(move || {
        resolver.resolve(7);
        thread::current().id()
    });
    let resolver = resolving.join().unwrap();
    assert_eq!(told.recv(), Ok((resolver, Ok(7))));
    assert!(told.recv().is_err(), "it runs once and is dropped");
}

#[test]
fn a_callback_runs_at_once_when_the_answer_is_there() {
    let here = thread::current().id();
    let (resolver, completion) = completion();
    thread::spawn(move || resolver.resolve(7)).join().unwrap();
    assert_eq!(tell(completion).try_recv(), Ok((here, Ok(7))));

    let (resolver, mut completion) = agate::completion();
    resolver.resolve(7);
    assert_eq!(completion.poll(), Some(Ok(7)));
    let told = tell(completion).try_recv();
    assert_eq!(told, Ok((here, Err(CompletionError::AlreadyTaken))));
}

#[test]
fn a_callback_learns_that_there_will_be_no_answer() {
    let (resolver, completion) = completion::<u32>();
    let told = tell(completion);
    assert!(resolver.is_wanted());
    drop(resolver);
    assert_eq!(told.recv().unwrap().1, Err(CompletionError::Abandoned));
}

/// Small ones stand in the slot, big and strictly aligned ones in a box: the same to see.
#[test]
fn callbacks_of_every_size_are_run_and_dropped_once() {
    #[repr(align(64))]
    struct Aligned(u8);

    let sum = Arc::new(AtomicUsize::new(0));
    for _ in 0..2 {
        let mut resolvers = Vec::new();
        let mut pair = || {
            let (resolver, completion) = completion::<usize>();
            resolvers.push(resolver);
            (completion, Arc::clone(&sum))
        };
        let (none, _) = pair();
        none.on_done(|outcome| assert_eq!(outcome, Ok(1)));
        let (one_word, sum_of) = pair();
        one_word.on_done(move |n| _ = sum_of.fetch_add(n.unwrap(), Ordering::SeqCst));
        let ((two_words, sum_of), add) = (pair(), 10_usize);
        two_words.on_done(move |n| _ = sum_of.fetch_add(add + n.unwrap(), Ordering::SeqCst));
        let ((big, sum_of), add) = (pair(), [100_usize; 5]);
        big.on_done(move |n| _ = sum_of.fetch_add(add[4] + n.unwrap(), Ordering::SeqCst));
        let ((aligned, sum_of), add) = (pair(), Aligned(200));
        aligned.on_done(move |n| {
            let add = &add;
            assert_eq!(std::ptr::from_ref(add).addr() % 64, 0);
            sum_of.fetch_add(usize::from(add.0) + n.unwrap(), Ordering::SeqCst);
        });
        assert_eq!(sum.swap(0, Ordering::SeqCst), 0);
        resolvers
            .into_iter()
            .for_each(|resolver| resolver.resolve(1));
        assert_eq!(sum.swap(0, Ordering::SeqCst), 1 + 11 + 101 + 201);
        assert_eq!(Arc::strong_count(&sum), 1);
    }
}

/// The callback runs when its own slot has gone back already: the one slot of the pool is free inside it.
#[test]
fn nothing_is_held_while_a_callback_runs() {
    let pool = CompletionPool::<u32>::with_limit(1).unwrap();
    let (resolver, completion) = pool.try_pair().unwrap();
    let (inner, told) = (pool.clone(), Arc::new(AtomicUsize::new(0)));
    let telling = Arc::clone(&told);
    completion.on_done(move |outcome| {
        assert_eq!(outcome, Ok(1));
        let (resolver, mut again) = inner.try_pair().expect("the slot came back before");
        resolver.resolve(2);
        assert_eq!(again.poll(), Some(Ok(2)));
        telling.fetch_add(1, Ordering::SeqCst);
    });
    assert!(pool.try_pair().is_err());
    resolver.resolve(1);
    assert_eq!(told.load(Ordering::SeqCst), 1);
}

/// Answers with how many it has answered.
struct Answers(u32);

enum Ask {
    Count(Resolver<u32>),
    Panic(#[allow(dead_code, reason = "dropped by the panic")] Resolver<u32>),
}

impl Handler for Answers {
    type Message = Ask;

    fn handle(&mut self, message: Ask) {
        match message {
            Ask::Count(asker) => {
                self.0 += 1;
                asker.resolve(self.0);
            }
            Ask::Panic(_) => panic!("in the handler"),
        }
    }
}

#[test]
fn a_panicking_callback_does_not_kill_the_owner() {
    let owner = Local.owner("answers", Answers(0)).unwrap();
    let port = owner.attach().unwrap();
    let (held, mut inner) = completion::<u32>();
    port.ask(Ask::Count).unwrap().on_done(move |_| {
        let _held = held;
        panic!("in the callback");
    });
    assert_eq!(port.ask(Ask::Count).unwrap().wait_timeout(LONG), Ok(2));
    // What the callback dropped was given up by the callback, not by its owner's panic.
    assert_eq!(inner.poll(), Some(Err(CompletionError::Abandoned)));
    assert_eq!(owner.shutdown(Pending::Drain, LONG).unwrap().handled, 2);
}

#[test]
fn callbacks_learn_of_their_owners_panic() {
    let owner = Local.owner("answers", Answers(0)).unwrap();
    let port = owner.attach().unwrap();
    let told = [Ask::Panic, Ask::Count].map(|ask| tell(port.ask(ask).unwrap()));
    for told in told {
        let (_, outcome) = told.recv_timeout(LONG).unwrap();
        assert_eq!(outcome, Err(CompletionError::OwnerPanicked));
    }
    assert!(owner.shutdown(Pending::Drain, LONG).is_err());
}
