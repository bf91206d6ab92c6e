//! What a frame is submitted with.
//!
//! # Invariants
//!
//! - N1: a chain of the host's is read by the queue's owner alone, between the submission of the frame and the end of its
//!   ticket, when the host leaves it alone (the contract of [`SubmitOptions::next`]).

#![allow(
    unsafe_code,
    reason = "sends a pointer, declares the methods that take semaphores"
)]

use crate::after::{Point, Promise};
use crate::error::FrameError;
use crate::raw::Device;
use crate::status::Status;
use crate::submit::QueueLink;
use crate::swapchain::Acquired;
use crate::ticket::Ticket;
use crate::timeline::{Readiness, Signal, Timeline};
use ash::vk;
use std::ffi::c_void;
use std::sync::Arc;

/// The most semaphores that one submission waits for, and the most that it signals, besides those of a swapchain image.
pub const MAX_SEMAPHORES: usize = 6;

/// What a frame is submitted with: by default nothing to wait for, to signal or to present.
#[derive(Default)]
pub struct SubmitOptions<'a> {
    waits: &'a [vk::SemaphoreSubmitInfo<'a>],
    signals: &'a [vk::SemaphoreSubmitInfo<'a>],
    held: Holds,
    timelines: [Option<TimelineSignal>; MAX_SEMAPHORES],
    too_many: bool,
    fence: vk::Fence,
    next: Next,
    present: Option<Acquired>,
    acquire_stages: vk::PipelineStageFlags2,
    record_only: bool,
}

impl<'a> SubmitOptions<'a> {
    /// A tool for measuring: the owner records and ends the frame's primary command buffer as ever, then resets its pool
    /// and gives the credit back. The queue hears nothing of it and the GPU executes nothing.
    ///
    /// The ticket resolves when the pool has been reset; in its report `submitted` and `retired` equal `ended`. Together
    /// with waits, signals or an image to present it resolves with [`FrameError::RecordOnly`].
    #[must_use]
    pub fn record_only() -> Self {
        Self {
            record_only: true,
            ..Self::default()
        }
    }

    /// Presents `image` when the frame has been executed. The submission waits for the image in `stages`, where the frame
    /// first uses it (none means all commands); the frame must leave it in `PRESENT_SRC_KHR`.
    #[must_use]
    pub fn present(mut self, image: Acquired, stages: vk::PipelineStageFlags2) -> Self {
        self.present = Some(image);
        self.acquire_stages = stages;
        self
    }

