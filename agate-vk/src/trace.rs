//! What the owners do, as it happens, for whoever draws a timeline of it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

/// What an owner does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TraceKind {
    /// The pools' owner replays what a job has recorded.
    Replay,
    /// The queue's owner is in `vkQueueSubmit2`; the frame is the first of those that go out together.
    Submit,
    /// The queue's owner is in `vkQueuePresentKHR`.
    Present,
    /// The queue's owner tries to acquire an image.
    Acquire,
    /// The queue's owner does the host's work.
    HostWork,
    /// The owner of retirement waits until the GPU has executed the frame.
    Retire,
}

/// The begin or the end of something, told on the thread that does it. What one thread tells is nested.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TraceEvent {
    /// What is done.
    pub kind: TraceKind,
    /// Whether it begins or has ended.
    pub begins: bool,
    /// The number of the frame that it is done for; 0 where it is for none.
    pub frame: u64,
    /// When.
    pub at: Instant,
}

/// Where a service tells what its owners do: a callback for [`ServiceOptions::trace`](crate::ServiceOptions::trace).
///
/// ```
/// use agate_vk::Trace;
///
/// let trace = Trace::new(|event| println!("{event:?}"));
/// ```
#[derive(Clone)]
pub struct Trace(Arc<dyn Fn(&TraceEvent) + Send + Sync>);

impl Trace {
    /// Calls `tell` for each event, on the owner's thread, which waits for it. A panic in it is caught, and the event lost.
    pub fn new(tell: impl Fn(&TraceEvent) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    fn tell(&self, kind: TraceKind, begins: bool, frame: u64) {
        let event = TraceEvent {
            kind,
            begins,
            frame,
            at: Instant::now(),
        };
        let _ = catch_unwind(AssertUnwindSafe(|| (self.0)(&event)));
    }

    /// Tells that something begins, and when the answer is dropped that it has ended.
    pub(crate) fn span(trace: Option<&Self>, kind: TraceKind, frame: u64) -> Span {
        if let Some(trace) = trace {
            trace.tell(kind, true, frame);
        }
        Span {
            trace: trace.cloned(),
            kind,
            frame,
        }
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trace")
    }
}

/// Something that has begun.
#[must_use]
pub(crate) struct Span {
    trace: Option<Trace>,
    kind: TraceKind,
    frame: u64,
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(trace) = &self.trace {
            trace.tell(self.kind, false, self.frame);
        }
    }
}
