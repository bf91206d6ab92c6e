//! Planted faults: each takes one protection out of a copy of a crate, and the tests behind it must fail then.

mod copy;
mod record;

use std::collections::{BTreeSet, HashMap};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::cargo::root;
use crate::deep::faults::copy::{Copy, MODEL, read, run};
use crate::deep::faults::record::{How, Records, Test, tests_in};
use crate::process::End;

/// A crate that faults are planted in. Its folder has its name.
struct Subject {
    package: &'static str,
    /// The crates of its copy's workspace, itself first.
    members: &'static [&'static str],
    /// Test programs of which each test shows a planted fault, or says why it cannot.
    shown: &'static [&'static str],
}

const SUBJECTS: [Subject; 2] = [
    Subject {
        package: "agate",
        members: &["agate"],
        shown: &[
            "faults",
            "leaks",
            "wakes",
            "allocations",
            "owner_allocations",
            "total",
            "room",
            "slices",
            "last_words",
        ],
    },
    Subject {
        package: "agate-vk",
        members: &["agate-vk", "agate", "agate-vk/null"],
        shown: &[],
    },
];

impl Subject {
    fn tests(&self) -> PathBuf {
        root().join(self.package).join("tests")
    }

    fn records(&self) -> Result<Records, String> {
        Records::read(&self.tests().join("planted"))
    }
}

/// Part of a fault's name, for looking at some alone; or the name of a crate, for looking at all of its own.
const ONLY: &str = "AGATE_FAULT";
/// A test that runs longer than this hangs; what it waits for itself takes a fraction of it.
const LIMIT: Duration = Duration::from_secs(40);
/// The same where it is known to hang.
const HANGS: Duration = Duration::from_secs(5);
/// The same for a model, which goes through very many orders.
const MODELS: Duration = Duration::from_secs(20 * 60);
/// What a fault may take of memory, in KiB of addresses.
const MEMORY: &str = "8000000";

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Green,
    Red,
    Hung,
    Died,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Green => "GREEN",
            Self::Red => "red",
            Self::Hung => "hangs",
            Self::Died => "dies",
        }
    }

    /// Whether a test that may show a fault in that way has shown it.
    fn shows(self, how: How) -> bool {
        match self {
            Self::Green => false,
            Self::Red => true,
            Self::Hung => how == How::Hangs,
            Self::Died => how == How::Dies,
        }
    }
}

/// Plants each fault and prints what became of its tests; gives a line that says how many.
///
/// # Errors
///
/// When a record does not fit the code, a test fails without a fault or passes with it, or a test has no record.
pub(super) fn planted() -> Result<Vec<String>, String> {
    let mut told = Vec::new();
    let mut missed = Vec::new();
    for subject in &SUBJECTS {
        match planted_in(subject) {
            Ok(lines) => told.extend(lines),
            Err(error) => missed.push(error),
        }
    }
    if missed.is_empty() {
        Ok(told)
    } else {
        Err(missed.join("; "))
    }
}

/// The same for one crate.
fn planted_in(subject: &Subject) -> Result<Option<String>, String> {
    let mut records = subject.records()?;
    fit(subject, &records)?;
    let only = env::var(ONLY).unwrap_or_default();
    if only != subject.package {
        records.faults.retain(|fault| fault.name.contains(&only));
    }
    if records.faults.is_empty() {
        return Ok(None);
    }
    println!("\n{}", subject.package);
    let tests: Vec<&Test> = records
        .faults
        .iter()
        .flat_map(|fault| &fault.tests)
        .collect();
    let copy = Copy::make(subject.members)?;
    let mut missed = healthy(&copy, &tests)?;
    let mut shown = 0;
    println!();
    for fault in &records.faults {
        println!("{}", fault.name);
        let looked = copy.with(fault, || {
            let programs = copy.build(&names(&fault.tests.iter().collect::<Vec<_>>()))?;
            let looks = fault
                .tests
                .iter()
                .map(|test| look(&programs, test, &mut shown));
            looks.collect::<Result<Vec<_>, _>>()
        });
        match looked {
            Ok(looks) => missed.extend(looks.into_iter().flatten()),
            Err(error) => {
                println!("    {error}");
                missed.push(format!(
                    "{}: {}",
                    fault.name,
                    error.lines().next().unwrap_or("")
                ));
            }
        }
    }
    for (test, because) in &records.exempt {
        println!("{} {}\n    none: {because}", test.program, test.name);
    }
    if !missed.is_empty() {
        return Err(missed.join("; "));
    }
    Ok(Some(format!(
        "{}: {} faults planted, each seen by its tests: {shown} red; {} tests show none, for the reasons said above",
        subject.package,
        records.faults.len(),
        records.exempt.len(),
    )))
}

/// Runs all tests without any fault; returns those that fail.
fn healthy(copy: &Copy, tests: &[&Test]) -> Result<Vec<String>, String> {
    let programs = copy.build(&names(tests))?;
    let mut failed = Vec::new();
    let unique: BTreeSet<_> = tests
        .iter()
        .map(|test| (&test.program, &test.name))
        .collect();
    println!("without a fault");
    for (program, name) in unique {
        let (outcome, time) = outcome(&programs[program], name, limit(program, How::Red))?;
        if outcome != Outcome::Green {
            failed.push(format!("{program} {name} fails without a fault"));
        }
        let word = if outcome == Outcome::Green {
            "green"
        } else {
            "FAILED"
        };
        println!(
            "    {word:6} {:5.1} s  {program} {name}",
            time.as_secs_f64()
        );
    }
    Ok(failed)
}