    /// Waits for these semaphores, binary or timeline; [`MAX_SEMAPHORES`] at the most of all kinds. A value that no
    /// submission so far signals holds up the queue and all behind it: where that can be, use
    /// [`wait_timeline`](Self::wait_timeline). Structures in `pNext` are not used.
    ///
    /// # Safety
    ///
    /// The valid usage of `vkQueueSubmit2`; the semaphores are of this device and live until the ticket has resolved.
    #[must_use]
    pub unsafe fn waits(mut self, waits: &'a [vk::SemaphoreSubmitInfo<'a>]) -> Self {
        self.waits = waits;
        self
    }

    /// Signals these semaphores, binary or timeline; [`MAX_SEMAPHORES`] at the most of all kinds. They are signalled even
    /// if a slot or the recording fails: of such a frame the queue gets the signals alone. They are not where the queue hears
    /// nothing of the frame: where a submission fails, the device is lost, the service ends before, or the frame is refused
    /// or given up, with [`FrameError::NeverSignalled`], [`HeldTooLong`](FrameError::HeldTooLong),
    /// [`StaleImage`](FrameError::StaleImage), [`TooManySemaphores`](FrameError::TooManySemaphores) or
    /// [`RecordOnly`](FrameError::RecordOnly). Structures in `pNext` are not used.
    ///
    /// # Safety
    ///
    /// As for [`waits`](Self::waits).
    #[must_use]
    pub unsafe fn signals(mut self, signals: &'a [vk::SemaphoreSubmitInfo<'a>]) -> Self {
        self.signals = signals;
        self
    }

    /// Waits in `stages` until `timeline` has reached `value`. The frame is held back until a signal of that value has been
    /// submitted, on whatever queue; frames behind it go out meanwhile.
    ///
    /// If the submission that was to signal it fails, the frame fails with [`FrameError::NeverSignalled`]; if none comes in
    /// [`ServiceOptions::hold_deadline`](crate::ServiceOptions::hold_deadline), with [`FrameError::HeldTooLong`].
    #[must_use]
    pub fn wait_timeline(
        self,
        timeline: &Timeline,
        value: u64,
        stages: vk::PipelineStageFlags2,
    ) -> Self {
        self.hold(Awaited::Timeline(timeline.clone(), value), stages)
    }

    /// Waits in `stages` until the GPU has executed the frame of `ticket`, of this service or of another one of the same
    /// device, on whatever queue. The frame is held back until the other has been submitted; frames behind it go out
    /// meanwhile.
    ///
    /// If the other frame fails, this one does with [`FrameError::NeverSignalled`].
    ///
    /// ```no_run
    /// # use agate_vk::{Frame, SubmitOptions, vk};
    /// # fn example(copies: Frame, draws: Frame) {
    /// // Through two services, of two queues.
    /// let copied = copies.submit(SubmitOptions::default());
    /// let stages = vk::PipelineStageFlags2::VERTEX_INPUT;
    /// let drawn = draws.submit(SubmitOptions::default().after(&copied, stages));
    /// # }
    /// ```
    #[must_use]
    pub fn after(self, ticket: &Ticket, stages: vk::PipelineStageFlags2) -> Self {
        match ticket.point() {
            Some(point) => self.hold(Awaited::Frame(Arc::clone(point)), stages),
            None => self,
        }
    }

    /// Signals `value` of `timeline` when the frame has passed `stages`, even if the frame fails, in the cases that
    /// [`signals`](Self::signals) tells; in the others, frames that wait for it fail with [`FrameError::NeverSignalled`].
    /// Values must grow in the order of submission.
    #[must_use]
    pub fn signal_timeline(
        mut self,
        timeline: &Timeline,
        value: u64,
        stages: vk::PipelineStageFlags2,
    ) -> Self {
        match self.timelines.iter_mut().find(|place| place.is_none()) {
            Some(place) => {
                *place = Some(TimelineSignal {
                    semaphore: timeline.semaphore(),
                    value,
                    stages: all_if_none(stages),
                    signal: Signal::new(timeline.clone(), value),
                });
            }
            None => self.too_many = true,
        }
        self
    }

    /// Signals `fence` when the submission has been executed, even if the frame fails, in the cases that
    /// [`signals`](Self::signals) tells. In the others it stays as it is: before you wait for it, look at the ticket.
    ///
    /// # Safety
    ///
    /// The fence is of this device, unsignalled, in no pending submission, and used by nobody until the ticket has resolved.
    #[must_use]
    pub unsafe fn fence(mut self, fence: vk::Fence) -> Self {
        self.fence = fence;
        self
    }

    /// Chains structures to the `pNext` of the submission's `VkSubmitInfo2`.
    ///
    /// # Safety
    ///
    /// A chain that `VkSubmitInfo2` takes; it lives, unchanged and unread, until the ticket has resolved.
    #[must_use]
    pub unsafe fn next(mut self, next: *const c_void) -> Self {
        self.next = Next(next);
        self
    }

    fn hold(mut self, awaited: Awaited, stages: vk::PipelineStageFlags2) -> Self {
        match self.held.0.iter_mut().find(|place| place.is_none()) {
            Some(place) => {
                *place = Some(Hold {
                    awaited,
                    stages: all_if_none(stages),
                });
            }
            None => self.too_many = true,
        }
        self
    }

    /// Whether the queue is asked for anything.
    fn asks(&self) -> bool {
        !self.waits.is_empty()
            || !self.signals.is_empty()
            || self.held.0.iter().any(Option::is_some)
            || self.timelines.iter().any(Option::is_some)
            || self.fence != vk::Fence::null()
            || !self.next.0.is_null()
            || self.present.is_some()
    }
}

fn all_if_none(stages: vk::PipelineStageFlags2) -> vk::PipelineStageFlags2 {
    if stages.is_empty() {
        vk::PipelineStageFlags2::ALL_COMMANDS
    } else {
        stages
    }
}

/// A signal of a [`Timeline`].
struct TimelineSignal {
    semaphore: vk::Semaphore,
    value: u64,
    stages: vk::PipelineStageFlags2,
    signal: Signal,
}

/// A chain of the host's.
#[derive(Clone, Copy)]
pub(crate) struct Next(pub(crate) *const c_void);

// SAFETY: N1: the host hands the chain to the service until the ticket has resolved (`SubmitOptions::next`).
unsafe impl Send for Next {}

impl Default for Next {
    fn default() -> Self {
        Self(std::ptr::null())
    }
}

/// What a submission waits for, and is held back until it has been submitted.
enum Awaited {
    Timeline(Timeline, u64),
    Frame(Arc<Point>),
}

struct Hold {
    awaited: Awaited,
    stages: vk::PipelineStageFlags2,
}

impl Hold {
    fn readiness(&self, device: &Device, status: &Status, owner: &QueueLink) -> Readiness {
        let look = || match &self.awaited {
            Awaited::Timeline(timeline, value) => timeline.readiness(device, status, *value),
            Awaited::Frame(point) if !point.is_of_device(device) => Readiness::Never,
            Awaited::Frame(point) => point.readiness(),
        };
        if look() != Readiness::Held {
            return look();
        }
        match &self.awaited {
            Awaited::Timeline(timeline, _) => timeline.waiters().add(owner),
            Awaited::Frame(point) => point.waiters().add(owner),
        }
        // It may have come before the owner was on the list.
        look()
    }
}

/// All of a submission's.
#[derive(Default)]
struct Holds([Option<Hold>; MAX_SEMAPHORES]);

