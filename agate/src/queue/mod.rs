//! The queue: a lane for each attached sender, drained by one receiver.
#![allow(missing_docs, clippy::missing_errors_doc, clippy::missing_panics_doc)]

use std::cell::Cell;
use std::marker::PhantomData;
use std::time::Duration;

use crate::attach::{Place, Role};
use crate::error::{AttachError, CreateError, RecvError, SendError, TryRecvError, TrySendError};
use crate::handle::Handle;
use crate::kind::Kind;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    Bounded(usize),
    Unbounded,
}
impl Capacity {
    #[must_use]
    pub const fn bounded(messages: usize) -> Self {
        Self::Bounded(messages)
    }
}
pub struct Queue<T>(PhantomData<fn(T) -> T>);
impl<T: Send + 'static> Queue<T> {
    pub(crate) fn new(_capacity: Capacity) -> Result<Self, CreateError> {
        todo!()
    }
}
impl<T: Send + 'static> Kind for Queue<T> {
    const NAME: &'static str = "queue";
    const ROLE: Role = Role::Sender;
    type User = Sender<T>;
    fn attach(_place: Place<Self>) -> Result<Sender<T>, AttachError> {
        todo!()
    }
}
impl<T: Send + 'static> Handle<Queue<T>> {
    pub fn attach_sender(&self) -> Result<Sender<T>, AttachError> {
        self.attach()
    }
    pub fn attach_receiver(&self) -> Result<Receiver<T>, AttachError> {
        todo!()
    }
}
pub struct Sender<T: Send + 'static>(Place<Queue<T>>, PhantomData<Cell<T>>);
impl<T: Send + 'static> Sender<T> {
    pub fn try_send(&self, _message: T) -> Result<(), TrySendError<T>> {
        todo!()
    }
    pub fn send(&self, _message: T) -> Result<(), SendError<T>> {
        todo!()
    }
    pub fn send_batch(
        &self,
        _messages: &mut dyn Iterator<Item = T>,
    ) -> Result<usize, TrySendError<()>> {
        todo!()
    }
    pub fn try_clone(&self) -> Result<Self, AttachError> {
        let _ = &self.0;
        todo!()
    }
}
pub struct Receiver<T: Send + 'static>(Place<Queue<T>>, PhantomData<Cell<T>>);
impl<T: Send + 'static> Receiver<T> {
    pub fn drain(&mut self) -> Drain<'_, T> {
        todo!()
    }
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        todo!()
    }
    pub fn recv_timeout(&mut self, _timeout: Duration) -> Result<T, RecvError> {
        todo!()
    }
    pub fn wait_recv(&mut self) -> Result<T, RecvError> {
        let _ = &self.0;
        todo!()
    }
}
pub struct Drain<'a, T: Send + 'static>(PhantomData<&'a mut Receiver<T>>);
impl<T: Send + 'static> Iterator for Drain<'_, T> {
    type Item = T;
    fn next(&mut self) -> Option<T> {
        todo!()
    }
}
