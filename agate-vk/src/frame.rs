//! Frames, passes and slots: what the main thread declares and what jobs take.

#![allow(
    unsafe_code,
    reason = "declares the unsafe methods that record commands"
)]

mod contents;
mod layout;
mod pass;
mod secondaries;

pub(crate) use contents::Inheritance;
pub use contents::MAX_COLOR_FORMATS;
pub(crate) use layout::Layout;
pub(crate) use pass::SlotToken;
pub use pass::{Pass, Slot};

use crate::after::{Point, Promise, Work};
use crate::caught::quietly;
use crate::checks::Standing;
use crate::error::{BeginError, PassError, RecordError, SlotLoss};
use crate::pool::PoolMessage;
use crate::recorder::{Recorder, StreamRecorder};
use crate::request::{Request, SubmitOptions};
use crate::service::Shared;
use crate::ticket::{FrameResult, Ticket, TicketEnd};
use agate::Port;
use agate::Resolver;
use ash::vk;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// The most passes that a frame can have.
pub const MAX_PASSES: u32 = 64;

/// Where a recording belongs: its frame, its pass and its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotPlace {
    /// The number of the frame, counted from 1 as long as the service lives.
    pub serial: u64,
    /// The pass, in order of declaration.
    pub pass: u32,
    /// The slot in the pass; the commands that begin and end a pass have the slots `u32::MAX - 1` and `u32::MAX`.
    pub slot: u32,
    /// Which of the frames in flight.
    pub(crate) frame: u32,
    /// The position in the frame's one order of replay.
    pub(crate) part: u32,
}

impl SlotPlace {
    /// Whether the owner's own commands stand there, which begin or end a pass.
    pub(crate) fn is_owners(&self) -> bool {
        self.slot >= BEGIN_SLOT
    }
}

pub(crate) const BEGIN_SLOT: u32 = u32::MAX - 1;
pub(crate) const END_SLOT: u32 = u32::MAX;

/// What a frame in flight shares between the main thread and the jobs. Made once, used by every `n`-th frame.
pub(crate) struct FrameShared {
    pub(crate) index: u32,
    pub(crate) service: Arc<Shared>,
    /// Per part: the serial of the frame that took it last. Serials only grow, so nothing is reset between frames, and a
    /// pass of an older frame can take nothing.
    taken: Box<[AtomicU64]>,
    /// Per pass: `serial << 16 | next slot` for `next_slot`.
    cursors: Box<[AtomicU64]>,
    layouts: Arc<[Layout]>,
    /// What to submit the frame with. Written by the main thread before it sends `Submit`, taken by the queue's owner
    /// after; the two never meet, so the lock is never waited for.
    pub(crate) request: Mutex<Option<Request>>,
    /// The frame that has this place, and what becomes of it, for jobs. Locked for no longer than it takes to look.
    point: Mutex<Option<(u64, Arc<Point>)>>,
}

impl FrameShared {
    pub(crate) fn new(
        index: u32,
        service: Arc<Shared>,
        max_slots: u32,
        layouts: Arc<[Layout]>,
    ) -> Self {
        let words = |count: u32| (0..count).map(|_| AtomicU64::new(0)).collect();
        Self {
            index,
            service,
            taken: words(max_slots),
            cursors: words(MAX_PASSES),
            layouts,
            request: Mutex::new(None),
            point: Mutex::new(None),
        }
    }

    /// Does `work` when the frame `serial` is over; here and now where it is.
    pub(crate) fn after(&self, serial: u64, work: Work) {
        let point = lock(&self.point).clone();
        match point.filter(|(of, _)| *of == serial) {
            Some((_, point)) => point.add(work),
            None => {
                quietly(work);
            }
        }
    }

    fn layout(&self) -> &Layout {
        &self.layouts[self.index as usize]
    }

