//! What every driver of an owner does: it drains the inbox into the handler, and brings the owner to its end.
#![allow(
    unsafe_code,
    reason = "passes on the obligation to be the one receiver that the intake asks for"
)]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use crate::caught::{self, Carried};
use crate::owner::Handler;
use crate::owner::inbox::Inbox;
use crate::owner::limit::{Budget, Limit};
use crate::queue::rx::Rx;
use crate::scope::Scope;
use crate::verdict::Verdict;

/// What a panic carried.
pub(crate) type Payload = Box<dyn Any + Send>;

/// How an owner ended.
pub(crate) struct Exit {
    pub(crate) counts: Counts,
    /// What the handler (or the hook, or the handler's drop) panicked with.
    pub(crate) panic: Carried,
}

/// Messages, by what became of them; and in how many batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) handled: u64,
    /// Of the handled: those handled after the inbox was closed.
    pub(crate) drained: u64,
    pub(crate) discarded: u64,
    pub(crate) batches: u64,
    /// Of the handled: those that users handled, helping.
    pub(crate) helped: u64,
}

/// Why a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Batch {
    /// Every lane had its turn.
    Over,
    /// The limit is reached.
    Limit,
    /// The rest is to be discarded.
    Discard,
}

/// Handles what one round over the lanes gives, at most.
///
/// # Safety
///
/// The caller is the inbox's only receiver, and has not retired.
pub(crate) unsafe fn batch<H: Handler, S: Scope>(
    handler: &mut H,
    inbox: &Inbox<H::Message, S>,
    rx: &mut Rx<H::Message, S>,
    counts: &mut Counts,
    limit: &mut impl Limit,
) -> Batch {
    let before = counts.handled;
    let mut round = rx.round(&inbox.intake);
    let ended = loop {
        // One look for each message: a close is told apart exactly, and a discard acts at once.
        let closed = inbox.intake.is_closed();
        if closed && inbox.is_discarding() {
            break Batch::Discard;
        }
        if !limit.allows() {
            // SAFETY: as the caller promises.
            unsafe { round.release() };
            break Batch::Limit;
        }
        // SAFETY: as the caller promises.
        let Some(message) = (unsafe { round.take() }) else {
            break Batch::Over;
        };
        limit.spend();
        counts.handled += 1;
        counts.drained += u64::from(closed);
        handler.handle(message);
    };
    if counts.handled != before && ended != Batch::Discard {
        counts.batches += 1;
        handler.batch_end();
        inbox.tally.record(counts);
    }
    ended
}

/// What a driver works with besides the handler.
pub struct Desk<'a, M: 'static, S: Scope> {
    pub(crate) rx: &'a mut Rx<M, S>,
    pub(crate) counts: &'a mut Counts,
    pub(crate) limit: &'a mut Budget,
}

/// A handler whose type is forgotten, for owners that have no thread of their own.
pub trait Drive<M: 'static, S: Scope> {
    /// Handles messages until none is there, the limit is reached, or the owner must end; then has it wake if it is time.
    ///
    /// # Safety
    ///
    /// The caller is the inbox's only receiver, and has not retired.
    unsafe fn serve(&mut self, inbox: &Inbox<M, S>, desk: &mut Desk<'_, M, S>) -> Served;
}

/// Why serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// Nothing is there; the handler wants to be woken at this time.
    Idle(Option<Instant>),
    /// The limit is reached.
    Limit,
    /// The inbox is closed, and everything was handled or is to be discarded.
    Ended,
}

/// Gives a handler its loop.
#[derive(Debug)]
pub(crate) struct Driven<H>(pub(crate) H);

impl<H: Handler, S: Scope> Drive<H::Message, S> for Driven<H> {
    unsafe fn serve(
        &mut self,
        inbox: &Inbox<H::Message, S>,
        desk: &mut Desk<'_, H::Message, S>,
    ) -> Served {
        loop {
            // Before the round: what was accepted before the close is then seen by this round.
            let closed = inbox.intake.is_closed();
            let before = desk.counts.handled;
            // SAFETY: as the caller promises.
            match unsafe { batch(&mut self.0, inbox, desk.rx, desk.counts, desk.limit) } {
                Batch::Discard => return Served::Ended,
                Batch::Limit => return Served::Limit,
                Batch::Over if desk.counts.handled != before => {}
                Batch::Over if closed => return Served::Ended,
                Batch::Over => break,
            }
        }
        if self.0.wake_at().is_some_and(|at| Instant::now() >= at) {
            self.0.wake();
        }
        Served::Idle(self.0.wake_at())
    }
}

impl<M: 'static, S: Scope, D: Drive<M, S> + ?Sized> Drive<M, S> for Box<D> {
    unsafe fn serve(&mut self, inbox: &Inbox<M, S>, desk: &mut Desk<'_, M, S>) -> Served {
        // SAFETY: as the caller promises.
        unsafe { (**self).serve(inbox, desk) }
    }
}

/// Ends an owner: drops its handler, discards what is left, and says how it went.
///
/// # Safety
///
/// The caller is the inbox's only receiver, has not retired, and takes nothing afterwards.
pub(crate) unsafe fn end<M: 'static, S: Scope, H>(
    inbox: &Inbox<M, S>,
    handler: Option<H>,
    rx: &mut Rx<M, S>,
    mut counts: Counts,
    mut panic: Option<Payload>,
) -> Exit {
    if panic.is_some() {
        inbox.intake.close_panicked();
    }
    let verdict = Verdict::discarding(panic.is_some());
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(handler))) {
        inbox.intake.close_panicked();
        match panic {
            // The payload of a second panic has nobody to go to.
            Some(_) => caught::discard(payload),
            None => panic = Some(payload),
        }
    }
    drop(verdict);
    // SAFETY: as the caller promises.
    counts.discarded = unsafe { rx.retire(&inbox.intake) };
    inbox.tally.record(&counts);
    Exit {
        counts,
        panic: Carried::new(panic),
    }
}
