//! Leases: jobs that record into a pool of their own give the same frame as those that send messages, with as few pools as
//! jobs run at one time; and no pool is used by two, reset too early, or lost.

#![allow(unsafe_code, reason = "every Vulkan command is unsafe")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "each arm declares one pass"
)]

#[path = "support/null.rs"]
mod support;

use agate_vk::{
    Frame, LeaseRecorder, MissingSlot, Pass, RecordError, Recorder, Service, Slot, SubmitOptions,
    Ticket, vk,
};
use null_device::{Call, NullDevice, NullOptions};
use std::sync::Mutex;
use std::time::Duration;
use support::{LONG, Random, close, run, service, until};
use vk::Handle;

/// Pools are lent from thread to thread, so none belongs to the first.
fn checked() -> NullDevice {
    NullDevice::new(NullOptions::default().checked())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Outside,
    Rendering,
    RenderPass,
}

/// How slots are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    Stream,
    Lease,
    /// Every other slot.
    Mixed,
    /// By the service.
    Chosen,
}

fn declare(frame: &mut Frame, place: Place, slots: u32) -> Pass {
    let formats = [vk::Format::R8G8B8A8_UNORM];
    let inherited =
        vk::CommandBufferInheritanceRenderingInfo::default().color_attachment_formats(&formats);
    let info = vk::RenderingInfo::default().layer_count(1);
    let begin = vk::RenderPassBeginInfo::default().render_pass(vk::RenderPass::from_raw(7));
    // SAFETY: the device takes any command.
    let declared = unsafe {
        match place {
            Place::Outside => frame.outside_secondaries(slots),
            Place::Rendering => frame.rendering_secondaries(&info, &inherited, slots),
            Place::RenderPass => frame.render_pass_secondaries(&begin, slots),
        }
    };
    declared.expect("room")
}

/// What a slot consists of.
fn commands(recorder: &mut impl Recorder, slot: u32) {
    let (layout, stages) = (
        vk::PipelineLayout::from_raw(3),
        vk::ShaderStageFlags::VERTEX,
    );
    // SAFETY: the device takes any command.
    unsafe {
        for i in 0..40 {
            let pipeline = vk::Pipeline::from_raw(u64::from(i % 3) + 1);
            recorder.cmd_bind_pipeline(vk::PipelineBindPoint::GRAPHICS, pipeline);
            recorder.cmd_bind_vertex_buffers(0, &[vk::Buffer::from_raw(5)], &[0]);
            recorder.push_constants(layout, stages, 0, &[slot, i]);
            recorder.push_constants_with(layout, stages, 8, |data| {
                data.write([i, slot]);
            });
            recorder.cmd_draw(3, 1, slot, i);
            recorder.cmd_draw_indexed(3, 2, 1, -1, i);
            recorder.record(move |device, buffer| device.cmd_dispatch(buffer, slot, i, 1));
            recorder.cmd_set_depth_bounds(0.0, 1.0);
        }
    }
}

fn lease(pass: &Pass, slot: u32) -> LeaseRecorder {
    pass.slot(slot).expect("free").lease().expect("a pool")
}

fn record(slot: Slot, lane: Lane) {
    let index = slot.place().expect("it is there").slot;
    if lane == Lane::Lease || lane == Lane::Mixed && index % 2 == 0 {
        let mut recorder = slot.lease().expect("a pool");
        commands(&mut recorder, index);
        recorder.finish().expect("the owner is there");
    } else if lane == Lane::Chosen {
        let mut recorder = slot.record().expect("room");
        commands(&mut recorder, index);
        recorder.finish().expect("the owner is there");
    } else {
        let mut recorder = slot.stream().expect("room");
        commands(&mut recorder, index);
        recorder.finish().expect("the owner is there");
    }
}

/// Records the slots of a pass on `jobs` threads, which take them in order.
fn record_on(jobs: usize, pass: &Pass, lane: Lane) {
    std::thread::scope(|threads| {
        for _ in 0..jobs {
            threads.spawn(|| {
                while let Ok(slot) = pass.next_slot() {
                    record(slot, lane);
                }
            });
        }
    });
}

