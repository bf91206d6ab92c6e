//! The pool owner: it alone touches command pools and their buffers, on a thread of its own or, with shards, on those of
//! its users. It replays what jobs recorded.
//!
//! One pool and one primary command buffer for each frame in flight. Blocks are replayed as they come, in slot order: the
//! commands of the first slot that is not complete go out at once, the others wait for their turn. A slot of a pass with
//! secondary contents has a buffer of its own and is replayed at once; the primary executes it at its turn.
//!
//! # Invariants
//!
//! - P1: the handler alone calls a function on a pool, or on a buffer of a pool, that is in its `frames`: on one thread at a
//!   time. Those that are lent are `stock`'s.
//! - P2: a pool is reset only after its frame has retired, or when its frame was never handed to the queue's owner.
//! - P3: messages of jobs may overtake `Begin`, which comes through another lane: they wait in the frame's parts.
//! - P4: the list of a part's waiting blocks is linked through the blocks' own memory, so replay allocates nothing.

mod ending;
mod part;
mod secondaries;
mod shards;

use crate::after::Promise;
use crate::error::{FrameError, RecordError, SlotLoss};
use crate::frame::{Layout, SlotPlace, resolve};
use crate::idle::Idle;
use crate::keeper::Alarm;
use crate::raw::{Device, Failed};
use crate::recorder::{Jumbos, Published};
use crate::service::{MissingSlot, ServiceOptions};
use crate::shard::ShardMessage;
use crate::status::Status;
use crate::stock::{Lease, Stock};
use crate::submit::{Ended, QueueLink, QueueMessage};
use crate::ticket::{FrameReport, TicketEnd};
use crate::trace::TraceKind;
use agate::{BlockPool, Handler, Port, Resolver};
use ash::vk;
use part::{InFlight, Stage, Submission};
pub(crate) use secondaries::{Lent, Secondaries};
use shards::{ShardPorts, Then};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the pool owner is told.
pub(crate) enum PoolMessage {
    /// A frame begins.
    Begin {
        frame: u32,
        serial: u64,
        credit: Resolver<()>,
        began: Instant,
    },
    /// Commands of a slot.
    Block(Published),
    /// A slot of a pass with secondary contents, complete: it was recorded elsewhere.
    Ready { place: SlotPlace, lent: Lent },
    /// Recording such a slot has failed.
    Failed { place: SlotPlace, error: FrameError },
    /// Who looks after this owner, where its users drive it; before the first frame.
    Keeper(Alarm),
    /// The way to the shards, before the first frame.
    Shards(Vec<Port<ShardMessage>>),
    /// A shard does nothing for a frame any more.
    ShardDone { shard: u32, frame: u32, serial: u64 },
    /// A shard has ended.
    ShardGone { shard: u32 },
    /// Nothing, or nothing more, comes for a slot.
    Lost { place: SlotPlace, loss: SlotLoss },
    /// The frame has so many parts, and is to be submitted when they are all there.
    Submit {
        frame: u32,
        serial: u64,
        parts: u32,
        /// The queue's owner is not to hear of it.
        record_only: bool,
        ticket: TicketEnd,
    },
    /// The frame will not be submitted; when it has been given up, `promise` ends.
    Abort {
        frame: u32,
        serial: u64,
        promise: Option<Promise>,
    },
    /// The frame cannot be submitted as the host wants it; the ticket says so when it has been given up.
    Refused {
        frame: u32,
        serial: u64,
        ticket: TicketEnd,
        error: FrameError,
    },
    /// The GPU has executed the frame, or (not `executed`) nobody can tell whether it has.
    Retired {
        frame: u32,
        serial: u64,
        executed: bool,
    },
    /// Frames that are not submitted yet are aborted: the service shuts down.
    AbortAll,
    /// The queue's or retirement's owner has ended. Before a shutdown that means a panic: no frame begins any more, and
    /// nobody waits for a credit.
    OwnerGone,
}

/// See the module.
pub(crate) struct PoolOwner {
    device: Arc<Device>,
    status: Arc<Status>,
    missing: MissingSlot,
    slot_deadline: Duration,
    queue: QueueLink,
    layouts: Arc<[Layout]>,
    frames: Vec<InFlight>,
    /// The pools that are lent, for each frame in flight.
    stocks: Arc<[Stock]>,
    /// The commands that are larger than a block, likewise.
    jumbos: Arc<[Jumbos]>,
    /// Those of a stock that are being reset.
    taken: Vec<Lease>,
    shards: ShardPorts,
    /// When to look again at the frames that a lease is just beginning or ending for.
    look_at: Option<Instant>,
    idle: Idle,
    /// Where users drive this owner.
    alarm: Option<Alarm>,
    /// The service shuts down: what begins now is aborted.
    closing: bool,
    /// Another owner has ended: nothing is submitted any more.
    gone: bool,
}

