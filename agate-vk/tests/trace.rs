//! What the owners tell as they do it: each begin has its end on the same thread, and each frame its events.

#![allow(unsafe_code, reason = "makes services")]

#[path = "support/null.rs"]
mod support;

use agate_vk::{
    FrameError, SubmitOptions, TicketError, Trace, TraceEvent, TraceKind, TracePhase, vk,
};
use null_device::{NullDevice, NullOptions};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;
use support::{
    LONG, acquire, checked, close, drawn, explode, manual, present, run, service, submit,
    swapchain, until,
};

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
    let seen = begun(&log);
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

/// What has begun, in order. Each begin has its end; what an owner does is told by one thread, and nested.
fn begun(log: &[(ThreadId, TraceEvent)]) -> Vec<(TraceKind, u64)> {
    let mut nested: HashMap<ThreadId, Vec<(TraceKind, u64)>> = HashMap::new();
    let mut threads: HashMap<TraceKind, ThreadId> = HashMap::new();
    let mut open = Vec::new();
    let mut seen = Vec::new();
    for (thread, event) in log {
        let what = (event.kind, event.frame);
        let owners = !matches!(event.kind, TraceKind::Frame | TraceKind::Record);
        if owners {
            assert_eq!(threads.entry(event.kind).or_insert(*thread), thread);
        }
        let stack = nested.entry(*thread).or_default();
        match event.phase {
            TracePhase::Begin if owners => stack.push(what),
            TracePhase::Begin => open.push((what, event.slot)),
            TracePhase::End if owners => assert_eq!(stack.pop(), Some(what), "ends what has begun"),
            TracePhase::End => {
                let found = open.iter().position(|begun| *begun == (what, event.slot));
                open.remove(found.expect("ends what has begun"));
            }
            TracePhase::Instant => panic!("nothing went wrong, and yet: {event}"),
        }
        if event.phase == TracePhase::Begin {
            seen.push(what);
        }
    }
    assert!(
        nested.values().all(Vec::is_empty) && open.is_empty(),
        "all has ended"
    );
    seen
}

#[test]
fn frames_and_jobs_are_told_of_on_their_threads() {
    let null = checked();
    let (log, trace) = log();
    let mut service = service(&null, |options| options.trace = Some(trace));
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside(2).expect("room");
    let jobs = [0, 1].map(|slot| {
        let pass = pass.clone();
        let job = std::thread::spawn(move || support::draw(&pass, slot));
        let thread = job.thread().id();
        job.join().expect("no panic");
        (slot, thread)
    });
    frame
        .submit(SubmitOptions::default())
        .wait_timeout(LONG)
        .expect("executed");
    drop(drawn(&mut service));
    close(service, &null);
    let log = log.lock().expect("not poisoned");
    let seen = begun(&log);
    let frames = seen.iter().filter(|(kind, _)| *kind == TraceKind::Frame);
    assert_eq!(frames.map(|(_, frame)| *frame).collect::<Vec<_>>(), [1, 2]);
    for (slot, thread) in jobs {
        let of_slot = |event: &TraceEvent| {
            event.frame == 1 && event.slot.is_some_and(|place| place.slot == slot)
        };
        let told: Vec<_> = log.iter().filter(|(_, event)| of_slot(event)).collect();
        let phases: Vec<_> = told.iter().map(|(by, event)| (*by, event.phase)).collect();
        assert_eq!(
            phases,
            [(thread, TracePhase::Begin), (thread, TracePhase::End)]
        );
    }
}

#[test]
fn recordings_are_told_of_in_every_lane() {
    let null = NullDevice::new(NullOptions::default().checked());
    let (log, trace) = log();
    let mut service = service(&null, |options| {
        options.trace = Some(trace);
        options.shards = 1;
    });
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside_secondaries(2).expect("room");
    support::draw(&pass, 0);
    let lease = pass.slot(1).expect("free").lease().expect("a pool");
    lease.finish().expect("the owner is there");
    frame
        .submit(SubmitOptions::default())
        .wait_timeout(LONG)
        .expect("executed");
    close(service, &null);
    let log = log.lock().expect("not poisoned");
    let host = std::thread::current().id();
    let of_jobs = log
        .iter()
        .filter(|(_, event)| event.kind == TraceKind::Record);
    let told: Vec<_> = of_jobs
        .map(|(by, event)| (*by, event.slot.map(|place| place.slot), event.phase))
        .collect();
    let expected = [0, 1]
        .map(|slot| [TracePhase::Begin, TracePhase::End].map(|phase| (host, Some(slot), phase)));
    assert_eq!(told, expected.concat());
}

