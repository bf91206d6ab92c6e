//! The secondary command buffers of one frame in flight: those of its own pool, and those that others lend.
//!
//! # Invariants
//!
//! - X1: whoever calls a method owns the pool (P1 of `pool.rs`, S1 of `shard.rs`).
//! - X2: `ready` has buffers that are executable and in no primary.

#![allow(unsafe_code, reason = "executes command buffers")]

use crate::commands::replay::execute;
use crate::counters::Tally;
use crate::frame::Inheritance;
use crate::raw::{Device, Failed};
use crate::recorded::Recorded;
use ash::vk;
use std::sync::Arc;

/// The secondaries of a frame. They are allocated when they are needed first, and used again by the next frames: as many
/// as the slots with secondary contents of one frame, at the most.
#[derive(Default)]
pub(crate) struct Secondaries {
    all: Vec<vk::CommandBuffer>,
    /// How many of them this frame has begun.
    used: usize,
    /// What the primary executes next, in slot order.
    ready: Vec<vk::CommandBuffer>,
}

impl Secondaries {
    /// Without a heap allocation up to so many.
    pub(crate) fn with_room(room: usize) -> Self {
        Self {
            all: Vec::with_capacity(room),
            ..Self::default()
        }
    }

    /// Begins the next one.
    pub(crate) fn begin(
        &mut self,
        device: &Device,
        pool: vk::CommandPool,
        inherited: &Inheritance,
        tally: &Tally,
    ) -> Result<vk::CommandBuffer, Failed> {
        if self.used == self.all.len() {
            let level = vk::CommandBufferLevel::SECONDARY;
            self.all.push(device.allocate_buffer(pool, level)?);
            tally.secondary();
        }
        let buffer = self.all[self.used];
        device.begin_secondary(buffer, inherited)?;
        self.used += 1;
        Ok(buffer)
    }

    /// A slot is complete whose buffer, if it has one, is executable.
    pub(super) fn ready(&mut self, buffer: vk::CommandBuffer) {
        if buffer != vk::CommandBuffer::null() {
            self.ready.push(buffer);
        }
    }

    /// Executes what is ready, in a primary that is recording.
    pub(super) fn execute(&mut self, device: &Device, primary: vk::CommandBuffer) {
        if !self.ready.is_empty() {
            // SAFETY: X1, X2; the host vouches for the place, as it declared the pass.
            unsafe { execute(device, primary, &self.ready) };
            self.ready.clear();
        }
    }

    /// The pool is about to be reset, or was left in an unknown state.
    pub(crate) fn clear(&mut self) {
        self.used = 0;
        self.ready.clear();
    }
}

/// Who lends secondary command buffers.
pub(crate) trait Lender: Send + Sync {
    /// The buffer is not pending, and is not executed any more. Called on the pool owner's thread, or on that of whoever
    /// could not send it; must not block.
    fn take_back(&self, buffer: vk::CommandBuffer);
}

/// A secondary command buffer that was recorded elsewhere, executable. When it is dropped it goes back to its lender: with
/// the frame's retirement, or at once where the frame is over.
pub(crate) struct Lent {
    buffer: vk::CommandBuffer,
    recorded: Recorded,
    lender: Option<Arc<dyn Lender>>,
}

impl Lent {
    /// Without a lender nobody is told when it is free again.
    pub(crate) fn new(
        buffer: vk::CommandBuffer,
        recorded: Recorded,
        lender: Option<Arc<dyn Lender>>,
    ) -> Self {
        Self {
            buffer,
            recorded,
            lender,
        }
    }

    pub(super) fn buffer(&self) -> vk::CommandBuffer {
        self.buffer
    }

    pub(super) fn recorded(&self) -> Recorded {
        self.recorded
    }

    /// It may be pending for ever: its lender is not told.
    pub(super) fn leak(mut self) {
        self.lender = None;
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(lender) = self.lender.take() {
            lender.take_back(self.buffer);
        }
    }
}