impl PoolOwner {
    /// Makes the pools and buffers, on the owner's thread; with what went wrong, where something did.
    pub(crate) fn new(
        device: Arc<Device>,
        status: Arc<Status>,
        (queue, layouts, stocks): (QueueLink, Arc<[Layout]>, Arc<[Stock]>),
        (blocks, jumbos): (BlockPool, Arc<[Jumbos]>),
        options: &ServiceOptions,
    ) -> (Self, Option<Failed>) {
        let mut owner = Self {
            device,
            status,
            missing: options.missing_slot,
            slot_deadline: options.slot_deadline,
            queue,
            layouts,
            frames: Vec::new(),
            stocks,
            jumbos,
            taken: Vec::with_capacity(options.max_leases as usize),
            shards: ShardPorts::default(),
            look_at: None,
            idle: Idle::new(blocks, options.trim_after),
            alarm: None,
            closing: false,
            gone: false,
        };
        let failed = owner.make_frames(options).err();
        (owner, failed)
    }

    fn make_frames(&mut self, options: &ServiceOptions) -> Result<(), Failed> {
        for _ in 0..options.frames_in_flight {
            let pool = self.device.create_pool(options.queue_family)?;
            let mut frame = InFlight::new(pool, options);
            let level = vk::CommandBufferLevel::PRIMARY;
            let primary = self.device.allocate_buffer(frame.pool, level);
            frame.primary = primary.unwrap_or_default();
            // From here on `Drop` destroys the pool, whatever fails.
            self.frames.push(frame);
            primary?;
        }
        Ok(())
    }

    /// The frame that a message of the main thread or of retirement speaks of, unless it speaks of an older one.
    fn frame(&mut self, frame: u32, serial: u64) -> Option<&mut InFlight> {
        self.frames
            .get_mut(frame as usize)
            .filter(|frame| frame.begun && frame.serial == serial)
    }

    /// The frame that a job's message speaks of, which may come before the frame's `Begin`.
    fn frame_of_job(&mut self, place: SlotPlace) -> Option<&mut InFlight> {
        let frame = self.frames.get_mut(place.frame as usize)?;
        if place.serial <= frame.over {
            return None;
        }
        if !frame.begun {
            frame.serial = place.serial;
        }
        (frame.serial == place.serial).then_some(frame)
    }

    fn begin(&mut self, index: u32, serial: u64, credit: Resolver<()>, began: Instant) {
        let (device, status) = (Arc::clone(&self.device), Arc::clone(&self.status));
        let layouts = Arc::clone(&self.layouts);
        let streams = self.missing == MissingSlot::Fail;
        self.idle.busy();
        let Some(frame) = self.frames.get_mut(index as usize) else {
            return;
        };
        frame.serial = serial;
        frame.begun = true;
        frame.credit = Some(credit);
        // What others recorded may have been counted already.
        (frame.report.serial, frame.report.began) = (serial, began);
        if status.is_lost() {
            frame.error = Some(FrameError::DeviceLost);
        }
        if self.gone {
            frame.credit = None;
            frame.error = Some(FrameError::OwnerPanicked);
        }
        if frame.error.is_none() {
            if let Err(failed) = frame.start(&device) {
                frame.error = Some(status.note(failed));
            }
        }
        // What jobs sent before this came.
        for part in 0..frame.parts.len() as u32 {
            frame.feed_or_fail(part, &layouts[index as usize], &device, &status);
        }
        frame.advance(&device, streams);
        if self.closing {
            self.abort(index, serial);
        }
    }

    fn block(&mut self, block: Published) {
        let Some(header) = block.header() else {
            return;
        };
        let place = header.place;
        let _span = self.status.span(TraceKind::Replay, place.serial);
        let (device, status) = (Arc::clone(&self.device), Arc::clone(&self.status));
        let layouts = Arc::clone(&self.layouts);
        // A block of an older frame, or of one that was aborted, goes back to its pool here.
        let Some(frame) = self.frame_of_job(place) else {
            return;
        };
        if frame.is_past(place) {
            return;
        }
        let part = frame.part(place.part);
        part.complete |= header.last;
        part.blocks.push(block);
        frame.feed_or_fail(place.part, &layouts[place.frame as usize], &device, &status);
        self.go_on(place);
    }

