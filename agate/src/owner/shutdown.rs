//! How an owner ends, as a report.

use std::any::Any;
use std::fmt;
use std::time::Duration;

use crate::owner::drive::Counts;

/// What becomes of the messages that are still in the inbox when an owner is shut down; see
/// [`Owner::shutdown`](crate::Owner::shutdown).
///
/// # Examples
///
/// ```
/// use agate::{Driver, Handler, Local, OwnerOptions, Pending, Scope};
/// use std::time::Duration;
///
/// struct Sink;
/// impl Handler for Sink {
///     type Message = u32;
///     fn handle(&mut self, _: u32) {}
/// }
///
/// for (pending, expected) in [(Pending::Drain, (3, 0)), (Pending::Discard, (0, 3))] {
///     let sink = Local.owner_from(OwnerOptions::named("sink").driven_by(Driver::Host), Sink)?;
///     let port = sink.attach()?;
///     (0..3).try_for_each(|n| port.send(n))?;
///     let report = sink.shutdown(pending, Duration::from_secs(10))?;
///     assert_eq!((report.drained, report.discarded), expected);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    /// They are handled.
    Drain,
    /// They are dropped, on the owner's thread.
    Discard,
}

/// What an owner did until it ended.
///
/// # Examples
///
/// See [`Pending`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Messages handled in the owner's whole life, the one in which its handler panicked included.
    pub handled: u64,
    /// Of these, messages handled after the inbox was closed.
    pub drained: u64,
    /// Messages dropped without being handled.
    pub discarded: u64,
    /// How long the shutdown took.
    pub took: Duration,
}

impl ShutdownReport {
    pub(crate) fn new(counts: Counts, took: Duration) -> Self {
        let Counts {
            handled,
            drained,
            discarded,
            ..
        } = counts;
        Self {
            handled,
            drained,
            discarded,
            took,
        }
    }
}

/// Why a shutdown did not end in order.
///
/// # Examples
///
/// See [`Owner`](crate::Owner).
#[non_exhaustive]
pub enum ShutdownError {
    /// The handler panicked, now or earlier. The thread has ended.
    Panicked {
        /// What it panicked with.
        payload: Box<dyn Any + Send>,
        /// What it did until then.
        report: ShutdownReport,
    },
    /// The owner was still busy at the deadline. It ends by itself when it returns from its handler.
    TimedOut {
        /// The time that it was given.
        deadline: Duration,
    },
    /// Called on the owner's own thread, which cannot wait for itself. It ends when the handler returns.
    OwnThread,
    /// This thread must not park (see [`forbid_wait`](crate::forbid_wait)). The owner ends by itself.
    WouldStall,
}

impl ShutdownError {
    /// The message of the panic, if there was one with a text.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn panic_message(&self) -> Option<&str> {
        let Self::Panicked { payload, .. } = self else {
            return None;
        };
        let text = payload.downcast_ref::<&'static str>().copied();
        text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
    }
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked { .. } => {
                write!(
                    f,
                    "the owner's handler panicked: {}",
                    self.panic_message().unwrap_or("(no text)")
                )
            }
            Self::TimedOut { deadline } => write!(f, "the owner was still busy after {deadline:?}"),
            Self::OwnThread => f.write_str("an owner cannot wait for its own end"),
            Self::WouldStall => {
                f.write_str("this thread must not park, so it cannot wait for the owner's end")
            }
        }
    }
}

impl fmt::Debug for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked { report, .. } => f
                .debug_struct("Panicked")
                .field("message", &self.panic_message())
                .field("report", report)
                .finish_non_exhaustive(),
            Self::TimedOut { deadline } => f
                .debug_struct("TimedOut")
                .field("deadline", deadline)
                .finish(),
            Self::OwnThread => f.write_str("OwnThread"),
            Self::WouldStall => f.write_str("WouldStall"),
        }
    }
}

impl std::error::Error for ShutdownError {}
