//! The same for loom, whose `unpark` disturbs a thread that is about to join another. Time does not pass there.

use std::time::Instant;

use crate::sync::{Arc, Condvar, Mutex};

pub(super) struct Parker(Arc<(Mutex<bool>, Condvar)>);

#[derive(Clone, Debug)]
pub(crate) struct Unparker(Arc<(Mutex<bool>, Condvar)>);

impl Parker {
    pub(super) fn new() -> Self {
        Self(Arc::new((Mutex::new(false), Condvar::new())))
    }

    pub(super) fn unparker(&self) -> Unparker {
        Unparker(Arc::clone(&self.0))
    }

    pub(super) fn park(&self, _: Option<Instant>) {
        let (woken, bell) = &*self.0;
        let mut woken = woken.lock().unwrap();
        while !*woken {
            woken = bell.wait(woken).unwrap();
        }
    }
}

impl Unparker {
    pub(crate) fn wake(&self) {
        let (woken, bell) = &*self.0;
        *woken.lock().unwrap() = true;
        bell.notify_one();
    }
}
