//! Completions: one answer, to be polled, waited for or awaited. How its two ends share it stands in `slot`.
#![allow(
    unsafe_code,
    reason = "two ends share a slot, split between them by the state word, R1 to R3 of `slot`"
)]

mod forbid;
mod pool;
mod resolver;
mod slot;
mod waker;

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

pub use forbid::forbid_wait;
pub(crate) use forbid::is_wait_forbidden;
pub use pool::CompletionPool;
pub use resolver::Resolver;

use crate::completion::slot::{
    DROPPED, Outcome, RELEASED, RESOLVED, Slot, WAITER, Waiter, free, is_resolved,
};
use crate::error::{CompletionError, WaitError};
use crate::park::{Gate, Woken, park_until};
use crate::sync::atomic::Ordering;
use crate::sync::per_thread;

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
#[doc(alias = "async")]
#[must_use = "dropping a completion gives the answer up"]
pub struct Completion<T> {
    /// `None` once the outcome was taken.
    slot: Option<NonNull<Slot<T>>>,
    /// Whether `WAITER` is set, by this completion, or was when the resolver came.
    left_waiter: bool,
    owns: PhantomData<T>,
}

// SAFETY: a completion receives a value of type `T` from the resolver's thread; the slot is split by R1 to R3.
unsafe impl<T: Send> Send for Completion<T> {}
// SAFETY: through `&Completion` only the state word is read.
unsafe impl<T: Send> Sync for Completion<T> {}

impl<T> Completion<T> {
    /// Whether the answer (or its failure) is there, or was taken already.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.slot.is_none_or(|slot| is_resolved(slot))
    }

    /// Takes the answer if it is there.
    ///
    /// # Progress
    ///
    /// Wait-free.
    pub fn poll(&mut self) -> Option<Result<T, CompletionError>> {
        let Some(slot) = self.slot else {
            return Some(Err(CompletionError::AlreadyTaken));
        };
        is_resolved(slot).then(|| self.take(slot))
    }

    /// Waits for the answer, at most so long.
    ///
    /// # Errors
    ///
    /// [`WaitError::TimedOut`], after which it can be waited for again; [`WaitError::WouldStall`] when the answer is
    /// not there and this thread must not park; [`WaitError::Failed`] when the operation ended without an answer.
    ///
    /// # Progress
    ///
    /// May park.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<T, WaitError> {
        let Some(slot) = self.slot else {
            return Err(WaitError::Failed(CompletionError::AlreadyTaken));
        };
        if !is_resolved(slot) {
            if is_wait_forbidden() {
                return Err(WaitError::WouldStall);
            }
            if self.park(slot, timeout) == Woken::TimedOut {
                self.take_waiter(slot);
                if !is_resolved(slot) {
                    return Err(WaitError::TimedOut);
                }
            }
        }
        self.take(slot).map_err(WaitError::Failed)
    }

    fn park(&mut self, slot: NonNull<Slot<T>>, timeout: Duration) -> Woken {
        let mut gate = GATE.with(Cell::get);
        let deadline = Instant::now().checked_add(timeout);
        let leave = |unparker| {
            self.take_waiter(slot);
            self.leave_waiter(slot, Waiter::Thread(unparker));
        };
        let woken = park_until(&mut gate, deadline, leave, || is_resolved(slot));
        GATE.with(|cell| cell.set(gate));
        woken
    }

    /// Takes the outcome and lets the slot go. `RESOLVED` was seen.
    fn take(&mut self, slot: NonNull<Slot<T>>) -> Outcome<T> {
        self.slot = None;
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

    /// Leaves a waiter for the resolver, unless that has come already.
    fn leave_waiter(&mut self, slot: NonNull<Slot<T>>, waiter: Waiter) {
        // SAFETY: by R3 the slot is alive.
        let shared = unsafe { slot.as_ref() };
        // SAFETY: R2: `WAITER` is clear.
        drop(unsafe { shared.replace_waiter(Some(waiter)) });
        if shared.state.fetch_or(WAITER, Ordering::AcqRel) & RESOLVED == 0 {
            self.left_waiter = true;
            return;
        }
        // SAFETY: R2: the resolver came before and found no waiter.
        drop(unsafe { shared.replace_waiter(None) });
    }

    /// Takes back a waiter that was left, unless the resolver has it.
    fn take_waiter(&mut self, slot: NonNull<Slot<T>>) {
        if !self.left_waiter {
            return;
        }
        // SAFETY: by R3 the slot is alive.
        let shared = unsafe { slot.as_ref() };
        if shared.state.fetch_and(!WAITER, Ordering::AcqRel) & RESOLVED == 0 {
            self.left_waiter = false;
            // SAFETY: R2: cleared, and not resolved before.
            drop(unsafe { shared.replace_waiter(None) });
        }
    }
}

impl<T> Future for Completion<T> {
    type Output = Result<T, CompletionError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(slot) = self.slot else {
            return Poll::Ready(Err(CompletionError::AlreadyTaken));
        };
        if !is_resolved(slot) {
            self.take_waiter(slot);
            if !is_resolved(slot) {
                self.leave_waiter(slot, Waiter::Task(context.waker().clone()));
                if !is_resolved(slot) {
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(self.take(slot))
    }
}

impl<T> Unpin for Completion<T> {}

impl<T> Drop for Completion<T> {
    fn drop(&mut self) {
        let Some(slot) = self.slot else { return };
        self.take_waiter(slot);
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

impl<T> fmt::Debug for Completion<T> {
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
    ends(NonNull::from(Box::leak(Box::new(Slot::new(0)))))
}

fn ends<T>(slot: NonNull<Slot<T>>) -> (Resolver<T>, Completion<T>) {
    (
        Resolver {
            slot,
            owns: PhantomData,
        },
        Completion {
            slot: Some(slot),
            left_waiter: false,
            owns: PhantomData,
        },
    )
}

per_thread! {
    // What this thread has learnt about waiting for completions.
    static GATE: Cell<Gate> = Cell::new(Gate::new());
}
