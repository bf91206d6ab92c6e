//! The queue owner: the one thread that calls `vkQueue*`, and the swapchains on that queue.
//!
//! Waiting submissions go out in one `vkQueueSubmit2`. One that waits for what is not submitted yet is held back, and those
//! behind it go first. The owner may be blocked for a whole frame in `vkQueuePresentKHR`
//! (software drivers are), so nothing that must answer shares its thread.
//!
//! # Invariants
//!
//! - Q1: only this thread uses the queue and the swapchains in `swapchains`.
//! - Q2: timeline values are given out here, in the order of submission.

#![allow(unsafe_code, reason = "submits to a queue")]

use crate::caught::quietly;
use crate::error::{AcquireError, FrameError};
use crate::frame::{FrameShared, lock, resolve};
use crate::names::Text;
use crate::pool::PoolMessage;
use crate::queue::Queue;
use crate::raw::Device;
use crate::request::{MAX_SEMAPHORES, Request};
use crate::retire::Watch;
use crate::status::Status;
use crate::swapchain::{Acquired, Chain, ImageUse, Source};
use crate::ticket::{FrameReport, TicketEnd};
use crate::timeline::Readiness;
use crate::trace::TraceKind;
use agate::{Handle, Handler, Inbox, Port, Resolver};
use ash::vk;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// The most submissions in one `vkQueueSubmit2`.
const MAX_BATCH: usize = 8;

/// A frame whose primary has been ended.
pub(crate) struct Ended {
    pub(crate) frame: u32,
    pub(crate) serial: u64,
    /// Null where the frame failed.
    pub(crate) primary: vk::CommandBuffer,
    pub(crate) error: Option<FrameError>,
    pub(crate) report: FrameReport,
    pub(crate) ticket: TicketEnd,
}

/// What the host wants done with the queue.
pub(crate) type QueueWork = Box<dyn FnOnce(&ash::Device, vk::Queue) + Send>;

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
    /// What a held submission waits for may have been submitted.
    LookAgain,
    /// What is held back now, or would be from now on, is given up: the service shuts down.
    Close,
    /// The host's work with the queue.
    With(QueueWork),
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

    /// Whether both lead to the same owner.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.handle, &other.handle)
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
    request: Request,
    value: u64,
    present: Option<(u32, ImageUse)>,
}

/// A submission that waits for what is not submitted yet.
struct Held {
    ended: Ended,
    request: Request,
    /// When it is given up; `None` where the clock does not go that far.
    until: Option<Instant>,
}

