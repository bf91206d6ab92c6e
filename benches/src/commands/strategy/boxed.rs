//! Naive reading one: a boxed message for every command, through crossbeam's unbounded `SegQueue`; the owner yields while
//! it is empty.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};

use crossbeam_queue::SegQueue;

use super::naive::{self, Answer, Message, Owner};
use crate::commands::device::Device;
use crate::commands::frame::{FrameTimes, Objects, Stage, Strategy};
use crate::commands::work::Work;

/// See the module.
pub struct Boxed {
    queue: Arc<SegQueue<Box<Message>>>,
    answers: Receiver<Answer>,
    owner: Option<JoinHandle<()>>,
    objects: Objects,
}

impl Boxed {
    /// Starts the owner.
    pub fn new(device: &Arc<Device>) -> Self {
        let queue = Arc::new(SegQueue::<Box<Message>>::new());
        let (tell, answers) = channel();
        let (inbox, device) = (Arc::clone(&queue), Arc::clone(device));
        let owner = thread::spawn(move || {
            let mut owner = Owner::new(device);
            loop {
                let Some(message) = inbox.pop() else {
                    thread::yield_now();
                    continue;
                };
                match owner.handle(*message) {
                    None => {}
                    Some(Some(answer)) => drop(tell.send(answer)),
                    Some(None) => break,
                }
            }
        });
        Self {
            queue,
            answers,
            owner: Some(owner),
            objects: Objects::default(),
        }
    }
}

impl Strategy for Boxed {
    fn frame(&mut self, stage: &Stage, work: &Work) -> FrameTimes {
        let queue = &*self.queue;
        let send = |message| queue.push(Box::new(message));
        naive::frame(stage, work, send, &self.answers, &mut self.objects)
    }

    fn objects(&self) -> Objects {
        self.objects
    }
}

impl Drop for Boxed {
    fn drop(&mut self) {
        self.queue.push(Box::new(Message::Stop));
        let _ = self.owner.take().map(JoinHandle::join);
    }
}
