//! Events as spans and events of the crate `tracing`.

use super::{Sink, Token, Trace, TraceEvent, TraceKind};
use std::sync::Arc;
use std::time::Instant;
use tracing::{Span, debug_span, error, trace_span, warn};

const TARGET: &str = "agate_vk";

impl Trace {
    /// Makes spans and events of the crate `tracing`, with the target `agate_vk`: a span `frame` at the level `debug` from
    /// each frame's begin to its end, at `trace` a span `record` for each slot that a job records and one for each thing
    /// that an owner does, and events for what went wrong.
    ///
    /// They go to the subscriber of the thread that does it. The owners have threads of their own: they find the global
    /// subscriber, and none that is set for one thread or one scope. An owner's spans are entered while it is at it; `frame`
    /// and `record` are open and not entered, for they may overlap and end on another thread.
    ///
    /// With the feature `tracing`.
    ///
    /// ```no_run
    /// # fn example(options: &mut agate_vk::ServiceOptions) {
    /// options.trace = Some(agate_vk::Trace::tracing());
    /// # }
    /// ```
    #[must_use]
    pub fn tracing() -> Self {
        Self(Arc::new(Tracing))
    }
}

struct Tracing;

/// Whether one thread tells the begin and the end, with all that it tells between them nested.
fn is_nested(kind: TraceKind) -> bool {
    !matches!(kind, TraceKind::Frame | TraceKind::Record)
}

fn span(event: &TraceEvent) -> Span {
    let frame = event.frame;
    match event.kind {
        TraceKind::Frame => debug_span!(target: TARGET, "frame", frame),
        TraceKind::Record => {
            let (pass, slot) = event.slot.map_or((0, 0), |place| (place.pass, place.slot));
            trace_span!(target: TARGET, "record", frame, pass, slot)
        }
        TraceKind::Replay => trace_span!(target: TARGET, "replay", frame),
        TraceKind::Submit => trace_span!(target: TARGET, "submit", frame),
        TraceKind::Present => trace_span!(target: TARGET, "present", frame),
        TraceKind::Acquire => trace_span!(target: TARGET, "acquire"),
        TraceKind::HostWork => trace_span!(target: TARGET, "host_work"),
        TraceKind::Retire => trace_span!(target: TARGET, "retire", frame),
        // These take no time.
        TraceKind::Failed
        | TraceKind::DeviceLost
        | TraceKind::OwnerPanicked
        | TraceKind::Leaked => Span::none(),
    }
}

impl Sink for Tracing {
    fn begin(&self, event: &TraceEvent) -> Token {
        let span = span(event);
        if is_nested(event.kind) {
            span.with_subscriber(|(id, subscriber)| subscriber.enter(id));
        }
        Token::Span(span)
    }

    fn end(&self, event: &TraceEvent, _: Instant, token: Token) {
        if let Token::Span(span) = token {
            if is_nested(event.kind) {
                span.with_subscriber(|(id, subscriber)| subscriber.exit(id));
            }
        }
    }

    fn instant(&self, event: &TraceEvent) {
        let frame = event.frame;
        match event.kind {
            TraceKind::Failed => warn!(target: TARGET, frame, "{event}"),
            TraceKind::Leaked => error!(target: TARGET, leaked = event.leaked, "{event}"),
            _ => error!(target: TARGET, "{event}"),
        }
    }
}
