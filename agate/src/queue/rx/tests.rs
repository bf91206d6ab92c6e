//! When a receiver takes a breath: nothing that the public API shows but by the clock.
#![allow(
    unsafe_code,
    reason = "is the one receiver of an intake that nobody else knows"
)]

use crate::Local;
use crate::park::WaitMode;
use crate::queue::Capacity;
use crate::queue::intake::Intake;
use crate::queue::rx::{LONGEST, RUN, Rx, SHORTEST};

/// Takes a round; returns how many messages it gave.
fn round(rx: &mut Rx<usize, Local>, intake: &Intake<usize, Local>) -> usize {
    let mut round = rx.round(intake);
    // SAFETY: the test is the only receiver, and does not retire.
    std::iter::from_fn(|| unsafe { round.take() }).count()
}

#[test]
fn a_backlog_is_drained_without_a_breath_and_then_one_breath_is_shorter() {
    let intake = Intake::<usize, Local>::new(Capacity::Unbounded, WaitMode::Wake);
    let lane = intake.attach().expect("there is memory");
    // SAFETY: lanes live as long as the intake.
    let lane = unsafe { lane.as_ref() };
    let mut rx = Rx::new();
    for number in 0..7 * RUN + 10 {
        // SAFETY: the test is the lane's only sender.
        assert!(unsafe { intake.send(lane, number) }.is_ok());
    }
    rx.breath = LONGEST;
    for _ in 0..7 {
        assert_eq!(round(&mut rx, &intake), RUN);
        assert!(!rx.dry, "more is waiting");
    }
    assert_eq!(rx.breath, LONGEST);
    assert_eq!(rx.found, 7 * RUN, "all of them are one stream");
    assert_eq!(round(&mut rx, &intake), 10);
    assert!(rx.dry, "nothing is left");
    rx.breathe();
    if !cfg!(miri) {
        assert_eq!(rx.breath, LONGEST / 2, "so much at once needs no long one");
    }
    const { assert!(LONGEST / 2 > SHORTEST) };
}
