//! The jobs of a program: what they record, how they end, and the threads that run them.

#![allow(unsafe_code, reason = "records commands")]

use super::Bytes;
use crate::command::Command;
use crate::support::{LONG, Random};
use agate_vk::{Recorder, Slot, StreamRecorder, vk};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::Scope;

/// How many commands a frame may have, and must have where nothing of it was lost.
#[derive(Default)]
pub(crate) struct Expected {
    least: AtomicU64,
    most: AtomicU64,
}

impl Expected {
    /// Commands that are surely there, if the frame is executed.
    pub(crate) fn add(&self, commands: u64) {
        self.most.fetch_add(commands, Ordering::Relaxed);
        self.least.fetch_add(commands, Ordering::Relaxed);
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

/// The commands that a job records, and its end.
pub(crate) struct Script {
    seed: u64,
    commands: usize,
    end: End,
}

impl Script {
    pub(crate) fn read(bytes: &mut Bytes<'_>) -> Self {
        let commands = match bytes.below(8) {
            // More than a block holds.
            7 => 40 + bytes.below(200),
            few => few * 3,
        };
        Self {
            seed: u64::from(bytes.next()),
            commands,
            end: End::read(bytes),
        }
    }
}

/// A recorder with what it has recorded.
pub(crate) struct Recording {
    recorder: StreamRecorder,
    expected: Arc<Expected>,
    /// Commands that no shortening may leave out.
    must: u64,
}

impl Recording {
    pub(crate) fn begin(slot: Slot, expected: Arc<Expected>) -> Option<Self> {
        let recorder = slot.stream().ok()?;
        Some(Self {
            recorder,
            expected,
            must: 0,
        })
    }

    /// Records what the script says.
    pub(crate) fn write(&mut self, script: &Script) {
        let mut random = Random(script.seed);
        for step in 0..script.commands as u32 {
            self.expected.most.fetch_add(1, Ordering::Relaxed);
            if random.below(4) > 0 {
                Command::random(&mut random).record(&mut self.recorder);
                continue;
            }
            self.must += 1;
            if random.below(40) == 0 {
                // A block of its own.
                let data = vec![step as u8; 4 * (1 + random.below(0x4000) as usize)];
                let buffer = vk::Buffer::null();
                // SAFETY: the device takes any command.
                unsafe { self.recorder.cmd_update_buffer(buffer, 0, &data) };
            } else {
                // SAFETY: as above.
                unsafe { self.recorder.cmd_draw(3, 1, step, 0) };
            }
        }
    }

    /// Ends as the script says; one that panics is caught here.
    pub(crate) fn end(self, script: &Script) {
        match script.end {
            End::Finish => {
                self.expected.least.fetch_add(self.must, Ordering::Relaxed);
                // Where it fails, so does the frame.
                let _ = self.recorder.finish();
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
            End::Forget => std::mem::forget(self),
        }
    }
}

/// Records a slot from its beginning to its end.
pub(crate) fn record(slot: Slot, expected: Arc<Expected>, script: &Script) {
    if let Some(mut recording) = Recording::begin(slot, expected) {
        recording.write(script);
        recording.end(script);
    }
}

/// Records draws alone.
pub(crate) fn draw(recorder: &mut StreamRecorder, draws: u64) {
    for step in 0..draws {
        // SAFETY: the device takes any command.
        unsafe { recorder.cmd_draw(3, 1, step as u32, 0) };
    }
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
