//! In steady state a frame makes no heap allocation of ours: recording, publishing, replaying, submitting, retiring, and
//! the wait for the ticket. (The driver's own memory does not come from Rust's allocator and is not counted.)

#![allow(unsafe_code, reason = "a counting allocator, and Vulkan commands")]

mod support;

use agate_vk::{
    Frame, Pass, Recorder, Service, ServiceOptions, Slot, StreamRecorder, SubmitOptions,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Barrier, Mutex};
use std::time::Duration;
use support::{Needs, Vulkan};

/// Counts what every thread of the process allocates.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: hands every call on to the system's allocator, unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const JOBS: u32 = 2;
const SLOTS: u32 = 8;
const WARM_UP: u32 = 100;
const LONG: Duration = Duration::from_secs(120);
const COUNTED: u32 = 100;
/// More messages than three segments of any lane hold: a lane that had so many in it at one time has memory for all that a
/// frame may leave there, wherever that begins.
const MANY: u32 = 256;
/// Answers that are out at one time.
const TICKETS: u32 = 8;

/// Records two blocks.
fn fill(recorder: &mut StreamRecorder) {
    for _ in 0..800 {
        // SAFETY: a line width needs nothing.
        unsafe { recorder.cmd_set_line_width(1.0) };
    }
}

/// Records one command, which takes most of a block.
fn fill_a_block(recorder: &mut StreamRecorder) {
    let ballast = [0u8; 3 << 10];
    let act = move |_: &_, _| {
        std::hint::black_box(&ballast);
    };
    // SAFETY: it records nothing.
    unsafe { recorder.record(act) };
}

/// Two blocks for each slot.
fn recorded(slot: Slot) -> StreamRecorder {
    let mut recorder = slot.stream().expect("room");
    fill(&mut recorder);
    recorder
}

fn record(slot: Slot) {
    recorded(slot).finish().expect("open");
}

/// A frame that uses as much at once as any frame can: every slot attached, every block waiting for its job's end or for the
/// first slot, and as many leases as there are jobs.
fn greedy_frame(service: &mut Service, shards: u32) {
    let mut frame = service.begin_frame_timeout(LONG).expect("credit");
    let pass = declare(&mut frame, shards);
    let mut slots: Vec<Slot> = (0..SLOTS)
        .map(|slot| pass.slot(slot).expect("free"))
        .collect();
    // Half of the frames have all their blocks out instead.
    if slots[0].takes_lease() && frame.serial() % 4 > 1 {
        let first = slots.drain(..JOBS as usize);
        let leases: Vec<_> = first.map(|slot| slot.lease().expect("a pool")).collect();
        for lease in leases {
            lease.finish().expect("open");
        }
    }
    let recorders: Vec<_> = slots.into_iter().rev().map(recorded).collect();
    for recorder in recorders {
        recorder.finish().expect("open");
    }
    frame
        .submit(SubmitOptions::default())
        .wait_timeout(LONG)
        .expect("executed");
}

/// Whoever replays what stands in front of this waits until the gate opens.
struct Gate {
    entered: Receiver<()>,
    open: Sender<()>,
}

impl Gate {
    fn record(recorder: &mut StreamRecorder) -> Self {
        let (enter, entered) = mpsc::channel();
        let (open, opened) = mpsc::channel();
        let wait = move |_: &_, _| {
            let _ = enter.send(());
            let _: Result<(), _> = opened.recv_timeout(LONG);
        };
        // SAFETY: it records nothing.
        unsafe { recorder.record(wait) };
        Self { entered, open }
    }

    fn wait_until_entered(&self) {
        self.entered.recv_timeout(LONG).expect("it is replayed");
    }
}

