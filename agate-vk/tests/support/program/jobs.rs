//! The jobs of a program: what they record, how they end, and the threads that run them.

#![allow(unsafe_code, reason = "records commands")]

use super::Bytes;
use super::closures::{self, Closures, Fate, Kind};
use super::leases::{Leases, Out};
use crate::command::Command;
use crate::support::{LONG, Random};
use agate_vk::vk::Handle;
use agate_vk::{
    AnyRecorder, DrawState, Eliminating, LeaseRecorder, Recorder, Slot, StreamRecorder, vk,
};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::Scope;

/// How many commands a frame may have, and must have where nothing of it was lost; and the same of its closures.
pub(crate) struct Expected {
    least: AtomicU64,
    most: AtomicU64,
    least_calls: AtomicU64,
    calls: AtomicU64,
    /// Closures that panic when somebody replays them.
    panics: AtomicU64,
    pub(super) closures: Arc<Closures>,
    pub(super) leases: Arc<Leases>,
}

impl Expected {
    pub(crate) fn new(closures: &Arc<Closures>, leases: &Arc<Leases>) -> Self {
        Self {
            least: AtomicU64::new(0),
            most: AtomicU64::new(0),
            least_calls: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            closures: Arc::clone(closures),
            leases: Arc::clone(leases),
        }
    }

    /// Commands that are surely there, if the frame is executed.
    pub(crate) fn add(&self, commands: u64) {
        self.most.fetch_add(commands, Ordering::Relaxed);
        self.least.fetch_add(commands, Ordering::Relaxed);
    }

    /// A closure was called.
    pub(super) fn called(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a closure may have panicked in replay.
    pub(crate) fn panics(&self) -> bool {
        self.panics.load(Ordering::Relaxed) > 0
    }

    #[track_caller]
    pub(crate) fn check(&self, commands: u64, all_slots: bool) {
        let (least, most) = (
            self.least.load(Ordering::Relaxed),
            self.most.load(Ordering::Relaxed),
        );
        let enough = commands >= least || !all_slots;
        assert!(
            enough && commands <= most,
            "{commands} commands, not {least} to {most}"
        );
        let calls = self.calls.load(Ordering::Relaxed);
        let least = self.least_calls.load(Ordering::Relaxed);
        assert!(
            calls >= least || !all_slots,
            "{calls} closures were called, not {least}"
        );
    }
}

/// How a job ends.
#[derive(Clone, Copy)]
enum End {
    Finish,
    Drop,
    Panic,
    Forget,
}

impl End {
    fn read(bytes: &mut Bytes<'_>) -> Self {
        match bytes.below(24) {
            21 => Self::Drop,
            22 => Self::Panic,
            23 => Self::Forget,
            _ => Self::Finish,
        }
    }
}

/// Who stands between the job and its recorder.
#[derive(Clone, Copy)]
enum Through {
    Nobody,
    Entered,
    Eliminating,
}

/// Where a job records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Stream,
    /// Where the pass takes that.
    Lease,
    /// By the service.
    Chosen,
    /// Where it does not, either.
    BadLease,
}

impl Lane {
    pub(crate) fn read(bytes: &mut Bytes<'_>) -> Self {
        match bytes.below(32) {
            31 => Self::BadLease,
            24..31 => Self::Chosen,
            16..24 => Self::Lease,
            _ => Self::Stream,
        }
    }
}

/// The commands that a job records, and its end.
pub(crate) struct Script {
    seed: u64,
    commands: usize,
    through: Through,
    panics: bool,
    end: End,
}

impl Script {
    pub(crate) fn read(bytes: &mut Bytes<'_>) -> Self {
        let commands = match bytes.below(8) {
            // More than a block holds.
            7 => 40 + bytes.below(200),
            few => few * 3,
        };
        let seed = u64::from(bytes.next());
        let (through, panics) = match bytes.below(64) {
            63 => (Through::Nobody, true),
            62 => (Through::Eliminating, true),
            0..20 => (Through::Nobody, false),
            20..40 => (Through::Entered, false),
            _ => (Through::Eliminating, false),
        };
        Self {
            seed,
            commands,
            through,
            panics,
            end: End::read(bytes),
        }
    }
}

