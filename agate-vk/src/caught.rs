//! Panics of the user's code where they must go no further. The panic hook has reported them already.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Does something of the user's; `None` where it panics. The panic ends here.
pub(crate) fn quietly<R>(user: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(user)).map_err(discard).ok()
}

/// Drops what a panic carried, which is the user's as well. Should that panic in its turn, what that carries is leaked: it
/// has to end somewhere.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(worse) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(worse);
    }
}
