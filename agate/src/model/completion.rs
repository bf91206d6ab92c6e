//! Completions: every race of resolver, waiter and drop; the value is dropped once, the slot comes back once.

use std::task::{Context, Poll, Waker};

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::{Drops, Message, check};
use crate::completion::{Completion, CompletionPool, Resolver, completion};
use crate::error::CompletionError;

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
