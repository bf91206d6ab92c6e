//! One frame in flight, as the pool's owner keeps it: its pool, its buffers, and its parts.
//!
//! The invariants of `pool.rs` (P1–P4) hold here.

#![allow(unsafe_code, reason = "reads blocks and replays them")]

use super::secondaries::{Lent, Secondaries};
use super::shards::{Settling, Then};
use crate::cooling::Cooling;
use crate::counters::Tally;
use crate::error::FrameError;
use crate::frame::{Layout, SlotPlace};
use crate::names::Text;
use crate::raw::{Device, Failed};
use crate::recorded::Recorded;
use crate::recorder::{Chain, Published};
use crate::service::ServiceOptions;
use crate::status::Status;
use crate::ticket::{FrameReport, TicketEnd};
use agate::Resolver;
use ash::vk;
use std::time::{Duration, Instant};

/// How far a frame in flight has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The pool is reset, the buffer is in the initial state.
    Idle,
    /// As idle, but the reset failed: it is done again before the pool is used.
    NotReset,
    /// The buffer is recording.
    Recording,
    /// The queue's owner has it.
    Submitted,
    /// Whether the GPU still uses it is not known: never touched again.
    Leaked,
}

/// What has come of one slot and waits for its turn.
#[derive(Default)]
pub(super) struct Part {
    pub(super) blocks: Chain,
    pub(super) complete: bool,
    /// Of a slot in a pass with secondary contents: the buffer that its commands are replayed into; null before the first.
    pub(super) secondary: vk::CommandBuffer,
    /// The buffer, where the slot was recorded elsewhere; kept until the frame is over.
    pub(super) lent: Option<Lent>,
}

/// What `Submit` said.
pub(super) struct Submission {
    pub(super) parts: usize,
    pub(super) record_only: bool,
    pub(super) ticket: TicketEnd,
}

/// One frame in flight.
pub(super) struct InFlight {
    pub(super) pool: vk::CommandPool,
    pub(super) primary: vk::CommandBuffer,
    pub(super) stage: Stage,
    pub(super) serial: u64,
    /// Whether `Begin` has come. Messages of jobs may overtake it: they come through other lanes.
    pub(super) begun: bool,
    /// The newest frame here that is over: what still comes for it is for nobody.
    pub(super) over: u64,
    pub(super) parts: Vec<Part>,
    /// The part whose turn it is.
    pub(super) current: usize,
    /// Known since `Submit`.
    pub(super) submission: Option<Submission>,
    /// When the parts that are missing then are given up; since `Submit`, where one is missing.
    pub(super) expires: Option<Instant>,
    pub(super) error: Option<FrameError>,
    pub(super) credit: Option<Resolver<()>>,
    pub(super) report: FrameReport,
    /// Blocks that were replayed a moment ago.
    pub(super) cooling: Cooling,
    pub(super) secondaries: Secondaries,
    pub(super) settling: Settling,
    /// What follows when no lease begins or ends for the frame any more.
    pub(super) leaves: Then,
}

impl InFlight {
    pub(super) fn new(pool: vk::CommandPool, options: &ServiceOptions) -> Self {
        Self {
            pool,
            primary: vk::CommandBuffer::null(),
            stage: Stage::Idle,
            serial: 0,
            begun: false,
            over: 0,
            parts: Vec::with_capacity(options.max_slots as usize),
            current: 0,
            submission: None,
            expires: None,
            error: None,
            credit: None,
            report: empty_report(),
            cooling: Cooling::new(options.max_block_bytes / options.block_bytes),
            secondaries: Secondaries::default(),
            settling: Settling::default(),
            leaves: Then::Nothing,
        }
    }

    /// Begins the primary; resets the pool first where that is still to be done.
    pub(super) fn start(&mut self, device: &Device) -> Result<(), Failed> {
        if self.stage == Stage::NotReset {
            device.reset_pool(self.pool)?;
            self.stage = Stage::Idle;
        }
        device.begin(self.primary)?;
        device.begin_label(
            self.primary,
            &Text::new(format_args!("frame {}", self.serial)),
        );
        self.stage = Stage::Recording;
        Ok(())
    }

    /// Whether the part's turn is over: what still comes for it comes too late.
    pub(super) fn is_past(&self, place: SlotPlace) -> bool {
        (place.part as usize) < self.current
    }

