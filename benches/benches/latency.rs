//! Messages inside a process, one in a while: what a send costs, when it arrives, how waiting is done, what an answer takes.
//! `cargo bench -p benches --bench latency -- --help` lists the options.

use std::process::ExitCode;

use benches::messages::{command, latency};

fn main() -> ExitCode {
    command::run("latency", latency::ABOUT, &latency::ROWS, latency::run)
}
