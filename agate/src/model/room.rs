//! A sender that waits for room while the receiver drains and leaves, or the queue is closed.

use loom::sync::Arc;
use loom::thread;

use super::{Drops, Message, check};
use crate::park::{Gate, WaitMode, Woken};
use crate::queue::Capacity;
use crate::queue::intake::{Intake, Refused};
use crate::queue::rx::Rx;
use crate::scope::Local;

type Bounded = Intake<Message, Local>;

/// Sends until it is closed, waiting for room; returns how many it sent of `count`.
fn send(intake: &Bounded, drops: &Drops, count: usize) -> usize {
    let Ok(lane) = intake.attach() else {
        return 0;
    };
    // SAFETY: lanes live as long as the intake.
    let lane = unsafe { lane.as_ref() };
    let mut gate = Gate::for_room();
    let mut sent = 0;
    while sent < count {
        // SAFETY: the lane was attached above.
        match unsafe { intake.send(lane, drops.message(sent)) } {
            Ok(()) => sent += 1,
            Err(Refused::Closed(_)) => break,
            Err(Refused::Full(_)) => {
                // SAFETY: as above.
                let woken = unsafe { lane.wait_room(&mut gate, None, || intake.is_closed()) };
                assert_eq!(woken, Woken::Ready);
            }
        }
    }
    intake.detach(lane);
    sent
}

/// Two messages through a lane for one; the receiver takes one of them at a time, and sleeps when there is none.
#[test]
fn a_sender_gets_the_room_that_was_made() {
    check(3, || {
        let drops = Drops::new();
        let intake = Arc::new(Bounded::new(Capacity::Bounded(1), WaitMode::Wake));
        let sender = {
            let (intake, drops) = (Arc::clone(&intake), drops.clone());
            thread::spawn(move || assert_eq!(send(&intake, &drops, 2), 2))
        };
        let mut rx = Rx::new();
        let mut seen = Vec::new();
        while seen.len() < 2 {
            // SAFETY: this thread is the only receiver.
            match unsafe { rx.take(&intake) } {
                Some(message) => seen.push(message.number),
                // SAFETY: as above.
                None => drop(unsafe { rx.wait(&intake, None, || false) }),
            }
        }
        sender.join().unwrap();
        assert_eq!(seen, [0, 1]);
    });
}

/// The receiver takes at most one and leaves for good: the sender is not left waiting.
#[test]
fn a_sender_that_waits_sees_the_receiver_leave() {
    check(3, || {
        let drops = Drops::new();
        let intake = Arc::new(Bounded::new(Capacity::Bounded(1), WaitMode::Wake));
        let sender = {
            let (intake, drops) = (Arc::clone(&intake), drops.clone());
            thread::spawn(move || assert!(send(&intake, &drops, 3) <= 3))
        };
        let mut rx = Rx::new();
        // SAFETY: this thread is the only receiver.
        drop(unsafe { rx.take(&intake) });
        // SAFETY: as above, and it takes nothing afterwards.
        unsafe { rx.retire(&intake) };
        sender.join().unwrap();
        assert!(drops.count() <= 5, "what was refused is dropped too");
    });
}

#[test]
fn a_sender_that_waits_sees_the_close() {
    check(3, || {
        let drops = Drops::new();
        let intake = Arc::new(Bounded::new(Capacity::Bounded(1), WaitMode::Wake));
        let sender = {
            let (intake, drops) = (Arc::clone(&intake), drops.clone());
            thread::spawn(move || assert!(send(&intake, &drops, 2) <= 1))
        };
        intake.close();
        sender.join().unwrap();
    });
}