/// While the pools' owner stands at a gate, every lane to it gets more messages than the frames that are counted ever leave
/// there, and the host waits for an answer in its sleep: a thread's first sleep allocates, once in its life.
fn hold_the_owner(service: &mut Service) {
    // The frame has a lane too. It is the slots' in the second turn, because another one comes back after it.
    for _ in 0..2 {
        let mut frame = service.begin_frame_timeout(LONG).expect("credit");
        let pass = frame.outside(SLOTS + 1).expect("room");
        let all = (0..=SLOTS).map(|slot| pass.slot(slot).expect("free"));
        let mut recorders: Vec<_> = all.map(|slot| slot.stream().expect("room")).collect();
        let mut first = recorders.remove(0);
        let gate = Gate::record(&mut first);
        std::thread::scope(|scope| {
            // Where users drive the owner it is this thread that stands at the gate.
            scope.spawn(|| first.finish().expect("open"));
            gate.wait_until_entered();
            for _ in 0..MANY {
                recorders.iter_mut().for_each(fill_a_block);
            }
            let last = recorders.pop().expect("there are some");
            for recorder in recorders {
                recorder.finish().expect("open");
            }
            let mut ticket = frame.submit(SubmitOptions::default());
            last.finish().expect("open");
            let waited = ticket.wait_timeout(Duration::from_millis(100));
            assert!(waited.is_err(), "the owner waits");
            gate.open.send(()).expect("it waits");
            ticket.wait_timeout(LONG).expect("executed");
        });
    }
}

/// Makes the memory of answers, and of what is known of frames, for more of them than are out at one time later.
fn keep_tickets(service: &mut Service) {
    let mut frame = || {
        let frame = service.begin_frame_timeout(LONG).expect("credit");
        frame.submit(SubmitOptions::default())
    };
    let mut tickets: Vec<_> = (0..TICKETS).map(|_| frame()).collect();
    for ticket in &mut tickets {
        ticket.wait_timeout(LONG).expect("executed");
    }
}

/// With shards, a pass that they replay; without them, every other frame has secondary contents.
fn declare(frame: &mut Frame, shards: u32) -> Pass {
    let pass = if shards == 0 && frame.serial() / 2 % 2 == 0 {
        frame.outside(SLOTS)
    } else {
        frame.outside_secondaries(SLOTS)
    };
    pass.unwrap_or_else(|error| give_up(&error))
}

/// Ends the process: the jobs wait at a barrier that nobody would come to after a panic.
fn give_up<T>(error: &dyn std::error::Error) -> T {
    eprintln!("{error}");
    std::process::exit(1)
}

#[test]
fn a_frame_allocates_nothing_in_steady_state() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::default()) else {
        return;
    };
    // One after the other: what every thread allocates is counted.
    for shards in [0, 2] {
        count(&vulkan, shards);
    }
}

fn count(vulkan: &Vulkan, shards: u32) {
    // SAFETY: the device was made from this instance.
    let device = unsafe { agate_vk::Device::from_ash(&vulkan.instance, &vulkan.device) };
    let mut options = ServiceOptions::new(vulkan.queue, vulkan.queue_family);
    options.block_bytes = 4096;
    options.shards = shards;
    // However long the system lets this process wait.
    options.trim_after = Duration::from_secs(3600);
    // SAFETY: the queue is left to the service, which ends before `vulkan`.
    let service = unsafe { Service::new(device.expect("loads"), options) };
    let mut service = service.expect("starts");

    // What grows with use grows here, as far as it can: after this, memory is only recycled.
    (0..3 * WARM_UP).for_each(|_| greedy_frame(&mut service, shards));
    hold_the_owner(&mut service);
    keep_tickets(&mut service);

    let (start, end) = (
        Barrier::new(JOBS as usize + 1),
        Barrier::new(JOBS as usize + 1),
    );
    let current = Mutex::new(None::<Pass>);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..JOBS {
            scope.spawn(|| {
                loop {
                    start.wait();
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let pass = current
                        .lock()
                        .expect("not poisoned")
                        .clone()
                        .expect("a pass");
                    while let Ok(slot) = pass.next_slot() {
                        record(slot);
                    }
                    end.wait();
                }
            });
        }
        let mut window = || {
            let before = ALLOCATIONS.load(Ordering::Relaxed);
            for _ in 0..COUNTED {
                let mut frame = service
                    .begin_frame_timeout(LONG)
                    .unwrap_or_else(|error| give_up(&error));
                *current.lock().expect("not poisoned") = Some(declare(&mut frame, shards));
                start.wait();
                end.wait();
                let mut ticket = frame.submit(SubmitOptions::default());
                ticket
                    .wait_timeout(LONG)
                    .unwrap_or_else(|error| give_up(&error));
            }
            ALLOCATIONS.load(Ordering::Relaxed) - before
        };
        // The jobs' threads begin.
        window();
        let allocations = window();
        over.store(true, Ordering::Relaxed);
        start.wait();
        assert_eq!(allocations, 0, "in {COUNTED} frames, {shards} shards");
    });
    assert_eq!(service.shutdown(LONG).leaked, 0);
}
