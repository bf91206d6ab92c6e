//! Faults of completions, one-shot channels and futures.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use agate::{
    Capacity, CompletionError, CompletionPool, Handler, Limits, Local, Pending, RecvError,
    Resolver, Scope, ShutdownError, WaitError, completion, forbid_wait,
};

use crate::deadline::{LONG, ends};

/// A waker that counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll<F: Future + Unpin>(future: &mut F, waker: &Arc<Woken>) -> Poll<F::Output> {
    let waker = Waker::from(Arc::clone(waker));
    Pin::new(future).poll(&mut Context::from_waker(&waker))
}

/// kanal 29: a one-shot channel whose two ends meet at the wrong moment sleeps for ever.
#[test]
fn kanal_29_a_wait_that_meets_its_answer_ends() {
    let rounds = if cfg!(miri) { 20 } else { 20_000 };
    ends(move || {
        let pool = CompletionPool::<Box<u32>>::new();
        let (asks, asked) = std::sync::mpsc::channel::<Resolver<Box<u32>>>();
        let answering = thread::spawn(move || {
            for (number, resolver) in (0..).zip(asked) {
                // Sooner or later, and now and then not at all.
                (0..number % 50).for_each(|_| std::hint::spin_loop());
                if number % 5 == 4 {
                    drop(resolver);
                } else {
                    resolver.resolve(Box::new(number));
                }
            }
        });
        for number in 0..rounds {
            let (resolver, mut answer) = pool.pair();
            asks.send(resolver).unwrap();
            let expected = if number % 5 == 4 {
                Err(WaitError::Failed(CompletionError::Abandoned))
            } else {
                Ok(Box::new(number))
            };
            assert_eq!(answer.wait_timeout(LONG), expected);
        }
        drop(asks);
        answering.join().unwrap();
    });
}

/// kanal 24: a future that is dropped between two polls loses the value, or gives it twice.
#[test]
fn kanal_24_a_future_that_is_given_up_loses_nothing_and_frees_its_answer_once() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let drops = Arc::default();
    let waker = Arc::<Woken>::default();

    // Given up before the answer: the resolver has it back.
    let (resolver, mut answer) = completion();
    assert!(poll(&mut answer, &waker).is_pending());
    drop(answer);
    assert!(!resolver.is_wanted());
    let back = resolver.try_resolve(Counted(Arc::clone(&drops)));
    assert!(back.is_err() && drops.load(Ordering::SeqCst) == 0);
    drop(back);
    assert_eq!(drops.load(Ordering::SeqCst), 1);

    // Given up after the answer, which was not taken.
    let (resolver, mut answer) = completion();
    assert!(poll(&mut answer, &waker).is_pending());
    resolver.resolve(Counted(Arc::clone(&drops)));
    drop(answer);
    assert_eq!(drops.load(Ordering::SeqCst), 2);

    // A future around it is given up, and the completion goes on: nothing was taken by the poll.
    let (resolver, mut answer) = completion::<u32>();
    {
        let mut around = Box::pin(async { (&mut answer).await });
        assert!(poll(&mut around, &waker).is_pending());
    }
    resolver.resolve(5);
    assert_eq!(poll(&mut answer, &waker), Poll::Ready(Ok(5)));
    assert_eq!(Arc::strong_count(&waker), 1, "and no waker is left behind");
}

/// crossfire 22, 24, 33: a waker stays registered after a poll that succeeded, and takes the wake of somebody else.
#[test]
fn crossfire_22_24_33_the_last_waker_alone_is_woken_and_none_stays_registered() {
    for pooled in [false, true] {
        let pool = CompletionPool::<u32>::new();
        let (resolver, mut answer) = if pooled { pool.pair() } else { completion() };
        let wakers: [Arc<Woken>; 3] = Default::default();
        for waker in &wakers {
            assert!(poll(&mut answer, waker).is_pending());
        }
        let registered = wakers.each_ref().map(Arc::strong_count);
        assert_eq!(registered, [1, 1, 2]);
        resolver.resolve(1);
        let woken = wakers
            .each_ref()
            .map(|waker| waker.0.load(Ordering::SeqCst));
        assert_eq!(woken, [0, 0, 1]);
        assert_eq!(poll(&mut answer, &wakers[0]), Poll::Ready(Ok(1)));
        assert_eq!(wakers.each_ref().map(Arc::strong_count), [1, 1, 1]);

        // The slot's next user finds nobody's waker.
        let (resolver, mut answer) = pool.pair();
        resolver.resolve(2);
        assert_eq!(poll(&mut answer, &wakers[1]), Poll::Ready(Ok(2)));
        let woken = wakers
            .each_ref()
            .map(|waker| waker.0.load(Ordering::SeqCst));
        assert_eq!(woken, [0, 0, 1]);
    }
}

/// rayon 592: a job that waits inside the pool whose threads it waits for stops the program. Marked threads are told
/// instead, whatever they wait for.
#[test]
fn rayon_592_a_job_that_would_wait_is_told_so() {
    struct Nothing;
    impl Handler for Nothing {
        type Message = Resolver<u32>;
        fn handle(&mut self, _: Resolver<u32>) {}
    }
    let owner = Local.owner("nothing", Nothing).unwrap();
    let port = owner.attach().unwrap();
    ends(move || {
        forbid_wait();
        let (_resolver, mut answer) = completion::<u32>();
        assert_eq!(answer.wait_timeout(LONG), Err(WaitError::WouldStall));

        let queue = Local
            .queue::<u32>(Limits::default(), Capacity::Unbounded)
            .unwrap();
        let _sender = queue.attach_sender().unwrap();
        let mut receiver = queue.attach_receiver().unwrap();
        assert_eq!(receiver.wait_recv(), Err(RecvError::WouldStall));
        assert_eq!(receiver.recv_timeout(LONG), Err(RecvError::WouldStall));

        // Sending and asking are no waiting.
        let answer = port.ask(|asker| asker).unwrap();
        drop(answer);
        match owner.shutdown(Pending::Drain, LONG) {
            Ok(_) | Err(ShutdownError::WouldStall) => {}
            Err(error) => panic!("{error}"),
        }
    });
}
