//! One frame by one strategy, and what is measured of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::{ns_per_tick, ticks};
use crate::commands::device::Device;
use crate::commands::work::{JobTimes, Jobs, Matrices, Work};

/// All that a frame is recorded from.
pub struct Stage {
    /// The device that is recorded for.
    pub device: Arc<Device>,
    /// The threads that record.
    pub jobs: Jobs,
    /// What is pushed.
    pub matrices: Matrices,
}

/// Objects that a strategy holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    /// Command pools.
    pub pools: usize,
    /// Command buffers, primary and secondary.
    pub buffers: usize,
    /// Memory of messages, in bytes: the most at a time.
    pub message_bytes: usize,
}

/// A way of recording a frame.
pub trait Strategy {
    /// Records one frame, up to the end of its primary command buffer, and recycles it.
    fn frame(&mut self, stage: &Stage, work: &Work) -> FrameTimes;

    /// What it holds now.
    fn objects(&self) -> Objects;
}

/// What is measured of a frame.
#[derive(Clone, Debug, Default)]
pub struct FrameTimes {
    /// From the frame's begin to the end of its primary, in nanoseconds.
    pub wall_ns: f64,
    /// From the end of the last job to the end of the primary, in nanoseconds.
    pub tail_ns: f64,
    /// From the end of the last job until the frame was queued, in nanoseconds; 0 where it was not.
    pub queued_ns: f64,
    /// From there until it had been executed, in nanoseconds.
    pub executed_ns: f64,
    /// From the frame's begin until everything can be used again, in nanoseconds.
    pub recycled_ns: f64,
    /// Time of an owner thread spent recording, in nanoseconds; 0 without one.
    pub owner_ns: f64,
    /// Bytes of messages.
    pub message_bytes: u64,
    /// The jobs.
    pub jobs: JobTimes,
}

/// The stamps of a frame while it runs.
#[derive(Debug)]
pub struct Stamps {
    began: Instant,
    began_ticks: u64,
    ended: Option<Instant>,
    queued: Option<Instant>,
    executed: Option<Instant>,
}

impl Stamps {
    /// The frame begins now.
    pub fn begin() -> Self {
        Self {
            began: Instant::now(),
            began_ticks: ticks(),
            ended: None,
            queued: None,
            executed: None,
        }
    }

    /// The primary ended at this time.
    pub fn ended(&mut self, when: Instant) {
        self.ended = Some(when);
    }

    /// The frame was queued at this time.
    pub fn queued(&mut self, when: Instant) {
        self.queued = Some(when);
    }

    /// The frame was seen to be executed at this time.
    pub fn executed(&mut self, when: Instant) {
        self.executed = Some(when);
    }

    /// Everything can be used again now.
    pub fn recycled(self, jobs: JobTimes) -> FrameTimes {
        let since =
            |from: Instant, to: Instant| to.saturating_duration_since(from).as_nanos() as f64;
        let written = self.began
            + Duration::from_nanos(
                (jobs.ended.saturating_sub(self.began_ticks) as f64 * ns_per_tick()) as u64,
            );
        let ended = self.ended.unwrap_or(self.began);
        let queued = self.queued.unwrap_or(written);
        FrameTimes {
            wall_ns: since(self.began, ended),
            tail_ns: since(written, ended),
            queued_ns: since(written, queued),
            executed_ns: since(queued, self.executed.unwrap_or(queued)),
            recycled_ns: since(self.began, Instant::now()),
            owner_ns: 0.0,
            message_bytes: 0,
            jobs,
        }
    }
}
