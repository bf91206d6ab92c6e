//! The ticket of a submitted frame: its one answer.

use crate::after::{Point, Promise};
use crate::error::{FrameError, TicketError};
use agate::{Completion, CompletionError, Resolver, WaitError};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// What became of a frame.
pub(crate) type FrameResult = Result<FrameReport, FrameError>;

/// The other end of a [`Ticket`], on its way through the owners: resolves it, and ends the frame for those that wait for it.
pub(crate) struct TicketEnd {
    resolver: Resolver<FrameResult>,
    promise: Promise,
}

impl TicketEnd {
    pub(crate) fn new(resolver: Resolver<FrameResult>, promise: Promise) -> Self {
        Self { resolver, promise }
    }

    pub(crate) fn promise(&self) -> &Promise {
        &self.promise
    }

    /// See [`Promise::submitted`].
    pub(crate) fn submitted(&mut self, value: u64, failed: bool) {
        self.promise.submitted(value, failed);
    }

    /// The frame is over. A host that has dropped the ticket does not want to know.
    pub(crate) fn resolve(self, result: FrameResult) {
        if let Err(error) = result {
            self.promise.failed(error);
        }
        // First: who hears from the ticket that the frame is over finds done what waited for that.
        self.promise.end();
        self.resolver.resolve(result);
    }

    /// Whether the frame is over will not be known.
    pub(crate) fn give_up(self, error: FrameError) {
        self.promise.failed(error);
        self.promise.leak();
        self.resolver.resolve(Err(error));
    }
}

/// When and how a frame that the GPU has executed went through its owners.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct FrameReport {
    /// The number of the frame.
    pub serial: u64,
    /// When the host began it.
    pub began: Instant,
    /// When its primary command buffer was ended, after the last slot.
    pub ended: Instant,
    /// When `vkQueueSubmit2` had returned; `ended` where the frame was only recorded.
    pub submitted: Instant,
    /// When the GPU was seen to have executed it; `ended` where the frame was only recorded.
    pub retired: Instant,
    /// How many `vkCmd*` calls the owner made; a closure counts as one.
    pub commands: u64,
    /// How many blocks carried them.
    pub blocks: u64,
    /// How many bytes of messages.
    pub bytes: u64,
    /// How long the owner spent replaying.
    pub replay: Duration,
}

/// The answer to [`Frame::submit`](crate::Frame::submit): resolves once, when the GPU has executed the frame or when it is
/// known that it never will; of a frame that is only recorded, when that is done.
///
/// Poll it, wait with a deadline, or await it as a [`Future`] in any executor. Dropping it is fine: the frame goes on.
#[must_use = "a ticket says whether the frame was executed"]
pub struct Ticket {
    completion: Completion<FrameResult>,
    point: Option<Arc<Point>>,
}

impl Ticket {
    pub(crate) fn new(completion: Completion<FrameResult>, point: Option<Arc<Point>>) -> Self {
        Self { completion, point }
    }

    /// The frame, for those that wait for it.
    pub(crate) fn point(&self) -> Option<&Arc<Point>> {
        self.point.as_ref()
    }

    /// Whether the answer is there.
    ///
    /// # Progress
    ///
    /// Wait-free.
    pub fn is_done(&self) -> bool {
        self.completion.is_done()
    }

    /// The answer, if it is there.
    ///
    /// # Progress
    ///
    /// Wait-free.
    pub fn poll(&mut self) -> Option<Result<FrameReport, TicketError>> {
        self.completion.poll().map(flatten)
    }

    /// Waits for the answer, `timeout` at the longest.
    ///
    /// # Errors
    ///
    /// [`TicketError::TimedOut`], after which the ticket is still good; [`TicketError::Frame`] when the frame failed.
    ///
    /// # Progress
    ///
    /// May park.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<FrameReport, TicketError> {
        match self.completion.wait_timeout(timeout) {
            Ok(result) => result.map_err(TicketError::Frame),
            Err(WaitError::TimedOut) => Err(TicketError::TimedOut),
            Err(WaitError::WouldStall) => Err(TicketError::WouldStall),
            Err(WaitError::Failed(error)) => flatten(Err(error)),
        }
    }
}

fn flatten(result: Result<FrameResult, CompletionError>) -> Result<FrameReport, TicketError> {
    match result {
        Ok(result) => result.map_err(TicketError::Frame),
        Err(CompletionError::AlreadyTaken) => Err(TicketError::AlreadyTaken),
        Err(CompletionError::OwnerPanicked) => Err(TicketError::Frame(FrameError::OwnerPanicked)),
        Err(_) => Err(TicketError::Frame(FrameError::Aborted)),
    }
}

impl Future for Ticket {
    type Output = Result<FrameReport, TicketError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.completion).poll(context).map(flatten)
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket")
            .field("done", &self.is_done())
            .finish()
    }
}
