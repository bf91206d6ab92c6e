//! Events as records of the crate `log`.

use super::{Sink, Token, Trace, TraceEvent, TraceKind};
use log::Level;
use std::sync::Arc;
use std::time::Instant;

const TARGET: &str = "agate_vk";

impl Trace {
    /// Writes records of the crate `log`, with the target `agate_vk`: what went wrong as errors and warnings, the end of
    /// each frame at the level `debug`, and the end of everything else at `trace`, with the time that it took.
    ///
    /// With the feature `log`.
    ///
    /// ```no_run
    /// # fn example(options: &mut agate_vk::ServiceOptions) {
    /// options.trace = Some(agate_vk::Trace::log());
    /// # }
    /// ```
    #[must_use]
    pub fn log() -> Self {
        Self(Arc::new(Log))
    }
}

struct Log;

fn level(kind: TraceKind) -> Level {
    match kind {
        TraceKind::DeviceLost | TraceKind::OwnerPanicked | TraceKind::Leaked => Level::Error,
        TraceKind::Failed => Level::Warn,
        TraceKind::Frame => Level::Debug,
        _ => Level::Trace,
    }
}

impl Sink for Log {
    fn begin(&self, _: &TraceEvent) -> Token {
        Token::None
    }

    fn end(&self, event: &TraceEvent, began: Instant, _: Token) {
        let took = event.at.saturating_duration_since(began);
        match event.kind {
            // The one that tells of the host's threads.
            TraceKind::Record => {
                let thread = std::thread::current();
                let name = thread.name().unwrap_or("a thread without a name");
                log::log!(target: TARGET, level(event.kind), "{event} took {took:?} ({name})");
            }
            TraceKind::Frame => {
                let frame = event.frame;
                log::log!(target: TARGET, level(event.kind), "frame {frame}: over after {took:?}");
            }
            kind => log::log!(target: TARGET, level(kind), "{event} took {took:?}"),
        }
    }

    fn instant(&self, event: &TraceEvent) {
        log::log!(target: TARGET, level(event.kind), "{event}");
    }
}
