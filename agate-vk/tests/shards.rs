//! Shards: slots that jobs replay themselves, and every way in which that can go wrong.

#![allow(unsafe_code, reason = "every Vulkan command is unsafe")]

#[path = "support/null.rs"]
mod support;

use agate_vk::{
    BeginError, FrameError, MissingSlot, Pass, RecordError, Recorder, Service, ServiceError,
    SlotLoss, SubmitOptions, TicketError, vk,
};
use null_device::{NullDevice, NullOptions};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::{LONG, Random, close, draw, service, try_service, until};

const SHORT: Duration = Duration::from_millis(200);
const SHARDS: u32 = 2;
/// Commands that fill more blocks than a recorder keeps.
const MANY: u32 = 4000;

fn checked() -> NullDevice {
    NullDevice::new(NullOptions::default().checked())
}

fn sharded(null: &NullDevice, slot_deadline: Duration) -> Service {
    service(null, |options| {
        options.shards = SHARDS;
        options.block_bytes = 4 << 10;
        options.slot_deadline = slot_deadline;
    })
}

/// Records so many commands.
fn record(pass: &Pass, slot: u32, commands: u32) -> Result<(), RecordError> {
    let mut recorder = pass.slot(slot).expect("free").stream()?;
    for i in 0..commands {
        // SAFETY: the device takes any command.
        unsafe { recorder.cmd_draw(3, 1, slot, i) };
    }
    recorder.finish()
}

#[test]
fn slots_of_any_length_on_any_thread_break_no_rule() {
    let null = checked();
    let mut service = service(&null, |options| {
        options.shards = SHARDS;
        options.block_bytes = 4 << 10;
        options.frames_in_flight = 3;
    });
    let mut random = Random(3);
    let (frames, jobs) = if cfg!(miri) { (2, 2) } else { (40, 4) };
    for _ in 0..frames {
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let before = frame.outside(1).expect("room");
        let pass = frame.outside_secondaries(12).expect("room");
        let lengths: Vec<u32> = (0..12)
            .map(|_| [3, 300, MANY][random.below(3) as usize])
            .collect();
        let next = Mutex::new((0..12).collect::<Vec<u32>>());
        std::thread::scope(|threads| {
            for _ in 0..jobs {
                threads.spawn(|| {
                    while let Some(slot) = { next.lock().expect("no panic").pop() } {
                        record(&pass, slot, lengths[slot as usize]).expect("recorded");
                    }
                });
            }
        });
        draw(&before, 0);
        let mut ticket = frame.submit(SubmitOptions::default());
        let report = ticket.wait_timeout(LONG).expect("executed");
        let commands: u32 = lengths.iter().sum();
        assert_eq!(report.commands, u64::from(commands) + 1);
    }
    // A pool for each frame in flight and each shard, and one more; no more secondaries than slots, in each shard.
    assert_eq!(null.live().pools as u32, 3 * (SHARDS + 1));
    assert!(null.live().buffers as u32 <= 3 + 3 * SHARDS * 12);
    assert_eq!(service.counters().pools, 3 * (SHARDS + 1));
    assert_eq!(service.counters().blocks.in_use, 0);
    close(service, &null);
}

#[test]
fn jobs_may_end_after_the_submission() {
    let null = checked();
    let mut service = sharded(&null, LONG);
    for _ in 0..20 {
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let pass = frame.outside_secondaries(4).expect("room");
        let slots: Vec<_> = (0..4).map(|slot| pass.slot(slot).expect("free")).collect();
        let mut ticket = frame.submit(SubmitOptions::default());
        std::thread::scope(|threads| {
            for slot in slots {
                threads.spawn(|| {
                    let mut recorder = slot.stream().expect("room");
                    for _ in 0..300 {
                        // SAFETY: the device takes any command.
                        unsafe { recorder.cmd_set_line_width(1.0) };
                    }
                    recorder.finish().expect("the owner is there");
                });
            }
        });
        let report = ticket.wait_timeout(LONG).expect("executed");
        assert_eq!(report.commands, 1200);
    }
    close(service, &null);
}

