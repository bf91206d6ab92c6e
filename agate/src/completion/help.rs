//! Helpers: what a wait may do to bring its answer about, where the owner that answers is driven by its users.
//!
//! # Invariants
//!
//! - H1: `object` comes from `into_raw` of the reference that `verbs` were made for, and counts for this helper.
#![allow(
    unsafe_code,
    reason = "a counted reference to an object of any type, H1"
)]

use std::marker::PhantomData;
use std::mem::ManuallyDrop;

use crate::completion::Completion;
use crate::counted::Counted;
use crate::scope::{Local, Scope};

/// What can be driven by whoever waits for its answers.
pub(crate) trait Help {
    /// Does a bounded piece of the work, if nobody else is at it. Returns whether there may be more to do for the
    /// caller: `false` when nothing is left, or somebody else is at it.
    fn help(&self) -> bool;
}

/// A counted reference to something that helps.
pub(crate) struct Helper<S: Scope> {
    object: *const (),
    verbs: &'static Verbs,
    scope: PhantomData<S>,
}

/// What can be done with the object, by its type.
struct Verbs {
    help: unsafe fn(*const ()) -> bool,
    another: unsafe fn(*const ()),
    end: unsafe fn(*const ()),
}

// SAFETY: `new` is given objects that may be shared and moved between threads.
unsafe impl Send for Helper<Local> {}
// SAFETY: as above.
unsafe impl Sync for Helper<Local> {}

struct VerbsOf<H, S>(PhantomData<(H, S)>);

impl<H: Help + 'static, S: Scope> VerbsOf<H, S> {
    const VERBS: Verbs = Verbs {
        help: help::<H>,
        another: another::<H, S>,
        end: end::<H, S>,
    };
}

impl<S: Scope> Helper<S> {
    /// # Safety
    ///
    /// In [`Local`], the object is `Send` and `Sync`.
    pub(crate) unsafe fn new<H: Help + 'static>(object: S::Ref<H>) -> Self {
        Self {
            object: S::Ref::into_raw(object).cast(),
            verbs: &VerbsOf::<H, S>::VERBS,
            scope: PhantomData,
        }
    }

    pub(crate) fn help(&self) -> bool {
        // SAFETY: H1.
        unsafe { (self.verbs.help)(self.object) }
    }

    /// Whether both help the same object.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        std::ptr::eq(self.object, other.object)
    }
}

impl<S: Scope> Clone for Helper<S> {
    fn clone(&self) -> Self {
        // SAFETY: H1.
        unsafe { (self.verbs.another)(self.object) };
        Self {
            object: self.object,
            verbs: self.verbs,
            scope: PhantomData,
        }
    }
}

impl<S: Scope> Drop for Helper<S> {
    fn drop(&mut self) {
        // SAFETY: H1, and this one's count ends here.
        unsafe { (self.verbs.end)(self.object) };
    }
}

/// # Safety
///
/// H1.
unsafe fn help<H: Help>(object: *const ()) -> bool {
    // SAFETY: H1: the count keeps the object alive.
    let object = unsafe { &*object.cast::<H>() };
    object.help()
}

/// Counts once more.
///
/// # Safety
///
/// H1.
unsafe fn another<H: Help, S: Scope>(object: *const ()) {
    // SAFETY: H1; the count that this reference stands for stays with the helper it is made from.
    let object = ManuallyDrop::new(unsafe { S::Ref::from_raw(object.cast::<H>()) });
    S::Ref::into_raw(S::Ref::clone(&object));
}

/// # Safety
///
/// H1, and the helper is not used again.
unsafe fn end<H: Help, S: Scope>(object: *const ()) {
    // SAFETY: as the caller promises.
    drop(unsafe { S::Ref::from_raw(object.cast::<H>()) });
}

impl<T, S: Scope> Completion<T, S> {
    /// Gives the completion a helper, which every wait calls before and while it waits.
    #[allow(dead_code, reason = "owners that are driven by their users call it")]
    pub(crate) fn with_helper(mut self, helper: Helper<S>) -> Self {
        self.helper = Some(helper);
        self
    }

    /// Helps until the outcome is there or there is nothing to help with.
    pub(super) fn help_all(&self) {
        if let Some(helper) = &self.helper {
            while !self.is_done() && helper.help() {}
        }
    }
}
