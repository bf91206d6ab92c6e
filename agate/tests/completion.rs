//! The behaviour of completions, through the public API.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use agate::{CompletionError, CompletionPool, WaitError, completion};

const LONG: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Runs a future on this thread; parks between polls.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

#[test]
fn a_value_is_given_once() {
    let (resolver, mut completion) = completion();
    assert!(!completion.is_done());
    assert_eq!(completion.poll(), None);
    resolver.resolve(5);
    assert!(completion.is_done());
    assert_eq!(completion.poll(), Some(Ok(5)));
    assert!(completion.is_done());
    assert_eq!(completion.poll(), Some(Err(CompletionError::AlreadyTaken)));
    assert_eq!(
        completion.wait_timeout(LONG),
        Err(WaitError::Failed(CompletionError::AlreadyTaken))
    );
    assert_eq!(block_on(completion), Err(CompletionError::AlreadyTaken));
}

#[test]
fn a_dropped_resolver_abandons() {
    let (resolver, mut completion) = completion::<u32>();
    drop(resolver);
    assert_eq!(
        completion.wait_timeout(LONG),
        Err(WaitError::Failed(CompletionError::Abandoned))
    );
}

#[test]
fn a_panic_that_is_not_an_owners_abandons() {
    let (resolver, mut completion) = completion::<u32>();
    let job = thread::spawn(move || {
        let _resolver = resolver;
        panic!("a job, not an owner");
    });
    assert!(job.join().is_err());
    assert_eq!(completion.poll(), Some(Err(CompletionError::Abandoned)));
}

#[test]
fn a_value_that_nobody_wants_comes_back_or_is_dropped() {
    let (resolver, completion) = completion();
    assert!(resolver.is_wanted());
    drop(completion);
    assert!(!resolver.is_wanted());
    assert_eq!(resolver.try_resolve("unwanted"), Err("unwanted"));

    let value = Arc::new(());
    let (resolver, completion) = agate::completion();
    drop(completion);
    resolver.resolve(Arc::clone(&value));
    assert_eq!(Arc::strong_count(&value), 1);

    let (resolver, completion) = agate::completion();
    resolver.resolve(Arc::clone(&value));
    drop(completion);
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn waiting_ends_at_the_time_limit_and_can_go_on() {
    let (resolver, mut completion) = completion();
    assert_eq!(
        completion.wait_timeout(Duration::ZERO),
        Err(WaitError::TimedOut)
    );
    assert_eq!(
        completion.wait_timeout(Duration::from_millis(2)),
        Err(WaitError::TimedOut)
    );
    let resolving = thread::spawn(move || resolver.resolve(1));
    assert_eq!(completion.wait_timeout(LONG), Ok(1));
    resolving.join().unwrap();
}

#[test]
fn a_forbidden_wait_takes_what_is_there_and_refuses_the_rest() {
    thread::spawn(|| {
        agate::forbid_wait();
        let (resolver, mut completion) = completion();
        assert_eq!(completion.wait_timeout(LONG), Err(WaitError::WouldStall));
        resolver.resolve(3);
        assert_eq!(completion.wait_timeout(LONG), Ok(3));
    })
    .join()
    .unwrap();
    let (resolver, mut completion) = completion();
    resolver.resolve(4);
    assert_eq!(
        completion.wait_timeout(LONG),
        Ok(4),
        "other threads may wait"
    );
}

#[test]
fn a_future_is_woken_by_the_waker_that_it_was_polled_with_last() {
    let (resolver, completion) = completion();
    let mut completion = pin!(completion);
    let wakers = [Arc::new(Woken::default()), Arc::new(Woken::default())];
    for woken in &wakers {
        let waker = Waker::from(Arc::clone(woken));
        assert!(
            completion
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    resolver.resolve(9);
    assert_eq!(wakers[0].0.load(Ordering::SeqCst), 0);
    assert_eq!(wakers[1].0.load(Ordering::SeqCst), 1);
    assert_eq!(Arc::strong_count(&wakers[1]), 1, "the waker is not kept");
    assert_eq!(block_on(completion), Ok(9));
}

#[test]
fn a_cancelled_future_gives_its_waker_back() {
    let (resolver, mut completion) = completion::<u32>();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    assert!(
        pin!(&mut completion)
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    drop((completion, waker));
    assert_eq!(Arc::strong_count(&woken), 1);
    resolver.resolve(1);
    assert_eq!(woken.0.load(Ordering::SeqCst), 0);
}

#[test]
fn a_panicking_waker_does_not_harm_the_resolver() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("in the waker");
        }
    }
    let (resolver, completion) = completion();
    let mut completion = pin!(completion);
    let waker = Waker::from(Arc::new(Panics));
    assert!(
        completion
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    resolver.resolve(2);
    assert_eq!(block_on(completion), Ok(2));
}

#[test]
fn awaiting_across_threads() {
    let rounds = if cfg!(miri) { 10 } else { 2_000 };
    let pool = CompletionPool::new();
    for n in 0..rounds {
        let (resolver, completion) = pool.pair();
        let resolving = thread::spawn(move || resolver.resolve(n));
        assert_eq!(block_on(completion), Ok(n));
        resolving.join().unwrap();
    }
}

#[test]
fn a_pair_outlives_its_pool() {
    let pool = CompletionPool::new();
    let (resolver, mut completion) = pool.pair();
    drop(pool);
    resolver.resolve(String::from("kept"));
    assert_eq!(completion.poll(), Some(Ok(String::from("kept"))));
}

#[test]
#[cfg_attr(miri, ignore = "leaks on purpose")]
fn forgotten_ends_harm_nobody() {
    let pool = CompletionPool::new();
    let (resolver, completion) = pool.pair();
    std::mem::forget(completion);
    resolver.resolve(1);
    let (resolver, completion) = pool.pair();
    std::mem::forget(resolver);
    drop(completion);
    let (resolver, mut completion) = pool.pair();
    resolver.resolve(3);
    assert_eq!(completion.poll(), Some(Ok(3)));
}

/// Many pairs of one pool at once, resolved, abandoned and dropped in every order by several threads.
#[test]
fn values_are_dropped_once_in_every_race() {
    let (threads, rounds) = if cfg!(miri) { (2, 20) } else { (4, 20_000) };
    let pool = CompletionPool::new();
    let alive = Arc::new(());
    thread::scope(|scope| {
        for _ in 0..threads {
            let (send, receive) = std::sync::mpsc::sync_channel::<agate::Resolver<Arc<()>>>(8);
            let (pool, alive) = (&pool, &alive);
            scope.spawn(move || {
                for (n, resolver) in receive.into_iter().enumerate() {
                    match n % 4 {
                        0 => drop(resolver),
                        _ => resolver.resolve(Arc::clone(alive)),
                    }
                }
            });
            scope.spawn(move || {
                for n in 0..rounds {
                    let (resolver, mut completion) = pool.pair();
                    send.send(resolver).unwrap();
                    match n % 3 {
                        0 => drop(completion),
                        1 => drop(completion.wait_timeout(LONG)),
                        _ => drop(block_on(completion)),
                    }
                }
            });
        }
    });
    assert_eq!(Arc::strong_count(&alive), 1);
}
