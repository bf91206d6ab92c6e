//! The owner: one thread that alone uses a resource, and an inbox.
#![allow(
    missing_docs,
    dead_code,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc
)]

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use crate::attach::{Place, Role};
use crate::completion::{Completion, CompletionPool, Resolver};
use crate::error::{AttachError, CreateError, SendError};
use crate::handle::{Handle, Limits};
use crate::kind::Kind;

/// What an owner does with each message.
pub trait Handler: 'static {
    type Message: Send + 'static;
    fn handle(&mut self, message: Self::Message);
    fn batch_end(&mut self) {}
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum WaitMode {
    #[default]
    Wake,
    Poll(Duration),
}
pub struct OwnerOptions {
    name: String,
    limits: Limits,
    wait: WaitMode,
    hook: Option<Box<dyn FnOnce() + Send>>,
    drop_deadline: Duration,
}
impl OwnerOptions {
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        let _ = name.into();
        todo!()
    }
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
    #[must_use]
    pub fn wait_mode(mut self, wait: WaitMode) -> Self {
        self.wait = wait;
        self
    }
    #[must_use]
    pub fn on_start(mut self, hook: impl FnOnce() + Send + 'static) -> Self {
        self.hook = Some(Box::new(hook));
        self
    }
    #[must_use]
    pub fn drop_deadline(mut self, deadline: Duration) -> Self {
        self.drop_deadline = deadline;
        self
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    Drain,
    Discard,
}
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ShutdownReport {
    pub handled: u64,
    pub drained: u64,
    pub discarded: u64,
    pub took: Duration,
}
#[non_exhaustive]
pub enum ShutdownError {
    Panicked {
        payload: Box<dyn Any + Send>,
        report: ShutdownReport,
    },
    TimedOut {
        deadline: Duration,
    },
    OwnThread,
    WouldStall,
}
impl fmt::Debug for ShutdownError {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
impl fmt::Display for ShutdownError {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
impl std::error::Error for ShutdownError {}

pub struct Owner<H: Handler>(PhantomData<fn(H) -> H>);
impl<H: Handler> Owner<H> {
    pub(crate) fn spawn<F: FnOnce() -> H + Send + 'static>(
        _options: OwnerOptions,
        _make: F,
    ) -> Result<Self, CreateError> {
        todo!()
    }
    #[must_use]
    pub fn handle(&self) -> Handle<Inbox<H::Message>> {
        todo!()
    }
    pub fn attach(&self) -> Result<Port<H::Message>, AttachError> {
        todo!()
    }
    #[must_use]
    pub fn is_alive(&self) -> bool {
        todo!()
    }
    pub fn shutdown(
        self,
        _pending: Pending,
        _deadline: Duration,
    ) -> Result<ShutdownReport, ShutdownError> {
        todo!()
    }
}
pub struct Inbox<M>(PhantomData<fn(M) -> M>);
impl<M: Send + 'static> Kind for Inbox<M> {
    const NAME: &'static str = "inbox";
    const ROLE: Role = Role::Sender;
    type User = Port<M>;
    fn attach(_place: Place<Self>) -> Result<Port<M>, AttachError> {
        todo!()
    }
}
pub struct Port<M: Send + 'static>(Place<Inbox<M>>, PhantomData<Cell<M>>);
impl<M: Send + 'static> Port<M> {
    pub fn send(&self, _message: M) -> Result<(), SendError<M>> {
        todo!()
    }
    pub fn ask<T: Send + 'static>(
        &self,
        _message: impl FnOnce(Resolver<T>) -> M,
    ) -> Result<Completion<T>, SendError<M>> {
        todo!()
    }
    pub fn ask_with<T: Send + 'static>(
        &self,
        _pool: &CompletionPool<T>,
        _message: impl FnOnce(Resolver<T>) -> M,
    ) -> Result<Completion<T>, SendError<M>> {
        todo!()
    }
    pub fn try_clone(&self) -> Result<Self, AttachError> {
        todo!()
    }
    #[must_use]
    pub fn is_closed(&self) -> bool {
        todo!()
    }
}
