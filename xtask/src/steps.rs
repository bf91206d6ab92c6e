//! Named steps: each runs, whatever became of the others; at the end a table says how they went.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::process::{self, End};
use crate::tally::{Reader, Tally};

/// A step that takes longer than this hangs, unless it is known to take long.
const LIMIT: Duration = Duration::from_secs(15 * 60);

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    /// Why, in a few words.
    Failed(String),
    /// Why not, in a few words; no failure.
    NotRun(String),
}

#[derive(Debug)]
struct Step {
    name: &'static str,
    outcome: Outcome,
    time: Duration,
}

/// The steps of one run, in order.
#[derive(Debug)]
pub(crate) struct Steps {
    /// How long one may take.
    limit: Duration,
    done: Vec<Step>,
    tally: Tally,
    /// Lines to repeat at the end.
    notes: Vec<String>,
}

impl Default for Steps {
    fn default() -> Self {
        Self::with_limit(LIMIT)
    }
}

impl Steps {
    /// Steps of which each may take so long.
    pub(crate) fn with_limit(limit: Duration) -> Self {
        Self {
            limit,
            done: Vec::new(),
            tally: Tally::default(),
            notes: Vec::new(),
        }
    }

    /// Runs a command that succeeds or fails.
    pub(crate) fn command(&mut self, name: &'static str, command: Command) {
        self.run(name, |steps| stream(&command, steps.limit, |_| ()));
    }

    /// Runs commands of which each succeeds in so long, until one does not: one step.
    pub(crate) fn commands(&mut self, name: &'static str, commands: &[Command], limit: Duration) {
        self.run(name, |_| {
            let mut commands = commands.iter();
            commands.try_for_each(|command| stream(command, limit, |_| ()))
        });
    }

    /// Runs a check that is made here.
    pub(crate) fn check(&mut self, name: &'static str, check: impl FnOnce() -> Result<(), String>) {
        self.run(name, |_| check());
    }

    /// Runs tests and counts them: none at all is a failure; with `skips_fail`, a skipped one is a failure.
    pub(crate) fn tests(&mut self, name: &'static str, command: Command, skips_fail: bool) {
        self.run(name, |steps| {
            let mut reader = Reader::default();
            let ended = stream(&command, steps.limit, |line| reader.line(line));
            let tally = reader.finish();
            steps.tally.add(&tally);
            ended?;
            if tally.passed + tally.failed + tally.skipped == 0 {
                return Err("no test was run".into());
            }
            if skips_fail && tally.skipped > 0 {
                return Err(format!("{} skipped, and CI is set", tally.skipped));
            }
            Ok(())
        });
    }

    /// Leaves a step out and says why.
    pub(crate) fn not_run(&mut self, name: &'static str, why: String) {
        self.done.push(Step {
            name,
            outcome: Outcome::NotRun(why),
            time: Duration::ZERO,
        });
    }

    /// Repeats a line at the end, where it is seen.
    pub(crate) fn note(&mut self, line: String) {
        self.notes.push(line);
    }

    /// Prints the table, the reasons of skips, and in the last line the counts, or what failed.
    pub(crate) fn finish(self) -> ExitCode {
        println!("\n{}", self.table());
        for reason in &self.tally.reasons {
            println!("SKIPPED {reason}");
        }
        for note in &self.notes {
            println!("{note}");
        }
        if self.tally != Tally::default() {
            println!("{}", self.tally);
        }
        let failed = self.failed();
        if failed.is_empty() {
            return ExitCode::SUCCESS;
        }
        println!("FAILED: {}", failed.join(", "));
        ExitCode::FAILURE
    }

    fn run(&mut self, name: &'static str, step: impl FnOnce(&mut Self) -> Result<(), String>) {
        println!("\n=== {name}");
        let start = Instant::now();
        let outcome = step(self).map_or_else(Outcome::Failed, |()| Outcome::Passed);
        if let Outcome::Failed(why) = &outcome {
            println!("=== {name} failed: {why}");
        }
        self.done.push(Step {
            name,
            outcome,
            time: start.elapsed(),
        });
    }

