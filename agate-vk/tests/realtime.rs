//! What a job does may not wait for the system: it takes blocks, encodes, publishes and finishes; and so does submitting.
//!
//! `cargo xtask check --deep` runs this on nightly Rust with the realtime sanitizer and `--cfg rtsan`, which ends the
//! process at the first call of the allocator, a lock or a system call made in [`nonblocking`]; `agate/tests/realtime/`
//! says what it sees, and shows that it does. Without it the same calls run as a plain test.
//!
//! Taking a slot is left out, as it attaches to the pool's owner. The owner is kept awake, since waking a sleeping one is
//! a system call.
#![cfg_attr(rtsan, feature(sanitize))]
#![allow(unsafe_code, reason = "every Vulkan command is unsafe")]

#[path = "support/null.rs"]
mod support;

use agate_vk::{
    DrawState, Pass, Recorder, Service, ServiceOptions, Slot, SubmitOptions, Ticket, vk,
};
use null_device::{NullDevice, NullOptions};
use std::ffi::{CStr, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use support::{LONG, close, until};
use vk::Handle;

/// Draws of a job, several blocks of them.
const DRAWS: u64 = if cfg!(miri) { 60 } else { 1_000 };

/// Runs what may not wait.
#[cfg_attr(rtsan, sanitize(realtime = "nonblocking"))]
#[inline(never)]
fn nonblocking<R>(run: impl FnOnce() -> R) -> R {
    run()
}

/// Runs it all the same where it is not looked at.
fn warming<R>(run: impl FnOnce() -> R) -> R {
    run()
}

/// Whether the pool's owner stays in its first command, and whether it is there.
static STAY: AtomicBool = AtomicBool::new(false);
static HERE: AtomicBool = AtomicBool::new(false);

/// The device's `vkCmdSetLineWidth`: the owner is awake in it for as long as it should be.
unsafe extern "system" fn stay(_: vk::CommandBuffer, _: f32) {
    HERE.store(true, Ordering::Release);
    while STAY.load(Ordering::Acquire) {
        std::thread::yield_now();
    }
}

fn service(null: &NullDevice) -> Service {
    let own: vk::PFN_vkCmdSetLineWidth = stay;
    let function = |name: &CStr| {
        if name == c"vkCmdSetLineWidth" {
            own as *const c_void
        } else {
            null.function(name)
        }
    };
    // SAFETY: the functions are those of the device, but one of the same type; it outlives the service.
    let device = unsafe { agate_vk::Device::load(null.handle(), function) };
    let mut options = ServiceOptions::new(null.queue(), 0);
    options.block_bytes = 4 << 10;
    #[cfg(feature = "checks")]
    {
        options.checks.enabled = false;
    }
    // SAFETY: the test leaves the queue to the service.
    unsafe { Service::new(device.expect("all are there"), options) }.expect("a service starts")
}

/// A draw, with one of every kind of arguments: scalars, arrays, structures with pointers.
fn draw(to: &mut impl Recorder, index: u64) {
    let bound = DrawState {
        pipeline: Handle::from_raw(1 + index % 2),
        vertices: Handle::from_raw(2),
        layout: Handle::from_raw(3),
        stages: vk::ShaderStageFlags::VERTEX,
        push_offset: 0,
    };
    let sets = [Handle::from_raw(1 + index % 3)];
    let barriers = [vk::MemoryBarrier2::default()];
    // SAFETY: the device takes any command.
    unsafe {
        to.cmd_bind_descriptor_sets(vk::PipelineBindPoint::GRAPHICS, bound.layout, 0, &sets, &[]);
    };
    // SAFETY: as above.
    unsafe { to.cmd_set_cull_mode(vk::CullModeFlags::from_raw(index as u32 % 2)) };
    // SAFETY: as above; all of the data is written.
    unsafe {
        to.draw_with(&bound, 3, |data| {
            data.write([index; 8]);
        });
    }
    // SAFETY: as above.
    unsafe { to.push_constants(bound.layout, bound.stages, 0, &[index; 8]) };
    // SAFETY: as above.
    unsafe { to.cmd_draw(3, 1, 0, 0) };
    let info = vk::DependencyInfo::default().memory_barriers(&barriers);
    // SAFETY: as above.
    unsafe { to.cmd_pipeline_barrier2(&info) };
}

/// All that a job does with its slot.
fn job(slot: Slot, draws: u64) {
    let mut recorder = slot.stream().expect("room");
    recorder.enter(|recorder| (0..draws / 2).for_each(|index| draw(recorder, index)));
    recorder.eliminate(|recorder| (0..draws / 2).for_each(|index| draw(recorder, index)));
    recorder.finish().expect("the owner is there");
}

/// A frame whose first slot keeps the owner awake while the others are recorded, and the frame submitted.
fn frame(service: &mut Service, run: impl Fn(&mut dyn FnMut()) + Sync, draws: u64) {
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass: Pass = frame.outside(3).expect("room");
    STAY.store(true, Ordering::Release);
    HERE.store(false, Ordering::Release);
    let mut first = pass.slot(0).expect("free").stream().expect("room");
    // SAFETY: the device takes any command.
    unsafe { first.cmd_set_line_width(1.0) };
    first.finish().expect("the owner is there");
    // A slot that is complete is replayed when the next block comes, or at once.
    until("the owner is in the first slot", || {
        HERE.load(Ordering::Acquire)
    });
    std::thread::scope(|jobs| {
        for slot in 1..3 {
            let (slot, run) = (pass.slot(slot).expect("free"), &run);
            jobs.spawn(move || {
                let mut slot = Some(slot);
                run(&mut || job(slot.take().expect("called once"), draws));
            });
        }
    });
    let (mut frame, mut ticket) = (Some(frame), None::<Ticket>);
    run(&mut || {
        ticket = frame
            .take()
            .map(|frame| frame.submit(SubmitOptions::default()));
    });
    STAY.store(false, Ordering::Release);
    let mut ticket = ticket.expect("called once");
    ticket.wait_timeout(LONG).expect("executed");
}

#[test]
fn jobs_record_and_frames_are_submitted() {
    let null = NullDevice::new(NullOptions::default().owner_only());
    let mut service = service(&null);
    // As much as will ever be under way, and more.
    for _ in 0..4 {
        frame(&mut service, |run| warming(run), 2 * DRAWS);
    }
    for _ in 0..6 {
        frame(&mut service, |run| nonblocking(run), DRAWS);
    }
    close(service, &null);
}