/// How often an owner looks whether it may go on that nobody tells: the host may signal a semaphore by other means, and
/// another owner may find that the device is lost.
const LOOK: Duration = Duration::from_millis(20);

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
    held: Vec<Held>,
    hold_deadline: Duration,
    /// When to look again at what is held.
    look_at: Option<Instant>,
    closing: bool,
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
        (own, hold_deadline): (QueueLink, Duration),
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
            held: Vec::with_capacity(MAX_BATCH),
            hold_deadline,
            look_at: None,
            closing: false,
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
            // An image goes back by itself, as the request is dropped.
            return self.fail(ended, FrameError::DeviceLost);
        }
        let failed = ended.primary == vk::CommandBuffer::null();
        if failed && !request.asks() {
            let error = ended.error.unwrap_or(FrameError::Aborted);
            return self.fail(ended, error);
        }
        let readiness = if failed {
            // Nothing of it is executed, so nothing is waited for.
            Readiness::Ready
        } else {
            request.readiness(&self.device, &self.status, &self.own)
        };
        match readiness {
            Readiness::Ready => self.prepare(ended, request),
            Readiness::Never => self.give_up(ended, request, FrameError::NeverSignalled),
            Readiness::Held if self.closing => self.give_up(ended, request, FrameError::Aborted),
            Readiness::Held => {
                self.status.tally.held();
                let now = Instant::now();
                let until = now.checked_add(self.hold_deadline);
                self.held.push(Held {
                    ended,
                    request,
                    until,
                });
                self.look_at.get_or_insert(now + LOOK);
            }
        }
    }

    /// What a submission waits for has been submitted: it goes out with the others of this batch.
    fn prepare(&mut self, ended: Ended, mut request: Request) {
        let present = match request.present.take().map(|image| self.image_use(image)) {
            Some(None) => return self.fail(ended, FrameError::StaleImage),
            found => found.flatten(),
        };
        let failed = ended.primary == vk::CommandBuffer::null();
        request.settle(ended.ticket.promise(), failed);
        let value = self.next_value;
        self.next_value += 1;
        request.signals.push(
            self.status.timeline,
            value,
            vk::PipelineStageFlags2::ALL_COMMANDS,
        );
        if let Some((_, image)) = present {
            request
                .waits
                .push(image.acquired, 0, request.acquire_stages);
            if !failed {
                request
                    .signals
                    .push(image.rendered, 0, vk::PipelineStageFlags2::ALL_COMMANDS);
            }
        }
        let alone = request.fence != vk::Fence::null();
        if alone {
            self.flush();
        }
        self.ready.push(Ready {
            ended,
            request,
            value,
            present,
        });
        if self.ready.len() == MAX_BATCH || present.is_some() || alone {
            self.flush();
        }
    }

    /// A submission that will never go out.
    fn give_up(&mut self, ended: Ended, mut request: Request, error: FrameError) {
        if let Some(image) = request.present.take() {
            if let Some((id, image)) = self.image_use(image) {
                self.abandon(id, image);
            }
        }
        // What it was to signal will not be.
        drop(request);
        self.fail(ended, error);
    }

    /// Prepares what was held back and need not be any more; whether there was anything.
    fn release_held(&mut self) -> bool {
        if self.held.is_empty() {
            self.look_at = None;
            return false;
        }
        let now = Instant::now();
        let mut released = false;
        let mut at = 0;
        while let Some(held) = self.held.get(at) {
            let verdict = if self.status.is_lost() {
                Err(FrameError::DeviceLost)
            } else {
                match held
                    .request
                    .readiness(&self.device, &self.status, &self.own)
                {
                    Readiness::Ready => Ok(()),
                    Readiness::Never => Err(FrameError::NeverSignalled),
                    Readiness::Held if self.closing => Err(FrameError::Aborted),
                    Readiness::Held if held.until.is_some_and(|until| now >= until) => {
                        Err(FrameError::HeldTooLong)
                    }
                    Readiness::Held => {
                        at += 1;
                        continue;
                    }
                }
            };
            let Held { ended, request, .. } = self.held.remove(at);
            released = true;
            match verdict {
                Ok(()) => self.prepare(ended, request),
                Err(error) => self.give_up(ended, request, error),
            }
        }
        self.look_at = (!self.held.is_empty()).then(|| now + LOOK);
        released
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
        let _ = self.pool.send_and_help(retired);
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
            waits[i] = submission.request.waits.infos();
            signals[i] = submission.request.signals.infos();
            buffers[i] = buffers[i].command_buffer(submission.ended.primary);
        }
        let mut infos = [vk::SubmitInfo2::default(); MAX_BATCH];
        for (i, submission) in ready.iter().enumerate() {
            let count = usize::from(submission.ended.primary != vk::CommandBuffer::null());
            infos[i] = infos[i]
                .wait_semaphore_infos(&waits[i][..submission.request.waits.len])
                .signal_semaphore_infos(&signals[i][..submission.request.signals.len])
                .command_buffer_infos(&buffers[i..i + count]);
            infos[i].p_next = submission.request.next.0;
        }
        // One with a fence is alone.
        let fence = ready
            .last()
            .map_or(vk::Fence::null(), |last| last.request.fence);
        self.status.tally.call(ready.len());
        let first = ready.first().map_or(0, |first| first.ended.serial);
        let _span = self.status.span(TraceKind::Submit, first);
        let serial = |submission: Option<&Ready>| submission.map_or(0, |found| found.ended.serial);
        let label = match (serial(ready.first()), serial(ready.last())) {
            (first, last) if first == last => Text::new(format_args!("frame {first}")),
            (first, last) => Text::new(format_args!("frames {first} to {last}")),
        };
        // SAFETY: Q1; the buffers are executable: the pool's owner ended them and touches them no more until they retire;
        // the semaphores are the service's own, or the host vouches for them (`SubmitOptions`).
        unsafe {
            self.device
                .submit(self.queue, &infos[..ready.len()], fence, &label)
        }
        .map_err(|failed| self.status.note(failed))
    }

    /// What follows a submission: the wait for its end, and its presentation.
    fn submitted(&mut self, ready: Ready, result: Result<(), FrameError>) {
        let Ready {
            mut ended,
            request,
            value,
            present,
        } = ready;
        let failed = ended.primary == vk::CommandBuffer::null();
        if let Err(error) = result {
            if let Some((id, image)) = present {
                self.abandon(id, image);
            }
            drop(request);
            return self.fail(ended, error);
        }
        request.submitted();
        ended.ticket.submitted(value, failed);
        self.status.note_submitted(value);
        let report = &mut ended.report;
        report.submitted = Instant::now();
        let delay = report.submitted.saturating_duration_since(report.ended);
        self.status.tally.submitted(report.replay, delay);
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
                    let _span = status.span(TraceKind::Present, serial);
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
        let label = Text::new(format_args!("image given up"));
        let fence = vk::Fence::null();
        // SAFETY: Q1; the semaphore is of a swapchain that lives, has a pending signal from the acquire and no other wait.
        match unsafe { self.device.submit(self.queue, &[info], fence, &label) } {
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
        let _span = self.status.span(TraceKind::Acquire, 0);
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
                    // At once: an owner that is about to end hears no more of what it is sent.
                    let (id, image) = unwanted.into_use();
                    self.abandon(id, image);
                }
            }
        }
    }

    /// Runs the host's work behind what was submitted before. One that panics is told to whoever waits for its answer.
    fn with_queue(&mut self, act: QueueWork) {
        self.flush();
        if self.status.is_lost() {
            // What it holds is the host's.
            quietly(|| drop(act));
            return;
        }
        let _span = self.status.span(TraceKind::HostWork, 0);
        let device = self.device.table();
        quietly(|| self.queue.with(|queue| act(device, queue)));
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
        #[cfg(all(test, not(loom)))]
        crate::panics::panic_if_planted(&self.status, crate::panics::Who::Queue);
        match message {
            QueueMessage::Submit(ended) => self.submit(ended),
            QueueMessage::Acquire {
                id,
                deadline,
                resolver,
            } => self.acquire(id, deadline, resolver),
            QueueMessage::Abandon { id, image } => self.abandon(id, image),
            // `batch_end` looks.
            QueueMessage::LookAgain => {}
            QueueMessage::Close => self.closing = true,
            QueueMessage::With(act) => self.with_queue(act),
            QueueMessage::CreateSwapchain { source, id } => {
                self.swapchains.push(Chain::new(id, *source));
            }
            QueueMessage::DestroySwapchain { id, done } => self.close_swapchain(id, done),
        }
    }

    fn batch_end(&mut self) {
        self.flush();
        // What went out may be what another waited for.
        while self.release_held() {
            self.flush();
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        self.look_at
    }

    fn wake(&mut self) {
        self.batch_end();
    }
}

impl Drop for QueueOwner {
    fn drop(&mut self) {
        self.flush();
        for Held { ended, request, .. } in std::mem::take(&mut self.held) {
            self.give_up(ended, request, FrameError::Aborted);
        }
        for chain in std::mem::take(&mut self.swapchains) {
            chain.destroy(&self.device, &self.status, self.queue);
        }
        self.status.note_gone();
        let _ = self.pool.send_and_help(PoolMessage::OwnerGone);
    }
}
