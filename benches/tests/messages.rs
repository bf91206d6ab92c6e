//! Every workload of the benches of messages, once and small, with agate and with a peer: that what they measure is right.
//! And a queue that cheats is caught. No time is looked at.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agate::WaitMode;
use benches::candidates;
use benches::messages::measure::{Entry, Row, Turns, measure};
use benches::messages::message::{Line, Message};
use benches::messages::owner::Owner;
use benches::messages::owner::agate::Agate as AgateOwner;
use benches::messages::owner::by_hand::{ByHand, Oneshot};
use benches::messages::owner::kameo::Kameo;
use benches::messages::peer::{
    Class, Info, Peer, Rx, Tx, agate as ours, crossbeam, fixed, gil, ring, rtrb,
};
use benches::messages::scale::Scale;
use benches::messages::watch::Watch;
use benches::messages::workload::ask::{ask_asleep, ask_awake, tell};
use benches::messages::workload::paced::{clock, paced, paced_owner};
use benches::messages::workload::round_trip::round_trip;
use benches::messages::workload::send_cost::{drained_elsewhere, one_thread, two_senders};
use benches::messages::workload::stream::stream;
use benches::messages::workload::waiting::{Situation, waiting};
use benches::messages::workload::{Pins, attach, flag};

const SCALE: Scale = Scale::QUICK;

fn once<M>(entries: Vec<Entry<'_, M>>) -> Result<Vec<Row<M>>, String> {
    let turns = Turns {
        warm_up: 0,
        rounds: 1,
        watch: Watch::start(),
    };
    measure(&turns, entries)
}

#[test]
fn streams_deliver_everything() {
    let one = candidates![Line, stream(1, SCALE.stream, Pins::Apart):
        ours::Bounded, ours::BoundedBatch, ours::BoundedSlices, ours::Unbounded, ours::UnboundedBatch, ours::BoundedIdle,
        crossbeam::Bounded, rtrb::Chunks, gil::GuardCommit, gil::Single, ring::Rings];
    assert_eq!(once(one).expect("right").len(), 11);
    let four = candidates![u64, stream(4, SCALE.stream, Pins::Free):
        ours::Bounded, ours::UnboundedBatch, crossbeam::Unbounded, gil::GuardCommit, ring::Rings];
    assert_eq!(once(four).expect("right").len(), 5);
}

#[test]
fn sends_alone_deliver_everything() {
    let runs = SCALE.runs;
    once(candidates![u64, one_thread(runs): ours::Bounded, ours::Unbounded, crossbeam::Bounded])
        .expect("right");
    once(candidates![Line, drained_elsewhere(runs): ours::Bounded, ours::UnboundedBatch, crossbeam::Bounded]).expect("right");
    once(candidates![u64, two_senders(runs): ours::Bounded, ours::Unbounded, crossbeam::Bounded])
        .expect("right");
    assert!(flag::copy::<Line>(runs).expect("no panic").send > 0.0);
    once(attach::entries(SCALE.attach)).expect("attaches");
}

#[test]
fn sends_in_a_while_deliver_everything() {
    once(candidates![u64, paced(SCALE.paced_long): ours::Bounded, crossbeam::Bounded, fixed::Park])
        .expect("right");
    once(candidates![u64, paced(SCALE.asleep): ours::Unbounded, crossbeam::Unbounded])
        .expect("right");
    for mode in [WaitMode::Wake, WaitMode::Poll(Duration::from_micros(50))] {
        let run = paced_owner(mode, SCALE.asleep).expect("right");
        assert_eq!(run.sends.sorted.len(), run.latencies.sorted.len());
    }
    clock(SCALE.paced_short).expect("no panic");
}

#[test]
fn every_trip_comes_back() {
    let (longest, most) = SCALE.trips;
    once(candidates![Line, round_trip(longest, most): ours::Bounded, ours::BoundedIdle, crossbeam::Bounded]).expect("right");
    assert!(
        !flag::round_trip(longest, most)
            .expect("right")
            .sorted
            .is_empty()
    );
    for situation in Situation::ALL {
        let ms = SCALE.waiting_ms;
        once(candidates![u64, waiting(situation, ms): ours::Bounded, fixed::Park, fixed::SpinThenPark]).expect("right");
    }
}

fn all_of<O: Owner>() {
    tell::<O>(SCALE.tells).expect("right");
    let (longest, most) = SCALE.trips;
    ask_awake::<O>(longest, most).expect("right");
    let asked = ask_asleep::<O>(200_000, SCALE.asks_asleep).expect("right");
    assert_eq!(asked.sorted.len(), SCALE.asks_asleep);
}

#[test]
fn owners_count_right() {
    all_of::<AgateOwner<true>>();
    all_of::<AgateOwner<false>>();
    all_of::<ByHand<Oneshot>>();
    all_of::<Kameo>();
}

/// A queue that loses every hundredth message, or gives it twice.
struct Cheat<const TWICE: bool>;

struct End<M, const TWICE: bool>(Arc<Mutex<(usize, VecDeque<M>)>>);

impl<M: Message, const TWICE: bool> Peer<M> for Cheat<TWICE> {
    type Tx = End<M, TWICE>;
    type Rx = End<M, TWICE>;

    fn info() -> Info {
        Info::unbounded("a cheat", Class::Spins)
    }

    fn open(senders: usize) -> (Vec<Self::Tx>, Self::Rx) {
        let queue = Arc::new(Mutex::new((0, VecDeque::new())));
        let txs = (0..senders).map(|_| End(Arc::clone(&queue))).collect();
        (txs, End(queue))
    }
}

impl<M: Message, const TWICE: bool> Tx<M> for End<M, TWICE> {
    fn send(&mut self, message: M) {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queue.0 += 1;
        let times = match queue.0 % 100 {
            0 if TWICE => 2,
            0 => 0,
            _ => 1,
        };
        queue.1.extend((0..times).map(|_| message));
    }
}

impl<M: Message, const TWICE: bool> Rx<M> for End<M, TWICE> {
    fn drain(&mut self, each: impl FnMut(M)) -> usize {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queue.1.drain(..).map(each).count()
    }

    fn receive(&mut self, mut each: impl FnMut(M)) -> usize {
        loop {
            let count = self.drain(&mut each);
            // The other end holds it too as long as it sends.
            if count > 0 || Arc::strong_count(&self.0) == 1 {
                return count;
            }
            std::thread::yield_now();
        }
    }

    fn next(&mut self) -> Option<M> {
        None
    }
}

#[test]
fn who_cheats_is_named() {
    let streams = [
        once(candidates![u64, stream(1, 1_000, Pins::Free): Cheat<false>]),
        once(candidates![u64, stream(1, 1_000, Pins::Free): Cheat<true>]),
    ];
    for wrong in streams {
        let why = wrong.expect_err("messages were lost, or came twice");
        assert!(why.starts_with("a cheat: "), "{why}");
    }
    for wrong in [
        once(candidates![u64, one_thread(1): Cheat<false>]),
        once(candidates![u64, one_thread(1): Cheat<true>]),
    ] {
        let why = wrong.expect_err("messages were lost, or came twice");
        assert!(why.starts_with("a cheat: "), "{why}");
    }
    let lost = once(candidates![u64, round_trip(1_000_000, 10): Cheat<false>]);
    assert!(
        lost.expect_err("nothing comes back")
            .starts_with("a cheat: ")
    );
}
