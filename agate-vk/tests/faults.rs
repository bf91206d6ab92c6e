//! Every Vulkan call of a service returns everything that it can return, at its first, second and third call: nothing
//! hangs, nothing leaks, who asked is told, and a service can be made anew on the same device.

#![allow(unsafe_code, reason = "makes services")]

#[path = "support/returns.rs"]
mod returns;
#[path = "support/null.rs"]
mod support;

use agate_vk::{
    AcquireError, BeginError, FrameError, RecordError, Recorder, Service, ServiceError,
    ServiceOptions, SlotLoss, SubmitOptions, TicketError, vk,
};
use null_device::{Live, NullDevice, NullOptions};
use returns::TABLE;
use std::time::{Duration, Instant};
use support::{LONG, acquire, present, swapchain, try_service};

/// How the slots of a session's frames are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lanes {
    /// By messages, into the primary.
    Stitched,
    /// Into secondaries: by messages, and by leases.
    Secondaries,
    /// The same, and what messages say is replayed by shards.
    Shards,
}

/// What a session was told, in order.
#[derive(Debug, Default)]
struct Told {
    errors: Vec<(&'static str, vk::Result)>,
    /// The device or the surface is lost.
    lost: bool,
    other: Vec<String>,
}

impl Told {
    fn frame(&mut self, error: TicketError) {
        match error {
            TicketError::Frame(FrameError::Vulkan { call, result }) => {
                self.errors.push((call, result));
            }
            TicketError::Frame(FrameError::DeviceLost) => self.lost = true,
            TicketError::Frame(FrameError::SlotLost {
                loss: SlotLoss::Failed(error),
                ..
            }) => self.record(error),
            other => self.other.push(other.to_string()),
        }
    }

    fn record(&mut self, error: RecordError) {
        match error {
            RecordError::Vulkan { call, result } => self.errors.push((call, result)),
            RecordError::DeviceLost => self.lost = true,
            other => self.other.push(other.to_string()),
        }
    }

    fn acquire(&mut self, error: AcquireError) {
        match error {
            AcquireError::Vulkan { call, result } => self.errors.push((call, result)),
            AcquireError::DeviceLost | AcquireError::SurfaceLost => self.lost = true,
            other => self.other.push(other.to_string()),
        }
    }

    fn is_empty(&self) -> bool {
        self.errors.is_empty() && !self.lost && self.other.is_empty()
    }
}

/// Where pools go from thread to thread they belong to none.
fn checked(lanes: Lanes) -> NullDevice {
    let options = NullOptions::default().labels();
    NullDevice::new(match lanes {
        Lanes::Stitched => options.owner_only(),
        Lanes::Secondaries | Lanes::Shards => options.checked(),
    })
}

/// Records a frame, submits it and waits for its end.
fn frame(service: &mut Service, lanes: Lanes, told: &mut Told) {
    let mut frame = match service.begin_frame_timeout(LONG) {
        Ok(frame) => frame,
        Err(BeginError::DeviceLost) => return told.lost = true,
        Err(error) => panic!("{error}"),
    };
    let pass = match lanes {
        Lanes::Stitched => frame.outside(4),
        Lanes::Secondaries | Lanes::Shards => frame.outside_secondaries(4),
    };
    let pass = pass.expect("room");
    for index in 0..4 {
        let slot = pass.slot(index).expect("free");
        let recorded = if lanes == Lanes::Stitched || index < 2 {
            slot.stream().and_then(|mut recorder| {
                // SAFETY: the device takes any command.
                unsafe { recorder.cmd_draw(3, 1, 0, index) };
                recorder.finish()
            })
        } else {
            slot.lease().and_then(|mut recorder| {
                // SAFETY: the device takes any command.
                unsafe { recorder.cmd_draw(3, 1, 0, index) };
                recorder.finish()
            })
        };
        if let Err(error) = recorded {
            told.record(error);
        }
    }
    let ended = frame.submit(SubmitOptions::default()).wait_timeout(LONG);
    ended.map_or_else(|error| told.frame(error), drop);
}

/// A service that does all that it can: frames, images of two sizes, one that is given up, and its end.
fn session(null: &NullDevice, lanes: Lanes) -> Told {
    let mut told = Told::default();
    null.hand_over();
    let service = try_service(null, |options| {
        options.frames_in_flight = 3;
        options.shards = if lanes == Lanes::Shards { 2 } else { 0 };
    });
    let mut service = match service {
        Ok(service) => service,
        Err(ServiceError::Vulkan { call, result }) => {
            told.errors.push((call, result));
            return told;
        }
        Err(error) => panic!("{error}"),
    };
    let chain = swapchain(&mut service, null, (64, 64));
    for step in 0..5 {
        if step < 3 {
            let (width, height) = (32 + step, 32);
            chain.resize(vk::Extent2D { width, height });
        }
        match acquire(&chain).map(|image| present(&mut service, image)) {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => told.frame(error),
            Err(error) => told.acquire(error),
        }
    }
    match acquire(&chain) {
        Ok(image) => drop(image),
        Err(error) => told.acquire(error),
    }
    (0..4).for_each(|_| frame(&mut service, lanes, &mut told));
    let mut gone = chain.destroy();
    let gone = gone.wait_timeout(LONG);
    assert!(gone.is_ok(), "the swapchain is not destroyed: {gone:?}");
    // Who asks after that hears of a device that was lost while nobody asked for anything.
    told.lost |= service.try_begin_frame().err() == Some(BeginError::DeviceLost);
    let report = service.shutdown(LONG);
    assert_eq!((report.leaked, report.panicked), (0, false));
    told
}

/// What is done again or made good, so that nobody need be told.
fn is_made_good(call: &str, result: vk::Result) -> bool {
    matches!(
        call,
        "vkSetDebugUtilsObjectNameEXT"
            | "vkResetCommandPool"
            | "vkQueueWaitIdle"
            | "vkWaitSemaphores"
    ) || result.as_raw() >= 0 && result != vk::Result::INCOMPLETE
        || result == vk::Result::ERROR_OUT_OF_DATE_KHR
}

fn case(call: &'static str, nth: u32, result: vk::Result, lanes: Lanes) {
    let what = format!("{lanes:?}: {call} number {nth} returns {result:?}");
    let null = checked(lanes);
    null.fail(call, nth, result);
    let began = Instant::now();
    let told = session(&null, lanes);
    assert!(began.elapsed() < LONG, "{what}: {:?}", began.elapsed());
    assert_eq!(null.planted(), 0, "{what}: no such call");
    assert_eq!(null.live(), Live::default(), "{what}");
    assert_eq!(null.violations(), [], "{what}");
    assert!(told.other.is_empty(), "{what}: {told:?}");
    let planted = (call, result);
    match result {
        vk::Result::ERROR_DEVICE_LOST | vk::Result::ERROR_SURFACE_LOST_KHR => {
            assert!(told.lost, "{what}: nobody was told: {told:?}");
        }
        _ if is_made_good(call, result) => {}
        _ => assert!(told.errors.contains(&planted), "{what}: {told:?}"),
    }
    assert!(
        told.errors.iter().all(|error| *error == planted),
        "{what}: {told:?}"
    );
    // The same device, again.
    let told = session(&null, lanes);
    if result == vk::Result::ERROR_DEVICE_LOST {
        assert!(!told.is_empty(), "{what}: a lost device works again");
    } else {
        assert!(told.is_empty(), "{what}, and then: {told:?}");
    }
    assert_eq!(null.live(), Live::default(), "{what}, again");
    assert_eq!(null.violations(), [], "{what}, again");
}

fn cases(lanes: Lanes, select: impl Fn(&str) -> bool) {
    let log = clean(lanes);
    for row in TABLE.iter().filter(|row| select(row.call)) {
        // Those of secondaries and leases come later. The very last, and some in between, are of what nobody asks about.
        let times = log.iter().filter(|call| **call == row.call).count() as u32;
        let all = match lanes {
            Lanes::Stitched => vec![1, 2, 3],
            // How often the device is waited for depends on times.
            _ if row.call == "vkWaitSemaphores" => vec![1, 3],
            _ => vec![times / 3 + 1, 2 * times / 3 + 1, 5 * times / 6 + 1],
        };
        for result in row.results {
            for nth in &all {
                case(row.call, *nth, *result, lanes);
            }
        }
    }
}

/// The calls of a session in which nothing fails.
fn clean(lanes: Lanes) -> Vec<&'static str> {
    let null = checked(lanes);
    let told = session(&null, lanes);
    assert!(told.is_empty(), "{told:?}");
    null.log()
}

