//! Every message is dropped once, by whoever has it at the end, also when somebody panics on the way.

use std::panic::{AssertUnwindSafe, catch_unwind};

use agate::{Handle, Limits, Queue, TrySendError};

use crate::ledger::{Ledger, Letter};
use crate::world::{Lane, World, in_every_scope};

fn queue<S: World>(scope: S, lane: Lane) -> Handle<Queue<Letter, S>, S> {
    scope.queue_with(lane.options(Limits::default())).unwrap()
}

/// How many letters of each of two senders fit, at most eight.
fn room(lane: Lane) -> usize {
    match lane {
        Lane::Ring(messages) => messages.min(8),
        Lane::Array(messages) => (messages / 2).min(8),
        _ => 8,
    }
}

/// Runs what panics; the panic ends here.
#[track_caller]
fn panics<R>(run: impl FnOnce() -> R) {
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err(), "no panic");
}

fn wherever_a_letter_is_when_its_side_goes_it_is_dropped_there<S: World>(scope: S) {
    for lane in Lane::QUEUES {
        let ledger = Ledger::default();
        let queue = queue(scope, lane);
        let (one, two) = (
            queue.attach_sender().unwrap(),
            queue.attach_sender().unwrap(),
        );
        let mut receiver = queue.attach_receiver().unwrap();
        let room = room(lane);
        for _ in 0..room {
            one.try_send(ledger.letter()).unwrap();
            two.try_send(ledger.letter()).unwrap();
        }
        let kept = receiver.try_recv().unwrap();
        assert_eq!(ledger.alive(), 2 * room, "none yet");
        drop(receiver);
        assert_eq!(ledger.alive(), 1, "those in the lanes, with the receiver");
        let refused = one.try_send(ledger.letter());
        assert!(matches!(refused, Err(TrySendError::Closed(_))));
        assert_eq!(ledger.alive(), 2, "the refused one came back");
        drop((refused, kept));
        ledger.is_settled();
    }
}

fn letters_that_nobody_ever_received_go_with_the_last_of_their_queue<S: World>(scope: S) {
    for lane in Lane::QUEUES {
        for senders_last in [true, false] {
            let ledger = Ledger::default();
            let queue = queue(scope, lane);
            let sender = queue.attach_sender().unwrap();
            let other = queue.attach_sender().unwrap();
            for _ in 0..room(lane) {
                sender.try_send(ledger.letter()).unwrap();
                other.try_send(ledger.letter()).unwrap();
            }
            drop(other);
            if senders_last {
                drop(queue);
                assert_eq!(ledger.alive(), 2 * room(lane));
                drop(sender);
            } else {
                drop(sender);
                assert_eq!(ledger.alive(), 2 * room(lane));
                drop(queue);
            }
            ledger.is_settled();
        }
    }
}

fn a_receiver_that_unwinds_out_of_a_drain_drops_the_rest<S: World>(scope: S) {
    for lane in Lane::QUEUES {
        for taken in 0..room(lane) {
            let ledger = Ledger::default();
            let queue = queue(scope, lane);
            let sender = queue.attach_sender().unwrap();
            for _ in 0..room(lane) {
                sender.try_send(ledger.letter()).unwrap();
            }
            panics(|| {
                let mut receiver = queue.attach_receiver().unwrap();
                for letter in receiver.drain() {
                    assert!(letter.number() < taken, "the receiver's own");
                }
            });
            ledger.is_settled();
            assert!(sender.is_closed());
            drop(sender.try_send(ledger.letter()));
            ledger.is_settled();
        }
    }
}

fn a_drain_that_is_unwound_leaves_the_rest_to_the_same_receiver<S: World>(scope: S) {
    for lane in Lane::QUEUES {
        let ledger = Ledger::default();
        let queue = queue(scope, lane);
        let sender = queue.attach_sender().unwrap();
        let mut receiver = queue.attach_receiver().unwrap();
        for _ in 0..room(lane) {
            sender.try_send(ledger.letter()).unwrap();
        }
        panics(|| {
            let mut drain = receiver.drain();
            let _first = drain.next();
            panic!("with the first letter in hand");
        });
        let rest: Vec<usize> = receiver.drain().map(|letter| letter.number()).collect();
        assert_eq!(rest, (1..room(lane)).collect::<Vec<_>>());
        ledger.is_settled();
        sender.try_send(ledger.letter()).unwrap();
        assert_eq!(receiver.drain().count(), 1, "all of its room came back");
    }
}

