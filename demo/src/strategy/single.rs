//! One thread records everything, straight into one primary command buffer.

use std::time::Instant;

use ash::vk;

use super::direct::Direct;
use super::recording::{Pool, Recording};
use super::{FRAMES_IN_FLIGHT, FrameSample, Objects, Order, Outcome, Strategy};
use crate::error::Error;
use crate::stage::Stage;
use crate::{draw, measure};

/// The main thread with a pool for each frame in flight.
pub(crate) struct Single {
    // First, so that it is dropped first: it waits until the pools' frames have retired.
    direct: Direct,
    pools: Vec<Pool>,
}

impl Single {
    pub(crate) fn new(stage: &Stage, window: Option<vk::Extent2D>) -> Result<Self, Error> {
        let direct = Direct::new(&stage.gpu, window)?;
        let pools =
            (0..FRAMES_IN_FLIGHT).map(|_| Pool::new(&stage.gpu, vk::CommandBufferLevel::PRIMARY));
        Ok(Self {
            direct,
            pools: pools.collect::<Result<_, _>>()?,
        })
    }
}

impl Strategy for Single {
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
        let pool = &mut self.pools[turn.slot];
        pool.reset()?;
        let mut primary = Recording::primary(stage, pool.take()?)?;
        draw::setup(&mut primary, &stage.target);
        primary.begin_pass(stage, false);
        let draws = stage.scene.len();
        for job in 0..stage.jobs.count(draws) {
            let range = stage.jobs.range(job, draws);
            let record = || draw::stones(&mut primary, stage, &order.view, range.clone());
            let ((), job) = measure::job(range.len(), record);
            sample.jobs.push(job);
        }
        primary.end_pass(stage);
        draw::finish(&mut primary, &stage.target, turn.shown(), order.copy);
        let primary = primary.end()?;
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
        Objects {
            pools: self.pools.len(),
            command_buffers: self.pools.iter().map(Pool::buffers).sum(),
        }
    }
}
