//! Frames through the whole chain, on a real driver with the validation layer listening: job, recorder, block, lane,
//! owner, one primary, submit, retire.

#![allow(unsafe_code, reason = "every Vulkan command is unsafe")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the commands of one job belong together"
)]

mod support;

use agate_vk::{
    BeginError, FrameError, FrameReport, MissingSlot, Pass, RecordError, Recorder, Service,
    ServiceOptions, SlotError, SlotLoss, SubmitOptions, TicketError, vk,
};
use std::sync::mpsc;
use std::time::Duration;
use support::{HostBuffer, Needs, Vulkan};

/// Far beyond any real wait, so that a hang ends as a failure.
const LONG: Duration = Duration::from_secs(30);

fn service(vulkan: &Vulkan, change: impl FnOnce(&mut ServiceOptions)) -> Service {
    // SAFETY: the device was made from this instance and lives as long as `vulkan`.
    let device = unsafe { agate_vk::Device::from_ash(&vulkan.instance, &vulkan.device) };
    let mut device = device.expect("all functions are there");
    if vulkan.validated {
        // SAFETY: the layer's messages come by this extension.
        device = unsafe { device.with_debug_utils() };
    }
    let mut options = ServiceOptions::new(vulkan.queue, vulkan.queue_family);
    change(&mut options);
    // SAFETY: the test leaves the queue to the service, which ends before `vulkan`.
    unsafe { Service::new(device, options) }.expect("a service starts")
}

/// Ends the service and the device; everything was freed, and the layer had nothing to say.
fn close(service: Service, vulkan: Vulkan) {
    let report = service.shutdown(LONG);
    assert_eq!((report.leaked, report.panicked), (0, false));
    assert_eq!(vulkan.close(), []);
}

/// A buffer with the bytes 0, 1, 2 …, four of each, and one to copy to.
fn buffers(vulkan: &Vulkan, count: u8) -> (HostBuffer<'_>, HostBuffer<'_>) {
    let transfer = vk::BufferUsageFlags::TRANSFER_SRC | vk::BufferUsageFlags::TRANSFER_DST;
    let mut source = vulkan.host_buffer(4 * usize::from(count), transfer);
    let bytes: Vec<u8> = (0..count).flat_map(|i| [i; 4]).collect();
    source.write(&bytes);
    (source, vulkan.host_buffer(4, transfer))
}

/// Records: wait for all copies before this one, then copy the four bytes of `index` to the start of `target`.
fn copy(recorder: &mut impl Recorder, (source, target): (vk::Buffer, vk::Buffer), index: u32) {
    let barrier = [vk::MemoryBarrier2::default()
        .src_stage_mask(vk::PipelineStageFlags2::COPY)
        .src_access_mask(vk::AccessFlags2::TRANSFER_WRITE)
        .dst_stage_mask(vk::PipelineStageFlags2::COPY)
        .dst_access_mask(vk::AccessFlags2::TRANSFER_WRITE)];
    let region = vk::BufferCopy {
        src_offset: 4 * u64::from(index),
        dst_offset: 0,
        size: 4,
    };
    // SAFETY: both buffers are as large as the region says, and outlive the frame.
    unsafe {
        recorder.cmd_pipeline_barrier2(&vk::DependencyInfo::default().memory_barriers(&barrier));
        recorder.cmd_copy_buffer(source, target, &[region]);
    }
}

fn record_copy(pass: &Pass, buffers: (vk::Buffer, vk::Buffer), slot: u32) {
    let mut recorder = pass.slot(slot).expect("free").stream().expect("room");
    copy(&mut recorder, buffers, slot);
    recorder.finish().expect("the owner is there");
}

#[test]
fn replay_goes_in_slot_order_whatever_the_order_of_jobs() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
        return;
    };
    let (source, target) = buffers(&vulkan, 16);
    let pair = (source.buffer, target.buffer);
    let mut service = service(&vulkan, |_| ());
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let pass = frame.outside(4).expect("room");
        for slot in order {
            record_copy(&pass, pair, slot);
        }
        let report = frame
            .submit(SubmitOptions::default())
            .wait_timeout(LONG)
            .expect("executed");
        assert_eq!(report.commands, 8, "a barrier and a copy for each slot");
        assert_eq!(
            target.read(),
            [3; 4],
            "the last slot comes last, jobs in order {order:?}"
        );
    }
    drop((source, target));
    close(service, vulkan);
}

