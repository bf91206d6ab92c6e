//! Models: each protocol run by loom through every interleaving (within a bound) and every value that memory may show.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p agate --release --lib`.
#![allow(
    unsafe_code,
    reason = "the models are the only users of the ends that they make"
)]

mod blocks;
mod completion;
mod freelist;
mod intake;
mod lane;
mod last_words;
mod object;
mod owner;
mod park;
mod room;
mod wait_any;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};

/// Runs a model; a thread is taken off its core at most `preemptions` times where it could go on, and as many times
/// more as the environment variable `AGATE_DEEP` says.
fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let more = std::env::var("AGATE_DEEP").map_or(Ok(0), |more| more.parse::<usize>());
    let more = more.expect("AGATE_DEEP is a number of preemptions more");
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions + more);
    builder.check(model);
}

/// Counts the drops of the messages that it makes.
#[derive(Clone)]
struct Drops(Arc<AtomicUsize>);

struct Message {
    number: usize,
    drops: Drops,
}

impl Drops {
    fn new() -> Self {
        Self(Arc::new(AtomicUsize::new(0)))
    }

    fn message(&self, number: usize) -> Message {
        Message {
            number,
            drops: self.clone(),
        }
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        self.drops.0.fetch_add(1, Ordering::SeqCst);
    }
}