    fn ready(&mut self, place: SlotPlace, lent: Lent) {
        // Where the frame or the slot is over the buffer goes back here: nothing executes it.
        let Some(frame) = self.frame_of_job(place) else {
            return;
        };
        if frame.is_past(place) || frame.part(place.part).complete {
            return;
        }
        let part = frame.part(place.part);
        part.complete = true;
        part.secondary = lent.buffer();
        part.lent = Some(lent);
        self.go_on(place);
    }

    /// Replays and ends what can be, after something has come of a slot.
    fn go_on(&mut self, place: SlotPlace) {
        let (device, streams) = (Arc::clone(&self.device), self.missing == MissingSlot::Fail);
        if let Some(frame) = self.frame_of_job(place) {
            frame.advance(&device, streams);
        }
        self.finish_if_complete(place.frame, place.serial);
    }

    fn lost(&mut self, place: SlotPlace, loss: SlotLoss) {
        let missing = self.missing;
        let Some(frame) = self.frame_of_job(place) else {
            return;
        };
        if frame.is_past(place) {
            return;
        }
        if loss == SlotLoss::Failed(RecordError::DeviceLost) {
            frame.error.get_or_insert(FrameError::DeviceLost);
        }
        // Without its begin or its end a rendering pass cannot be executed, whatever the policy.
        if missing == MissingSlot::Fail || place.is_owners() {
            frame.error.get_or_insert(FrameError::SlotLost {
                pass: place.pass,
                slot: place.slot,
                loss,
            });
        }
        let part = frame.part(place.part);
        part.complete = true;
        part.blocks.clear();
        // What is recorded in it is not executed.
        part.secondary = vk::CommandBuffer::null();
        frame.settling.lossy = true;
        self.go_on(place);
    }

    fn submit(&mut self, frame: u32, serial: u64, submission: Submission) {
        match self.frame(frame, serial) {
            Some(found) => found.submission = Some(submission),
            None => return resolve(submission.ticket, Err(FrameError::Aborted)),
        }
        if self.closing {
            self.abort(frame, serial);
        }
        self.finish_if_complete(frame, serial);
        let expires = Instant::now().checked_add(self.slot_deadline);
        if let Some(waits) = self.frame(frame, serial).filter(|f| f.submission.is_some()) {
            waits.expires = expires;
        }
    }

    /// Gives up what is missing of frames that have waited long enough.
    fn expire(&mut self) {
        let now = Instant::now();
        for index in 0..self.frames.len() {
            let frame = &mut self.frames[index];
            let due = frame.expires.is_some_and(|expires| now >= expires);
            let Some(submission) = frame.submission.as_ref().filter(|_| due) else {
                continue;
            };
            let (total, serial) = (submission.parts as u32, frame.serial);
            frame.expires = None;
            for part in frame.current as u32..total {
                if self.frames[index].part(part).complete {
                    continue;
                }
                let (pass, slot) = self.layouts[index].place(part);
                let place = SlotPlace {
                    serial,
                    pass,
                    slot,
                    frame: index as u32,
                    part,
                };
                self.lost(place, SlotLoss::Expired);
            }
        }
    }

    /// Ends the primary and hands the frame to the queue's owner, when every part is there. One that is only to be recorded
    /// is over then.
    fn finish_if_complete(&mut self, index: u32, serial: u64) {
        let (device, status) = (Arc::clone(&self.device), Arc::clone(&self.status));
        let gone = (self.gone || self.status.is_gone()) && !self.closing;
        let Some(frame) = self.frame(index, serial) else {
            return;
        };
        let current = frame.current;
        let submission = frame.submission.as_ref();
        if submission.is_none_or(|submission| current < submission.parts)
            || !self.is_settled(index, serial, gone)
            || !self.is_left(index, serial, Then::Finish)
        {
            return;
        }
        let Some(frame) = self.frame(index, serial) else {
            return;
        };
        let Some(Submission {
            record_only,
            ticket,
            ..
        }) = frame.submission.take()
        else {
            return;
        };
        frame.expires = None;
        if gone {
            frame.settling.ticket = Some((ticket, Err(FrameError::OwnerPanicked)));
            return self.recycle(index, serial);
        }
        // A frame that failed may be inside a rendering pass: its buffer is not ended, only reset.
        if frame.is_recording() {
            frame.secondaries.execute(&device, frame.primary);
            device.end_label(frame.primary);
            if let Err(failed) = device.end(frame.primary) {
                let error = status.note(failed);
                frame.error.get_or_insert(error);
            }
        }
        frame.report.ended = Instant::now();
        frame.cooling.release();
        if record_only {
            let report = FrameReport {
                submitted: frame.report.ended,
                retired: frame.report.ended,
                ..frame.report
            };
            let result = frame.error.map_or(Ok(report), Err);
            frame.settling.ticket = Some((ticket, result));
            return self.recycle(index, serial);
        }
        frame.stage = Stage::Submitted;
        let primary = if frame.error.is_none() {
            frame.primary
        } else {
            vk::CommandBuffer::null()
        };
        let ended = Ended {
            frame: index,
            serial,
            primary,
            error: frame.error,
            report: frame.report,
            ticket,
        };
        if !self.queue.send(QueueMessage::Submit(ended)) {
            // The queue's owner is gone: the ticket was resolved when the message was dropped; nothing was submitted.
            self.recycle(index, serial);
        }
    }

