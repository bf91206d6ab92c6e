//! Naive reading two: a message by value for every command, through crossbeam's unbounded channel, whose receiver sleeps
//! while it is empty.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Sender, unbounded};

use super::naive::{Answer, Command, Message, Owner, Sent};
use crate::commands::device::Device;
use crate::commands::frame::{FrameTimes, Objects, Stage, Stamps, Strategy};
use crate::commands::work::{Work, record};

/// See the module.
pub struct ByValue {
    messages: Sender<Message>,
    answers: Receiver<Answer>,
    owner: Option<JoinHandle<()>>,
    objects: Objects,
}

impl ByValue {
    /// Starts the owner.
    pub fn new(device: &Arc<Device>) -> Self {
        let (messages, inbox) = unbounded();
        let (tell, answers) = mpsc::channel();
        let device = Arc::clone(device);
        let owner = thread::spawn(move || {
            let mut owner = Owner::new(device);
            for message in inbox {
                match owner.handle(message) {
                    None => {}
                    Some(Some(answer)) => drop(tell.send(answer)),
                    Some(None) => break,
                }
            }
        });
        Self {
            messages,
            answers,
            owner: Some(owner),
            objects: Objects::default(),
        }
    }

    fn send(messages: &Sender<Message>, message: Message) {
        messages.send(message).expect("the owner lives");
    }
}

impl Strategy for ByValue {
    fn frame(&mut self, stage: &Stage, work: &Work) -> FrameTimes {
        let scene = stage.device.scene;
        let messages = &self.messages;
        let mut stamps = Stamps::begin();
        Self::send(messages, Message::Begin { slots: work.jobs });
        let jobs = stage.jobs.run(work, |_, slot, range, each| {
            let mut calls = Sent {
                slot,
                send: |message| Self::send(messages, message),
            };
            calls.command(Command::Begin);
            record(&mut calls, &scene, &stage.matrices, range, work, each);
            calls.command(Command::End);
        });
        Self::send(messages, Message::End);
        let answer = self.answers.recv().expect("the owner lives");
        stamps.ended(answer.ended);
        let mut times = stamps.recycled(jobs);
        times.owner_ns = answer.busy.as_nanos() as f64;
        self.objects = answer.objects;
        times
    }

    fn objects(&self) -> Objects {
        self.objects
    }
}

impl Drop for ByValue {
    fn drop(&mut self) {
        let _ = self.messages.send(Message::Stop);
        let _ = self.owner.take().map(JoinHandle::join);
    }
}
