//! Passes and slots: what the main thread hands to jobs, and what they take.

use super::{FrameShared, Inheritance, SlotPlace};
use crate::after::Work;
use crate::checks::Standing;
use crate::error::{RecordError, SlotError, SlotLoss};
use crate::pool::PoolMessage;
use crate::raw::Device;
use crate::recorder::{AnyRecorder, Jumbos, LeaseRecorder, Room, StreamRecorder};
use crate::service::Shared;
use crate::shard::Shards;
use crate::stock::Stock;
use crate::trace::Span;
use agate::{Block, Port};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The right to record one slot, with an attachment to the pool's owner.
pub(crate) struct SlotToken {
    pub(super) shared: Arc<FrameShared>,
    port: Port<PoolMessage>,
    pub(super) place: SlotPlace,
    /// Tells the host's trace that the slot is being recorded.
    span: Option<Box<Span>>,
    pub(super) standing: Standing,
}

impl SlotToken {
    /// Tells the host's trace that the slot is being recorded, until `end_recording`, or until the token is dropped.
    fn begin_recording(&mut self) {
        if !self.place.is_owners() {
            self.span = self.shared.service.status.recording(self.place);
        }
    }

    /// The job has ended; the token goes on with what it has recorded.
    pub(crate) fn end_recording(&mut self) {
        self.span = None;
    }

    /// A block to record into.
    pub(crate) fn take_block(&self) -> Result<Block, RecordError> {
        let service = &self.shared.service;
        let block = service.blocks.try_take().map_err(|_| self.out())?;
        // Who takes more is counted before it looks: of two, at least the later sees both.
        let in_use = self.blocks_in_use();
        if in_use > service.max_blocks {
            return Err(self.out());
        }
        if in_use > service.soft_blocks {
            service.status.tally.overflow();
        }
        Ok(block)
    }

    /// Room for a command that is larger than a block.
    pub(crate) fn room_for(&self, bytes: usize) -> Result<Room, RecordError> {
        let service = &self.shared.service;
        let room = Room::new(&service.status, bytes);
        if self.blocks_in_use() > service.max_blocks {
            return Err(self.out());
        }
        Ok(room)
    }

    /// How many blocks are in use; commands that are larger than one count as so many.
    fn blocks_in_use(&self) -> usize {
        let service = &self.shared.service;
        let large = service.status.tally.large.now();
        service.blocks.stats().in_use + large.div_ceil(service.block_bytes)
    }

    /// What it means that there is no room.
    fn out(&self) -> RecordError {
        RecordError::OutOfBlocks {
            max_blocks: self.shared.service.max_blocks,
        }
    }

    /// Whether there is so much block memory in use that a lease is better, and the pass takes one.
    pub(crate) fn spills(&self) -> bool {
        self.blocks_in_use() >= self.shared.service.soft_blocks && self.is_secondary()
    }

    pub(crate) fn device(&self) -> &Device {
        &self.shared.service.device
    }

    pub(crate) fn shared_device(&self) -> &Arc<Device> {
        &self.shared.service.device
    }

    /// The pools that are lent in this frame.
    pub(crate) fn stock(&self) -> &Stock {
        &self.shared.service.stocks[self.place.frame as usize]
    }

    /// Whether the slot is of a pass with secondary contents.
    fn is_secondary(&self) -> bool {
        self.standing.secondary
    }

    /// What the slot's secondary command buffer inherits; `None` in an inline pass. Of a frame that is over, anything: a
    /// lease asks between its [`enter`](crate::ending::Ending::enter) and the end of that (O2 of `ending.rs`).
    pub(crate) fn contents(&self) -> Option<Inheritance> {
        self.shared.layout().contents(self.place)
    }

    pub(crate) fn service(&self) -> Arc<Shared> {
        Arc::clone(&self.shared.service)
    }

    pub(crate) fn shards(&self) -> &Shards {
        &self.shared.service.shards
    }

    /// Whether a shard replays the slot: it gets a secondary command buffer of its own.
    pub(crate) fn is_sharded(&self) -> bool {
        !self.shards().is_empty() && self.is_secondary()
    }

    pub(crate) fn port(&self) -> &Port<PoolMessage> {
        &self.port
    }

    pub(crate) fn jumbos(&self) -> &Jumbos {
        &self.shared.service.jumbos[self.place.frame as usize]
    }

    pub(crate) fn place(&self) -> SlotPlace {
        self.place
    }

