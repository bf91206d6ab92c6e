//! One frame by one strategy, and what is measured of it.

use std::sync::Arc;
use std::time::Instant;

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
    /// From the frame's begin until everything can be used again, in nanoseconds.
    pub recycled_ns: f64,
    /// Time of an owner thread spent recording, in nanoseconds; 0 without one.
    pub owner_ns: f64,
    /// The jobs.
    pub jobs: JobTimes,
}

/// The stamps of a frame while it runs.
#[derive(Debug)]
pub struct Stamps {
    began: Instant,
    began_ticks: u64,
    ended: Option<(Instant, u64)>,
}

impl Stamps {
    /// The frame begins now.
    pub fn begin() -> Self {
        Self {
            began: Instant::now(),
            began_ticks: ticks(),
            ended: None,
        }
    }

    /// The primary has ended now.
    pub fn ended(&mut self) {
        self.ended = Some((Instant::now(), ticks()));
    }

    /// The primary ended when another thread said.
    pub fn ended_at(&mut self, when: Instant) {
        let after = when.saturating_duration_since(self.began).as_nanos() as f64;
        let ticks = self.began_ticks + (after / ns_per_tick()) as u64;
        self.ended = Some((when, ticks));
    }

    /// Everything can be used again now.
    pub fn recycled(self, jobs: JobTimes) -> FrameTimes {
        let recycled_ns = self.began.elapsed().as_nanos() as f64;
        let (ended, ended_ticks) = self.ended.unwrap_or((self.began, self.began_ticks));
        FrameTimes {
            wall_ns: ended.saturating_duration_since(self.began).as_nanos() as f64,
            tail_ns: ended_ticks.saturating_sub(jobs.ended) as f64 * ns_per_tick(),
            recycled_ns,
            owner_ns: 0.0,
            jobs,
        }
    }
}
