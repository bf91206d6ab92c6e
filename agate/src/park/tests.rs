//! Forced sleeps: what loom cannot check, the kernel's barrier and the futex.

use std::time::{Duration, Instant};

use crate::park::{Barrier, Bell, Doorbell, WaitMode};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, thread};

/// One end of a ping-pong that goes to sleep for each message, however soon that comes.
fn play(mine: &(Doorbell, AtomicU64), theirs: &(Doorbell, AtomicU64), rounds: u64, first: bool) {
    for round in 1..=rounds {
        if first {
            theirs.1.store(round, Ordering::Release);
            theirs.0.ring();
        }
        while mine.1.load(Ordering::Acquire) < round {
            let deadline = Instant::now() + Duration::from_secs(60);
            mine.0
                .sleep(Some(deadline), &|| mine.1.load(Ordering::Acquire) >= round);
            assert!(Instant::now() < deadline, "a wake-up was lost");
        }
        if !first {
            theirs.1.store(round, Ordering::Release);
            theirs.0.ring();
        }
    }
}

/// Loom checks the fence; this is for the barrier that the kernel makes, and for the futex.
#[test]
fn no_wake_up_is_lost_in_many_forced_sleeps() {
    let rounds = if cfg!(miri) { 20 } else { 20_000 };
    for barrier in [Barrier::Fence, Barrier::choose()] {
        let new = || {
            (
                Doorbell::with_barrier(WaitMode::Wake, barrier),
                AtomicU64::new(0),
            )
        };
        let ends = Arc::new((new(), new()));
        let other = Arc::clone(&ends);
        let thread = thread::spawn(move || play(&other.1, &other.0, rounds, false));
        play(&ends.0, &ends.1, rounds, true);
        thread.join().unwrap();
    }
}
