//! The soft limit of block memory: above it, recorders whose lane the service chooses are leases where their pass takes
//! one and a pool is free; no others are, nobody waits, and the device is given the same commands.

#![allow(unsafe_code, reason = "every Vulkan command is unsafe")]

#[path = "support/null.rs"]
mod support;

use agate_vk::{
    AnyRecorder, Frame, Pass, RecordError, Recorder, Service, ServiceOptions, Slot, SubmitOptions,
    vk,
};
use null_device::{Call, Hold, Live, NullDevice, NullOptions};
use std::time::Duration;
use support::{LONG, close, run, service, until};
use vk::Handle;

const BLOCK: usize = 4 << 10;

/// As the name says, and pools may go from thread to thread.
fn capturing() -> NullDevice {
    NullDevice::new(NullOptions::default().checked().capture().manual())
}

/// So many blocks may be in use before recorders become leases.
fn soft(blocks: usize) -> impl FnOnce(&mut ServiceOptions) {
    move |options| {
        options.frames_in_flight = 1;
        options.block_bytes = BLOCK;
        options.soft_block_bytes = blocks * BLOCK;
    }
}

fn secondaries(frame: &mut Frame, slots: u32) -> Pass {
    let formats = [vk::Format::R8G8B8A8_UNORM];
    let inherited =
        vk::CommandBufferInheritanceRenderingInfo::default().color_attachment_formats(&formats);
    let info = vk::RenderingInfo::default().layer_count(1);
    // SAFETY: the device takes any command.
    unsafe { frame.rendering_secondaries(&info, &inherited, slots) }.expect("room")
}

fn inline(frame: &mut Frame, slots: u32) -> Pass {
    let info = vk::RenderingInfo::default().layer_count(1);
    // SAFETY: the device takes any command.
    unsafe { frame.rendering(&info, slots) }.expect("room")
}

/// A slot, as a user writes it: once, whatever its lane.
fn stones(recorder: &mut impl Recorder, slot: u32) {
    let (point, pipeline) = (vk::PipelineBindPoint::GRAPHICS, vk::Pipeline::from_raw(7));
    for i in 0..4 {
        // SAFETY: the device takes any command.
        unsafe { recorder.cmd_bind_pipeline(point, pipeline) };
        // SAFETY: as above.
        unsafe { recorder.cmd_draw(3, 1, slot, i) };
    }
}

/// Records a slot to its end; whether in a lease.
fn job(slot: Slot) -> bool {
    let number = slot.place().expect("it is there").slot;
    let mut recorder = slot.record().expect("room");
    let lease = recorder.is_lease();
    stones(&mut recorder, number);
    recorder.finish().expect("the owner is there");
    lease
}

fn jobs(pass: &Pass) -> Vec<bool> {
    let slots = 0..pass.slots();
    slots
        .map(|slot| job(pass.slot(slot).expect("free")))
        .collect()
}

/// What the primary recorded, with the commands of its secondaries in the place of their execution.
fn flat(null: &NullDevice) -> Vec<Call> {
    let begins = |calls: &Vec<Call>| calls.iter().any(|call| call.name == "vkCmdBeginRendering");
    let mut all = null.buffers().into_iter().map(|b| null.captured(b));
    let primary = all.find(begins).expect("a primary");
    let mut flat = Vec::new();
    for call in primary {
        if call.name == "vkCmdExecuteCommands" {
            let of = |buffer: &u64| null.captured(vk::CommandBuffer::from_raw(*buffer));
            flat.extend(call.words[2..].iter().flat_map(of));
        } else {
            flat.push(call);
        }
    }
    flat
}

/// Ends a frame, lets the owner go on, and looks at what the device was given.
fn given(null: &NullDevice, frame: Frame, held: Option<Hold>) -> Vec<Call> {
    let mut ticket = frame.submit(SubmitOptions::default());
    drop(held);
    until("it is submitted", || null.pending() == 1);
    let given = flat(null);
    null.release(1);
    ticket.wait_timeout(LONG).expect("executed");
    given
}

/// The owner stops in the first command of the frame, so whatever jobs encode stays in use.
fn held_back(null: &NullDevice, service: &mut Service, slots: u32) -> (Frame, Pass, Hold) {
    let held = null.hold("vkCmdBeginRendering");
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = secondaries(&mut frame, slots);
    assert!(held.wait_entered(LONG));
    // One block each for the begin and the end of the pass.
    assert_eq!(service.counters().blocks.in_use, 2);
    (frame, pass, held)
}

