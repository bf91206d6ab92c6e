//! Panics of the user's code where they must go no further. The panic hook has reported them already.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the user's code; a panic in it ends here.
pub(crate) fn run(user: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(user)) {
        discard(payload);
    }
}

/// Drops what a panic carried. Should that panic in its turn, what that carries is leaked: it has to end somewhere.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(payload);
    }
}
