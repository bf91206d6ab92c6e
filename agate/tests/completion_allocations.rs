//! Completions from a pool allocate nothing, however their answers are received.
#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use agate::{Cancel, Completion, CompletionPool, CompletionPort};

const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });
const ROUNDS: u64 = if cfg!(miri) { 20 } else { 100 };

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's obligations are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's obligations are the same.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many times `run` allocates on this thread, in so many rounds.
fn allocations(mut run: impl FnMut()) -> usize {
    let before = COUNT.with(Cell::get);
    (0..ROUNDS).for_each(|_| run());
    COUNT.with(Cell::get) - before
}

#[test]
fn the_counter_counts() {
    let rounds = allocations(|| drop(std::hint::black_box(Box::new(1))));
    assert_eq!(rounds, usize::try_from(ROUNDS).unwrap());
}

/// From the first pair on.
#[test]
fn a_pool_with_a_limit_never_allocates() {
    let pool = CompletionPool::<u64>::with_limit(20).unwrap();
    let allocated = allocations(|| {
        let mut pairs = [(); 20].map(|()| pool.try_pair().unwrap());
        assert!(pool.try_pair().is_err());
        for (_, answer) in &mut pairs {
            assert!(answer.poll().is_none());
        }
    });
    assert_eq!(allocated, 0);
}

#[test]
fn polls_and_cancellations_allocate_nothing() {
    let pool = CompletionPool::new();
    drop(pool.pair());
    let allocated = allocations(|| {
        let (resolver, mut answer) = pool.pair();
        resolver.resolve(7);
        assert_eq!(answer.poll(), Some(Ok(7)));
        let (resolver, mut answer) = pool.pair();
        assert_eq!(answer.cancel(), Cancel::Cancelled);
        assert_eq!(resolver.try_resolve(7), Err(7));
    });
    assert_eq!(allocated, 0);
}

#[test]
fn callbacks_of_two_words_allocate_nothing() {
    let (pool, sum) = (CompletionPool::new(), Arc::new(AtomicU64::new(0)));
    drop(pool.pair());
    let allocated = allocations(|| {
        let (resolver, answer) = pool.pair();
        let (sum, add) = (Arc::clone(&sum), 1_u64);
        answer.on_done(move |n| _ = sum.fetch_add(n.unwrap_or(0) + add, Ordering::Relaxed));
        resolver.resolve(2);
    });
    assert_eq!(allocated, 0);
    assert_eq!(sum.load(Ordering::Relaxed), 3 * ROUNDS);
}

#[test]
fn a_port_allocates_nothing() {
    let (pool, mut port) = (
        CompletionPool::with_limit(4).unwrap(),
        CompletionPort::new(),
    );
    let allocated = allocations(|| {
        for key in 0..4 {
            let (resolver, answer) = pool.try_pair().unwrap();
            if key == 0 {
                // Done before it is watched.
                resolver.resolve(key);
                port.watch(answer, key);
            } else {
                port.watch(answer, key);
                resolver.resolve(key);
            }
        }
        assert_eq!(port.wait_next().unwrap().key, 0);
        assert_eq!(port.drain().map(|arrival| arrival.key).sum::<u64>(), 6);
    });
    assert_eq!(allocated, 0);
}

/// Also where the waits sleep and end at their time limits.
#[test]
fn waits_for_many_allocate_nothing() {
    let pool = CompletionPool::<u64>::with_limit(3).unwrap();
    // A thread that parks allocates once in its life.
    let (_resolver, mut never) = pool.try_pair().unwrap();
    assert!(never.wait_timeout(Duration::from_micros(1)).is_err());
    drop((_resolver, never));
    let allocated = allocations(|| {
        let [one, two, three] = [(); 3].map(|()| pool.try_pair().unwrap());
        let mut answers = [one.1, two.1, three.1];
        let short = Duration::from_micros(1);
        assert!(Completion::wait_all(&mut answers, short).is_err());
        assert!(Completion::wait_any(&mut answers, short).is_err());
        three.0.resolve(3);
        assert_eq!(Completion::wait_any(&mut answers, LONG), Ok(2));
        one.0.resolve(1);
        two.0.resolve(2);
        assert_eq!(Completion::wait_all(&mut answers, LONG), Ok(()));
        let sum: u64 = answers
            .iter_mut()
            .map(|answer| answer.poll().unwrap().unwrap())
            .sum();
        assert_eq!(sum, 6);
    });
    assert_eq!(allocated, 0);
}
