//! `cargo xtask check`: what can be checked in seconds, before every commit.

use std::process::ExitCode;

use crate::cargo::{cargo, root};
use crate::house;
use crate::steps::Steps;

/// Runs the quick steps and prints what they found.
pub(crate) fn run() -> ExitCode {
    let mut steps = Steps::default();
    quick(&mut steps);
    steps.finish()
}

/// Formatting, lints and the rules of the house: the first steps of `test` too.
pub(crate) fn quick(steps: &mut Steps) {
    steps.command("fmt", cargo("fmt --all --check"));
    steps.check("rules of the house", rules_of_the_house);
    steps.command(
        "clippy",
        cargo("clippy --locked --workspace --all-targets -- -D warnings"),
    );
}

fn rules_of_the_house() -> Result<(), String> {
    let found =
        house::violations(&root()).map_err(|error| format!("a file cannot be read: {error}"))?;
    for violation in &found {
        println!("{violation}");
    }
    if found.is_empty() {
        Ok(())
    } else {
        Err(format!("{} broken", found.len()))
    }
}
