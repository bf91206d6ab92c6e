//! Queues inside a process: agate beside crossbeam, the standard library, kanal, crossfire, flume, gil and rtrb, and what the
//! machine allows. `cargo bench -p benches --bench queue -- --help` lists the options.

use std::process::ExitCode;

use benches::messages::{command, queue};

fn main() -> ExitCode {
    command::run("queue", queue::ABOUT, &queue::ROWS, queue::run)
}
