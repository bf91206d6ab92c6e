//! The stress tests on few processors: on one, and on two of which another process keeps one busy.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::cargo::{cargo, root};
use crate::host;
use crate::process::{self, Background, End};

/// The tests that are timed: the first of these that there is.
const TESTS: [&str; 2] = ["stress", "queue"];
/// Each way is timed so many times, in turns; the median counts.
const ROUNDS: usize = 3;
/// How many times longer than on two processors it may take.
const SLOWER_MAX: f64 = 3.0;
/// A run that takes longer than this hangs.
const LIMIT: Duration = Duration::from_secs(5 * 60);

/// Which processors the tests get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Two,
    One,
    OneBusy,
}

impl Way {
    const ALL: [Self; 3] = [Self::Two, Self::One, Self::OneBusy];

    fn text(self) -> &'static str {
        match self {
            Self::Two => "two processors",
            Self::One => "one processor",
            Self::OneBusy => "two, one of them busy",
        }
    }
}

/// Times the tests in every way, and gives a line for each.
///
/// # Errors
///
/// When the tests fail, take too long, or cannot be run in this way here.
pub(super) fn few() -> Result<Vec<String>, String> {
    let (name, program) = built()?;
    let pair = two_processors()?;
    let mut times = [[Duration::ZERO; ROUNDS]; Way::ALL.len()];
    for round in 0..ROUNDS {
        for (way, times) in Way::ALL.into_iter().zip(&mut times) {
            times[round] = timed(&program, way, pair)?;
            println!(
                "{name}, {}: {:.2} s",
                way.text(),
                times[round].as_secs_f64()
            );
        }
    }
    verdict(name, times.map(median))
}

/// A line for each way, unless one is too slow.
fn verdict(name: &str, medians: [Duration; Way::ALL.len()]) -> Result<Vec<String>, String> {
    let two = medians[0].as_secs_f64();
    let (mut lines, mut missed) = (Vec::new(), Vec::new());
    for (way, median) in Way::ALL.into_iter().zip(medians) {
        let slower = median.as_secs_f64() / two;
        let met = if slower <= SLOWER_MAX { "" } else { ", MISSED" };
        let line = format!(
            "{name}, {}: {:.2} s, {slower:.2} times as long as on two (at most {SLOWER_MAX}){met}",
            way.text(),
            median.as_secs_f64(),
        );
        println!("{line}");
        if slower > SLOWER_MAX {
            missed.push(format!(
                "{} takes {slower:.2} times as long as two",
                way.text()
            ));
        }
        lines.push(line);
    }
    if missed.is_empty() {
        Ok(lines)
    } else {
        Err(missed.join("; "))
    }
}

fn median(mut times: [Duration; ROUNDS]) -> Duration {
    times.sort_unstable();
    times[ROUNDS / 2]
}

/// Builds the tests in release and finds the program.
fn built() -> Result<(&'static str, PathBuf), String> {
    let name = TESTS
        .into_iter()
        .find(|name| root().join(format!("agate/tests/{name}.rs")).exists())
        .ok_or("there are no tests to time")?;
    let mut build =
        cargo("test --locked --package agate --release --no-run --message-format json --test");
    let output = build
        .arg(name)
        .output()
        .map_err(|error| format!("cargo could not be run: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let program = executable(&String::from_utf8_lossy(&output.stdout)).map(PathBuf::from);
    program
        .map(|program| (name, program))
        .ok_or_else(|| "cargo built no program".into())
}

/// The program in the messages of cargo; the folders of a workspace need no escapes, or it is not found.
fn executable(messages: &str) -> Option<&str> {
    messages.lines().rev().find_map(|line| {
        let (_, rest) = line.split_once("\"executable\":\"")?;
        rest.split('"').next()
    })
}

/// Two processors that this process may use.
fn two_processors() -> Result<[usize; 2], String> {
    if !host::has_program("taskset") {
        return Err("there is no taskset, which is part of util-linux".into());
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let allowed = processors(list.unwrap_or_default());
    match allowed[..] {
        [first, second, ..] => Ok([first, second]),
        _ => Err("two processors are needed, and this process may use one".into()),
    }
}

/// Reads `0-3,8`.
fn processors(list: &str) -> Vec<usize> {
    let ranges = list.trim().split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse().ok()?..=last.parse().ok()?)
    });
    ranges.flatten().collect()
}