    fn retired(&mut self, index: u32, serial: u64, executed: bool) {
        if executed || self.status.is_lost() {
            return self.recycle(index, serial);
        }
        if let Some(frame) = self.frame(index, serial) {
            frame.stage = Stage::Leaked;
            frame.credit = None;
        }
    }

    /// Makes the frame's pool ready for the next frame; the credit goes back when the shards are ready too.
    fn recycle(&mut self, index: u32, serial: u64) {
        let (device, status) = (Arc::clone(&self.device), Arc::clone(&self.status));
        if self.frame(index, serial).is_some() && !status.is_lost() {
            // No more are lent. P2, for those that were and are back.
            self.stocks[index as usize].ending.end(serial);
            self.stocks[index as usize].reset(&device, &mut self.taken);
        }
        let Some(frame) = self.frame(index, serial) else {
            return;
        };
        frame.clear();
        frame.stage = Stage::NotReset;
        if !status.is_lost() {
            // P2: the frame has retired or was never submitted.
            match device.reset_pool(frame.pool) {
                Ok(()) => frame.stage = Stage::Idle,
                Err(failed) => {
                    status.note(failed);
                }
            }
        }
        frame.begun = false;
        frame.over = serial;
        self.close(index, serial);
    }

    /// Gives the credit of a frame back that is over, and tells those who wait for that.
    fn give_back(&mut self, index: u32) {
        let over = self.frames[index as usize].over;
        if !self.is_left(index, over, Then::GiveBack) {
            return;
        }
        // J2: the shards have answered, where there are any.
        self.jumbos[index as usize].clear();
        let frame = &mut self.frames[index as usize];
        let (promise, ticket) = (frame.settling.promise.take(), frame.settling.ticket.take());
        if let Some(credit) = frame.credit.take() {
            credit.resolve(());
        }
        if let Some((ticket, result)) = ticket {
            resolve(ticket, result);
        }
        drop(promise);
        if !self.frames.iter().any(|frame| frame.begun) {
            self.idle.rest();
        }
    }

    /// Gives memory back if nothing has been recorded for a while.
    fn trim(&mut self) {
        if !self.idle.trim() {
            return;
        }
        for (frame, stock) in self.frames.iter().zip(&*self.stocks) {
            // P1, P2: nothing of it is pending.
            if frame.stage == Stage::Idle && !self.status.is_lost() {
                stock.trim(&self.device, frame.over, &mut self.taken);
                self.device.trim_pool(frame.pool);
            }
        }
        self.trim_shards();
    }

    /// The host has dropped a frame.
    fn abandon(&mut self, index: u32, serial: u64, promise: Option<Promise>) {
        // Not before nobody records for it any more.
        if let Some(frame) = self.frames.get_mut(index as usize) {
            if frame.serial == serial && (frame.begun || frame.settling.is_open()) {
                frame.settling.promise = promise;
            }
        }
        self.abort(index, serial);
    }

    /// The host has asked for what cannot be submitted.
    fn refuse(&mut self, index: u32, serial: u64, ticket: TicketEnd, error: FrameError) {
        let Some(frame) = self.frame(index, serial) else {
            return resolve(ticket, Err(error));
        };
        // Not before nobody records for it any more.
        frame.settling.ticket = Some((ticket, Err(error)));
        self.abort(index, serial);
    }