#[test]
fn jobs_on_many_threads_may_overtake_the_begin_of_their_frame() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::default()) else {
        return;
    };
    let (source, target) = buffers(&vulkan, 16);
    let pair = (source.buffer, target.buffer);
    let mut service = service(&vulkan, |options| options.frames_in_flight = 3);
    std::thread::scope(|scope| {
        let (tell, done) = mpsc::channel();
        // The passes go to the jobs by channels that end with this closure, so that a failure here ends the jobs too.
        let jobs: Vec<mpsc::Sender<Pass>> = (0..3)
            .map(|job| {
                let ((send, passes), tell) = (mpsc::channel::<Pass>(), tell.clone());
                scope.spawn(move || {
                    for pass in passes {
                        record_copy(&pass, pair, job);
                        tell.send(()).expect("the test waits");
                    }
                });
                send
            })
            .collect();
        for _ in 0..1500 {
            let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
            let pass = frame.outside(3).expect("room");
            jobs.iter()
                .for_each(|job| job.send(pass.clone()).expect("the job waits"));
            jobs.iter()
                .for_each(|_| done.recv().expect("the job answers"));
            drop(frame.submit(SubmitOptions::default()));
        }
    });
    // The tickets were dropped: what the frames refer to lives until the service has ended.
    let report = service.shutdown(LONG);
    assert_eq!((report.leaked, report.panicked), (0, false));
    drop((source, target));
    assert_eq!(vulkan.close(), []);
}

#[test]
fn a_lost_slot_fails_its_frame_and_no_other() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
        return;
    };
    let (source, target) = buffers(&vulkan, 16);
    let pair = (source.buffer, target.buffer);
    let mut service = service(&vulkan, |_| ());
    for loss in [SlotLoss::Dropped, SlotLoss::Panicked, SlotLoss::NotTaken] {
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let pass = frame.outside(3).expect("room");
        record_copy(&pass, pair, 2);
        record_copy(&pass, pair, 0);
        match loss {
            SlotLoss::Dropped => drop(pass.slot(1).expect("free").stream().expect("room")),
            SlotLoss::Panicked => {
                let slot = pass.slot(1).expect("free");
                let job = std::thread::spawn(move || {
                    let _recorder = slot.stream().expect("room");
                    std::panic::resume_unwind(Box::new("a job that panics"));
                });
                assert!(job.join().is_err());
            }
            _ => {}
        }
        let ticket = frame.submit(SubmitOptions::default()).wait_timeout(LONG);
        match ticket.expect_err("the frame fails") {
            TicketError::Frame(FrameError::SlotLost {
                pass,
                slot,
                loss: found,
            }) => {
                assert_eq!((pass, slot, found), (0, 1, loss));
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(
        target.read(),
        [0; 4],
        "nothing of the failed frames was executed"
    );
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside(4).expect("room");
    (0..4).for_each(|slot| record_copy(&pass, pair, slot));
    frame
        .submit(SubmitOptions::default())
        .wait_timeout(LONG)
        .expect("the next frame is fine");
    assert_eq!(target.read(), [3; 4]);
    drop((source, target));
    close(service, vulkan);
}

#[test]
fn with_skip_a_lost_slot_is_left_out_whole() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
        return;
    };
    let (source, target) = buffers(&vulkan, 200);
    let pair = (source.buffer, target.buffer);
    let mut service = service(&vulkan, |options| {
        options.missing_slot = MissingSlot::Skip;
        options.block_bytes = 4096;
    });
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside(2).expect("room");
    record_copy(&pass, pair, 0);
    let mut recorder = pass.slot(1).expect("free").stream().expect("room");
    (0..200).for_each(|index| copy(&mut recorder, pair, index));
    drop(recorder);
    let report = frame
        .submit(SubmitOptions::default())
        .wait_timeout(LONG)
        .expect("executed");
    assert_eq!(
        report.commands, 2,
        "nothing of the lost slot, though blocks of it had been sent"
    );
    assert_eq!(target.read(), [0; 4]);
    drop((source, target));
    close(service, vulkan);
}

