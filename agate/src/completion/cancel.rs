//! Cancelling: a completion gives the operation up, unless the resolver's side has begun with it.
#![allow(
    unsafe_code,
    reason = "two ends share a slot, split between them by the state word, R1 to R3 of `slot`"
)]

use crate::completion::slot::{BEGUN, CANCELLED, DROPPED, RESOLVED};
use crate::completion::{Completion, Resolver};
use crate::scope::Scope;
use crate::sync::atomic::Ordering;
use crate::words::{Number, Word};

/// How [`Completion::cancel`] ended.
///
/// # Examples
///
/// See [`Completion::cancel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the operation may not be cancelled"]
pub enum Cancel {
    /// The operation is cancelled: the resolver's side will find out, and the completion gives
    /// [`CompletionError::Cancelled`](crate::CompletionError::Cancelled).
    Cancelled,
    /// The outcome is there already, and can be taken as ever.
    AlreadyDone,
    /// The operation has begun and cannot be cancelled any more; its outcome will come.
    NotCancellable,
}

impl<T, S: Scope> Completion<T, S> {
    /// Cancels the operation, unless it is done or its resolver has said that it has [begun](Resolver::begin).
    ///
    /// A resolver that never says so can be cancelled until it resolves. It learns of it by
    /// [`Resolver::is_cancelled`], by [`begin`](Resolver::begin), or by getting its value back from
    /// [`try_resolve`](Resolver::try_resolve). Dropping a completion does not cancel: it only gives the answer up.
    ///
    /// # Progress
    ///
    /// Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Cancel, CompletionError, completion};
    ///
    /// let (resolver, mut answer) = completion::<u32>();
    /// assert_eq!(answer.cancel(), Cancel::Cancelled);
    /// assert_eq!(answer.poll(), Some(Err(CompletionError::Cancelled)));
    /// assert!(!resolver.begin(), "it was cancelled before");
    ///
    /// let (resolver, mut answer) = completion();
    /// assert!(resolver.begin());
    /// assert_eq!(answer.cancel(), Cancel::NotCancellable);
    /// resolver.resolve(7);
    /// assert_eq!(answer.cancel(), Cancel::AlreadyDone);
    /// assert_eq!(answer.poll(), Some(Ok(7)));
    /// ```
    pub fn cancel(&mut self) -> Cancel {
        let Some(slot) = self.slot else {
            return if self.cancelled {
                Cancel::Cancelled
            } else {
                Cancel::AlreadyDone
            };
        };
        // SAFETY: by R3 the slot is alive.
        let shared = unsafe { slot.as_ref() };
        // Before the waiter is taken back, so that one that must stay is not touched.
        if let Some(refused) = refusal(shared.state.load(Ordering::Acquire)) {
            return refused;
        }
        let waiter = self.take_waiter(slot);
        let mut seen = shared.state.load(Ordering::Acquire);
        loop {
            if let Some(refused) = refusal(seen) {
                // A task that waits is to be woken still: by the resolver, or here if that has come and gone.
                let missed = waiter.and_then(|waiter| self.leave_waiter(slot, waiter));
                if let Some(waiter) = missed {
                    waiter.wake();
                }
                return refused;
            }
            // Fails only when the resolver has begun or resolved meanwhile: twice at most.
            match shared.state.compare_exchange(
                seen,
                seen | CANCELLED | DROPPED,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => {
                    // By R1 and R3 everything is the resolver's now.
                    self.slot = None;
                    self.leave_seats();
                    self.cancelled = true;
                    return Cancel::Cancelled;
                }
                Err(now) => seen = now,
            }
        }
    }
}

/// Why a slot in this state cannot be cancelled.
fn refusal(state: u32) -> Option<Cancel> {
    if state & RESOLVED != 0 {
        Some(Cancel::AlreadyDone)
    } else if state & BEGUN != 0 {
        Some(Cancel::NotCancellable)
    } else {
        None
    }
}

impl<T, S: Scope> Resolver<T, S> {
    /// Says that the operation begins, and cannot be cancelled from here on; `false` if it was cancelled before.
    ///
    /// What is given up without being cancelled begins like any other: see [`is_wanted`](Self::is_wanted).
    ///
    /// # Progress
    ///
    /// Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// /// Works only on what was not cancelled.
    /// fn work(asker: agate::Resolver<u32>) {
    ///     if asker.begin() {
    ///         asker.resolve(6 * 7);
    ///     }
    /// }
    /// # let (resolver, mut completion) = agate::completion();
    /// # work(resolver);
    /// # assert_eq!(completion.poll(), Some(Ok(42)));
    /// ```
    #[must_use = "it may have been cancelled before"]
    pub fn begin(&self) -> bool {
        // SAFETY: by R3 the slot is not freed before the resolver has set `RESOLVED`.
        let slot = unsafe { self.slot.as_ref() };
        slot.state.fetch_or(BEGUN, Ordering::AcqRel) & CANCELLED == 0
    }

    /// Whether the operation was cancelled. May become true at any time until it has [begun](Self::begin).
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        // SAFETY: as in `begin`.
        let slot = unsafe { self.slot.as_ref() };
        slot.state.load(Ordering::Acquire) & CANCELLED != 0
    }
}
