//! Completions: one answer, to be polled, waited for or awaited. How its two ends share it stands in `slot`.
#![allow(
    unsafe_code,
    reason = "two ends share a slot, split between them by the state word, R1 to R3 of `slot`"
)]

mod attend;
mod callback;
mod cancel;
mod forbid;
pub(crate) mod help;
pub(crate) mod helpers;
mod many;
mod pool;
mod port;
mod resolver;
mod slot;
#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
mod wait;
mod waker;

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll};

pub(crate) use attend::is_near;
pub use cancel::Cancel;
pub use forbid::forbid_wait;
pub(crate) use forbid::is_wait_forbidden;
pub(crate) use help::{Help, Helped, Helper, Passes};
pub use pool::CompletionPool;
pub use port::{Arrival, Arrivals, CompletionPort, PortFull};
pub use resolver::Resolver;

pub(crate) use wait::Pieces;

use crate::completion::attend::Seats;
use crate::completion::slot::{
    DROPPED, Outcome, RELEASED, RESOLVED, Slot, WAITER, Waiter, boxed, free,
};
use crate::error::CompletionError;
use crate::scope::{Carries, Local, Scope};
use crate::sync::atomic::Ordering;
use crate::words::{Number, Word};

/// The end that receives the answer: poll it, wait for it with a time limit, or await it.
///
/// Dropping it gives the answer up: a later answer is dropped by the resolver.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let (resolver, mut completion) = agate::completion();
/// std::thread::spawn(move || resolver.resolve(42));
/// assert_eq!(completion.wait_timeout(Duration::from_secs(10)), Ok(42));
/// ```
///
/// It is a future that needs no runtime:
///
/// ```
/// async fn double(answer: agate::Completion<u32>) -> Result<u32, agate::CompletionError> {
///     Ok(answer.await? * 2)
/// }
/// # let (resolver, completion) = agate::completion();
/// # resolver.resolve(4);
/// # let mut future = Box::pin(double(completion));
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # assert_eq!(future.as_mut().poll(&mut context), std::task::Poll::Ready(Ok(8)));
/// ```
///
/// Where the answer comes from an owner that its users drive, each poll helps that owner a few times. A task that finds
/// another user at it, or nothing left to help with, sleeps, and is woken when a user leaves work to others. A task comes
/// again by itself only while there is more to handle than it may at once, or the handler wants to be
/// [woken](crate::Handler::wake_at) within a millisecond. For a later time it does not keep the clock: where the answer depends on that, have a thread wait for it,
/// the host [pump](crate::Owner::pump) the owner, or a timer of the executor call [`Port::help`](crate::Port::help).
///
/// It can also [call back](Self::on_done), arrive at a [port](CompletionPort), be one of [many](Self::join), and be
/// [cancelled](Self::cancel).
#[doc(alias = "async")]
#[must_use = "dropping a completion gives the answer up"]
pub struct Completion<T, S: Scope = Local> {
    /// `None` once the outcome was taken, or the operation cancelled.
    slot: Option<NonNull<Slot<T, S>>>,
    /// Whether somebody to wake is left in the slot, by this completion, or was when the resolver came.
    left_waiter: bool,
    cancelled: bool,
    /// The slot's, when the pair was made.
    generation: u32,
    /// What may bring the answer about while this end waits for it.
    helper: Option<Helper<S>>,
    /// Where a task that awaits it has left its waker for those who drive what the helper helps.
    seats: Seats,
    owns: PhantomData<T>,
}

// SAFETY: a completion receives a value of type `T` from the resolver's thread; the slot is split by R1 to R3.
unsafe impl<T: Send> Send for Completion<T, Local> {}
// SAFETY: through `&Completion` only the state word is read.
unsafe impl<T: Send> Sync for Completion<T, Local> {}

