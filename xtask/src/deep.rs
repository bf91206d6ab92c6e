//! `cargo xtask check --deep`: the proofs that take minutes, beside the quick check.

mod cpus;
mod faults;
mod fuzz;
mod nightly;
mod vulkan;

use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::cargo::{cargo, cargo_of, rust_flags, target};
use crate::deep::nightly::Nightly;
use crate::steps::Steps;
use crate::{check, test};

/// A step that takes longer than this hangs.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// How many preemptions more than a model asks for; tests look for the variable too, and do more where it is set.
const DEEPER: (&str, &str) = ("AGATE_DEEP", "1");

/// How many cases each property is tried on.
const CASES: &str = "4096";

/// What there is to prove, in order. A new proof is a line here.
const PROOFS: &[Proof] = &[
    Proof {
        name: "loom, larger bounds",
        needs: Needs::Nothing,
        job: |_| Job::Tests(loom()),
    },
    Proof {
        name: "shuttle",
        needs: Needs::Nothing,
        job: |_| Job::Tests(shuttle()),
    },
    Proof {
        name: "Miri",
        needs: Needs::Nightly,
        job: |_| Job::Tests(miri()),
    },
    Proof {
        name: "commands under Miri",
        needs: Needs::Nightly,
        job: |_| Job::Tests(commands_under_miri()),
    },
    Proof {
        name: "ThreadSanitizer",
        needs: Needs::Nightly,
        job: |nightly| Job::Tests(thread_sanitizer(nightly)),
    },
    Proof {
        name: "RealtimeSanitizer",
        needs: Needs::Nightly,
        job: |nightly| Job::Tests(realtime_sanitizer(nightly, "agate")),
    },
    Proof {
        name: "RealtimeSanitizer, agate-vk",
        needs: Needs::Nightly,
        job: |nightly| Job::Tests(realtime_sanitizer(nightly, "agate-vk")),
    },
    Proof {
        name: "release, more cases",
        needs: Needs::Nothing,
        job: |_| Job::Tests(more_cases()),
    },
    Proof {
        name: "services, at length",
        needs: Needs::Nothing,
        job: |_| Job::Tests(services_at_length()),
    },
    Proof {
        name: "fuzz",
        needs: Needs::Nightly,
        job: |_| Job::Check(fuzz::programs),
    },
    Proof {
        name: "newer validation layer",
        needs: Needs::Nothing,
        job: |_| Job::Check(vulkan::newer_layer),
    },
    Proof {
        name: "mock driver",
        needs: Needs::Nothing,
        job: |_| Job::Check(vulkan::mock_driver),
    },
    Proof {
        name: "few processors",
        needs: Needs::Nothing,
        job: |_| Job::Check(cpus::few),
    },
    Proof {
        name: "faults, planted",
        needs: Needs::Nothing,
        job: |_| Job::Check(faults::planted),
    },
    Proof {
        name: "Windows",
        needs: Needs::Target("x86_64-pc-windows-gnu"),
        job: |_| Job::Command(check_for("x86_64-pc-windows-gnu")),
    },
    Proof {
        name: "macOS",
        needs: Needs::Target("aarch64-apple-darwin"),
        job: |_| Job::Command(check_for("aarch64-apple-darwin")),
    },
];

#[derive(Clone, Copy)]
struct Proof {
    name: &'static str,
    needs: Needs,
    job: fn(&Nightly) -> Job,
}

/// What a proof cannot do without.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// Nightly Rust with its parts.
    Nightly,
    /// The libraries of another system.
    Target(&'static str),
}

enum Job {
    Tests(Command),
    Command(Command),
    Check(fn() -> Result<Vec<String>, String>),
}

/// Runs the quick check and all proofs, or the proofs whose name begins with `only`, and prints what each took.
pub(crate) fn run(only: Option<&str>) -> ExitCode {
    let proofs = wanted(only.unwrap_or_default());
    if proofs.is_empty() {
        let names: Vec<_> = PROOFS.iter().map(|proof| proof.name).collect();
        eprintln!("xtask: no such proof; there are: {}", names.join("; "));
        return ExitCode::from(2);
    }
    let mut steps = Steps::with_limit(LIMIT);
    if only.is_none() {
        check::quick(&mut steps);
    }
    let mut nightly = Err(String::new());
    if proofs.iter().any(|proof| proof.needs == Needs::Nightly) {
        steps.check("nightly Rust", || {
            nightly = nightly::provide();
            nightly.as_ref().map(drop).map_err(Clone::clone)
        });
    }
    for proof in proofs {
        prove(&mut steps, proof, nightly.as_ref());
    }
    steps.finish()
}

/// The proofs whose name begins so, in whatever case.
fn wanted(start: &str) -> Vec<Proof> {
    let start = start.to_lowercase();
    let proofs = PROOFS.iter().copied();
    proofs
        .filter(|proof| proof.name.to_lowercase().starts_with(&start))
        .collect()
}

fn prove(steps: &mut Steps, proof: Proof, nightly: Result<&Nightly, &String>) {
    let unmet = match (proof.needs, nightly) {
        (Needs::Nightly, Err(_)) => Err("nightly Rust is not there, see above".to_owned()),
        (Needs::Target(target), _) => nightly::provide_target(target),
        _ => Ok(()),
    };
    if let Err(unmet) = unmet {
        return steps.check(proof.name, || Err(unmet));
    }
    let none = Nightly::default();
    match (proof.job)(nightly.unwrap_or(&none)) {
        Job::Tests(command) => steps.tests(proof.name, command, false),
        Job::Command(command) => steps.command(proof.name, command),
        Job::Check(check) => {
            let mut found = Vec::new();
            steps.check(proof.name, || check().map(|lines| found = lines));
            found.into_iter().for_each(|line| steps.note(line));
        }
    }
}

