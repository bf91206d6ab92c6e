//! Memory stays flat, whatever the frames are like: thousands of them, with a job count that changes from frame to frame,
//! allocate and keep no more than the greatest of them needed. Bounds that a service states:
//!
//! - one command pool and one command buffer for each frame in flight, made when the service starts; with shards one more
//!   pool for each of them, and with leases as many more as were lent at one time, none of these after a rest;
//! - in passes with secondary contents, at the most one more buffer for each slot in each pool;
//! - blocks: as many as were in use at one time, and none after a rest (`trim_after`);
//! - commands that are larger than a block: those of frames that are not over;
//! - the process: what is allocated when the service rests does not grow with the number of frames. What a lane to an owner
//!   holds at one time it has memory for from then on, so the lanes grow as often as the system lets an owner wait for longer
//!   than ever before; here the pools' owner is held back until each has had as much in it as there can ever be.

#![allow(unsafe_code, reason = "a counting allocator; records commands")]

#[path = "support/null.rs"]
mod support;

use agate_vk::{Frame, Pass, Recorder, Service, ServiceOptions, Slot, SubmitOptions, Ticket, vk};
use null_device::{Live, NullDevice, NullOptions};
use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use support::{LONG, Random, close, service, until};

/// Counts what every thread of the process has allocated and not freed.
struct Counting;

static BYTES: AtomicI64 = AtomicI64::new(0);

fn count(bytes: usize, sign: i64) {
    BYTES.fetch_add(sign * bytes as i64, Ordering::Relaxed);
}

// SAFETY: hands every call on to the system's allocator, unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(layout.size(), -1);
        count(size, 1);
        // SAFETY: the caller's contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const FRAMES_IN_FLIGHT: u32 = 3;
const WORKERS: u64 = 3;
const MOST_JOBS: u64 = 24;
const MOST_COMMANDS: u64 = 400;
const BLOCK_BYTES: usize = 4096;

/// What a command consists of that is larger than a block, and how many of these a job records at the most.
static LARGE: [u8; 2 * BLOCK_BYTES] = [7; 2 * BLOCK_BYTES];
const MOST_LARGE: u64 = 2;

/// The most blocks that a job fills: a draw takes less than 40 bytes, and a part of a block is not for commands.
const BLOCKS_OF_A_JOB: u64 = (MOST_COMMANDS * 40).div_ceil(BLOCK_BYTES as u64 / 2);

/// The most messages to the pools' owner at one time, all of them perhaps in one lane: the blocks of all jobs and a word on
/// each, for all frames.
const MESSAGES: u64 = FRAMES_IN_FLIGHT as u64 * MOST_JOBS * (BLOCKS_OF_A_JOB + 1);

/// So many bytes more are no growth. A frame that left 32 bytes behind would leave as many in 500.
const SLACK: i64 = 16 << 10;

/// The same for ten thousand frames, and with shards. Each of these has lanes of its own, of which a job has one while it hands over a slot: nobody can hold all of
/// them at one time from outside, so they grow in their time, by segments of 4 KiB. So do the lists of the device's
/// secondaries, until there are as many in each pool as slots may fall to it.
const MORE_SLACK: i64 = 128 << 10;

/// Frames before the first look.
const WARM_UP: u64 = 500;

/// How often memory is looked at.
const PARTS: u64 = 5;

/// How many frames run.
fn frames() -> u64 {
    if std::env::var_os("AGATE_DEEP").is_some() {
        10_000
    } else {
        500
    }
}

/// Who records, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Stitched,
    Sharded,
    /// Most slots have pools of their own, of which a job has several at one time.
    Leased,
}

const MODES: [Mode; 3] = [Mode::Stitched, Mode::Sharded, Mode::Leased];
const SHARDS: u32 = 2;

/// How many pools a job has at one time.
const MOST_AT_ONCE: u64 = 3;

impl Mode {
    fn options(self, options: &mut ServiceOptions) {
        options.frames_in_flight = FRAMES_IN_FLIGHT;
        options.block_bytes = BLOCK_BYTES;
        options.trim_after = Duration::from_millis(20);
        options.shards = if self == Self::Sharded { SHARDS } else { 0 };
    }

