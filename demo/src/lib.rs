//! The demo of Agate: a disc of stones, each a draw call of its own, recorded by parallel jobs.
//!
//! This library is the program; `main.rs` only calls [`run`]. Read `stage` (what is drawn), `draw` (what a frame
//! consists of) and `strategy` (who records it), then `session`, `headless` and `app` (who asks for frames).

mod caught;
pub mod cli;
pub mod scene;

mod app;
mod bytes;
mod count;
mod doctor;
mod draw;
mod error;
mod files;
mod gpu;
mod headless;
mod jobs;
mod leave;
mod libraries;
mod measure;
mod presentation;
mod report;
mod say;
mod session;
mod stage;
mod strategy;

use std::path::Path;
use std::process::ExitCode;

use crate::say::{complain, say};
use app::Ended;
use cli::Options;
use error::Error;
use report::Ledger;

/// Everything went well.
const WELL: u8 = 0;
/// The machine lacks something, or the run failed.
const FAILED: u8 = 1;
/// The command line is wrong.
const USAGE: u8 = 2;
/// The validation layer spoke, or a job of the strategy `agate` was blocked.
const SPOKE: u8 = 3;

/// Where the picture goes when there is no display to show it on.
const PICTURE: &str = "agate-demo.png";

/// Runs the demo with the arguments that follow the program's name.
pub fn run(arguments: impl IntoIterator<Item = String>) -> ExitCode {
    let options = match cli::parse(arguments) {
        Ok(options) => options,
        Err(error) => {
            complain!("demo: {error}");
            return ExitCode::from(USAGE);
        }
    };
    caught::one_line_panics();
    // A panic that gets here has been told.
    let acted = std::panic::catch_unwind(|| act(&options)).unwrap_or(Ok(FAILED));
    ExitCode::from(ended(acted, say::lost()))
}

/// Says what went wrong, if anything did.
fn ended(acted: Result<u8, Error>, lost: Option<String>) -> u8 {
    let code = acted.unwrap_or_else(|error| {
        complain!("demo: {error}");
        FAILED
    });
    match lost {
        Some(why) => {
            complain!("demo: cannot write standard output: {why}");
            code.max(FAILED)
        }
        None => code,
    }
}

fn act(options: &Options) -> Result<u8, Error> {
    if options.help {
        say!("{}", cli::HELP.trim_end());
        return Ok(WELL);
    }
    if options.doctor {
        doctor::run()?;
        return Ok(WELL);
    }
    if options.list_gpus {
        doctor::list_gpus()?;
        return Ok(WELL);
    }
    for file in [&options.screenshot, &options.json].into_iter().flatten() {
        files::check(file)?;
    }
    let ledger = if options.headless {
        headless::run(options, options.screenshot.as_deref())?
    } else {
        windowed(options)?
    };
    conclude(options, &ledger)
}

/// Draws in a window, or headless where there is no display.
fn windowed(options: &Options) -> Result<Ledger, Error> {
    match app::run(options)? {
        Ended::Well(ledger) => Ok(*ledger),
        Ended::NoDisplay(why) => {
            let file = options.screenshot.as_deref().unwrap_or(Path::new(PICTURE));
            say!(
                "no display ({why}): drawing headless, into {}",
                file.display()
            );
            files::check(file)?;
            headless::run(options, Some(file))
        }
    }
}

/// Tells the numbers, and turns them into an exit code.
fn conclude(options: &Options, ledger: &Ledger) -> Result<u8, Error> {
    say!("{}", ledger.table());
    if let Some(path) = &options.json {
        ledger.write_json(path)?;
    }
    let blocked = ledger.agate_jobs_blocked();
    if blocked > 0 {
        complain!("demo: {blocked} job(s) of the strategy agate were blocked, and none may be");
    }
    Ok(exit_code(blocked, ledger.validation_messages()))
}

fn exit_code(agate_jobs_blocked: u64, validation_messages: u64) -> u8 {
    if agate_jobs_blocked > 0 || validation_messages > 0 {
        SPOKE
    } else {
        WELL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blocked_job_and_a_message_of_the_layer_each_make_the_run_fail() {
        assert_eq!(exit_code(0, 0), WELL);
        assert_eq!(exit_code(1, 0), SPOKE);
        assert_eq!(exit_code(0, 1), SPOKE);
    }
}