fn is_of_a_surface(call: &str) -> bool {
    call.ends_with("KHR")
}

#[test]
fn each_call_of_surfaces_and_swapchains() {
    cases(Lanes::Stitched, is_of_a_surface);
}

#[test]
fn each_other_call() {
    cases(Lanes::Stitched, |call| !is_of_a_surface(call));
}

#[test]
fn each_call_with_secondaries_and_leases() {
    cases(Lanes::Secondaries, |call| !is_of_a_surface(call));
}

#[test]
fn each_call_with_shards() {
    cases(Lanes::Shards, |call| !is_of_a_surface(call));
}

#[test]
fn the_table_has_all_calls() {
    let log = clean(Lanes::Stitched);
    let silent = |call: &str| {
        ["vkCmd", "vkDestroy", "vkFree"]
            .iter()
            .any(|kind| call.starts_with(kind))
            || call.ends_with("DebugUtilsLabelEXT")
    };
    for call in &log {
        assert!(
            silent(call) || TABLE.iter().any(|row| row.call == *call),
            "{call} is not in the table"
        );
    }
    for row in TABLE {
        let times = log.iter().filter(|call| **call == row.call).count();
        assert!(times >= 3, "{} is called {times} times", row.call);
    }
}

/// A call fails each time: everything still ends, and what is not in doubt is destroyed.
#[test]
fn each_call_fails_for_good() {
    let lanes = [Lanes::Stitched, Lanes::Secondaries, Lanes::Shards];
    for (row, lanes) in TABLE.iter().flat_map(|row| lanes.map(|lanes| (row, lanes))) {
        let null = checked(lanes);
        null.fail_always(row.call, vk::Result::ERROR_OUT_OF_HOST_MEMORY);
        let began = Instant::now();
        let shards = |options: &mut ServiceOptions| {
            options.shards = if lanes == Lanes::Shards { 2 } else { 0 };
        };
        if let Ok(mut service) = try_service(&null, shards) {
            let chain = swapchain(&mut service, &null, (64, 64));
            for _ in 0..3 {
                if let Ok(image) = acquire(&chain) {
                    let _ = present(&mut service, image);
                }
                if row.call != "vkWaitSemaphores" {
                    // Who waits for the device waits for ever.
                    frame(&mut service, lanes, &mut Told::default());
                }
            }
            drop(chain);
            // Who cannot wait for the device ends when the time is up.
            let report = service.shutdown(Duration::from_millis(200));
            assert!(!report.panicked, "{}", row.call);
        }
        assert!(began.elapsed() < LONG, "{}", row.call);
        assert_eq!(null.violations(), [], "{}", row.call);
        null.clear_plan();
    }
}
