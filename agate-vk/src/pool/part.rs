//! One frame in flight, as the pool's owner keeps it: its pool, its buffers, and its parts.
//!
//! The invariants of `pool.rs` (P1–P4) hold here.

#![allow(unsafe_code, reason = "reads blocks and replays them")]

use crate::commands::replay::replay;
use crate::cooling::Cooling;
use crate::error::FrameError;
use crate::frame::SlotPlace;
use crate::names::Text;
use crate::raw::{Device, Failed};
use crate::recorder::{BlockHeader, Chain, HEADER_WORDS};
use crate::service::ServiceOptions;
use crate::ticket::{FrameReport, TicketEnd};
use agate::{Block, Resolver};
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

/// The blocks of one slot that wait for their turn.
#[derive(Default)]
pub(super) struct Part {
    pub(super) blocks: Chain,
    pub(super) complete: bool,
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

    /// Replays what can be replayed: the blocks of the current part, and of those after it as parts become complete.
    /// Without `streams`, a part waits until it is complete.
    pub(super) fn advance(&mut self, device: &Device, streams: bool) {
        if !self.begun {
            return;
        }
        while let Some(part) = self.parts.get_mut(self.current) {
            if !part.complete && !streams {
                return;
            }
            let recording = self.stage == Stage::Recording && self.error.is_none();
            while let Some(block) = part.blocks.pop() {
                if recording {
                    self.report.replay_block(device, self.primary, &block);
                }
                self.cooling.add(block);
            }
            if !part.complete {
                return;
            }
            part.complete = false;
            self.current += 1;
        }
    }

    /// Forgets what was recorded; keeps the memory.
    pub(super) fn clear(&mut self) {
        self.cooling.release();
        for part in &mut self.parts {
            part.blocks.clear();
            part.complete = false;
        }
        self.current = 0;
        self.error = None;
        self.expires = None;
    }
}

impl FrameReport {
    pub(super) fn replay_block(
        &mut self,
        device: &Device,
        primary: vk::CommandBuffer,
        block: &Block,
    ) {
        let start = Instant::now();
        let end = BlockHeader::read(block).end;
        let base = block.as_ptr().cast_const();
        // SAFETY: H3: commands start behind the header, which every block has.
        let from = unsafe { base.add(HEADER_WORDS) };
        // SAFETY: H3: and end at `end`, within the block.
        let to = unsafe { base.add(end) };
        // SAFETY: H3 and the contract of `Recorder`; P1: this thread owns the pool; the stage is `Recording`.
        self.commands += unsafe { replay(device, primary, from, to) };
        self.blocks += 1;
        self.bytes += 8 * (end - HEADER_WORDS) as u64;
        self.replay += start.elapsed();
    }
}

pub(super) fn empty_report() -> FrameReport {
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