impl std::fmt::Debug for SubmitOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SubmitOptions")
            .field("waits", &self.waits.len())
            .field("signals", &self.signals.len())
            .field("present", &self.present)
            .field("record_only", &self.record_only)
            .finish_non_exhaustive()
    }
}

/// A semaphore operation without its `pNext`.
#[derive(Clone, Copy, Default)]
struct Operation {
    semaphore: vk::Semaphore,
    value: u64,
    stages: vk::PipelineStageFlags2,
}

impl Operation {
    fn info(self) -> vk::SemaphoreSubmitInfo<'static> {
        vk::SemaphoreSubmitInfo::default()
            .semaphore(self.semaphore)
            .value(self.value)
            .stage_mask(self.stages)
    }
}

/// Semaphore operations, in place.
#[derive(Clone, Copy, Default)]
pub(crate) struct Operations {
    all: [Operation; MAX_SEMAPHORES + 2],
    pub(crate) len: usize,
}

impl Operations {
    /// No more than [`MAX_SEMAPHORES`]: room is kept for the timeline and for one semaphore of a swapchain image.
    fn from_host(infos: &[vk::SemaphoreSubmitInfo<'_>]) -> Self {
        let mut operations = Self::default();
        for info in infos {
            operations.push(info.semaphore, info.value, info.stage_mask);
        }
        operations
    }

    pub(crate) fn push(
        &mut self,
        semaphore: vk::Semaphore,
        value: u64,
        stages: vk::PipelineStageFlags2,
    ) {
        if let Some(free) = self.all.get_mut(self.len) {
            *free = Operation {
                semaphore,
                value,
                stages,
            };
            self.len += 1;
        }
    }

    pub(crate) fn infos(&self) -> [vk::SemaphoreSubmitInfo<'static>; MAX_SEMAPHORES + 2] {
        self.all.map(Operation::info)
    }
}

/// A submission as the main thread asked for it.
pub(crate) struct Request {
    pub(crate) waits: Operations,
    pub(crate) signals: Operations,
    held: Holds,
    timelines: [Option<TimelineSignal>; MAX_SEMAPHORES],
    pub(crate) fence: vk::Fence,
    pub(crate) next: Next,
    pub(crate) present: Option<Acquired>,
    pub(crate) acquire_stages: vk::PipelineStageFlags2,
}

impl Request {
    /// `None` where the queue is not to hear of the frame.
    pub(crate) fn new(options: SubmitOptions<'_>) -> Result<Option<Self>, FrameError> {
        if options.record_only {
            return if options.asks() {
                Err(FrameError::RecordOnly)
            } else {
                Ok(None)
            };
        }
        let held = options.held.0.iter().flatten().count();
        let timelines = options.timelines.iter().flatten().count();
        if options.too_many
            || options.waits.len() + held > MAX_SEMAPHORES
            || options.signals.len() + timelines > MAX_SEMAPHORES
        {
            return Err(FrameError::TooManySemaphores);
        }
        let mut signals = Operations::from_host(options.signals);
        for signal in options.timelines.iter().flatten() {
            signals.push(signal.semaphore, signal.value, signal.stages);
        }
        Ok(Some(Self {
            waits: Operations::from_host(options.waits),
            signals,
            held: options.held,
            timelines: options.timelines,
            fence: options.fence,
            next: options.next,
            present: options.present,
            acquire_stages: all_if_none(options.acquire_stages),
        }))
    }

    /// Whether there is anything to submit without commands.
    pub(crate) fn asks(&self) -> bool {
        self.waits.len + self.signals.len > 0
            || self.fence != vk::Fence::null()
            || self.present.is_some()
    }

    /// Whether all that it waits for has been submitted. Where that is not so, `owner` is told when it may be.
    pub(crate) fn readiness(
        &self,
        device: &Device,
        status: &Status,
        owner: &QueueLink,
    ) -> Readiness {
        let mut all = Readiness::Ready;
        for hold in self.held.0.iter().flatten() {
            match hold.readiness(device, status, owner) {
                Readiness::Ready => {}
                Readiness::Held => all = Readiness::Held,
                Readiness::Never => return Readiness::Never,
            }
        }
        all
    }

    /// Makes waits of what it was held back for; of a frame that failed nothing is to wait.
    pub(crate) fn settle(&mut self, waiting: &Promise, failed: bool) {
        for place in &mut self.held.0 {
            let Some(hold) = place.take().filter(|_| !failed) else {
                continue;
            };
            let operation = match &hold.awaited {
                Awaited::Timeline(timeline, value) => Some((timeline.semaphore(), *value)),
                Awaited::Frame(point) => point.operation(waiting),
            };
            if let Some((semaphore, value)) = operation {
                self.waits.push(semaphore, value, hold.stages);
            }
        }
    }

    /// Its signals have been submitted.
    pub(crate) fn submitted(self) {
        for signal in self.timelines.into_iter().flatten() {
            signal.signal.submitted();
        }
    }
}
