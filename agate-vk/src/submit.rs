//! The queue owner: the one thread that calls `vkQueue*`, and the swapchains on that queue.
//!
//! Waiting submissions go out in one `vkQueueSubmit2`. The owner may be blocked for a whole frame in `vkQueuePresentKHR`
//! (software drivers are), so nothing that must answer shares its thread.
//!
//! # Invariants
//!
//! - Q1: only this thread uses the queue and the swapchains in `swapchains`.
//! - Q2: timeline values are given out here, in the order of submission.

#![allow(unsafe_code, reason = "submits to a queue")]

use crate::error::{AcquireError, FrameError};
use crate::frame::{FrameShared, lock, resolve};
use crate::pool::PoolMessage;
use crate::queue::Queue;
use crate::raw::Device;
use crate::retire::Watch;
use crate::service::Status;
use crate::swapchain::{Acquired, Chain, ImageUse, Source};
use crate::ticket::{FrameReport, FrameResult};
use agate::{Handle, Handler, Inbox, Port, Resolver};
use ash::vk;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// The most semaphores that one submission waits for, and the most that it signals, besides those of a swapchain image.
pub const MAX_SEMAPHORES: usize = 6;

/// The most submissions in one `vkQueueSubmit2`.
const MAX_BATCH: usize = 8;

/// What a frame is submitted with: by default nothing to wait for, to signal or to present.
#[derive(Default)]
pub struct SubmitOptions<'a> {
    waits: &'a [vk::SemaphoreSubmitInfo<'a>],
    signals: &'a [vk::SemaphoreSubmitInfo<'a>],
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

    /// Waits for these semaphores, binary or timeline; [`MAX_SEMAPHORES`] at the most. A value that no submission so far
    /// signals holds up the queue; structures in `pNext` are not used.
    ///
    /// # Safety
    ///
    /// The valid usage of `vkQueueSubmit2`; the semaphores are of this device and live until the ticket has resolved.
    #[must_use]
    pub unsafe fn waits(mut self, waits: &'a [vk::SemaphoreSubmitInfo<'a>]) -> Self {
        self.waits = waits;
        self
    }

    /// Signals these semaphores, binary or timeline; [`MAX_SEMAPHORES`] at the most. They are signalled even if the frame
    /// fails, unless a submission does. Structures in `pNext` are not used.
    ///
    /// # Safety
    ///
    /// As for [`waits`](Self::waits).
    #[must_use]
    pub unsafe fn signals(mut self, signals: &'a [vk::SemaphoreSubmitInfo<'a>]) -> Self {
        self.signals = signals;
        self
    }
}

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
struct Operations {
    all: [Operation; MAX_SEMAPHORES + 2],
    len: usize,
}

impl Operations {
    /// Room is kept for the timeline and for one semaphore of a swapchain image.
    fn from_host(infos: &[vk::SemaphoreSubmitInfo<'_>]) -> Result<Self, FrameError> {
        if infos.len() > MAX_SEMAPHORES {
            return Err(FrameError::TooManySemaphores);
        }
        let mut operations = Self::default();
        for info in infos {
            operations.push(info.semaphore, info.value, info.stage_mask);
        }
        Ok(operations)
    }

    fn push(&mut self, semaphore: vk::Semaphore, value: u64, stages: vk::PipelineStageFlags2) {
        if let Some(free) = self.all.get_mut(self.len) {
            *free = Operation {
                semaphore,
                value,
                stages,
            };
            self.len += 1;
        }
    }

    fn infos(&self) -> [vk::SemaphoreSubmitInfo<'static>; MAX_SEMAPHORES + 2] {
        self.all.map(Operation::info)
    }
}

/// A submission as the main thread asked for it.
pub(crate) struct Request {
    waits: Operations,
    signals: Operations,
    present: Option<Acquired>,
    acquire_stages: vk::PipelineStageFlags2,
}

impl Request {
    /// `None` where the queue is not to hear of the frame.
    pub(crate) fn new(options: SubmitOptions<'_>) -> Result<Option<Self>, FrameError> {
        if options.record_only {
            let asks = !options.waits.is_empty()
                || !options.signals.is_empty()
                || options.present.is_some();
            return if asks {
                Err(FrameError::RecordOnly)
            } else {
                Ok(None)
            };
        }
        let mut acquire_stages = options.acquire_stages;
        if acquire_stages.is_empty() {
            acquire_stages = vk::PipelineStageFlags2::ALL_COMMANDS;
        }
        Ok(Some(Self {
            waits: Operations::from_host(options.waits)?,
            signals: Operations::from_host(options.signals)?,
            present: options.present,
            acquire_stages,
        }))
    }
}

/// A frame whose primary has been ended.
pub(crate) struct Ended {
    pub(crate) frame: u32,
    pub(crate) serial: u64,
    /// Null where the frame failed.
    pub(crate) primary: vk::CommandBuffer,
    pub(crate) error: Option<FrameError>,
    pub(crate) report: FrameReport,
    pub(crate) ticket: Resolver<FrameResult>,
}

/// What the queue owner is told.
pub(crate) enum QueueMessage {
    Submit(Ended),
    CreateSwapchain {
        source: Box<Source>,
        id: u32,
    },
    DestroySwapchain {
        id: u32,
        done: Resolver<()>,
    },
    Acquire {
        id: u32,
        deadline: Instant,
        resolver: Resolver<Result<Acquired, AcquireError>>,
    },
    /// The host's work with the queue.
    With(Box<dyn FnOnce(&ash::Device, vk::Queue) + Send>),
    /// An acquired image that will not be presented.
    Abandon {
        id: u32,
        image: ImageUse,
    },
}

/// The way to the queue's owner, for owners that are made before it: set when it is made, before any frame begins.
#[derive(Default)]
pub(crate) struct QueueLink {
    handle: Arc<OnceLock<Handle<Inbox<QueueMessage>>>>,
    port: Option<Port<QueueMessage>>,
}

impl QueueLink {
    /// The same link, for another owner.
    pub(crate) fn another(&self) -> Self {
        Self {
            handle: Arc::clone(&self.handle),
            port: None,
        }
    }

