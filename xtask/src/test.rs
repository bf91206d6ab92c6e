//! `cargo xtask test`: everything that must hold, on a bare machine, in one command.

use std::env;
use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::cargo::{cargo, cargo_of, root, rust_flags, target};
use crate::steps::Steps;
use crate::{check, host, packages};

/// The oldest compiler that builds the libraries.
const OLDEST_RUST: &str = "1.85";

/// Installs what is missing, runs all steps, and prints what passed, failed and was skipped.
pub(crate) fn run(install: bool) -> ExitCode {
    let mut steps = Steps::default();
    if let Err(unmet) = packages::provide(packages::for_tests(), install) {
        println!("{unmet}\nGoing on; tests that need it are skipped.");
        steps.note(unmet.to_string());
    }
    components();
    check::quick(&mut steps);
    core_tests(&mut steps);
    examples(&mut steps);
    vulkan_tests(&mut steps);
    doc_tests(&mut steps);
    loom_tests(&mut steps);
    shuttle_tests(&mut steps);
    docs(&mut steps);
    oldest_compiler(&mut steps);
    steps.finish()
}

/// Adds rustfmt and clippy where a minimal toolchain lacks them.
fn components() {
    let missing: Vec<_> = [("fmt", "rustfmt"), ("clippy", "clippy")]
        .into_iter()
        .filter(|(command, _)| !succeeds(cargo(command).arg("--version")))
        .map(|(_, component)| component)
        .collect();
    if !missing.is_empty() && host::has_program("rustup") {
        println!("adding to the toolchain: {}", missing.join(", "));
        // Where this fails, the steps that need the component fail and say so.
        let _status = Command::new("rustup")
            .args(["component", "add"])
            .args(missing)
            .current_dir(root())
            .status();
    }
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// Unit and integration tests that need neither Vulkan nor a display.
fn core_tests(steps: &mut Steps) {
    let tests = cargo(
        "test --locked --workspace --exclude agate-vk --exclude demo --exclude benches --all-targets --no-fail-fast \
         -- --show-output",
    );
    steps.tests("tests without Vulkan", tests, false);
}

/// Programs that show the core, and check themselves.
const EXAMPLES: [&str; 6] = [
    "owner_counter",
    "completions",
    "rayon_pipeline",
    "backpressure",
    "custom_kind",
    "wait_any",
];

/// Programs that show agate-vk, and check themselves; those that need a driver say so where there is none.
const VULKAN_EXAMPLES: [&str; 7] = [
    "offscreen_triangle",
    "embed_raw_ash",
    "upload_queue",
    "ext_closure",
    "compute_dispatch",
    "device_loss",
    "tiny_jobs",
];

/// How long one of them may take; it takes less than 5 s.
const EXAMPLE_LIMIT: Duration = Duration::from_secs(60);

fn examples(steps: &mut Steps) {
    let build = cargo("build --locked --package agate --package agate-vk --examples");
    steps.command("examples are built", build);
    let run = |package, name| {
        cargo(&format!(
            "run --locked --quiet --package {package} --example {name}"
        ))
    };
    let core = EXAMPLES.map(|name| run("agate", name));
    steps.commands("examples of agate", &core, EXAMPLE_LIMIT);
    let mut vulkan = VULKAN_EXAMPLES.map(|name| run("agate-vk", name));
    vulkan.iter_mut().for_each(host::prefer_lavapipe);
    steps.commands("examples of agate-vk", &vulkan, EXAMPLE_LIMIT);
}

/// Unit and integration tests of what draws; a skipped one fails in CI.
fn vulkan_tests(steps: &mut Steps) {
    // Cargo builds it by itself for plain `cargo test` alone: told what to test, it builds no examples, or as tests.
    let layer = cargo("build --locked --package demo --example fault_layer");
    steps.command("the layer that tests load", layer);
    let mut tests = cargo(
        "test --locked --package agate-vk --package demo --package benches --lib --bins --tests --examples \
         --no-fail-fast -- --show-output",
    );
    // So that pictures and messages do not depend on the graphics card.
    host::prefer_lavapipe(&mut tests);
    steps.tests("tests with Vulkan", tests, env::var_os("CI").is_some());
    let features = cargo(
        "test --locked --package agate-vk --features log,tracing --test trace_log --test trace_tracing --no-fail-fast",
    );
    steps.tests("tests of agate-vk's features", features, false);
    // The other tests record what no driver would take, and turn the checks off.
    let checks = cargo(
        "test --locked --package agate-vk --features checks --lib --test checks --no-fail-fast -- --show-output",
    );
    steps.tests("tests of agate-vk's checks", checks, false);
}

fn doc_tests(steps: &mut Steps) {
    steps.tests(
        "doc tests",
        cargo("test --locked --workspace --doc --no-fail-fast"),
        false,
    );
}

/// The protocols of the libraries under loom; what has no model is not compiled there.
fn loom_tests(steps: &mut Steps) {
    steps.tests("models under loom", loom(), false);
}

/// The models, each as deep as it says.
pub(crate) fn loom() -> Command {
    let mut models = cargo("test --locked --package agate --package agate-vk --release --lib");
    models.env("RUSTFLAGS", rust_flags("--cfg loom"));
    // A folder of its own, so that the flag does not throw away what the other steps built.
    models.env("CARGO_TARGET_DIR", target().join("loom"));
    models
}

/// Whole owners under shuttle, in some hundred orders each.
fn shuttle_tests(steps: &mut Steps) {
    steps.tests("schedules under shuttle", shuttle(), false);
}

/// The schedules; how many orders of each, they say.
pub(crate) fn shuttle() -> Command {
    let mut schedules = cargo("test --locked --package agate --release --lib");
    schedules.env("RUSTFLAGS", rust_flags("--cfg shuttle"));
    schedules.env("CARGO_TARGET_DIR", target().join("shuttle"));
    schedules
}

fn docs(steps: &mut Steps) {
    let mut docs =
        cargo("doc --locked --workspace --no-deps --features agate-vk/log,agate-vk/tracing");
    docs.env("RUSTDOCFLAGS", "-D warnings");
    steps.command("docs", docs);
}

/// Checks the libraries with the oldest compiler that they promise, where rustup has it.
fn oldest_compiler(steps: &mut Steps) {
    const NAME: &str = "oldest compiler";
    let installed = Command::new("rustup")
        .args(["run", OLDEST_RUST, "cargo", "--version"])
        .output();
    if installed.is_ok_and(|output| output.status.success()) {
        let words = "check --locked --package agate --package agate-vk";
        let mut check = cargo_of(OLDEST_RUST, words);
        check.env("CARGO_TARGET_DIR", target().join("oldest"));
        steps.command(NAME, check);
    } else {
        steps.not_run(
            NAME,
            format!("rustup has no Rust {OLDEST_RUST} (rustup toolchain install {OLDEST_RUST})"),
        );
    }
}