enum Either {
    Stream(StreamRecorder),
    /// The second ends when the first has ended.
    Lease(LeaseRecorder, Out),
}

/// What a job has recorded.
struct Done {
    expected: Arc<Expected>,
    /// Commands that no shortening may leave out.
    must: u64,
    closures: Vec<Arc<Fate>>,
    /// Whether closures are called at once.
    at_once: bool,
}

impl Done {
    fn closure(&mut self, recorder: &mut impl Recorder, kind: Kind) {
        let panics = kind == Kind::Panics;
        self.expected.most.fetch_add(1, Ordering::Relaxed);
        if panics && !self.at_once {
            self.expected.panics.fetch_add(1, Ordering::Relaxed);
        }
        let (fate, panicked) = closures::record(recorder, &self.expected, kind);
        // A lease whose frame is over calls none.
        let called = self.at_once && fate.was_called();
        assert_eq!(panicked, panics && called, "{kind:?}");
        self.must += 1;
        self.closures.push(fate);
    }

    fn write(&mut self, recorder: &mut impl Recorder, script: &Script) {
        let mut random = Random(script.seed);
        for step in 0..script.commands as u32 {
            if random.below(4) > 0 {
                self.expected.most.fetch_add(1, Ordering::Relaxed);
                Command::random(&mut random).record(recorder);
                continue;
            }
            match random.below(40) {
                0 => {
                    // A block of its own.
                    let data = vec![step as u8; 4 * (1 + random.below(0x4000) as usize)];
                    let buffer = vk::Buffer::null();
                    self.expected.most.fetch_add(1, Ordering::Relaxed);
                    self.must += 1;
                    // SAFETY: the device takes any command.
                    unsafe { recorder.cmd_update_buffer(buffer, 0, &data) };
                }
                1 => self.closure(recorder, Kind::Large),
                2 => self.closure(recorder, Kind::Aligned),
                3 => self.closure(recorder, Kind::PanicsDropped),
                4..=7 => self.closure(recorder, Kind::Small),
                8..=14 => {
                    // At the most four, at the least a push and a draw.
                    self.expected.most.fetch_add(4, Ordering::Relaxed);
                    self.must += 2;
                    fused(recorder, &mut random, step);
                }
                _ => {
                    self.expected.most.fetch_add(1, Ordering::Relaxed);
                    self.must += 1;
                    // SAFETY: the device takes any command.
                    unsafe { recorder.cmd_draw(3, 1, step, 0) };
                }
            }
        }
        if script.panics {
            self.closure(recorder, Kind::Panics);
        }
    }
}

fn fused(recorder: &mut impl Recorder, random: &mut Random, step: u32) {
    let bound = DrawState {
        pipeline: vk::Pipeline::from_raw(random.below(2)),
        vertices: vk::Buffer::from_raw(random.below(2)),
        layout: vk::PipelineLayout::from_raw(random.below(2)),
        stages: vk::ShaderStageFlags::VERTEX,
        push_offset: random.below(2) as u32 * 4,
    };
    if random.below(2) == 0 {
        // SAFETY: the device takes any command; all is written.
        unsafe {
            recorder.draw_with(&bound, step, |data| {
                data.write([step; 5]);
            });
        }
    } else {
        // SAFETY: as above.
        unsafe {
            recorder.draw_with(&bound, 3, |data| {
                data.write([1_u64; 16]);
            });
        }
    }
}

/// A recorder with what it has recorded.
pub(crate) struct Recording {
    recorder: Either,
    done: Done,
}

impl Recording {
    pub(crate) fn begin(slot: Slot, expected: Arc<Expected>, lane: Lane) -> Option<Self> {
        let leases = &expected.leases;
        let takes = slot.takes_lease() && leases.allowed;
        let lane = match lane {
            Lane::BadLease if !slot.takes_lease() => Lane::Lease,
            _ if takes => lane,
            _ => Lane::Stream,
        };
        let recorder = if lane == Lane::Stream {
            Either::Stream(slot.stream().ok()?)
        } else {
            let out = leases.ask(slot.place()?.serial);
            match lane {
                Lane::Chosen => match slot.record().ok()? {
                    AnyRecorder::Stream(recorder) => Either::Stream(recorder),
                    AnyRecorder::Lease(recorder) => Either::Lease(recorder, out),
                },
                _ => Either::Lease(slot.lease().ok()?, out),
            }
        };
        let at_once = matches!(recorder, Either::Lease(..));
        Some(Self {
            recorder,
            done: Done {
                expected,
                must: 0,
                closures: Vec::new(),
                at_once,
            },
        })
    }