#[test]
fn recorders_are_leases_while_the_owner_is_behind() {
    let mut expected: Option<Vec<Call>> = None;
    // The second has a limit that nothing reaches, in the third all are leases.
    for (blocks, leases) in [(6, 2), (100, 0), (0, 6)] {
        let null = capturing();
        let mut service = service(&null, soft(blocks));
        for round in 1..=3 {
            let (frame, pass, held) = held_back(&null, &mut service, 6);
            let lanes = jobs(&pass);
            let streams = 6 - leases;
            let wanted: Vec<_> = (0..6).map(|slot| slot >= streams).collect();
            assert_eq!(lanes, wanted);
            let counters = service.counters();
            assert_eq!(counters.blocks.in_use, 2 + streams);
            let spills = (round * leases) as u64;
            assert_eq!((counters.spills, counters.leases), (spills, spills));
            let over = if blocks == 0 { 2 * round as u64 } else { 0 };
            assert_eq!(counters.overflow_blocks, over);
            let given = given(&null, frame, Some(held));
            assert_eq!(*expected.get_or_insert_with(|| given.clone()), given);
            until("all blocks are back", || {
                service.counters().blocks.in_use == 0
            });
        }
        close(service, &null);
    }
}

#[test]
fn below_the_limit_again_recorders_are_streams_again() {
    let null = capturing();
    let mut service = service(&null, soft(4));
    let (frame, pass, held) = held_back(&null, &mut service, 4);
    assert_eq!(jobs(&pass), [false, false, true, true]);
    given(&null, frame, Some(held));
    until("all blocks are back", || {
        service.counters().blocks.in_use == 0
    });
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = secondaries(&mut frame, 1);
    assert_eq!(jobs(&pass), [false]);
    given(&null, frame, None);
    close(service, &null);
}

#[test]
fn slots_of_inline_passes_go_on_in_blocks() {
    let null = capturing();
    let mut service = service(&null, soft(0));
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let first = inline(&mut frame, 3);
    let second = secondaries(&mut frame, 2);
    assert_eq!(jobs(&first), [false; 3]);
    assert_eq!(jobs(&second), [true; 2]);
    given(&null, frame, None);
    let counters = service.counters();
    // Two for each pass itself.
    assert_eq!((counters.spills, counters.overflow_blocks), (2, 3 + 4));
    close(service, &null);
}

#[test]
fn a_recorder_in_work_stays_in_its_lane() {
    let null = capturing();
    let mut service = service(&null, soft(4));
    let (frame, pass, held) = held_back(&null, &mut service, 2);
    let mut first = pass.slot(0).expect("free").record().expect("room");
    for i in 0..2000 {
        // Longer than the limit allows, so it takes more blocks than there may be for new ones.
        // SAFETY: the device takes any command.
        unsafe { first.cmd_draw(i + 1, 2, 3, 4) };
    }
    assert!(!first.is_lease());
    let used = service.counters().blocks.in_use;
    assert!(used > 4, "{used} blocks");
    let second = pass.slot(1).expect("free").record().expect("a pool");
    assert!(second.is_lease());
    assert_eq!(service.counters().blocks.in_use, used);
    assert_eq!(service.counters().overflow_blocks, used as u64 - 4);
    second.finish().expect("the owner is there");
    first.finish().expect("the owner is there");
    let draws = given(&null, frame, Some(held));
    let draws = draws.iter().filter(|call| call.name == "vkCmdDraw");
    assert_eq!(draws.count(), 2000);
    close(service, &null);
}

#[test]
fn where_no_pool_is_free_recorders_are_streams() {
    let null = capturing();
    let mut service = service(&null, |options| {
        soft(0)(options);
        options.max_leases = 1;
    });
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = secondaries(&mut frame, 3);
    let lent = pass.slot(0).expect("free").record().expect("a pool");
    let other = pass.slot(1).expect("free").record().expect("room");
    assert!(lent.is_lease() && !other.is_lease());
    for mut recorder in [lent, other] {
        let slot = recorder.place().expect("it is there").slot;
        stones(&mut recorder, slot);
        recorder.finish().expect("the owner is there");
    }
    // It is back.
    assert!(job(pass.slot(2).expect("free")));
    given(&null, frame, None);
    close(service, &null);
}

/// The frame is executed as if the driver had not failed.
#[test]
fn where_a_lease_cannot_be_made_recorders_are_streams() {
    let null = capturing();
    let mut service = service(&null, soft(0));
    let (frame, pass, held) = held_back(&null, &mut service, 4);
    for (slot, call) in [
        "vkCreateCommandPool",
        "vkAllocateCommandBuffers",
        "vkBeginCommandBuffer",
    ]
    .into_iter()
    .enumerate()
    {
        null.fail(call, 1, vk::Result::ERROR_OUT_OF_DEVICE_MEMORY);
        assert!(!job(pass.slot(slot as u32).expect("free")), "{call}");
        assert_eq!(null.planted(), 0, "{call}");
    }
    assert!(job(pass.slot(3).expect("free")));
    let draws = given(&null, frame, Some(held));
    let draws = draws.iter().filter(|call| call.name == "vkCmdDraw");
    assert_eq!(draws.count(), 4 * 4);
    assert_eq!(service.counters().spills, 1);
    close(service, &null);
}

