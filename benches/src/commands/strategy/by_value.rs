//! Naive reading two: a message by value for every command, through crossbeam's unbounded channel, whose receiver sleeps
//! while it is empty.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Sender, unbounded};

use super::naive::{self, Answer, Message, Owner};
use crate::commands::device::Device;
use crate::commands::frame::{FrameTimes, Objects, Stage, Strategy};
use crate::commands::work::Work;

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
}

impl Strategy for ByValue {
    fn frame(&mut self, stage: &Stage, work: &Work) -> FrameTimes {
        let messages = &self.messages;
        let send = |message| messages.send(message).expect("the owner lives");
        naive::frame(stage, work, send, &self.answers, &mut self.objects)
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
