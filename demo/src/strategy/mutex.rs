//! One pool behind a mutex: a job locks it, allocates a secondary buffer, records it, and unlocks.
//!
//! Recording is a use of the pool, so the lock has to be held for the whole job: jobs take turns.

use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use ash::vk;

use super::direct::{Aim, Direct, Pool, Recording};
use super::{FRAMES_IN_FLIGHT, FrameSample, Objects, Order, Outcome, Strategy};
use crate::draw;
use crate::error::Error;
use crate::jobs::JobResults;
use crate::stage::Stage;

/// The secondaries' pool of one frame in flight, shared by all job threads, and the main thread's.
struct Slot {
    primary: Pool,
    shared: Mutex<Pool>,
}

/// Job threads that share a pool.
pub(crate) struct Mutexed {
    direct: Direct,
    slots: Vec<Slot>,
    results: JobResults<vk::CommandBuffer>,
    secondaries: Vec<vk::CommandBuffer>,
}

impl Mutexed {
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
        Ok(Self {
            primary: Pool::new(&stage.gpu, vk::CommandBufferLevel::PRIMARY)?,
            shared: Mutex::new(Pool::new(&stage.gpu, vk::CommandBufferLevel::SECONDARY)?),
        })
    }

    fn shared(&self) -> Result<MutexGuard<'_, Pool>, Error> {
        self.shared
            .lock()
            .map_err(|_| Error::Jobs("a job panicked".into()))
    }
}

impl Strategy for Mutexed {
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
        slot.primary.reset()?;
        slot.shared()?.reset()?;
        let pools = &*slot;
        stage
            .jobs
            .run(stage.scene.len(), &mut self.results, |_, range| {
                let mut pool = pools.shared()?;
                let mut recording = Recording::secondary(stage, pool.take()?)?;
                draw::stones(&mut recording, stage, &order.view, range);
                let ended = recording.end();
                drop(pool);
                ended
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
            slot.primary.buffers() + slot.shared.lock().map_or(0, |pool| pool.buffers())
        };
        Objects {
            pools: 2 * self.slots.len(),
            command_buffers: self.slots.iter().map(in_slot).sum(),
        }
    }
}