    /// Takes the part for the frame `serial`; false if it was taken, or if that frame is over.
    fn take(&self, part: u32, serial: u64) -> bool {
        let word = &self.taken[part as usize];
        let last = word.load(Ordering::Relaxed);
        last < serial
            && word
                .compare_exchange(last, serial, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
    }
}

/// One frame while it is declared and recorded: passes in order, each with slots for jobs, then one submission.
///
/// Made by [`Service::begin_frame_timeout`](crate::Service::begin_frame_timeout). Everything in it goes into ONE primary
/// command buffer of one command pool; of a pass whose contents are secondary command buffers, the primary executes those.
/// Dropping it without [`submit`](Self::submit) discards what was recorded.
#[must_use = "a frame that is dropped is discarded"]
pub struct Frame {
    shared: Arc<FrameShared>,
    port: Port<PoolMessage>,
    serial: u64,
    passes: u32,
    parts: u32,
    /// Per pass: the part of its first slot.
    starts: [u32; MAX_PASSES as usize],
    /// Until it is submitted.
    promise: Option<Promise>,
}

impl Frame {
    /// Tells the pool's owner to begin; `credit` resolves when the frame has retired.
    pub(crate) fn begin(
        shared: Arc<FrameShared>,
        serial: u64,
        credit: Resolver<()>,
    ) -> Result<Self, BeginError> {
        // J2. What came when the frame before was over.
        shared.service.jumbos[shared.index as usize].clear();
        let port = shared
            .service
            .pool
            .attach()
            .map_err(|_| BeginError::Closed)?;
        let message = PoolMessage::Begin {
            frame: shared.index,
            serial,
            credit,
            began: Instant::now(),
        };
        port.send_and_help(message)
            .map_err(|_| BeginError::Closed)?;
        let promise = Some(shared.service.points.promise(serial));
        let point = promise.as_ref().and_then(Promise::point);
        *lock(&shared.point) = point.map(|point| (serial, Arc::clone(point)));
        Ok(Self {
            shared,
            port,
            serial,
            passes: 0,
            parts: 0,
            starts: [0; MAX_PASSES as usize],
            promise,
        })
    }

    /// What becomes of the frame.
    pub(crate) fn promise(&self) -> Option<&Promise> {
        self.promise.as_ref()
    }

    /// The number of this frame, counted from 1 as long as the service lives.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// A pass outside of rendering, for barriers, copies and dispatches.
    ///
    /// # Errors
    ///
    /// [`PassError`]: too many slots or passes.
    pub fn outside(&mut self, slots: u32) -> Result<Pass, PassError> {
        let pass = self.next_pass(slots, None)?;
        Ok(self.declare(pass, slots, Standing::OUTSIDE))
    }

    /// A pass inside one dynamic rendering, contents inline. The owner begins and ends it.
    ///
    /// # Errors
    ///
    /// [`PassError`]: too many slots or passes, or the begin could not be recorded (a structure in `pNext` that nobody
    /// knows, or dynamic rendering is not loaded).
    ///
    /// # Safety
    ///
    /// The valid usage of `vkCmdBeginRendering` and `vkCmdEndRendering`; the attachments live until the frame's ticket
    /// has resolved.
    #[doc(alias = "vkCmdBeginRendering")]
    pub unsafe fn rendering(
        &mut self,
        info: &vk::RenderingInfo<'_>,
        slots: u32,
    ) -> Result<Pass, PassError> {
        if !self.shared.service.device.has_dynamic_rendering() {
            return Err(RecordError::NotLoaded {
                command: "vkCmdBeginRendering",
            }
            .into());
        }
        self.enclosed(
            (slots, None),
            // SAFETY: the caller's contract.
            |recorder| unsafe { recorder.cmd_begin_rendering(info) },
            // SAFETY: it ends what was begun.
            |recorder| unsafe { recorder.cmd_end_rendering() },
        )
    }

    /// A pass inside the first subpass of a render pass, contents inline. The owner begins and ends it.
    ///
    /// # Errors
    ///
    /// [`PassError`]: too many slots or passes, or the begin could not be recorded (a structure in `pNext`
    /// that nobody knows).
    ///
    /// # Safety
    ///
    /// The valid usage of `vkCmdBeginRenderPass` and `vkCmdEndRenderPass`; render pass, framebuffer and attachments live
    /// until the frame's ticket has resolved.
    #[doc(alias = "vkCmdBeginRenderPass")]
    pub unsafe fn render_pass(
        &mut self,
        info: &vk::RenderPassBeginInfo<'_>,
        slots: u32,
    ) -> Result<Pass, PassError> {
        self.enclosed(
            (slots, None),
            // SAFETY: the caller's contract.
            |recorder| unsafe { recorder.cmd_begin_render_pass(info, vk::SubpassContents::INLINE) },
            // SAFETY: it ends what was begun.
            |recorder| unsafe { recorder.cmd_end_render_pass() },
        )
    }

    /// Ends the declaration and asks for the submission. Returns at once: the owner submits when the last slot is
    /// recorded. A slot that nobody has taken by now is lost.
    ///
    /// The ticket resolves when the GPU has executed the frame, or with what went wrong.
    ///
    /// Frames go to the queue as they become complete. One with a slot that is late lets those behind it pass, and two that
    /// become complete at about the same time may go in either order. Where one needs what the other does, say so by
    /// [`SubmitOptions::after`].
    ///
    /// # Progress
    ///
    /// Lock-free; wakes the owner if it sleeps, or [does its work](crate::ServiceOptions::driven_by_users). In a service
    /// with shards it does what is left of theirs too: the replay of slots whose jobs found them busy.
    pub fn submit(mut self, options: SubmitOptions<'_>) -> Ticket {
        self.layout().set(&self.starts[..self.passes as usize]);
        self.lose_untaken();
        self.tell_of_leases();
        let shards = &self.shared.service.shards;
        shards.flush(self.shared.index, self.serial);
        let (resolver, completion) = self.shared.service.tickets.pair();
        let point = self.promise.as_ref().and_then(Promise::point).cloned();
        let ticket = Ticket::new(completion, point);
        let Some(promise) = self.promise.take() else {
            return ticket;
        };
        let end = TicketEnd::new(resolver, promise);
        match Request::new(options) {
            Ok(request) => {
                let record_only = request.is_none();
                *lock(&self.shared.request) = request;
                self.send_submit(end, record_only);
            }
            Err(error) => {
                // A closed owner drops it, and the ticket tells.
                let _ = self.port.send_and_help(PoolMessage::Refused {
                    frame: self.shared.index,
                    serial: self.serial,
                    ticket: end,
                    error,
                });
            }
        }
        ticket
    }

