//! The project's own commands: `cargo xtask demo`, `cargo xtask test`, `cargo xtask check`, `cargo xtask bench`, `cargo xtask gen`.
//!
//! Nothing but the standard library is used here, so the first command on a fresh machine compiles in seconds.

mod bench;
mod cargo;
mod check;
mod cli;
mod deep;
mod demo;
mod generate;
mod host;
mod house;
mod manifest;
mod packages;
mod process;
mod steps;
mod tally;
mod test;

use std::process::ExitCode;

use cli::Command;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match cli::parse(&arguments) {
        Ok(Command::Help) => {
            print!("{}", cli::HELP);
            ExitCode::SUCCESS
        }
        Ok(Command::Bench {
            bench,
            install,
            arguments,
        }) => bench::run(bench, install, &arguments),
        Ok(Command::Check) => check::run(),
        Ok(Command::CheckDeep { only }) => deep::run(only.as_deref()),
        Ok(Command::Demo { install, arguments }) => demo::run(install, &arguments),
        Ok(Command::Gen { registry }) => generate::run(registry.as_deref()),
        Ok(Command::Test { install }) => test::run(install),
        Err(usage) => {
            eprintln!("xtask: {usage}");
            ExitCode::from(2)
        }
    }
}
