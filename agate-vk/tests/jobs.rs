//! Jobs that end badly: each way costs its slot and nothing else, and the frame ends by policy.

#![allow(unsafe_code, reason = "every Vulkan command is unsafe")]

#[path = "support/null.rs"]
mod support;

use agate_vk::{
    FrameError, MissingSlot, Pass, Recorder, Service, SlotLoss, StreamRecorder, SubmitOptions,
    Ticket, TicketError, vk,
};
use std::time::Duration;
use support::{LONG, checked, close, draw, run, service, until};

/// For tests that wait for it to pass.
const SHORT: Duration = Duration::from_millis(30);

fn recorder(pass: &Pass) -> StreamRecorder {
    let mut recorder = pass.slot(1).expect("free").stream().expect("room");
    // SAFETY: the device takes any command.
    unsafe { recorder.cmd_draw(9, 9, 9, 9) };
    recorder
}

/// More than a block of commands, so that some are published before the end.
fn long_recorder(pass: &Pass) -> StreamRecorder {
    let mut recorder = recorder(pass);
    for _ in 0..1000 {
        // SAFETY: the device takes any command.
        unsafe { recorder.cmd_draw(9, 9, 9, 9) };
    }
    recorder
}

fn panics(pass: &Pass) {
    let recorder = recorder(pass);
    let job = std::thread::scope(|threads| {
        threads
            .spawn(move || {
                let _recorder = recorder;
                std::panic::resume_unwind(Box::new("on purpose"));
            })
            .join()
    });
    assert!(job.is_err());
}

fn drops_its_slot(pass: &Pass) {
    drop(pass.slot(1).expect("free"));
}

fn drops_its_recorder(pass: &Pass) {
    drop(recorder(pass));
}

fn forgets_its_slot(pass: &Pass) {
    std::mem::forget(pass.slot(1).expect("free"));
}

fn forgets_its_recorder(pass: &Pass) {
    std::mem::forget(long_recorder(pass));
}

fn takes_nothing(_: &Pass) {}

type Job = fn(&Pass);

const JOBS: [(Job, SlotLoss); 6] = [
    (panics, SlotLoss::Panicked),
    (drops_its_slot, SlotLoss::Dropped),
    (drops_its_recorder, SlotLoss::Dropped),
    (takes_nothing, SlotLoss::NotTaken),
    (forgets_its_slot, SlotLoss::Expired),
    (forgets_its_recorder, SlotLoss::Expired),
];

/// A frame of two passes; the job has slot 1 of the second pass, the others are drawn well.
fn frame_with(service: &mut Service, job: impl FnOnce(&Pass)) -> Ticket {
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let before = frame.outside(2).expect("room");
    let info = vk::RenderingInfo::default();
    // SAFETY: the device takes any command.
    let pass = unsafe { frame.rendering(&info, 3) }.expect("room");
    for (pass, slot) in [(&before, 0), (&pass, 2), (&pass, 0), (&before, 1)] {
        draw(pass, slot);
    }
    job(&pass);
    frame.submit(SubmitOptions::default())
}

#[test]
fn fail_their_frame_by_default() {
    for (job, loss) in JOBS {
        let null = checked();
        let mut service = service(&null, |options| {
            options.slot_deadline = SHORT;
            options.block_bytes = 4 << 10;
        });
        let error = frame_with(&mut service, job).wait_timeout(LONG).err();
        let (pass, slot) = (1, 1);
        let lost = FrameError::SlotLost { pass, slot, loss };
        assert_eq!(error, Some(TicketError::Frame(lost)));
        assert!(!lost.to_string().contains('\n'), "{lost}");
        for _ in 0..4 {
            assert_eq!(run(&mut service).map(|report| report.commands), Ok(1));
        }
        close(service, &null);
    }
}

#[test]
fn cost_their_slot_alone_where_it_may_be_missing() {
    for (job, _) in JOBS {
        let null = checked();
        let mut service = service(&null, |options| {
            options.slot_deadline = SHORT;
            options.block_bytes = 4 << 10;
            options.missing_slot = MissingSlot::Skip;
        });
        let report = frame_with(&mut service, job).wait_timeout(LONG);
        // Four draws, begin and end.
        assert_eq!(report.map(|report| report.commands), Ok(6));
        for _ in 0..4 {
            assert_eq!(run(&mut service).map(|report| report.commands), Ok(1));
        }
        close(service, &null);
    }
}

