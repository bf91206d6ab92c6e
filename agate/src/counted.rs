//! References that keep what they point to alive: counted atomically between threads, plainly within one.
#![allow(unsafe_code, reason = "passes the obligation of `from_raw` on")]

use std::ops::Deref;
use std::rc::Rc;

use crate::sync::Arc;

/// A reference of which there may be many; the last one ends what it refers to.
#[allow(
    unreachable_pub,
    reason = "what a scope is built of, named by its sealed trait; rustc 1.85 does not see that"
)]
pub trait Counted<T>: Clone + Deref<Target = T> {
    fn new(value: T) -> Self;

    /// Gives the reference up as a pointer, which still counts.
    fn into_raw(self) -> *const T;

    /// Makes a reference of a pointer again.
    ///
    /// # Safety
    ///
    /// The pointer comes from `into_raw` of this type, and no reference was made of it since.
    unsafe fn from_raw(pointer: *const T) -> Self;
}

macro_rules! counted {
    ($reference:ident) => {
        impl<T> Counted<T> for $reference<T> {
            fn new(value: T) -> Self {
                $reference::new(value)
            }

            fn into_raw(self) -> *const T {
                $reference::into_raw(self)
            }

            unsafe fn from_raw(pointer: *const T) -> Self {
                // SAFETY: as the caller promises.
                unsafe { $reference::from_raw(pointer) }
            }
        }
    };
}

counted!(Arc);
counted!(Rc);
