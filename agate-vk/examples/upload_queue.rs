//! Two services on one device: one uploads on a transfer queue, the other uses what was uploaded on the main queue, and
//! waits for it on the GPU alone.
//!
//! Where the device has one queue only, both services share it under a lock. The example checks what comes out, and needs
//! no window: `cargo run -p agate-vk --example upload_queue`.

#![allow(unsafe_code, reason = "every Vulkan call is unsafe")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "commands come in groups"
)]

mod support;

use agate_vk::{QueueGuard, QueueMode, Recorder, Service, ServiceOptions, SubmitOptions, vk};
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use support::{Failure, Host, LONG, memory_barrier};

const BYTES: usize = 64 << 10;
const UPLOADS: u8 = 16;

fn service(
    host: &Host,
    (family, queue): (u32, vk::Queue),
    mode: QueueMode,
) -> Result<Service, Failure> {
    let mut options = ServiceOptions::new(queue, family);
    options.queue_mode = mode;
    // SAFETY: the device lives longer, and nobody else uses the queue, or under the lock alone.
    unsafe {
        let device = agate_vk::Device::from_ash(&host.instance, &host.device)?;
        Ok(Service::new(device, options)?)
    }
}

/// The host's lock, for a queue that both services use.
static LOCKED: AtomicBool = AtomicBool::new(false);

unsafe extern "C" fn lock(_: *mut c_void, _: vk::Queue) {
    while LOCKED.swap(true, Ordering::Acquire) {
        std::thread::yield_now();
    }
}

unsafe extern "C" fn unlock(_: *mut c_void, _: vk::Queue) {
    LOCKED.store(false, Ordering::Release);
}

fn main() -> Result<(), Failure> {
    let Some(host) = Host::or_skip()? else {
        return Ok(());
    };
    let mode = if host.main.1 == host.transfer.1 {
        println!("one queue, shared under a lock");
        // SAFETY: the lock is static and excludes.
        QueueMode::Guarded(unsafe { QueueGuard::new(lock, unlock, std::ptr::null_mut()) })
    } else {
        println!("families {} and {}", host.main.0, host.transfer.0);
        QueueMode::Owned
    };
    let mut uploads = service(&host, host.transfer, mode)?;
    let mut draws = service(&host, host.main, mode)?;
    let usage = vk::BufferUsageFlags::TRANSFER_SRC | vk::BufferUsageFlags::TRANSFER_DST;
    let buffer = || host.buffer(BYTES, usage);
    let (mut staging, texture, picture) = (buffer()?, buffer()?, buffer()?);
    let copy = [vk::BufferCopy::default().size(BYTES as u64)];
    for byte in 1..=UPLOADS {
        staging.bytes_mut().fill(byte);
        let uploaded = uploads.submit_once_timeout(
            LONG,
            SubmitOptions::default(),
            // SAFETY: the buffers live until the tickets have resolved.
            |recorder| unsafe { recorder.cmd_copy_buffer(staging.buffer, texture.buffer, &copy) },
        )?;
        // The main queue's owner holds this back until the upload has been submitted; the GPU does the rest.
        let mut drawn = draws.submit_once_timeout(
            LONG,
            SubmitOptions::default().after(&uploaded, vk::PipelineStageFlags2::COPY),
            // SAFETY: as above.
            |recorder| unsafe {
                recorder.cmd_copy_buffer(texture.buffer, picture.buffer, &copy);
                // The host reads it.
                let barrier = memory_barrier(
                    (
                        vk::PipelineStageFlags2::COPY,
                        vk::AccessFlags2::TRANSFER_WRITE,
                    ),
                    (vk::PipelineStageFlags2::HOST, vk::AccessFlags2::HOST_READ),
                );
                let info = vk::DependencyInfo::default().memory_barriers(&barrier);
                recorder.cmd_pipeline_barrier2(&info);
            },
        )?;
        drawn.wait_timeout(LONG)?;
        let seen = picture.bytes().iter().all(|found| *found == byte);
        assert!(seen, "the picture shows another upload");
    }
    let leaked = uploads.shutdown(LONG).leaked + draws.shutdown(LONG).leaked;
    assert_eq!(leaked, 0, "something is left");
    drop((staging, texture, picture));
    println!("{UPLOADS} uploads of {BYTES} bytes, each seen by the other queue");
    host.close()
}
