//! What an owner's thread does: drains its inbox into its handler until it is told to end or the handler panics.
//!
//! # Invariants
//!
//! - I1: the thread holds the inbox's only receiver's place, so it is the only receiver of the intake.
#![allow(
    unsafe_code,
    reason = "is the one receiver that the intake asks for, I1"
)]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::attach::Place;
use crate::caught;
use crate::completion::Resolver;
use crate::owner::Handler;
use crate::owner::inbox::Inbox;
use crate::park::Woken;
use crate::queue::rx::Rx;
use crate::scope::Local;
use crate::verdict::Verdict;

/// How an owner's thread ended.
pub(crate) struct Exit {
    pub(crate) counts: Counts,
    /// What the handler (or the hook, or the handler's drop) panicked with.
    pub(crate) panic: Option<Box<dyn Any + Send>>,
}

/// Messages, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) handled: u64,
    /// Of the handled: those handled after the inbox was closed.
    pub(crate) drained: u64,
    pub(crate) discarded: u64,
}

/// The whole life of an owner's thread.
pub(crate) fn run<H: Handler>(
    place: Place<Inbox<H::Message>>,
    make: impl FnOnce() -> H,
    exit: Resolver<Exit>,
) {
    let mut rx = Rx::new();
    let mut counts = Counts::default();
    let mut panic = None;

    let verdict = Verdict::handling();
    let handler = catch_unwind(AssertUnwindSafe(make))
        .map_err(|payload| panic = Some(payload))
        .ok();
    if let Some(mut handler) = handler {
        let served = catch_unwind(AssertUnwindSafe(|| {
            serve(&mut handler, &place, &mut rx, &mut counts);
        }));
        drop(verdict);
        if let Err(payload) = served {
            place.intake.close_panicked();
            panic = Some(payload);
        }
        let _verdict = Verdict::discarding(panic.is_some());
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(handler))) {
            place.intake.close_panicked();
            keep_first(&mut panic, payload);
        }
    } else {
        drop(verdict);
        place.intake.close_panicked();
    }
    // SAFETY: I1, and this thread takes nothing any more.
    counts.discarded = unsafe { rx.retire(&place.intake) };
    drop(place);
    exit.resolve(Exit { counts, panic });
}

fn keep_first(panic: &mut Option<Box<dyn Any + Send>>, payload: Box<dyn Any + Send>) {
    match panic {
        // The payload of a second panic has nobody to go to.
        Some(_) => caught::discard(payload),
        None => *panic = Some(payload),
    }
}

fn serve<H: Handler>(
    handler: &mut H,
    inbox: &Inbox<H::Message>,
    rx: &mut Rx<H::Message, Local>,
    counts: &mut Counts,
) {
    loop {
        // Before the round: what was accepted before the close is then seen by this round.
        let closed = inbox.intake.is_closed();
        let before = counts.handled;
        let mut round = rx.round(&inbox.intake);
        loop {
            if inbox.is_discarding() {
                return;
            }
            // SAFETY: I1.
            let Some(message) = (unsafe { round.take() }) else {
                break;
            };
            counts.handled += 1;
            counts.drained += u64::from(inbox.intake.is_closed());
            handler.handle(message);
        }
        if counts.handled != before {
            handler.batch_end();
        } else if closed {
            return;
        } else {
            let wake_at = handler.wake_at();
            // SAFETY: I1.
            let woken = unsafe { rx.wait(&inbox.intake, wake_at, || false) };
            if woken == Woken::TimedOut {
                handler.wake();
            }
        }
    }
}
