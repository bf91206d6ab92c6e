//! Owners that panic: a way to make them, for tests, and what becomes of everything that waits for them.

#![allow(unsafe_code, reason = "makes services")]

use crate::frame::lock;
use crate::status::Status;
use crate::{
    AcquireError, BeginError, Device, FrameError, Recorder, Service, ServiceOptions, SubmitOptions,
    SwapchainOptions, Ticket, TicketError, Trace, TraceKind, vk,
};
use null_device::{NullDevice, NullOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);

/// One of the owners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Pool,
    Queue,
    Retire,
    Shard,
}

/// Panics if a test wants `who` to. Quietly: the hook that prints is for panics that nobody planned.
pub(crate) fn panic_if_planted(status: &Status, who: Who) {
    let mut planted = lock(status.panics());
    if *planted == Some(who) {
        *planted = None;
        drop(planted);
        std::panic::resume_unwind(Box::new("on purpose"));
    }
}

fn service(null: &NullDevice, slot_deadline: Duration) -> Service {
    service_with(null, |options| {
        options.frames_in_flight = 3;
        options.slot_deadline = slot_deadline;
    })
}

fn service_with(null: &NullDevice, change: impl FnOnce(&mut ServiceOptions)) -> Service {
    // SAFETY: the functions are those of the device, which outlives the service.
    let device = unsafe { Device::load(null.handle(), |name| null.function(name)) };
    let mut options = ServiceOptions::new(null.queue(), 0);
    #[cfg(feature = "checks")]
    {
        // These tests record what no driver would take.
        options.checks.enabled = false;
    }
    change(&mut options);
    // SAFETY: the test leaves the queue to the service.
    unsafe { Service::new(device.expect("all functions are there"), options) }
        .expect("a service starts")
}

fn submit(service: &mut Service) -> Result<Ticket, BeginError> {
    submit_with(service, &Arc::default())
}

/// Something of the frame is kept alive until it is over.
fn submit_with(service: &mut Service, kept: &Arc<()>) -> Result<Ticket, BeginError> {
    let mut frame = service.begin_frame_timeout(LONG)?;
    frame.keep_alive(Arc::clone(kept));
    let pass = frame.outside(1).expect("room");
    if let Ok(slot) = pass.slot(0) {
        if let Ok(mut recorder) = slot.stream() {
            // SAFETY: the device takes any command.
            unsafe { recorder.cmd_draw(3, 1, 0, 0) };
            let kept = Arc::clone(kept);
            // SAFETY: it does nothing. What it holds goes with it, called or not.
            unsafe { recorder.record(move |_, _| drop(kept)) };
            let _ = recorder.finish();
        }
    }
    Ok(frame.submit(SubmitOptions::default()))
}

/// Waits for the end of a frame that an owner's panic has struck, or has not.
fn ends(mut ticket: Ticket) -> bool {
    match ticket.wait_timeout(LONG) {
        Ok(_) => true,
        Err(TicketError::Frame(FrameError::OwnerPanicked | FrameError::Aborted)) => false,
        Err(other) => panic!("{other}"),
    }
}

fn strikes(who: Who) {
    for driven_by_users in [false, true] {
        strikes_where(who, driven_by_users);
    }
}

