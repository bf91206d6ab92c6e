//! What only the crate itself can see of completions: helpers and generations.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use super::help::{Help, Shared};
use super::*;
use crate::error::WaitError;

const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });

/// Resolves what it was given, one each time that it is told to help, when it has been idle so many times.
#[derive(Default)]
struct Driven {
    work: Mutex<Vec<Resolver<u32>>>,
    idle: AtomicU32,
    calls: AtomicUsize,
}

impl Help<Local> for Driven {
    fn help(&self) -> Helped {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let idle = self.idle.load(Ordering::Relaxed);
        if idle > 0 {
            self.idle.store(idle - 1, Ordering::Relaxed);
            return Helped::Busy;
        }
        let Some(resolver) = self.work.lock().unwrap().pop() else {
            return Helped::Idle(None);
        };
        resolver.resolve(7);
        Helped::More
    }
}

impl Driven {
    fn ask(driven: &Arc<Self>) -> Completion<u32> {
        let (resolver, completion) = completion();
        driven.work.lock().unwrap().push(resolver);
        // SAFETY: it is `Send` and `Sync`.
        let helper = unsafe { Helper::new(Shared::<_, Local>(Arc::clone(driven))) };
        completion.with_helper(Some(helper))
    }
}

#[test]
fn every_way_to_wait_helps() {
    let driven = Arc::new(Driven::default());
    let ask = || Driven::ask(&driven);
    assert_eq!(ask().poll(), Some(Ok(7)));
    assert_eq!(ask().wait_timeout(Duration::ZERO), Ok(7));
    let polled = Pin::new(&mut ask()).poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(polled, Poll::Ready(Ok(7)));
    assert_eq!(Completion::wait_all(&mut [ask(), ask()], LONG), Ok(()));
    assert!(Completion::wait_any(&mut [ask(), ask()], LONG).is_ok());
    driven.work.lock().unwrap().clear();
    let mut joined = Completion::join([ask(), ask()]);
    assert_eq!(joined.wait_timeout(LONG), Ok(vec![Ok(7), Ok(7)]));
    let called = Arc::new(AtomicU32::new(0));
    let call = Arc::clone(&called);
    ask().on_done(move |n| call.store(n.unwrap(), Ordering::Relaxed));
    assert_eq!(called.load(Ordering::Relaxed), 7);
    let mut port = CompletionPort::new();
    ask().post_to(&port, 1);
    ask().post_to(&port, 2);
    assert_eq!(port.wait_next().map(|arrival| arrival.outcome), Ok(Ok(7)));
    drop((port, joined));
    assert_eq!(Arc::strong_count(&driven), 1, "every helper was let go");
}

/// The first tries find somebody else at it, and nobody wakes this thread: it looks again by itself.
#[test]
fn a_wait_helps_again_and_again() {
    let driven = Arc::new(Driven::default());
    driven.idle.store(5, Ordering::Relaxed);
    assert_eq!(Driven::ask(&driven).wait_timeout(LONG), Ok(7));
    assert!(driven.calls.load(Ordering::Relaxed) > 5);
    driven.idle.store(5, Ordering::Relaxed);
    let mut port = CompletionPort::new();
    Driven::ask(&driven).post_to(&port, 1);
    assert_eq!(port.next_timeout(LONG).map(|arrival| arrival.key), Ok(1));
    driven.idle.store(5, Ordering::Relaxed);
    let mut joined = Completion::join([Driven::ask(&driven)]);
    assert_eq!(joined.wait_timeout(LONG), Ok(vec![Ok(7)]));
}

#[test]
fn a_wait_that_helps_keeps_its_time_limit() {
    let driven = Arc::new(Driven::default());
    driven.idle.store(u32::MAX, Ordering::Relaxed);
    let mut answer = Driven::ask(&driven);
    let limit = Duration::from_millis(if cfg!(miri) { 500 } else { 3 });
    assert_eq!(answer.wait_timeout(limit), Err(WaitError::TimedOut));
    assert!(driven.calls.load(Ordering::Relaxed) > 1);
    driven.work.lock().unwrap().clear();
    let abandoned = Err(WaitError::Failed(CompletionError::Abandoned));
    assert_eq!(answer.wait_timeout(LONG), abandoned);
}

#[test]
fn a_forbidden_wait_helps_and_does_not_park() {
    std::thread::spawn(|| {
        forbid_wait();
        let driven = Arc::new(Driven::default());
        assert_eq!(Driven::ask(&driven).wait_timeout(LONG), Ok(7));
        driven.idle.store(1, Ordering::Relaxed);
        let mut answer = Driven::ask(&driven);
        assert_eq!(answer.wait_timeout(LONG), Err(WaitError::WouldStall));
    })
    .join()
    .unwrap();
}

#[test]
fn each_pair_of_a_slot_has_a_generation_of_its_own() {
    let pool = CompletionPool::<u32>::with_limit(1).unwrap();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..4 {
        let (resolver, mut answer) = pool.try_pair().unwrap();
        assert!(seen.insert(answer.generation));
        assert!(resolver.begin());
        resolver.resolve(1);
        let slot = answer.slot.unwrap();
        // SAFETY: the answer was not taken, so the slot is alive.
        assert_eq!(unsafe { slot.as_ref() }.generation(), answer.generation);
        assert_eq!(answer.poll(), Some(Ok(1)));
    }
}

#[test]
fn a_helper_costs_two_words() {
    assert_eq!(size_of::<Option<Helper<Local>>>(), 2 * size_of::<usize>());
    assert_eq!(size_of::<Resolver<u32>>(), size_of::<usize>());
}

#[test]
fn a_port_keeps_few_of_whom_it_awaits_nothing() {
    let all: Vec<_> = (0..100).map(|_| Arc::new(Driven::default())).collect();
    let mut port = CompletionPort::new();
    for driven in &all {
        Driven::ask(driven).post_to(&port, 1);
        Driven::ask(driven).post_to(&port, 2);
        for _ in 0..2 {
            driven.help();
            assert!(port.try_next().is_some());
        }
    }
    let kept = |all: &[Arc<Driven>]| all.iter().filter(|it| Arc::strong_count(it) > 1).count();
    assert!(kept(&all) <= 8, "{}", kept(&all));
    // Those of whom something is awaited are all kept, each once.
    for driven in &all {
        Driven::ask(driven).post_to(&port, 1);
        Driven::ask(driven).post_to(&port, 2);
    }
    assert!(all.iter().all(|driven| Arc::strong_count(driven) == 2));
    for _ in 0..2 * all.len() {
        assert!(port.wait_next().is_ok());
    }
    assert_eq!(port.wait_next().unwrap_err(), crate::NextError::Idle);
    assert_eq!(kept(&all), 0);
}
