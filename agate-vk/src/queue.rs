//! Who may use the queue beside the service: nobody, or the host too, under its own lock.
//!
//! # Invariants
//!
//! - G1: a guard's functions and its user pointer may be used from any thread as long as the service lives (the contract of
//!   [`QueueGuard::new`]).
//! - G2: `unlock` is called once for each `lock`, on the same thread, also when what runs between them panics.

#![allow(unsafe_code, reason = "calls the host's lock")]

use ash::vk;
use std::ffi::c_void;

/// One of the host's two functions: its user pointer and the queue.
pub type QueueLock = unsafe extern "C" fn(user: *mut c_void, queue: vk::Queue);

/// The host's lock of a queue, for [`QueueMode::Guarded`].
#[derive(Clone, Copy, Debug)]
pub struct QueueGuard {
    lock: QueueLock,
    unlock: QueueLock,
    user: *mut c_void,
}

// SAFETY: G1.
unsafe impl Send for QueueGuard {}
// SAFETY: G1.
unsafe impl Sync for QueueGuard {}

impl QueueGuard {
    /// The host's functions, and what they are given beside the queue.
    ///
    /// # Safety
    ///
    /// Both functions may be called with `user` from any thread as long as the service lives, and do not unwind. Between
    /// `lock` and `unlock` nobody else uses the queue, and `lock` returns in the end.
    pub unsafe fn new(lock: QueueLock, unlock: QueueLock, user: *mut c_void) -> Self {
        Self { lock, unlock, user }
    }
}

/// Who else uses the queue.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub enum QueueMode {
    /// Nobody, until the service has shut down. The host can have things done with the queue by
    /// [`Service::with_queue`](crate::Service::with_queue).
    #[default]
    Owned,
    /// The host too: the service takes the host's lock around each `vkQueue*` call. It holds the lock for a whole
    /// `vkQueueWaitIdle`, when a swapchain that it made is destroyed.
    Guarded(QueueGuard),
}

/// A queue, with what must be done to use it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queue {
    handle: vk::Queue,
    mode: QueueMode,
}

/// The host's lock is held.
struct Held {
    guard: QueueGuard,
    queue: vk::Queue,
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: G1, G2.
        unsafe { (self.guard.unlock)(self.guard.user, self.queue) }
    }
}

impl Queue {
    pub(crate) fn new(handle: vk::Queue, mode: QueueMode) -> Self {
        Self { handle, mode }
    }

    /// Does something with the queue while nobody else does.
    pub(crate) fn with<R>(self, act: impl FnOnce(vk::Queue) -> R) -> R {
        let queue = self.handle;
        let _held = match self.mode {
            QueueMode::Owned => None,
            QueueMode::Guarded(guard) => {
                // SAFETY: G1.
                unsafe { (guard.lock)(guard.user, queue) };
                Some(Held { guard, queue })
            }
        };
        act(queue)
    }
}