#[test]
fn a_job_that_panics_costs_its_frame_or_its_slot() {
    for missing in [MissingSlot::Fail, MissingSlot::Skip] {
        for commands in [3, MANY] {
            let null = checked();
            let mut service = service(&null, |options| {
                options.shards = SHARDS;
                options.block_bytes = 4 << 10;
                options.missing_slot = missing;
            });
            for _ in 0..4 {
                let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
                let pass = frame.outside_secondaries(3).expect("room");
                record(&pass, 2, 10).expect("recorded");
                let job = std::thread::scope(|threads| {
                    threads
                        .spawn(|| {
                            let mut recorder = pass.slot(1).expect("free").stream().expect("room");
                            for _ in 0..commands {
                                // SAFETY: the device takes any command.
                                unsafe { recorder.cmd_set_line_width(1.0) };
                            }
                            std::panic::resume_unwind(Box::new("on purpose"));
                        })
                        .join()
                });
                assert!(job.is_err());
                record(&pass, 0, 10).expect("recorded");
                let mut ticket = frame.submit(SubmitOptions::default());
                let result = ticket.wait_timeout(LONG).map(|report| report.commands);
                let lost = FrameError::SlotLost {
                    pass: 0,
                    slot: 1,
                    loss: SlotLoss::Panicked,
                };
                match missing {
                    MissingSlot::Fail => assert_eq!(result, Err(TicketError::Frame(lost))),
                    MissingSlot::Skip => assert_eq!(result, Ok(20)),
                }
            }
            close(service, &null);
        }
    }
}

/// A slot that is finished when its frame is over: nothing is called for it.
#[test]
fn a_slot_that_comes_too_late_is_not_replayed() {
    let null = checked();
    let mut service = sharded(&null, SHORT);
    for submitted in [true, false] {
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let pass = frame.outside_secondaries(2).expect("room");
        record(&pass, 0, 10).expect("recorded");
        let mut late = pass.slot(1).expect("free").stream().expect("room");
        if submitted {
            let mut ticket = frame.submit(SubmitOptions::default());
            let lost = FrameError::SlotLost {
                pass: 0,
                slot: 1,
                loss: SlotLoss::Expired,
            };
            let error = ticket.wait_timeout(LONG).err();
            assert_eq!(error, Some(TicketError::Frame(lost)));
        } else {
            drop(frame);
            // Its place goes to others.
            for _ in 0..3 {
                support::run(&mut service).expect("executed");
            }
        }
        // SAFETY: the device takes any command.
        unsafe { late.cmd_set_line_width(1.0) };
        late.finish().expect("the owner is there");
        for _ in 0..3 {
            support::run(&mut service).expect("executed");
        }
        assert!(!null.log().contains(&"vkCmdSetLineWidth"));
    }
    close(service, &null);
}

/// Who has the answer of a frame that has failed may destroy what it refers to, so nobody replays anything of it any more.
#[test]
fn a_ticket_waits_for_a_shard_that_still_replays() {
    let null = checked();
    let mut service = sharded(&null, SHORT);
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside_secondaries(2).expect("room");
    let inside = null.hold("vkCmdSetLineWidth");
    std::thread::scope(|threads| {
        let slot = pass.slot(1).expect("free");
        threads.spawn(move || {
            let mut recorder = slot.stream().expect("room");
            // SAFETY: the device takes any command.
            unsafe { recorder.cmd_set_line_width(1.0) };
            recorder.finish().expect("the owner is there");
        });
        assert!(inside.wait_entered(LONG));
        drop(pass.slot(0).expect("free"));
        // Both slots are lost then: the one was dropped, the other expires.
        let mut ticket = frame.submit(SubmitOptions::default());
        let waits = ticket.wait_timeout(3 * SHORT).err();
        assert_eq!(waits, Some(TicketError::TimedOut));
        drop(inside);
        let lost = FrameError::SlotLost {
            pass: 0,
            slot: 0,
            loss: SlotLoss::Dropped,
        };
        let error = ticket.wait_timeout(LONG).err();
        assert_eq!(error, Some(TicketError::Frame(lost)));
    });
    support::run(&mut service).expect("executed");
    close(service, &null);
}

