//! The demo of Agate: a disc of stones, each a draw call of its own, recorded by parallel jobs.
//!
//! This library is the program; `main.rs` only calls [`run`]. Read `stage` (what is drawn), `draw` (what a frame
//! consists of) and `strategy` (who records it), then `session`, `headless` and `app` (who asks for frames).

pub mod cli;
pub mod scene;

mod bytes;
mod count;
mod draw;
mod error;
mod gpu;
mod headless;
mod jobs;
mod measure;
mod report;
mod session;
mod stage;
mod strategy;

use std::process::ExitCode;

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

/// Runs the demo with the arguments that follow the program's name.
pub fn run(arguments: impl IntoIterator<Item = String>) -> ExitCode {
    let options = match cli::parse(arguments) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("demo: {error}");
            return ExitCode::from(USAGE);
        }
    };
    match act(&options) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::from(FAILED)
        }
    }
}

fn act(options: &Options) -> Result<u8, Error> {
    if options.help {
        print!("{}", cli::HELP);
        return Ok(WELL);
    }
    let ledger = headless::run(options, options.screenshot.as_ref())?;
    conclude(options, &ledger)
}

/// Tells the numbers, and turns them into an exit code.
fn conclude(options: &Options, ledger: &Ledger) -> Result<u8, Error> {
    println!("{}", ledger.table());
    if let Some(path) = &options.json {
        ledger.write_json(path)?;
    }
    let blocked = ledger.agate_jobs_blocked();
    if blocked > 0 {
        eprintln!("demo: {blocked} job(s) of the strategy agate were blocked, and none may be");
    }
    Ok(if blocked > 0 || ledger.validation_messages() > 0 {
        SPOKE
    } else {
        WELL
    })
}
