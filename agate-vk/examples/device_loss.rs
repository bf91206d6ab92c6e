//! A device that is lost: what the host hears, what it does, and how it goes on with another device.
//!
//! No driver loses its device on demand, so this runs on the null device of this repository's tests, whose calls can be
//! made to fail. What agate-vk does is the same on any device. `cargo run -p agate-vk --example device_loss`.

#![allow(unsafe_code, reason = "every Vulkan call is unsafe")]

use agate_vk::{
    BeginError, FrameError, OnceError, Recorder, Service, ServiceError, ServiceOptions,
    SubmitOptions, Ticket, TicketError, vk,
};
use null_device::{NullDevice, NullOptions};
use std::error::Error;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(20);
const FRAMES: u64 = 10;

/// The device with all that hangs on it: what is made anew after a loss.
struct Gpu {
    service: Service,
    device: NullDevice,
}

impl Gpu {
    fn new() -> Result<Self, ServiceError> {
        let device = NullDevice::new(NullOptions::default());
        // SAFETY: the functions are the device's.
        let functions =
            unsafe { agate_vk::Device::load(device.handle(), |name| device.function(name)) };
        let functions = functions.expect("the null device has all functions");
        let options = ServiceOptions::new(device.queue(), 0);
        // SAFETY: the device lives longer than the service, and the queue is the service's alone.
        let service = unsafe { Service::new(functions, options)? };
        Ok(Self { service, device })
    }

    /// Ends the service, then the device. After a loss no more is called than what destroys.
    fn end(self) {
        let report = self.service.shutdown(LONG);
        // A lost device executes nothing any more, so its objects can be destroyed.
        assert_eq!(report.leaked, 0, "the device must not be destroyed");
        drop(self.device);
    }

    fn submit(&mut self) -> Result<Ticket, OnceError> {
        let options = SubmitOptions::default();
        self.service
            // SAFETY: the null device draws nothing.
            .submit_once_timeout(LONG, options, |recorder| unsafe {
                recorder.cmd_draw(3, 1, 0, 0);
            })
    }
}

/// How the host's loop ends.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Done,
    /// Make everything anew.
    DeviceLost,
}

/// The host's loop. A loss can show at two places: where a frame begins, and in the ticket of one that was submitted.
fn run(gpu: &mut Gpu, executed: &mut u64) -> Result<End, Box<dyn Error>> {
    while *executed < FRAMES {
        let mut ticket = match gpu.submit() {
            Err(OnceError::Begin(BeginError::DeviceLost)) => return Ok(End::DeviceLost),
            submitted => submitted?,
        };
        match ticket.wait_timeout(LONG) {
            Err(TicketError::Frame(FrameError::DeviceLost)) => return Ok(End::DeviceLost),
            report => report?,
        };
        *executed += 1;
    }
    Ok(End::Done)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut executed = 0;
    let mut gpu = Gpu::new()?;
    // The fourth submission is the one that loses the device.
    gpu.device
        .fail("vkQueueSubmit2", 4, vk::Result::ERROR_DEVICE_LOST);
    assert_eq!(run(&mut gpu, &mut executed)?, End::DeviceLost);
    println!("lost after {executed} frames");
    assert_eq!(executed, 3);

    // From now on every call of the service says so at once; nothing hangs, and nothing more is asked of the driver.
    let refused = gpu.service.try_begin_frame().err();
    assert_eq!(refused, Some(BeginError::DeviceLost));

    // Frames that were lost are the host's to draw again: what they were to change may be changed in part.
    gpu.end();
    let mut gpu = Gpu::new()?;
    assert_eq!(run(&mut gpu, &mut executed)?, End::Done);
    gpu.end();
    println!("{executed} frames in the end, with a second device");
    Ok(())
}
