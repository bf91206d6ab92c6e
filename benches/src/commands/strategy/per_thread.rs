//! Pools per thread, the usual advice: each thread has a pool for each frame in flight, each job fills a secondary from
//! its thread's pool, the main thread executes them in order in its primary.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ash::vk::{self, Handle};

use super::FRAMES_IN_FLIGHT;
use super::direct::{Direct, Pool, begin_secondary, end_secondary, execute, finish};
use crate::commands::device::Device;
use crate::commands::frame::{FrameTimes, Objects, Stage, Stamps, Strategy};
use crate::commands::work::{Work, record};

/// See the module.
pub struct PerThread {
    sets: [Set; FRAMES_IN_FLIGHT],
    frame: usize,
}

/// What a frame in flight records with.
struct Set {
    primary: Pool,
    /// One for each thread; only that thread locks it, so nobody ever waits.
    threads: Vec<OfThread>,
}

/// In cache lines of its own.
#[repr(align(128))]
struct OfThread(Mutex<Pool>);

impl PerThread {
    /// Pools for so many threads.
    pub fn new(device: &Arc<Device>, threads: usize) -> Self {
        let set = || Set {
            primary: Pool::new(device, vk::CommandBufferLevel::PRIMARY),
            threads: (0..threads)
                .map(|_| {
                    OfThread(Mutex::new(Pool::new(
                        device,
                        vk::CommandBufferLevel::SECONDARY,
                    )))
                })
                .collect(),
        };
        Self {
            sets: std::array::from_fn(|_| set()),
            frame: 0,
        }
    }
}

impl Strategy for PerThread {
    fn frame(&mut self, stage: &Stage, work: &Work) -> FrameTimes {
        self.frame += 1;
        let Set { primary, threads } = &mut self.sets[self.frame % FRAMES_IN_FLIGHT];
        let table = &stage.device.table;
        let scene = stage.device.scene;
        let secondaries = Secondaries::new(work.jobs);
        let mut stamps = Stamps::begin();
        let jobs = stage.jobs.run(work, |thread, slot, range, each| {
            let mut pool = threads[thread].0.lock().expect("no job has panicked");
            let buffer = pool.next();
            begin_secondary(table, buffer);
            let mut calls = Direct { table, buffer };
            record(&mut calls, &scene, &stage.matrices, range, work, each);
            end_secondary(table, buffer);
            secondaries.set(slot, buffer);
        });
        let buffer = primary.next();
        execute(table, buffer, &secondaries.all());
        finish(&stage.device, buffer, work, &mut stamps);
        primary.reset();
        for pool in threads {
            pool.0.get_mut().expect("no job has panicked").reset();
        }
        stamps.recycled(jobs)
    }

    fn objects(&self) -> Objects {
        let mut objects = Objects::default();
        for set in &self.sets {
            objects.pools += 1 + set.threads.len();
            objects.buffers += set.primary.buffers();
            for pool in &set.threads {
                objects.buffers += pool.0.lock().expect("no job has panicked").buffers();
            }
        }
        objects
    }
}

/// The secondaries of a frame in slot order, each set by the job of its slot.
pub(super) struct Secondaries(Vec<AtomicU64>);

impl Secondaries {
    pub(super) fn new(slots: usize) -> Self {
        Self((0..slots).map(|_| AtomicU64::new(0)).collect())
    }

    pub(super) fn set(&self, slot: usize, buffer: vk::CommandBuffer) {
        self.0[slot].store(buffer.as_raw(), Ordering::Relaxed);
    }

    /// All of them; the jobs have ended.
    pub(super) fn all(&self) -> Vec<vk::CommandBuffer> {
        self.0
            .iter()
            .map(|buffer| vk::CommandBuffer::from_raw(buffer.load(Ordering::Relaxed)))
            .collect()
    }
}
