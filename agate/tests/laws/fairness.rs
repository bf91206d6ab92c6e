//! Fairness: a lane that is never empty does not keep the others waiting.

use std::collections::HashMap;

use agate::{Limits, TryRecvError};

use crate::world::{Hub, Lane, World, in_every_scope};

/// The documented bound: so many messages of one lane in a row.
const RUN: usize = 256;

fn a_lane_that_is_always_full_does_not_starve_the_others<S: World>(scope: S) {
    for by_drain in [false, true] {
        let hub = Hub::new(scope, Lane::Chain, Limits::senders(4));
        let mut senders: Vec<_> = (0..4).map(|_| hub.attach_sender().unwrap()).collect();
        let mut rx = hub.attach_receiver().unwrap();
        let (loud, quiet) = senders.split_first_mut().unwrap();
        let mut number = 0;
        let mut last: HashMap<u32, usize> = HashMap::new();
        for round in 0..(if cfg!(miri) { 3 } else { 40 }) {
            for (from, quiet) in (1..).zip(quiet.iter_mut()) {
                quiet.try_send((from, round)).unwrap();
            }
            let mut others = 0;
            let mut taken = 0;
            while others < 3 {
                // The loud one stays far ahead.
                for _ in 0..2 * RUN {
                    loud.try_send((0, number)).unwrap();
                    number += 1;
                }
                let got = if by_drain {
                    rx.drain(usize::MAX)
                } else {
                    (0..RUN).map(|_| rx.try_recv().unwrap()).collect()
                };
                taken += got.len();
                others += got.iter().filter(|mail| mail.0 != 0).count();
                got.iter()
                    .for_each(|mail| *last.entry(mail.0).or_default() += 1);
                assert!(
                    taken <= 8 * RUN,
                    "after {taken} messages a quiet sender still waits"
                );
            }
        }
    }
}

fn a_drain_is_one_round_of_bounded_runs<S: World>(scope: S) {
    let hub = Hub::new(scope, Lane::Chain, Limits::senders(3));
    let mut senders: Vec<_> = (0..3).map(|_| hub.attach_sender().unwrap()).collect();
    let mut rx = hub.attach_receiver().unwrap();
    for (from, sender) in (0..).zip(&mut senders) {
        for number in 0..2 * RUN as u32 {
            sender.try_send((from, number)).unwrap();
        }
    }
    for _ in 0..2 {
        let round = rx.drain(usize::MAX);
        for from in 0..3 {
            let run = round.iter().filter(|mail| mail.0 == from).count();
            assert_eq!(run, RUN, "of lane {from}");
        }
        assert!(
            round.chunk_by(|a, b| a.0 == b.0).count() == 3,
            "each lane in one run"
        );
    }
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
}

in_every_scope! {
    a_lane_that_is_always_full_does_not_starve_the_others
    a_drain_is_one_round_of_bounded_runs
}