/// The models, each with more preemptions than it asks for.
fn loom() -> Command {
    let mut models = test::loom();
    models.env(DEEPER.0, DEEPER.1);
    models
}

/// Schedules of whole owners, thousands of them.
fn shuttle() -> Command {
    let mut schedules = test::shuttle();
    schedules.env(DEEPER.0, DEEPER.1);
    schedules
}

/// What is undefined behaviour on no machine but this one, and races of the orders that this run takes.
fn miri() -> Command {
    let mut tests = cargo_of(
        "nightly",
        "miri test --locked --package agate --lib --tests --no-fail-fast",
    );
    tests.env(
        "MIRIFLAGS",
        "-Zmiri-strict-provenance -Zmiri-disable-isolation",
    );
    // Tests panic on purpose, and a backtrace takes seconds there.
    tests.env("RUST_BACKTRACE", "0");
    tests.env("CARGO_TARGET_DIR", target().join("miri"));
    tests
}

/// Copies of structures and their pointers, from encoding to replay. The handles of the null device are addresses.
fn commands_under_miri() -> Command {
    let mut tests = cargo_of(
        "nightly",
        "miri test --locked --package agate-vk --test every_command --test closures --no-fail-fast",
    );
    tests.env(
        "MIRIFLAGS",
        "-Zmiri-permissive-provenance -Zmiri-disable-isolation",
    );
    tests.env("CARGO_TARGET_DIR", target().join("miri"));
    tests
}

/// Races of the threads as they run here; the standard library is built with it too, or its atomics went unseen.
fn thread_sanitizer(nightly: &Nightly) -> Command {
    let mut tests = sanitized(
        nightly,
        "agate",
        "-Zbuild-std --lib --tests",
        "-Zsanitizer=thread --cfg tsan",
    );
    tests.env("CARGO_TARGET_DIR", target().join("tsan"));
    tests.env(
        "TSAN_OPTIONS",
        "halt_on_error=1 second_deadlock_stack=1 allocator_may_return_null=1",
    );
    tests
}

/// What is called where nothing may wait for the system.
fn realtime_sanitizer(nightly: &Nightly, package: &str) -> Command {
    let mut tests = sanitized(
        nightly,
        package,
        "--test realtime",
        "-Zsanitizer=realtime --cfg rtsan",
    );
    tests.env("CARGO_TARGET_DIR", target().join("rtsan"));
    tests
}

/// Tests with a sanitizer. With the target named, what runs while building goes without.
fn sanitized(nightly: &Nightly, package: &str, what: &str, flags: &str) -> Command {
    let host = &nightly.host;
    let words = format!("test --locked --package {package} --no-fail-fast --target {host} {what}");
    let mut tests = cargo_of("nightly", &words);
    tests.env("RUSTFLAGS", rust_flags(flags));
    tests
}

/// All tests as users' programs are built, with every property tried on many cases.
fn more_cases() -> Command {
    let mut tests = cargo("test --locked --package agate --release --lib --tests --no-fail-fast");
    tests.env("PROPTEST_CASES", CASES);
    tests.env(DEEPER.0, DEEPER.1);
    tests
}

/// The service over the null device, as users' programs are built: what ends at any moment does so a thousand times, and
/// frames go by the ten thousand.
fn services_at_length() -> Command {
    let words =
        "test --locked --package agate-vk --package null-device --release --tests --no-fail-fast";
    let mut tests = cargo(words);
    tests.env(DEEPER.0, DEEPER.1);
    tests
}

/// The library and its tests, as far as the compiler gets without a linker of that system.
fn check_for(target: &str) -> Command {
    cargo(&format!(
        "check --locked --package agate --lib --tests --target {target}"
    ))
}

#[cfg(test)]
mod tests {
    use super::{
        Nightly, PROOFS, loom, miri, realtime_sanitizer, shuttle, thread_sanitizer, wanted,
    };
    use std::collections::HashSet;

    #[test]
    fn every_proof_has_a_name_of_its_own() {
        let names: HashSet<_> = PROOFS.iter().map(|proof| proof.name).collect();
        assert_eq!(names.len(), PROOFS.len());
    }

    #[test]
    fn a_proof_is_asked_for_by_how_it_begins() {
        let names = |start| {
            wanted(start)
                .iter()
                .map(|proof| proof.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names("mir"), ["Miri"]);
        assert_eq!(names("").len(), PROOFS.len());
        assert!(names("nothing like it").is_empty());
    }

    #[test]
    fn no_two_ways_to_build_share_a_folder() {
        let nightly = Nightly {
            host: "a-b-c".into(),
        };
        let folders = [
            shuttle(),
            loom(),
            miri(),
            thread_sanitizer(&nightly),
            realtime_sanitizer(&nightly, "agate"),
        ]
        .map(|command| {
            let mut envs = command.get_envs();
            let folder =
                envs.find_map(|(name, value)| value.filter(|_| name == "CARGO_TARGET_DIR"));
            folder.unwrap().to_owned()
        });
        assert_eq!(HashSet::from(folders).len(), 5);
    }
}
