//! Timeline semaphores of the host, with what has been submitted to signal them.

#![allow(
    unsafe_code,
    reason = "declares an unsafe function: the host vouches for its semaphore"
)]

use crate::raw::Device;
use crate::status::Status;
use crate::waiters::Waiters;
use ash::vk;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A timeline semaphore of the host's that services signal and wait for, on any queues of its device.
///
/// Vulkan lets a submission wait for a value that nobody has submitted a signal of yet, and a queue that got such a
/// submission stands still with everything behind it. A `Timeline` knows how far it has been submitted, so that the owner
/// of a queue holds a submission back until then: see [`SubmitOptions::wait_timeline`](crate::SubmitOptions::wait_timeline).
/// Clones are the same timeline.
///
/// ```no_run
/// # use agate_vk::{Frame, SubmitOptions, Timeline, vk};
/// # fn example(semaphore: vk::Semaphore, copies: Frame, draws: Frame) {
/// const ALL: vk::PipelineStageFlags2 = vk::PipelineStageFlags2::ALL_COMMANDS;
/// // SAFETY: a timeline semaphore of the device of both frames.
/// let timeline = unsafe { Timeline::new(semaphore, 0) };
/// // In either order, and through different services.
/// let drawn = draws.submit(SubmitOptions::default().wait_timeline(&timeline, 1, ALL));
/// let copied = copies.submit(SubmitOptions::default().signal_timeline(&timeline, 1, ALL));
/// # }
/// ```
#[derive(Clone)]
pub struct Timeline(Arc<Known>);

struct Known {
    semaphore: vk::Semaphore,
    /// The greatest value that was submitted.
    submitted: AtomicU64,
    /// The greatest value whose submission failed.
    failed: AtomicU64,
    waiters: Waiters,
}

/// Whether a submission that waits may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    /// Not yet.
    Held,
    /// What it waits for will never come.
    Never,
}

impl Timeline {
    /// Of a timeline semaphore for which values up to `submitted` have been submitted, or signalled, already.
    ///
    /// # Safety
    ///
    /// A timeline semaphore of the device of all services that it is used with; it lives until all tickets of frames that
    /// it was used with have resolved.
    pub unsafe fn new(semaphore: vk::Semaphore, submitted: u64) -> Self {
        Self(Arc::new(Known {
            semaphore,
            submitted: AtomicU64::new(submitted),
            failed: AtomicU64::new(0),
            waiters: Waiters::default(),
        }))
    }

    /// The semaphore.
    pub fn semaphore(&self) -> vk::Semaphore {
        self.0.semaphore
    }

    /// The greatest value that is known to have been submitted.
    ///
    /// # Progress
    ///
    /// Wait-free.
    pub fn submitted(&self) -> u64 {
        self.0.submitted.load(Ordering::Acquire)
    }

    /// The host has submitted a signal of `value` itself: submissions that wait for it go out. Without this they are held
    /// until the semaphore is seen to have reached the value.
    ///
    /// # Progress
    ///
    /// Never parks; a lock is held for a moment where the owner of a queue waits.
    pub fn note_submitted(&self, value: u64) {
        self.0.submitted.fetch_max(value, Ordering::AcqRel);
        self.0.waiters.tell();
    }

    fn note_failed(&self, value: u64) {
        self.0.failed.fetch_max(value, Ordering::AcqRel);
        self.0.waiters.tell();
    }

    /// Whom to tell when something is submitted or fails.
    pub(crate) fn waiters(&self) -> &Waiters {
        &self.0.waiters
    }

    pub(crate) fn readiness(&self, device: &Device, status: &Status, value: u64) -> Readiness {
        // In this order: a value that was submitted counts, whatever failed below it.
        let failed = self.0.failed.load(Ordering::Acquire) >= value;
        if self.submitted() >= value {
            return Readiness::Ready;
        }
        // The host may have signalled it by other means.
        match device.timeline_value(self.0.semaphore) {
            Ok(now) if now >= value => return Readiness::Ready,
            Ok(_) => {}
            Err(failed) => {
                status.note(failed);
            }
        }
        if failed {
            Readiness::Never
        } else {
            Readiness::Held
        }
    }
}

impl std::fmt::Debug for Timeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timeline")
            .field("semaphore", &self.0.semaphore)
            .field("submitted", &self.submitted())
            .finish()
    }
}

/// A signal that is to be submitted. Dropping it says that it never will be.
pub(crate) struct Signal {
    timeline: Option<Timeline>,
    value: u64,
}

impl Signal {
    pub(crate) fn new(timeline: Timeline, value: u64) -> Self {
        Self {
            timeline: Some(timeline),
            value,
        }
    }

    pub(crate) fn submitted(mut self) {
        if let Some(timeline) = self.timeline.take() {
            timeline.note_submitted(self.value);
        }
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        if let Some(timeline) = self.timeline.take() {
            timeline.note_failed(self.value);
        }
    }
}