#[test]
fn block_memory_has_a_hard_limit_that_fails_the_frame() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
        return;
    };
    let mut service = service(&vulkan, |options| {
        options.block_bytes = 4096;
        options.max_block_bytes = 4 * 4096;
    });
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside(2).expect("room");
    // The first slot is held back, so that the blocks of the second must wait.
    let first = pass.slot(0).expect("free").stream().expect("room");
    let mut second = pass.slot(1).expect("free").stream().expect("room");
    for _ in 0..10_000 {
        // SAFETY: a line width needs nothing.
        unsafe { second.cmd_set_line_width(1.0) };
    }
    let error = RecordError::OutOfBlocks { max_blocks: 4 };
    assert_eq!(second.finish(), Err(error));
    first.finish().expect("this one has room");
    let ticket = frame.submit(SubmitOptions::default()).wait_timeout(LONG);
    let lost = FrameError::SlotLost {
        pass: 0,
        slot: 1,
        loss: SlotLoss::Failed(error),
    };
    assert_eq!(
        ticket.expect_err("the frame fails"),
        TicketError::Frame(lost)
    );
    let blocks = service.counters().blocks;
    assert_eq!((blocks.in_use, blocks.high_water), (0, 4));
    close(service, vulkan);
}

#[test]
fn a_job_with_more_than_a_block_is_replayed_whole() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
        return;
    };
    let mut service = service(&vulkan, |options| options.block_bytes = 4096);
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let mut recorder = frame
        .outside(1)
        .expect("room")
        .next_slot()
        .expect("free")
        .stream()
        .expect("room");
    recorder.enter(|recorder| {
        for _ in 0..10_000 {
            // SAFETY: a line width needs nothing.
            unsafe { recorder.cmd_set_line_width(1.0) };
        }
    });
    recorder.finish().expect("room");
    let report = frame
        .submit(SubmitOptions::default())
        .wait_timeout(LONG)
        .expect("executed");
    assert_eq!(report.commands, 10_000);
    assert_eq!(report.bytes, 80_000, "8 bytes for each");
    assert!(report.blocks > 20, "blocks of 4 KiB");
    close(service, vulkan);
}

#[test]
fn structures_that_nobody_knows_are_refused_by_type() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
        return;
    };
    let mut service = service(&vulkan, |_| ());
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let mut recorder = frame
        .outside(1)
        .expect("room")
        .slot(0)
        .expect("free")
        .stream()
        .expect("room");
    let stranger = vk::StructureType::from_raw(1_999_000_000);
    let mut locations = vk::SampleLocationsInfoEXT {
        s_type: stranger,
        ..Default::default()
    };
    let image = [vk::ImageMemoryBarrier2::default().push_next(&mut locations)];
    // SAFETY: the chain holds one valid structure; the barrier is refused before it is used.
    unsafe {
        recorder
            .cmd_pipeline_barrier2(&vk::DependencyInfo::default().image_memory_barriers(&image));
    };
    let error = RecordError::UnsupportedPNext {
        command: "vkCmdPipelineBarrier2",
        s_type: stranger.as_raw(),
    };
    assert_eq!(recorder.finish(), Err(error));
    drop(frame.submit(SubmitOptions::default()));
    close(service, vulkan);
}

#[test]
fn slots_are_taken_once_and_only_in_their_frame() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
        return;
    };
    let mut service = service(&vulkan, |_| ());
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside(2).expect("room");
    let second = pass.slot(1).expect("free");
    assert_eq!(
        pass.slot(1).expect_err("taken"),
        SlotError::Taken { slot: 1 }
    );
    assert_eq!(
        pass.slot(2).expect_err("none"),
        SlotError::OutOfRange { slot: 2, slots: 2 }
    );
    let first = pass.next_slot().expect("the first is free");
    assert_eq!(
        pass.next_slot().expect_err("none left"),
        SlotError::Exhausted { slots: 2 }
    );
    for slot in [first, second] {
        slot.stream().expect("room").finish().expect("open");
    }
    frame
        .submit(SubmitOptions::default())
        .wait_timeout(LONG)
        .expect("executed");
    for _ in 0..4 {
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        frame.outside(2).expect("room");
        assert!(
            pass.slot(0).is_err(),
            "a pass of an older frame takes nothing"
        );
    }
    close(service, vulkan);
}

