//! Cancelling: both sides learn the same, and the value is dropped once.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use agate::{Cancel, CompletionError, CompletionPool, WaitError, completion};

const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });

#[test]
fn an_operation_is_cancelled_until_it_is_resolved() {
    let (resolver, mut completion) = completion();
    assert!(!resolver.is_cancelled());
    assert_eq!(completion.cancel(), Cancel::Cancelled);
    assert!(resolver.is_cancelled());
    assert!(!resolver.is_wanted());
    assert!(!resolver.begin());
    assert_eq!(resolver.try_resolve("late"), Err("late"));

    assert!(completion.is_done());
    assert_eq!(completion.cancel(), Cancel::Cancelled, "again");
    assert_eq!(completion.poll(), Some(Err(CompletionError::Cancelled)));
    let waited = completion.wait_timeout(LONG);
    assert_eq!(waited, Err(WaitError::Failed(CompletionError::Cancelled)));
}

#[test]
fn a_resolver_that_is_dropped_after_the_cancellation_changes_nothing() {
    let (resolver, mut completion) = completion::<u32>();
    assert_eq!(completion.cancel(), Cancel::Cancelled);
    drop(resolver);
    assert_eq!(completion.poll(), Some(Err(CompletionError::Cancelled)));
}

#[test]
fn what_is_done_is_not_cancelled() {
    let (resolver, mut completion) = completion();
    resolver.resolve(7);
    assert_eq!(completion.cancel(), Cancel::AlreadyDone);
    assert_eq!(completion.poll(), Some(Ok(7)), "it can be taken still");
    assert_eq!(completion.cancel(), Cancel::AlreadyDone);
    assert_eq!(completion.poll(), Some(Err(CompletionError::AlreadyTaken)));
}

#[test]
fn what_has_begun_is_not_cancelled() {
    let (resolver, mut completion) = completion();
    assert!(resolver.begin());
    assert_eq!(completion.cancel(), Cancel::NotCancellable);
    assert!(!resolver.is_cancelled());
    assert!(resolver.is_wanted());
    assert!(resolver.begin(), "again");
    assert_eq!(completion.poll(), None);
    assert_eq!(resolver.try_resolve(7), Ok(()));
    assert_eq!(completion.poll(), Some(Ok(7)));
}

#[test]
fn dropping_a_completion_does_not_cancel() {
    let (resolver, completion) = completion::<u32>();
    drop(completion);
    assert!(!resolver.is_cancelled());
    assert!(
        resolver.begin(),
        "an operation without a listener may begin"
    );
    assert!(!resolver.is_wanted());
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_cancellation_that_is_refused_leaves_the_waker_where_it_is() {
    let (resolver, mut completion) = completion();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let context = &mut Context::from_waker(&waker);
    assert!(resolver.begin());
    assert!(Pin::new(&mut completion).poll(context).is_pending());
    assert_eq!(completion.cancel(), Cancel::NotCancellable);
    resolver.resolve(7);
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    let polled = Pin::new(&mut completion).poll(context);
    assert_eq!(polled, Poll::Ready(Ok(7)));
}

#[test]
fn a_cancellation_gives_the_waker_back() {
    let (resolver, mut completion) = completion();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let context = &mut Context::from_waker(&waker);
    assert!(Pin::new(&mut completion).poll(context).is_pending());
    assert_eq!(completion.cancel(), Cancel::Cancelled);
    drop(waker);
    assert_eq!(Arc::strong_count(&woken), 1);
    resolver.resolve(7);
    assert_eq!(woken.0.load(Ordering::SeqCst), 0);
}

#[test]
fn a_cancelled_slot_comes_back_when_its_resolver_goes() {
    let pool = CompletionPool::<u32>::with_limit(1).unwrap();
    let (resolver, mut completion) = pool.try_pair().unwrap();
    assert_eq!(completion.cancel(), Cancel::Cancelled);
    assert!(pool.try_pair().is_err(), "the resolver uses it still");
    drop(resolver);
    let (resolver, mut again) = pool.try_pair().unwrap();
    assert!(!resolver.is_cancelled(), "a slot that came back is as new");
    assert_eq!(completion.poll(), Some(Err(CompletionError::Cancelled)));
    resolver.resolve(7);
    assert_eq!(again.poll(), Some(Ok(7)));
}

/// Operations that are cancelled, begun, resolved and dropped at the same time: both sides always agree.
#[test]
fn both_sides_agree_in_every_race() {
    let rounds = if cfg!(miri) { 30 } else { 20_000 };
    let pool = CompletionPool::<Arc<usize>>::new();
    let value = Arc::new(7);
    let (send, receive) = std::sync::mpsc::sync_channel::<agate::Resolver<Arc<usize>>>(4);
    let (report, reported) = std::sync::mpsc::sync_channel::<bool>(4);
    thread::scope(|scope| {
        let value = &value;
        scope.spawn(move || {
            for (n, resolver) in receive.into_iter().enumerate() {
                let accepted = match n % 3 {
                    0 => resolver.begin() && resolver.try_resolve(Arc::clone(value)).is_ok(),
                    1 => resolver.try_resolve(Arc::clone(value)).is_ok(),
                    _ => {
                        let begun = resolver.begin();
                        drop(resolver);
                        begun
                    }
                };
                report.send(accepted).unwrap();
            }
        });
        for n in 0..rounds {
            let (resolver, mut completion) = pool.pair();
            send.send(resolver).unwrap();
            let cancelled = completion.cancel() == Cancel::Cancelled;
            let outcome = completion.wait_timeout(LONG);
            let accepted = reported.recv().unwrap();
            assert_eq!(accepted, !cancelled, "round {n}");
            match outcome {
                Ok(_) => assert!(accepted),
                Err(WaitError::Failed(CompletionError::Cancelled)) => assert!(cancelled),
                Err(WaitError::Failed(CompletionError::Abandoned)) => assert!(accepted),
                other => panic!("{other:?}"),
            }
        }
        drop(send);
    });
    assert_eq!(Arc::strong_count(&value), 1);
}
