//! `cargo xtask check`: what can be checked in seconds, before every commit.

use std::process::ExitCode;

use crate::cargo::{cargo, root};
use crate::steps::Steps;
use crate::{generate, house};

/// How many crates somebody may get who asks for agate, itself among them.
const AGATE_CRATES_MAX: usize = 4;

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
    steps.check("what is generated", generate::check);
    steps.check("crates behind agate", few_crates);
    steps.command(
        "clippy",
        cargo("clippy --locked --workspace --all-targets -- -D warnings"),
    );
    steps.command(
        "clippy, with checks",
        cargo(
            "clippy --locked --package agate-vk --features checks --lib --test checks -- -D warnings",
        ),
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

fn few_crates() -> Result<(), String> {
    let tree = cargo("tree --locked --package agate --edges normal --prefix none --color never")
        .output()
        .map_err(|error| format!("cargo could not be run: {error}"))?;
    if !tree.status.success() {
        return Err(String::from_utf8_lossy(&tree.stderr).trim().to_owned());
    }
    let tree = String::from_utf8_lossy(&tree.stdout);
    let crates = crates_in(&tree);
    println!("{}: {}", crates.len(), crates.join(", "));
    match crates.len() {
        0 => Err("cargo tree named none".into()),
        count if count > AGATE_CRATES_MAX => Err(format!("{count}, at most {AGATE_CRATES_MAX}")),
        _ => Ok(()),
    }
}

/// Name and version of each crate in the output of `cargo tree --prefix none`, once.
fn crates_in(tree: &str) -> Vec<String> {
    let mut crates: Vec<String> = tree
        .lines()
        .map(|line| {
            line.split_whitespace()
                .take(2)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .filter(|name| !name.is_empty())
        .collect();
    crates.sort_unstable();
    crates.dedup();
    crates
}

#[cfg(test)]
mod tests {
    use super::crates_in;

    #[test]
    fn a_crate_counts_once_for_each_version() {
        let tree = "agate v0.1.0 (/somewhere/agate)\nlibc v0.2.1\nqueue v1.0.0\nlibc v0.2.1 (*)\n\nlibc v0.3.0\n";
        let crates = ["agate v0.1.0", "libc v0.2.1", "libc v0.3.0", "queue v1.0.0"];
        assert_eq!(crates_in(tree), crates);
    }
}
