//! The behaviour of completions, through the public API.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use agate::{
    CompletionError, CompletionPool, CreateError, OutOfCompletions, Private, Scope, WaitError,
    completion,
};

const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });

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
fn a_deadline_holds_for_several_waits() {
    let ([one, two], mut answers) = {
        let (pairs_one, pairs_two) = (completion(), completion());
        ([pairs_one.0, pairs_two.0], [pairs_one.1, pairs_two.1])
    };
    let past = Instant::now();
    assert_eq!(answers[0].wait_until(past), Err(WaitError::TimedOut));
    let deadline = past + LONG;
    let resolving = thread::spawn(move || {
        one.resolve(1);
        two.resolve(2);
    });
    assert_eq!(answers[0].wait_until(deadline), Ok(1));
    assert_eq!(answers[1].wait_until(deadline), Ok(2));
    resolving.join().unwrap();
    let (resolver, mut answer) = completion();
    resolver.resolve(3);
    assert_eq!(answer.wait_until(past), Ok(3), "what is there is taken");
}

#[test]
fn a_wait_that_may_stall_parks_where_waits_are_forbidden() {
    thread::spawn(|| {
        agate::forbid_wait();
        let (resolver, mut completion) = completion();
        let waited = completion.wait_allowing_stall(Duration::from_millis(2));
        assert_eq!(waited, Err(WaitError::TimedOut));
        let resolving = thread::spawn(move || resolver.resolve(3));
        assert_eq!(completion.wait_allowing_stall(LONG), Ok(3));
        resolving.join().unwrap();
    })
    .join()
    .unwrap();
}

/// A slot that is used again is nothing to whoever had it before.
#[test]
fn a_completion_that_was_taken_does_not_see_its_slots_next_pair() {
    let pool = CompletionPool::with_limit(1).unwrap();
    let (resolver, mut first) = pool.try_pair().unwrap();
    resolver.resolve(1);
    assert_eq!(first.poll(), Some(Ok(1)));
    let (resolver, mut second) = pool.try_pair().expect("the slot came back");
    assert_eq!(first.poll(), Some(Err(CompletionError::AlreadyTaken)));
    resolver.resolve(2);
    assert_eq!(first.poll(), Some(Err(CompletionError::AlreadyTaken)));
    let waited = first.wait_timeout(LONG);
    assert_eq!(
        waited,
        Err(WaitError::Failed(CompletionError::AlreadyTaken))
    );
    drop(first);
    assert_eq!(second.poll(), Some(Ok(2)));
}

#[test]
fn a_pool_keeps_to_its_limit() {
    let pool = CompletionPool::<u32>::with_limit(3).unwrap();
    let pairs = [(); 3].map(|()| pool.try_pair().unwrap());
    let refused = pool.try_pair().unwrap_err();
    assert_eq!(refused, OutOfCompletions { limit: 3 });
    let (resolver, mut answer) = pool.pair();
    resolver.resolve(1);
    assert_eq!(answer.poll(), Some(Ok(1)), "a plain pair is never refused");
    assert!(pool.try_pair().is_err(), "and is none of the pool's");
    let [(resolver, answer), ..] = pairs;
    drop(answer);
    assert!(pool.try_pair().is_err(), "the resolver uses it still");
    drop(resolver);
    assert!(pool.try_pair().is_ok());
    assert!(
        CompletionPool::<u32>::with_limit(0)
            .unwrap()
            .try_pair()
            .is_err()
    );
}

#[test]
fn a_pool_that_cannot_be_so_large_is_refused() {
    let most = CompletionPool::<u32>::MAX_LIMIT;
    for limit in [most + 1, usize::MAX] {
        let refused = CompletionPool::<u32>::with_limit(limit);
        assert!(matches!(refused, Err(CreateError::TooLarge)), "{limit}");
        let refused = Private.completion_pool::<u32>(Some(limit));
        assert!(matches!(refused, Err(CreateError::TooLarge)), "{limit}");
    }
    // Where nobody asked for a limit there is none that would refuse a pair.
    drop(CompletionPool::<u32>::new().try_pair().unwrap());
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
