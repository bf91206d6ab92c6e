//! One pool for all, locked by a job for as long as it records its secondary: the jobs run one after the other.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use ash::vk;

use super::FRAMES_IN_FLIGHT;
use super::direct::{Direct, Pool, begin_secondary, end_secondary, execute, finish};
use super::per_thread::Secondaries;
use crate::commands::device::Device;
use crate::commands::frame::{FrameTimes, Objects, Stage, Stamps, Strategy};
use crate::commands::work::{Work, record};

/// See the module.
pub struct MutexPerJob {
    sets: [Shared; FRAMES_IN_FLIGHT],
    frame: usize,
}

/// What a frame in flight records with.
pub(super) struct Shared {
    primary: Pool,
    secondaries: Mutex<Pool>,
}

impl Shared {
    pub(super) fn new(device: &Arc<Device>) -> Self {
        Self {
            primary: Pool::new(device, vk::CommandBufferLevel::PRIMARY),
            secondaries: Mutex::new(Pool::new(device, vk::CommandBufferLevel::SECONDARY)),
        }
    }

    fn reset(&mut self) {
        self.primary.reset();
        let secondaries = self.secondaries.get_mut().expect("no job has panicked");
        secondaries.reset();
    }

    /// A frame of a secondary for each job, which `job` records and returns.
    pub(super) fn frame(
        &mut self,
        stage: &Stage,
        work: &Work,
        job: impl Fn(&Mutex<Pool>, Range<usize>, &mut Vec<u32>) -> vk::CommandBuffer + Sync,
    ) -> FrameTimes {
        let secondaries = Secondaries::new(work.jobs);
        let mut stamps = Stamps::begin();
        let shared = &self.secondaries;
        let jobs = stage.jobs.run(work, |_, slot, range, each| {
            secondaries.set(slot, job(shared, range, each));
        });
        let primary = self.primary.next();
        execute(&stage.device.table, primary, &secondaries.all());
        finish(&stage.device, primary, work, &mut stamps);
        self.reset();
        stamps.recycled(jobs)
    }

    pub(super) fn objects(sets: &[Self]) -> Objects {
        let buffers = |set: &Self| {
            let secondaries = set.secondaries.lock().expect("no job has panicked");
            set.primary.buffers() + secondaries.buffers()
        };
        Objects {
            pools: 2 * sets.len(),
            buffers: sets.iter().map(buffers).sum(),
            message_bytes: 0,
        }
    }
}

impl MutexPerJob {
    /// A shared pool for each frame in flight.
    pub fn new(device: &Arc<Device>) -> Self {
        Self {
            sets: std::array::from_fn(|_| Shared::new(device)),
            frame: 0,
        }
    }
}

impl Strategy for MutexPerJob {
    fn frame(&mut self, stage: &Stage, work: &Work) -> FrameTimes {
        self.frame += 1;
        let set = &mut self.sets[self.frame % FRAMES_IN_FLIGHT];
        let table = &stage.device.table;
        let scene = stage.device.scene;
        set.frame(stage, work, |shared, range, each| {
            let mut pool = shared.lock().expect("no job has panicked");
            let buffer = pool.next();
            begin_secondary(table, buffer);
            let mut calls = Direct { table, buffer };
            record(&mut calls, &scene, &stage.matrices, range, work, each);
            end_secondary(table, buffer);
            buffer
        })
    }

    fn objects(&self) -> Objects {
        Shared::objects(&self.sets)
    }
}