/// The instants of a kind.
fn wrong(log: &Log, kind: TraceKind) -> Vec<TraceEvent> {
    let log = log.lock().expect("not poisoned");
    let of_kind = log.iter().filter(|(_, event)| event.kind == kind);
    of_kind.map(|(_, event)| *event).collect()
}

#[test]
fn a_failure_is_told_before_the_ticket_has_it() {
    let null = checked();
    let (log, trace) = log();
    let mut service = service(&null, |options| options.trace = Some(trace));
    null.fail("vkQueueSubmit2", 1, vk::Result::ERROR_OUT_OF_HOST_MEMORY);
    let Err(TicketError::Frame(error)) = run(&mut service) else {
        panic!("the frame has failed");
    };
    let told = wrong(&log, TraceKind::Failed);
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].frame, told[0].error), (1, Some(error)));
    assert_eq!(told[0].phase, TracePhase::Instant);
    assert_eq!(told[0].to_string(), format!("frame 1: failed: {error}"));
    close(service, &null);
}

#[test]
fn a_loss_is_told_once_with_the_call_that_found_it() {
    let null = checked();
    let (log, trace) = log();
    let mut service = service(&null, |options| options.trace = Some(trace));
    null.fail("vkQueueSubmit2", 1, vk::Result::ERROR_DEVICE_LOST);
    run(&mut service).expect_err("lost");
    close(service, &null);
    let told = wrong(&log, TraceKind::DeviceLost);
    let (call, result) = ("vkQueueSubmit2", vk::Result::ERROR_DEVICE_LOST);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].error, Some(FrameError::Vulkan { call, result }));
    assert_eq!(wrong(&log, TraceKind::OwnerPanicked).len(), 0);
    assert_eq!(wrong(&log, TraceKind::Leaked).len(), 0);
}

#[test]
fn what_a_shutdown_leaves_behind_is_told() {
    let null = manual();
    let (log, trace) = log();
    let mut service = service(&null, |options| options.trace = Some(trace));
    let ticket = submit(&mut service);
    until("it is pending", || null.pending() == 1);
    let report = service.shutdown(Duration::ZERO);
    assert!(report.leaked > 0);
    let told = wrong(&log, TraceKind::Leaked);
    assert_eq!(
        told.iter().map(|event| event.leaked).collect::<Vec<_>>(),
        [report.leaked]
    );
    drop(ticket);
}

#[test]
fn two_are_told_in_turn() {
    let null = checked();
    let (first, trace) = log();
    let (second, other) = log();
    let mut service = service(&null, |options| options.trace = Some(trace.and(other)));
    run(&mut service).expect("executed");
    close(service, &null);
    let kinds = |log: &Log| {
        let log = log.lock().expect("not poisoned");
        let mut kinds: Vec<_> = log
            .iter()
            .map(|(_, event)| (event.kind, event.phase))
            .collect();
        // Several threads tell, each pair in an order of its own.
        kinds.sort_by_key(|kind| format!("{kind:?}"));
        kinds
    };
    assert!(kinds(&first).len() > 8);
    assert_eq!(kinds(&first), kinds(&second));
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

#[test]
fn a_trace_that_panics_loses_its_events_alone() {
    let null = checked();
    let trace = Trace::new(|_| explode());
    let mut service = service(&null, |options| options.trace = Some(trace));
    run(&mut service).expect("executed");
    null.fail("vkQueueSubmit2", 1, vk::Result::ERROR_OUT_OF_HOST_MEMORY);
    assert!(run(&mut service).is_err());
    run(&mut service).expect("executed");
    close(service, &null);
}
