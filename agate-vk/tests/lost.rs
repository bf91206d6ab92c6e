//! The device is lost in each call that can tell: everything that is pending resolves, and nothing is called any more but
//! what destroys.

#![allow(unsafe_code, reason = "every Vulkan command is unsafe")]

#[path = "support/null.rs"]
mod support;

use agate_vk::{AcquireError, BeginError, FrameError, SubmitOptions, TicketError, vk};
use std::time::Duration;
use support::{
    LONG, acquire, close, drawn, manual, present, run, service, submit, swapchain, until,
};

const LOST: vk::Result = vk::Result::ERROR_DEVICE_LOST;
const FRAME_LOST: TicketError = TicketError::Frame(FrameError::DeviceLost);

/// Loses the device in `function`, while one frame is pending, one is being recorded and one image is held.
fn lose_in(function: &'static str) {
    let null = manual();
    let mut service = service(&null, |options| options.frames_in_flight = 4);
    let chain = swapchain(&mut service, &null, (64, 64));
    let held = acquire(&chain).expect("an image");
    let shown = acquire(&chain).expect("another image");
    let mut pending = submit(&mut service);
    until("it is pending", || null.pending() == 1);
    let recording = drawn(&mut service);
    null.fail(function, 1, LOST);
    match function {
        "vkQueueSubmit2" | "vkWaitSemaphores" => {}
        "vkAcquireNextImageKHR" | "vkGetSemaphoreCounterValue" => {
            assert_eq!(acquire(&chain).err(), Some(AcquireError::DeviceLost));
        }
        "vkQueuePresentKHR" => {
            assert_eq!(present(&mut service, shown).err(), Some(FRAME_LOST));
        }
        "vkQueueWaitIdle" => {
            // A swapchain of another size lets the first one go, which asks for an idle queue.
            drop((held, shown));
            chain.resize(vk::Extent2D {
                width: 32,
                height: 32,
            });
            assert_eq!(acquire(&chain).err(), Some(AcquireError::DeviceLost));
            return finish(&null, service, chain, recording, pending);
        }
        other => panic!("{other} is not provided for"),
    }
    let mut next = recording.submit(SubmitOptions::default());
    assert_eq!(next.wait_timeout(LONG).err(), Some(FRAME_LOST));
    let log = null.log().len();
    assert_eq!(pending.wait_timeout(LONG).err(), Some(FRAME_LOST));
    assert_eq!(
        service.try_begin_frame().err(),
        Some(BeginError::DeviceLost)
    );
    assert_eq!(acquire(&chain).err(), Some(AcquireError::DeviceLost));
    drop(held);
    drop(chain);
    end(&null, service, log);
}

fn finish(
    null: &null_device::NullDevice,
    mut service: agate_vk::Service,
    chain: agate_vk::Swapchain,
    recording: agate_vk::Frame,
    mut pending: agate_vk::Ticket,
) {
    let mut next = recording.submit(SubmitOptions::default());
    assert_eq!(next.wait_timeout(LONG).err(), Some(FRAME_LOST));
    assert_eq!(pending.wait_timeout(LONG).err(), Some(FRAME_LOST));
    let log = null.log().len();
    assert_eq!(run_begin(&mut service), Some(BeginError::DeviceLost));
    drop(chain);
    end(null, service, log);
}

fn run_begin(service: &mut agate_vk::Service) -> Option<BeginError> {
    service.begin_frame_timeout(LONG).err()
}

/// Everything had resolved when the log was `log` long.
fn end(null: &null_device::NullDevice, service: agate_vk::Service, log: usize) {
    close(service, null);
    let after = null.log().split_off(log);
    let other: Vec<_> = after
        .iter()
        .filter(|call| !call.starts_with("vkDestroy"))
        .collect();
    assert!(other.is_empty(), "called on a lost device: {other:?}");
}

#[test]
fn in_a_submission() {
    lose_in("vkQueueSubmit2");
}

#[test]
fn in_an_acquire() {
    lose_in("vkAcquireNextImageKHR");
}

#[test]
fn in_a_present() {
    lose_in("vkQueuePresentKHR");
}

#[test]
fn in_a_wait() {
    lose_in("vkWaitSemaphores");
}

#[test]
fn in_a_look_at_the_timeline() {
    lose_in("vkGetSemaphoreCounterValue");
}

#[test]
fn in_a_wait_for_the_queue() {
    lose_in("vkQueueWaitIdle");
}

#[test]
fn while_the_service_is_ended() {
    let null = manual();
    let mut service = service(&null, |_| ());
    let chain = swapchain(&mut service, &null, (64, 64));
    let held = acquire(&chain).expect("an image");
    let mut pending = submit(&mut service);
    until("it is pending", || null.pending() == 1);
    null.fail("vkWaitSemaphores", 1, LOST);
    let report = service.shutdown(LONG);
    assert_eq!((report.leaked, report.panicked), (0, false));
    assert_eq!(pending.wait_timeout(LONG).err(), Some(FRAME_LOST));
    drop(held);
    assert_eq!(null.live(), null_device::Live::default());
}

#[test]
fn while_an_acquire_waits() {
    let null = manual();
    let mut service = service(&null, |_| ());
    let chain = swapchain(&mut service, &null, (64, 64));
    let held = [acquire(&chain), acquire(&chain), acquire(&chain)];
    assert!(held.iter().all(Result::is_ok));
    let mut waits = chain.acquire(10 * LONG);
    let tries = || {
        let call = |call: &&&str| **call == "vkAcquireNextImageKHR";
        null.log().iter().filter(call).count()
    };
    until("it has been tried", || tries() > 3);
    null.fail("vkQueueSubmit2", 1, LOST);
    assert_eq!(run(&mut service).err(), Some(FRAME_LOST));
    let answer = waits.wait_timeout(LONG).expect("an answer");
    assert_eq!(answer.err(), Some(AcquireError::DeviceLost));
    drop(held);
    drop(chain);
    close(service, &null);
}

/// A device that hangs and never says so: the service ends all the same, and leaves alone what may be in use.
#[test]
fn a_device_that_hangs() {
    let null = manual();
    let mut service = service(&null, |_| ());
    let mut ticket = submit(&mut service);
    until("it is pending", || null.pending() == 1);
    let report = service.shutdown(Duration::from_millis(50));
    assert!(report.leaked > 0 && !report.panicked, "{report:?}");
    let error = ticket.wait_timeout(LONG).err();
    assert_eq!(error, Some(TicketError::Frame(FrameError::Aborted)));
    assert_eq!((null.live().pools, null.live().semaphores), (1, 1));
    assert_eq!(null.violations(), []);
}

#[test]
fn a_device_that_is_not_lost_goes_on() {
    let null = support::checked();
    let mut service = service(&null, |_| ());
    for _ in 0..5 {
        run(&mut service).expect("executed");
    }
    close(service, &null);
}
