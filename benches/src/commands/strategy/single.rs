//! One thread records everything inline into the primary: no parallelism, and none of its costs.

use std::sync::Arc;

use ash::vk;

use super::FRAMES_IN_FLIGHT;
use super::direct::{Direct, Pool, begin_primary, end_primary, finish};
use crate::commands::device::Device;
use crate::commands::frame::{FrameTimes, Objects, Stage, Stamps, Strategy};
use crate::commands::work::{Work, record};

/// See the module.
pub struct Single {
    sets: [Pool; FRAMES_IN_FLIGHT],
    frame: usize,
}

impl Single {
    /// A pool for each frame in flight.
    pub fn new(device: &Arc<Device>) -> Self {
        Self {
            sets: std::array::from_fn(|_| Pool::new(device, vk::CommandBufferLevel::PRIMARY)),
            frame: 0,
        }
    }
}

impl Strategy for Single {
    fn frame(&mut self, stage: &Stage, work: &Work) -> FrameTimes {
        self.frame += 1;
        let pool = &mut self.sets[self.frame % FRAMES_IN_FLIGHT];
        let table = &stage.device.table;
        let mut stamps = Stamps::begin();
        let buffer = pool.next();
        begin_primary(table, buffer, vk::RenderingFlags::empty());
        let scene = stage.device.scene;
        let jobs = stage.jobs.run_here(work, |_, range, each| {
            let mut calls = Direct { table, buffer };
            record(&mut calls, &scene, &stage.matrices, range, work, each);
        });
        end_primary(table, buffer);
        finish(&stage.device, buffer, work, &mut stamps);
        pool.reset();
        stamps.recycled(jobs)
    }

    fn objects(&self) -> Objects {
        Objects {
            pools: self.sets.len(),
            buffers: self.sets.iter().map(Pool::buffers).sum(),
            message_bytes: 0,
        }
    }
}
