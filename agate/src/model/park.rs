//! Sleep and wake: no wake-up is lost. Loom reports a thread that nobody wakes as a deadlock.

use std::task::{Wake, Waker};
use std::time::Instant;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::check;
use crate::park::{Bell, Doorbell, Gate, Unparker, WaitMode, Woken, park_until};

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

/// Waits as a task does: leaves a waker, looks once more, and runs again when that is used.
fn await_on(register: impl Fn(&Waker), unregister: impl Fn(), ready: impl Fn() -> bool) {
    let leave = |unparker: Unparker| register(&unparker.into_waker());
    park_until(&mut Gate::new(), None, leave, ready);
    unregister();
}

/// Two senders publish and ring; a task registers until it has seen both.
fn a_task_and_two_rings(new_bell: fn() -> Doorbell) {
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
        for lane in published {
            await_on(
                |waker| bell.register(waker),
                || bell.unregister(),
                || lane.load(Ordering::Acquire) == 1,
            );
        }
        senders
            .into_iter()
            .for_each(|sender| sender.join().unwrap());
    });
}

#[test]
fn every_publish_is_seen_by_the_task_or_wakes_it() {
    a_task_and_two_rings(|| Doorbell::new(WaitMode::Wake));
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_fence_a_task_is_forgotten() {
    a_task_and_two_rings(Doorbell::without_barrier);
}

#[test]
fn a_close_wakes_the_task() {
    check(3, || {
        let bell = Arc::new(Doorbell::new(WaitMode::Wake));
        let closer = {
            let bell = Arc::clone(&bell);
            thread::spawn(move || assert!(bell.close()))
        };
        await_on(
            |waker| bell.register(waker),
            || bell.unregister(),
            || bell.is_closed_acquire(),
        );
        closer.join().unwrap();
    });
}

/// Counts its wakes.
struct Woke(std::sync::atomic::AtomicUsize);

impl Wake for Woke {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A task gives up, and another registers in its place, while two senders ring: each waker is used at most once and
/// dropped, and the second, which is left there, is used if a ring came after it.
#[test]
fn a_waker_is_used_at_most_once_and_dropped() {
    check(3, || {
        let wakers = [0, 1].map(|_| std::sync::Arc::new(Woke(0.into())));
        let bell = Arc::new(Doorbell::new(WaitMode::Wake));
        let ringers: Vec<_> = (0..2)
            .map(|_| {
                let bell = Arc::clone(&bell);
                thread::spawn(move || {
                    bell.ring();
                })
            })
            .collect();
        bell.register(&wakers[0].clone().into());
        bell.unregister();
        bell.register(&wakers[1].clone().into());
        ringers
            .into_iter()
            .for_each(|ringer| ringer.join().unwrap());
        bell.ring();
        let count = |waker: &std::sync::Arc<Woke>| {
            assert_eq!(std::sync::Arc::strong_count(waker), 1);
            waker.0.load(Ordering::SeqCst)
        };
        assert!(count(&wakers[0]) <= 1);
        // Once more where the first was being taken when it registered.
        assert!((1..=2).contains(&count(&wakers[1])));
    });
}

/// Two receivers, each of which needs one of two messages.
fn two_receivers(wait: fn(&Doorbell, &AtomicUsize)) {
    check(2, move || {
        let shared = Arc::new((Doorbell::for_many(WaitMode::Wake), AtomicUsize::new(0)));
        let receivers: Vec<_> = (0..2)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let (bell, messages) = &*shared;
                    while !take(messages) {
                        wait(bell, messages);
                    }
                })
            })
            .collect();
        let (bell, messages) = &*shared;
        for _ in 0..2 {
            messages.fetch_add(1, Ordering::Release);
            bell.ring();
        }
        receivers
            .into_iter()
            .for_each(|receiver| receiver.join().unwrap());
    });
}

fn take(messages: &AtomicUsize) -> bool {
    let mut seen = messages.load(Ordering::Acquire);
    while seen != 0 {
        match messages.compare_exchange(seen, seen - 1, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return true,
            Err(now) => seen = now,
        }
    }
    false
}

#[test]
fn a_ring_wakes_all_who_sleep() {
    two_receivers(|bell, messages| {
        bell.wait(&mut Gate::new(), None, || {
            messages.load(Ordering::Acquire) != 0
        });
    });
}

#[test]
fn a_ring_wakes_a_thread_and_a_task() {
    two_receivers(|bell, messages| {
        let seat = bell.enter().unwrap();
        await_on(
            |waker| bell.register_at(seat, waker),
            || bell.unregister_at(seat),
            || messages.load(Ordering::Acquire) != 0,
        );
        bell.leave(seat);
    });
}

/// One of two receivers gives up, its time being over, while the other sleeps on.
#[test]
fn who_gives_up_leaves_the_others_asleep_and_to_be_woken() {
    check(3, || {
        let shared = Arc::new((Doorbell::for_many(WaitMode::Wake), AtomicUsize::new(0)));
        let impatient = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let over = Some(Instant::now());
                shared
                    .0
                    .sleep(over, &|| shared.1.load(Ordering::Acquire) != 0);
            })
        };
        let sender = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.1.store(1, Ordering::Release);
                shared.0.ring();
            })
        };
        let (bell, message) = &*shared;
        bell.wait(&mut Gate::new(), None, || {
            message.load(Ordering::Acquire) != 0
        });
        impatient.join().unwrap();
        sender.join().unwrap();
    });
}
