//! A thread that waits for a completion, by `std::thread::park`.

use std::thread::{self, Thread};
use std::time::Instant;

/// The current thread.
pub(super) struct Parker;

/// Wakes a parked thread.
#[derive(Clone, Debug)]
pub(crate) struct Unparker(Thread);

impl Parker {
    pub(super) fn new() -> Self {
        Self
    }

    pub(super) fn unparker(&self) -> Unparker {
        Unparker(thread::current())
    }

    /// Parks; may return at any time.
    pub(super) fn park(&self, until: Option<Instant>) {
        match until {
            None => thread::park(),
            Some(until) => {
                thread::park_timeout(until.saturating_duration_since(Instant::now()));
            }
        }
    }
}

impl Unparker {
    pub(crate) fn wake(&self) {
        self.0.unpark();
    }
}
