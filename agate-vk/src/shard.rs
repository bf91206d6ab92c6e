//! Shards: owners of command pools that the jobs themselves drive. A job that has ended takes a shard that nobody is busy
//! with and replays its own blocks, warm as they are, into a secondary command buffer of the shard's pool.
//!
//! # Invariants
//!
//! - S1: a shard's pools, and the buffers of these, are touched by who holds the shard's token alone: inside of `handle`.
//! - S2: what comes for a frame after its `Over` is dropped. The pools' owner gives the place of a frame to the next, and
//!   answers its ticket where a slot was lost, only when every shard has said that it has seen the `Over`.
//! - S3: a pool is reset when its frame's last `Over` comes, which is after its retirement, or was never handed over.
//! - S4: a pool that has been recorded into is destroyed only after the end of the pools' owner, which executes its
//!   buffers, and of the submissions.
//! - S5: the blocks of a slot come through one port, so in their order.

#![allow(unsafe_code, reason = "replays blocks")]

mod inboxes;
mod owners;

pub(crate) use inboxes::Shards;
pub(crate) use owners::ShardOwners;

use crate::error::{FrameError, RecordError, SlotLoss};
use crate::frame::{Inheritance, Layout, SlotPlace, SlotToken};
use crate::pool::{Lent, PoolMessage, Secondaries};
use crate::raw::{Device, Failed};
use crate::recorded::Recorded;
use crate::recorder::{Chain, Published};
use crate::service::ServiceOptions;
use crate::status::Status;
use crate::trace::TraceKind;
use agate::{Handler, Port};
use ash::vk;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a shard is told.
pub(crate) enum ShardMessage {
    /// Blocks of a slot.
    Share(Share),
    /// The frame was submitted: the slots that are ready are waited for.
    Flush { frame: u32, serial: u64 },
    /// Nothing more is to be recorded for the frame; with `reset`, it is not executed any more either.
    Over {
        frame: u32,
        serial: u64,
        reset: bool,
    },
    /// The service has had nothing to do for a while.
    Trim,
}

/// Blocks of a slot in their order, the last ones with its token. If they are dropped the slot is lost.
pub(crate) struct Share {
    pub(crate) place: SlotPlace,
    pub(crate) blocks: Chain,
    /// With the last blocks.
    pub(crate) token: Option<SlotToken>,
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Some(token) = self.token.take() {
            token.lose(SlotLoss::Failed(RecordError::Closed));
        }
    }
}

/// A slot that is being recorded.
struct Open {
    part: u32,
    /// Null before the first block.
    buffer: vk::CommandBuffer,
    recorded: Recorded,
    /// Nothing more is recorded.
    error: Option<FrameError>,
}

/// What a shard has of one frame in flight.
struct ShardFrame {
    pool: vk::CommandPool,
    secondaries: Secondaries,
    /// The newest frame here that is over.
    over: u64,
    /// The newest frame here that was submitted.
    flushed: u64,
    /// Whether something was recorded since the pool was reset.
    used: bool,
    /// Whether the reset has failed: it is done again before the pool is used.
    reset_due: bool,
    /// Slots of which more is to come.
    open: Vec<Open>,
    /// Slots that are ready, of a frame that is not submitted yet.
    ready: Vec<(SlotPlace, Lent)>,
}

/// See the module.
pub(crate) struct ShardOwner {
    index: u32,
    device: Arc<Device>,
    status: Arc<Status>,
    layouts: Arc<[Layout]>,
    pool: Port<PoolMessage>,
    /// Whether the pools' owner has ended: it executes nothing any more.
    ended: Arc<AtomicBool>,
    frames: Vec<ShardFrame>,
}

impl ShardOwner {
    /// Makes the pools.
    pub(crate) fn new(
        index: u32,
        (device, status): (&Arc<Device>, &Arc<Status>),
        layouts: &Arc<[Layout]>,
        pool: Port<PoolMessage>,
        ended: &Arc<AtomicBool>,
        options: &ServiceOptions,
    ) -> Result<Self, Failed> {
        let mut owner = Self {
            index,
            device: Arc::clone(device),
            status: Arc::clone(status),
            layouts: Arc::clone(layouts),
            pool,
            ended: Arc::clone(ended),
            frames: Vec::new(),
        };
        // How the slots fall to the shards is different in each frame: where they are few, nothing ever grows.
        let room = options.max_slots.min(256) as usize;
        for _ in 0..options.frames_in_flight {
            let pool = owner.device.create_pool(options.queue_family)?;
            owner.frames.push(ShardFrame {
                pool,
                secondaries: Secondaries::with_room(room),
                over: 0,
                flushed: 0,
                used: false,
                reset_due: false,
                open: Vec::with_capacity(room),
                ready: Vec::with_capacity(room),
            });
        }
        Ok(owner)
    }

