//! A pool for each job thread and frame in flight; jobs record secondary buffers, the main thread executes them.

use std::sync::Mutex;
use std::time::Instant;

use ash::vk;

use super::direct::{Aim, Direct, Pool, Recording};
use super::{FRAMES_IN_FLIGHT, FrameSample, Objects, Order, Outcome, Strategy};
use crate::draw;
use crate::error::Error;
use crate::jobs::JobResults;
use crate::stage::Stage;

/// Pools of one frame in flight.
struct Slot {
    primary: Pool,
    /// One for each job thread, which alone takes its lock: it is never contended.
    workers: Vec<Mutex<Pool>>,
}

/// Job threads with pools of their own.
pub(crate) struct PerThread {
    direct: Direct,
    slots: Vec<Slot>,
    results: JobResults<vk::CommandBuffer>,
    secondaries: Vec<vk::CommandBuffer>,
}

impl PerThread {
    pub(crate) fn new(stage: &Stage, window: Option<vk::Extent2D>) -> Result<Self, Error> {
        let direct = Direct::new(&stage.gpu, window)?;
        let slots = (0..FRAMES_IN_FLIGHT)
            .map(|_| Slot::new(stage))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            direct,
            slots,
            results: JobResults::default(),
            secondaries: Vec::new(),
        })
    }
}

impl Slot {
    fn new(stage: &Stage) -> Result<Self, Error> {
        let worker = |_| {
            Ok(Mutex::new(Pool::new(
                &stage.gpu,
                vk::CommandBufferLevel::SECONDARY,
            )?))
        };
        Ok(Self {
            primary: Pool::new(&stage.gpu, vk::CommandBufferLevel::PRIMARY)?,
            workers: (0..stage.jobs.threads())
                .map(worker)
                .collect::<Result<_, Error>>()?,
        })
    }

    fn reset(&mut self) -> Result<(), Error> {
        self.primary.reset()?;
        self.workers
            .iter_mut()
            .try_for_each(|pool| match pool.get_mut() {
                Ok(pool) => pool.reset(),
                Err(_) => Err(Error::Jobs("a job panicked".into())),
            })
    }

    /// The pool of the calling job thread.
    fn mine(&self) -> Result<std::sync::MutexGuard<'_, Pool>, Error> {
        let worker = rayon::current_thread_index().and_then(|index| self.workers.get(index));
        let worker =
            worker.ok_or_else(|| Error::Jobs("a job ran on a thread without a pool".into()))?;
        worker
            .try_lock()
            .map_err(|_| Error::Jobs("a job thread's pool is in use by another job".into()))
    }
}

impl Strategy for PerThread {
    fn frame(
        &mut self,
        stage: &Stage,
        order: &Order<'_>,
        sample: &mut FrameSample,
    ) -> Result<Outcome, Error> {
        let index = self.direct.next()?;
        let aim = self.direct.acquire(index)?;
        if matches!(aim, Aim::Nothing) {
            return Ok(Outcome::NoImage);
        }
        let begin = Instant::now();
        let slot = &mut self.slots[index];
        slot.reset()?;
        let pools = &*slot;
        stage
            .jobs
            .run(stage.scene.len(), &mut self.results, |_, range| {
                let mut recording = Recording::secondary(stage, pools.mine()?.take()?)?;
                draw::stones(&mut recording, stage, &order.view, range);
                recording.end()
            });
        self.secondaries.clear();
        self.results.take(&mut sample.jobs, |secondary| {
            self.secondaries.push(secondary);
        })?;
        let primary = slot.primary.take()?;
        let primary = Recording::frame_of_secondaries(
            stage,
            primary,
            &self.secondaries,
            aim.shown(),
            order.copy,
        )?;
        sample.until_ended.push(begin.elapsed());
        self.direct.submit(index, primary, aim)?;
        Ok(Outcome::Drawn)
    }

    fn resize(&mut self, extent: vk::Extent2D) {
        self.direct.resize(extent);
    }

    fn finish(&mut self, _: &mut FrameSample) -> Result<(), Error> {
        self.direct.finish()
    }

    fn objects(&self) -> Objects {
        let in_slot = |slot: &Slot| {
            let secondaries = slot
                .workers
                .iter()
                .map(|pool| pool.lock().map_or(0, |pool| pool.buffers()));
            slot.primary.buffers() + secondaries.sum::<usize>()
        };
        Objects {
            pools: self.slots.iter().map(|slot| 1 + slot.workers.len()).sum(),
            command_buffers: self.slots.iter().map(in_slot).sum(),
        }
    }
}