    /// Ends a frame that waits for parts. One that is to be submitted still goes to the queue's owner, empty, so that its
    /// semaphores and its image are cared for and its ticket resolves.
    fn abort(&mut self, index: u32, serial: u64) {
        let Some(frame) = self.frame(index, serial) else {
            return;
        };
        match (frame.stage, &frame.submission) {
            (Stage::Submitted | Stage::Leaked, _) => {}
            (_, None) => self.recycle(index, serial),
            (_, Some(submission)) => {
                frame.current = submission.parts;
                frame.error.get_or_insert(FrameError::Aborted);
                self.finish_if_complete(index, serial);
            }
        }
    }

    /// Nobody will say of the frames that were handed over whether they have been executed.
    fn owner_gone(&mut self) {
        self.gone = true;
        for frame in &mut self.frames {
            if frame.stage == Stage::Submitted {
                frame.stage = Stage::Leaked;
            }
            frame.credit = None;
        }
    }

    /// Notes when to do what is not told by a message.
    fn plan(&mut self) {
        self.plan_help();
        if let Some(alarm) = &self.alarm {
            alarm.set(self.wake_at());
        }
    }

    fn abort_all(&mut self) {
        self.closing = true;
        for index in 0..self.frames.len() {
            let serial = self.frames[index].serial;
            self.abort(index as u32, serial);
        }
    }
}

impl Handler for PoolOwner {
    type Message = PoolMessage;

    fn handle(&mut self, message: PoolMessage) {
        #[cfg(all(test, not(loom)))]
        crate::panics::panic_if_planted(&self.status, crate::panics::Who::Pool);
        match message {
            PoolMessage::Block(block) => self.block(block),
            PoolMessage::Ready { place, lent } => self.ready(place, lent),
            PoolMessage::Lost { place, loss } => self.lost(place, loss),
            PoolMessage::Begin {
                frame,
                serial,
                credit,
                began,
            } => self.begin(frame, serial, credit, began),
            PoolMessage::Submit {
                frame,
                serial,
                parts,
                record_only,
                ticket,
            } => {
                let submission = Submission {
                    parts: parts as usize,
                    record_only,
                    ticket,
                };
                self.submit(frame, serial, submission);
            }
            PoolMessage::Retired {
                frame,
                serial,
                executed,
            } => self.retired(frame, serial, executed),
            PoolMessage::Abort {
                frame,
                serial,
                promise,
            } => self.abandon(frame, serial, promise),
            PoolMessage::Refused {
                frame,
                serial,
                ticket,
                error,
            } => self.refuse(frame, serial, ticket, error),
            PoolMessage::Failed { place, error } => self.failed(place, error),
            PoolMessage::Keeper(alarm) => self.alarm = Some(alarm),
            PoolMessage::Shards(ports) => self.shards(ports),
            PoolMessage::ShardDone {
                shard,
                frame,
                serial,
            } => self.shard_done(shard, frame, serial),
            PoolMessage::ShardGone { shard } => self.shard_gone(shard),
            PoolMessage::AbortAll => self.abort_all(),
            PoolMessage::OwnerGone => self.owner_gone(),
        }
    }

    fn batch_end(&mut self) {
        // Other frames may keep the owner from sleeping.
        if self.frames.iter().any(|frame| frame.expires.is_some()) {
            self.expire();
        }
        self.plan();
    }

    fn wake_at(&self) -> Option<Instant> {
        let expires = self.frames.iter().filter_map(|frame| frame.expires).min();
        let others = [self.idle.trim_at(), self.shards.help_at(), self.look_at];
        expires
            .into_iter()
            .chain(others.into_iter().flatten())
            .min()
    }

    fn wake(&mut self) {
        #[cfg(all(test, not(loom)))]
        self.status
            .wakes
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.help_shards();
        self.look_again();
        self.expire();
        self.trim();
        self.plan();
    }
}

impl Drop for PoolOwner {
    fn drop(&mut self) {
        self.status.note_ended();
        self.leave_all();
        let pending = |frame: &InFlight| matches!(frame.stage, Stage::Submitted | Stage::Leaked);
        let over = !self.frames.iter().any(pending)
            || self.status.is_lost()
            || self.status.wait_for_submitted(&self.device)
            || self.status.is_lost();
        for (index, stock) in self.stocks.iter().enumerate() {
            // Where not all frames could be made, nothing was lent.
            let leaks = self.frames.get(index).is_some_and(pending) && !over;
            let (leaked, out) = stock.close(&self.device, !leaks);
            (0..leaked).for_each(|_| self.status.note_leak());
            self.status.note_out(out);
        }
        for frame in &self.frames {
            // P2: a pool whose buffer may be pending is leaked, and counted.
            if pending(frame) && !over {
                self.status.note_leak();
            } else {
                self.device.destroy_pool(frame.pool);
            }
        }
    }
}
