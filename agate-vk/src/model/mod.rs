//! Models: the protocols that are this crate's own, run by loom through every interleaving (within a bound) and every value
//! that memory may show. Those that they stand on are modelled in `agate`.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p agate-vk --release --lib model`.
#![allow(
    unsafe_code,
    reason = "the models are the only users of the cells that they make"
)]

mod ending;
mod jumbo;
mod keeper;
mod notes;
mod stock;
mod turnstile;
mod uses;

/// Runs a model; a thread is taken off its core at most `preemptions` times where it could go on, and as many times
/// more as the environment variable `AGATE_DEEP` says.
fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let more = std::env::var("AGATE_DEEP").map_or(Ok(0), |more| more.parse::<usize>());
    let more = more.expect("AGATE_DEEP is a number of preemptions more");
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions + more);
    builder.check(model);
}
