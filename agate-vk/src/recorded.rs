//! What the replay of blocks into one command buffer came to.

#![allow(unsafe_code, reason = "replays blocks")]

use crate::commands::closure::Panicked;
use crate::error::{FrameError, SlotLoss};
use crate::raw::Device;
use crate::recorder::{HEADER_WORDS, Published};
use crate::ticket::FrameReport;
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
    /// So many calls, without blocks.
    pub(crate) fn of_calls(commands: u64) -> Self {
        Self {
            commands,
            ..Self::default()
        }
    }

    /// Replays the commands of a block.
    ///
    /// # Errors
    ///
    /// A closure among them panicked: the buffer is of no use any more.
    ///
    /// # Safety
    ///
    /// The calling thread owns the buffer's pool, and the buffer is recording.
    pub(crate) unsafe fn replay_block(
        &mut self,
        device: &Device,
        buffer: vk::CommandBuffer,
        block: &mut Published,
    ) -> Result<(), FrameError> {
        let Some(header) = block.header() else {
            return Ok(());
        };
        let start = Instant::now();
        // SAFETY: the caller's contract.
        let (calls, calm) = unsafe { block.replay(device, buffer) };
        self.commands += calls;
        self.blocks += 1;
        self.bytes += 8 * (header.end - HEADER_WORDS) as u64;
        self.replay += start.elapsed();
        calm.map_err(|Panicked| FrameError::SlotLost {
            pass: header.place.pass,
            slot: header.place.slot,
            loss: SlotLoss::ClosurePanicked,
        })
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
