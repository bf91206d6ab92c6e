//! What the sanitizer catches, each in a process of its own: the controls, and the one call that a send may make.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use agate::WaitMode;

use super::{LONG, Tell, burst, nonblocking, sum, warm};

/// Says to the program of these tests that it is a child, and what to do.
const CASE: &str = "AGATE_REALTIME_CASE";
/// With this code the sanitizer ends a process.
const REPORTED: i32 = 43;
/// Runs a case in a child, with more options of the sanitizer's.
fn child(case: &str, options: &str) -> Output {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "caught::in_a_child", "--nocapture"]);
    child.env(CASE, case).env(
        "RTSAN_OPTIONS",
        format!("allow_addr2line=1:color=never:{options}"),
    );
    child.output().unwrap()
}

/// A child that was ended by a report, and the report.
fn report(case: &str) -> String {
    let output = child(case, "");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(REPORTED), "{text}");
    text
}

/// The line of the report that names the function.
fn intercepted(function: &str) -> String {
    format!("Intercepted call to real-time unsafe function `{function}` in real-time context")
}

#[test]
fn in_a_child() {
    match std::env::var(CASE).as_deref() {
        Err(_) => {}
        Ok("allocates") => nonblocking(|| drop(std::hint::black_box(Box::new(1)))),
        Ok("frees") => {
            let owned = std::hint::black_box(Box::new(1));
            nonblocking(|| drop(owned));
        }
        Ok("locks") => {
            let lock = Mutex::new(());
            let _held = lock.lock();
            // It is held, and so this has to wait.
            nonblocking(|| drop(lock.lock()));
        }
        Ok("yields") => nonblocking(thread::yield_now),
        Ok("allocates elsewhere") => {
            drop(std::hint::black_box(Box::new(1)));
            nonblocking(|| ());
        }
        Ok("makes a lane") => {
            let owner = sum(WaitMode::Poll(LONG));
            let port = owner.attach().unwrap();
            nonblocking(|| assert!(port.send(Tell::Add(1)).is_ok()));
        }
        Ok("wakes until reported") => {
            let deadline = Instant::now() + LONG;
            wake_while(|_| Instant::now() < deadline);
        }
        Ok("wakes for a while") => wake_while(|rounds| rounds < 200),
        Ok(unknown) => panic!("no case '{unknown}'"),
    }
}

/// Sends bursts to an owner that was left alone for long enough to sleep, mostly.
fn wake_while(go_on: impl Fn(u32) -> bool) {
    let owner = sum(WaitMode::Wake);
    let (port, answers) = warm(&owner);
    let mut rounds = 0;
    while go_on(rounds) {
        thread::sleep(Duration::from_millis(2));
        let mut total = nonblocking(|| burst(&port, &answers));
        total.wait_timeout(LONG).unwrap();
        rounds += 1;
    }
}

#[test]
fn what_allocates_is_caught() {
    assert!(report("allocates").contains(&intercepted("malloc")));
    assert!(report("frees").contains(&intercepted("free")));
}

#[test]
fn what_waits_is_caught() {
    assert!(report("locks").contains(&intercepted("syscall")));
    assert!(report("yields").contains(&intercepted("sched_yield")));
}

#[test]
fn what_is_done_outside_is_not_caught() {
    let output = child("allocates elsewhere", "");
    assert!(output.status.success(), "{output:?}");
}

/// So the lane must be warm, and `send` says so under *Progress*.
#[test]
fn the_first_message_in_a_lane_allocates() {
    // Aligned to cache lines, and so not by `malloc`.
    assert!(report("makes a lane").contains(&intercepted("posix_memalign")));
}

#[test]
fn the_wake_of_a_sleeping_owner_is_a_system_call() {
    let report = report("wakes until reported");
    assert!(report.contains(&intercepted("syscall")), "{report}");
    // What the sanitizer's symbolizer could not name, the next test could not find either.
    let wake = |line: &str| line.contains("agate::park::") && line.contains("wake");
    assert!(report.lines().any(wake), "{report}");
}

/// Nothing is reported where this call alone is excepted, by its name or by its place.
#[test]
fn the_wake_of_a_sleeping_owner_is_all_that_is_reported() {
    for (file, exception) in [
        ("name", "function-name-matches:syscall"),
        ("place", "call-stack-contains:*agate::park::*wake*"),
    ] {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
        std::fs::write(&file, format!("{exception}\n")).unwrap();
        let options = format!("print_stats_on_exit=1:suppressions={}", file.display());
        let output = child("wakes for a while", &options);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{exception}: {text}");
        let count = |what: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(what));
            line.and_then(|line| line.trim_start_matches(':').trim().parse::<u32>().ok())
        };
        assert_eq!(count("Total error count"), Some(0), "{text}");
        assert!(count("Suppression count") >= Some(1), "{text}");
    }
}
