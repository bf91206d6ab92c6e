//! Many completions at once: wait for all, for any, join.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use agate::{Cancel, Completion, CompletionError, CompletionPool, Resolver, WaitError, completion};

const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });

fn pairs<T: Send + 'static, const N: usize>() -> ([Resolver<T>; N], [Completion<T>; N]) {
    let mut completions = Vec::new();
    let resolvers = [(); N].map(|()| {
        let (resolver, completion) = completion();
        completions.push(completion);
        resolver
    });
    let completions = completions.try_into();
    (resolvers, completions.unwrap_or_else(|_| unreachable!()))
}

#[test]
fn all_are_waited_for() {
    let (resolvers, mut answers) = pairs::<_, 3>();
    let timeout = Duration::from_millis(1);
    let [one, two, three] = resolvers;
    two.resolve(2);
    assert_eq!(
        Completion::wait_all(&mut answers, timeout),
        Err(WaitError::TimedOut)
    );
    let resolving = thread::spawn(move || {
        three.resolve(3);
        drop(one);
    });
    assert_eq!(Completion::wait_all(&mut answers, LONG), Ok(()));
    let outcomes = answers.each_mut().map(|answer| answer.poll().unwrap());
    assert_eq!(outcomes, [Err(CompletionError::Abandoned), Ok(2), Ok(3)]);
    assert_eq!(
        Completion::wait_all(&mut answers, LONG),
        Ok(()),
        "all taken"
    );
    resolving.join().unwrap();
}

#[test]
fn any_is_the_first_that_is_done_and_not_taken() {
    let (resolvers, mut answers) = pairs::<_, 3>();
    let any = |answers: &mut [_]| Completion::wait_any(answers, LONG);
    let timeout = Duration::from_millis(1);
    assert_eq!(
        Completion::wait_any(&mut answers, timeout),
        Err(WaitError::TimedOut)
    );
    let [one, two, three] = resolvers;
    assert_eq!(answers[0].cancel(), Cancel::Cancelled);
    let (go, gone) = mpsc::channel::<()>();
    let resolving = thread::spawn(move || {
        three.resolve(3);
        gone.recv().unwrap();
        drop(two);
    });
    assert_eq!(any(&mut answers), Ok(2));
    assert_eq!(any(&mut answers), Ok(2), "until it is taken");
    assert_eq!(answers[2].poll(), Some(Ok(3)));
    go.send(()).unwrap();
    assert_eq!(any(&mut answers), Ok(1), "a failure is an outcome too");
    assert_eq!(answers[1].poll(), Some(Err(CompletionError::Abandoned)));
    let nothing_left = Err(WaitError::Failed(CompletionError::AlreadyTaken));
    assert_eq!(any(&mut answers), nothing_left);
    assert_eq!(any(&mut []), nothing_left);
    drop(one);
    resolving.join().unwrap();
}

#[test]
fn forbidden_waits_take_what_is_there() {
    thread::spawn(|| {
        agate::forbid_wait();
        let ([one, two], mut answers) = pairs();
        let stall = WaitError::WouldStall;
        assert_eq!(Completion::wait_any(&mut answers, LONG), Err(stall));
        two.resolve(2);
        assert_eq!(Completion::wait_any(&mut answers, LONG), Ok(1));
        assert_eq!(Completion::wait_all(&mut answers, LONG), Err(stall));
        one.resolve(1);
        assert_eq!(Completion::wait_all(&mut answers, LONG), Ok(()));
    })
    .join()
    .unwrap();
}

#[test]
fn a_join_gives_the_outcomes_in_their_order() {
    let ([one, two, three], parts) = pairs();
    two.resolve(2);
    let mut joined = Completion::join(parts);
    let three = thread::spawn(move || three.resolve(3));
    three.join().unwrap();
    assert_eq!(joined.poll(), None);
    drop(one);
    let abandoned = Err(CompletionError::Abandoned);
    assert_eq!(joined.poll(), Some(Ok(vec![abandoned, Ok(2), Ok(3)])));
}

#[test]
fn a_join_of_nothing_is_done() {
    assert_eq!(
        Completion::join([] as [Completion<u32>; 0]).poll(),
        Some(Ok(Vec::new()))
    );
    let (resolver, part) = completion();
    resolver.resolve(1);
    assert_eq!(Completion::join([part]).poll(), Some(Ok(vec![Ok(1)])));
}

#[test]
fn a_join_that_nobody_waits_for_drops_what_comes() {
    let value = Arc::new(());
    let ([one, two], parts) = pairs();
    one.resolve(Arc::clone(&value));
    let mut joined = Completion::join(parts);
    assert_eq!(joined.cancel(), Cancel::Cancelled);
    assert!(!two.is_cancelled(), "its parts go on");
    assert!(two.is_wanted());
    two.resolve(Arc::clone(&value));
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn joins_race_their_resolvers() {
    let rounds = if cfg!(miri) { 10 } else { 5_000 };
    let (pool, value) = (CompletionPool::new(), Arc::new(()));
    thread::scope(|scope| {
        let send = [(); 2].map(|()| {
            let (send, receive) = mpsc::channel::<Resolver<Arc<()>>>();
            let value = &value;
            scope.spawn(move || {
                for resolver in receive {
                    resolver.resolve(Arc::clone(value));
                }
            });
            send
        });
        for _ in 0..rounds {
            let parts = (0..6).map(|n| {
                let (resolver, part) = pool.pair();
                send[n % 2].send(resolver).unwrap();
                part
            });
            let outcomes = Completion::join(parts).wait_timeout(LONG).unwrap();
            assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 6);
        }
    });
    assert_eq!(Arc::strong_count(&value), 1);
}

/// Waits for any of what several threads resolve, taking each as it comes.
#[test]
fn any_of_many_races_their_resolvers() {
    let rounds = if cfg!(miri) { 5 } else { 2_000 };
    let pool = CompletionPool::new();
    thread::scope(|scope| {
        let send = [(); 2].map(|()| {
            let (send, receive) = mpsc::channel::<(usize, Resolver<usize>)>();
            scope.spawn(move || {
                for (n, resolver) in receive {
                    resolver.resolve(n);
                }
            });
            send
        });
        for _ in 0..rounds {
            let mut answers: Vec<_> = (0..4)
                .map(|n| {
                    let (resolver, answer) = pool.pair();
                    send[n % 2].send((n, resolver)).unwrap();
                    answer
                })
                .collect();
            for _ in 0..4 {
                let first = Completion::wait_any(&mut answers, LONG).unwrap();
                assert_eq!(answers[first].poll(), Some(Ok(first)));
            }
        }
    });
}