#[test]
fn a_slot_that_comes_too_late_disturbs_nothing() {
    for policy in [MissingSlot::Fail, MissingSlot::Skip] {
        let null = checked();
        let mut service = service(&null, |options| {
            options.slot_deadline = SHORT;
            options.block_bytes = 4 << 10;
            options.missing_slot = policy;
            options.frames_in_flight = 1;
        });
        let mut late = Vec::new();
        for round in 0..4 {
            let mut ticket = frame_with(&mut service, |pass| late.push(long_recorder(pass)));
            let executed = ticket.wait_timeout(LONG).is_ok();
            assert_eq!(executed, policy == MissingSlot::Skip);
            let finish = |late: &mut Vec<StreamRecorder>| {
                for recorder in late.drain(..) {
                    recorder.finish().expect("the owner is there");
                }
            };
            // The next frame has the same place. It comes too late for that while no frame is open, or while the next is.
            if round % 2 == 0 {
                let reset = Some(&"vkResetCommandPool");
                until("no frame is open", || null.log().last() == reset);
                finish(&mut late);
            }
            let mut ticket = frame_with(&mut service, |pass| {
                finish(&mut late);
                draw(pass, 1);
            });
            let commands = ticket.wait_timeout(LONG).map(|report| report.commands);
            assert_eq!(commands, Ok(7));
        }
        close(service, &null);
    }
}

#[test]
fn a_slow_slot_has_until_the_deadline() {
    let null = checked();
    let mut service = service(&null, |_| ());
    let mut slow = None;
    let mut ticket = frame_with(&mut service, |pass| slow = Some(recorder(pass)));
    // Other frames come and go meanwhile.
    assert_eq!(run(&mut service).map(|report| report.commands), Ok(1));
    assert!(ticket.poll().is_none());
    let slow = slow.expect("the job has run");
    slow.finish().expect("the owner is there");
    let commands = ticket.wait_timeout(LONG).map(|report| report.commands);
    assert_eq!(commands, Ok(7));
    close(service, &null);
}

#[test]
fn a_forgotten_slot_does_not_hold_up_the_end() {
    let null = checked();
    let mut service = service(&null, |options| options.slot_deadline = Duration::MAX);
    let mut ticket = frame_with(&mut service, forgets_its_recorder);
    close(service, &null);
    let error = ticket.wait_timeout(LONG).err();
    assert_eq!(error, Some(TicketError::Frame(FrameError::Aborted)));
}

/// What begins or ends a pass is no slot, and a text says so.
#[test]
fn a_pass_that_cannot_be_begun_is_named() {
    let null = checked();
    let mut service = service(&null, |_| ());
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    drop(frame.outside(0).expect("room"));
    let stranger = vk::BaseInStructure {
        s_type: vk::StructureType::from_raw(1_999_000_000),
        ..Default::default()
    };
    let mut info = vk::RenderingInfo::default();
    info.p_next = std::ptr::from_ref(&stranger).cast();
    // SAFETY: the chain is refused before it is used.
    assert!(unsafe { frame.rendering(&info, 1) }.is_err());
    let error = frame.submit(SubmitOptions::default()).wait_timeout(LONG);
    let text = error.expect_err("it cannot be begun").to_string();
    assert!(text.starts_with("the begin of pass 1 failed: "), "{text}");
    close(service, &null);
}

/// A pass whose begin could not be recorded takes its frame along, whatever may be missing.
#[test]
fn a_pass_without_its_begin_fails_its_frame() {
    for missing in [MissingSlot::Fail, MissingSlot::Skip] {
        let null = checked();
        let mut service = service(&null, |options| options.missing_slot = missing);
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let unknown = vk::BaseInStructure {
            s_type: vk::StructureType::from_raw(123_456_789),
            ..Default::default()
        };
        let info = vk::RenderingInfo {
            p_next: std::ptr::from_ref(&unknown).cast(),
            ..Default::default()
        };
        // SAFETY: what cannot be copied is refused.
        assert!(unsafe { frame.rendering(&info, 2) }.is_err());
        draw(&frame.outside(1).expect("room"), 0);
        let error = frame.submit(SubmitOptions::default()).wait_timeout(LONG);
        assert!(matches!(error, Err(TicketError::Frame(_))), "{error:?}");
        run(&mut service).expect("executed");
        close(service, &null);
    }
}