    /// What is known of the slot before its first command.
    #[cfg(feature = "checks")]
    pub(crate) fn unchecked(&self) -> crate::checks::State {
        crate::checks::State::new(self.shared.service.checks, self.standing)
    }

    /// Keeps the first error of the recording, with the calls that led to it.
    #[cfg(feature = "checks")]
    pub(crate) fn note(&self, error: RecordError) {
        self.shared.service.faults.note(self.place, error);
    }

    /// Does `work` when the frame is over; here and now where it is.
    pub(crate) fn after(&self, work: Work) {
        self.shared.after(self.place.serial, work);
    }

    pub(crate) fn send(&self, message: PoolMessage) -> Result<(), ()> {
        self.port.send(message).map_err(drop)
    }

    /// Tells the owner that nothing, or nothing more, comes for this slot.
    pub(crate) fn lose(self, loss: SlotLoss) {
        // A closed owner has resolved the frame already.
        let _ = self.send(PoolMessage::Lost {
            place: self.place,
            loss,
        });
    }
}

/// One job's share of a pass, taken and not yet recorded.
///
/// Dropping it without recording loses the slot, and the frame's policy says what that means. It can be sent to the
/// thread that records.
#[must_use = "a slot that is dropped is lost, and by default fails its frame"]
pub struct Slot {
    pub(super) token: Option<SlotToken>,
}

impl Slot {
    /// Begins to record this slot in the stream lane.
    ///
    /// # Errors
    ///
    /// [`RecordError::OutOfBlocks`] when block memory is at its hard limit; the slot is lost then.
    ///
    /// # Progress
    ///
    /// Lock-free; allocates while the service warms up.
    pub fn stream(mut self) -> Result<StreamRecorder, RecordError> {
        match self.token.take() {
            Some(mut token) => {
                token.begin_recording();
                StreamRecorder::new(token)
            }
            None => Err(RecordError::Closed),
        }
    }

    /// Begins to record this slot in the lease lane: the job gets a command pool for itself and calls the driver. For passes
    /// whose contents are secondary command buffers ([`takes_lease`](Self::takes_lease)).
    ///
    /// Recording takes the job as long as the driver takes, and nobody replays it; in the stream lane it is the other way
    /// round.
    ///
    /// # Errors
    ///
    /// [`RecordError`]: the pass is inline; [`ServiceOptions::max_leases`](crate::ServiceOptions::max_leases) are lent; the
    /// frame is over ([`RecordError::Stale`], and the driver is not called); or a call failed that makes, resets or begins what the lease needs. The slot is lost then.
    ///
    /// # Progress
    ///
    /// Lock-free but for the driver's calls: `vkBeginCommandBuffer`, and while the service warms up those that make pools and
    /// buffers, which allocate.
    pub fn lease(mut self) -> Result<LeaseRecorder, RecordError> {
        match self.token.take() {
            Some(mut token) => {
                token.begin_recording();
                LeaseRecorder::new(token)
            }
            None => Err(RecordError::Closed),
        }
    }

    /// Begins to record this slot in the lane that the service chooses: in the stream lane, as [`stream`](Self::stream)
    /// does, as long as block memory in use is below [`ServiceOptions::soft_block_bytes`](crate::ServiceOptions::soft_block_bytes). Above it,
    /// what jobs encode piles up before its owner; then the recorder is a [`lease`](Self::lease) where its pass takes one
    /// and a pool is free, so that memory grows no further. Where not, it is a stream all the same. The choice stands until
    /// the end of the recording.
    ///
    /// ```no_run
    /// use agate_vk::{Pass, Recorder, vk};
    ///
    /// # fn job(pass: &Pass, pipeline: vk::Pipeline) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut recorder = pass.next_slot()?.record()?;
    /// // SAFETY: the pipeline lives until the ticket has resolved, and fits the pass.
    /// unsafe {
    ///     recorder.cmd_bind_pipeline(vk::PipelineBindPoint::GRAPHICS, pipeline);
    ///     recorder.cmd_draw(3, 1, 0, 0);
    /// }
    /// recorder.finish()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RecordError::OutOfBlocks`] when block memory is at its hard limit and there is no lease to be had; the slot is lost
    /// then.
    ///
    /// # Progress
    ///
    /// As `stream` or `lease`.
    pub fn record(mut self) -> Result<AnyRecorder, RecordError> {
        match self.token.take() {
            Some(mut token) => {
                token.begin_recording();
                AnyRecorder::new(token)
            }
            None => Err(RecordError::Closed),
        }
    }

