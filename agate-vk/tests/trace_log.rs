//! What a service does, as records of the crate `log`.

#![allow(unsafe_code, reason = "makes services")]

#[path = "support/null.rs"]
mod support;

use agate_vk::{Trace, vk};
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::sync::Mutex;
use support::{checked, close, run, service};

/// Keeps level, target and text of each record.
static RECORDS: Recorder = Recorder(Mutex::new(Vec::new()));

struct Recorder(Mutex<Vec<(Level, String, String)>>);

impl Log for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let kept = (
            record.level(),
            record.target().to_owned(),
            record.args().to_string(),
        );
        self.0.lock().expect("not poisoned").push(kept);
    }

    fn flush(&self) {}
}

/// The logger is the program's: one test for all.
#[test]
fn ends_and_failures_are_logged() {
    log::set_logger(&RECORDS).expect("the only one");
    log::set_max_level(LevelFilter::Trace);
    let null = checked();
    let mut service = service(&null, |options| options.trace = Some(Trace::log()));
    run(&mut service).expect("executed");
    null.fail("vkQueueSubmit2", 1, vk::Result::ERROR_OUT_OF_HOST_MEMORY);
    let error = run(&mut service).expect_err("failed");
    null.fail("vkQueueSubmit2", 1, vk::Result::ERROR_DEVICE_LOST);
    run(&mut service).expect_err("lost");
    close(service, &null);
    let records = RECORDS.0.lock().expect("not poisoned");
    assert!(records.iter().all(|(_, target, _)| target == "agate_vk"));
    let logged = |level: Level, start: &str| {
        let matches =
            |(at, _, text): &&(Level, String, String)| *at == level && text.starts_with(start);
        records.iter().filter(matches).count()
    };
    for (level, start) in [
        (Level::Trace, "frame 1: replay took "),
        (Level::Trace, "frame 1: vkQueueSubmit2 took "),
        (Level::Trace, "frame 1: wait for the GPU took "),
        (Level::Trace, "frame 1: pass 0, slot 0: recording took "),
        (Level::Debug, "frame 1: over after "),
        (Level::Warn, &format!("frame 2: failed: {error}")),
        (Level::Debug, "frame 2: over after "),
        (Level::Error, "the device is lost: vkQueueSubmit2 failed: "),
        (Level::Warn, "frame 3: failed: the device is lost"),
    ] {
        assert_eq!(logged(level, start), 1, "{start}: {records:#?}");
    }
    assert_eq!(logged(Level::Error, ""), 1, "{records:#?}");
    // The one of the job's thread names it.
    let of_job = |(_, _, text): &&(Level, String, String)| text.contains("slot 0: recording");
    let name = std::thread::current()
        .name()
        .expect("a test has a name")
        .to_owned();
    assert!(
        records
            .iter()
            .filter(of_job)
            .all(|(_, _, text)| text.contains(&name))
    );
}
