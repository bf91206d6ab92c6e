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

/// A secondary command buffer that was recorded elsewhere, executable. Whoever recorded it uses it again when the frame is
/// over.
pub(crate) struct Lent {
    buffer: vk::CommandBuffer,
    recorded: Recorded,
}

impl Lent {
    pub(crate) fn new(buffer: vk::CommandBuffer, recorded: Recorded) -> Self {
        Self { buffer, recorded }
    }

    pub(super) fn buffer(&self) -> vk::CommandBuffer {
        self.buffer
    }

    pub(super) fn recorded(&self) -> Recorded {
        self.recorded
    }
}
