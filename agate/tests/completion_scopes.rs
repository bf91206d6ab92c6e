//! Completions in every scope: the same code, and what one thread alone may do besides.

use std::cell::Cell;
use std::fmt::Debug;
use std::rc::Rc;
use std::time::{Duration, Instant};

use agate::{
    Cancel, Carries, Completion, CompletionError, Local, NextError, Private, Scope, WaitError,
};

const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });

fn laws<S: Scope + Carries<u32> + Debug>(scope: S) {
    let (resolver, mut answer) = scope.completion();
    assert_eq!(answer.poll(), None);
    assert_eq!(
        answer.wait_timeout(Duration::ZERO),
        Err(WaitError::TimedOut)
    );
    resolver.resolve(1);
    assert_eq!(answer.wait_until(Instant::now()), Ok(1));
    assert_eq!(answer.poll(), Some(Err(CompletionError::AlreadyTaken)));

    let (resolver, mut answer) = scope.completion();
    assert_eq!(answer.cancel(), Cancel::Cancelled);
    assert_eq!(resolver.try_resolve(2), Err(2));

    let pool = scope.completion_pool(Some(2)).unwrap();
    let mut port = scope.completion_port(Some(2));
    let [one, two] = [1, 2].map(|key| {
        let (resolver, answer) = pool.try_pair().unwrap();
        port.try_watch(answer, key).unwrap();
        resolver
    });
    assert!(pool.try_pair().is_err());
    let (_resolver, answer) = scope.completion_pool(None).unwrap().pair();
    assert!(port.try_watch(answer, 3).is_err());
    two.resolve(20);
    one.resolve(10);
    let arrived = [port.wait_next().unwrap(), port.next_timeout(LONG).unwrap()];
    let arrived = arrived.map(|arrival| (arrival.key, arrival.outcome));
    assert_eq!(arrived, [(2, Ok(20)), (1, Ok(10))]);
    assert_eq!(port.wait_next().unwrap_err(), NextError::Idle);

    let (one, answer_one) = pool.pair();
    let (two, answer_two) = pool.pair();
    let mut answers = [answer_one, answer_two];
    two.resolve(2);
    assert_eq!(Completion::wait_any(&mut answers, LONG), Ok(1));
    drop(one);
    assert_eq!(Completion::wait_all(&mut answers, LONG), Ok(()));
    let mut joined = Completion::join(answers);
    let abandoned = Err(CompletionError::Abandoned);
    assert_eq!(joined.wait_timeout(LONG), Ok(vec![abandoned, Ok(2)]));
}

#[test]
fn the_same_code_runs_in_every_scope() {
    laws(Private);
    laws(Local);
}

#[test]
fn one_thread_alone_does_not_wait_for_itself() {
    let (resolver, mut answer) = Private.completion();
    assert_eq!(answer.wait_timeout(LONG), Err(WaitError::WouldStall));
    assert_eq!(answer.wait_allowing_stall(LONG), Err(WaitError::WouldStall));
    let mut answers = [answer];
    let stalled = Completion::wait_any(&mut answers, LONG);
    assert_eq!(stalled, Err(WaitError::WouldStall));
    let [answer] = answers;
    let mut port = Private.completion_port(None);
    port.watch(answer, 1);
    assert_eq!(port.wait_next().unwrap_err(), NextError::WouldStall);
    assert_eq!(port.next_timeout(LONG).unwrap_err(), NextError::WouldStall);
    resolver.resolve(7);
    assert_eq!(port.wait_next().unwrap().outcome, Ok(7));
}

/// Neither the value nor the callback is `Send`.
#[test]
fn one_thread_alone_may_share_without_atomics() {
    let (resolver, answer) = Private.completion();
    let (value, seen) = (Rc::new(Cell::new(1)), Rc::new(Cell::new(0)));
    let see = Rc::clone(&seen);
    answer.on_done(move |outcome: Result<Rc<Cell<u32>>, _>| see.set(outcome.unwrap().get()));
    resolver.resolve(Rc::clone(&value));
    assert_eq!((seen.get(), Rc::strong_count(&value)), (1, 1));

    let port = Private.completion_port(None);
    let (one, answer) = Private.completion();
    port.watch(answer, 1);
    one.resolve(Rc::clone(&value));
    let (two, answer) = Private.completion();
    port.watch(answer, 2);
    drop(port);
    assert_eq!(two.try_resolve(Rc::clone(&value)), Err(Rc::clone(&value)));
    assert_eq!(Rc::strong_count(&value), 1);
}