#[test]
fn frames_in_flight_are_credits() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
        return;
    };
    let mut service = service(&vulkan, |_| ());
    let first = service.try_begin_frame().expect("the first");
    let second = service.try_begin_frame().expect("the second");
    assert_eq!(
        service.try_begin_frame().expect_err("two in flight"),
        BeginError::NoCredit
    );
    assert_eq!(
        service
            .begin_frame_timeout(Duration::from_millis(5))
            .expect_err("two in flight"),
        BeginError::TimedOut
    );
    drop(first);
    let third = service
        .begin_frame_timeout(LONG)
        .expect("a dropped frame gives its credit back");
    let mut ticket = third.submit(SubmitOptions::default());
    ticket
        .wait_timeout(LONG)
        .expect("an empty frame is executed too");
    drop(second);
    close(service, vulkan);
}

#[test]
fn shutdown_aborts_what_is_not_submitted_and_does_not_hang() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
        return;
    };
    let mut service = service(&vulkan, |_| ());
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside(2).expect("room");
    let held = pass.slot(0).expect("free").stream().expect("room");
    std::mem::forget(pass.slot(1).expect("free").stream().expect("room"));
    let mut ticket = frame.submit(SubmitOptions::default());
    let report = service.shutdown(LONG);
    assert_eq!((report.leaked, report.panicked), (0, false));
    assert_eq!(
        ticket.wait_timeout(LONG).expect_err("aborted"),
        TicketError::Frame(FrameError::Aborted)
    );
    assert_eq!(
        held.finish(),
        Err(RecordError::Closed),
        "who still records is told"
    );
    assert_eq!(vulkan.close(), []);
}

#[test]
fn bad_options_are_refused_with_their_range() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::default()) else {
        return;
    };
    type Change = fn(&mut ServiceOptions);
    let changes: [(Change, &str); 5] = [
        (|o| o.frames_in_flight = 0, "frames_in_flight"),
        (|o| o.block_bytes = 100, "block_bytes"),
        (|o| o.max_block_bytes = 0, "max_block_bytes"),
        (|o| o.max_slots = 0, "max_slots"),
        (|o| o.queue = vk::Queue::null(), "queue"),
    ];
    for (change, named) in changes {
        // SAFETY: as in `service`.
        let device = unsafe { agate_vk::Device::from_ash(&vulkan.instance, &vulkan.device) };
        let mut options = ServiceOptions::new(vulkan.queue, vulkan.queue_family);
        change(&mut options);
        // SAFETY: as in `service`.
        let error = unsafe { Service::new(device.expect("loads"), options) }.expect_err(named);
        assert!(error.to_string().contains(named), "{error}");
    }
}

/// Executes an empty frame: by then the owner has seen all that was sent before.
fn empty_frame(service: &mut Service) -> FrameReport {
    let frame = service.begin_frame_timeout(LONG).expect("a credit");
    frame
        .submit(SubmitOptions::default())
        .wait_timeout(LONG)
        .expect("executed")
}

#[test]
fn nothing_of_a_dropped_frame_gets_into_a_later_one() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
        return;
    };
    let (source, target) = buffers(&vulkan, 16);
    let pair = (source.buffer, target.buffer);
    let mut service = service(&vulkan, |options| options.frames_in_flight = 3);
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside(2).expect("room");
    let slot = pass.slot(0).expect("free");
    let mut recorder = pass.slot(1).expect("free").stream().expect("room");
    drop(frame);
    empty_frame(&mut service);
    copy(&mut recorder, pair, 7);
    recorder
        .finish()
        .expect("the owner is there, and takes no notice");
    drop(slot);
    empty_frame(&mut service);
    // The third of the frames in flight is the first again.
    let report = empty_frame(&mut service);
    assert_eq!((report.serial, report.commands), (4, 0));
    assert_eq!(target.read(), [0; 4]);
    drop((source, target));
    close(service, vulkan);
}

