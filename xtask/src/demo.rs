//! `cargo xtask demo`: one command from a fresh clone to a window full of stones.

use std::process::ExitCode;

use crate::cargo::cargo;
use crate::host::{self, Display};
use crate::packages;
use crate::process::exit_code;

/// Installs what is missing, builds the demo in release, runs it with `arguments`, and ends as it ends.
pub(crate) fn run(install: bool, arguments: &[String]) -> ExitCode {
    let given = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let display = if given("--headless") {
        Display::None
    } else {
        host::display()
    };
    let provided = packages::provide(packages::for_demo(display, given("--validation")), install);
    if let Err(unmet) = provided {
        eprintln!("{unmet}");
        // These two answer on any machine; the doctor's table is what its owner now wants to see.
        if !given("--doctor") && !given("--help") {
            return ExitCode::FAILURE;
        }
    }
    match cargo("run --release --package demo --")
        .args(arguments)
        .status()
    {
        Ok(status) => exit_code(status.code()),
        Err(error) => {
            eprintln!("cargo could not be run: {error}");
            ExitCode::FAILURE
        }
    }
}