fn strikes_where(who: Who, driven_by_users: bool) {
    let began = Instant::now();
    let kept = Arc::default();
    let null = NullOptions::default();
    let null = NullDevice::new(if driven_by_users {
        null
    } else {
        null.owner_only()
    });
    let told = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&told);
    let trace = Trace::new(move |event| {
        if event.kind == TraceKind::OwnerPanicked {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let mut service = service_with(&null, |options| {
        options.frames_in_flight = 3;
        options.slot_deadline = LONG;
        options.trace = Some(trace);
        options.driven_by_users = driven_by_users;
    });
    let options = SwapchainOptions {
        surface_fns: null.surface_fns(),
        physical_device: null.physical_device(),
        surface: null.surface(),
        extent: vk::Extent2D {
            width: 64,
            height: 64,
        },
        format: vk::SurfaceFormatKHR::default(),
        usage: vk::ImageUsageFlags::COLOR_ATTACHMENT,
        present_mode: vk::PresentModeKHR::FIFO,
        min_images: 3,
    };
    // SAFETY: the surface is the device's, which outlives the service.
    let chain = unsafe { service.create_swapchain(options) }.expect("the owner is there");
    assert!(ends(submit_with(&mut service, &kept).expect("a credit")));
    *lock(service.status().panics()) = Some(who);
    // The frame that meets the panic.
    let struck = submit_with(&mut service, &kept).expect("a credit");
    assert!(!ends(struck), "{who:?}");
    // Sooner or later no frame begins any more, and none hangs meanwhile.
    let mut after = 0;
    let refused = loop {
        match submit_with(&mut service, &kept) {
            Ok(ticket) => assert!(!ends(ticket), "{who:?}"),
            Err(error) => break error,
        }
        after += 1;
        assert!(after < 100, "{who:?}: frames begin for ever");
    };
    assert_eq!(refused, BeginError::Closed, "{who:?}");
    let mut acquire = chain.acquire(LONG);
    match acquire.wait_timeout(LONG) {
        Ok(Ok(image)) => assert!(who != Who::Queue, "{image:?}"),
        Ok(Err(error)) => assert_eq!(error, AcquireError::Closed),
        Err(error) => assert!(who == Who::Queue, "{error}"),
    }
    let report = service.shutdown(LONG);
    assert!(report.panicked && report.leaked > 0, "{who:?}: {report:?}");
    assert_eq!(report.panic_message(), Some("on purpose"));
    assert_eq!(told.load(Ordering::Relaxed), 1, "{who:?}: once");
    // The device has executed all that it got, so nothing need be kept.
    assert_eq!(Arc::strong_count(&kept), 1, "{who:?}");
    drop(chain);
    assert_eq!(null.violations(), []);
    assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
}

#[test]
fn the_pools_owner_panics() {
    strikes(Who::Pool);
}

#[test]
fn the_queues_owner_panics() {
    strikes(Who::Queue);
}

#[test]
fn the_retirements_owner_panics() {
    strikes(Who::Retire);
}

/// A shard that panics, in a job's hands: the frames that it records for fail, none begins any more, and what may still be
/// used is leaked and counted.
#[test]
fn a_shard_panics() {
    for nth in 0..4 {
        let began = Instant::now();
        let null = NullDevice::new(NullOptions::default().checked());
        let mut service = service_with(&null, |options| options.shards = 2);
        let kept = Arc::new(());
        let draw = |service: &mut Service, strike: u32| -> Result<Ticket, BeginError> {
            let mut frame = service.begin_frame_timeout(LONG)?;
            frame.keep_alive(Arc::clone(&kept));
            let pass = frame.outside_secondaries(4).expect("room");
            for slot in 0..4 {
                if slot == strike {
                    *lock(service.status().panics()) = Some(Who::Shard);
                }
                let Ok(slot) = pass.slot(slot) else { continue };
                let mut recorder = slot.stream().expect("a block");
                // SAFETY: the device takes any command.
                unsafe { recorder.cmd_draw(3, 1, 0, 0) };
                let _ = recorder.finish();
            }
            Ok(frame.submit(SubmitOptions::default()))
        };
        let mut ticket = draw(&mut service, u32::MAX).expect("a credit");
        ticket.wait_timeout(LONG).expect("executed");
        let mut struck = draw(&mut service, nth).expect("a credit");
        let error = struck.wait_timeout(LONG).err();
        assert_eq!(error, Some(TicketError::Frame(FrameError::OwnerPanicked)));
        let refused = draw(&mut service, u32::MAX).err();
        assert_eq!(refused, Some(BeginError::Closed));
        let report = service.shutdown(LONG);
        assert!(report.panicked && report.leaked > 0, "{report:?}");
        assert_eq!(report.panic_message(), Some("on purpose"));
        assert_eq!(Arc::strong_count(&kept), 1, "nothing is executed any more");
        assert_eq!(null.violations(), []);
        assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
    }
}

/// A frame that waits for a slot when another owner panics ends with the slot, and its deadline wakes nobody any more.
#[test]
fn a_deadline_of_a_frame_that_is_over_does_not_keep_the_owner_awake() {
    let slot_deadline = Duration::from_millis(500);
    let null = NullDevice::new(NullOptions::default());
    let mut service = service(&null, slot_deadline);
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside(1).expect("room");
    let slot = pass.slot(0).expect("nobody else took it");
    let waits = frame.submit(SubmitOptions::default());
    *lock(service.status().panics()) = Some(Who::Retire);
    assert!(!ends(submit(&mut service).expect("a credit")));
    // The pools' owner knows of the panic when it lets no more frames begin.
    let begun = Instant::now();
    while let Ok(ticket) = submit(&mut service) {
        assert!(!ends(ticket) && begun.elapsed() < LONG);
    }
    slot.stream()
        .expect("a block")
        .finish()
        .expect("the owner is there");
    assert!(!ends(waits));
    // An owner that were kept awake would wake thousands of times now.
    while begun.elapsed() < 2 * slot_deadline {
        std::thread::yield_now();
    }
    assert!(service.status().wakes.load(Ordering::Relaxed) <= 2);
    service.shutdown(LONG);
}
