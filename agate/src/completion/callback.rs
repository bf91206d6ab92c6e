//! Callbacks: what runs when the outcome is there.
//!
//! # Invariants
//!
//! - C1: `data` holds a closure of the type that `call` was made for: itself if it fits, else as a box.
//! - C2: a callback is run or leaked, never dropped otherwise; running it takes it.
#![allow(
    unsafe_code,
    reason = "a closure of any type is kept in two words, C1 and C2"
)]

use std::mem::MaybeUninit;

use crate::caught;
use crate::completion::Completion;
use crate::completion::slot::{CALL, Outcome, RESOLVED, free};
use crate::error::CompletionError;
use crate::scope::{Carries, Scope};
use crate::sync::atomic::Ordering;
use crate::verdict::Verdict;
use crate::words::Number;

type Words = [MaybeUninit<*mut ()>; 2];

/// A closure that takes an outcome, in three words.
pub(super) struct Callback<T> {
    call: unsafe fn(Words, Outcome<T>),
    data: Words,
}

impl<T> Callback<T> {
    pub(super) fn new<F: FnOnce(Outcome<T>)>(callback: F) -> Self {
        if const { fits::<F>() } {
            Self {
                call: call_inline::<T, F>,
                data: store(callback),
            }
        } else {
            Self {
                call: call_boxed::<T, F>,
                data: store(Box::new(callback)),
            }
        }
    }

    /// Runs it; a panic in it ends here, and what it drops has not been dropped by its owner's panic.
    pub(super) fn run(self, outcome: Outcome<T>) {
        let _verdict = Verdict::discarding(false);
        // SAFETY: C1, and `self` is used up, C2.
        caught::run(|| unsafe { (self.call)(self.data, outcome) });
    }
}

const fn fits<F>() -> bool {
    size_of::<F>() <= size_of::<Words>() && align_of::<F>() <= align_of::<Words>()
}

/// Keeps a value that fits (known when compiled, so the check costs nothing).
fn store<F>(value: F) -> Words {
    assert!(fits::<F>());
    let mut data: Words = [MaybeUninit::uninit(); 2];
    // SAFETY: the words are ours, and the value fits into them.
    unsafe { data.as_mut_ptr().cast::<F>().write(value) };
    data
}

/// # Safety
///
/// The data comes from `store::<F>`, and is not used again.
unsafe fn load<F>(data: &Words) -> F {
    // SAFETY: as the caller promises.
    unsafe { data.as_ptr().cast::<F>().read() }
}

/// # Safety
///
/// As [`load`] of an `F`.
unsafe fn call_inline<T, F: FnOnce(Outcome<T>)>(data: Words, outcome: Outcome<T>) {
    // SAFETY: as the caller promises.
    let callback = unsafe { load::<F>(&data) };
    callback(outcome);
}

/// # Safety
///
/// As [`load`] of a `Box<F>`.
unsafe fn call_boxed<T, F: FnOnce(Outcome<T>)>(data: Words, outcome: Outcome<T>) {
    // SAFETY: as the caller promises.
    let callback = unsafe { load::<Box<F>>(&data) };
    callback(outcome);
}

impl<T: 'static, S: Scope> Completion<T, S> {
    /// Has `callback` called with the outcome: on the resolver's thread when it is there, or here and now if it is
    /// there already.
    ///
    /// Nothing of agate's is held meanwhile, so the callback may send, ask, resolve and drop what it likes. It keeps
    /// the resolver's thread from its work, so it should be short. A panic in it is reported by the panic hook and ends
    /// there.
    ///
    /// An owner that its users drive does not drive itself: if another user is at it just now, the callback may have to
    /// wait until somebody sends, helps or waits again.
    ///
    /// A callback of at most two words (an `Arc` and a number, say) is kept in the slot; a bigger one is boxed.
    ///
    /// # Progress
    ///
    /// Wait-free, and whatever the callback does; allocates for a callback of more than two words.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    ///
    /// let (resolver, completion) = agate::completion();
    /// let (send, receive) = mpsc::channel();
    /// completion.on_done(move |outcome| send.send(outcome).unwrap());
    /// resolver.resolve(7);
    /// assert_eq!(receive.recv(), Ok(Ok(7)));
    /// ```
    pub fn on_done<F>(self, callback: F)
    where
        F: FnOnce(Result<T, CompletionError>) + 'static,
        S: Carries<F>,
    {
        self.call(callback);
    }

    /// As [`on_done`](Self::on_done), for a callback that may go where the outcome goes.
    pub(super) fn call<F: FnOnce(Outcome<T>) + 'static>(mut self, callback: F) {
        self.help_some();
        let callback = Callback::new(callback);
        let Some(slot) = self.unresolved() else {
            return callback.run(self.outcome());
        };
        // SAFETY: by R3 of `slot` it is alive.
        let shared = unsafe { slot.as_ref() };
        // SAFETY: R2: no waiter is left.
        unsafe { shared.leave(callback) };
        self.slot = None;
        if shared.state.fetch_or(CALL, Ordering::AcqRel) & RESOLVED == 0 {
            return;
        }
        // SAFETY: R2: the resolver came before and found nothing.
        let callback: Callback<T> = unsafe { shared.take_left() };
        // SAFETY: R1, for the same reason.
        let outcome = unsafe { shared.take() };
        // SAFETY: R3, for the same reason.
        unsafe { free(slot) };
        callback.run(outcome);
    }
}
