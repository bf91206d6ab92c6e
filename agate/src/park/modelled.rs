//! The same for models: loom's `unpark` disturbs a thread that is about to join another. Time does not pass there.

use std::sync::{Arc, PoisonError};
use std::task::{Wake, Waker};
use std::time::Instant;

use crate::sync::{Condvar, Mutex};

#[derive(Debug)]
struct Parked {
    woken: Mutex<bool>,
    bell: Condvar,
}

pub(super) struct Parker(Unparker);

#[derive(Clone, Debug)]
pub(crate) struct Unparker(Arc<Parked>);

impl Parker {
    pub(super) fn new() -> Self {
        Self(Unparker(Arc::new(Parked {
            woken: Mutex::new(false),
            bell: Condvar::new(),
        })))
    }

    pub(super) fn unparker(&self) -> Unparker {
        self.0.clone()
    }

    pub(super) fn park(&self, _: Option<Instant>) {
        let Parked { woken, bell } = &*self.0.0;
        let mut woken = woken.lock().unwrap_or_else(PoisonError::into_inner);
        while !*woken {
            woken = bell.wait(woken).unwrap_or_else(PoisonError::into_inner);
        }
        *woken = false;
    }

    pub(super) fn latency(&self) -> Option<u64> {
        None
    }
}

impl Unparker {
    /// The same, for who wakes tasks. Does not allocate.
    pub(crate) fn into_waker(self) -> Waker {
        Waker::from(self.0)
    }

    pub(crate) fn wake(&self) {
        self.0.wake_by_ref();
    }
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_one();
    }
}
