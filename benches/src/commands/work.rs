//! The work of a frame: draws of four calls each, cut into jobs that a pool of threads takes in turn.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use ash::vk;

use crate::affinity;
use crate::clock::{self, ticks};

/// The push constants of one draw: 64 bytes.
pub type Matrix = [f32; 16];

/// Which way the slots of a frame are finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The first slot first: what an owner that replays in slot order likes best.
    Forward,
    /// The last slot first: it can replay nothing until the end.
    Reverse,
}

/// What a frame consists of.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Draws in the frame.
    pub draws: usize,
    /// Jobs that they are cut into, a slot each.
    pub jobs: usize,
    /// The order in which slots are taken.
    pub order: Order,
    /// Whether a job leaves out the bindings that it made before.
    pub eliminate: bool,
    /// Whether the frame is submitted and executed; else it is recorded only. The naive ways only record.
    pub execute: bool,
    /// Whether the time of each draw is noted, which disturbs the other numbers.
    pub each_draw: bool,
}

impl Work {
    /// The draws of one slot.
    pub fn range(&self, slot: usize) -> Range<usize> {
        self.draws * slot / self.jobs..self.draws * (slot + 1) / self.jobs
    }
}

/// The objects that draws refer to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scene {
    /// A pipeline that needs a vertex buffer and 64 bytes of push constants.
    pub pipeline: vk::Pipeline,
    /// Its layout.
    pub layout: vk::PipelineLayout,
    /// A vertex buffer.
    pub vertices: vk::Buffer,
}

/// Records the four calls of a draw, in whatever way a candidate does it.
pub trait Calls {
    /// `vkCmdBindPipeline`.
    fn bind_pipeline(&mut self, pipeline: vk::Pipeline);
    /// `vkCmdBindVertexBuffers`, one buffer from its start.
    fn bind_vertices(&mut self, buffer: vk::Buffer);
    /// `vkCmdPushConstants`, 64 bytes for the vertex stage.
    fn push(&mut self, layout: vk::PipelineLayout, matrix: &Matrix);
    /// `vkCmdDraw`, three vertices.
    fn draw(&mut self);

    /// All four.
    #[inline(always)]
    fn all(&mut self, scene: &Scene, matrix: &Matrix) {
        self.bind_pipeline(scene.pipeline);
        self.bind_vertices(scene.vertices);
        self.push(scene.layout, matrix);
        self.draw();
    }
}

/// Leaves out bindings that are there already: the usual filter in front of a driver.
struct Filtered<'a, C> {
    calls: &'a mut C,
    pipeline: vk::Pipeline,
    vertices: vk::Buffer,
}

impl<C: Calls> Calls for Filtered<'_, C> {
    #[inline(always)]
    fn bind_pipeline(&mut self, pipeline: vk::Pipeline) {
        if self.pipeline != pipeline {
            self.pipeline = pipeline;
            self.calls.bind_pipeline(pipeline);
        }
    }

    #[inline(always)]
    fn bind_vertices(&mut self, buffer: vk::Buffer) {
        if self.vertices != buffer {
            self.vertices = buffer;
            self.calls.bind_vertices(buffer);
        }
    }

    #[inline(always)]
    fn push(&mut self, layout: vk::PipelineLayout, matrix: &Matrix) {
        self.calls.push(layout, matrix);
    }

    #[inline(always)]
    fn draw(&mut self) {
        self.calls.draw();
    }
}

/// Matrices to push: few enough to stay in the cache, as a renderer's own data would be streamed there.
#[derive(Debug)]
pub struct Matrices(Box<[Matrix; Self::COUNT]>);

impl Matrices {
    const COUNT: usize = 256;

    /// The matrix of a draw.
    #[inline(always)]
    pub fn of(&self, draw: usize) -> &Matrix {
        &self.0[draw % Self::COUNT]
    }
}

impl Default for Matrices {
    fn default() -> Self {
        let mut all = Box::new([[0.0; 16]; Self::COUNT]);
        for (index, number) in all.iter_mut().flatten().enumerate() {
            *number = index as f32;
        }
        Self(all)
    }
}

