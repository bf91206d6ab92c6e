//! Completions: every race of resolver, waiter and drop; the value is dropped once, the slot comes back once.

use std::task::{Context, Poll, Waker};

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::{Drops, Message, check};
use crate::completion::help::{Help, Helped, Helper, Shared};
use crate::completion::helpers::Helpers;
use crate::completion::{Cancel, Completion, CompletionPool, CompletionPort, Resolver, completion};
use crate::error::CompletionError;
use crate::scope::Local;

/// Both from a box of their own and from a pool.
fn pairs(preemptions: usize, model: fn(Resolver<Message>, Completion<Message>, Drops)) {
    check(preemptions, move || {
        let drops = Drops::new();
        let (resolver, completion) = completion();
        model(resolver, completion, drops.clone());
        assert_eq!(drops.count(), 1);
    });
    check(preemptions, move || {
        let (drops, pool) = (Drops::new(), CompletionPool::new());
        let (resolver, completion) = pool.pair();
        model(resolver, completion, drops.clone());
        assert_eq!(drops.count(), 1);
        let (resolver, mut completion) = pool.pair();
        assert!(!completion.is_done(), "a slot that came back is as new");
        resolver.resolve(drops.message(2));
        assert!(matches!(completion.poll(), Some(Ok(message)) if message.number == 2));
    });
}

#[test]
fn resolve_races_wait() {
    pairs(3, |resolver, mut completion, drops| {
        let resolving = thread::spawn(move || resolver.resolve(drops.message(1)));
        let message = completion.wait_timeout(std::time::Duration::from_secs(1_000_000));
        assert_eq!(message.ok().map(|message| message.number), Some(1));
        resolving.join().unwrap();
    });
}

#[test]
fn resolve_races_drop() {
    pairs(3, |resolver, completion, drops| {
        let resolving = thread::spawn(move || {
            if let Err(message) = resolver.try_resolve(drops.message(1)) {
                assert_eq!(message.number, 1);
            }
        });
        drop(completion);
        resolving.join().unwrap();
    });
}

#[test]
fn resolve_races_await() {
    pairs(2, |resolver, completion, drops| {
        let resolving = thread::spawn(move || resolver.resolve(drops.message(1)));
        let message = loom::future::block_on(completion);
        assert_eq!(message.ok().map(|message| message.number), Some(1));
        resolving.join().unwrap();
    });
}

/// A waker that counts how often it was woken and how often its clones were dropped is never leaked: loom checks the `Arc`.
struct Count(Arc<AtomicUsize>);