impl<T, S: Scope> Completion<T, S> {
    /// Whether the answer (or its failure) is there, or was taken already.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.slot.is_none_or(|slot| self.is_resolved(slot))
    }

    /// Takes the answer if it is there.
    ///
    /// # Progress
    ///
    /// Wait-free. Where the answer comes from an owner that its users drive, helps it once.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::CompletionError;
    ///
    /// let (resolver, mut answer) = agate::completion();
    /// assert_eq!(answer.poll(), None);
    /// resolver.resolve(7);
    /// assert_eq!(answer.poll(), Some(Ok(7)));
    /// assert_eq!(answer.poll(), Some(Err(CompletionError::AlreadyTaken)));
    /// ```
    pub fn poll(&mut self) -> Option<Result<T, CompletionError>> {
        let Some(slot) = self.slot else {
            return Some(Err(self.gone()));
        };
        if !self.is_resolved(slot) {
            self.helper.as_ref()?.help();
        }
        self.is_resolved(slot).then(|| self.take(slot))
    }

    /// Whether the outcome is there, and not taken.
    fn is_ready(&self) -> bool {
        self.slot.is_some_and(|slot| self.is_resolved(slot))
    }

    /// The slot, with no waiter left in it, if the outcome was not there.
    fn unresolved(&mut self) -> Option<NonNull<Slot<T, S>>> {
        let slot = self.slot?;
        drop(self.take_waiter(slot));
        (!self.is_resolved(slot)).then_some(slot)
    }

    /// The outcome, which is there or was taken.
    fn outcome(&mut self) -> Outcome<T> {
        match self.slot {
            Some(slot) => self.take(slot),
            None => Err(self.gone()),
        }
    }

    /// Why there is no slot any more.
    fn gone(&self) -> CompletionError {
        if self.cancelled {
            CompletionError::Cancelled
        } else {
            CompletionError::AlreadyTaken
        }
    }

    fn is_resolved(&self, slot: NonNull<Slot<T, S>>) -> bool {
        // SAFETY: by R3 the slot is alive: this completion has not let it go.
        let shared = unsafe { slot.as_ref() };
        debug_assert_eq!(shared.generation(), self.generation, "by R5");
        shared.state.load(Ordering::Acquire) & RESOLVED != 0
    }

    /// Takes the outcome and lets the slot go. `RESOLVED` was seen.
    fn take(&mut self, slot: NonNull<Slot<T, S>>) -> Outcome<T> {
        self.slot = None;
        self.leave_seats();
        // SAFETY: by R3 the slot is alive: only the completion frees it, or the resolver after `DROPPED`.
        let shared = unsafe { slot.as_ref() };
        // SAFETY: R1: resolved, and the completion was not dropped before.
        let outcome = unsafe { shared.take() };
        // SAFETY: R3: if no waiter was found the slot is ours; else the last of both frees it.
        if !self.left_waiter || shared.state.fetch_or(DROPPED, Ordering::AcqRel) & RELEASED != 0 {
            // SAFETY: as above; a waiter that the resolver found was taken out by it before `RELEASED`.
            unsafe { free(slot) };
        }
        outcome
    }

    /// Leaves somebody for the resolver to wake, or gives it back if that has come already.
    fn leave_waiter(&mut self, slot: NonNull<Slot<T, S>>, waiter: Waiter) -> Option<Waiter> {
        // SAFETY: by R3 the slot is alive.
        let shared = unsafe { slot.as_ref() };
        // SAFETY: R2: nothing is left.
        let bit = unsafe { shared.leave_waiter(waiter) };
        if shared.state.fetch_or(bit, Ordering::AcqRel) & RESOLVED == 0 {
            self.left_waiter = true;
            return None;
        }
        // SAFETY: R2: the resolver came before and found nothing.
        Some(unsafe { shared.take_waiter(bit) })
    }

    /// Takes back whom was left to be woken, unless the resolver has it.
    fn take_waiter(&mut self, slot: NonNull<Slot<T, S>>) -> Option<Waiter> {
        if !self.left_waiter {
            return None;
        }
        // SAFETY: by R3 the slot is alive.
        let shared = unsafe { slot.as_ref() };
        let found = shared.state.fetch_and(!WAITER, Ordering::AcqRel);
        if found & RESOLVED != 0 {
            return None;
        }
        self.left_waiter = false;
        // SAFETY: R2: cleared, and not resolved before.
        Some(unsafe { shared.take_waiter(found) })
    }
}

impl<T, S: Scope> Future for Completion<T, S> {
    type Output = Result<T, CompletionError>;

    /// Takes the outcome, or has it wake the task.
    ///
    /// # Progress
    ///
    /// Wait-free. Where the answer comes from an owner that its users drive, lock-free, and helps it a few times, as
    /// [`Port::help`](crate::Port::help) does; allocates where more tasks sleep there than ever before, and for what is
    /// [joined](Self::join) from answers of several such owners.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let helped = self.help_some();
        if let Some(slot) = self.unresolved() {
            let waiter = Waiter::Task(context.waker().clone());
            if self.leave_waiter(slot, waiter).is_none() {
                // Then after the others that its executor has.
                if self.attend(helped, context.waker()) {
                    context.waker().wake_by_ref();
                }
                return Poll::Pending;
            }
        }
        Poll::Ready(self.outcome())
    }
}

impl<T, S: Scope> Unpin for Completion<T, S> {}

impl<T, S: Scope> Drop for Completion<T, S> {
    fn drop(&mut self) {
        self.leave_seats();
        let Some(slot) = self.slot else { return };
        drop(self.take_waiter(slot));
        // SAFETY: by R3 the slot is alive.
        let shared = unsafe { slot.as_ref() };
        if self.left_waiter {
            // The resolver came and found the waiter.
            drop(self.take(slot));
        } else if shared.state.fetch_or(DROPPED, Ordering::AcqRel) & RESOLVED != 0 {
            // SAFETY: R1: the resolver came before and found the completion there.
            let outcome = unsafe { shared.take() };
            // SAFETY: R3: it found no waiter.
            unsafe { free(slot) };
            drop(outcome);
        }
    }
}

impl<T, S: Scope> fmt::Debug for Completion<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completion")
            .field("done", &self.is_done())
            .finish()
    }
}

/// Makes the two ends of one answer, in memory of their own. For many of them use a [`CompletionPool`].
///
/// # Progress
///
/// Allocates.
///
/// # Examples
///
/// ```
/// let (resolver, mut completion) = agate::completion();
/// assert!(!completion.is_done());
/// resolver.resolve("done");
/// assert_eq!(completion.poll(), Some(Ok("done")));
/// ```
pub fn completion<T: Send + 'static>() -> (Resolver<T>, Completion<T>) {
    pair::<T, Local>()
}

/// The same in any scope.
pub(crate) fn pair<T, S: Carries<T>>() -> (Resolver<T, S>, Completion<T, S>) {
    ends(boxed())
}

/// The two ends of a slot that is as new.
fn ends<T, S: Scope>(slot: NonNull<Slot<T, S>>) -> (Resolver<T, S>, Completion<T, S>) {
    // SAFETY: the caller has just made or renewed it, so it is alive and nobody else uses it.
    let generation = unsafe { slot.as_ref() }.generation();
    (
        Resolver {
            slot,
            owns: PhantomData,
        },
        Completion {
            slot: Some(slot),
            left_waiter: false,
            cancelled: false,
            generation,
            helper: None,
            seats: Seats::None,
            owns: PhantomData,
        },
    )
}
