//! What a service does, as spans and events of the crate `tracing`.

#![allow(unsafe_code, reason = "makes services")]

#[path = "support/null.rs"]
mod support;

use agate_vk::{Trace, vk};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use support::{checked, close, run, service};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// A span, as its life goes.
#[derive(Debug, Default)]
struct Kept {
    name: &'static str,
    /// `frame=1 pass=0`
    fields: String,
    entered: Vec<ThreadId>,
    exited: Vec<ThreadId>,
    closed: bool,
}

#[derive(Debug, Default)]
struct All {
    spans: HashMap<u64, Kept>,
    events: Vec<(Level, String)>,
}

/// Keeps everything of the target `agate_vk`.
#[derive(Clone, Default)]
struct Keeper(Arc<Mutex<All>>);

impl Keeper {
    fn with<R>(&self, act: impl FnOnce(&mut All) -> R) -> R {
        act(&mut self.0.lock().expect("not poisoned"))
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.push_str(&format!("{field}={value:?}"));
    }
}

impl Subscriber for Keeper {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "agate_vk"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Text(String::new());
        span.record(&mut fields);
        self.with(|all| {
            let id = all.spans.len() as u64 + 1;
            let kept = Kept {
                name: span.metadata().name(),
                fields: fields.0,
                ..Kept::default()
            };
            all.spans.insert(id, kept);
            Id::from_u64(id)
        })
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Text(String::new());
        event.record(&mut fields);
        self.with(|all| all.events.push((*event.metadata().level(), fields.0)));
    }

    fn enter(&self, span: &Id) {
        let thread = std::thread::current().id();
        self.with(|all| {
            all.spans
                .get_mut(&span.into_u64())
                .expect("known")
                .entered
                .push(thread);
        });
    }

    fn exit(&self, span: &Id) {
        let thread = std::thread::current().id();
        self.with(|all| {
            all.spans
                .get_mut(&span.into_u64())
                .expect("known")
                .exited
                .push(thread);
        });
    }

    fn try_close(&self, span: Id) -> bool {
        self.with(|all| all.spans.get_mut(&span.into_u64()).expect("known").closed = true);
        true
    }
}

/// The subscriber is the program's: one test for all.
#[test]
fn spans_begin_and_end_and_failures_are_events() {
    let keeper = Keeper::default();
    tracing::subscriber::set_global_default(keeper.clone()).expect("the only one");
    let null = checked();
    let mut service = service(&null, |options| {
        // Beside a callback, which keeps nothing of a span.
        options.trace = Some(Trace::new(|_| ()).and(Trace::tracing()));
    });
    run(&mut service).expect("executed");
    null.fail("vkQueueSubmit2", 1, vk::Result::ERROR_DEVICE_LOST);
    run(&mut service).expect_err("lost");
    close(service, &null);
    keeper.with(|all| {
        let host = std::thread::current().id();
        assert!(all.spans.values().all(|span| span.closed), "{all:#?}");
        for (name, fields, owners) in [
            ("frame", "frame=1", false),
            ("record", "frame=1 pass=0 slot=0", false),
            ("replay", "frame=1", true),
            ("submit", "frame=1", true),
            ("retire", "frame=1", true),
            ("frame", "frame=2", false),
        ] {
            let is = |span: &&Kept| (span.name, span.fields.as_str()) == (name, fields);
            let found: Vec<_> = all.spans.values().filter(is).collect();
            assert_eq!(found.len(), 1, "{name}: {all:#?}");
            let Kept {
                entered, exited, ..
            } = found[0];
            assert_eq!(entered, exited, "{name}");
            assert_eq!(entered.len(), usize::from(owners), "{name}");
            assert!(!entered.contains(&host), "{name}");
        }
        let levels: Vec<_> = all.events.iter().map(|(level, _)| *level).collect();
        assert_eq!(levels, [Level::ERROR, Level::WARN], "{all:#?}");
        assert!(
            all.events[0]
                .1
                .contains("the device is lost: vkQueueSubmit2 failed")
        );
        assert!(all.events[1].1.contains("frame=2"));
    });
}