    pub(super) fn part(&mut self, part: u32) -> &mut Part {
        let part = part as usize;
        if part >= self.parts.len() {
            self.parts.resize_with(part + 1, Part::default);
        }
        &mut self.parts[part]
    }

    /// Replays what has come of a slot that has a secondary command buffer of its own, and so needs no turn. Of a slot in
    /// the primary nothing happens.
    pub(super) fn feed(
        &mut self,
        part: u32,
        layout: &Layout,
        (device, tally): (&Device, &Tally),
    ) -> Result<(), Failed> {
        let mut recording = self.is_recording();
        let Some(part) = self.parts.get_mut(part as usize).filter(|_| self.begun) else {
            return Ok(());
        };
        let first = part.blocks.first();
        let Some(inherited) = first.and_then(|first| layout.contents(first.place)) else {
            return Ok(());
        };
        while let Some(mut block) = part.blocks.pop() {
            if recording {
                if part.secondary == vk::CommandBuffer::null() {
                    let begun = self.secondaries.begin(device, self.pool, &inherited, tally);
                    part.secondary = begun?;
                }
                let replayed = replay(&mut self.report, device, part.secondary, &mut block);
                self.error = replayed.err();
                recording = self.error.is_none();
            }
            cool(&mut self.cooling, block);
        }
        if recording && part.complete {
            device.end(part.secondary)?;
        }
        Ok(())
    }

    /// As `feed`; the frame fails where it does.
    pub(super) fn feed_or_fail(
        &mut self,
        part: u32,
        layout: &Layout,
        device: &Device,
        status: &Status,
    ) {
        if let Err(failed) = self.feed(part, layout, (device, &status.tally)) {
            let error = status.note(failed);
            self.error.get_or_insert(error);
        }
    }

    /// Whether what comes is replayed: the primary has been begun, and nothing has failed.
    pub(super) fn is_recording(&self) -> bool {
        self.stage == Stage::Recording && self.error.is_none()
    }

    /// Replays what can be replayed in the primary: the blocks of the current part, and of those after it as parts become
    /// complete. Without `streams`, a part waits until it is complete.
    pub(super) fn advance(&mut self, device: &Device, streams: bool) {
        if !self.begun {
            return;
        }
        let mut recording = self.is_recording();
        while let Some(part) = self.parts.get_mut(self.current) {
            if !part.complete && !streams {
                return;
            }
            while let Some(mut block) = part.blocks.pop() {
                if recording {
                    self.secondaries.execute(device, self.primary);
                    let replayed = replay(&mut self.report, device, self.primary, &mut block);
                    self.error = replayed.err();
                    recording = self.error.is_none();
                }
                cool(&mut self.cooling, block);
            }
            if !part.complete {
                return;
            }
            part.complete = false;
            // Not when it comes: that may be before `Begin`.
            if let Some(lent) = &part.lent {
                self.report.add(lent.recorded());
            }
            self.secondaries.ready(part.secondary);
            self.current += 1;
        }
    }

    /// Forgets what was recorded; keeps the memory.
    pub(super) fn clear(&mut self) {
        self.cooling.release();
        for part in &mut self.parts {
            part.blocks.clear();
            part.complete = false;
            part.secondary = vk::CommandBuffer::null();
            part.lent = None;
        }
        self.secondaries.clear();
        self.settling.clear();
        self.report = empty_report();
        self.current = 0;
        self.error = None;
        self.expires = None;
    }
}

/// Replays a block into a buffer of a frame that is recording.
fn replay(
    report: &mut FrameReport,
    device: &Device,
    buffer: vk::CommandBuffer,
    block: &mut Published,
) -> Result<(), FrameError> {
    let mut recorded = Recorded::default();
    // SAFETY: P1: this thread owns the pool; the stage is `Recording`.
    let replayed = unsafe { recorded.replay_block(device, buffer, block) };
    report.add(recorded);
    replayed
}

/// Has a block cool that was replayed, or is not to be.
fn cool(cooling: &mut Cooling, block: Published) {
    if let Some(block) = block.emptied() {
        cooling.add(block);
    }
}

fn empty_report() -> FrameReport {
    let now = Instant::now();
    FrameReport {
        serial: 0,
        began: now,
        ended: now,
        submitted: now,
        retired: now,
        commands: 0,
        blocks: 0,
        bytes: 0,
        replay: Duration::ZERO,
    }
}