/// What was dropped with a frame ends with it, and not while somebody replays for it.
#[test]
fn what_a_dropped_frame_keeps_alive_outlives_its_replay() {
    let null = checked();
    let mut service = sharded(&null, LONG);
    let kept = std::sync::Arc::new(());
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    frame.keep_alive(std::sync::Arc::clone(&kept));
    let pass = frame.outside_secondaries(1).expect("room");
    let inside = null.hold("vkCmdSetLineWidth");
    std::thread::scope(|threads| {
        let slot = pass.slot(0).expect("free");
        threads.spawn(move || {
            let mut recorder = slot.stream().expect("room");
            // SAFETY: the device takes any command.
            unsafe { recorder.cmd_set_line_width(1.0) };
            recorder.finish().expect("the owner is there");
        });
        assert!(inside.wait_entered(LONG));
        drop(frame);
        for _ in 0..2 {
            // The place of the dropped frame is not free: only the other one is.
            if let Ok(mut other) = service.try_begin_frame() {
                let pass = other.outside(1).expect("room");
                draw(&pass, 0);
                let mut ticket = other.submit(SubmitOptions::default());
                ticket.wait_timeout(LONG).expect("executed");
            }
        }
        assert_eq!(service.try_begin_frame().err(), Some(BeginError::NoCredit));
        assert_eq!(std::sync::Arc::strong_count(&kept), 2);
        drop(inside);
    });
    until("the frame is over", || {
        std::sync::Arc::strong_count(&kept) == 1
    });
    support::run(&mut service).expect("executed");
    close(service, &null);
}

#[test]
fn a_shutdown_under_load_ends_everything() {
    let rounds = if cfg!(miri) { 2 } else { 30 };
    for round in 0..rounds {
        let null = checked();
        let mut service = sharded(&null, LONG);
        let stop = AtomicBool::new(false);
        let work = Mutex::new(Vec::<(Pass, u32)>::new());
        let mut random = Random(round);
        std::thread::scope(|threads| {
            for _ in 0..3 {
                threads.spawn(|| {
                    while !stop.load(Ordering::Acquire) {
                        let next = { work.lock().expect("no panic").pop() };
                        let Some((pass, slot)) = next else {
                            std::thread::yield_now();
                            continue;
                        };
                        let Ok(slot) = pass.slot(slot) else { continue };
                        let Ok(mut recorder) = slot.stream() else {
                            continue;
                        };
                        for _ in 0..600 {
                            // SAFETY: the device takes any command.
                            unsafe { recorder.cmd_set_line_width(1.0) };
                        }
                        // The service may have ended.
                        let _ = recorder.finish();
                    }
                });
            }
            let mut tickets = Vec::new();
            for _ in 0..1 + random.below(6) {
                let Ok(mut frame) = service.begin_frame_timeout(LONG) else {
                    break;
                };
                let pass = frame.outside_secondaries(6).expect("room");
                let mut all = work.lock().expect("no panic");
                all.extend((0..6).map(|slot| (pass.clone(), slot)));
                drop(all);
                for _ in 0..random.below(200) {
                    std::thread::yield_now();
                }
                tickets.push(frame.submit(SubmitOptions::default()));
            }
            let report = service.shutdown(LONG);
            stop.store(true, Ordering::Release);
            assert_eq!((report.leaked, report.panicked), (0, false));
            for mut ticket in tickets {
                let result = ticket.wait_timeout(LONG);
                assert_ne!(result.err(), Some(TicketError::TimedOut));
            }
        });
        assert_eq!(null.live(), null_device::Live::default());
        assert_eq!(null.violations(), []);
    }
}