#[test]
fn a_slot_lost_inside_rendering_leaves_nothing_open() {
    for missing in [MissingSlot::Fail, MissingSlot::Skip] {
        let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
            return;
        };
        let mut service = service(&vulkan, |options| options.missing_slot = missing);
        let area = vk::Rect2D {
            extent: vk::Extent2D {
                width: 4,
                height: 4,
            },
            ..Default::default()
        };
        let info = vk::RenderingInfo::default()
            .layer_count(1)
            .render_area(area);
        for _ in 0..4 {
            let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
            // SAFETY: a rendering without attachments.
            let pass = unsafe { frame.rendering(&info, 2) }.expect("room");
            pass.slot(0)
                .expect("free")
                .stream()
                .expect("room")
                .finish()
                .expect("open");
            drop(pass.slot(1).expect("free"));
            let result = frame.submit(SubmitOptions::default()).wait_timeout(LONG);
            match missing {
                MissingSlot::Fail => {
                    let lost = FrameError::SlotLost {
                        pass: 0,
                        slot: 1,
                        loss: SlotLoss::Dropped,
                    };
                    assert_eq!(result.expect_err("lost"), TicketError::Frame(lost));
                }
                MissingSlot::Skip => assert_eq!(result.expect("executed").commands, 2),
            }
        }
        close(service, vulkan);
    }
}

#[test]
fn a_frame_that_is_only_recorded_is_replayed_and_reaches_no_queue() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
        return;
    };
    let (source, target) = buffers(&vulkan, 16);
    let pair = (source.buffer, target.buffer);
    let mut service = service(&vulkan, |_| ());
    // More than are in flight: each gives its credit back.
    for _ in 0..5 {
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let pass = frame.outside(4).expect("room");
        (0..4).for_each(|slot| record_copy(&pass, pair, slot));
        let report = frame
            .submit(SubmitOptions::record_only())
            .wait_timeout(LONG)
            .expect("recorded");
        assert_eq!(report.commands, 8);
        assert!(report.ended > report.began);
        assert_eq!(
            (report.submitted, report.retired),
            (report.ended, report.ended)
        );
        assert_eq!(target.read(), [0; 4], "nothing was executed");
    }
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside(4).expect("room");
    (0..4).for_each(|slot| record_copy(&pass, pair, slot));
    let executed = frame
        .submit(SubmitOptions::default())
        .wait_timeout(LONG)
        .expect("executed");
    assert!(executed.retired >= executed.submitted && executed.submitted > executed.ended);
    assert_eq!(target.read(), [3; 4], "the pool is good for a frame again");
    drop((source, target));
    close(service, vulkan);
}

#[test]
fn a_frame_that_is_only_recorded_fails_as_others_do_and_refuses_what_the_queue_would_do() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
        return;
    };
    let mut service = service(&vulkan, |_| ());
    for _ in 0..3 {
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        drop(frame.outside(1).expect("room").slot(0).expect("free"));
        let lost = FrameError::SlotLost {
            pass: 0,
            slot: 0,
            loss: SlotLoss::Dropped,
        };
        let result = frame
            .submit(SubmitOptions::record_only())
            .wait_timeout(LONG);
        assert_eq!(result.expect_err("lost"), TicketError::Frame(lost));

        let semaphores = [vk::SemaphoreSubmitInfo::default()];
        // SAFETY: the frame is refused before the semaphores are looked at.
        let waits = unsafe { SubmitOptions::record_only().waits(&semaphores) };
        // SAFETY: likewise.
        let signals = unsafe { SubmitOptions::record_only().signals(&semaphores) };
        for options in [waits, signals] {
            let frame = service.begin_frame_timeout(LONG).expect("a credit");
            assert_eq!(
                frame
                    .submit(options)
                    .wait_timeout(LONG)
                    .expect_err("refused"),
                TicketError::Frame(FrameError::RecordOnly)
            );
        }
    }
    close(service, vulkan);
}

#[test]
fn shutdown_ends_a_frame_that_is_only_recorded_and_waits_for_a_slot() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
        return;
    };
    let mut service = service(&vulkan, |_| ());
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let held = frame.outside(1).expect("room").slot(0).expect("free");
    let mut ticket = frame.submit(SubmitOptions::record_only());
    let report = service.shutdown(LONG);
    assert_eq!((report.leaked, report.panicked), (0, false));
    assert_eq!(
        ticket.wait_timeout(LONG).expect_err("aborted"),
        TicketError::Frame(FrameError::Aborted)
    );
    drop(held);
    assert_eq!(vulkan.close(), []);
}
