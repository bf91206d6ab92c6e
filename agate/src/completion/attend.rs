//! Awaiting an answer that a task can help with: when it can do no more, its waker is left at a seat with those who drive,
//! to be used when one of them leaves something.
//!
//! Nothing is lost between the two: the waker is left before the task helps for the last time, so whoever is found at it
//! then, or comes to it later, leaves after that, and rings after leaving (`owner/seat.rs`, `owner/token.rs`). The bell's
//! own protocol stands in `park.md`.

use std::slice;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::completion::Completion;
use crate::completion::help::{Helped, Helper};
use crate::park::Bell;
use crate::scope::Scope;

/// For a time that is so near a task comes again and again, for a later one it does not.
const NEAR: Duration = Duration::from_millis(1);

/// Whether a handler wants to be woken so soon that a task comes again and again until then.
pub(crate) fn is_near(wake_at: Option<Instant>) -> bool {
    wake_at.is_some_and(|at| at <= Instant::now() + NEAR)
}

/// Whether a task that awaits must come again by itself: what is left to be driven then wakes nobody. The others find
/// their wakers used by whoever drives.
fn must_come_again(helped: Helped) -> bool {
    match helped {
        Helped::More => true,
        Helped::Idle(at) => is_near(at),
        Helped::Busy | Helped::Inside => false,
    }
}

/// Where a task that awaits has its waker: a seat at the bell of each that it can help.
pub(super) enum Seats {
    None,
    One(u32),
    Several(Box<[u32]>),
}

impl Seats {
    /// `None` where not each has one to give.
    fn take<S: Scope>(helper: &Helper<S>) -> Option<Self> {
        if helper.object().parts().is_empty() {
            return helper.object().bell()?.enter().map(Self::One);
        }
        let (mut seats, mut missed) = (Vec::new(), 0);
        each(
            helper,
            &mut |part| match part.object().bell().and_then(Bell::enter) {
                Some(seat) if missed == 0 => seats.push(seat),
                Some(seat) => leave(part, seat),
                None => missed += 1,
            },
        );
        let seats = Self::Several(seats.into());
        if missed > 0 {
            seats.give_back(helper);
            return None;
        }
        Some(seats)
    }

    fn give_back<S: Scope>(&self, helper: &Helper<S>) {
        let mut seats = self.numbers().iter();
        each(helper, &mut |part| {
            if let Some(&seat) = seats.next() {
                leave(part, seat);
            }
        });
    }

    /// In the order in which [`each`] goes.
    fn numbers(&self) -> &[u32] {
        match self {
            Self::None => &[],
            Self::One(seat) => slice::from_ref(seat),
            Self::Several(seats) => seats,
        }
    }
}

/// Goes through all that it consists of, always in the same order.
fn each<S: Scope>(helper: &Helper<S>, to: &mut dyn FnMut(&Helper<S>)) {
    let parts = helper.object().parts();
    if parts.is_empty() {
        to(helper);
    }
    parts.iter().for_each(|part| each(part, to));
}

fn leave<S: Scope>(helper: &Helper<S>, seat: u32) {
    if let Some(bell) = helper.object().bell() {
        bell.leave(seat);
    }
}

impl<T, S: Scope> Completion<T, S> {
    /// After helping came to this without bringing the answer: sees to it that the task is woken when there may be more to
    /// help with. `true`: nobody else will, so it must come again by itself.
    pub(super) fn attend(&mut self, helped: Option<Helped>, waker: &Waker) -> bool {
        let Some((helper, helped)) = self.helper.as_ref().zip(helped) else {
            return false;
        };
        if must_come_again(helped) {
            return true;
        }
        if matches!(self.seats, Seats::None) {
            // Kept, since who must sleep once may have to again.
            let Some(seats) = Seats::take(helper) else {
                return true;
            };
            self.seats = seats;
        }
        let (mut seats, mut again) = (self.seats.numbers().iter(), false);
        each(helper, &mut |part| {
            if let (Some(bell), Some(&seat)) = (part.object().bell(), seats.next()) {
                bell.register_at(seat, waker);
                // After that: who is at it now, or comes to it later, finds the waker when it leaves something.
                again |= must_come_again(part.help());
            }
        });
        again
    }

    /// Gives the seats back, with the wakers that are left there.
    pub(super) fn leave_seats(&mut self) {
        if let (Some(helper), false) = (&self.helper, matches!(self.seats, Seats::None)) {
            std::mem::replace(&mut self.seats, Seats::None).give_back(helper);
        }
    }

    /// The helper, for others to help with.
    pub(super) fn take_helper(&mut self) -> Option<Helper<S>> {
        self.leave_seats();
        self.helper.take()
    }
}