/// Records the draws of a slot; returns the ticks that each took, where that is asked for.
#[inline(always)]
pub fn record(
    calls: &mut impl Calls,
    scene: &Scene,
    matrices: &Matrices,
    range: Range<usize>,
    work: &Work,
    each: &mut Vec<u32>,
) {
    if work.eliminate {
        let mut calls = Filtered {
            calls,
            pipeline: vk::Pipeline::null(),
            vertices: vk::Buffer::null(),
        };
        draws(&mut calls, scene, matrices, range, work, each);
    } else {
        draws(calls, scene, matrices, range, work, each);
    }
}

#[inline(always)]
fn draws(
    calls: &mut impl Calls,
    scene: &Scene,
    matrices: &Matrices,
    range: Range<usize>,
    work: &Work,
    each: &mut Vec<u32>,
) {
    if work.each_draw {
        for draw in range {
            let begin = ticks();
            calls.all(scene, matrices.of(draw));
            let end = ticks();
            each.push(u32::try_from(end.wrapping_sub(begin)).unwrap_or(u32::MAX));
        }
    } else {
        for draw in range {
            calls.all(scene, matrices.of(draw));
        }
    }
}

/// What the jobs of a frame cost.
#[derive(Clone, Debug, Default)]
pub struct JobTimes {
    /// Wall time inside the jobs, added up, in ticks.
    pub wall_ticks: u64,
    /// Processor time inside the jobs, added up, in nanoseconds; waiting for a lock does not count.
    pub cpu_ns: u64,
    /// Processor time of what followed in the jobs' threads and is not the jobs' own, added up, in nanoseconds.
    pub then_cpu_ns: u64,
    /// How many jobs there were.
    pub count: u64,
    /// Jobs that slept, on a lock, for a message or in the driver.
    pub blocked: u64,
    /// Jobs that slept and touched new memory meanwhile, so that the kernel's own locks may be why.
    pub paged: u64,
    /// When the last job had ended, as a time stamp.
    pub ended: u64,
    /// The ticks of each draw, where that is noted.
    pub each: Vec<u32>,
}

/// A job's own times, in a cache line that no other job writes.
#[derive(Default)]
#[repr(align(128))]
struct Times {
    wall: AtomicU64,
    cpu: AtomicU64,
    then_cpu: AtomicU64,
    blocked: AtomicU64,
    paged: AtomicU64,
    ended: AtomicU64,
    each: std::sync::Mutex<Vec<u32>>,
}

/// Threads that take the slots of a frame in turn: rayon's, one for each processor, and bound to it.
pub struct Jobs {
    pool: rayon::ThreadPool,
    times: Vec<Times>,
    /// What reading the clock of a thread twice measures, in nanoseconds.
    clock_floor: u64,
}

impl Jobs {
    /// A thread for each processor.
    ///
    /// # Errors
    ///
    /// Where threads cannot be started.
    pub fn new() -> Result<Self, rayon::ThreadPoolBuildError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .thread_name(|index| format!("job-{index}"))
            .start_handler(|index| {
                agate::forbid_wait();
                affinity::pin(index);
            })
            .build()?;
        Ok(Self {
            pool,
            times: Vec::new(),
            clock_floor: clock::thread_cpu_floor_ns(),
        })
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Makes room for the times of this work's jobs, before its frames are timed.
    ///
    /// # Panics
    ///
    /// If a job has panicked before.
    pub fn prepare(&mut self, work: &Work) {
        self.times.resize_with(work.jobs, Times::default);
        let per_job = work.draws.div_ceil(work.jobs.max(1));
        for times in &mut self.times {
            let each = times.each.get_mut().expect("no job has panicked");
            each.clear();
            each.reserve(if work.each_draw { per_job } else { 0 });
        }
    }

    /// Runs `job` for every slot, in the order that the work asks for, and returns when all have ended. A job gets the
    /// number of its thread, its slot, its draws, and where to note the ticks of each.
    pub fn run(
        &self,
        work: &Work,
        job: impl Fn(usize, usize, Range<usize>, &mut Vec<u32>) + Sync,
    ) -> JobTimes {
        self.broadcast(work, |thread, slot, range| {
            self.timed(slot, |each| job(thread, slot, range, each), None::<fn(())>);
        })
    }

    /// The same, where the thread does more after each job, with what that leaves: timed apart, it counts as the frame's time
    /// and not as the job's. One reading of the clock lies between the two.
    pub fn run_then<R>(
        &self,
        work: &Work,
        job: impl Fn(usize, usize, Range<usize>, &mut Vec<u32>) -> R + Sync,
        then: impl Fn(R) + Sync,
    ) -> JobTimes {
        self.broadcast(work, |thread, slot, range| {
            self.timed(slot, |each| job(thread, slot, range, each), Some(&then));
        })
    }