impl std::task::Wake for Count {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// The completion is polled, polled again with another waker, and dropped, while the resolver resolves.
#[test]
fn resolve_races_a_future_that_is_cancelled() {
    pairs(3, |resolver, mut completion, drops| {
        let woken = Arc::new(AtomicUsize::new(0));
        let resolving = thread::spawn(move || resolver.resolve(drops.message(1)));
        for _ in 0..2 {
            let waker = Waker::from(std::sync::Arc::new(Count(Arc::clone(&woken))));
            let polled = Future::poll(
                std::pin::Pin::new(&mut completion),
                &mut Context::from_waker(&waker),
            );
            if let Poll::Ready(message) = polled {
                assert_eq!(message.ok().map(|message| message.number), Some(1));
                break;
            }
        }
        drop(completion);
        resolving.join().unwrap();
        assert!(woken.load(Ordering::SeqCst) <= 1);
    });
}

#[test]
fn a_dropped_resolver_wakes_too() {
    check(3, || {
        let (resolver, completion) = completion::<u32>();
        let dropping = thread::spawn(move || drop(resolver));
        assert_eq!(
            loom::future::block_on(completion),
            Err(CompletionError::Abandoned)
        );
        dropping.join().unwrap();
    });
}

/// Whoever of the two comes first decides, and both learn the same.
#[test]
fn resolve_races_cancel() {
    pairs(3, |resolver, mut completion, drops| {
        let resolving = thread::spawn(move || resolver.try_resolve(drops.message(1)).is_ok());
        let cancelled = completion.cancel();
        match (cancelled, completion.poll()) {
            (Cancel::Cancelled, Some(Err(CompletionError::Cancelled))) => {
                assert!(!resolving.join().unwrap(), "the value comes back");
            }
            (Cancel::AlreadyDone, Some(Ok(message))) => {
                assert_eq!(message.number, 1);
                assert!(resolving.join().unwrap());
            }
            (other, _) => panic!("{other:?}"),
        }
    });
}

#[test]
fn begin_races_cancel() {
    pairs(3, |resolver, mut completion, drops| {
        let resolving = thread::spawn(move || {
            let begun = resolver.begin();
            assert_eq!(resolver.is_cancelled(), !begun);
            let resolved = resolver.try_resolve(drops.message(1)).is_ok();
            assert_eq!(begun, resolved);
            begun
        });
        let cancelled = completion.cancel();
        let outcome = loom::future::block_on(completion);
        let begun = resolving.join().unwrap();
        assert_eq!(begun, cancelled != Cancel::Cancelled);
        assert_eq!(begun, outcome.is_ok());
    });
}

/// A waker was left before: the cancellation takes it back, or leaves it where it was.
#[test]
fn begin_races_cancel_of_a_future_that_was_polled() {
    pairs(2, |resolver, mut completion, drops| {
        let resolving = thread::spawn(move || {
            let begun = resolver.begin();
            drop(resolver.try_resolve(drops.message(1)));
            begun
        });
        let woken = Arc::new(AtomicUsize::new(0));
        let waker = Waker::from(std::sync::Arc::new(Count(Arc::clone(&woken))));
        let context = &mut Context::from_waker(&waker);
        let pending = Future::poll(std::pin::Pin::new(&mut completion), context).is_pending();
        let cancelled = completion.cancel();
        let begun = resolving.join().unwrap();
        assert_eq!(begun, cancelled != Cancel::Cancelled);
        if pending && begun {
            assert_eq!(woken.load(Ordering::SeqCst), 1, "who waits is still woken");
        }
        if cancelled == Cancel::Cancelled {
            assert_eq!(woken.load(Ordering::SeqCst), 0);
        }
    });
}

/// The callback runs once, with the outcome; small ones in the slot, big ones boxed.
#[test]
fn resolve_races_a_callback() {
    pairs(3, |resolver, completion, drops| {
        let resolving = thread::spawn(move || resolver.resolve(drops.message(1)));
        let (calls, seen) = called();
        completion.on_done(move |outcome| {
            assert_eq!(outcome.ok().map(|message| message.number), Some(1));
            calls.fetch_add(1, Ordering::SeqCst);
        });
        resolving.join().unwrap();
        assert_eq!(seen.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_dropped_resolver_races_a_big_callback() {
    check(3, || {
        let (resolver, completion) = completion::<usize>();
        let dropping = thread::spawn(move || drop(resolver));
        let ((calls, seen), big) = (called(), [1; 8]);
        completion.on_done(move |outcome| {
            assert_eq!(outcome, Err(CompletionError::Abandoned));
            calls.fetch_add(big.len(), Ordering::SeqCst);
        });
        dropping.join().unwrap();
        assert_eq!(seen.load(Ordering::SeqCst), 8);
    });
}

fn called() -> (Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    (Arc::clone(&calls), calls)
}

/// A future that was polled, whose waker the resolver may have, gets a callback or goes to a port.
#[test]
fn resolve_races_a_future_that_is_given_a_callback() {
    pairs(2, |resolver, mut completion, drops| {
        let resolving = thread::spawn(move || resolver.resolve(drops.message(1)));
        let context = &mut Context::from_waker(Waker::noop());
        let (calls, seen) = called();
        if Future::poll(std::pin::Pin::new(&mut completion), context).is_pending() {
            completion.on_done(move |outcome| {
                assert_eq!(outcome.ok().map(|message| message.number), Some(1));
                calls.fetch_add(1, Ordering::SeqCst);
            });
            resolving.join().unwrap();
            assert_eq!(seen.load(Ordering::SeqCst), 1);
        } else {
            resolving.join().unwrap();
        }
    });
}

#[test]
fn resolve_races_a_future_that_goes_to_a_port() {
    pairs(2, |resolver, mut completion, drops| {
        let resolving = thread::spawn(move || resolver.resolve(drops.message(1)));
        let context = &mut Context::from_waker(Waker::noop());
        if Future::poll(std::pin::Pin::new(&mut completion), context).is_pending() {
            let mut port = CompletionPort::new();
            port.watch(completion, 7);
            let arrival = port.wait_next().unwrap();
            assert_eq!(arrival.key, 7);
            assert_eq!(arrival.outcome.ok().map(|message| message.number), Some(1));
        }
        resolving.join().unwrap();
    });
}

#[test]
fn resolve_races_a_port() {
    pairs(3, |resolver, completion, drops| {
        let mut port = CompletionPort::new();
        let resolving = thread::spawn(move || resolver.resolve(drops.message(1)));
        port.watch(completion, 7);
        let arrival = port.wait_next().unwrap();
        assert_eq!(arrival.key, 7);
        assert_eq!(arrival.outcome.ok().map(|message| message.number), Some(1));
        assert_eq!(port.watched(), 0);
        resolving.join().unwrap();
    });
}

#[test]
fn resolve_races_a_port_that_is_dropped() {
    pairs(3, |resolver, completion, drops| {
        let port = CompletionPort::new();
        port.watch(completion, 7);
        let resolving = thread::spawn(move || {
            // Told only if the port went first; then the value comes back.
            if let Err(message) = resolver.try_resolve(drops.message(1)) {
                assert_eq!(message.number, 1);
            }
        });
        drop(port);
        resolving.join().unwrap();
    });
}

/// Two answers arrive at one port, whose owner sleeps, takes one, and sleeps again; both slots are used again.
#[test]
fn two_answers_arrive_at_a_port() {
    check(2, || {
        let (pool, mut port) = (CompletionPool::new(), CompletionPort::new());
        let resolving = [1_u64, 2].map(|key| {
            let (resolver, completion) = pool.pair();
            port.watch(completion, key);
            thread::spawn(move || resolver.resolve(10 * key))
        });
        let mut keys = 0;
        for _ in 0..2 {
            let arrival = port.wait_next().unwrap();
            assert_eq!(arrival.outcome, Ok(10 * arrival.key));
            keys += arrival.key;
        }
        assert_eq!(keys, 3);
        for thread in resolving {
            thread.join().unwrap();
        }
    });
}

#[test]
fn two_answers_are_joined() {
    check(2, || {
        let drops = Drops::new();
        let pairs = [completion(), completion()];
        let mut number = 0;
        let (threads, parts): (Vec<_>, Vec<_>) = pairs
            .into_iter()
            .map(|(resolver, completion)| {
                number += 1;
                let message = drops.message(number);
                (thread::spawn(move || resolver.resolve(message)), completion)
            })
            .unzip();
        let mut joined = Completion::join(parts);
        let outcomes = joined.wait_timeout(std::time::Duration::from_secs(1_000_000));
        let numbers = outcomes.ok().map(|outcomes| {
            let number = |outcome: Result<Message, _>| outcome.ok().map(|message| message.number);
            outcomes.into_iter().map(number).collect::<Vec<_>>()
        });
        assert_eq!(numbers, Some(vec![Some(1), Some(2)]));
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        assert_eq!(drops.count(), 2);
    });
}

#[test]
fn two_answers_race_a_wait_for_any() {
    const LONG: std::time::Duration = std::time::Duration::from_secs(1_000_000);
    check(2, || {
        let (one, answer_one) = completion();
        let (two, answer_two) = completion();
        let one = thread::spawn(move || one.resolve(0));
        let two = thread::spawn(move || two.resolve(1));
        let mut answers = [answer_one, answer_two];
        let mut seen = [false; 2];
        for _ in 0..2 {
            let first = Completion::wait_any(&mut answers, LONG).unwrap();
            assert_eq!(answers[first].poll(), Some(Ok(first)));
            assert!(!std::mem::replace(&mut seen[first], true));
        }
        assert!(Completion::wait_any(&mut answers, LONG).is_err());
        one.join().unwrap();
        two.join().unwrap();
    });
}

/// Slots of one pool used by two threads at once are not mixed up.
#[test]
fn two_threads_share_a_pool() {
    check(2, || {
        let pool = CompletionPool::new();
        let other = {
            let pool = pool.clone();
            thread::spawn(move || {
                let (resolver, mut completion) = pool.pair();
                resolver.resolve(1);
                assert_eq!(completion.poll(), Some(Ok(1)));
            })
        };
        let (resolver, mut completion) = pool.pair();
        resolver.resolve(2);
        assert_eq!(completion.poll(), Some(Ok(2)));
        drop(pool);
        other.join().unwrap();
    });
}

/// Counts how often it is told to help.
struct Counts(AtomicUsize);

impl Help<Local> for Counts {
    fn help(&self) -> Helped {
        self.0.fetch_add(1, Ordering::Relaxed);
        Helped::Busy
    }
}

/// Two threads add, one of them what the other adds too.
#[test]
fn helpers_that_are_added_at_once_are_there_once() {
    check(3, || {
        let all = [0, 1].map(|_| Arc::new(Counts(AtomicUsize::new(0))));
        // SAFETY: it is `Send` and `Sync`.
        let helper = |of: &Arc<Counts>| unsafe { Helper::new(Shared::<_, Local>(of.clone())) };
        let helpers = Arc::new(Helpers::<Local>::new());
        let adding = {
            let (helpers, one) = (helpers.clone(), helper(&all[0]));
            thread::spawn(move || helpers.add(one))
        };
        all.iter().for_each(|of| helpers.add(helper(of)));
        adding.join().unwrap();
        let mut helpers = Arc::try_unwrap(helpers).ok().unwrap();
        assert_eq!(helpers.len(), 2);
        assert_eq!(helpers.help(), Some(Helped::Busy));
        for of in &all {
            assert_eq!(of.0.load(Ordering::Relaxed), 1);
        }
        drop(helpers);
        assert!(
            all.iter().all(|of| Arc::strong_count(of) == 1),
            "all let go"
        );
    });
}
