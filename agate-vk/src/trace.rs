//! What a service does, as it happens, for whoever draws a timeline of it or writes a log.

#[cfg(feature = "log")]
mod log;
#[cfg(feature = "tracing")]
mod tracing;

use crate::caught::quietly;
use crate::error::FrameError;
use crate::frame::SlotPlace;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// What is done, or what has happened.
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
    /// The frame is under way: from the host's begin until it has retired, failed or been dropped. It ends on another
    /// thread than it begins, and several overlap.
    Frame,
    /// A job records [`TraceEvent::slot`]. Told by the job's threads; several may overlap on one, and a recorder that is
    /// sent to another thread ends there.
    Record,
    /// In an instant: the frame has failed with [`TraceEvent::error`].
    Failed,
    /// In an instant: the device is lost; [`TraceEvent::error`] names the call that found it.
    DeviceLost,
    /// In an instant: an owner has panicked; [`ShutdownReport::payload`](crate::ShutdownReport::payload) will say with what.
    OwnerPanicked,
    /// In an instant: the service has ended and left [`TraceEvent::leaked`] objects, because the GPU or a job
    /// may still use them.
    Leaked,
}

/// The part of something that an event tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TracePhase {
    /// It begins.
    Begin,
    /// It has ended.
    End,
    /// It takes no time.
    Instant,
}

/// The begin or the end of something, or something that takes no time, told on the thread that does it. What an owner's
/// thread tells is nested.
///
/// Its `Display` is a line for a log.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TraceEvent {
    /// What is done.
    pub kind: TraceKind,
    /// Whether it begins or has ended.
    pub phase: TracePhase,
    /// The number of the frame that it is done for; 0 where it is for none.
    pub frame: u64,
    /// The slot that a job records.
    pub slot: Option<SlotPlace>,
    /// What went wrong.
    pub error: Option<FrameError>,
    /// How many objects were left behind.
    pub leaked: u32,
    /// When.
    pub at: Instant,
}

impl TraceEvent {
    fn new(kind: TraceKind, phase: TracePhase, frame: u64) -> Self {
        Self {
            kind,
            phase,
            frame,
            slot: None,
            error: None,
            leaked: 0,
            at: Instant::now(),
        }
    }
}

impl fmt::Display for TraceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.frame > 0 {
            write!(f, "frame {}: ", self.frame)?;
        }
        if let Some(place) = self.slot {
            write!(f, "pass {}, slot {}: ", place.pass, place.slot)?;
        }
        f.write_str(match self.kind {
            TraceKind::Replay => "replay",
            TraceKind::Submit => "vkQueueSubmit2",
            TraceKind::Present => "vkQueuePresentKHR",
            TraceKind::Acquire => "vkAcquireNextImageKHR",
            TraceKind::HostWork => "the host's work",
            TraceKind::Retire => "wait for the GPU",
            TraceKind::Frame => "under way",
            TraceKind::Record => "recording",
            TraceKind::Failed => "failed",
            TraceKind::DeviceLost => "the device is lost",
            TraceKind::OwnerPanicked => {
                "an owner has panicked: shut the service down and make it anew"
            }
            TraceKind::Leaked => "the service leaves objects that the GPU or a job may still use",
        })?;
        if self.leaked > 0 {
            write!(f, " ({}): the device must not be destroyed", self.leaked)?;
        }
        match self.error {
            Some(error) => write!(f, ": {error}"),
            None => Ok(()),
        }
    }
}

/// Where a service tells what it does: a callback for [`ServiceOptions::trace`](crate::ServiceOptions::trace), or, with
/// the features `log` and `tracing`, those crates by `Trace::log` and `Trace::tracing`.
///
/// ```
/// use agate_vk::{Trace, TraceKind};
///
/// let trace = Trace::new(|event| {
///     if event.kind == TraceKind::Failed {
///         eprintln!("{event}");
///     }
/// });
/// ```
#[derive(Clone)]
pub struct Trace(Arc<dyn Sink>);

/// Who is told.
trait Sink: Send + Sync {
    /// What it answers is given back at the end.
    fn begin(&self, event: &TraceEvent) -> Token;
    fn end(&self, event: &TraceEvent, began: Instant, token: Token);
    fn instant(&self, event: &TraceEvent);
}

