//! A block that a recorder has filled: whoever drops it drops the closures that are left in it.
//!
//! # Invariants
//!
//! - E1: `block` is there until the value is dropped or [`emptied`](Published::emptied), and starts with a header (H2 of
//!   `header`).
//! - E2: `&mut self`, or the value itself, is the right to use the block's words (H1 of `header`).

#![allow(
    unsafe_code,
    reason = "reads the commands of a block through its raw pointer"
)]

use super::{BlockHeader, HEADER_WORDS};
use crate::commands::closure::{Panicked, discard, replay_with_closures};
use crate::commands::replay::replay;
use crate::raw::Device;
use agate::Block;
use ash::vk;

/// See the module.
pub(crate) struct Published {
    block: Option<Block>,
}

impl Published {
    /// A block with a header.
    pub(super) fn new(block: Block) -> Self {
        Self { block: Some(block) }
    }

    /// What stands at its start.
    pub(crate) fn header(&self) -> Option<BlockHeader> {
        self.block.as_ref().map(BlockHeader::read)
    }

    /// The block without dropping its closures: they stay in it.
    pub(super) fn into_block(mut self) -> Option<Block> {
        self.block.take()
    }

    /// The block, when the closures that are left in it have been dropped.
    pub(crate) fn emptied(mut self) -> Option<Block> {
        self.drop_closures();
        self.block.take()
    }

    /// Where its commands are, and whether closures are among them.
    fn commands(&self) -> Option<(*mut u64, *mut u64, bool)> {
        let block = self.block.as_ref()?;
        let header = BlockHeader::read(block);
        // H3.
        let from = block.as_ptr().wrapping_add(HEADER_WORDS);
        let to = block.as_ptr().wrapping_add(header.end);
        Some((from, to, header.closures))
    }

    /// Replays its commands; returns how many driver calls that were.
    ///
    /// # Safety
    ///
    /// The calling thread owns the buffer's pool, and the buffer is recording.
    pub(crate) unsafe fn replay(
        &mut self,
        device: &Device,
        buffer: vk::CommandBuffer,
    ) -> (u64, Result<(), Panicked>) {
        match self.commands() {
            // SAFETY: H3 and the contract of `Recorder`; E2; the rest is the caller's.
            Some((from, to, true)) => unsafe { replay_with_closures(device, buffer, from, to) },
            // SAFETY: as above.
            Some((from, to, false)) => (unsafe { replay(device, buffer, from, to) }, Ok(())),
            None => (0, Ok(())),
        }
    }

    fn drop_closures(&mut self) {
        if let Some((from, to, true)) = self.commands() {
            // SAFETY: H3; E2.
            unsafe { discard(from, to) };
        }
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        self.drop_closures();
    }
}
