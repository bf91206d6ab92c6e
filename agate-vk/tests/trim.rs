//! After a burst the memory goes back: that of free blocks, and that of the command pools; once, and not while frames run.

#![allow(unsafe_code, reason = "records commands")]

#[path = "support/null.rs"]
mod support;

use agate_vk::{Pass, Recorder, Service, SubmitOptions};
use null_device::NullDevice;
use std::time::Duration;
use support::{LONG, checked, close, run, service, until};

/// Commands for some blocks.
fn record(pass: &Pass) {
    let mut recorder = pass.slot(0).expect("free").stream().expect("room");
    for _ in 0..5000 {
        // SAFETY: the device takes any command.
        unsafe { recorder.cmd_draw(3, 1, 0, 0) };
    }
    recorder.finish().expect("the owner is there");
}

fn burst(service: &mut Service) {
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    record(&frame.outside(1).expect("room"));
    let mut ticket = frame.submit(SubmitOptions::default());
    ticket.wait_timeout(LONG).expect("executed");
}

fn trims(null: &NullDevice) -> usize {
    let trim = |call: &&&str| **call == "vkTrimCommandPool";
    null.log().iter().filter(trim).count()
}

#[test]
fn when_nothing_has_been_recorded_for_a_while() {
    let null = checked();
    let mut service = service(&null, |options| {
        options.block_bytes = 4096;
        options.trim_after = Duration::from_millis(20);
    });
    for bursts in 1..4 {
        burst(&mut service);
        until("the pools are trimmed", || trims(&null) == 2 * bursts);
        until("the blocks are freed", || {
            service.counters().blocks.allocated == 0
        });
    }
    assert!(service.counters().blocks.high_water > 4);
    run(&mut service).expect("executed");
    close(service, &null);
}

#[test]
fn not_while_a_frame_is_open() {
    let null = checked();
    let mut service = service(&null, |options| {
        options.trim_after = Duration::from_millis(20);
        options.slot_deadline = Duration::from_millis(200);
    });
    burst(&mut service);
    until("the owner rests", || {
        null.log().contains(&"vkResetCommandPool")
    });
    // The owner wakes for the slot that does not come, long after it would have trimmed.
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let slot = frame.outside(1).expect("room").slot(0).expect("free");
    let mut ticket = frame.submit(SubmitOptions::default());
    assert!(ticket.wait_timeout(LONG).is_err(), "it expires");
    let before = trims(&null);
    until("it is trimmed afterwards", || trims(&null) > before);
    // From the begin of that frame to the reset of its pool.
    let log = null.log();
    let begins = log.iter().rposition(|call| *call == "vkBeginCommandBuffer");
    let after = &log[begins.expect("the frame began")..];
    let open = after
        .iter()
        .take_while(|call| **call != "vkResetCommandPool");
    assert!(
        !{ open }.any(|call| *call == "vkTrimCommandPool"),
        "{after:?}"
    );
    drop(slot);
    close(service, &null);
}
