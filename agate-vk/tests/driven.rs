//! A service whose pools' owner has no thread of its own: those who use it do its work, and nothing is left lying.

#![allow(unsafe_code, reason = "every Vulkan command is unsafe")]

#[path = "support/null.rs"]
mod support;

use agate_vk::{FrameError, Recorder, Service, SlotLoss, SubmitOptions, TicketError};
use null_device::{NullDevice, NullOptions};
use std::panic::resume_unwind;
use std::sync::mpsc;
use std::thread::{self, ThreadId};
use std::time::Duration;
use support::{LONG, close, service, until};

const SHORT: Duration = Duration::from_millis(200);

fn checked() -> NullDevice {
    NullDevice::new(NullOptions::default().checked())
}

fn driven(null: &NullDevice, slot_deadline: Duration) -> Service {
    service(null, |options| {
        options.driven_by_users = true;
        options.slot_deadline = slot_deadline;
        options.trim_after = Duration::from_millis(20);
    })
}

/// The threads on which a closure among the messages of each slot was called, in their order.
fn callers(finished: &mut [mpsc::Receiver<ThreadId>]) -> Vec<ThreadId> {
    finished.iter().map(|slot| slot.recv().unwrap()).collect()
}

/// Each job's messages are replayed where the job ends, if nothing before them is missing; else by who brings that.
#[test]
fn messages_are_replayed_by_the_jobs() {
    let null = checked();
    let mut service = driven(&null, LONG);
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside(3).expect("room");
    let (tell, mut told): (Vec<_>, Vec<_>) = (0..3).map(|_| mpsc::channel()).unzip();
    let job = |slot: u32| {
        let (pass, tell) = (pass.clone(), tell[slot as usize].clone());
        let job = thread::spawn(move || {
            let mut recorder = pass.slot(slot).expect("free").stream().expect("room");
            // SAFETY: it calls nothing.
            unsafe { recorder.record(move |_, _| tell.send(thread::current().id()).unwrap()) };
            recorder.finish().expect("the owner is there");
            thread::current().id()
        });
        job.join().unwrap()
    };
    let (first, third, second) = (job(0), job(2), job(1));
    assert_ne!(second, third);
    assert_eq!(callers(&mut told), [first, second, second]);
    let mut ticket = frame.submit(SubmitOptions::default());
    ticket.wait_timeout(LONG).expect("executed");
    close(service, &null);
}

/// Who waits for a slot that does not come drives nobody; the frame ends all the same, and memory is given back at rest.
#[test]
fn what_is_to_be_done_at_a_time_is_done_though_nobody_comes() {
    let null = checked();
    let mut service = driven(&null, SHORT);
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside(1).expect("room");
    let late = pass.slot(0).expect("free").stream().expect("room");
    let mut ticket = frame.submit(SubmitOptions::default());
    let lost = FrameError::SlotLost {
        pass: 0,
        slot: 0,
        loss: SlotLoss::Expired,
    };
    let error = ticket.wait_timeout(LONG).err();
    assert_eq!(error, Some(TicketError::Frame(lost)));
    late.finish().expect("the owner is there");
    until("the blocks are freed", || {
        service.counters().blocks.allocated == 0
    });
    close(service, &null);
}

/// Frames of both lanes, several in flight, from several threads.
#[test]
fn every_lane_records_what_it_is_told() {
    let null = checked();
    let mut service = driven(&null, LONG);
    let (frames, jobs) = if cfg!(miri) { (3, 2) } else { (100, 4) };
    let mut tickets = Vec::new();
    for _ in 0..frames {
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let inline = frame.outside(jobs).expect("room");
        let apart = frame.outside_secondaries(2 * jobs).expect("room");
        thread::scope(|scope| {
            for job in 0..jobs {
                let (inline, apart) = (&inline, &apart);
                scope.spawn(move || {
                    let mut recorder = inline.slot(job).expect("free").stream().expect("room");
                    // SAFETY: the device takes any command.
                    unsafe { recorder.cmd_set_line_width(1.0) };
                    recorder.finish().expect("the owner is there");
                    let mut recorder = apart.slot(2 * job).expect("free").lease().expect("a pool");
                    // SAFETY: as above.
                    unsafe { recorder.cmd_set_line_width(1.0) };
                    recorder.finish().expect("the owner is there");
                    let mut recorder = apart
                        .slot(2 * job + 1)
                        .expect("free")
                        .stream()
                        .expect("room");
                    // SAFETY: as above.
                    unsafe { recorder.cmd_set_line_width(1.0) };
                    recorder.finish().expect("the owner is there");
                });
            }
        });
        tickets.push(frame.submit(SubmitOptions::default()));
    }
    for mut ticket in tickets {
        let report = ticket.wait_timeout(LONG).expect("executed");
        assert_eq!(report.commands, 3 * u64::from(jobs));
    }
    close(service, &null);
}

/// A job that panics drives nobody; its frame ends all the same, however long a slot may be late.
#[test]
fn a_job_that_panics_after_the_submission_costs_its_frame_alone() {
    for shards in [0, 2] {
        let null = checked();
        let mut service = service(&null, |options| {
            options.driven_by_users = true;
            options.shards = shards;
            options.slot_deadline = Duration::MAX;
        });
        for _ in 0..if cfg!(miri) { 1 } else { 20 } {
            let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
            let pass = frame.outside_secondaries(2).expect("room");
            let slots = [0, 1].map(|slot| pass.slot(slot).expect("free"));
            let mut ticket = frame.submit(SubmitOptions::default());
            for slot in slots {
                let job = thread::spawn(move || {
                    let _recorder = slot.stream().expect("room");
                    resume_unwind(Box::new(()));
                });
                assert!(job.join().is_err());
            }
            let error = ticket.wait_timeout(LONG).err();
            let Some(TicketError::Frame(FrameError::SlotLost { loss, .. })) = error else {
                panic!("{error:?}");
            };
            assert_eq!(loss, SlotLoss::Panicked);
        }
        support::run(&mut service).expect("executed");
        close(service, &null);
    }
}
