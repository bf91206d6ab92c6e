//! When not to use agate-vk: the same frame in jobs of 1, 8, 64 and 512 draws, recorded by message, directly under a mutex,
//! and by one thread alone; with what each costs the jobs, and when the frame's commands are ready.
//!
//! The device is the null device of this repository's tests, whose every `vkCmd*` takes about 14 ns, as good drivers' do.
//! `cargo run --release -p agate-vk --example tiny_jobs`: without `--release` the figures say nothing.

#![allow(unsafe_code, reason = "every Vulkan call is unsafe")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "commands come in groups"
)]

use agate_vk::{Pass, Recorder, Service, ServiceOptions, SubmitOptions, ash, vk};
use null_device::{Cost, NullDevice, NullOptions};
use std::error::Error;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

type Failure = Box<dyn Error + Send + Sync>;

const LONG: Duration = Duration::from_secs(20);
const DRAWS: u32 = 4096;
const SIZES: [u32; 4] = [1, 8, 64, 512];
const ROUNDS: usize = 15;
/// A draw is its push constants and the draw itself.
const COMMANDS: u64 = 2 * DRAWS as u64;

/// What one frame took, in nanoseconds for each draw.
#[derive(Clone, Copy, Default)]
struct Spent {
    /// The jobs' time, all threads together: taking a job, recording it, and waiting for a lock.
    jobs: f64,
    /// From the first job's begin until the frame's commands are in an executable command buffer.
    ready: f64,
}

/// The threads of a job system: they start together, take jobs until there are none, and tell how long they were at it.
fn run_jobs(threads: u32, jobs: u32, job: impl Fn(u32) -> Result<(), Failure> + Sync) -> Jobs {
    let (next, spent) = (AtomicU32::new(0), AtomicU64::new(0));
    let start = Barrier::new(threads as usize + 1);
    let failure = Mutex::new(None);
    let began = thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                start.wait();
                let began = Instant::now();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= jobs {
                        break;
                    }
                    if let Err(error) = job(number) {
                        *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    }
                }
                spent.fetch_add(began.elapsed().as_nanos() as u64, Ordering::Relaxed);
            });
        }
        start.wait();
        Instant::now()
    });
    Jobs {
        began,
        spent: spent.into_inner(),
        failure: failure.into_inner().unwrap_or_else(PoisonError::into_inner),
    }
}

struct Jobs {
    began: Instant,
    spent: u64,
    failure: Option<Failure>,
}

impl Jobs {
    /// What the frame took, whose commands are ready by now.
    fn cost(self, ready: Instant) -> Result<Spent, Failure> {
        let ready = ready.saturating_duration_since(self.began);
        match self.failure {
            Some(error) => Err(error),
            None => Ok(Spent {
                jobs: self.spent as f64 / f64::from(DRAWS),
                ready: ready.as_nanos() as f64 / f64::from(DRAWS),
            }),
        }
    }
}

/// A service for jobs of so many draws.
fn service(null: &NullDevice, size: u32) -> Result<Service, Failure> {
    let mut options = ServiceOptions::new(null.queue(), 0);
    options.max_slots = DRAWS;
    if size < 64 {
        // Each slot takes a block at least: small jobs in blocks of the usual 60 KiB would be short of them.
        options.block_bytes = 4 << 10;
    }
    // SAFETY: the functions are the device's, which lives longer than the service; the queue is the service's alone.
    unsafe {
        let device = agate_vk::Device::load(null.handle(), |name| null.function(name))?;
        Ok(Service::new(device, options)?)
    }
}

/// By message: a slot for each job.
fn by_message(service: &mut Service, threads: u32, size: u32) -> Result<Spent, Failure> {
    let jobs = DRAWS / size;
    let mut frame = service.begin_frame_timeout(LONG)?;
    let pass = frame.outside(jobs)?;
    let record = |job, pass: &Pass| {
        let mut recorder = pass.slot(job)?.stream()?;
        for draw in 0..size {
            // SAFETY: the null device draws nothing.
            unsafe {
                recorder.cmd_push_constants(LAYOUT, STAGES, 0, &draw.to_ne_bytes());
                recorder.cmd_draw(3, 1, draw, 0);
            }
        }
        Ok(recorder.finish()?)
    };
    let done = run_jobs(threads, jobs, |job| record(job, &pass));
    let report = frame
        .submit(SubmitOptions::record_only())
        .wait_timeout(LONG)?;
    if report.commands != COMMANDS {
        return Err(format!("{} commands of {COMMANDS} were replayed", report.commands).into());
    }
    done.cost(report.ended)
}

const LAYOUT: vk::PipelineLayout = vk::PipelineLayout::null();
const STAGES: vk::ShaderStageFlags = vk::ShaderStageFlags::VERTEX;

/// A pool with one command buffer, recorded without agate-vk.
struct Direct<'a> {
    device: &'a ash::Device,
    pool: vk::CommandPool,
    buffer: vk::CommandBuffer,
}

impl<'a> Direct<'a> {
    fn new(device: &'a ash::Device) -> Result<Self, vk::Result> {
        // SAFETY: valid usage.
        let pool = unsafe { device.create_command_pool(&Default::default(), None)? };
        let info = vk::CommandBufferAllocateInfo::default()
            .command_pool(pool)
            .command_buffer_count(1);
        // SAFETY: valid usage.
        let buffer = unsafe { device.allocate_command_buffers(&info)? }[0];
        Ok(Self {
            device,
            pool,
            buffer,
        })
    }

