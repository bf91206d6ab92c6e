//! Sleeping by a condition variable, for systems without futex and for models.

use std::sync::PoisonError;
use std::time::Instant;

use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::{Condvar, Mutex};

/// The lock is taken when going to sleep and when waking, never by a send that wakes nobody.
#[derive(Debug)]
pub(super) struct Sleeper {
    lock: Mutex<()>,
    bell: Condvar,
}

impl Sleeper {
    pub(super) fn new() -> Self {
        Self {
            lock: Mutex::new(()),
            bell: Condvar::new(),
        }
    }

    /// Sleeps while the word is `expected`; may return at any time.
    pub(super) fn sleep(&self, word: &AtomicU32, expected: u32, until: Option<Instant>) {
        let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if word.load(Ordering::Acquire) != expected {
            return;
        }
        match until {
            Some(until) if !cfg!(any(loom, shuttle)) => {
                let left = until.saturating_duration_since(Instant::now());
                drop(self.bell.wait_timeout(guard, left));
            }
            _ => drop(self.bell.wait(guard)),
        }
    }

    /// Wakes all who sleep on the word, which was changed before.
    pub(super) fn wake(&self, _: &AtomicU32) {
        // Under the lock nobody is between looking at the word and sleeping.
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
        self.bell.notify_all();
    }
}
