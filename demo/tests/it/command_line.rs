//! Flags, exit codes, and errors of one line.

use std::process::Stdio;

use crate::support::{Folder, device, small, stderr};

/// Runs the demo, which has to end with `code` and one line that contains `part`.
fn refuses(arguments: &[&str], environment: &[(&str, &str)], code: i32, part: &str) {
    let folder = Folder::new();
    let output = folder
        .demo(arguments)
        .envs(environment.iter().copied())
        .output()
        .expect("the demo starts");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(said.contains(part), "{arguments:?}: {said}");
    assert_eq!(said.trim_end().lines().count(), 1, "{arguments:?}: {said}");
}

#[test]
fn wrong_flags_exit_with_2_and_the_nearest_name() {
    refuses(&["--headles"], &[], 2, "did you mean --headless?");
    refuses(&["--strategy", "agat"], &[], 2, "did you mean agate?");
    refuses(&["--size", "12"], &[], 2, "as in 1280x720");
    refuses(&["--frames"], &[], 2, "needs a value");
    refuses(&["two\nlines"], &[], 2, "unexpected argument");
    refuses(&["--no-execute"], &[], 2, "add --headless");
    let picture = ["--headless", "--no-execute", "--screenshot", "a.png"];
    refuses(&picture, &[], 2, "no picture that --screenshot could write");
}

#[test]
fn help_is_printed_whole_and_exits_with_0() {
    assert_eq!(Folder::new().run_well(&["--help"]), demo::cli::HELP);
}

#[test]
fn a_reader_who_leaves_early_is_no_reason_to_panic() {
    let folder = Folder::new();
    let mut command = folder.demo(&["--help"]);
    let mut demo = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the demo starts");
    drop(demo.stdout.take());
    let output = demo.wait_with_output().expect("the demo ends");
    assert_eq!(
        (output.status.code(), stderr(&output).as_str()),
        (Some(0), "")
    );
}

#[test]
fn a_device_that_does_not_exist_exits_with_1_and_tells_which_do() {
    if device() {
        refuses(
            &["--headless", "--gpu", "99"],
            &[],
            1,
            "--gpu 99 names no device; there are: 0 ",
        );
        refuses(
            &["--headless", "--gpu", "no such name"],
            &[],
            1,
            "see --list-gpus",
        );
    }
}

#[test]
fn a_machine_without_driver_exits_with_1_and_the_command_that_installs_one() {
    let nothing = [
        ("VK_ICD_FILENAMES", "/nonexistent.json"),
        ("VK_DRIVER_FILES", "/nonexistent.json"),
    ];
    for arguments in [&["--headless"][..], &["--list-gpus"], &[]] {
        refuses(arguments, &nothing, 1, "apt install");
    }
}

#[test]
fn validation_without_the_layer_exits_with_1_and_the_command_that_installs_it() {
    if device() {
        let nothing = [("VK_LAYER_PATH", "/nonexistent")];
        refuses(
            &["--headless", "--validation"],
            &nothing,
            1,
            "apt install vulkan-validationlayers",
        );
    }
}

#[test]
fn files_that_cannot_be_written_exit_with_1() {
    if device() {
        refuses(
            &small(&["--strategy", "single", "--json", "/nonexistent/a.json"]),
            &[],
            1,
            "cannot write /nonexistent/a.json",
        );
        refuses(
            &small(&["--strategy", "single", "--screenshot", "/nonexistent/a.png"]),
            &[],
            1,
            "cannot write /nonexistent/a.png",
        );
    }
}

#[test]
fn a_picture_that_is_too_large_for_the_device_exits_with_1() {
    if device() {
        refuses(
            &[
                "--headless",
                "--size",
                "65536x16",
                "--frames",
                "1",
                "--draws",
                "1",
            ],
            &[],
            1,
            "smaller --size",
        );
    }
}