/// What the primary recorded, with the commands of its secondaries in the place of their execution.
fn captured(null: &NullDevice) -> Vec<Call> {
    let executes = |call: &Call| call.name == "vkCmdExecuteCommands";
    let all = null.buffers().into_iter().map(|b| null.captured(b));
    let primary = all.into_iter().find(|calls| calls.iter().any(executes));
    let mut flat = Vec::new();
    for call in primary.expect("a primary") {
        if executes(&call) {
            let secondaries = call.words[2..].iter();
            flat.extend(secondaries.flat_map(|s| null.captured(vk::CommandBuffer::from_raw(*s))));
        } else {
            flat.push(call);
        }
    }
    flat
}

#[test]
fn every_lane_gives_the_device_the_same_commands() {
    for place in [Place::Outside, Place::Rendering, Place::RenderPass] {
        for missing in [MissingSlot::Fail, MissingSlot::Skip] {
            let mut expected: Option<Vec<Call>> = None;
            for lane in [Lane::Stream, Lane::Lease, Lane::Mixed, Lane::Chosen] {
                let null = NullDevice::new(NullOptions::default().checked().capture().manual());
                let mut service = service(&null, |options| {
                    options.block_bytes = 4 << 10;
                    options.soft_block_bytes = 24 << 10;
                    options.frames_in_flight = 1;
                    options.missing_slot = missing;
                });
                let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
                let passes = [5, 1, 4].map(|slots| declare(&mut frame, place, slots));
                let mut work: Vec<_> = passes
                    .iter()
                    .flat_map(|pass| (0..pass.slots()).map(|slot| pass.slot(slot).expect("free")))
                    .collect();
                let mut random = Random(7);
                for i in (1..work.len()).rev() {
                    work.swap(i, random.below(i as u64 + 1) as usize);
                }
                let work = Mutex::new(work);
                std::thread::scope(|jobs| {
                    for _ in 0..3 {
                        jobs.spawn(|| {
                            loop {
                                let next = work.lock().expect("no job panics").pop();
                                let Some(slot) = next else { break };
                                record(slot, lane);
                            }
                        });
                    }
                });
                let mut ticket = frame.submit(SubmitOptions::default());
                until("it is pending", || null.pending() == 1);
                let found = captured(&null);
                null.release(1);
                let report = ticket.wait_timeout(LONG).expect("executed");
                assert_eq!(report.commands, found.len() as u64);
                close(service, &null);
                let expected = expected.get_or_insert_with(|| found.clone());
                assert!(*expected == found, "{place:?} {missing:?} {lane:?}");
            }
        }
    }
}

fn submitted(service: &mut Service, slots: u32, record: impl FnOnce(&Pass)) -> Ticket {
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    record(&declare(&mut frame, Place::Rendering, slots));
    frame.submit(SubmitOptions::default())
}

#[test]
fn there_are_as_many_pools_as_leases_at_one_time() {
    let null = checked();
    let mut service = service(&null, |_| ());
    let mut leases = 0;
    for at_once in [1, 3, 5, 2, 5, 1] {
        for _ in 0..4 {
            let ticket = submitted(&mut service, 10, |pass| {
                // So many at a time, until all slots are recorded.
                for first in (0..10).step_by(at_once) {
                    let slots = first..(first + at_once as u32).min(10);
                    let mut held: Vec<_> = slots.map(|slot| lease(pass, slot)).collect();
                    for recorder in &mut held {
                        commands(recorder, 0);
                    }
                    for recorder in held {
                        recorder.finish().expect("the owner is there");
                    }
                }
            });
            leases += 10;
            let mut ticket = ticket;
            ticket.wait_timeout(LONG).expect("executed");
        }
    }
    // Two frames in flight, each with the pool of its primary.
    assert_eq!(null.live().pools, 2 + 2 * 5);
    let counters = service.counters();
    assert_eq!((counters.pools, counters.lease_pools), (12, 10));
    assert_eq!(counters.command_buffers as usize, null.live().buffers);
    assert_eq!(counters.leases, leases);
    // The one that is lent first has been lent ten times in a frame, the second five times, and so on.
    assert!(
        null.live().buffers <= 2 + 2 * (10 + 5 + 4 + 2 + 2),
        "{:?}",
        null.live()
    );
    close(service, &null);
}

