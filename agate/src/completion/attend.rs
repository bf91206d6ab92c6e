//! Awaiting an answer that a task can help with, while somebody else is at it: the task's waker is left with whoever that
//! is, to be used when that leaves something.
//!
//! Nothing is lost between the two: the waker is left before the task tries to help, so whoever is found at it then leaves
//! after that, and rings after leaving (`owner/seat.rs`, `owner/token.rs`). The bell's own protocol stands in `park.md`.
#![allow(
    unsafe_code,
    reason = "makes a helper of helpers, which may go where each of them may"
)]

use std::task::Waker;
use std::time::{Duration, Instant};

use crate::completion::Completion;
use crate::completion::help::{Help, Helped, Helper, Shared};
use crate::counted::Counted;
use crate::park::Bell;
use crate::scope::Scope;

/// For a time that is so near a task comes again and again, for a later one it does not.
const NEAR: Duration = Duration::from_millis(1);

/// Whether a task that awaits must come again by itself: what is left to be driven then wakes nobody. The others find
/// their wakers used by whoever drives.
fn must_come_again(helped: Helped) -> bool {
    match helped {
        Helped::More => true,
        Helped::Idle(at) => at.is_some_and(|at| at <= Instant::now() + NEAR),
        Helped::Busy | Helped::Inside => false,
    }
}

/// Helps as those do that it was made of, at each of which it has a seat for a waker.
struct Attending<S: Scope> {
    helpers: Vec<Helper<S>>,
    /// One for each, in the same order.
    seats: Vec<u32>,
}

impl<S: Scope> Attending<S> {
    /// Takes the seats. `None` where one has none.
    fn at(helper: &Helper<S>) -> Option<Self> {
        let mut attending = Self {
            helpers: Vec::new(),
            seats: Vec::new(),
        };
        attending.collect(helper);
        for helper in &attending.helpers {
            attending.seats.push(helper.object().bell()?.enter()?);
        }
        Some(attending)
    }

    fn collect(&mut self, helper: &Helper<S>) {
        let parts = helper.object().parts();
        if parts.is_empty() {
            self.helpers.push(helper.clone());
        }
        parts.iter().for_each(|part| self.collect(part));
    }

    fn seats(&self) -> impl Iterator<Item = (&Helper<S>, &S::Bell, u32)> {
        let seats = self.helpers.iter().zip(&self.seats);
        seats.filter_map(|(helper, &seat)| Some((helper, helper.object().bell()?, seat)))
    }
}

impl<S: Scope> Help<S> for Attending<S> {
    fn help(&self) -> Helped {
        Helped::all(self.helpers.iter().map(Helper::help)).unwrap_or(Helped::Idle(None))
    }

    fn parts(&self) -> &[Helper<S>] {
        &self.helpers
    }

    fn attend(&self, waker: &Waker) -> Option<bool> {
        let mut again = false;
        for (helper, bell, seat) in self.seats() {
            bell.register_at(seat, waker);
            // After that: whoever is at it now finds the waker when it leaves.
            let helped = helper.help();
            again |= must_come_again(helped);
            if !matches!(helped, Helped::Busy | Helped::Inside) {
                bell.unregister_at(seat);
            }
        }
        Some(again)
    }
}

impl<S: Scope> Drop for Attending<S> {
    fn drop(&mut self) {
        self.seats().for_each(|(_, bell, seat)| bell.leave(seat));
    }
}

impl<T, S: Scope> Completion<T, S> {
    /// After helping came to this without bringing the answer: sees to it that the task is woken when there may be more to
    /// help with. `true`: nobody else will, so it must come again by itself.
    pub(super) fn attend(&mut self, helped: Option<Helped>, waker: &Waker) -> bool {
        let Some((helper, helped)) = self.helper.as_mut().zip(helped) else {
            return false;
        };
        if !matches!(helped, Helped::Busy | Helped::Inside) {
            return must_come_again(helped);
        }
        if let Some(again) = helper.object().attend(waker) {
            return again;
        }
        // The first time that it finds somebody at it.
        let Some(attending) = Attending::at(helper) else {
            return true;
        };
        // SAFETY: helpers are `Send` and `Sync` in `Local`, and so are numbers.
        *helper = unsafe { Helper::new(Shared::<_, S>(S::Ref::new(attending))) };
        helper.object().attend(waker).unwrap_or(true)
    }
}
