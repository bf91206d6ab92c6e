//! Runs the candidates in turns.

use std::cell::RefCell;
use std::sync::Arc;

use crate::allocations;
use crate::clock::ns_per_tick;
use crate::commands::device::Device;
use crate::commands::frame::{FrameTimes, Objects, Stage, Strategy};
use crate::commands::strategy::Way;
use crate::commands::work::{JobTimes, Jobs, Matrices, Work};
use crate::rounds::{self, Candidate};
use crate::stats::quantile;

/// One row of a table: a way of recording, and all its frames.
#[derive(Debug)]
pub struct Row {
    /// How it records.
    pub way: Way,
    /// Whether bindings that are there already were left out.
    pub eliminate: bool,
    /// Its frames.
    pub frames: Vec<FrameTimes>,
    /// What it held at the end.
    pub objects: Objects,
    /// Heap allocations of a frame, on all threads: the fewest of a few frames. The job system makes some of them.
    pub allocations: u64,
    /// Draws in a frame.
    pub draws: usize,
}

impl Row {
    /// What the table calls it.
    pub fn name(&self) -> String {
        let suffix = if self.eliminate { ", eliminating" } else { "" };
        format!("{}{suffix}", self.way.name())
    }

    fn per_draw(&self, number: impl Fn(&FrameTimes) -> f64) -> Vec<f64> {
        let draws = self.draws as f64;
        self.frames
            .iter()
            .map(|frame| number(frame) / draws)
            .collect()
    }

    /// Processor time of a draw in its job, in nanoseconds.
    pub fn job_cpu(&self) -> Vec<f64> {
        self.per_draw(|frame| frame.jobs.cpu_ns as f64)
    }

    /// Wall time of a draw in its job, in nanoseconds: with waiting for locks, and with being put aside.
    pub fn job_wall(&self) -> Vec<f64> {
        self.per_draw(|frame| frame.jobs.wall_ticks as f64 * ns_per_tick())
    }

    /// From the frame's begin to the end of its primary, in nanoseconds for each draw.
    pub fn wall(&self) -> Vec<f64> {
        self.per_draw(|frame| frame.wall_ns)
    }

    /// Until everything can be used again, in nanoseconds for each draw.
    pub fn recycled(&self) -> Vec<f64> {
        self.per_draw(|frame| frame.recycled_ns)
    }

    /// The owner's time, in nanoseconds for each draw.
    pub fn owner(&self) -> Vec<f64> {
        self.per_draw(|frame| frame.owner_ns)
    }

    /// The share of jobs that slept of their own accord: on a lock, for a message, or in the driver.
    pub fn blocked(&self) -> f64 {
        self.share(|jobs| jobs.blocked)
    }

    /// The share of jobs that slept and touched new memory meanwhile: why, cannot be told.
    pub fn paged(&self) -> f64 {
        self.share(|jobs| jobs.paged)
    }

    fn share(&self, some: impl Fn(&JobTimes) -> u64) -> f64 {
        let some: u64 = self.frames.iter().map(|frame| some(&frame.jobs)).sum();
        let jobs: u64 = self.frames.iter().map(|frame| frame.jobs.count).sum();
        some as f64 / jobs.max(1) as f64
    }

    /// From the end of the last job to the end of the primary, in microseconds.
    pub fn tail_us(&self) -> Vec<f64> {
        self.frames
            .iter()
            .map(|frame| frame.tail_ns / 1e3)
            .collect()
    }

    /// From the end of the last job until the frame was queued, in microseconds.
    pub fn queued_us(&self) -> Vec<f64> {
        self.frames
            .iter()
            .map(|frame| frame.queued_ns / 1e3)
            .collect()
    }

    /// From there until it had been executed, in microseconds.
    pub fn executed_us(&self) -> Vec<f64> {
        self.frames
            .iter()
            .map(|frame| frame.executed_ns / 1e3)
            .collect()
    }

    /// From the frame's begin until it had been executed, in microseconds.
    pub fn frame_us(&self) -> Vec<f64> {
        let whole = |frame: &FrameTimes| {
            frame.wall_ns - frame.tail_ns + frame.queued_ns + frame.executed_ns
        };
        self.frames.iter().map(|frame| whole(frame) / 1e3).collect()
    }

    /// A quantile of the time of one draw's calls in each frame, in nanoseconds.
    pub fn draw_quantile(&self, q: f64) -> Vec<f64> {
        let of = |frame: &FrameTimes| {
            let ticks = frame.jobs.each.iter();
            let mut each: Vec<f64> = ticks.map(|ticks| f64::from(*ticks)).collect();
            each.sort_by(f64::total_cmp);
            quantile(&each, q) * ns_per_tick()
        };
        self.frames.iter().map(of).collect()
    }

    /// A quantile of the time of one draw's calls over all frames, in nanoseconds.
    pub fn draw_quantiles<const N: usize>(&self, quantiles: [f64; N]) -> [f64; N] {
        let mut all: Vec<f64> = self
            .frames
            .iter()
            .flat_map(|frame| &frame.jobs.each)
            .map(|ticks| f64::from(*ticks) * ns_per_tick())
            .collect();
        all.sort_by(f64::total_cmp);
        quantiles.map(|q| quantile(&all, q))
    }
}

/// Measures all ways of recording this work on a device, in turns.
///
/// # Errors
///
/// Where threads cannot be started.
pub fn measure(
    device: &Arc<Device>,
    work: &Work,
    rounds: usize,
    ways: &[Way],
) -> Result<Vec<Row>, String> {
    let mut jobs = Jobs::new().map_err(|why| format!("threads: {why}"))?;
    jobs.prepare(work);
    let stage = Stage {
        device: Arc::clone(device),
        jobs,
        matrices: Matrices::default(),
    };
    let mut entries = Vec::new();
    for way in ways {
        for eliminate in [false, true] {
            if !eliminate || way.has_elimination() {
                let strategy = way.make(device, stage.jobs.threads());
                entries.push((*way, eliminate, RefCell::new(strategy)));
            }
        }
    }
    let candidates = entries
        .iter()
        .map(|(way, eliminate, strategy)| candidate(&stage, work, *way, *eliminate, strategy))
        .collect();
    let series = rounds::run(candidates, 3, rounds);
    let rows = entries.iter().zip(series);
    Ok(rows
        .map(|((way, eliminate, strategy), series)| Row {
            way: *way,
            eliminate: *eliminate,
            frames: series.runs,
            allocations: allocated(&stage, work, *eliminate, strategy),
            objects: strategy.borrow().objects(),
            draws: work.draws,
        })
        .collect())
}

/// Of a few more frames, that with the fewest heap allocations: what grows once is not a frame's.
fn allocated(
    stage: &Stage,
    work: &Work,
    eliminate: bool,
    strategy: &RefCell<Box<dyn Strategy>>,
) -> u64 {
    let work = Work {
        eliminate,
        each_draw: false,
        ..*work
    };
    let frame = |_| allocations::during(|| drop(strategy.borrow_mut().frame(stage, &work)));
    (0..5).map(frame).min().unwrap_or(0)
}

fn candidate<'a>(
    stage: &'a Stage,
    work: &Work,
    way: Way,
    eliminate: bool,
    strategy: &'a RefCell<Box<dyn Strategy>>,
) -> Candidate<'a, FrameTimes> {
    let work = Work { eliminate, ..*work };
    Candidate::new(way.name(), move || {
        strategy.borrow_mut().frame(stage, &work)
    })
}