#[test]
fn pools_and_buffers_stay_as_many_as_they_are() {
    let null = checked();
    let mut service = service(&null, |options| options.frames_in_flight = 3);
    let mut random = Random(3);
    let frames = if cfg!(miri) { 6 } else { 500 };
    let mut seen = 0;
    for number in 0..frames {
        // Submissions overlap.
        let ticket = submitted(&mut service, 1 + random.below(12) as u32, |pass| {
            record_on(1 + number % 4, pass, [Lane::Lease, Lane::Mixed][number % 2]);
        });
        drop(ticket);
        if number == frames / 2 {
            seen = null.live().pools;
        }
    }
    // At the most four at one time, for each frame in flight.
    assert!(null.live().pools <= 3 * (1 + 4), "{:?}", null.live());
    assert!(null.live().pools <= seen + 3 || frames < 100);
    assert!(null.live().buffers <= 3 * (1 + 4 * 12), "{:?}", null.live());
    close(service, &null);
}

#[test]
fn a_pool_is_lent_again_in_its_frame_and_reset_when_that_is_over() {
    let null = NullDevice::new(NullOptions::default().checked().manual());
    let mut service = service(&null, |options| options.frames_in_flight = 2);
    let resets = || {
        let log = null.log();
        let is_reset = |call: &&&str| **call == "vkResetCommandPool";
        log.iter().filter(is_reset).count()
    };
    let one_by_one =
        |service: &mut Service| submitted(service, 4, |pass| record_on(1, pass, Lane::Lease));
    let mut first = one_by_one(&mut service);
    let second = one_by_one(&mut service);
    until("both are pending", || null.pending() == 2);
    assert_eq!((null.live().pools, null.live().buffers), (2 + 2, 2 + 2 * 4));
    assert_eq!(resets(), 0);
    null.release(1);
    first.wait_timeout(LONG).expect("executed");
    until("the pools of the first are reset", || resets() == 2);
    let third = one_by_one(&mut service);
    assert_eq!((null.live().pools, null.live().buffers), (2 + 2, 2 + 2 * 4));
    null.release(2);
    for mut ticket in [second, third] {
        ticket.wait_timeout(LONG).expect("executed");
    }
    close(service, &null);
}

#[test]
fn memory_of_pools_goes_back_after_a_burst() {
    let null = checked();
    let mut service = service(&null, |options| {
        options.trim_after = Duration::from_millis(1);
    });
    for _ in 0..3 {
        let mut ticket = submitted(&mut service, 8, |pass| {
            let held: Vec<_> = (0..8).map(|slot| lease(pass, slot)).collect();
            for recorder in held {
                recorder.finish().expect("the owner is there");
            }
        });
        ticket.wait_timeout(LONG).expect("executed");
        until("pools are destroyed", || null.live().pools == 2);
        until("they are not counted any more", || {
            service.counters().pools == 2
        });
        assert_eq!(service.counters().command_buffers, 2);
    }
    close(service, &null);
}

/// A frame begins while the memory of the burst before it goes back: there are as many leases as ever.
#[test]
fn memory_that_goes_back_is_in_no_lease_s_way() {
    let null = checked();
    let mut service = service(&null, |options| {
        options.frames_in_flight = 1;
        options.max_leases = 1;
        options.trim_after = Duration::from_millis(1);
    });
    let destroyed = null.hold("vkDestroyCommandPool");
    let one = |service: &mut Service| {
        submitted(service, 1, |pass| {
            lease(pass, 0).finish().expect("the owner is there");
        })
    };
    one(&mut service).wait_timeout(LONG).expect("executed");
    assert!(destroyed.wait_entered(LONG));
    let mut next = one(&mut service);
    drop(destroyed);
    next.wait_timeout(LONG).expect("executed");
    close(service, &null);
}

