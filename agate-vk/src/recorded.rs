//! What the replay of blocks into one command buffer came to.

#![allow(unsafe_code, reason = "reads blocks and replays them")]

use crate::commands::replay::replay;
use crate::raw::Device;
use crate::recorder::{BlockHeader, HEADER_WORDS};
use crate::ticket::FrameReport;
use agate::Block;
use ash::vk;
use std::time::{Duration, Instant};

/// Counts for a [`FrameReport`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Recorded {
    commands: u64,
    blocks: u64,
    bytes: u64,
    replay: Duration,
}

impl Recorded {
    /// Replays the commands of a block.
    ///
    /// # Safety
    ///
    /// The calling thread owns the buffer's pool, and the buffer is recording.
    pub(crate) unsafe fn replay_block(
        &mut self,
        device: &Device,
        buffer: vk::CommandBuffer,
        block: &Block,
    ) {
        let start = Instant::now();
        let end = BlockHeader::read(block).end;
        let base = block.as_ptr().cast_const();
        // SAFETY: H3: commands start behind the header, which every block has.
        let from = unsafe { base.add(HEADER_WORDS) };
        // SAFETY: H3: and end at `end`, within the block.
        let to = unsafe { base.add(end) };
        // SAFETY: H3, the contract of `Recorder`, and the caller's.
        self.commands += unsafe { replay(device, buffer, from, to) };
        self.blocks += 1;
        self.bytes += 8 * (end - HEADER_WORDS) as u64;
        self.replay += start.elapsed();
    }
}

impl FrameReport {
    /// Adds what was recorded for the frame.
    pub(crate) fn add(&mut self, recorded: Recorded) {
        self.commands += recorded.commands;
        self.blocks += recorded.blocks;
        self.bytes += recorded.bytes;
        self.replay += recorded.replay;
    }
}