    fn share(&mut self, mut share: Share) {
        let place = share.place;
        let _span = self.status.span(TraceKind::Replay, place.serial);
        let inherited = self.layouts[place.frame as usize].contents(place);
        let frame = &mut self.frames[place.frame as usize];
        let (Some(inherited), true) = (inherited, place.serial > frame.over) else {
            // S2: nobody waits for it any more.
            return;
        };
        let mut open = frame.take_open(place.part);
        if open.error.is_none() && self.status.is_lost() {
            open.error = Some(FrameError::DeviceLost);
        }
        while let Some(mut block) = share.blocks.pop() {
            if open.error.is_none() {
                let (device, status) = (&self.device, &self.status);
                let replayed = frame.replay(&mut open, (device, status), &inherited, &mut block);
                open.error = replayed.err();
            }
        }
        let Some(token) = share.token.take() else {
            frame.open.push(open);
            return;
        };
        if open.error.is_none() {
            let ended = self.device.end(open.buffer);
            open.error = ended.err().map(|failed| self.status.note(failed));
        }
        // Where the pools' owner has ended nobody waits.
        if let Some(error) = open.error {
            let _ = self.pool.send(PoolMessage::Failed { place, error });
        } else {
            let lent = Lent::new(open.buffer, open.recorded);
            if place.serial > frame.flushed {
                frame.ready.push((place, lent));
            } else {
                let _ = self.pool.send(PoolMessage::Ready { place, lent });
            }
        }
        drop(token);
    }

    fn flush(&mut self, frame: u32, serial: u64) {
        let frame = &mut self.frames[frame as usize];
        frame.flushed = frame.flushed.max(serial);
        let ready = frame.ready.drain(..);
        let mut messages = ready.map(|(place, lent)| PoolMessage::Ready { place, lent });
        // Where the pools' owner has ended nobody waits.
        let _ = self.pool.send_batch(&mut messages);
    }

    fn over(&mut self, index: u32, serial: u64, reset: bool) {
        let frame = &mut self.frames[index as usize];
        frame.over = frame.over.max(serial);
        frame.open.clear();
        frame.ready.clear();
        if reset && frame.used && !self.status.is_lost() {
            // S3. One that fails is done again before the pool is used.
            frame.reset_due = true;
            if let Err(failed) = frame.reset(&self.device) {
                self.status.note(failed);
            }
        }
        let _ = self.pool.send(PoolMessage::ShardDone {
            shard: self.index,
            frame: index,
            serial,
        });
    }

    fn trim(&self) {
        for frame in &self.frames {
            if !frame.used && !self.status.is_lost() {
                self.device.trim_pool(frame.pool);
            }
        }
    }
}

impl ShardFrame {
    /// What there is of a slot.
    fn take_open(&mut self, part: u32) -> Open {
        let found = self.open.iter().position(|open| open.part == part);
        found.map_or_else(
            || Open {
                part,
                buffer: vk::CommandBuffer::null(),
                recorded: Recorded::default(),
                error: None,
            },
            |index| self.open.swap_remove(index),
        )
    }

    fn reset(&mut self, device: &Device) -> Result<(), Failed> {
        device.reset_pool(self.pool)?;
        self.secondaries.clear();
        self.used = false;
        self.reset_due = false;
        Ok(())
    }

    fn replay(
        &mut self,
        open: &mut Open,
        (device, status): (&Device, &Status),
        inherited: &Inheritance,
        block: &mut Published,
    ) -> Result<(), FrameError> {
        if open.buffer == vk::CommandBuffer::null() {
            let begun = self.begin(device, status, inherited);
            open.buffer = begun.map_err(|failed| status.note(failed))?;
        }
        // SAFETY: S1; the buffer was begun and not ended: its slot is open.
        unsafe { open.recorded.replay_block(device, open.buffer, block) }
    }

    fn begin(
        &mut self,
        device: &Device,
        status: &Status,
        inherited: &Inheritance,
    ) -> Result<vk::CommandBuffer, Failed> {
        if self.reset_due {
            self.reset(device)?;
        }
        self.used = true;
        self.secondaries
            .begin(device, self.pool, inherited, &status.tally)
    }
}

/// Says that an owner is gone if it is dropped by a panic of its own: the thread may have been unwinding before.
struct Inside<'a> {
    status: &'a Status,
    unwound: bool,
}

impl<'a> Inside<'a> {
    fn new(status: &'a Status) -> Self {
        Self {
            status,
            unwound: std::thread::panicking(),
        }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.unwound {
            self.status.note_gone();
        }
    }
}

impl Handler for ShardOwner {
    type Message = ShardMessage;

    fn handle(&mut self, message: ShardMessage) {
        let status = Arc::clone(&self.status);
        let _inside = Inside::new(&status);
        #[cfg(all(test, not(loom)))]
        crate::panics::panic_if_planted(&status, crate::panics::Who::Shard);
        match message {
            ShardMessage::Share(share) => self.share(share),
            ShardMessage::Flush { frame, serial } => self.flush(frame, serial),
            ShardMessage::Over {
                frame,
                serial,
                reset,
            } => self.over(frame, serial, reset),
            ShardMessage::Trim => self.trim(),
        }
    }
}

impl Drop for ShardOwner {
    fn drop(&mut self) {
        // After a panic the pools' owner is there, and is told: first what will not come, then why.
        for (place, _) in self
            .frames
            .iter_mut()
            .flat_map(|frame| frame.ready.drain(..))
        {
            let loss = SlotLoss::Failed(RecordError::Closed);
            let _ = self.pool.send(PoolMessage::Lost { place, loss });
        }
        let shard = self.index;
        let _ = self.pool.send(PoolMessage::ShardGone { shard });
        let status = &self.status;
        let used = self.frames.iter().any(|frame| frame.used);
        // S4.
        let over = !used
            || (self.ended.load(Ordering::Acquire)
                && (status.is_lost()
                    || status.wait_for_submitted(&self.device)
                    || status.is_lost()));
        for frame in &self.frames {
            if frame.used && !over {
                status.note_leak();
            } else {
                self.device.destroy_pool(frame.pool);
            }
        }
    }
}
