//! How many tests passed, failed and were skipped, read from what `cargo test -- --show-output` prints.

/// The counts of one or several runs of `cargo test`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    /// A line for each skipped test that said why.
    pub(crate) reasons: Vec<String>,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.reasons.extend_from_slice(&other.reasons);
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

/// Reads the output line by line, as it comes.
///
/// A test that cannot run here prints `SKIPPED: reason` and returns, which the test harness counts as passed; it is
/// counted as skipped here, as are ignored tests.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    tally: Tally,
    /// The block of captured output that the line is in, as `---- name stdout ----` begins it.
    test: Option<String>,
    /// The captured output is that of failed tests.
    in_failures: bool,
    /// Tests of the present binary that have said that they were skipped.
    skipped: Vec<String>,
    /// How many more said so past the harness, which then does not tell their names.
    skipped_nameless: usize,
}

impl Reader {
    pub(crate) fn line(&mut self, line: &str) {
        let line = line.trim_end();
        let counts = line
            .strip_prefix("test result: ")
            .filter(|_| self.test.is_none());
        if let Some(counts) = counts {
            self.end_of_binary(counts);
        } else if line == "successes:" || line == "failures:" {
            self.in_failures = line == "failures:";
            self.test = None;
        } else if let Some(name) = line
            .strip_prefix("---- ")
            .and_then(|l| l.strip_suffix(" stdout ----"))
        {
            self.test = Some(name.to_owned());
        } else if let Some((_, reason)) = line
            .split_once("SKIPPED: ")
            .filter(|(before, _)| may_precede_skip(before))
        {
            self.skip(reason);
        }
    }

    pub(crate) fn finish(self) -> Tally {
        self.tally
    }

    fn skip(&mut self, reason: &str) {
        if self.in_failures {
            return;
        }
        let Some(test) = self.test.clone() else {
            self.tally.reasons.push(reason.to_owned());
            self.skipped_nameless += 1;
            return;
        };
        if !self.skipped.contains(&test) {
            self.tally.reasons.push(format!("{test}: {reason}"));
            self.skipped.push(test);
        }
    }

    /// Reads `ok. 4 passed; 0 failed; 1 ignored; 0 measured; …`.
    fn end_of_binary(&mut self, counts: &str) {
        let count = |what: &str| {
            let before = counts
                .split(what)
                .next()
                .filter(|before| before.len() < counts.len());
            before
                .and_then(|text| text.split_whitespace().next_back()?.parse().ok())
                .unwrap_or(0)
        };
        let skipped = self.skipped.len() + self.skipped_nameless;
        self.tally.passed += usize::saturating_sub(count(" passed"), skipped);
        self.tally.failed += count(" failed");
        self.tally.skipped += skipped + count(" ignored");
        self.skipped.clear();
        self.skipped_nameless = 0;
        self.test = None;
        self.in_failures = false;
    }
}

/// A skip stands at the start of its line, or after the harness's `test name ... ` where tests run one by one.
fn may_precede_skip(text: &str) -> bool {
    text.is_empty() || (text.starts_with("test ") && text.ends_with(" ... "))
}

#[cfg(test)]
mod tests {
    use super::{Reader, Tally};

    fn read(output: &str) -> Tally {
        let mut reader = Reader::default();
        output.lines().for_each(|line| reader.line(line));
        reader.finish()
    }

    #[test]
    fn counts_of_several_binaries_add_up() {
        let tally = read(
            "running 5 tests\n\
             test result: ok. 4 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.13s\n\
             test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s\n",
        );
        assert_eq!(tally.to_string(), "16 passed, 3 failed, 1 skipped");
    }

    #[test]
    fn a_test_that_says_it_was_skipped_did_not_pass() {
        let tally = read(
            "successes:\n\n---- draws_a_stone stdout ----\nSKIPPED: no Vulkan driver\nSKIPPED: once more\n\n\
             ---- other stdout ----\nall is well\n\nsuccesses:\n    draws_a_stone\n    other\n\n\
             test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n",
        );
        assert_eq!(tally.to_string(), "1 passed, 0 failed, 1 skipped");
        assert_eq!(tally.reasons, ["draws_a_stone: no Vulkan driver"]);
    }

    #[test]
    fn a_skip_printed_past_the_harness_counts_too() {
        let tally = read(
            "running 3 tests\nSKIPPED: Xvfb is not installed\ntest a ... ok\ntest b ... SKIPPED: no device\nok\n\
             test c ... ok\n\n\
             test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n",
        );
        assert_eq!(tally.to_string(), "1 passed, 0 failed, 2 skipped");
        assert_eq!(tally.reasons, ["Xvfb is not installed", "no device"]);
    }

    #[test]
    fn a_skip_that_fails_counts_once_as_failed() {
        let tally = read(
            "failures:\n\n---- draws_a_stone stdout ----\nSKIPPED: no Vulkan driver\nthread 'draws_a_stone' panicked\n\n\
             failures:\n    draws_a_stone\n\n\
             test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n",
        );
        assert_eq!(tally.to_string(), "0 passed, 1 failed, 0 skipped");
    }

    #[test]
    fn what_a_test_prints_about_other_tests_is_not_counted() {
        let tally = read(
            "successes:\n\n---- reads_counts stdout ----\n\
             test result: FAILED. 0 passed; 7 failed; 7 ignored; 0 measured\n\n\
             successes:\n    reads_counts\n\n\
             test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n",
        );
        assert_eq!(tally.to_string(), "1 passed, 0 failed, 0 skipped");
    }

    #[test]
    fn the_same_name_in_another_binary_is_another_test() {
        let binary = "successes:\n---- draws stdout ----\nSKIPPED: no display\n\nsuccesses:\n    draws\n\n\
                      test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(
            read(&binary.repeat(2)).to_string(),
            "0 passed, 0 failed, 2 skipped"
        );
    }

    #[test]
    fn no_output_is_no_test() {
        assert_eq!(read("error: could not compile `agate`\n"), Tally::default());
    }
}