    fn declare(self, frame: &mut Frame, slots: u32) -> Pass {
        let pass = match self {
            Self::Stitched => frame.outside(slots),
            Self::Sharded | Self::Leased => frame.outside_secondaries(slots),
        };
        pass.expect("room")
    }

    /// The most pools and buffers that there may be, beside those of a service that has just started.
    fn most(self) -> (usize, usize) {
        let frames = FRAMES_IN_FLIGHT as usize;
        let slots = MOST_JOBS as usize;
        match self {
            Self::Stitched => (0, 0),
            Self::Sharded => (0, frames * SHARDS as usize * slots),
            Self::Leased => {
                let lent = (WORKERS as usize + 1) * MOST_AT_ONCE as usize;
                (frames * lent, frames * (1 + lent) * slots)
            }
        }
    }

    #[track_caller]
    fn check(self, now: Live, started: Live) {
        let (pools, buffers) = self.most();
        assert!(
            (started.pools..=started.pools + pools).contains(&now.pools)
                && (started.buffers..=started.buffers + buffers).contains(&now.buffers)
                && (now.semaphores, now.swapchains) == (started.semaphores, started.swapchains),
            "{self:?}: {now:?} after {started:?}"
        );
    }
}

fn draws(recorder: &mut impl Recorder, random: &mut Random) {
    for step in 0..random.below(MOST_COMMANDS) {
        // SAFETY: the device takes any command.
        unsafe { recorder.cmd_draw(3, 1, step as u32, 7) };
    }
    for _ in 0..random.below(MOST_LARGE + 1) {
        // SAFETY: as above.
        unsafe { recorder.cmd_update_buffer(vk::Buffer::null(), 0, &LARGE) };
    }
}

/// Records some slots at one time, each with a pool of its own.
fn record_leased(slots: impl Iterator<Item = Slot>, random: &mut Random) {
    let mut held: Vec<_> = slots.map(|slot| slot.lease().expect("a pool")).collect();
    for recorder in &mut held {
        draws(recorder, random);
    }
    for recorder in held {
        recorder.finish().expect("the owner is there");
    }
}

/// Records the slots of a pass, as long as there are any.
fn record(mode: Mode, pass: &Pass, random: &mut Random) {
    while let Ok(slot) = pass.next_slot() {
        let at_once = random.below(MOST_AT_ONCE + 1) as usize;
        if mode == Mode::Leased && at_once > 0 {
            let more = std::iter::from_fn(|| pass.next_slot().ok());
            record_leased(std::iter::once(slot).chain(more).take(at_once), random);
            continue;
        }
        let mut recorder = slot.stream().expect("room");
        draws(&mut recorder, random);
        recorder.finish().expect("the owner is there");
    }
}

/// Frames with other job counts each, as many in flight as may be; the jobs run on several threads.
fn run(mode: Mode, service: &mut Service, frames: u64, seed: u64) {
    let mut random = Random(seed);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let (send, receive) = mpsc::channel::<Pass>();
                let mut random = Random(seed ^ (worker + 1) << 32);
                scope.spawn(move || {
                    let passes = receive.iter();
                    passes.for_each(|pass| record(mode, &pass, &mut random));
                });
                send
            })
            .collect();
        let mut tickets: VecDeque<Ticket> = VecDeque::new();
        for _ in 0..frames {
            let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
            let jobs = random.below(MOST_JOBS + 1) as u32;
            let pass = mode.declare(&mut frame, jobs);
            for worker in &workers {
                worker.send(pass.clone()).expect("a worker is there");
            }
            record(mode, &pass, &mut random);
            tickets.push_back(frame.submit(SubmitOptions::default()));
            if tickets.len() > FRAMES_IN_FLIGHT as usize {
                let oldest = tickets.pop_front();
                oldest.expect("some").wait_timeout(LONG).expect("executed");
            }
        }
        for mut ticket in tickets {
            ticket.wait_timeout(LONG).expect("executed");
        }
    });
}

