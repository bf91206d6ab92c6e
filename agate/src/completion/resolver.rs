//! The end that gives the answer.
#![allow(
    unsafe_code,
    reason = "two ends share a slot, split between them by the state word, R1 to R3 of `slot`"
)]

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use crate::completion::slot::{DROPPED, Outcome, RELEASED, RESOLVED, Slot, WAITER, free};
use crate::sync::atomic::Ordering;
use crate::verdict::verdict;

/// The end that gives the answer.
///
/// Dropping it without an answer resolves the completion as [`Abandoned`](crate::CompletionError::Abandoned), or as
/// [`OwnerPanicked`](crate::CompletionError::OwnerPanicked) when it is dropped because its owner panicked.
///
/// # Examples
///
/// ```
/// use agate::{CompletionError, completion};
///
/// let (resolver, mut answer) = completion::<u32>();
/// drop(resolver);
/// assert_eq!(answer.poll(), Some(Err(CompletionError::Abandoned)));
///
/// let (resolver, answer) = completion();
/// drop(answer);
/// assert!(!resolver.is_wanted());
/// assert_eq!(resolver.try_resolve(7), Err(7));
/// ```
#[must_use = "dropping a resolver abandons the operation"]
pub struct Resolver<T> {
    pub(super) slot: NonNull<Slot<T>>,
    pub(super) owns: PhantomData<T>,
}

// SAFETY: a resolver moves a value of type `T` to the completion's thread; the slot is split by R1 to R3.
unsafe impl<T: Send> Send for Resolver<T> {}
// SAFETY: through `&Resolver` only the state word is read.
unsafe impl<T: Send> Sync for Resolver<T> {}

impl<T> Resolver<T> {
    /// Gives the answer, and wakes whoever waits for it. If nobody wants it any more, it is dropped here.
    ///
    /// A waker runs on this thread; if it panics, the panic is caught.
    ///
    /// # Progress
    ///
    /// Wait-free, and whatever the waker does.
    pub fn resolve(self, value: T) {
        drop(self.try_resolve(value));
    }

    /// As [`resolve`](Self::resolve), and tells whether anybody still wanted the answer.
    ///
    /// # Errors
    ///
    /// The value, when the completion has been dropped.
    ///
    /// # Progress
    ///
    /// As [`resolve`](Self::resolve).
    pub fn try_resolve(self, value: T) -> Result<(), T> {
        let slot = ManuallyDrop::new(self).slot;
        // SAFETY: this was the slot's resolver, which is gone now and did not resolve before.
        match unsafe { settle(slot, Ok(value)) } {
            Some(Ok(value)) => Err(value),
            _ => Ok(()),
        }
    }

    /// Whether anybody still wants the answer. May become false at any time.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        // SAFETY: by R3 the slot is not freed before the resolver has set `RESOLVED`.
        let slot = unsafe { self.slot.as_ref() };
        slot.state.load(Ordering::Relaxed) & DROPPED == 0
    }
}

/// Resolves a slot. The outcome comes back if the completion is gone.
///
/// # Safety
///
/// The caller is the slot's resolver, calls this once, and does not use the slot afterwards.
unsafe fn settle<T>(slot: NonNull<Slot<T>>, outcome: Outcome<T>) -> Option<Outcome<T>> {
    // SAFETY: by R3 the slot is alive until the exchange below, and longer in the cases that use it longer.
    let shared = unsafe { slot.as_ref() };
    // SAFETY: R1, before `RESOLVED`.
    unsafe { shared.put(outcome) };
    let found = shared.state.fetch_or(RESOLVED, Ordering::AcqRel);
    if found & DROPPED != 0 {
        // SAFETY: R1: the completion had gone, so the outcome is still ours.
        let outcome = unsafe { shared.take() };
        // SAFETY: R3.
        unsafe { free(slot) };
        return Some(outcome);
    }
    if found & WAITER != 0 {
        // SAFETY: R2.
        let waiter = unsafe { shared.replace_waiter(None) };
        if shared.state.fetch_or(RELEASED, Ordering::AcqRel) & DROPPED != 0 {
            // SAFETY: R3.
            unsafe { free(slot) };
        }
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }
    None
}

impl<T> Drop for Resolver<T> {
    fn drop(&mut self) {
        // SAFETY: the resolver did not resolve (that forgets it), and it is gone now.
        drop(unsafe { settle(self.slot, Err(verdict())) });
    }
}

impl<T> fmt::Debug for Resolver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("wanted", &self.is_wanted())
            .finish()
    }
}
