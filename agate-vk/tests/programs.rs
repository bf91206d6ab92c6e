//! Random programs over the null device, some hundred from fixed seeds; `cargo xtask check --deep fuzz` runs others for
//! minutes (`agate-vk/fuzz/`).

#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the commands of one list are recorded together"
)]

#[path = "support/command.rs"]
#[allow(
    dead_code,
    reason = "commands are recorded here, and never called directly"
)]
mod command;
#[path = "support/program/mod.rs"]
mod program;
#[path = "support/returns.rs"]
mod returns;
#[path = "support/null.rs"]
mod support;

/// How many programs run.
fn programs() -> u64 {
    if std::env::var_os("AGATE_DEEP").is_some() {
        5000
    } else {
        200
    }
}

#[test]
fn end_with_everything_accounted_for() {
    // One of them, to see what it does: `AGATE_PROGRAM=7`.
    let one = std::env::var("AGATE_PROGRAM").ok();
    let one = one.and_then(|seed| seed.parse::<u64>().ok());
    for seed in one.map_or(0..programs(), |seed| seed..seed + 1) {
        println!("program {seed}");
        program::run(&program::random(seed, 400));
    }
}
