//! Lanes: what is published arrives once and in order; what is not taken is dropped once.
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "one sender's whole life is one argument"
)]

use loom::sync::Arc;
use loom::thread;

use super::{Drops, Message, check};
use crate::handle::Limits;
use crate::queue::Capacity;
use crate::queue::lane::Lane;
use crate::scope::{Local, Scope};

/// One thread sends `sent` messages, this one takes up to `taken`; the lane is dropped with the rest.
fn send_and_take(capacity: Capacity, sent: usize, taken: usize) {
    check(3, move || {
        let drops = Drops::new();
        let lane = Arc::new(Lane::<Message, Local>::new(0, capacity));
        let sender = {
            let (lane, drops) = (Arc::clone(&lane), drops.clone());
            // SAFETY: this thread is the lane's only sender.
            thread::spawn(move || unsafe {
                assert!(lane.prepare());
                for number in 0..sent {
                    while !lane.room() {
                        thread::yield_now();
                    }
                    lane.write(drops.message(number));
                    lane.publish();
                }
            })
        };
        let mut next = 0;
        while next < taken {
            // SAFETY: this thread is the lane's only receiver.
            if let Some(message) = unsafe { lane.take() } {
                assert_eq!(message.number, next);
                next += 1;
                // SAFETY: as above.
                unsafe { lane.release() };
            } else {
                thread::yield_now();
            }
        }
        sender.join().unwrap();
        assert_eq!(drops.count(), taken);
        drop(lane);
        assert_eq!(drops.count(), sent);
    });
}

#[test]
fn a_ring_goes_round() {
    send_and_take(Capacity::Bounded(2), 4, 4);
}

#[test]
fn a_ring_drops_what_was_not_taken() {
    send_and_take(Capacity::Bounded(2), 3, 1);
}

/// Five messages fill two and a half segments; the first comes back for the third.
#[test]
fn a_chain_recycles_its_segments() {
    send_and_take(Capacity::Unbounded, 5, 5);
}

#[test]
fn a_chain_drops_what_was_not_taken() {
    send_and_take(Capacity::Unbounded, 5, 1);
}

/// The receiver writes into each slot that it has emptied: before it gives the room back, or `late`.
fn touched(capacity: Capacity, sent: usize, late: bool) {
    check(3, move || {
        let lane = Arc::new(Lane::<usize, Local>::new(0, capacity));
        let sender = {
            let lane = Arc::clone(&lane);
            // SAFETY: this thread is the lane's only sender.
            thread::spawn(move || unsafe {
                assert!(lane.prepare());
                for number in 0..sent {
                    while !lane.room() {
                        thread::yield_now();
                    }
                    lane.write(number);
                    lane.publish();
                }
            })
        };
        let mut next = 0;
        while next < sent {
            // SAFETY: this thread is the lane's only receiver; the slot holds a message, and nothing when it is taken.
            unsafe {
                let ready = lane.ready();
                if ready.count == 0 {
                    thread::yield_now();
                    continue;
                }
                lane.advance(next + 1);
                assert_eq!(ready.slot.take(), next);
                if !late {
                    ready.slot.touch(1);
                }
                lane.release();
                if late {
                    ready.slot.touch(1);
                }
            }
            next += 1;
        }
        sender.join().unwrap();
    });
}

#[test]
fn a_ring_is_touched_before_its_room_is_given_back() {
    touched(Capacity::Bounded(2), 4, false);
}

#[test]
fn a_chain_is_touched_before_its_segment_is_given_back() {
    touched(Capacity::Unbounded, 5, false);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_touch_after_the_room_was_given_back_is_a_race() {
    touched(Capacity::Bounded(1), 2, true);
}

/// Slices of two into a ring of two or a chain, and rows out of it: each message once and in order.
fn rows(capacity: Capacity) {
    check(3, move || {
        let queue = Local.queue::<usize>(Limits::default(), capacity).unwrap();
        let sender = queue.attach_sender().unwrap();
        let mut receiver = queue.attach_receiver().unwrap();
        let sending = thread::spawn(move || {
            let mut rest: &[usize] = &[0, 1, 2];
            while !rest.is_empty() {
                match sender.try_send_slice(&rest[..rest.len().min(2)]).unwrap() {
                    0 => thread::yield_now(),
                    sent => rest = &rest[sent..],
                }
            }
        });
        let mut received = Vec::new();
        while received.len() < 3 {
            if receiver.drain_into(&mut received, 2) == 0 {
                thread::yield_now();
            }
        }
        assert_eq!(received, [0, 1, 2]);
        sending.join().unwrap();
    });
}

#[test]
fn rows_go_round_a_ring() {
    rows(Capacity::Bounded(2));
}

#[test]
fn rows_go_on_in_a_chain() {
    rows(Capacity::Unbounded);
}