    fn begin(&self) -> Result<(), vk::Result> {
        let flags = vk::CommandPoolResetFlags::empty();
        // SAFETY: the buffer was never submitted, and nobody else uses the pool.
        unsafe {
            self.device.reset_command_pool(self.pool, flags)?;
            self.device
                .begin_command_buffer(self.buffer, &Default::default())
        }
    }

    fn draw(&self, draw: u32) {
        // SAFETY: the buffer is recording, and this thread alone uses it; the null device draws nothing.
        unsafe {
            self.device
                .cmd_push_constants(self.buffer, LAYOUT, STAGES, 0, &draw.to_ne_bytes());
            self.device.cmd_draw(self.buffer, 3, 1, draw, 0);
        }
    }

    fn end(&self) -> Result<Instant, vk::Result> {
        // SAFETY: the buffer is recording, and nobody uses it.
        unsafe { self.device.end_command_buffer(self.buffer)? };
        Ok(Instant::now())
    }
}

impl Drop for Direct<'_> {
    fn drop(&mut self) {
        // SAFETY: the pool is not in use.
        unsafe { self.device.destroy_command_pool(self.pool, None) };
    }
}

/// Directly, one job at a time: whoever records holds the mutex of the pool.
fn under_mutex(direct: &Mutex<Direct<'_>>, threads: u32, size: u32) -> Result<Spent, Failure> {
    let lock = || direct.lock().unwrap_or_else(PoisonError::into_inner);
    lock().begin()?;
    let done = run_jobs(threads, DRAWS / size, |_| {
        let direct = lock();
        (0..size).for_each(|draw| direct.draw(draw));
        Ok(())
    });
    let ready = lock().end()?;
    done.cost(ready)
}

/// Directly, by one thread.
fn alone(direct: &Mutex<Direct<'_>>, size: u32) -> Result<Spent, Failure> {
    under_mutex(direct, 1, size)
}

/// The middle of several.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn medians(costs: &[Spent]) -> Spent {
    Spent {
        jobs: median(costs.iter().map(|cost| cost.jobs).collect()),
        ready: median(costs.iter().map(|cost| cost.ready).collect()),
    }
}

/// The smallest size of jobs from which on agate-vk is the cheaper, in words.
fn break_even(what: &str, rows: &[(u32, [Spent; 3])], of: impl Fn(&Spent) -> f64, other: usize) {
    let cheaper = |row: &&(u32, [Spent; 3])| of(&row.1[0]) < of(&row.1[other]);
    let from = rows.iter().rev().take_while(cheaper).last();
    match from {
        Some((size, _)) => println!("  {what}: yes, with jobs of {size} draws or more"),
        None => println!("  {what}: no, with none of these sizes"),
    }
}

fn main() -> Result<(), Failure> {
    let threads = thread::available_parallelism().map_or(2, |count| count.get().clamp(2, 4)) as u32;
    let null = NullDevice::new(NullOptions::default().cost(Cost::Simulated));
    let table = null.table();
    let direct = Mutex::new(Direct::new(&table)?);

    println!(
        "{DRAWS} draws in a frame, {threads} job threads; nanoseconds for each draw, medians of {ROUNDS}"
    );
    if cfg!(debug_assertions) {
        println!("NOTE: built without --release, so these figures say nothing about agate-vk");
    }
    println!("            |        jobs spend        |   the frame is ready after");
    println!("draws in job| message   mutex    alone | message   mutex    alone");
    let mut rows = Vec::new();
    for size in SIZES {
        let mut service = service(&null, size)?;
        let mut costs = [(); 3].map(|()| Vec::new());
        // In turns, so that what else the machine does strikes all of them; the first round warms up.
        for round in 0..=ROUNDS {
            let turn = [
                by_message(&mut service, threads, size)?,
                under_mutex(&direct, threads, size)?,
                alone(&direct, size)?,
            ];
            for (all, cost) in costs.iter_mut().zip(turn).filter(|_| round > 0) {
                all.push(cost);
            }
        }
        let row = costs.map(|costs| medians(&costs));
        let [message, mutex, single] = row;
        println!(
            "{size:>11} | {:>7.1} {:>7.1} {:>8.1} | {:>7.1} {:>7.1} {:>8.1}",
            message.jobs, mutex.jobs, single.jobs, message.ready, mutex.ready, single.ready
        );
        rows.push((size, row));
        let report = service.shutdown(LONG);
        if report.leaked > 0 {
            return Err(format!("{} objects are left", report.leaked).into());
        }
    }
    println!("Is agate-vk worth it here?");
    break_even(
        "jobs spend less than with a mutex",
        &rows,
        |cost| cost.jobs,
        1,
    );
    break_even(
        "jobs spend less than one thread alone",
        &rows,
        |cost| cost.jobs,
        2,
    );
    break_even(
        "the frame is ready before a mutex's",
        &rows,
        |cost| cost.ready,
        1,
    );
    break_even(
        "the frame is ready before that of one thread alone",
        &rows,
        |cost| cost.ready,
        2,
    );
    println!(
        "Where jobs do nothing but record, and are tiny, give each thread more draws, or record on one thread."
    );
    Ok(())
}
