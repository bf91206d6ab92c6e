//! The end that gives the answer.
#![allow(
    unsafe_code,
    reason = "two ends share a slot, split between them by the state word, R1 to R3 of `slot`"
)]

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use crate::completion::callback::Callback;
use crate::completion::port::Watch;
use crate::completion::slot::{
    CALL, DROPPED, FOUND, Outcome, POST, RELEASED, RESOLVED, Slot, WAITER, free,
};
use crate::scope::{Local, Scope};
use crate::sync::atomic::Ordering;
use crate::verdict::verdict;
use crate::words::{Number, Word};

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
pub struct Resolver<T, S: Scope = Local> {
    pub(super) slot: NonNull<Slot<T, S>>,
    pub(super) owns: PhantomData<T>,
}

// SAFETY: a resolver moves a value of type `T` to the completion's thread; the slot is split by R1 to R3.
unsafe impl<T: Send> Send for Resolver<T, Local> {}
// SAFETY: through `&Resolver` only the state word is read.
unsafe impl<T: Send> Sync for Resolver<T, Local> {}

impl<T, S: Scope> Resolver<T, S> {
    /// Gives the answer, and wakes whoever waits for it. If nobody wants it any more, it is dropped here.
    ///
    /// A waker or callback runs on this thread, with nothing of agate's held; if it panics, the panic is caught.
    ///
    /// # Progress
    ///
    /// Wait-free, and whatever the waker or callback does; lock-free for a completion that arrives at a port.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (resolver, mut answer) = agate::completion();
    /// std::thread::spawn(move || resolver.resolve("done"));
    /// assert_eq!(answer.wait_timeout(Duration::from_secs(10)), Ok("done"));
    /// ```
    pub fn resolve(self, value: T) {
        drop(self.try_resolve(value));
    }

    /// As [`resolve`](Self::resolve), and tells whether anybody still wanted the answer.
    ///
    /// # Errors
    ///
    /// The value, when the completion has been dropped or [cancelled](crate::Completion::cancel), or its port is gone.
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

    /// Resolves with any outcome, which is dropped if nobody wants it.
    pub(super) fn settle(self, outcome: Outcome<T>) {
        let slot = ManuallyDrop::new(self).slot;
        // SAFETY: as in `try_resolve`.
        drop(unsafe { settle(slot, outcome) });
    }

    /// Whether anybody still wants the answer. May become false at any time.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        // SAFETY: by R3 the slot is not freed before the resolver has set `RESOLVED`.
        let slot = unsafe { self.slot.as_ref() };
        let state = slot.state.load(Ordering::Acquire);
        if state & POST != 0 {
            // SAFETY: R2: the completion has left a watch and is gone; only the resolver takes it.
            return unsafe { slot.peek_left(Watch::<T, S>::is_wanted) };
        }
        state & DROPPED == 0
    }
}

/// Resolves a slot. The outcome comes back if the completion is gone.
///
/// # Safety
///
/// The caller is the slot's resolver, calls this once, and does not use the slot afterwards.
unsafe fn settle<T, S: Scope>(
    slot: NonNull<Slot<T, S>>,
    outcome: Outcome<T>,
) -> Option<Outcome<T>> {
    // SAFETY: by R3 the slot is alive until the exchange below, and longer in the cases that use it longer.
    let shared = unsafe { slot.as_ref() };
    // SAFETY: R1, before `RESOLVED`.
    unsafe { shared.put(outcome) };
    let found = shared.state.fetch_or(RESOLVED, Ordering::AcqRel);
    if found & FOUND == 0 {
        return None;
    }
    // SAFETY: the caller is the slot's resolver.
    unsafe { deliver(slot, found) }
}

/// Does what the completion has left to be done with the outcome, which is there.
///
/// # Safety
///
/// The caller is the slot's resolver, its setting of `RESOLVED` found `found`, and it does not use the slot afterwards.
unsafe fn deliver<T, S: Scope>(slot: NonNull<Slot<T, S>>, found: u32) -> Option<Outcome<T>> {
    // SAFETY: R3: with one of these bits found, the slot is alive until something below lets it go.
    let shared = unsafe { slot.as_ref() };
    if found & DROPPED != 0 {
        // SAFETY: R1: the completion had gone, so the outcome is still ours.
        let outcome = unsafe { shared.take() };
        // SAFETY: R3.
        unsafe { free(slot) };
        return Some(outcome);
    }
    if found & WAITER != 0 {
        // SAFETY: R2.
        let waiter = unsafe { shared.take_waiter(found) };
        if shared.state.fetch_or(RELEASED, Ordering::AcqRel) & DROPPED != 0 {
            // SAFETY: R3.
            unsafe { free(slot) };
        }
        waiter.wake();
        return None;
    }
    if found & CALL != 0 {
        // SAFETY: R2.
        let callback: Callback<T> = unsafe { shared.take_left() };
        // SAFETY: R1.
        let outcome = unsafe { shared.take() };
        // SAFETY: R3.
        unsafe { free(slot) };
        callback.run(outcome);
        return None;
    }
    // SAFETY: R2: what is left is a watch.
    let watch: Watch<T, S> = unsafe { shared.take_left() };
    // SAFETY: R3: by `POST` the slot is ours to pass on.
    unsafe { watch.arrive(slot) }
}

impl<T, S: Scope> Drop for Resolver<T, S> {
    fn drop(&mut self) {
        // SAFETY: the resolver did not resolve (that forgets it), and it is gone now.
        drop(unsafe { settle(self.slot, Err(verdict())) });
    }
}

impl<T, S: Scope> fmt::Debug for Resolver<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("wanted", &self.is_wanted())
            .finish()
    }
}