    fn send_submit(&self, ticket: TicketEnd, record_only: bool) {
        let message = PoolMessage::Submit {
            frame: self.shared.index,
            serial: self.serial,
            parts: self.parts,
            record_only,
            ticket,
        };
        if self.port.send_and_help(message).is_err() {
            // The message came back and was dropped with its resolver: the ticket tells. An acquired image goes back too.
            drop(lock(&self.shared.request).take());
        }
    }

    /// The owner hears of what leases have finished so far; of the rest from them.
    fn tell_of_leases(&self) {
        let stock = &self.shared.service.stocks[self.shared.index as usize];
        stock.notes.submitted(self.serial, &self.port);
    }

    /// Slots that nobody took when the frame is submitted will never come.
    fn lose_untaken(&self) {
        for part in 0..self.parts {
            if self.shared.take(part, self.serial) {
                let (pass, slot) = self.layout().place(part);
                let place = SlotPlace {
                    serial: self.serial,
                    pass,
                    slot,
                    frame: self.shared.index,
                    part,
                };
                let _ = self.port.send(PoolMessage::Lost {
                    place,
                    loss: SlotLoss::NotTaken,
                });
            }
        }
    }

    fn layout(&self) -> &Layout {
        self.shared.layout()
    }

    /// A pass between two commands of the owner's.
    fn enclosed(
        &mut self,
        (slots, contents): (u32, Option<Inheritance>),
        begin: impl FnOnce(&mut StreamRecorder),
        end: impl FnOnce(&mut StreamRecorder),
    ) -> Result<Pass, PassError> {
        let standing = Standing::INSIDE.in_secondary(contents.is_some());
        let pass = self.next_pass(slots.saturating_add(2), contents)?;
        self.own_part(pass, BEGIN_SLOT, begin)?;
        let declared = self.declare(pass, slots, standing);
        self.own_part(pass, END_SLOT, end)?;
        Ok(declared)
    }

    fn next_pass(&mut self, parts: u32, contents: Option<Inheritance>) -> Result<u32, PassError> {
        let max = self.shared.taken.len() as u32;
        if self.parts.saturating_add(parts) > max {
            return Err(PassError::TooManySlots { max });
        }
        if self.passes == MAX_PASSES {
            return Err(PassError::TooManyPasses { max: MAX_PASSES });
        }
        self.passes += 1;
        let pass = self.passes - 1;
        self.layout().set_contents(pass, contents);
        Ok(pass)
    }

    fn declare(&mut self, pass: u32, slots: u32, standing: Standing) -> Pass {
        let first_part = self.parts;
        self.starts[pass as usize] = first_part;
        self.parts += slots;
        Pass {
            shared: Arc::clone(&self.shared),
            serial: self.serial,
            pass,
            first_part,
            slots,
            standing,
        }
    }

    /// Records the next part on this thread.
    fn own_part(
        &mut self,
        pass: u32,
        slot: u32,
        record: impl FnOnce(&mut StreamRecorder),
    ) -> Result<(), PassError> {
        let start = self.starts[pass as usize];
        let mut taken = self.declare(pass, 1, Standing::OWN).slot(0)?;
        if slot == END_SLOT {
            // The pass starts with its first slot, not with its end.
            self.starts[pass as usize] = start;
        }
        if let Some(token) = &mut taken.token {
            token.place.slot = slot;
        }
        let mut recorder = taken.stream()?;
        record(&mut recorder);
        Ok(recorder.finish()?)
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        if let Some(promise) = self.promise.take() {
            let _ = self.port.send_and_help(PoolMessage::Abort {
                frame: self.shared.index,
                serial: self.serial,
                promise: Some(promise),
            });
        }
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame")
            .field("serial", &self.serial)
            .field("passes", &self.passes)
            .finish_non_exhaustive()
    }
}

/// Resolves a ticket; a host that has dropped it does not want to know.
pub(crate) fn resolve(ticket: TicketEnd, result: FrameResult) {
    ticket.resolve(result);
}

/// Locks a mutex whose data is valid even if a holder panicked.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
