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
pub(crate) trait Help<S: Scope> {
    /// Does a bounded piece of the work, if nobody else is at it.
    fn help(&self) -> Helped;

    /// What it consists of, where it is several.
    fn parts(&self) -> &[Helper<S>] {
        &[]
    }

    /// What whoever is at it rings after leaving something to others, where it is one that has such a bell.
    fn bell(&self) -> Option<&S::Bell> {
        None
    }
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
pub(crate) trait Passes<S: Scope>: Clone {
    type Object: Help<S> + 'static;

    /// Gives the reference up as a pointer, which still counts.
    fn pass(self) -> *const ();

    /// Makes a reference of a pointer again.
    ///
    /// # Safety
    ///
    /// The pointer comes from `pass` of this type, and no reference was made of it since.
    unsafe fn take_back(pointer: *const ()) -> Self;

    /// What it refers to, which stays where it is while it is counted.
    fn object(&self) -> &Self::Object;
}

/// The scope's own counted reference.
pub(crate) struct Shared<H, S: Scope>(pub(crate) S::Ref<H>);

impl<H, S: Scope> Clone for Shared<H, S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<H: Help<S> + 'static, S: Scope> Passes<S> for Shared<H, S> {
    type Object = H;

    fn pass(self) -> *const () {
        S::Ref::into_raw(self.0).cast()
    }

    unsafe fn take_back(pointer: *const ()) -> Self {
        // SAFETY: as the caller promises.
        Self(unsafe { S::Ref::from_raw(pointer.cast()) })
    }

    fn object(&self) -> &H {
        &self.0
    }
}

/// A counted reference to something that helps.
pub(crate) struct Helper<S: Scope> {
    object: *const (),
    verbs: &'static Verbs<S>,
    scope: PhantomData<S>,
}

/// What can be done with the object, by its type.
struct Verbs<S: Scope> {
    help: unsafe fn(*const ()) -> Helped,
    object: unsafe fn(*const ()) -> *const (dyn Help<S> + 'static),
    another: unsafe fn(*const ()),
    end: unsafe fn(*const ()),
}

// SAFETY: `new` is given objects that may be shared and moved between threads.
unsafe impl Send for Helper<Local> {}
// SAFETY: as above.
unsafe impl Sync for Helper<Local> {}

struct VerbsOf<R, S>(PhantomData<(R, S)>);

impl<R: Passes<S> + 'static, S: Scope> VerbsOf<R, S> {
    const VERBS: Verbs<S> = Verbs {
        help: help::<R, S>,
        object: object::<R, S>,
        another: another::<R, S>,
        end: end::<R, S>,
    };
}

impl<S: Scope> Helper<S> {
    /// # Safety
    ///
    /// The reference is one of scope `S`; in [`Local`], the object is `Send` and `Sync`.
    pub(crate) unsafe fn new<R: Passes<S> + 'static>(object: R) -> Self {
        Self {
            object: object.pass(),
            verbs: &VerbsOf::<R, S>::VERBS,
            scope: PhantomData,
        }
    }

    pub(crate) fn help(&self) -> Helped {
        // SAFETY: H1.
        unsafe { (self.verbs.help)(self.object) }
    }

    /// What it helps, with all that can be asked of it.
    pub(super) fn object(&self) -> &dyn Help<S> {
        // SAFETY: H1: it is counted as long as this helper is there.
        let object = unsafe { (self.verbs.object)(self.object) };
        // SAFETY: as above.
        unsafe { &*object }
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
unsafe fn help<R: Passes<S>, S: Scope>(object: *const ()) -> Helped {
    // SAFETY: H1; the count that this reference stands for stays with the helper.
    let reference = ManuallyDrop::new(unsafe { R::take_back(object) });
    reference.object().help()
}

/// # Safety
///
/// H1.
unsafe fn object<R: Passes<S>, S: Scope>(object: *const ()) -> *const (dyn Help<S> + 'static) {
    // SAFETY: as in `help`.
    let reference = ManuallyDrop::new(unsafe { R::take_back(object) });
    let object: &(dyn Help<S> + 'static) = reference.object();
    object
}

/// Counts once more.
///
/// # Safety
///
/// H1.
unsafe fn another<R: Passes<S>, S: Scope>(object: *const ()) {
    // SAFETY: H1; the count that this reference stands for stays with the helper it is made from.
    let object = ManuallyDrop::new(unsafe { R::take_back(object) });
    R::clone(&object).pass();
}

/// # Safety
///
/// H1, and the helper is not used again.
unsafe fn end<R: Passes<S>, S: Scope>(object: *const ()) {
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
