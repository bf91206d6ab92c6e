//! Sleep and wake: no wake-up is lost. Loom reports a thread that nobody wakes as a deadlock.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::check;
use crate::park::{Bell, Doorbell, Gate, WaitMode, Woken};

/// Two senders publish and ring; the receiver waits until it has both.
fn two_rings(new_bell: fn() -> Doorbell) {
    check(3, move || {
        let shared = Arc::new((new_bell(), [AtomicUsize::new(0), AtomicUsize::new(0)]));
        let senders: Vec<_> = (0..2)
            .map(|sender| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let (bell, published) = &*shared;
                    published[sender].store(1, Ordering::Release);
                    bell.ring();
                })
            })
            .collect();
        let (bell, published) = &*shared;
        let mut gate = Gate::new();
        for lane in published {
            let woken = bell.wait(&mut gate, None, || lane.load(Ordering::Acquire) == 1);
            assert_eq!(woken, Woken::Ready);
        }
        senders
            .into_iter()
            .for_each(|sender| sender.join().unwrap());
    });
}

#[test]
fn every_publish_is_seen_or_wakes() {
    two_rings(|| Doorbell::new(WaitMode::Wake));
}

/// The mutant: neither side has a fence between its store and its load, so both may see the old value.
#[test]
#[should_panic(expected = "deadlock")]
fn without_the_fence_a_wake_up_is_lost() {
    two_rings(Doorbell::without_barrier);
}

#[test]
fn a_close_wakes() {
    check(3, || {
        let bell = Arc::new(Doorbell::new(WaitMode::Wake));
        let closer = {
            let bell = Arc::clone(&bell);
            thread::spawn(move || assert!(bell.close()))
        };
        bell.wait(&mut Gate::new(), None, || bell.is_closed_acquire());
        closer.join().unwrap();
        assert!(
            bell.ring(),
            "a sender sees the close after it has published"
        );
    });
}
