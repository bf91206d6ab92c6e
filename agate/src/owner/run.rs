//! What an owner's own thread does: drains its inbox until it is told to end or the handler panics.
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
use crate::owner::drive::{Batch, Counts, Exit, batch, end};
use crate::owner::inbox::Inbox;
use crate::owner::limit::Unlimited;
use crate::park::Woken;
use crate::queue::rx::Rx;
use crate::scope::Scope;
use crate::verdict::Verdict;

/// What a new owner's thread is given, besides its handler or how to make that.
pub struct Job {
    /// A `Place` in the inbox, whose type the scope's messages say.
    pub(crate) place: Box<dyn Any + Send>,
    pub(crate) hook: Option<Box<dyn FnOnce() + Send>>,
    pub(crate) exit: Resolver<Exit>,
}

/// The life of a thread that is given its handler.
pub(crate) fn run_given<H: Handler, S: Scope>(handler: H, job: Job) {
    run_making::<H, _, S>(move || handler, job);
}

/// The life of a thread that makes its handler.
pub(crate) fn run_making<H: Handler, F: FnOnce() -> H, S: Scope>(make: F, job: Job) {
    let Job { place, hook, exit } = job;
    let Ok(place) = place.downcast::<Place<Inbox<H::Message, S>, S>>() else {
        unreachable!("a job is made of the place in the inbox of its own owner");
    };
    run(*place, hook, make, exit);
}

/// The whole life of an owner's thread.
fn run<H: Handler, S: Scope>(
    place: Place<Inbox<H::Message, S>, S>,
    hook: Option<Box<dyn FnOnce() + Send>>,
    make: impl FnOnce() -> H,
    exit: Resolver<Exit>,
) {
    let mut rx = Rx::new();
    let mut counts = Counts::default();
    let mut panic = None;

    let verdict = Verdict::handling();
    let mut handler = None;
    match hook.map_or(Ok(()), |hook| catch_unwind(AssertUnwindSafe(hook))) {
        Ok(()) => match catch_unwind(AssertUnwindSafe(make)) {
            Ok(made) => handler = Some(made),
            Err(payload) => panic = Some(payload),
        },
        Err(payload) => {
            panic = Some(payload);
            // It may hold the handler, whose drop may panic in its turn.
            caught::run(|| drop(make));
        }
    }
    if let Some(handler) = &mut handler {
        let served = catch_unwind(AssertUnwindSafe(|| {
            serve(handler, &place, &mut rx, &mut counts);
        }));
        panic = served.err();
    }
    drop(verdict);
    // SAFETY: I1, and this thread takes nothing any more.
    let ended = unsafe { end(&place, handler, &mut rx, counts, panic) };
    drop(place);
    exit.resolve(ended);
}

fn serve<H: Handler, S: Scope>(
    handler: &mut H,
    inbox: &Inbox<H::Message, S>,
    rx: &mut Rx<H::Message, S>,
    counts: &mut Counts,
) {
    loop {
        // Before the round: what was accepted before the close is then seen by this round.
        let closed = inbox.intake.is_closed();
        let before = counts.handled;
        // SAFETY: I1.
        if unsafe { batch(handler, inbox, rx, counts, &mut Unlimited) } == Batch::Discard {
            return;
        }
        if counts.handled != before {
            continue;
        }
        if closed {
            return;
        }
        let wake_at = handler.wake_at();
        // SAFETY: I1.
        let woken = unsafe { rx.wait(&inbox.intake, wake_at, || false) };
        if woken == Woken::TimedOut {
            handler.wake();
        }
    }
}