#[test]
fn a_lost_device_ends_everything() {
    for call in [
        "vkBeginCommandBuffer",
        "vkEndCommandBuffer",
        "vkAllocateCommandBuffers",
        "vkQueueSubmit2",
        "vkResetCommandPool",
    ] {
        for nth in 1..6 {
            let null = checked();
            let mut service = sharded(&null, LONG);
            null.fail(call, nth, vk::Result::ERROR_DEVICE_LOST);
            let mut lost = false;
            for _ in 0..8 {
                let mut frame = match service.begin_frame_timeout(LONG) {
                    Ok(frame) => frame,
                    Err(error) => {
                        assert_eq!(error, BeginError::DeviceLost);
                        lost = true;
                        break;
                    }
                };
                let pass = frame.outside_secondaries(4).expect("room");
                std::thread::scope(|threads| {
                    for slots in [[0, 1], [2, 3]] {
                        let pass = &pass;
                        threads.spawn(move || {
                            for slot in slots {
                                record(pass, slot, 300).expect("the owner is there");
                            }
                        });
                    }
                });
                let mut ticket = frame.submit(SubmitOptions::default());
                if let Err(error) = ticket.wait_timeout(LONG) {
                    assert_eq!(error, TicketError::Frame(FrameError::DeviceLost));
                    lost = true;
                }
            }
            assert!(lost, "{call} {nth}");
            close(service, &null);
        }
    }
}

#[test]
fn memory_that_runs_out_while_they_are_made_leaves_nothing() {
    for nth in 1..=6 {
        let null = checked();
        let (call, result) = ("vkCreateCommandPool", vk::Result::ERROR_OUT_OF_HOST_MEMORY);
        null.fail(call, nth, result);
        match try_service(&null, |options| options.shards = SHARDS).err() {
            Some(ServiceError::Vulkan {
                call: told,
                result: with,
            }) => assert_eq!((told, with), (call, result)),
            other => panic!("{nth}: {other:?}"),
        }
        assert_eq!(null.live(), null_device::Live::default());
        assert_eq!(null.violations(), []);
    }
    let null = checked();
    let refused = try_service(&null, |options| options.shards = 17).err();
    assert!(matches!(refused, Some(ServiceError::BadOption(_))));
}

/// The GPU never ends: pools that may be pending are not destroyed.
#[test]
fn pools_of_a_frame_that_hangs_are_left_alone() {
    let null = NullDevice::new(NullOptions::default().checked().manual());
    let mut service = sharded(&null, LONG);
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside_secondaries(1).expect("room");
    record(&pass, 0, 3).expect("recorded");
    let _ticket = frame.submit(SubmitOptions::default());
    until("it is pending", || null.pending() == 1);
    let report = service.shutdown(Duration::from_millis(50));
    assert!(report.leaked >= 2 && !report.panicked, "{report:?}");
    assert_eq!(
        null.live().pools,
        1 + 1,
        "the primary's and the secondary's"
    );
    assert_eq!(null.violations(), []);
    null.release(1);
}

/// Whoever drives a shard leaves it after so many messages. Where all others have come and gone meanwhile, the submission
/// included, the pools' owner does the rest.
#[test]
fn what_everybody_has_left_is_done_by_the_owner_of_the_pools() {
    /// More than one who comes by does of what others brought.
    const SLOTS: u32 = 600;
    let null = checked();
    let mut service = service(&null, |options| {
        options.shards = 1;
        options.max_slots = SLOTS;
        options.block_bytes = 4 << 10;
        options.slot_deadline = 10 * LONG;
    });
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside_secondaries(SLOTS).expect("room");
    let mut first = pass.slot(0).expect("free").stream().expect("room");
    let (inside, entered) = std::sync::mpsc::channel();
    let (leave, left) = std::sync::mpsc::channel();
    let stays = move |_: &_, _| {
        inside.send(()).expect("the test waits");
        left.recv().expect("the test lets it go");
    };
    // SAFETY: it calls nothing.
    unsafe { first.record(stays) };
    let mut ticket = std::thread::scope(|threads| {
        threads.spawn(|| first.finish().expect("recorded"));
        entered.recv().expect("the closure is called");
        for slot in 1..SLOTS {
            record(&pass, slot, 1).expect("left to who drives the shard");
        }
        let ticket = frame.submit(SubmitOptions::default());
        leave.send(()).expect("the closure waits");
        ticket
    });
    let report = ticket.wait_timeout(LONG).expect("executed");
    // A closure counts as one.
    assert_eq!(report.commands, u64::from(SLOTS));
    close(service, &null);
}
