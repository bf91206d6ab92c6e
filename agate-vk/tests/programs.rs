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

/// How long a program is, in bytes.
const LENGTH: usize = 400;

/// How many programs run.
fn programs() -> u64 {
    if std::env::var_os("AGATE_DEEP").is_some() {
        5000
    } else {
        200
    }
}

/// Programs that are to run instead: `AGATE_PROGRAM` is a seed, or two with `..` between, or a file of the fuzzer's, which
/// runs a thousand times.
fn asked_for() -> Option<Vec<Vec<u8>>> {
    let asked = std::env::var("AGATE_PROGRAM").ok()?;
    let (first, end) = asked.split_once("..").unwrap_or((&asked, ""));
    if let Ok(first) = first.parse::<u64>() {
        let seeds = first..end.parse().unwrap_or(first + 1);
        return Some(seeds.map(|seed| program::random(seed, LENGTH)).collect());
    }
    let bytes = std::fs::read(&asked).unwrap_or_else(|error| panic!("{asked}: {error}"));
    Some(vec![bytes; 1000])
}

#[test]
fn end_with_everything_accounted_for() {
    if let Some(asked) = asked_for() {
        return asked.iter().for_each(|bytes| program::run(bytes));
    }
    for seed in 0..programs() {
        println!("program {seed}");
        program::run(&program::random(seed, LENGTH));
    }
}
