//! Random programs over the null device: the bytes are a program of `tests/support/program/`.

#![no_main]

#[path = "../../tests/support/command.rs"]
#[allow(
    dead_code,
    reason = "commands are recorded here, and never called directly"
)]
mod command;
#[path = "../../tests/support/program/mod.rs"]
#[allow(dead_code, reason = "the test makes its own programs")]
mod program;
#[path = "../../tests/support/returns.rs"]
mod returns;
#[path = "../../tests/support/null.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| program::run(bytes));