    pub(crate) fn set(&self, handle: Handle<Inbox<QueueMessage>>) {
        let _ = self.handle.set(handle);
    }

    /// False where the queue's owner has ended; the message is dropped then.
    pub(crate) fn send(&mut self, message: QueueMessage) -> bool {
        if self.port.is_none() {
            self.port = self.handle.get().and_then(|handle| handle.attach().ok());
        }
        self.port
            .as_ref()
            .is_some_and(|port| port.send(message).is_ok())
    }
}

/// A submission that is ready to go out.
struct Ready {
    ended: Ended,
    waits: Operations,
    signals: Operations,
    value: u64,
    present: Option<(u32, ImageUse)>,
}

/// See the module.
pub(crate) struct QueueOwner {
    pub(crate) device: Arc<Device>,
    pub(crate) status: Arc<Status>,
    pub(crate) queue: Queue,
    pub(crate) frames: Arc<[Arc<FrameShared>]>,
    pub(crate) retire: Port<Watch>,
    pub(crate) pool: Port<PoolMessage>,
    /// The owner's own inbox, for work that it puts off.
    own: QueueLink,
    pub(crate) swapchains: Vec<Chain>,
    ready: Vec<Ready>,
    next_value: u64,
}

impl QueueOwner {
    pub(crate) fn new(
        device: Arc<Device>,
        status: Arc<Status>,
        queue: Queue,
        frames: Arc<[Arc<FrameShared>]>,
        retire: Port<Watch>,
        pool: Port<PoolMessage>,
        own: QueueLink,
    ) -> Self {
        Self {
            device,
            status,
            queue,
            frames,
            retire,
            pool,
            own,
            swapchains: Vec::new(),
            ready: Vec::with_capacity(MAX_BATCH),
            next_value: 1,
        }
    }

    /// Prepares a submission; it goes out with the others of this batch.
    fn submit(&mut self, ended: Ended) {
        let request = self
            .frames
            .get(ended.frame as usize)
            .and_then(|frame| lock(&frame.request).take());
        let Some(request) = request else {
            return self.fail(ended, FrameError::Aborted);
        };
        if self.status.is_lost() {
            return self.fail(ended, FrameError::DeviceLost);
        }
        let Request {
            mut waits,
            mut signals,
            present,
            acquire_stages,
        } = request;
        let present = match present.map(|image| self.image_use(image)) {
            Some(None) => return self.fail(ended, FrameError::StaleImage),
            found => found.flatten(),
        };
        if ended.primary == vk::CommandBuffer::null()
            && waits.len + signals.len == 0
            && present.is_none()
        {
            let error = ended.error.unwrap_or(FrameError::Aborted);
            return self.fail(ended, error);
        }
        let value = self.next_value;
        self.next_value += 1;
        signals.push(
            self.status.timeline,
            value,
            vk::PipelineStageFlags2::ALL_COMMANDS,
        );
        if let Some((_, image)) = present {
            waits.push(image.acquired, 0, acquire_stages);
            if ended.primary != vk::CommandBuffer::null() {
                signals.push(image.rendered, 0, vk::PipelineStageFlags2::ALL_COMMANDS);
            }
        }
        self.ready.push(Ready {
            ended,
            waits,
            signals,
            value,
            present,
        });
        if self.ready.len() == MAX_BATCH || present.is_some() {
            self.flush();
        }
    }