    /// Records what the script says.
    pub(crate) fn write(&mut self, script: &Script) {
        let done = &mut self.done;
        match (&mut self.recorder, script.through) {
            (Either::Stream(to), Through::Nobody) => done.write(to, script),
            (Either::Stream(to), Through::Entered) => to.enter(|to| done.write(to, script)),
            (Either::Stream(to), Through::Eliminating) => to.eliminate(|to| done.write(to, script)),
            (Either::Lease(to, _), Through::Eliminating) => {
                done.write(&mut Eliminating::new(to), script);
            }
            (Either::Lease(to, _), _) => done.write(to, script),
        }
    }

    /// Ends as the script says; one that panics is caught here.
    pub(crate) fn end(self, script: &Script) {
        match script.end {
            End::Finish => {
                let Done {
                    expected,
                    must,
                    closures,
                    ..
                } = self.done;
                let calls = closures.len() as u64;
                expected.least.fetch_add(must, Ordering::Relaxed);
                expected.least_calls.fetch_add(calls, Ordering::Relaxed);
                // Where it fails, so does the frame.
                match self.recorder {
                    Either::Stream(recorder) => drop(recorder.finish()),
                    Either::Lease(recorder, _out) => drop(recorder.finish()),
                }
            }
            End::Drop => drop(self),
            End::Panic => {
                let caught = catch_unwind(AssertUnwindSafe(|| {
                    let _dropped = self;
                    // Without the hook, which would end a fuzzer.
                    resume_unwind(Box::new("planned"))
                }));
                assert!(caught.is_err());
            }
            End::Forget => self.forget(),
        }
    }

    /// Nobody ends it.
    pub(crate) fn forget(self) {
        for closure in &self.done.closures {
            closure.forget();
        }
        match self.recorder {
            Either::Stream(recorder) => std::mem::forget(recorder),
            Either::Lease(recorder, out) => {
                std::mem::forget(recorder);
                out.forget();
            }
        }
    }
}

/// Records a slot from its beginning to its end.
pub(crate) fn record(slot: Slot, expected: Arc<Expected>, lane: Lane, script: &Script) {
    if let Some(mut recording) = Recording::begin(slot, expected, lane) {
        recording.write(script);
        recording.end(script);
    }
}

/// Records draws, and a closure behind them.
pub(crate) fn draw(recorder: &mut StreamRecorder, draws: u64, expected: &Arc<Expected>) {
    expected.add(draws + 1);
    for step in 0..draws {
        // SAFETY: the device takes any command.
        unsafe { recorder.cmd_draw(3, 1, step as u32, 0) };
    }
    closures::record(recorder, expected, Kind::Small);
}

type Job = Box<dyn FnOnce() + Send>;

/// Threads that run jobs.
pub(crate) struct Workers(Vec<mpsc::Sender<Job>>);

impl Workers {
    /// They end when this is dropped.
    pub(crate) fn start<'scope>(threads: &'scope Scope<'scope, '_>) -> Self {
        let start = |_| {
            let (send, receive) = mpsc::channel::<Job>();
            threads.spawn(move || receive.iter().for_each(|job| job()));
            send
        };
        Self((0..2).map(start).collect())
    }

    /// Runs a job on one of them.
    pub(crate) fn run(&self, which: usize, job: impl FnOnce() + Send + 'static) {
        let worker = &self.0[which % self.0.len()];
        worker.send(Box::new(job)).expect("a worker is there");
    }

    /// Waits until they have run all that they were given.
    pub(crate) fn wait(&self) {
        let (done, all) = mpsc::channel();
        for which in 0..self.0.len() {
            let done = done.clone();
            self.run(which, move || done.send(()).expect("somebody waits"));
        }
        for _ in &self.0 {
            all.recv_timeout(LONG).expect("a job never ends");
        }
    }
}