#[test]
fn at_the_hard_limit_a_lease_is_what_is_left() {
    let null = capturing();
    let mut service = service(&null, |options| {
        soft(usize::MAX / BLOCK)(options);
        options.max_block_bytes = 4 * BLOCK;
        options.max_leases = 1;
    });
    let (frame, pass, held) = held_back(&null, &mut service, 4);
    let mut open: Vec<_> = (0..3)
        .map(|slot| pass.slot(slot).expect("free").record().expect("room"))
        .collect();
    let lanes: Vec<_> = open.iter().map(AnyRecorder::is_lease).collect();
    assert_eq!(lanes, [false, false, true]);
    let refused = pass.slot(3).expect("free").record().err();
    assert_eq!(refused, Some(RecordError::OutOfBlocks { max_blocks: 4 }));
    open.drain(..).for_each(drop);
    drop(held);
    let mut ticket = frame.submit(SubmitOptions::default());
    until("it is over", || ticket.poll().is_some());
    close(service, &null);
}

/// The memory of commands that are larger than a block counts, and goes back with their frame.
#[test]
fn large_commands_are_in_the_limit() {
    for shards in [0, 1] {
        let null = NullDevice::new(NullOptions::default().checked());
        let mut service = service(&null, |options| {
            soft(6)(options);
            options.max_block_bytes = 16 * BLOCK;
            options.shards = shards;
        });
        let refused = RecordError::OutOfBlocks { max_blocks: 16 };
        let data = [7; 2 * BLOCK];
        let update = |recorder: &mut AnyRecorder| {
            // SAFETY: the device takes any command.
            unsafe { recorder.cmd_update_buffer(vk::Buffer::null(), 0, &data) };
        };
        for _ in 0..3 {
            let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
            let inline = frame.outside(3).expect("room");
            let pass = secondaries(&mut frame, 1);
            let [mut all, mut few, mut late] = [0, 1, 2].map(|slot| {
                let slot = inline.slot(slot).expect("free");
                slot.record().expect("room")
            });
            (0..2).for_each(|_| update(&mut few));
            let of_few = service.counters().large_command_bytes;
            assert!((4 * BLOCK..5 * BLOCK).contains(&of_few), "{of_few}");
            // With those and five blocks, two of them of the pass, there is room for three more, of a little more than two blocks.
            (0..4).for_each(|_| update(&mut all));
            assert!(service.counters().large_command_bytes < 13 * BLOCK);
            // Above the soft limit, by these.
            assert!(job(pass.slot(0).expect("free")));
            update(&mut late);
            assert_eq!(all.finish(), Err(refused));
            assert_eq!(late.finish(), Err(refused));
            few.finish().expect("this one has room");
            let mut ticket = frame.submit(SubmitOptions::default());
            assert!(ticket.wait_timeout(LONG).is_err());
            until("the memory goes back", || {
                service.counters().large_command_bytes == 0
            });
            // What is left of blocks is less, too.
            let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
            let pass = frame.outside(2).expect("room");
            let [mut large, mut many] =
                [0, 1].map(|slot| pass.slot(slot).expect("free").record().expect("room"));
            (0..6).for_each(|_| update(&mut large));
            (0..200).for_each(|i| stones(&mut many, i));
            assert_eq!(many.finish(), Err(refused));
            large.finish().expect("this one has room");
            drop(frame);
            until("the memory goes back", || {
                service.counters().large_command_bytes == 0
            });
            run(&mut service).expect("executed");
        }
        close(service, &null);
    }
}

/// The pool was out when the owner ended; whoever puts it back then destroys it.
#[test]
fn a_lease_that_fails_behind_the_end_of_the_service_leaves_no_pool() {
    let null = capturing();
    let mut service = service(&null, soft(0));
    let (frame, pass, held) = held_back(&null, &mut service, 1);
    drop(held);
    let held = null.hold("vkBeginCommandBuffer");
    null.fail(
        "vkBeginCommandBuffer",
        1,
        vk::Result::ERROR_OUT_OF_DEVICE_MEMORY,
    );
    let slot = pass.slot(0).expect("free");
    let job = std::thread::spawn(move || {
        let recorder = slot.record().expect("room");
        (recorder.is_lease(), recorder.finish())
    });
    assert!(held.wait_entered(LONG));
    assert_eq!(service.shutdown(Duration::from_millis(30)).leaked, 1);
    assert_eq!(null.live().pools, 1);
    drop(held);
    let ended = job.join().expect("no panic");
    assert_eq!(ended, (false, Err(RecordError::Closed)));
    assert_eq!(null.live(), Live::default());
    assert_eq!(null.violations(), []);
    drop(frame);
}
