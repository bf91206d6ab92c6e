//! What the strategies with secondary command buffers share: each job records one, the main thread executes them in order.
//!
//! They differ in the pools that the jobs record from, and in who may use those when: that is their [`JobPools`].

use std::ops::Range;
use std::time::Instant;

use ash::vk;

use super::direct::Direct;
use super::recording::{Pool, Recording};
use super::{FRAMES_IN_FLIGHT, FrameSample, Objects, Order, Outcome, Strategy};
use crate::error::Error;
use crate::jobs::JobResults;
use crate::scene::View;
use crate::stage::Stage;

/// The pools that the jobs of one frame in flight record from.
pub(crate) trait JobPools: Sized + Sync {
    fn new(stage: &Stage) -> Result<Self, Error>;

    /// Readies them for the next frame; what was recorded from them has retired.
    fn reset(&mut self) -> Result<(), Error>;

    /// Records the stones of `range` into a secondary buffer and ends it, on a job's thread.
    fn record(
        &self,
        stage: &Stage,
        view: &View,
        range: Range<usize>,
    ) -> Result<vk::CommandBuffer, Error>;

    fn objects(&self) -> Objects;
}

/// One frame in flight.
struct Slot<P> {
    primary: Pool,
    jobs: P,
}

/// Jobs that record secondaries from pools `P`, and the main thread with a pool of its own for the primary.
pub(crate) struct Secondaries<P> {
    // First, so that it is dropped first: it waits until the pools' frames have retired.
    direct: Direct,
    slots: Vec<Slot<P>>,
    results: JobResults<vk::CommandBuffer>,
    ended: Vec<vk::CommandBuffer>,
}

impl<P: JobPools> Secondaries<P> {
    pub(crate) fn new(stage: &Stage, window: Option<vk::Extent2D>) -> Result<Self, Error> {
        let direct = Direct::new(&stage.gpu, window)?;
        let slot = |_| {
            Ok(Slot {
                primary: Pool::new(&stage.gpu, vk::CommandBufferLevel::PRIMARY)?,
                jobs: P::new(stage)?,
            })
        };
        Ok(Self {
            direct,
            slots: (0..FRAMES_IN_FLIGHT)
                .map(slot)
                .collect::<Result<_, Error>>()?,
            results: JobResults::default(),
            ended: Vec::new(),
        })
    }
}

impl<P: JobPools> Strategy for Secondaries<P> {
    fn frame(
        &mut self,
        stage: &Stage,
        order: &Order<'_>,
        sample: &mut FrameSample,
    ) -> Result<Outcome, Error> {
        let Some(turn) = self.direct.begin()? else {
            return Ok(Outcome::NoImage);
        };
        let begin = Instant::now();
        let slot = &mut self.slots[turn.slot];
        slot.primary.reset()?;
        slot.jobs.reset()?;
        let (pools, draws) = (&slot.jobs, stage.scene.len());
        stage.jobs.run(draws, &mut self.results, |_, range| {
            pools.record(stage, &order.view, range)
        });
        self.ended.clear();
        self.results
            .take(&mut sample.jobs, |secondary| self.ended.push(secondary))?;
        let primary = Recording::frame_of_secondaries(
            stage,
            slot.primary.take()?,
            &self.ended,
            turn.shown(),
            order.copy,
        )?;
        sample.until_ended.push(begin.elapsed());
        self.direct.submit(turn, primary, order)?;
        Ok(Outcome::Drawn)
    }

    fn resize(&mut self, extent: vk::Extent2D) {
        self.direct.resize(extent);
    }

    fn finish(&mut self, _: &mut FrameSample) -> Result<(), Error> {
        self.direct.finish()
    }

    fn objects(&self) -> Objects {
        let mut all = Objects::default();
        for slot in &self.slots {
            let jobs = slot.jobs.objects();
            all.pools += 1 + jobs.pools;
            all.command_buffers += slot.primary.buffers() + jobs.command_buffers;
        }
        all
    }
}