    /// What is needed of an acquired image; `None` where it is of another service's swapchain, to whose owner it goes back
    /// as it is dropped.
    fn image_use(&mut self, image: Acquired) -> Option<(u32, ImageUse)> {
        let known = self.swapchains.iter().any(|chain| chain.made(&image));
        known.then(|| image.into_use())
    }

    fn chain<R>(&mut self, id: u32, act: impl FnOnce(&mut Chain) -> R) -> Option<R> {
        self.swapchains
            .iter_mut()
            .find(|chain| chain.id == id)
            .map(act)
    }

    /// Nothing of the frame goes to the queue.
    fn fail(&self, ended: Ended, error: FrameError) {
        let retired = PoolMessage::Retired {
            frame: ended.frame,
            serial: ended.serial,
            executed: true,
        };
        let _ = self.pool.send(retired);
        resolve(ended.ticket, Err(ended.error.unwrap_or(error)));
    }

    /// Sends what is ready to the queue, in one call; where that fails, one by one.
    fn flush(&mut self) {
        if self.ready.is_empty() {
            return;
        }
        let mut ready = std::mem::take(&mut self.ready);
        let together = self.call_submit(&ready);
        let alone = ready.len() == 1;
        for submission in ready.drain(..) {
            let result = match together {
                Ok(()) => Ok(()),
                Err(error) if alone || error == FrameError::DeviceLost => Err(error),
                Err(_) => self.call_submit(std::slice::from_ref(&submission)),
            };
            self.submitted(submission, result);
        }
        self.ready = ready;
    }

    fn call_submit(&self, ready: &[Ready]) -> Result<(), FrameError> {
        let mut waits = [[vk::SemaphoreSubmitInfo::default(); MAX_SEMAPHORES + 2]; MAX_BATCH];
        let mut signals = [[vk::SemaphoreSubmitInfo::default(); MAX_SEMAPHORES + 2]; MAX_BATCH];
        let mut buffers = [vk::CommandBufferSubmitInfo::default(); MAX_BATCH];
        for (i, submission) in ready.iter().enumerate() {
            waits[i] = submission.waits.infos();
            signals[i] = submission.signals.infos();
            buffers[i] = buffers[i].command_buffer(submission.ended.primary);
        }
        let mut infos = [vk::SubmitInfo2::default(); MAX_BATCH];
        for (i, submission) in ready.iter().enumerate() {
            let count = usize::from(submission.ended.primary != vk::CommandBuffer::null());
            infos[i] = infos[i]
                .wait_semaphore_infos(&waits[i][..submission.waits.len])
                .signal_semaphore_infos(&signals[i][..submission.signals.len])
                .command_buffer_infos(&buffers[i..i + count]);
        }
        // SAFETY: Q1; the buffers are executable: the pool's owner ended them and touches them no more until they retire;
        // the semaphores are the service's own, or the host vouches for them (`SubmitOptions`).
        unsafe {
            self.device
                .submit(self.queue, &infos[..ready.len()], vk::Fence::null())
        }
        .map_err(|failed| self.status.note(failed))
    }

    /// What follows a submission: the wait for its end, and its presentation.
    fn submitted(&mut self, ready: Ready, result: Result<(), FrameError>) {
        let Ready {
            mut ended,
            value,
            present,
            ..
        } = ready;
        let failed = ended.primary == vk::CommandBuffer::null();
        if let Err(error) = result {
            if let Some((id, image)) = present {
                self.abandon(id, image);
            }
            return self.fail(ended, error);
        }
        self.status.note_submitted(value);
        ended.report.submitted = Instant::now();
        let Ended {
            frame,
            serial,
            error,
            report,
            ticket,
            ..
        } = ended;
        let _ = self.retire.send(Watch {
            frame,
            serial,
            value,
            report,
            error,
            ticket,
        });
        if let Some((id, image)) = present {
            let (device, status, queue) = (
                Arc::clone(&self.device),
                Arc::clone(&self.status),
                self.queue,
            );
            self.chain(id, |chain| {
                chain.used_until(image.acquired, value);
                if !failed {
                    chain.present(&device, &status, queue, image);
                }
            });
            self.give_back(id, image, !failed);
        }
    }

    /// The host and the owners are done with an image; what waited for that is destroyed.
    fn give_back(&mut self, id: u32, image: ImageUse, presented: bool) {
        let (device, status, queue) = (
            Arc::clone(&self.device),
            Arc::clone(&self.status),
            self.queue,
        );
        self.chain(id, |chain| {
            chain.give_back(&device, &status, queue, image, presented);
        });
        self.destroy_closed();
    }

