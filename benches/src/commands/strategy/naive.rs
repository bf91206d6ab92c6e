//! The idea read naively: every command is a message of its own, with the number of its buffer. Jobs send, an owner thread
//! records into a secondary for each slot. `boxed` and `by_value` differ in how messages travel.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use ash::vk;

use super::FRAMES_IN_FLIGHT;
use super::direct::{Direct, Pool, begin_secondary, end_secondary, execute};
use crate::commands::device::Device;
use crate::commands::frame::{FrameTimes, Objects, Stage, Stamps};
use crate::commands::work::{Calls, Matrix, Work, record};

/// One message: a command for one buffer, or a word of the main thread.
pub(super) enum Message {
    /// A command for the buffer of a slot.
    Command { slot: usize, command: Command },
    /// A frame of so many slots begins.
    Begin { slots: usize },
    /// All jobs have ended: end the primary, and say when that was.
    End,
    /// The owner ends.
    Stop,
}

/// A command as a plain enumeration.
pub(super) enum Command {
    Begin,
    BindPipeline(vk::Pipeline),
    BindVertices(vk::Buffer),
    Push(vk::PipelineLayout, Matrix),
    Draw,
    End,
}

/// What the owner answers at the end of a frame.
pub(super) struct Answer {
    pub(super) ended: Instant,
    /// Time spent handling the frame's messages.
    pub(super) busy: Duration,
    pub(super) objects: Objects,
}

/// The owner's state, on its thread.
pub(super) struct Owner {
    device: Arc<Device>,
    sets: [(Pool, Pool); FRAMES_IN_FLIGHT],
    frame: usize,
    buffers: Vec<vk::CommandBuffer>,
    began: Instant,
}

impl Owner {
    pub(super) fn new(device: Arc<Device>) -> Self {
        let set = || {
            (
                Pool::new(&device, vk::CommandBufferLevel::PRIMARY),
                Pool::new(&device, vk::CommandBufferLevel::SECONDARY),
            )
        };
        let sets = std::array::from_fn(|_| set());
        Self {
            device,
            sets,
            frame: 0,
            buffers: Vec::new(),
            began: Instant::now(),
        }
    }

    /// Handles a message; an answer when a frame has ended, `None` inside when the owner is to stop.
    pub(super) fn handle(&mut self, message: Message) -> Option<Option<Answer>> {
        match message {
            Message::Command { slot, command } => self.command(slot, command),
            Message::Begin { slots } => {
                self.frame += 1;
                self.began = Instant::now();
                let secondaries = &mut self.sets[self.frame % FRAMES_IN_FLIGHT].1;
                self.buffers.clear();
                self.buffers.extend((0..slots).map(|_| secondaries.next()));
            }
            Message::End => return Some(Some(self.end())),
            Message::Stop => return Some(None),
        }
        None
    }

    fn command(&mut self, slot: usize, command: Command) {
        let (table, buffer) = (&self.device.table, self.buffers[slot]);
        let mut calls = Direct { table, buffer };
        match command {
            Command::Begin => begin_secondary(table, buffer),
            Command::BindPipeline(pipeline) => calls.bind_pipeline(pipeline),
            Command::BindVertices(buffer) => calls.bind_vertices(buffer),
            Command::Push(layout, matrix) => calls.push(layout, &matrix),
            Command::Draw => calls.draw(),
            Command::End => end_secondary(table, buffer),
        }
    }

    fn end(&mut self) -> Answer {
        let (primary, secondaries) = &mut self.sets[self.frame % FRAMES_IN_FLIGHT];
        execute(&self.device.table, primary.next(), &self.buffers);
        let ended = Instant::now();
        primary.reset();
        secondaries.reset();
        let buffers =
            |(primary, secondaries): &(Pool, Pool)| primary.buffers() + secondaries.buffers();
        Answer {
            ended,
            busy: ended - self.began,
            objects: Objects {
                pools: 2 * self.sets.len(),
                buffers: self.sets.iter().map(buffers).sum(),
                message_bytes: 0,
            },
        }
    }
}

/// A frame whose jobs send their commands one by one. Both ways of sending share it.
pub(super) fn frame(
    stage: &Stage,
    work: &Work,
    send: impl Fn(Message) + Sync,
    answers: &Receiver<Answer>,
    objects: &mut Objects,
) -> FrameTimes {
    let scene = stage.device.scene;
    let mut stamps = Stamps::begin();
    send(Message::Begin { slots: work.jobs });
    let jobs = stage.jobs.run(work, |_, slot, range, each| {
        let mut calls = Sent { slot, send: &send };
        calls.command(Command::Begin);
        record(&mut calls, &scene, &stage.matrices, range, work, each);
        calls.command(Command::End);
    });
    send(Message::End);
    let answer = answers.recv().expect("the owner lives");
    stamps.ended(answer.ended);
    *objects = answer.objects;
    FrameTimes {
        owner_ns: answer.busy.as_nanos() as f64,
        ..stamps.recycled(jobs)
    }
}

/// Calls as messages, one each.
struct Sent<F> {
    slot: usize,
    send: F,
}

impl<F: Fn(Message)> Sent<F> {
    #[inline(always)]
    fn command(&mut self, command: Command) {
        (self.send)(Message::Command {
            slot: self.slot,
            command,
        });
    }
}

impl<F: Fn(Message)> Calls for Sent<F> {
    #[inline(always)]
    fn bind_pipeline(&mut self, pipeline: vk::Pipeline) {
        self.command(Command::BindPipeline(pipeline));
    }

    #[inline(always)]
    fn bind_vertices(&mut self, buffer: vk::Buffer) {
        self.command(Command::BindVertices(buffer));
    }

    #[inline(always)]
    fn push(&mut self, layout: vk::PipelineLayout, matrix: &Matrix) {
        self.command(Command::Push(layout, *matrix));
    }

    #[inline(always)]
    fn draw(&mut self) {
        self.command(Command::Draw);
    }
}
