//! The faults of others, by name: each has happened in another project, and must not happen here.
//!
//! What takes each protection out again, and so shows that the test sees it, stands in `agate/tests/planted/`.
//!
//! Faults that are figures and not events have rows in the benches instead, where a test could only measure time:
//!
//! - disruptor 7, a queue for many senders slower than its peers: `benches/queue.rs`, "two senders at once" and "four
//!   senders", bounded and unbounded, each against crossbeam-channel;
//! - kanal 12, as a time: `benches/latency.rs`, the five situations in which a receiver waits, two of them on loaded
//!   processors;
//! - slog-rs/async 23 and tokio-rs/tracing 3446, the slow tail and the wake that each line of a log pays:
//!   `benches/latency.rs`, one message in a while.

mod channels;
mod completions;
mod deadline;
mod engines;
#[cfg(all(target_os = "linux", not(miri)))]
mod processors;
#[path = "../threads/mod.rs"]
mod threads;
mod waiting;