    /// An image that nobody will render to: its semaphore is waited for, and the swapchain is made anew.
    fn abandon(&mut self, id: u32, image: ImageUse) {
        self.flush();
        if !self.status.is_lost() && self.chain(id, |_| ()).is_some() {
            let value = self.next_value;
            if self.wait_for_acquire(image.acquired, value) {
                self.next_value += 1;
                self.status.note_submitted(value);
                self.chain(id, |chain| chain.used_until(image.acquired, value));
            }
        }
        self.give_back(id, image, false);
    }

    /// Submits nothing but the wait for an acquire's semaphore; whether that went well.
    fn wait_for_acquire(&self, acquired: vk::Semaphore, value: u64) -> bool {
        let stages = vk::PipelineStageFlags2::ALL_COMMANDS;
        let wait = [vk::SemaphoreSubmitInfo::default()
            .semaphore(acquired)
            .stage_mask(stages)];
        let timeline = vk::SemaphoreSubmitInfo::default().semaphore(self.status.timeline);
        let signal = [timeline.value(value).stage_mask(stages)];
        let info = vk::SubmitInfo2::default()
            .wait_semaphore_infos(&wait)
            .signal_semaphore_infos(&signal);
        // SAFETY: Q1; the semaphore is of a swapchain that lives, has a pending signal from the acquire and no other wait.
        match unsafe { self.device.submit(self.queue, &[info], vk::Fence::null()) } {
            Ok(()) => true,
            Err(failed) => {
                self.status.note(failed);
                false
            }
        }
    }

    fn acquire(
        &mut self,
        id: u32,
        deadline: Instant,
        resolver: Resolver<Result<Acquired, AcquireError>>,
    ) {
        self.flush();
        if !resolver.is_wanted() {
            return;
        }
        let (device, status, queue) = (
            Arc::clone(&self.device),
            Arc::clone(&self.status),
            self.queue,
        );
        let outcome = match self.chain(id, |chain| chain.acquire(&device, &status, queue)) {
            None => Err(AcquireError::Closed),
            Some(outcome) => outcome,
        };
        match outcome {
            // Submissions that free an image may stand behind this message: let them pass, then try again.
            Err(AcquireError::TimedOut) if Instant::now() < deadline => {
                self.own.send(QueueMessage::Acquire {
                    id,
                    deadline,
                    resolver,
                });
            }
            outcome => {
                if let Err(Ok(unwanted)) = resolver.try_resolve(outcome) {
                    drop(unwanted);
                }
            }
        }
    }

    /// Runs the host's work behind what was submitted before. One that panics is told to whoever waits for its answer.
    fn with_queue(&mut self, act: Box<dyn FnOnce(&ash::Device, vk::Queue) + Send>) {
        self.flush();
        if self.status.is_lost() {
            return;
        }
        let device = self.device.table();
        let run = AssertUnwindSafe(|| self.queue.with(|queue| act(device, queue)));
        let _ = catch_unwind(run);
    }

    /// Closes a swapchain; it goes when the last of its images has come back.
    fn close_swapchain(&mut self, id: u32, done: Resolver<()>) {
        self.flush();
        self.chain(id, |chain| chain.close(done));
        self.destroy_closed();
    }

    fn destroy_closed(&mut self) {
        while let Some(at) = self.swapchains.iter().position(Chain::is_over) {
            self.swapchains
                .swap_remove(at)
                .destroy(&self.device, &self.status, self.queue);
        }
    }
}

impl Handler for QueueOwner {
    type Message = QueueMessage;

    fn handle(&mut self, message: QueueMessage) {
        #[cfg(test)]
        crate::panics::panic_if_planted(&self.status, crate::panics::Who::Queue);
        match message {
            QueueMessage::Submit(ended) => self.submit(ended),
            QueueMessage::Acquire {
                id,
                deadline,
                resolver,
            } => self.acquire(id, deadline, resolver),
            QueueMessage::Abandon { id, image } => self.abandon(id, image),
            QueueMessage::With(act) => self.with_queue(act),
            QueueMessage::CreateSwapchain { source, id } => {
                self.swapchains.push(Chain::new(id, *source));
            }
            QueueMessage::DestroySwapchain { id, done } => self.close_swapchain(id, done),
        }
    }

    fn batch_end(&mut self) {
        self.flush();
    }
}

impl Drop for QueueOwner {
    fn drop(&mut self) {
        self.flush();
        for chain in std::mem::take(&mut self.swapchains) {
            chain.destroy(&self.device, &self.status, self.queue);
        }
        self.status.note_gone();
        let _ = self.pool.send(PoolMessage::OwnerGone);
    }
}