/// Runs a test with a fault planted; says so if it does not show it.
fn look(
    programs: &HashMap<String, PathBuf>,
    test: &Test,
    shown: &mut usize,
) -> Result<Option<String>, String> {
    let Test { program, name, how } = test;
    let (outcome, time) = outcome(&programs[program], name, limit(program, *how))?;
    println!(
        "    {:6} {:5.1} s  {program} {name}",
        outcome.word(),
        time.as_secs_f64()
    );
    if outcome.shows(*how) {
        *shown += 1;
        return Ok(None);
    }
    Ok(Some(match outcome {
        Outcome::Green => format!("{program} {name} does not see its fault"),
        _ => format!(
            "{program} {name} {}, which its record does not say",
            outcome.word()
        ),
    }))
}

/// How long a test may take.
fn limit(program: &str, how: How) -> Duration {
    match (program, how) {
        (MODEL, _) => MODELS,
        (_, How::Hangs) => HANGS,
        _ => LIMIT,
    }
}

/// Runs one test, with its memory and time limited.
fn outcome(program: &Path, name: &str, limit: Duration) -> Result<(Outcome, Duration), String> {
    let mut test = Command::new("sh");
    test.args(["-c", &format!("ulimit -v {MEMORY}; exec \"$0\" \"$@\"")]);
    test.arg(program).args(["--exact", name]);
    let mut output = String::new();
    let started = Instant::now();
    let end = run(&test, limit, &mut output)?;
    let time = started.elapsed();
    if output.contains("running 0 tests") {
        return Err(format!("{} has no test {name}", program.display()));
    }
    let outcome = match end {
        End::TimedOut => Outcome::Hung,
        End::Exited(status) if status.success() => Outcome::Green,
        End::Exited(status) if status.code() == Some(101) => Outcome::Red,
        End::Exited(_) => Outcome::Died,
    };
    Ok((outcome, time))
}

/// The programs of these tests, each once.
fn names<'a>(tests: &[&'a Test]) -> Vec<&'a str> {
    let names: BTreeSet<_> = tests.iter().map(|test| test.program.as_str()).collect();
    names.into_iter().collect()
}

/// Whether each edit fits the code, each named test is there, and each test that must have a record has one.
fn fit(subject: &Subject, records: &Records) -> Result<(), String> {
    let mut wrong = Vec::new();
    for fault in &records.faults {
        if fault.edits.is_empty() || fault.tests.is_empty() {
            wrong.push(format!(
                "{}: nothing is planted or nothing is red",
                fault.name
            ));
        }
        let mut planted: HashMap<PathBuf, String> = HashMap::new();
        for edit in &fault.edits {
            let file = root().join(subject.package).join(&edit.file);
            let text = planted.remove(&file).map_or_else(|| read(&file), Ok)?;
            match edit.apply(&text) {
                Ok(text) => drop(planted.insert(file, text)),
                Err(error) => wrong.push(format!("{}: {error}", fault.name)),
            }
        }
    }
    let named: BTreeSet<_> = records
        .tests()
        .map(|test| (test.program.clone(), test.name.clone()))
        .collect();
    let programs = named.iter().map(|(program, _)| program.as_str());
    let there = all_tests(subject, programs.filter(|program| *program != MODEL))?;
    let must = all_tests(subject, subject.shown.iter().copied())?;
    let models = all_models()?;
    let told = |what: &str, (program, name): &(String, String)| format!("{program} {name} {what}");
    wrong.extend(
        must.difference(&named)
            .map(|test| told("has no record", test)),
    );
    wrong.extend(
        named
            .difference(&there)
            .filter(|test| !models.contains(*test))
            .map(|test| told("is not there", test)),
    );
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

/// Every model; those that no record names have their mutants beside them.
fn all_models() -> Result<BTreeSet<(String, String)>, String> {
    let folder = root().join("agate/src/model");
    let tests = tests_of(&folder)?.into_iter();
    Ok(tests
        .map(|name| (MODEL.to_owned(), format!("{MODEL}::{name}")))
        .collect())
}

/// The tests in the modules of a folder.
fn tests_of(folder: &Path) -> Result<Vec<String>, String> {
    let said = |error| format!("{}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in folder.read_dir().map_err(said)?.flatten() {
        let file = entry.path();
        let module = file.file_stem().unwrap_or_default().to_string_lossy();
        found.extend(tests_in(&read(&file)?, Some(&module)));
    }
    Ok(found)
}

/// Every test of these programs.
fn all_tests<'a>(
    subject: &Subject,
    programs: impl Iterator<Item = &'a str>,
) -> Result<BTreeSet<(String, String)>, String> {
    let mut all = BTreeSet::new();
    for program in programs.collect::<BTreeSet<_>>() {
        let one = subject.tests().join(format!("{program}.rs"));
        let found = if one.exists() {
            tests_in(&read(&one)?, None)
        } else {
            tests_of(&subject.tests().join(program))?
        };
        all.extend(found.into_iter().map(|name| (program.to_owned(), name)));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::{How, Outcome, SUBJECTS, fit};

    #[test]
    fn the_records_fit_the_code_and_every_test_has_one() {
        for subject in &SUBJECTS {
            if let Err(wrong) = fit(subject, &subject.records().unwrap()) {
                panic!("{wrong}");
            }
        }
    }

    #[test]
    fn a_hang_or_an_abort_counts_where_the_record_says_so() {
        assert!(Outcome::Red.shows(How::Red) && Outcome::Red.shows(How::Hangs));
        assert!(!Outcome::Green.shows(How::Red));
        assert!(Outcome::Hung.shows(How::Hangs) && !Outcome::Hung.shows(How::Red));
        assert!(Outcome::Died.shows(How::Dies) && !Outcome::Died.shows(How::Hangs));
    }
}
