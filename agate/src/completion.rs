//! Completions: one answer, to be polled, waited for or awaited.
#![allow(missing_docs, clippy::missing_errors_doc, clippy::missing_panics_doc)]

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::error::{CompletionError, WaitError};

pub struct CompletionPool<T>(PhantomData<fn() -> T>);
impl<T: Send + 'static> CompletionPool<T> {
    #[must_use]
    pub fn new() -> Self {
        todo!()
    }
    pub fn pair(&self) -> (Resolver<T>, Completion<T>) {
        todo!()
    }
}
impl<T> Clone for CompletionPool<T> {
    fn clone(&self) -> Self {
        todo!()
    }
}
impl<T: Send + 'static> Default for CompletionPool<T> {
    fn default() -> Self {
        Self::new()
    }
}

pub fn completion<T: Send + 'static>() -> (Resolver<T>, Completion<T>) {
    todo!()
}

pub struct Resolver<T>(PhantomData<T>);
impl<T> Resolver<T> {
    pub fn resolve(self, value: T) {
        let _ = self.try_resolve(value);
    }
    pub fn try_resolve(self, _value: T) -> Result<(), T> {
        todo!()
    }
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        todo!()
    }
}
pub struct Completion<T>(PhantomData<T>);
impl<T> Completion<T> {
    #[must_use]
    pub fn is_done(&self) -> bool {
        todo!()
    }
    pub fn poll(&mut self) -> Option<Result<T, CompletionError>> {
        todo!()
    }
    pub fn wait_timeout(&mut self, _timeout: Duration) -> Result<T, WaitError> {
        todo!()
    }
}
impl<T> Unpin for Completion<T> {}
impl<T> Future for Completion<T> {
    type Output = Result<T, CompletionError>;
    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Self::Output> {
        todo!()
    }
}
pub fn forbid_wait() {
    todo!()
}