/// What a sink keeps of something that has begun.
enum Token {
    None,
    Both(Box<(Token, Token)>),
    #[cfg(feature = "tracing")]
    Span(::tracing::Span),
}

/// A callback.
impl<F: Fn(&TraceEvent) + Send + Sync> Sink for F {
    fn begin(&self, event: &TraceEvent) -> Token {
        self(event);
        Token::None
    }

    fn end(&self, event: &TraceEvent, _: Instant, _: Token) {
        self(event);
    }

    fn instant(&self, event: &TraceEvent) {
        self(event);
    }
}

/// One after the other.
struct Both(Trace, Trace);

impl Sink for Both {
    fn begin(&self, event: &TraceEvent) -> Token {
        match (self.0.begin(event), self.1.begin(event)) {
            (Token::None, Token::None) => Token::None,
            both => Token::Both(Box::new(both)),
        }
    }

    fn end(&self, event: &TraceEvent, began: Instant, token: Token) {
        let (first, second) = match token {
            Token::Both(both) => *both,
            _ => (Token::None, Token::None),
        };
        // In the opposite order: what is entered last is left first.
        self.1.end(event, began, second);
        self.0.end(event, began, first);
    }

    fn instant(&self, event: &TraceEvent) {
        self.0.instant(event);
        self.1.instant(event);
    }
}

impl Trace {
    /// Calls `tell` for each event, on the thread that does what it tells of, which waits for it. A panic in it is caught,
    /// and the event lost.
    pub fn new(tell: impl Fn(&TraceEvent) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// Tells `other` too.
    ///
    /// ```
    /// use agate_vk::Trace;
    ///
    /// let trace = Trace::new(|event| println!("{event}")).and(Trace::new(|event| println!("{:?}", event.at)));
    /// ```
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(Arc::new(Both(self, other)))
    }

    fn begin(&self, event: &TraceEvent) -> Token {
        quietly(|| self.0.begin(event)).unwrap_or(Token::None)
    }

    fn end(&self, event: &TraceEvent, began: Instant, token: Token) {
        quietly(|| self.0.end(event, began, token));
    }

    fn instant(&self, event: &TraceEvent) {
        quietly(|| self.0.instant(event));
    }

    /// Tells that something begins, and when the answer is dropped that it has ended.
    pub(crate) fn span(trace: Option<&Self>, kind: TraceKind, frame: u64) -> Span {
        Span::begin(trace, TraceEvent::new(kind, TracePhase::Begin, frame))
    }

    /// Tells that a job records a slot, until the answer is dropped.
    pub(crate) fn recording(&self, place: SlotPlace) -> Box<Span> {
        let event = TraceEvent {
            slot: Some(place),
            ..TraceEvent::new(TraceKind::Record, TracePhase::Begin, place.serial)
        };
        Box::new(Span::begin(Some(self), event))
    }

    /// Tells of something that went wrong.
    pub(crate) fn wrong(&self, kind: TraceKind, frame: u64, error: Option<FrameError>) {
        self.instant(&TraceEvent {
            error,
            ..TraceEvent::new(kind, TracePhase::Instant, frame)
        });
    }

    /// Tells that so many objects were left behind.
    pub(crate) fn leaked(&self, leaked: u32) {
        self.instant(&TraceEvent {
            leaked,
            ..TraceEvent::new(TraceKind::Leaked, TracePhase::Instant, 0)
        });
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trace")
    }
}

/// Something that has begun, where anybody is told.
#[must_use]
pub(crate) struct Span(Option<Begun>);

struct Begun {
    trace: Trace,
    token: Token,
    event: TraceEvent,
}

impl Span {
    fn begin(trace: Option<&Trace>, event: TraceEvent) -> Self {
        Self(trace.map(|trace| Begun {
            token: trace.begin(&event),
            trace: trace.clone(),
            event,
        }))
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(Begun {
            trace,
            token,
            event,
        }) = self.0.take()
        {
            let began = event.at;
            let event = TraceEvent {
                phase: TracePhase::End,
                at: Instant::now(),
                ..event
            };
            trace.end(&event, began, token);
        }
    }
}
