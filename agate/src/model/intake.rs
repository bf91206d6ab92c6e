//! The intake: lanes handed from sender to sender while they are drained, and the end while senders send.

use loom::sync::Arc;
use loom::thread;

use super::{Drops, Message, check};
use crate::park::WaitMode;
use crate::queue::Capacity;
use crate::queue::intake::{Intake, Refused};
use crate::queue::rx::Rx;
use crate::scope::Local;

/// Attaches, sends, detaches. `false`: it was closed.
fn send_one(intake: &Intake<Message, Local>, message: Message) -> bool {
    let Ok(lane) = intake.attach() else {
        return false;
    };
    // SAFETY: lanes live as long as the intake.
    let lane = unsafe { lane.as_ref() };
    // SAFETY: the lane was just attached.
    let sent = match unsafe { intake.send(lane, message) } {
        Ok(()) => true,
        Err(Refused::Closed(_)) => false,
        Err(Refused::Full(_)) => panic!("the models never fill a lane"),
    };
    intake.detach(lane);
    sent
}

/// Two senders in turn or at once, on one lane or two, while the receiver drains: nothing is lost, and each one's
/// messages stay in order.
fn hand_over(capacity: Capacity) {
    check(3, move || {
        let drops = Drops::new();
        let intake = Arc::new(Intake::<Message, Local>::new(capacity, WaitMode::Wake));
        // The lane that one of the others gets, with this message in it.
        assert!(send_one(&intake, drops.message(0)));
        let senders: Vec<_> = [1, 10]
            .into_iter()
            .map(|number| {
                let (intake, drops) = (Arc::clone(&intake), drops.clone());
                thread::spawn(move || assert!(send_one(&intake, drops.message(number))))
            })
            .collect();
        let mut rx = Rx::new();
        let mut seen = drain(&intake, &mut rx);
        senders
            .into_iter()
            .for_each(|sender| sender.join().unwrap());
        assert!(send_one(&intake, drops.message(11)));
        // A round takes a bounded run of each lane.
        (0..2).for_each(|_| seen.extend(drain(&intake, &mut rx)));
        seen.sort_unstable();
        assert_eq!((seen, drops.count()), (vec![0, 1, 10, 11], 4));
    });
}

/// A sender that attaches, in a lane that is new, and sends, while the receiver goes to sleep.
#[test]
fn a_message_in_a_new_lane_wakes() {
    check(3, || {
        let drops = Drops::new();
        let intake = Arc::new(Intake::<Message, Local>::new(
            Capacity::Unbounded,
            WaitMode::Wake,
        ));
        let sender = {
            let (intake, drops) = (Arc::clone(&intake), drops.clone());
            thread::spawn(move || assert!(send_one(&intake, drops.message(0))))
        };
        let mut rx = Rx::new();
        // SAFETY: this thread is the only receiver.
        unsafe { rx.wait(&intake, None, || false) };
        assert_eq!(drain(&intake, &mut rx), [0]);
        sender.join().unwrap();
    });
}

fn drain(intake: &Intake<Message, Local>, rx: &mut Rx<Message, Local>) -> Vec<usize> {
    let mut round = rx.round(intake);
    // SAFETY: each model has one receiver.
    std::iter::from_fn(|| unsafe { round.take() })
        .map(|message| message.number)
        .collect()
}

#[test]
fn rings_are_handed_over_while_they_are_drained() {
    hand_over(Capacity::Bounded(4));
}

#[test]
fn chains_are_handed_over_while_they_are_drained() {
    hand_over(Capacity::Unbounded);
}

/// The receiver leaves while a sender that is attached sends: when both are done, every message was dropped once, by
/// one of them, and none is left in a lane.
fn leave_races_send(capacity: Capacity) {
    check(3, move || {
        let drops = Drops::new();
        let intake = Arc::new(Intake::<Message, Local>::new(capacity, WaitMode::Wake));
        let sender = {
            let (intake, drops) = (Arc::clone(&intake), drops.clone());
            thread::spawn(move || {
                let sent = [
                    send_one(&intake, drops.message(0)),
                    send_one(&intake, drops.message(1)),
                ];
                assert!(sent[0] || !sent[1], "once closed, it stays closed");
            })
        };
        let mut rx = Rx::new();
        // SAFETY: this thread is the only receiver, and takes nothing afterwards.
        let discarded = unsafe { rx.retire(&intake) };
        sender.join().unwrap();
        assert!(discarded <= 2);
        assert_eq!(drops.count(), 2, "nothing waits for the object's end");
        assert!(intake.attach().is_err());
    });
}

#[test]
fn the_receiver_leaves_while_a_ring_is_filled() {
    leave_races_send(Capacity::Bounded(4));
}

#[test]
fn the_receiver_leaves_while_a_chain_is_filled() {
    leave_races_send(Capacity::Unbounded);
}

/// As above with two senders, one of which may inherit the lane in which the other was late.
#[test]
fn the_receiver_leaves_while_a_lane_is_handed_over() {
    check(2, || {
        let drops = Drops::new();
        let intake = Arc::new(Intake::<Message, Local>::new(
            Capacity::Unbounded,
            WaitMode::Wake,
        ));
        let senders: Vec<_> = (0..2)
            .map(|number| {
                let (intake, drops) = (Arc::clone(&intake), drops.clone());
                thread::spawn(move || {
                    send_one(&intake, drops.message(number));
                })
            })
            .collect();
        // SAFETY: this thread is the only receiver, and takes nothing afterwards.
        unsafe { Rx::new().retire(&intake) };
        senders
            .into_iter()
            .for_each(|sender| sender.join().unwrap());
        assert_eq!(drops.count(), 2);
    });
}