    /// Whether the slot's pass has secondary contents, so that it can be recorded in either lane.
    pub fn takes_lease(&self) -> bool {
        let token = self.token.as_ref();
        token.is_some_and(SlotToken::is_secondary)
    }

    /// Which slot this is.
    pub fn place(&self) -> Option<SlotPlace> {
        self.token.as_ref().map(SlotToken::place)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(token) = self.token.take() {
            token.lose(if std::thread::panicking() {
                SlotLoss::Panicked
            } else {
                SlotLoss::Dropped
            });
        }
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot")
            .field("place", &self.place())
            .finish()
    }
}

/// One part of a frame, divided into slots that jobs record: outside of rendering, or inside one render pass or one
/// dynamic rendering, which the owner begins and ends.
///
/// Cheap to clone and to hand to jobs. Replay goes in slot order, whatever the order in which jobs finish.
#[derive(Clone)]
pub struct Pass {
    pub(super) shared: Arc<FrameShared>,
    pub(super) serial: u64,
    pub(super) pass: u32,
    pub(super) first_part: u32,
    pub(super) slots: u32,
    pub(super) standing: Standing,
}

impl Pass {
    /// How many slots the pass has.
    pub fn slots(&self) -> u32 {
        self.slots
    }

    /// Takes the slot `slot`.
    ///
    /// # Errors
    ///
    /// [`SlotError`]: taken, out of range, or the frame is over.
    ///
    /// # Progress
    ///
    /// Lock-free.
    pub fn slot(&self, slot: u32) -> Result<Slot, SlotError> {
        if slot >= self.slots {
            return Err(SlotError::OutOfRange {
                slot,
                slots: self.slots,
            });
        }
        self.take(slot)
    }

    /// Takes the first slot that nobody has taken yet.
    ///
    /// # Errors
    ///
    /// [`SlotError`]: all are taken, or the frame is over.
    ///
    /// # Progress
    ///
    /// Lock-free.
    pub fn next_slot(&self) -> Result<Slot, SlotError> {
        let port = self.attach()?;
        let cursor = &self.shared.cursors[self.pass as usize];
        loop {
            // Acquire: who finds all slots taken here also finds them taken at the frame's submission.
            let seen = cursor.load(Ordering::Acquire);
            let next = match (seen >> 16).cmp(&self.serial) {
                std::cmp::Ordering::Greater => return Err(SlotError::Stale),
                std::cmp::Ordering::Equal => (seen & 0xffff) as u32,
                std::cmp::Ordering::Less => 0,
            };
            if next >= self.slots {
                return Err(SlotError::Exhausted { slots: self.slots });
            }
            let place = self.place(next);
            let taken = self.shared.take(place.part, self.serial);
            // After it, and for whoever has taken it: a slot behind the cursor is taken.
            let new = self.serial << 16 | u64::from(next + 1);
            let _ = cursor.compare_exchange(seen, new, Ordering::Release, Ordering::Relaxed);
            if taken {
                return Ok(self.taken(port, place));
            }
        }
    }

    /// Attaches first, so that a slot that was taken can always tell the owner how it ended.
    fn take(&self, slot: u32) -> Result<Slot, SlotError> {
        let port = self.attach()?;
        let place = self.place(slot);
        if self.shared.take(place.part, self.serial) {
            Ok(self.taken(port, place))
        } else {
            Err(SlotError::Taken { slot })
        }
    }

    fn attach(&self) -> Result<Port<PoolMessage>, SlotError> {
        self.shared.service.pool.attach().map_err(SlotError::Attach)
    }

    fn place(&self, slot: u32) -> SlotPlace {
        SlotPlace {
            serial: self.serial,
            pass: self.pass,
            slot,
            frame: self.shared.index,
            part: self.first_part + slot,
        }
    }

    fn taken(&self, port: Port<PoolMessage>, place: SlotPlace) -> Slot {
        Slot {
            token: Some(SlotToken {
                shared: Arc::clone(&self.shared),
                port,
                place,
                span: None,
                standing: self.standing,
            }),
        }
    }
}

impl std::fmt::Debug for Pass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pass")
            .field("serial", &self.serial)
            .field("pass", &self.pass)
            .field("slots", &self.slots)
            .finish()
    }
}
