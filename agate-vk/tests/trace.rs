//! What the owners tell as they do it: each begin has its end on the same thread, and each frame its events.

#![allow(unsafe_code, reason = "makes services")]

#[path = "support/null.rs"]
mod support;

use agate_vk::{Trace, TraceEvent, TraceKind};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use support::{LONG, acquire, checked, close, present, run, service, swapchain};

type Log = Arc<Mutex<Vec<(ThreadId, TraceEvent)>>>;

fn log() -> (Log, Trace) {
    let log = Log::default();
    let told = Arc::clone(&log);
    let trace = Trace::new(move |event| {
        let thread = std::thread::current().id();
        told.lock().expect("not poisoned").push((thread, *event));
    });
    (log, trace)
}

#[test]
fn each_owner_tells_what_it_does() {
    let null = checked();
    let (log, trace) = log();
    let mut service = service(&null, |options| options.trace = Some(trace));
    let chain = swapchain(&mut service, &null, (64, 64));
    present(&mut service, acquire(&chain).expect("an image")).expect("executed");
    run(&mut service).expect("executed");
    // SAFETY: nothing is done with the queue.
    let mut work = unsafe { service.with_queue(|_, _| ()) };
    work.wait_timeout(LONG).expect("done");
    drop(chain);
    close(service, &null);
    let log = log.lock().expect("not poisoned");
    let mut open: HashMap<ThreadId, Vec<(TraceKind, u64)>> = HashMap::new();
    let mut threads: HashMap<TraceKind, ThreadId> = HashMap::new();
    let mut seen = Vec::new();
    for (thread, event) in log.iter() {
        assert_eq!(threads.entry(event.kind).or_insert(*thread), thread);
        let what = (event.kind, event.frame);
        let stack = open.entry(*thread).or_default();
        if event.begins {
            stack.push(what);
            seen.push(what);
        } else {
            assert_eq!(stack.pop(), Some(what), "ends what has begun");
        }
    }
    assert!(open.values().all(Vec::is_empty), "all has ended");
    let times = |kind, frame| seen.iter().filter(|what| **what == (kind, frame)).count();
    for frame in [1, 2] {
        for kind in [TraceKind::Replay, TraceKind::Submit, TraceKind::Retire] {
            assert_eq!(times(kind, frame), 1, "{kind:?} of {frame}");
        }
    }
    assert_eq!(times(TraceKind::Present, 1), 1);
    assert!(times(TraceKind::Acquire, 0) >= 1);
    assert_eq!(times(TraceKind::HostWork, 0), 1);
}

#[test]
fn a_sink_that_panics_takes_no_owner_along() {
    let null = checked();
    let mut service = service(&null, |options| {
        options.trace = Some(Trace::new(|_| panic!("planted")));
    });
    for _ in 0..3 {
        run(&mut service).expect("executed");
    }
    close(service, &null);
}