    fn failed(&self) -> Vec<&'static str> {
        let failed = self
            .done
            .iter()
            .filter(|step| matches!(step.outcome, Outcome::Failed(_)));
        failed.map(|step| step.name).collect()
    }

    fn table(&self) -> String {
        let width = self
            .done
            .iter()
            .map(|step| step.name.len())
            .max()
            .unwrap_or(0)
            .max("total".len());
        let line = |name: &str, time: Duration, outcome: &str| {
            format!("{name:width$}  {:>7.1} s  {outcome}\n", time.as_secs_f64())
        };
        let steps = self.done.iter().map(|step| match &step.outcome {
            Outcome::Passed => line(step.name, step.time, "passed"),
            Outcome::Failed(why) => line(step.name, step.time, &format!("FAILED: {why}")),
            Outcome::NotRun(why) => line(step.name, step.time, &format!("not run: {why}")),
        });
        let total: Duration = self.done.iter().map(|step| step.time).sum();
        steps.collect::<String>() + line("total", total, "").trim_end()
    }
}

/// Runs a command with its output shown, and shown to `on_line`.
fn stream(command: &Command, limit: Duration, mut on_line: impl FnMut(&str)) -> Result<(), String> {
    let end = process::run(command, limit, |line| {
        println!("{line}");
        on_line(line);
    });
    match end {
        Ok(End::Exited(status)) if status.success() => Ok(()),
        Ok(End::Exited(status)) => Err(status.to_string()),
        Ok(End::TimedOut) => Err(format!("killed after {} minutes", limit.as_secs() / 60)),
        Err(error) => Err(format!(
            "{} could not be run: {error}",
            command.get_program().to_string_lossy()
        )),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::{Command, Duration, Steps};

    fn printing(text: &str, code: i32) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("printf '%s\\n' \"$0\"; exit {code}"), text]);
        command
    }

    const ONE_PASSED: &str = "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured";
    const ONE_FAILED: &str = "test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured";
    const ONE_IGNORED: &str = "test result: ok. 0 passed; 0 failed; 1 ignored; 0 measured";

    #[test]
    fn steps_after_a_failed_one_still_run_and_count() {
        let mut steps = Steps::default();
        steps.tests("first", printing(ONE_FAILED, 101), false);
        steps.check("second", || Err("broken".into()));
        steps.tests("third", printing(ONE_PASSED, 0), false);
        assert_eq!(steps.failed(), ["first", "second"]);
        assert_eq!(steps.tally.to_string(), "1 passed, 1 failed, 0 skipped");
    }

    #[test]
    fn a_step_of_several_commands_fails_with_any_of_them_or_when_one_hangs() {
        let mut hangs = Command::new("sh");
        hangs.args(["-c", "while :; do :; done"]);
        let mut steps = Steps::default();
        let limit = Duration::from_secs(60);
        steps.commands("both end", &[printing("", 0), printing("", 0)], limit);
        steps.commands("second", &[printing("", 0), printing("", 1)], limit);
        steps.commands("hangs", &[hangs], Duration::from_millis(10));
        assert_eq!(steps.failed(), ["second", "hangs"]);
    }

    #[test]
    fn a_skip_fails_only_where_it_must_not_happen() {
        let mut steps = Steps::default();
        steps.tests("at home", printing(ONE_IGNORED, 0), false);
        assert!(steps.failed().is_empty());
        steps.tests("in CI", printing(ONE_IGNORED, 0), true);
        assert_eq!(steps.failed(), ["in CI"]);
    }

    #[test]
    fn a_step_that_finds_no_test_fails() {
        let mut steps = Steps::default();
        steps.tests(
            "empty",
            printing(
                "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured",
                0,
            ),
            false,
        );
        assert_eq!(steps.failed(), ["empty"]);
    }

    #[test]
    fn the_table_has_a_line_for_each_step_and_a_total() {
        let mut steps = Steps::default();
        steps.check("fmt", || Ok(()));
        steps.not_run("oldest compiler", "not installed".into());
        let table = steps.table();
        let lines: Vec<_> = table.lines().collect();
        assert!(
            lines[0].starts_with("fmt              ") && lines[0].ends_with(" s  passed"),
            "{table}"
        );
        assert!(lines[1].ends_with("not run: not installed"), "{table}");
        assert!(lines[2].starts_with("total"), "{table}");
    }
}
