//! Fuzzing: cargo-fuzz makes random programs over the null device, led by what they reach.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::cargo::{cargo, cargo_of, root, target};
use crate::host;
use crate::process::{self, End};

/// How long programs run.
const TIME: Duration = Duration::from_secs(10 * 60);

/// Building with a sanitizer, and what is left of a program, are no hang yet.
const SLACK: Duration = Duration::from_secs(40 * 60);

/// A program that takes longer hangs: in seconds.
const PROGRAM_SECONDS: u32 = 90;

/// Runs random programs, and says how many.
///
/// # Errors
///
/// Says what was found, or what is missing.
pub(super) fn programs() -> Result<Vec<String>, String> {
    provide()?;
    let folder = target().join("fuzz");
    let corpus = folder.join("corpus");
    fs::create_dir_all(&corpus).map_err(|error| format!("{}: {error}", corpus.display()))?;
    // Findings; libFuzzer wants the separator.
    let artifacts = format!("{}/", folder.display());
    let mut fuzz = cargo_of("nightly", "fuzz run programs --sanitizer address");
    fuzz.current_dir(root().join("agate-vk"));
    // Programs forget things on purpose. The sanitizer looks at the end, the fuzzer after each program.
    fuzz.env("ASAN_OPTIONS", "detect_leaks=0");
    fuzz.arg("--target-dir").arg(&folder).arg(&corpus).arg("--");
    fuzz.args([
        format!("-max_total_time={}", TIME.as_secs()),
        format!("-timeout={PROGRAM_SECONDS}"),
        format!("-artifact_prefix={artifacts}"),
        "-max_len=800".to_owned(),
        "-len_control=0".to_owned(),
        "-detect_leaks=0".to_owned(),
        "-rss_limit_mb=6144".to_owned(),
    ]);
    let (end, lines) = run(&fuzz, TIME + SLACK)?;
    match (end, done(&lines)) {
        (End::Exited(status), Some(done)) if status.success() => {
            Ok(vec![format!("fuzz: {done}, no finding")])
        }
        (End::TimedOut, _) => Err("the fuzzer did not end".into()),
        _ => Err(format!(
            "a finding, or no fuzzer: see above and {artifacts}"
        )),
    }
}

/// Installs cargo-fuzz where it is missing.
fn provide() -> Result<(), String> {
    if host::has_program("cargo-fuzz") {
        return Ok(());
    }
    println!("installing cargo-fuzz");
    let (end, _) = run(&cargo("install cargo-fuzz --locked"), SLACK)?;
    match end {
        End::Exited(status) if status.success() && host::has_program("cargo-fuzz") => Ok(()),
        End::Exited(status) if status.success() => {
            Err("cargo-fuzz was installed into a folder that is not in PATH".into())
        }
        _ => Err("cargo-fuzz could not be installed (is there a network?): \
                  cargo install cargo-fuzz --locked"
            .into()),
    }
}

/// Runs a command and shows its output, but for each step of libFuzzer's.
fn run(command: &Command, limit: Duration) -> Result<(End, Vec<String>), String> {
    let mut lines = Vec::new();
    let end = process::run(command, limit, |line| {
        if !is_step(line) {
            println!("{line}");
            lines.push(line.to_owned());
        }
    });
    end.map(|end| (end, lines))
        .map_err(|error| format!("cargo could not be run: {error}"))
}

/// What libFuzzer says whenever it has learned something.
fn is_step(line: &str) -> bool {
    let steps = ["NEW", "REDUCE", "RELOAD"];
    line.trim_start().starts_with("NEW_FUNC")
        || line.starts_with('#') && steps.iter().any(|step| line.contains(step))
}

/// libFuzzer's last line: `Done 12345 runs in 601 second(s)`.
fn done(lines: &[String]) -> Option<&str> {
    let mut lines = lines.iter().rev();
    lines.find_map(|line| line.strip_prefix("Done ").map(str::trim))
}

#[cfg(test)]
mod tests {
    use super::{done, is_step};

    #[test]
    fn steps_are_told_from_what_matters() {
        assert!(is_step("#1014\tNEW    cov: 7155 ft: 23035"));
        assert!(is_step("\tNEW_FUNC[1/1]: 0x5594c1a502a0 in somewhere"));
        assert!(!is_step("#4096\tpulse  cov: 8174 ft: 30653"));
        assert!(!is_step("thread panicked: NEW"));
    }

    #[test]
    fn the_last_line_says_how_many() {
        let lines = ["#2 DONE", "Done 12 runs in 601 second(s)", ""].map(str::to_owned);
        assert_eq!(done(&lines), Some("12 runs in 601 second(s)"));
        assert_eq!(done(&lines[..1]), None);
    }
}
