//! Leases that end badly, or late, or never: each costs its slot and nothing else, and its pool is not touched too early.

#![allow(unsafe_code, reason = "every Vulkan command is unsafe")]

#[path = "support/null.rs"]
mod support;

use agate_vk::{
    FrameError, LeaseRecorder, MissingSlot, Pass, RecordError, Recorder, Service, SlotLoss,
    SubmitOptions, Ticket, TicketError, vk,
};
use null_device::{Live, NullDevice, NullOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::{LONG, close, service, until};
use vk::Handle;

/// For tests that wait for it to pass.
const SHORT: Duration = Duration::from_millis(30);

fn checked() -> NullDevice {
    NullDevice::new(NullOptions::default().checked())
}

fn lease(pass: &Pass, slot: u32) -> LeaseRecorder {
    let mut recorder = pass.slot(slot).expect("free").lease().expect("a pool");
    draw(&mut recorder);
    recorder
}

fn draw(recorder: &mut impl Recorder) {
    // SAFETY: the device takes any command.
    unsafe { recorder.cmd_draw(3, 1, 0, 0) };
}

/// A frame of one pass with secondary contents.
fn frame_with(service: &mut Service, slots: u32, job: impl FnOnce(&Pass)) -> Ticket {
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let inherited = vk::CommandBufferInheritanceRenderingInfo::default();
    let info = vk::RenderingInfo::default();
    // SAFETY: the device takes any command.
    let pass = unsafe { frame.rendering_secondaries(&info, &inherited, slots) };
    job(&pass.expect("room"));
    frame.submit(SubmitOptions::default())
}

/// A frame of three slots, one of them a stream; slot 1 is the job's.
fn three(service: &mut Service, job: impl FnOnce(&Pass)) -> Result<u64, TicketError> {
    let mut ticket = frame_with(service, 3, |pass| {
        lease(pass, 2).finish().expect("the owner is there");
        job(pass);
        let mut stream = pass.slot(0).expect("free").stream().expect("room");
        draw(&mut stream);
        stream.finish().expect("the owner is there");
    });
    ticket.wait_timeout(LONG).map(|report| report.commands)
}

fn good(pass: &Pass) {
    lease(pass, 1).finish().expect("the owner is there");
}

fn panics(pass: &Pass) {
    let recorder = lease(pass, 1);
    let job = std::thread::spawn(move || {
        let _recorder = recorder;
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    assert!(job.join().is_err());
}

/// A closure runs at once, so its panic is the job's.
fn panics_in_a_closure(pass: &Pass) {
    let mut recorder = lease(pass, 1);
    let job = std::thread::spawn(move || {
        // SAFETY: it makes no command.
        unsafe { recorder.record(|_, _| std::panic::resume_unwind(Box::new("on purpose"))) };
    });
    assert!(job.join().is_err());
}

fn fails(pass: &Pass) {
    let mut recorder = lease(pass, 1);
    // SAFETY: what Vulkan cannot take is refused.
    unsafe { recorder.cmd_bind_vertex_buffers(0, &[vk::Buffer::null()], &[]) };
    assert!(recorder.finish().is_err());
}

const BAD: RecordError = RecordError::BadArgument {
    command: "vkCmdBindVertexBuffers",
    argument: "offsets",
};

type Job = fn(&Pass);

const JOBS: [(Job, SlotLoss); 5] = [
    (|pass| drop(lease(pass, 1)), SlotLoss::Dropped),
    (panics, SlotLoss::Panicked),
    (panics_in_a_closure, SlotLoss::Panicked),
    (fails, SlotLoss::Failed(BAD)),
    (|pass| drop(pass.slot(1).expect("free")), SlotLoss::Dropped),
];

#[test]
fn cost_their_slot_alone() {
    for policy in [MissingSlot::Fail, MissingSlot::Skip] {
        for (job, loss) in JOBS {
            let null = checked();
            let mut service = service(&null, |options| options.missing_slot = policy);
            for _ in 0..3 {
                let expected = match policy {
                    MissingSlot::Skip => Ok(2 + 2),
                    MissingSlot::Fail => Err(TicketError::Frame(FrameError::SlotLost {
                        pass: 0,
                        slot: 1,
                        loss,
                    })),
                };
                assert_eq!(three(&mut service, job), expected);
                assert_eq!(three(&mut service, good), Ok(2 + 3));
            }
            // The pool of the bad job was lent again.
            assert!(null.live().pools <= 2 + 2, "{:?}", null.live());
            close(service, &null);
        }
    }
}

#[test]
fn that_are_forgotten_cost_their_pool() {
    let null = checked();
    let mut service = service(&null, |options| options.slot_deadline = SHORT);
    let lost = three(&mut service, |pass| std::mem::forget(lease(pass, 1)));
    let error = FrameError::SlotLost {
        pass: 0,
        slot: 1,
        loss: SlotLoss::Expired,
    };
    assert_eq!(lost, Err(TicketError::Frame(error)));
    for _ in 0..4 {
        assert_eq!(three(&mut service, good), Ok(2 + 3));
    }
    assert_eq!(service.shutdown(LONG).leaked, 1);
    assert_eq!((null.live().pools, null.live().semaphores), (1, 0));
    assert_eq!(null.violations(), []);
}

#[test]
fn that_come_too_late_disturb_nothing() {
    for policy in [MissingSlot::Fail, MissingSlot::Skip] {
        let null = checked();
        let mut service = service(&null, |options| {
            options.slot_deadline = SHORT;
            options.missing_slot = policy;
            options.frames_in_flight = 1;
        });
        for round in 0..4 {
            let (mut late, mut slot) = (None, None);
            let mut ticket = frame_with(&mut service, 3, |pass| {
                lease(pass, 0).finish().expect("the owner is there");
                // Goes on in the pool that the first has used.
                late = Some(lease(pass, 1));
                slot = Some(pass.slot(2).expect("free"));
            });
            let executed = ticket.wait_timeout(LONG).is_ok();
            assert_eq!(executed, policy == MissingSlot::Skip);
            let mut late = late.expect("the job has run");
            draw(&mut late);
            let mut next = frame_with(&mut service, 2, |pass| {
                lease(pass, 0).finish().expect("the owner is there");
                if round % 2 == 0 {
                    draw(&mut late);
                    assert_eq!(late.finish(), Err(RecordError::Stale));
                    // The pool that came back is not taken for one of this frame.
                    lease(pass, 1).finish().expect("the owner is there");
                } else {
                    lease(pass, 1).finish().expect("the owner is there");
                    drop(late);
                }
                // What is lent to this frame is not for the one before.
                let refused = slot.take().expect("taken").lease().err();
                assert_eq!(refused, Some(RecordError::Stale));
            });
            let report = next.wait_timeout(LONG).expect("executed");
            assert_eq!(report.commands, 2 + 2);
        }
        assert!(null.live().pools <= 1 + 3, "{:?}", null.live());
        close(service, &null);
    }
}

/// Render pass and framebuffer may be gone, and the pass may be another frame's.
#[test]
fn of_a_frame_that_is_over_call_nothing() {
    let null = checked();
    let mut service = service(&null, |options| {
        options.slot_deadline = SHORT;
        options.frames_in_flight = 1;
    });
    let info = vk::RenderPassBeginInfo::default()
        .render_pass(vk::RenderPass::from_raw(1))
        .framebuffer(vk::Framebuffer::from_raw(2));
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    // SAFETY: the device takes any command.
    let pass = unsafe { frame.render_pass_secondaries(&info, 3) }.expect("room");
    let mut late = lease(&pass, 0);
    let [slot, another] = [1, 2].map(|slot| pass.slot(slot).expect("free"));
    let mut ticket = frame.submit(SubmitOptions::default());
    assert!(ticket.wait_timeout(LONG).is_err(), "it expires");
    let calls = || {
        let of_buffers = |call: &&&str| call.contains("CommandBuffer");
        null.log().iter().filter(of_buffers).count()
    };
    let before = calls();
    assert_eq!(slot.lease().err(), Some(RecordError::Stale));
    let called = Arc::new(AtomicBool::new(false));
    let mut ticket = frame_with(&mut service, 1, |pass| {
        until("the primary has been begun", || calls() == before + 1);
        assert_eq!(another.lease().err(), Some(RecordError::Stale));
        let called = Arc::clone(&called);
        // SAFETY: it makes no command.
        unsafe { late.record(move |_, _| called.store(true, Ordering::Relaxed)) };
        assert_eq!(late.finish(), Err(RecordError::Stale));
        assert_eq!(calls(), before + 1);
        lease(pass, 0).finish().expect("the owner is there");
    });
    ticket.wait_timeout(LONG).expect("executed");
    assert!(!called.load(Ordering::Relaxed));
    close(service, &null);
}

/// The job is inside the driver when its slot expires: what the call needs is the host's to destroy after the ticket, so
/// that comes later.
#[test]
fn that_are_just_beginning_or_ending_are_waited_for() {
    for call in ["vkBeginCommandBuffer", "vkEndCommandBuffer"] {
        for driven_by_users in [false, true] {
            let null = checked();
            let mut service = service(&null, |options| {
                options.slot_deadline = SHORT;
                options.driven_by_users = driven_by_users;
            });
            let mut frames = [(); 2].map(|()| service.begin_frame_timeout(LONG).expect("a credit"));
            let passes = frames
                .each_mut()
                .map(|frame| frame.outside_secondaries(1).expect("room"));
            let begun = |call: &&&str| **call == "vkBeginCommandBuffer";
            until("both primaries have been begun", || {
                null.log().iter().filter(begun).count() == 2
            });
            let [slot, other] = passes.map(|pass| pass.slot(0).expect("free"));
            let held = null.hold(call);
            let job = std::thread::spawn(move || slot.lease().map(LeaseRecorder::finish));
            assert!(held.wait_entered(LONG));
            let mut tickets = frames.map(|frame| frame.submit(SubmitOptions::default()));
            // It expires after the first.
            assert!(tickets[1].wait_timeout(LONG).is_err());
            assert!(tickets[0].poll().is_none(), "{call} is not over");
            drop(held);
            let ended = tickets[0].wait_timeout(LONG);
            let error = FrameError::SlotLost {
                pass: 0,
                slot: 0,
                loss: SlotLoss::Expired,
            };
            assert_eq!(ended.map(|_| ()), Err(TicketError::Frame(error)));
            let job = job.join().expect("no panic").expect("it was in time");
            let late = call == "vkBeginCommandBuffer";
            assert!(job.is_ok() || late && job == Err(RecordError::Stale));
            drop(other);
            close(service, &null);
        }
    }
}

#[test]
fn that_are_just_beginning_keep_what_a_discarded_frame_keeps() {
    let null = checked();
    let mut service = service(&null, |options| options.frames_in_flight = 1);
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside_secondaries(1).expect("room");
    let begun = || null.log().contains(&"vkBeginCommandBuffer");
    until("the primary has been begun", begun);
    let over = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&over);
    frame.destroy_after(move || told.store(true, Ordering::Release));
    let held = null.hold("vkBeginCommandBuffer");
    let slot = pass.slot(0).expect("free");
    let job = std::thread::spawn(move || slot.lease().map(drop));
    assert!(held.wait_entered(LONG));
    drop(frame);
    assert!(service.begin_frame_timeout(SHORT).is_err());
    assert!(!over.load(Ordering::Acquire));
    drop(held);
    assert_eq!(three(&mut service, good), Ok(2 + 3));
    assert!(over.load(Ordering::Acquire));
    assert_eq!(job.join().expect("no panic"), Ok(()));
    close(service, &null);
}

/// Slot 1 of 2 meets a call that fails; slot 0 has a pool meanwhile, so one has to be made. What the job is told, and what
/// becomes of the frame.
fn failing(
    null: &NullDevice,
    service: &mut Service,
    (call, result): (&'static str, vk::Result),
) -> (Option<RecordError>, Result<u64, TicketError>) {
    let mut told = None;
    let mut ticket = frame_with(service, 2, |pass| {
        let begun = || null.log().contains(&"vkBeginCommandBuffer");
        until("the primary has been begun", begun);
        let held = lease(pass, 0);
        let slot = pass.slot(1).expect("free");
        null.fail(call, 1, result);
        told = match slot.lease() {
            Ok(recorder) => recorder.finish().err(),
            Err(error) => Some(error),
        };
        null.clear_plan();
        let _ = held.finish();
    });
    (
        told,
        ticket.wait_timeout(LONG).map(|report| report.commands),
    )
}

const CALLS: [&str; 4] = [
    "vkCreateCommandPool",
    "vkAllocateCommandBuffers",
    "vkBeginCommandBuffer",
    "vkEndCommandBuffer",
];

#[test]
fn whose_memory_runs_out_are_told() {
    for result in [
        vk::Result::ERROR_OUT_OF_HOST_MEMORY,
        vk::Result::ERROR_OUT_OF_DEVICE_MEMORY,
    ] {
        for call in CALLS {
            for policy in [MissingSlot::Fail, MissingSlot::Skip] {
                let null = checked();
                let mut service = service(&null, |options| options.missing_slot = policy);
                let error = RecordError::Vulkan { call, result };
                assert!(!error.to_string().contains('\n'), "{error}");
                let (told, ended) = failing(&null, &mut service, (call, result));
                assert_eq!(told, Some(error));
                let expected = match policy {
                    MissingSlot::Skip => Ok(2 + 1),
                    MissingSlot::Fail => Err(TicketError::Frame(FrameError::SlotLost {
                        pass: 0,
                        slot: 1,
                        loss: SlotLoss::Failed(error),
                    })),
                };
                assert_eq!(ended, expected);
                for _ in 0..4 {
                    assert_eq!(three(&mut service, good), Ok(2 + 3));
                }
                close(service, &null);
            }
        }
    }
}

#[test]
fn whose_pool_cannot_be_reset_are_told() {
    let (call, result) = ("vkResetCommandPool", vk::Result::ERROR_OUT_OF_HOST_MEMORY);
    for twice in [false, true] {
        let null = checked();
        let mut service = service(&null, |options| options.frames_in_flight = 1);
        // That of the lease, behind it that of the primary's pool; then the job tries again.
        null.fail(call, 1, result);
        if twice {
            null.fail(call, 3, result);
        }
        assert_eq!(three(&mut service, good), Ok(2 + 3));
        let resets = || null.log().iter().filter(|c| **c == call).count();
        until("the frame is over", || resets() == 2);
        let mut told = None;
        let mut ticket = frame_with(&mut service, 1, |pass| {
            let slot = pass.slot(0).expect("free");
            told = match slot.lease() {
                Ok(recorder) => recorder.finish().err(),
                Err(error) => Some(error),
            };
        });
        let error = RecordError::Vulkan { call, result };
        assert_eq!(told, twice.then_some(error));
        assert_eq!(ticket.wait_timeout(LONG).is_err(), twice);
        assert_eq!(three(&mut service, good), Ok(2 + 3));
        close(service, &null);
    }
}

#[test]
fn of_a_lost_device_fail_their_frame() {
    for call in CALLS {
        for policy in [MissingSlot::Fail, MissingSlot::Skip] {
            let null = checked();
            let mut service = service(&null, |options| options.missing_slot = policy);
            let lost = vk::Result::ERROR_DEVICE_LOST;
            let (told, ended) = failing(&null, &mut service, (call, lost));
            assert_eq!(told, Some(RecordError::DeviceLost), "{call}");
            let expected = Err(TicketError::Frame(FrameError::DeviceLost));
            assert_eq!(ended, expected, "{call}");
            close(service, &null);
        }
    }
}

#[test]
fn that_are_out_when_the_service_ends_are_counted() {
    let null = checked();
    let mut service = service(&null, |_| ());
    assert_eq!(three(&mut service, good), Ok(2 + 3));
    let mut out = Vec::new();
    let mut ticket = frame_with(&mut service, 3, |pass| {
        out.extend((0..2).map(|slot| lease(pass, slot)));
        lease(pass, 2).finish().expect("the owner is there");
    });
    assert_eq!(service.shutdown(LONG).leaked, 2);
    let aborted = Err(TicketError::Frame(FrameError::Aborted));
    assert_eq!(ticket.wait_timeout(LONG).map(|_| ()), aborted);
    assert_eq!((null.live().pools, null.live().buffers), (2, 2));
    // They may go on, and take their pools with them.
    for recorder in &mut out {
        draw(recorder);
    }
    let finished = out.remove(0).finish();
    assert_eq!(finished, Err(RecordError::Closed));
    drop(out);
    assert_eq!(null.live(), Live::default());
    assert_eq!(null.violations(), []);
}

/// The GPU never ends: what is pending is not destroyed, nor what comes back later.
#[test]
fn whose_frame_hangs_are_left_alone() {
    let null = NullDevice::new(NullOptions::default().checked().manual());
    let mut service = service(&null, |options| {
        options.slot_deadline = SHORT;
        options.missing_slot = MissingSlot::Skip;
    });
    let mut late = None;
    let _ticket = frame_with(&mut service, 3, |pass| {
        lease(pass, 0).finish().expect("the owner is there");
        late = Some(lease(pass, 1));
    });
    until("it is pending", || null.pending() == 1);
    let report = service.shutdown(Duration::from_millis(50));
    assert!(report.leaked >= 3, "{report:?}");
    let late = late.expect("the job has run");
    assert_eq!(late.finish(), Err(RecordError::Closed));
    assert_eq!(null.live().pools, 1 + 1, "those of the frame");
    assert_eq!(null.violations(), []);
    null.release(1);
}

/// Jobs that record while the service ends, in every place where that may find them.
#[test]
fn that_are_recorded_while_the_service_ends_do_no_harm() {
    for round in 0..if cfg!(miri) { 3 } else { 200 } {
        let null = checked();
        let mut service = service(&null, |_| ());
        let mut ticket = None;
        std::thread::scope(|threads| {
            ticket = Some(frame_with(&mut service, 8, |pass| {
                for _ in 0..2 {
                    let pass = pass.clone();
                    threads.spawn(move || {
                        while let Ok(slot) = pass.next_slot() {
                            if let Ok(mut recorder) = slot.lease() {
                                draw(&mut recorder);
                                let _ = recorder.finish();
                            }
                        }
                    });
                }
                for _ in 0..round {
                    std::hint::spin_loop();
                }
            }));
            service.shutdown(LONG);
        });
        assert!(ticket.is_some_and(|mut ticket| ticket.poll().is_some()));
        assert_eq!((null.live().pools, null.live().buffers), (0, 0));
        assert_eq!(null.violations(), []);
    }
}

#[test]
fn of_a_device_that_is_lost_already_are_refused_before_any_call() {
    let null = checked();
    let mut service = service(&null, |options| options.frames_in_flight = 3);
    let mut open = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = open.outside_secondaries(2).expect("room");
    // One that finds a pool, one that would have to make it.
    lease(&pass, 0).finish().expect("the owner is there");
    let slot = pass.slot(1).expect("free");
    null.fail("vkQueueSubmit2", 1, vk::Result::ERROR_DEVICE_LOST);
    assert!(three(&mut service, good).is_err());
    let calls = || {
        let of_leases = [
            "vkCreateCommandPool",
            "vkAllocateCommandBuffers",
            "vkBeginCommandBuffer",
        ];
        let log = null.log().into_iter();
        log.filter(|call| of_leases.contains(call)).count()
    };
    let before = calls();
    assert_eq!(slot.lease().err(), Some(RecordError::DeviceLost));
    assert_eq!(calls(), before);
    drop(open);
    close(service, &null);
}
