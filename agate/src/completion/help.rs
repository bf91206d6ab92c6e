//! Helpers: what a wait may do to bring its answer about, where the owner that answers is driven by its users.
//!
//! # Invariants
//!
//! - H1: `object` comes from `pass` of the reference that `verbs` were made for, and counts for this helper.
#![allow(
    unsafe_code,
    reason = "a counted reference to an object of any type, H1"
)]

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::time::Instant;

use crate::completion::Completion;
use crate::counted::Counted;
use crate::scope::{Local, Scope};

/// What can be driven by whoever waits for its answers.
pub(crate) trait Help {
    /// Does a bounded piece of the work, if nobody else is at it.
    fn help(&self) -> Helped;
}

/// What helping came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Helped {
    /// There may be more to do for the caller.
    More,
    /// Nothing is left to do now; there may be again at this time.
    Idle(Option<Instant>),
    /// Somebody else is at it, who may leave the rest to the caller.
    Busy,
    /// This very thread is at it, and gets no further as long as it waits.
    Inside,
}

impl Helped {
    /// Of two things that were helped, for one who waits until all are done or the first is.
    fn and(self, other: Self, all: bool) -> Self {
        match (self, other) {
            (Self::More, _) | (_, Self::More) => Self::More,
            (Self::Inside, Self::Inside) => Self::Inside,
            (Self::Inside, _) | (_, Self::Inside) if all => Self::Inside,
            (Self::Inside, helped) | (helped, Self::Inside) => helped,
            (Self::Busy, _) | (_, Self::Busy) => Self::Busy,
            (Self::Idle(one), Self::Idle(other)) => {
                Self::Idle([one, other].into_iter().flatten().min())
            }
        }
    }

    /// Of many, for one who waits until all are done. `None` where there are none.
    pub(crate) fn all(helped: impl Iterator<Item = Self>) -> Option<Self> {
        helped.reduce(|one, other| one.and(other, true))
    }

    /// Of many, for one who waits until the first is done. `None` where there are none.
    pub(crate) fn any(helped: impl Iterator<Item = Self>) -> Option<Self> {
        helped.reduce(|one, other| one.and(other, false))
    }
}

/// A counted reference that can pass as a pointer, to something that helps.
pub(crate) trait Passes: Clone {
    /// Gives the reference up as a pointer, which still counts.
    fn pass(self) -> *const ();

    /// Makes a reference of a pointer again.
    ///
    /// # Safety
    ///
    /// The pointer comes from `pass` of this type, and no reference was made of it since.
    unsafe fn take_back(pointer: *const ()) -> Self;

    fn help(&self) -> Helped;
}

/// The scope's own counted reference.
pub(crate) struct Shared<H, S: Scope>(pub(crate) S::Ref<H>);

impl<H, S: Scope> Clone for Shared<H, S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<H: Help, S: Scope> Passes for Shared<H, S> {
    fn pass(self) -> *const () {
        S::Ref::into_raw(self.0).cast()
    }

    unsafe fn take_back(pointer: *const ()) -> Self {
        // SAFETY: as the caller promises.
        Self(unsafe { S::Ref::from_raw(pointer.cast()) })
    }

    fn help(&self) -> Helped {
        (*self.0).help()
    }
}

/// A counted reference to something that helps.
pub(crate) struct Helper<S: Scope> {
    object: *const (),
    verbs: &'static Verbs,
    scope: PhantomData<S>,
}

/// What can be done with the object, by its type.
struct Verbs {
    help: unsafe fn(*const ()) -> Helped,
    another: unsafe fn(*const ()),
    end: unsafe fn(*const ()),
}

// SAFETY: `new` is given objects that may be shared and moved between threads.
unsafe impl Send for Helper<Local> {}
// SAFETY: as above.
unsafe impl Sync for Helper<Local> {}

struct VerbsOf<R>(PhantomData<R>);

impl<R: Passes + 'static> VerbsOf<R> {
    const VERBS: Verbs = Verbs {
        help: help::<R>,
        another: another::<R>,
        end: end::<R>,
    };
}

impl<S: Scope> Helper<S> {
    /// # Safety
    ///
    /// The reference is one of scope `S`; in [`Local`], the object is `Send` and `Sync`.
    pub(crate) unsafe fn new<R: Passes + 'static>(object: R) -> Self {
        Self {
            object: object.pass(),
            verbs: &VerbsOf::<R>::VERBS,
            scope: PhantomData,
        }
    }

    pub(crate) fn help(&self) -> Helped {
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
unsafe fn help<R: Passes>(object: *const ()) -> Helped {
    // SAFETY: H1; the count that this reference stands for stays with the helper.
    ManuallyDrop::new(unsafe { R::take_back(object) }).help()
}

/// Counts once more.
///
/// # Safety
///
/// H1.
unsafe fn another<R: Passes>(object: *const ()) {
    // SAFETY: H1; the count that this reference stands for stays with the helper it is made from.
    let object = ManuallyDrop::new(unsafe { R::take_back(object) });
    R::clone(&object).pass();
}

/// # Safety
///
/// H1, and the helper is not used again.
unsafe fn end<R: Passes>(object: *const ()) {
    // SAFETY: as the caller promises.
    drop(unsafe { R::take_back(object) });
}

impl<T, S: Scope> Completion<T, S> {
    /// Gives the completion a helper, which every wait calls before and while it waits.
    pub(crate) fn with_helper(mut self, helper: Option<Helper<S>>) -> Self {
        self.helper = helper;
        self
    }

    /// Helps once, where somebody may.
    pub(crate) fn help(&self) -> Option<Helped> {
        let helper = self.helper.as_ref()?;
        (!self.is_done()).then(|| helper.help())
    }

    /// Helps a few times, until the outcome is there or there is nothing to help with.
    pub(super) fn help_some(&self) -> Option<Helped> {
        let mut helped = None;
        for _ in 0..4 {
            helped = self.help();
            if helped != Some(Helped::More) {
                break;
            }
        }
        helped
    }
}
