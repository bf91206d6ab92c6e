//! One pool for all, locked for every command: jobs interleave, and pay for the lock each time.

use std::sync::{Arc, Mutex};

use ash::vk;

use super::FRAMES_IN_FLIGHT;
use super::direct::{Direct, Pool, begin_secondary, end_secondary};
use super::mutex_per_job::Shared;
use crate::commands::device::Device;
use crate::commands::frame::{FrameTimes, Objects, Stage, Strategy};
use crate::commands::work::{Calls, Matrix, Work, record};

/// See the module.
pub struct MutexPerCommand {
    sets: [Shared; FRAMES_IN_FLIGHT],
    frame: usize,
}

impl MutexPerCommand {
    /// A shared pool for each frame in flight.
    pub fn new(device: &Arc<Device>) -> Self {
        Self {
            sets: std::array::from_fn(|_| Shared::new(device)),
            frame: 0,
        }
    }
}

/// Direct calls, each under the lock.
struct Locked<'a> {
    lock: &'a Mutex<Pool>,
    calls: Direct<'a>,
}

impl Locked<'_> {
    #[inline(always)]
    fn locked(&mut self, call: impl FnOnce(&mut Direct<'_>)) {
        let _held = self.lock.lock().expect("no job has panicked");
        call(&mut self.calls);
    }
}

impl Calls for Locked<'_> {
    #[inline(always)]
    fn bind_pipeline(&mut self, pipeline: vk::Pipeline) {
        self.locked(|calls| calls.bind_pipeline(pipeline));
    }

    #[inline(always)]
    fn bind_vertices(&mut self, buffer: vk::Buffer) {
        self.locked(|calls| calls.bind_vertices(buffer));
    }

    #[inline(always)]
    fn push(&mut self, layout: vk::PipelineLayout, matrix: &Matrix) {
        self.locked(|calls| calls.push(layout, matrix));
    }

    #[inline(always)]
    fn draw(&mut self) {
        self.locked(|calls| calls.draw());
    }
}

impl Strategy for MutexPerCommand {
    fn frame(&mut self, stage: &Stage, work: &Work) -> FrameTimes {
        self.frame += 1;
        let set = &mut self.sets[self.frame % FRAMES_IN_FLIGHT];
        let table = &stage.device.table;
        let scene = stage.device.scene;
        set.frame(stage, work, |lock, range, each| {
            let buffer = {
                let mut pool = lock.lock().expect("no job has panicked");
                let buffer = pool.next();
                begin_secondary(table, buffer);
                buffer
            };
            let calls = Direct { table, buffer };
            let mut calls = Locked { lock, calls };
            record(&mut calls, &scene, &stage.matrices, range, work, each);
            let _held = lock.lock().expect("no job has panicked");
            end_secondary(table, buffer);
            buffer
        })
    }

    fn objects(&self) -> Objects {
        Shared::objects(&self.sets)
    }
}
