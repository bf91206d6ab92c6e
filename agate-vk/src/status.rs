//! What the owners of a service know together: whether the device is lost, what was submitted, what is counted and told.

use crate::counters::Tally;
use crate::error::{AcquireError, FrameError};
use crate::frame::SlotPlace;
use crate::raw::{Device, Failed};
use crate::trace::{Span, Trace, TraceKind};
use crate::uses::Uses;
use ash::vk;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// What the owners know of the state of the device.
pub(crate) struct Status {
    pub(crate) timeline: vk::Semaphore,
    pub(crate) uses: Uses,
    pub(crate) tally: Tally,
    trace: Option<Trace>,
    lost: AtomicBool,
    gives_up: AtomicBool,
    submitted: AtomicU64,
    leaked: AtomicU32,
    out: AtomicU32,
    gone: AtomicBool,
    /// Whether the owners are to be there: from the start of the last until the shutdown.
    serves: AtomicBool,
    /// The owner that is to panic at its next message.
    #[cfg(all(test, not(loom)))]
    panics: std::sync::Mutex<Option<crate::panics::Who>>,
    /// How often the pools' owner woke because a time had come.
    #[cfg(all(test, not(loom)))]
    pub(crate) wakes: AtomicU32,
}

impl Status {
    pub(crate) fn new(timeline: vk::Semaphore, trace: Option<Trace>) -> Self {
        Self {
            timeline,
            uses: Uses::default(),
            tally: Tally::default(),
            trace,
            lost: AtomicBool::new(false),
            gives_up: AtomicBool::new(false),
            submitted: AtomicU64::new(0),
            leaked: AtomicU32::new(0),
            out: AtomicU32::new(0),
            gone: AtomicBool::new(false),
            serves: AtomicBool::new(false),
            #[cfg(all(test, not(loom)))]
            panics: std::sync::Mutex::default(),
            #[cfg(all(test, not(loom)))]
            wakes: AtomicU32::new(0),
        }
    }

    #[cfg(all(test, not(loom)))]
    pub(crate) fn panics(&self) -> &std::sync::Mutex<Option<crate::panics::Who>> {
        &self.panics
    }

    /// Whether the device is lost: a latch.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Whether waiting for the GPU is to end without an answer: the deadline of a shutdown has passed.
    pub(crate) fn gives_up(&self) -> bool {
        self.gives_up.load(Ordering::Acquire)
    }

    /// What a failed call means for the frame that it struck.
    pub(crate) fn note(&self, failed: Failed) -> FrameError {
        let error = FrameError::Vulkan {
            call: failed.call,
            result: failed.result,
        };
        if failed.result != vk::Result::ERROR_DEVICE_LOST {
            return error;
        }
        if !self.lost.swap(true, Ordering::AcqRel) {
            self.wrong(TraceKind::DeviceLost, 0, Some(error));
        }
        FrameError::DeviceLost
    }

    /// What a failed call means for an acquire.
    pub(crate) fn note_acquire(&self, call: &'static str, result: vk::Result) -> AcquireError {
        match self.note(Failed { call, result }) {
            FrameError::DeviceLost => AcquireError::DeviceLost,
            _ if result == vk::Result::ERROR_SURFACE_LOST_KHR => AcquireError::SurfaceLost,
            _ => AcquireError::Vulkan { call, result },
        }
    }

    /// Tells the host that something begins, and when it ends.
    pub(crate) fn span(&self, kind: TraceKind, frame: u64) -> Span {
        Trace::span(self.trace.as_ref(), kind, frame)
    }

    /// Tells the host that a frame is under way, until the answer is dropped.
    pub(crate) fn under_way(&self, frame: u64) -> Option<Box<Span>> {
        let begin = |trace| Box::new(Trace::span(Some(trace), TraceKind::Frame, frame));
        self.trace.as_ref().map(begin)
    }

    /// Tells the host that a job records a slot, until the answer is dropped.
    pub(crate) fn recording(&self, place: SlotPlace) -> Option<Box<Span>> {
        self.trace.as_ref().map(|trace| trace.recording(place))
    }

    /// Tells the host of something that went wrong.
    pub(crate) fn wrong(&self, kind: TraceKind, frame: u64, error: Option<FrameError>) {
        if let Some(trace) = &self.trace {
            trace.wrong(kind, frame, error);
        }
    }

    /// The owners have started, or are to end.
    pub(crate) fn set_serves(&self, serves: bool) {
        self.serves.store(serves, Ordering::Release);
    }

    /// An owner's last word; before a shutdown, after a panic.
    pub(crate) fn note_ended(&self) {
        if self.serves.load(Ordering::Acquire) {
            self.wrong(TraceKind::OwnerPanicked, 0, None);
        }
    }

    /// Tells the host what the service has left behind.
    pub(crate) fn tell_leaks(&self, leaked: u32) {
        if let Some(trace) = self.trace.as_ref().filter(|_| leaked > 0) {
            trace.leaked(leaked);
        }
    }

    pub(crate) fn note_submitted(&self, value: u64) {
        self.submitted.store(value, Ordering::Release);
    }

    /// An owner has ended; before a shutdown, by a panic.
    pub(crate) fn note_gone(&self) {
        self.gone.store(true, Ordering::Release);
        self.note_ended();
    }

    pub(crate) fn note_leak(&self) {
        self.leaked.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits a moment for all that was submitted, less than a shutdown gives an owner to end; false if the GPU is not done.
    pub(crate) fn wait_for_submitted(&self, device: &Device) -> bool {
        self.wait_for(device, self.submitted.load(Ordering::Acquire))
    }

    /// As `wait_for_submitted`, for what signals `value`.
    pub(crate) fn wait_for(&self, device: &Device, value: u64) -> bool {
        const WAIT_NS: u64 = 200_000_000;
        device
            .wait_timeline(self.timeline, value, WAIT_NS)
            .unwrap_or_else(|failed| {
                self.note(failed);
                false
            })
    }

    /// Whether an owner has ended.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// From now on nobody waits for the GPU for long.
    pub(crate) fn give_up(&self) {
        self.gives_up.store(true, Ordering::Release);
    }

    /// How many objects were left behind because the GPU may use them.
    pub(crate) fn leaked(&self) -> u32 {
        self.leaked.load(Ordering::Acquire)
    }

    /// So many pools were out when their owner ended. Whoever has one destroys it.
    pub(crate) fn note_out(&self, pools: u32) {
        self.out.fetch_add(pools, Ordering::AcqRel);
    }

    pub(crate) fn out(&self) -> u32 {
        self.out.load(Ordering::Acquire)
    }
}
