//! A service on a device without a driver, for the tests that must run anywhere.

#![allow(unsafe_code, reason = "makes services")]
#![allow(dead_code, reason = "each test file uses the part that it needs")]

use agate_vk::{
    AcquireError, Acquired, Frame, FrameReport, Pass, Recorder, Service, ServiceError,
    ServiceOptions, SubmitOptions, Swapchain, SwapchainOptions, Ticket, TicketError, vk,
};
use null_device::{Live, NullDevice, NullOptions};
use std::ffi::{CStr, c_void};
use std::time::{Duration, Instant};

/// Far beyond any real wait, so that a hang ends as a failure.
pub(crate) const LONG: Duration = Duration::from_secs(if cfg!(miri) { 900 } else { 20 });

/// A device that looks at everything and lets nobody but the first thread use a pool or the queue.
pub(crate) fn checked() -> NullDevice {
    NullDevice::new(NullOptions::default().owner_only())
}

/// As `checked`; what is submitted stays pending until the test releases it.
pub(crate) fn manual() -> NullDevice {
    NullDevice::new(NullOptions::default().owner_only().manual())
}

pub(crate) fn try_service(
    null: &NullDevice,
    change: impl FnOnce(&mut ServiceOptions),
) -> Result<Service, ServiceError> {
    try_service_of(device(null, |_| None), null, change)
}

/// The device's functions, or those that the test has in their place.
pub(crate) fn device(
    null: &NullDevice,
    own: impl Fn(&CStr) -> Option<*const c_void>,
) -> agate_vk::Device {
    let load = |name: &CStr| own(name).unwrap_or_else(|| null.function(name));
    // SAFETY: the functions are those of the device, which outlives the service, or go on to those.
    let device = unsafe { agate_vk::Device::load(null.handle(), load) };
    // SAFETY: where the device has the functions, they may be called.
    unsafe { device.expect("all functions are there").with_debug_utils() }
}

pub(crate) fn try_service_of(
    device: agate_vk::Device,
    null: &NullDevice,
    change: impl FnOnce(&mut ServiceOptions),
) -> Result<Service, ServiceError> {
    let mut options = ServiceOptions::new(null.queue(), 0);
    #[cfg(feature = "checks")]
    {
        // Most tests record what no driver would take.
        options.checks.enabled = false;
    }
    change(&mut options);
    // SAFETY: the test leaves the queue to the service.
    unsafe { Service::new(device, options) }
}

pub(crate) fn service(null: &NullDevice, change: impl FnOnce(&mut ServiceOptions)) -> Service {
    try_service(null, change).expect("a service starts")
}

/// Ends the service: in time, with nothing left, and no rule broken meanwhile.
pub(crate) fn close(service: Service, null: &NullDevice) {
    let began = Instant::now();
    let report = service.shutdown(LONG);
    assert_eq!((report.leaked, report.panicked), (0, false));
    assert!(report.payload.is_none());
    assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
    assert_eq!(null.live(), Live::default());
    assert_eq!(null.violations(), []);
}

/// Records one draw.
pub(crate) fn draw(pass: &Pass, slot: u32) {
    let mut recorder = pass.slot(slot).expect("free").stream().expect("room");
    // SAFETY: the device takes any command.
    unsafe { recorder.cmd_draw(3, 1, 0, slot) };
    recorder.finish().expect("the owner is there");
}

/// Begins a frame with one slot, recorded.
pub(crate) fn drawn(service: &mut Service) -> Frame {
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside(1).expect("room");
    draw(&pass, 0);
    frame
}

/// Submits a frame with one slot.
pub(crate) fn submit(service: &mut Service) -> Ticket {
    drawn(service).submit(SubmitOptions::default())
}

/// Runs a frame with one slot to its end.
pub(crate) fn run(service: &mut Service) -> Result<FrameReport, TicketError> {
    submit(service).wait_timeout(LONG)
}

/// For the device's surface.
pub(crate) fn swapchain_options(null: &NullDevice, size: (u32, u32)) -> SwapchainOptions {
    SwapchainOptions {
        surface_fns: null.surface_fns(),
        physical_device: null.physical_device(),
        surface: null.surface(),
        extent: vk::Extent2D {
            width: size.0,
            height: size.1,
        },
        format: vk::SurfaceFormatKHR::default(),
        usage: vk::ImageUsageFlags::COLOR_ATTACHMENT,
        present_mode: vk::PresentModeKHR::FIFO,
        min_images: 3,
    }
}

/// Makes a swapchain of the device's surface.
pub(crate) fn swapchain(service: &mut Service, null: &NullDevice, size: (u32, u32)) -> Swapchain {
    // SAFETY: the surface is the device's, which outlives the service.
    unsafe { service.create_swapchain(swapchain_options(null, size)) }.expect("the owner is there")
}

/// Acquires, and waits for the answer.
pub(crate) fn acquire(swapchain: &Swapchain) -> Result<Acquired, AcquireError> {
    let mut answer = swapchain.acquire(LONG);
    answer
        .wait_timeout(LONG)
        .unwrap_or(Err(AcquireError::Closed))
}

/// Draws to an image and presents it.
pub(crate) fn present(service: &mut Service, image: Acquired) -> Result<FrameReport, TicketError> {
    let stages = vk::PipelineStageFlags2::COLOR_ATTACHMENT_OUTPUT;
    let options = SubmitOptions::default().present(image, stages);
    drawn(service).submit(options).wait_timeout(LONG)
}

/// Waits until something has become true; whether it has.
#[track_caller]
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < LONG, "never: {what}");
        std::thread::yield_now();
    }
}

/// Numbers that are the same in each run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// Panics when it is dropped, unless a panic is under way: the worst that a panic can carry.
pub(crate) struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            std::panic::resume_unwind(Box::new("the bomb"));
        }
    }
}

/// Panics with a bomb, quietly.
pub(crate) fn explode() -> ! {
    std::panic::resume_unwind(Box::new(Bomb))
}