/// The owner is at it, and has not heard of the frame that has used a pool by then.
#[test]
fn memory_that_goes_back_is_not_of_a_frame_that_has_begun() {
    let null = checked();
    let mut service = service(&null, |options| {
        options.trim_after = Duration::from_millis(1);
    });
    let two = |service: &mut Service| {
        [(); 2].map(|()| {
            let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
            let pass = declare(&mut frame, Place::Outside, 1);
            let mut recorder = lease(&pass, 0);
            commands(&mut recorder, 0);
            recorder.finish().expect("the owner is there");
            frame
        })
    };
    let execute = |frames: [Frame; 2]| {
        for mut ticket in frames.map(|frame| frame.submit(SubmitOptions::default())) {
            ticket.wait_timeout(LONG).expect("executed");
        }
    };
    let destroyed = null.hold("vkDestroyCommandPool");
    execute(two(&mut service));
    assert!(destroyed.wait_entered(LONG));
    // The pool of the first is on its way; that of the second is in its place when the job comes.
    let frames = two(&mut service);
    drop(destroyed);
    execute(frames);
    close(service, &null);
}

#[test]
fn only_so_many_are_lent() {
    let null = checked();
    let mut service = service(&null, |options| {
        options.max_leases = 2;
        options.missing_slot = MissingSlot::Skip;
    });
    for _ in 0..3 {
        let mut ticket = submitted(&mut service, 4, |pass| {
            let held = [lease(pass, 0), lease(pass, 1)];
            let refused = pass.slot(2).expect("free").lease().err();
            let out = RecordError::OutOfLeases { max_leases: 2 };
            assert_eq!(refused, Some(out));
            assert!(!out.to_string().contains('\n'), "{out}");
            for recorder in held {
                recorder.finish().expect("the owner is there");
            }
            let last = lease(pass, 3);
            last.finish().expect("the owner is there");
        });
        ticket.wait_timeout(LONG).expect("executed");
    }
    assert_eq!(null.live().pools, 2 + 2 * 2);
    close(service, &null);
}

#[test]
fn inline_passes_take_none() {
    let null = checked();
    let mut service = service(&null, |_| ());
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let inline = frame.outside(1).expect("room");
    let takes = declare(&mut frame, Place::Outside, 1);
    let slot = takes.slot(0).expect("free");
    assert!(slot.takes_lease());
    slot.lease().expect("a pool").finish().expect("open");
    let slot = inline.slot(0).expect("free");
    assert!(!slot.takes_lease());
    assert_eq!(slot.lease().err(), Some(RecordError::NotSecondary));
    let mut ticket = frame.submit(SubmitOptions::default());
    assert!(ticket.wait_timeout(LONG).is_err());
    run(&mut service).expect("executed");
    close(service, &null);
}

/// Without this, the silence of the device in the other tests would say nothing.
#[test]
fn a_pool_that_two_use_at_once_is_seen() {
    let null = checked();
    let mut service = service(&null, |_| ());
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = declare(&mut frame, Place::Outside, 1);
    let mut recorder = lease(&pass, 0);
    // SAFETY: it breaks the contract on purpose; the device only notes that.
    let buffer = unsafe { recorder.command_buffer() };
    let held = null.hold("vkEndCommandBuffer");
    let job = std::thread::spawn(move || recorder.finish());
    assert!(held.wait_entered(LONG));
    // SAFETY: as above.
    unsafe { null.table().cmd_draw(buffer, 3, 1, 0, 0) };
    drop(held);
    let finished = job.join().expect("no panic");
    finished.expect("the owner is there");
    let mut ticket = frame.submit(SubmitOptions::default());
    ticket.wait_timeout(LONG).expect("executed");
    assert!(!null.violations().is_empty());
    assert_eq!(service.shutdown(LONG).leaked, 0);
}