/// Who drops the letters that nobody received.
#[derive(Clone, Copy)]
enum Dropping {
    Receiver,
    Queue,
}

/// For each place of one that panics when it is dropped: all others are dropped too.
fn one_goes_off<S: World>(scope: S, dropping: Dropping) {
    for lane in Lane::QUEUES {
        for bomb in 0..room(lane) {
            let ledger = Ledger::default();
            let queue = queue(scope, lane);
            let sender = queue.attach_sender().unwrap();
            let letter = |number| {
                if number == bomb {
                    ledger.bomb()
                } else {
                    ledger.letter()
                }
            };
            (0..room(lane)).for_each(|number| sender.try_send(letter(number)).unwrap());
            match dropping {
                Dropping::Receiver => drop(queue.attach_receiver().unwrap()),
                Dropping::Queue => {
                    drop(sender);
                    // Whether the panic comes out of the drop is not said.
                    let _ = catch_unwind(AssertUnwindSafe(|| drop(queue)));
                }
            }
            ledger.is_settled();
        }
    }
}

fn a_letter_that_panics_when_dropped_keeps_no_other_from_being_dropped<S: World>(scope: S) {
    one_goes_off(scope, Dropping::Receiver);
}

fn a_letter_that_panics_when_dropped_with_its_queue_keeps_no_other_from_being_dropped<S: World>(
    scope: S,
) {
    one_goes_off(scope, Dropping::Queue);
}

fn a_batch_whose_iterator_panics_sends_what_came_before<S: World>(scope: S) {
    for lane in Lane::QUEUES {
        for before in 0..room(lane) {
            let ledger = Ledger::default();
            let queue = queue(scope, lane);
            let sender = queue.attach_sender().unwrap();
            let mut receiver = queue.attach_receiver().unwrap();
            let mut letters = (0..room(lane)).map(|number| {
                assert!(number < before, "the iterator's own");
                ledger.letter()
            });
            panics(|| sender.try_send_batch(&mut letters));
            let got: Vec<usize> = receiver.drain().map(|letter| letter.number()).collect();
            assert_eq!(got, (0..before).collect::<Vec<_>>());
            sender.try_send(ledger.letter()).unwrap();
            drop(receiver);
            ledger.is_settled();
        }
    }
}

fn a_batch_whose_iterator_closes_the_queue_loses_nothing<S: World>(scope: S) {
    for lane in Lane::QUEUES {
        let room = room(lane);
        for at in 0..room {
            let ledger = Ledger::default();
            let queue = queue(scope, lane);
            let sender = queue.attach_sender().unwrap();
            let mut receiver = Some(queue.attach_receiver().unwrap());
            let mut letters = (0..room).map(|number| {
                if number == at {
                    receiver = None;
                }
                ledger.letter()
            });
            assert!(sender.try_send_batch(&mut letters).is_ok());
            // Nobody receives any more, so the sender itself drops what it published: now, not when the queue goes.
            assert_eq!(ledger.alive(), 0, "after {at} of {room}");
            ledger.is_settled();
        }
    }
}

fn a_sender_that_unwinds_leaves_what_it_sent<S: World>(scope: S) {
    for lane in Lane::QUEUES {
        let ledger = Ledger::default();
        let queue = queue(scope, lane);
        let mut receiver = queue.attach_receiver().unwrap();
        panics(|| {
            let sender = queue.attach_sender().unwrap();
            sender.try_send(ledger.letter()).unwrap();
            panic!("the sender's own");
        });
        assert_eq!(receiver.try_recv().unwrap().number(), 0);
        assert!(
            queue
                .attach_sender()
                .unwrap()
                .try_send(ledger.letter())
                .is_ok()
        );
        drop(receiver);
        ledger.is_settled();
    }
}

in_every_scope! {
    wherever_a_letter_is_when_its_side_goes_it_is_dropped_there
    letters_that_nobody_ever_received_go_with_the_last_of_their_queue
    a_receiver_that_unwinds_out_of_a_drain_drops_the_rest
    a_drain_that_is_unwound_leaves_the_rest_to_the_same_receiver
    a_letter_that_panics_when_dropped_keeps_no_other_from_being_dropped
    a_letter_that_panics_when_dropped_with_its_queue_keeps_no_other_from_being_dropped
    a_batch_whose_iterator_panics_sends_what_came_before
    a_batch_whose_iterator_closes_the_queue_loses_nothing
    a_sender_that_unwinds_leaves_what_it_sent
}