/// Holds the pools' owner back while each lane to it gets [`MESSAGES`].
fn fill_lanes(service: &mut Service) {
    let data = [0; BLOCK_BYTES * 3 / 4];
    // The frame has a lane too. It is a slot's in the second turn, because another one comes back after it.
    for _ in 0..2 {
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let slots = MOST_JOBS as u32 + 1;
        let pass = frame.outside(slots).expect("room");
        let slots = (0..slots).map(|slot| pass.slot(slot).expect("free"));
        let mut recorders: Vec<_> = slots.map(|slot| slot.stream().expect("room")).collect();
        let mut first = recorders.remove(0);
        let (enter, entered) = mpsc::channel();
        let (open, opened) = mpsc::channel::<()>();
        let wait = move |_: &_, _| {
            let _ = enter.send(());
            let _ = opened.recv_timeout(LONG);
        };
        // SAFETY: it records nothing.
        unsafe { first.record(wait) };
        std::thread::scope(|scope| {
            // Where users drive the owner, it is this thread that waits.
            scope.spawn(|| first.finish().expect("the owner is there"));
            entered.recv_timeout(LONG).expect("it is replayed");
            for _ in 0..=MESSAGES {
                for recorder in &mut recorders {
                    // SAFETY: the device takes any command. One fills a block.
                    unsafe { recorder.cmd_update_buffer(vk::Buffer::null(), 0, &data) };
                }
            }
            let last = recorders.pop().expect("there are some");
            for recorder in recorders {
                recorder.finish().expect("the owner is there");
            }
            let mut ticket = frame.submit(SubmitOptions::default());
            last.finish().expect("the owner is there");
            open.send(()).expect("the owner waits");
            ticket.wait_timeout(LONG).expect("executed");
        });
    }
}

/// Waits until the burst is over and its memory given back; how many bytes the process has then.
fn at_rest(service: &Service) -> i64 {
    until("the blocks are freed", || {
        let counters = service.counters();
        let memory = counters.blocks.allocated + counters.large_command_bytes;
        memory == 0 && counters.lease_pools == 0
    });
    BYTES.load(Ordering::Relaxed)
}

/// One after the other: what is counted is what the whole process allocates.
#[test]
fn is_flat_over_many_frames() {
    for mode in MODES {
        no_rule_is_broken_meanwhile(mode);
        stays_flat(mode);
    }
}

fn stays_flat(mode: Mode) {
    // Not checked: such a device keeps a list of all calls.
    let null = NullDevice::new(NullOptions::default());
    let mut service = service(&null, |options| mode.options(options));
    let started = null.live();
    run(mode, &mut service, WARM_UP, 0);
    fill_lanes(&mut service);
    let first = at_rest(&service);
    for part in 1..=PARTS {
        run(mode, &mut service, frames() / PARTS, part);
        mode.check(null.live(), started);
        let more = at_rest(&service) - first;
        let slack = if mode == Mode::Sharded || frames() > WARM_UP {
            MORE_SLACK
        } else {
            SLACK
        };
        assert!(
            more < slack,
            "{mode:?}: {more} bytes more after part {part}"
        );
        assert_eq!(null.live().pools, started.pools, "{mode:?}: at rest");
    }
    let of_a_frame = if mode == Mode::Sharded { 1 + SHARDS } else { 1 };
    assert_eq!(started.pools as u32, FRAMES_IN_FLIGHT * of_a_frame);
    assert_eq!(started.buffers as u32, FRAMES_IN_FLIGHT);
    close(service, &null);
}

fn no_rule_is_broken_meanwhile(mode: Mode) {
    let null = NullDevice::new(match mode {
        Mode::Stitched => NullOptions::default().owner_only(),
        Mode::Sharded | Mode::Leased => NullOptions::default().checked(),
    });
    let mut service = service(&null, |options| mode.options(options));
    let started = null.live();
    run(mode, &mut service, WARM_UP / 2, 0);
    mode.check(null.live(), started);
    let most = MOST_JOBS * BLOCKS_OF_A_JOB * u64::from(FRAMES_IN_FLIGHT);
    let high_water = service.counters().blocks.high_water as u64;
    assert!(
        high_water <= most,
        "{high_water} blocks, {most} at the most"
    );
    close(service, &null);
}
