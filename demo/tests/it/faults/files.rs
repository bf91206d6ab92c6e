//! Files and outputs that cannot be written.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::running::end;
use crate::support::{Folder, SMALL, device, small, stderr};

/// The flags that name a file.
const NAMING: [&str; 2] = ["--screenshot", "--json"];

/// Flags of a run that would draw for a minute and more, so that a look at the end would be missed.
fn long(flag: &'static str, path: &str) -> Vec<String> {
    let flags = [
        "--headless",
        "--frames",
        "1000000",
        "--draws",
        "8",
        flag,
        path,
    ];
    flags.map(String::from).to_vec()
}

fn demo(folder: &Folder, flags: &[String]) -> Command {
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    folder.demo(&flags)
}

#[test]
fn a_path_that_cannot_be_written_is_told_before_anything_is_drawn() {
    for flag in NAMING {
        for (path, why) in [
            ("no-such-folder/file", "No such file or directory"),
            (".", "is a directory"),
            ("folder", "is a directory"),
            ("new/", "is a directory"),
            ("plain/file", "Not a directory"),
            ("/proc/no-such-file", "No such file or directory"),
        ] {
            let folder = Folder::new();
            fs::create_dir(folder.path().join("folder")).expect("a folder");
            fs::write(folder.path().join("plain"), "old").expect("a file");
            // Not even a device is looked for.
            let mut command = demo(&folder, &long(flag, path));
            command
                .env("VK_DRIVER_FILES", "/none")
                .env("VK_ICD_FILENAMES", "/none");
            let ending = end(&mut command);
            ending.failed(1, &format!("cannot write {path}: {why}"));
            assert_eq!(
                fs::read(folder.path().join("plain")).expect("it is there"),
                b"old"
            );
            assert_eq!(names(folder.path()), ["folder", "plain"]);
        }
    }
}

#[test]
fn read_only_files_and_folders_are_told_before_anything_is_drawn() {
    for flag in NAMING {
        let folder = Folder::new();
        // Root may write anything, so the run is somebody else's then; and it finds the demo in a folder open to all.
        let program = folder.path().join("demo");
        fs::copy(env!("CARGO_BIN_EXE_demo"), &program).expect("a copy of the demo");
        let closed = folder.path().join("closed");
        fs::create_dir(&closed).expect("a folder");
        fs::write(closed.join("old"), "old").expect("a file");
        fs::set_permissions(closed.join("old"), Permissions::from_mode(0o444)).expect("read only");
        fs::set_permissions(&closed, Permissions::from_mode(0o555)).expect("read only");
        for file in ["closed/old", "closed/new"] {
            let mut command = Command::new(&program);
            command.args(long(flag, file)).current_dir(folder.path());
            if File::create(closed.join("probe")).is_ok() {
                command.uid(65534).gid(65534);
            }
            end(&mut command).failed(1, &format!("cannot write {file}: Permission denied"));
        }
        assert_eq!(fs::read(closed.join("old")).expect("it is there"), b"old");
        fs::set_permissions(&closed, Permissions::from_mode(0o755)).expect("writable again");
    }
}

#[test]
fn a_run_that_fails_leaves_no_file_and_takes_none() {
    for flag in NAMING {
        for old in [None, Some("old")] {
            let folder = Folder::new();
            let file = folder.path().join("file");
            if let Some(old) = old {
                fs::write(&file, old).expect("a file");
            }
            let mut command = folder.demo(&small(&[flag, "file", "--gpu", "no such device"]));
            let ending = end(&mut command);
            assert_eq!(ending.code, Some(1));
            assert_eq!(fs::read_to_string(&file).ok().as_deref(), old);
            assert_eq!(names(folder.path()).len(), usize::from(old.is_some()));
        }
    }
}

#[test]
fn a_disk_that_fills_up_leaves_the_old_file_whole() {
    if !device() {
        return;
    }
    for flag in NAMING {
        // A limit on the size of files stops a write in its midst, as a full disk does.
        let folder = Folder::new();
        fs::write(folder.path().join("file"), "old").expect("a file");
        let script = "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\"";
        let mut command = Command::new("sh");
        command
            .args(["-c", script, env!("CARGO_BIN_EXE_demo")])
            .args(small(&[flag, "file"]))
            .current_dir(folder.path())
            .stdin(Stdio::null());
        let output = command.output().expect("sh starts");
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("cannot write file: File too large"), "{said}");
        assert_eq!(folder.read("file"), b"old");
        assert_eq!(names(folder.path()), ["file"]);
        // And a device that is full.
        let folder = Folder::new();
        let ending = end(&mut folder.demo(&small(&[flag, "/dev/full"])));
        ending.failed(1, "cannot write /dev/full: No space left on device");
    }
}

#[test]
fn a_full_disk_behind_standard_output_exits_with_1_and_a_line() {
    if !device() {
        return;
    }
    for flags in [&SMALL[..], &["--help"], &["--list-gpus"], &["--doctor"]] {
        let full = File::options()
            .write(true)
            .open("/dev/full")
            .expect("/dev/full");
        let output = Folder::new()
            .demo(flags)
            .current_dir("/")
            .stdout(full)
            .output()
            .expect("the demo starts");
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{flags:?}: {said}");
        assert_eq!(
            said, "demo: cannot write standard output: No space left on device (os error 28)\n",
            "{flags:?}"
        );
    }
}

#[test]
fn a_reader_of_the_table_who_leaves_early_is_nothing_to_complain_about() {
    if !device() {
        return;
    }
    let folder = Folder::new();
    let mut demo = folder
        .demo(&small(&["--json", "run.json"]))
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
    assert!(folder.json("run.json")["strategies"].is_array());
}

#[test]
fn what_is_no_plain_file_is_written_and_stays_what_it_is() {
    if !device() {
        return;
    }
    let folder = Folder::new();
    let said = folder.run_well(&small(&[
        "--json",
        "/dev/stdout",
        "--screenshot",
        "/dev/null",
    ]));
    assert!(said.contains("\"strategies\": ["), "{said}");
    assert!(said.contains("who called Vulkan"), "{said}");
    assert!(!Path::new("/dev/null").is_file());
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}
