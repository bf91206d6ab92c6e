//! Forced sleeps: what loom cannot check, the kernel's barrier and the futex.

use std::task::Wake;
use std::time::{Duration, Instant};

use crate::park::barrier::Barrier;
use crate::park::{Bell, Doorbell, SLEEPING, WaitMode};
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

/// Two million in the long form, `AGATE_DEEP=1`.
fn rounds() -> u64 {
    if cfg!(miri) {
        20
    } else if std::env::var_os("AGATE_DEEP").is_some_and(|deep| deep == "1") {
        1_000_000
    } else {
        20_000
    }
}

/// Loom checks the fence; this is for the barrier that the kernel makes, and for the futex.
#[test]
fn no_wake_up_is_lost_in_many_forced_sleeps() {
    for barrier in [Barrier::Fence, Barrier::choose()] {
        let new = || {
            (
                Doorbell::with_barrier(WaitMode::Wake, barrier),
                AtomicU64::new(0),
            )
        };
        let ends = Arc::new((new(), new()));
        let other = Arc::clone(&ends);
        let thread = thread::spawn(move || play(&other.1, &other.0, rounds(), false));
        play(&ends.0, &ends.1, rounds(), true);
        thread.join().unwrap();
    }
}

/// The same for several receivers on one bell, each of which sleeps for each message that it does not get at once.
#[test]
fn no_wake_up_is_lost_among_several_receivers() {
    let total = rounds() / 10;
    let shared = Arc::new((
        Doorbell::for_many(WaitMode::Wake),
        AtomicU64::new(0),
        AtomicU64::new(0),
    ));
    let receivers: Vec<_> = (0..3)
        .map(|_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (bell, sent, taken) = &*shared;
                loop {
                    let next = taken.load(Ordering::Acquire);
                    if next == total {
                        return;
                    }
                    let ready = || {
                        let taken = taken.load(Ordering::Acquire);
                        taken == total || taken < sent.load(Ordering::Acquire)
                    };
                    if !ready() {
                        let deadline = Instant::now() + Duration::from_secs(60);
                        bell.sleep(Some(deadline), &ready);
                        assert!(Instant::now() < deadline, "a wake-up was lost");
                    } else if next < sent.load(Ordering::Acquire) {
                        let _ = taken.compare_exchange(
                            next,
                            next + 1,
                            Ordering::AcqRel,
                            Ordering::Relaxed,
                        );
                        if next + 1 == total {
                            bell.ring();
                        }
                    }
                }
            })
        })
        .collect();
    let (bell, sent, taken) = &*shared;
    for message in 1..=total {
        sent.store(message, Ordering::Release);
        bell.ring();
        // Mostly nothing is left for the receivers but to sleep.
        while message % 16 != 0 && taken.load(Ordering::Acquire) != message {
            thread::yield_now();
        }
    }
    receivers
        .into_iter()
        .for_each(|receiver| receiver.join().unwrap());
}

#[test]
fn a_burst_to_a_sleeper_wakes_once() {
    let bell = Doorbell::new(WaitMode::Wake);
    bell.word.fetch_or(SLEEPING, Ordering::SeqCst);
    (0..1_000).for_each(|_| assert!(!bell.ring()));
    assert_eq!(bell.wakes(), 1);
    (0..1_000).for_each(|_| assert!(!bell.ring()));
    assert_eq!(bell.wakes(), 1, "nobody sleeps any more");
}

/// What a waker is for is the user's, so it may panic.
struct Panics(AtomicU64);

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("a waker that panics");
    }
}

#[test]
fn a_burst_to_a_task_wakes_once_and_its_panic_is_caught() {
    let bell = Doorbell::new(WaitMode::Wake);
    let task = Arc::new(Panics(AtomicU64::new(0)));
    bell.register(&Arc::clone(&task).into());
    (0..1_000).for_each(|_| assert!(!bell.ring()));
    assert_eq!(
        (
            task.0.load(Ordering::Relaxed),
            Arc::strong_count(&task),
            bell.wakes()
        ),
        (1, 1, 0)
    );
    bell.register(&Arc::clone(&task).into());
    bell.unregister();
    assert!(!bell.ring());
    assert_eq!(
        (task.0.load(Ordering::Relaxed), Arc::strong_count(&task)),
        (1, 1)
    );
    bell.register(&Arc::clone(&task).into());
    assert!(bell.close());
    assert_eq!(
        (task.0.load(Ordering::Relaxed), Arc::strong_count(&task)),
        (2, 1)
    );
}
