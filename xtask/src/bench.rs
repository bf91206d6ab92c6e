//! `cargo xtask bench`: one bench with what it needs, in the same way on every machine.

use std::process::ExitCode;

use crate::cargo::cargo;
use crate::cli::Bench;
use crate::host;
use crate::packages;
use crate::process::exit_code;

/// Installs what is missing, builds the bench with all optimisation, runs it with `arguments`, and ends as it ends.
pub(crate) fn run(bench: Bench, install: bool, arguments: &[String]) -> ExitCode {
    if let Err(unmet) = packages::provide(packages::for_bench(bench), install) {
        eprintln!("{unmet}");
        return ExitCode::FAILURE;
    }
    let mut command = cargo("bench --package benches --bench");
    command.arg(bench.name()).arg("--").args(arguments);
    if bench.draws() {
        // The same driver everywhere, so that two runs can be compared.
        host::prefer_lavapipe(&mut command);
    }
    match command.status() {
        Ok(status) => exit_code(status.code()),
        Err(error) => {
            eprintln!("cargo could not be run: {error}");
            ExitCode::FAILURE
        }
    }
}