    fn broadcast(&self, work: &Work, job: impl Fn(usize, usize, Range<usize>) + Sync) -> JobTimes {
        let next = AtomicUsize::new(0);
        self.pool.broadcast(|thread| {
            loop {
                let turn = next.fetch_add(1, Ordering::Relaxed);
                if turn >= work.jobs {
                    break;
                }
                let slot = match work.order {
                    Order::Forward => turn,
                    Order::Reverse => work.jobs - 1 - turn,
                };
                job(thread.index(), slot, work.range(slot));
            }
        });
        self.sum(work)
    }

    /// The same on the calling thread alone.
    pub fn run_here(
        &self,
        work: &Work,
        mut job: impl FnMut(usize, Range<usize>, &mut Vec<u32>),
    ) -> JobTimes {
        for slot in 0..work.jobs {
            let job = |each: &mut Vec<u32>| job(slot, work.range(slot), each);
            self.timed(slot, job, None::<fn(())>);
        }
        self.sum(work)
    }

    #[inline(always)]
    fn timed<R>(
        &self,
        slot: usize,
        job: impl FnOnce(&mut Vec<u32>) -> R,
        then: Option<impl FnOnce(R)>,
    ) {
        let times = &self.times[slot];
        let mut each = times.each.lock().expect("no job has panicked");
        let (sleeps, faults) = clock::thread_sleeps_and_faults();
        let cpu = clock::thread_cpu_ns();
        let begin = ticks();
        let left = job(&mut each);
        let mut end = ticks();
        let wall = end.wrapping_sub(begin);
        let spent = |from: u64, to: u64| (to - from).saturating_sub(self.clock_floor);
        let mut then_cpu = 0;
        let written = clock::thread_cpu_ns();
        if let Some(then) = then {
            then(left);
            end = ticks();
            then_cpu = spent(written, clock::thread_cpu_ns());
        }
        let cpu = spent(cpu, written);
        let (slept, faulted) = clock::thread_sleeps_and_faults();
        let (has_slept, has_faulted) = (slept > sleeps, faulted > faults);
        let (blocked, paged) = (has_slept && !has_faulted, has_slept && has_faulted);
        times.blocked.store(u64::from(blocked), Ordering::Relaxed);
        times.paged.store(u64::from(paged), Ordering::Relaxed);
        times.wall.store(wall, Ordering::Relaxed);
        times.cpu.store(cpu, Ordering::Relaxed);
        times.then_cpu.store(then_cpu, Ordering::Relaxed);
        times.ended.store(end, Ordering::Relaxed);
    }

    fn sum(&self, work: &Work) -> JobTimes {
        let mut sum = JobTimes {
            count: work.jobs as u64,
            ..JobTimes::default()
        };
        for times in &self.times[..work.jobs] {
            sum.wall_ticks += times.wall.load(Ordering::Relaxed);
            sum.blocked += times.blocked.load(Ordering::Relaxed);
            sum.paged += times.paged.load(Ordering::Relaxed);
            sum.cpu_ns += times.cpu.load(Ordering::Relaxed);
            sum.then_cpu_ns += times.then_cpu.load(Ordering::Relaxed);
            sum.ended = sum.ended.max(times.ended.load(Ordering::Relaxed));
            let mut each = times.each.lock().expect("no job has panicked");
            sum.each.append(&mut each);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_draw_belongs_to_one_slot_and_every_slot_runs_once() {
        let mut jobs = Jobs::new().expect("threads");
        for order in [Order::Forward, Order::Reverse] {
            let work = Work {
                draws: 1003,
                jobs: 7,
                order,
                eliminate: false,
                execute: false,
                each_draw: false,
            };
            jobs.prepare(&work);
            let (slots, draws) = (AtomicUsize::new(0), AtomicUsize::new(0));
            jobs.run(&work, |_, slot, range, _| {
                slots.fetch_add(1 << (4 * slot), Ordering::Relaxed);
                draws.fetch_add(range.len(), Ordering::Relaxed);
            });
            assert_eq!((slots.into_inner(), draws.into_inner()), (0x111_1111, 1003));
        }
    }
}