/// Runs the tests once, one after the other, however many processors there are.
fn timed(program: &Path, way: Way, [first, second]: [usize; 2]) -> Result<Duration, String> {
    let mut tests = match way {
        Way::One => pinned(&first.to_string()),
        Way::Two | Way::OneBusy => pinned(&format!("{first},{second}")),
    };
    tests
        .arg(program)
        .arg("--test-threads=1")
        .current_dir(root());
    let busy = (way == Way::OneBusy).then(|| {
        let mut spinner = pinned(&second.to_string());
        spinner.args(["sh", "-c", "while :; do :; done"]);
        Background::start(&spinner)
    });
    let _busy = busy
        .transpose()
        .map_err(|error| format!("nothing could be kept busy: {error}"))?;
    let mut output = String::new();
    let end = process::run(&tests, LIMIT, |line| {
        output.push_str(line);
        output.push('\n');
    });
    let failed = |why: &str| {
        print!("{output}");
        Err(format!("{}: {why}", way.text()))
    };
    match end {
        Ok(End::Exited(status)) if status.success() => {
            told_time(&output).map_or_else(|| failed("does not tell its time"), Ok)
        }
        Ok(End::Exited(status)) => failed(&status.to_string()),
        Ok(End::TimedOut) => failed("does not end"),
        Err(error) => failed(&error.to_string()),
    }
}

/// Reads `test result: …; finished in 1.23s`: more exact than what can be seen from outside.
fn told_time(output: &str) -> Option<Duration> {
    let result = output
        .lines()
        .rfind(|line| line.starts_with("test result: "))?;
    let (_, time) = result.split_once("finished in ")?;
    let seconds = time.trim_end().strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn pinned(processors: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", processors]);
    command
}

#[cfg(test)]
mod tests {
    use super::{Duration, executable, median, processors, told_time, verdict};

    #[test]
    fn a_list_of_processors_is_read() {
        assert_eq!(processors("\t0-3,8\n"), [0, 1, 2, 3, 8]);
        assert_eq!(processors("5"), [5]);
        assert_eq!(processors(""), Vec::<usize>::new());
    }

    #[test]
    fn the_program_is_found_among_the_messages() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n\
                        {\"reason\":\"compiler-artifact\",\"executable\":\"/a/deps/stress-1\",\"fresh\":true}\n\
                        {\"reason\":\"build-finished\",\"success\":true}\n";
        assert_eq!(executable(messages), Some("/a/deps/stress-1"));
        assert_eq!(executable("{\"executable\":null}"), None);
    }

    #[test]
    fn the_harness_tells_the_time() {
        let output = "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.25s\n";
        assert_eq!(told_time(output), Some(Duration::from_millis(1250)));
        assert_eq!(told_time("running 2 tests\n"), None);
    }

    #[test]
    fn three_times_as_long_is_the_most() {
        let seconds = |times: [u64; 3]| times.map(Duration::from_secs);
        assert_eq!(median(seconds([9, 1, 2])), Duration::from_secs(2));
        let lines = verdict("stress", seconds([1, 3, 2])).unwrap();
        assert!(
            lines[1].contains("one processor: 3.00 s, 3.00 times"),
            "{lines:?}"
        );
        let error = verdict("stress", seconds([1, 4, 5])).unwrap_err();
        assert!(
            error.contains("one processor takes 4.00") && error.contains("busy takes 5.00"),
            "{error}"
        );
    }
}
