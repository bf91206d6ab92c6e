//! Panics of the user's code where they must go no further. The panic hook has reported them already.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the user's code; a panic in it ends here.
pub(crate) fn run(user: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(user)) {
        discard(payload);
    }
}

/// What a panic carried, if there was one. Where nobody takes it, it ends here.
#[derive(Debug)]
pub(crate) struct Carried(Option<Box<dyn Any + Send>>);

impl Carried {
    pub(crate) fn new(payload: Option<Box<dyn Any + Send>>) -> Self {
        Self(payload)
    }

    pub(crate) fn take(mut self) -> Option<Box<dyn Any + Send>> {
        self.0.take()
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        if let Some(payload) = self.0.take() {
            discard(payload);
        }
    }
}

/// Drops what a panic carried. Should that panic in its turn, what that carries is leaked: it has to end somewhere.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(payload);
    }
}
