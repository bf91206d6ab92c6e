//! Jobs hand the command buffer to code that records by itself: an upscaler, a user interface, a command of an extension
//! that no recorder has. Each wraps it in a closure, which the owner of the command pool calls in its turn.
//!
//! Here the library stamps a pattern into a buffer, between a job's own commands. The example checks what comes out, and
//! needs no window: `cargo run -p agate-vk --example ext_closure`.

#![allow(unsafe_code, reason = "every Vulkan call is unsafe")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a device with its buffers is made in one go"
)]

use agate_vk::{
    FrameError, Pass, Recorder, Service, ServiceOptions, SlotLoss, SubmitOptions, TicketError, ash,
    vk,
};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

type Failure = Box<dyn Error + Send + Sync>;

const LONG: Duration = Duration::from_secs(5);
const JOBS: u32 = 4;
const FRAMES: u32 = 8;
/// Bytes of each job's share of the buffer.
const SHARE: u64 = 4 << 10;
const BYTES: u64 = SHARE * JOBS as u64;
const STAMP: usize = 64;

/// Somebody else's code: it knows Vulkan, and nothing of agate-vk.
struct Stamps {
    used: AtomicU32,
}

impl Stamps {
    /// Stamps the bytes in the middle of the share at `offset`.
    ///
    /// # Safety
    ///
    /// Valid usage of `vkCmdUpdateBuffer`.
    unsafe fn stamp(
        &self,
        device: &ash::Device,
        commands: vk::CommandBuffer,
        (buffer, offset): (vk::Buffer, u64),
        pattern: &[u8; STAMP],
    ) {
        // SAFETY: the caller's contract.
        unsafe { device.cmd_update_buffer(commands, buffer, offset + SHARE / 2, pattern) };
        self.used.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the job's share of the picture is to look like.
fn expected(frame: u32, job: u32) -> Vec<u8> {
    let (fill, stamp) = ((frame * JOBS + job) as u8, (job + 100) as u8);
    let mut share = vec![fill; SHARE as usize];
    share[SHARE as usize / 2..][..STAMP].fill(stamp);
    share
}

/// One job: fill, stamp over it by the closure, copy.
fn record(
    pass: &Pass,
    frame: u32,
    stamps: &Arc<Stamps>,
    (canvas, picture): (vk::Buffer, vk::Buffer),
) -> Result<(), Failure> {
    let slot = pass.next_slot()?;
    let job = slot.place().map_or(0, |place| place.slot);
    let mut recorder = slot.stream()?;
    let (offset, stamps) = (u64::from(job) * SHARE, Arc::clone(stamps));
    let (fill, pattern) = ((frame * JOBS + job) as u8, [(job + 100) as u8; STAMP]);
    // SAFETY: the buffers live until the tickets have resolved, and the barriers order what is done to them.
    unsafe {
        recorder.cmd_fill_buffer(canvas, offset, SHARE, u32::from_ne_bytes([fill; 4]));
        transfers_in_order(&mut recorder);
        recorder.record(move |device, commands| {
            stamps.stamp(device, commands, (canvas, offset), &pattern);
        });
        transfers_in_order(&mut recorder);
        let copy = vk::BufferCopy::default()
            .src_offset(offset)
            .dst_offset(offset)
            .size(SHARE);
        recorder.cmd_copy_buffer(canvas, picture, &[copy]);
    }
    Ok(recorder.finish()?)
}

/// What is transferred behind this sees what was transferred before it.
///
/// # Safety
///
/// Outside of render passes.
unsafe fn transfers_in_order(recorder: &mut impl Recorder) {
    let barrier = [vk::MemoryBarrier2::default()
        .src_stage_mask(vk::PipelineStageFlags2::ALL_TRANSFER)
        .src_access_mask(vk::AccessFlags2::TRANSFER_WRITE)
        .dst_stage_mask(vk::PipelineStageFlags2::ALL_TRANSFER | vk::PipelineStageFlags2::HOST)
        .dst_access_mask(
            vk::AccessFlags2::TRANSFER_READ
                | vk::AccessFlags2::TRANSFER_WRITE
                | vk::AccessFlags2::HOST_READ,
        )];
    let info = vk::DependencyInfo::default().memory_barriers(&barrier);
    // SAFETY: the caller's contract.
    unsafe { recorder.cmd_pipeline_barrier2(&info) };
}

/// A frame whose jobs all stamp.
fn frame(
    service: &mut Service,
    number: u32,
    stamps: &Arc<Stamps>,
    buffers: (vk::Buffer, vk::Buffer),
) -> Result<(), Failure> {
    let mut frame = service.begin_frame_timeout(LONG)?;
    let pass = frame.outside(JOBS)?;
    // What the last frame did to the buffers comes first, and the host reads when the last of this one's copies is done.
    let end = frame.outside(1)?;
    std::thread::scope(|threads| -> Result<(), Failure> {
        let job = || record(&pass, number, stamps, buffers);
        let jobs: Vec<_> = (0..JOBS).map(|_| threads.spawn(job)).collect();
        for job in jobs {
            job.join().map_err(|_| "a job panicked")??;
        }
        Ok(())
    })?;
    let mut recorder = end.next_slot()?.stream()?;
    // SAFETY: the pass is outside.
    unsafe { transfers_in_order(&mut recorder) };
    recorder.finish()?;
    frame.submit(SubmitOptions::default()).wait_timeout(LONG)?;
    Ok(())
}

/// A frame that fails: what its closures hold is dropped with them.
fn lost_frame(service: &mut Service, stamps: &Arc<Stamps>) -> Result<(), Failure> {
    let used = stamps.used.load(Ordering::Relaxed);
    let mut frame = service.begin_frame_timeout(LONG)?;
    let mut recorder = frame.outside(1)?.next_slot()?.stream()?;
    let held = Arc::clone(stamps);
    // SAFETY: it records nothing.
    unsafe { recorder.record(move |_, _| drop(held)) };
    drop(recorder);
    let lost = frame.submit(SubmitOptions::default()).wait_timeout(LONG);
    let error = FrameError::SlotLost {
        pass: 0,
        slot: 0,
        loss: SlotLoss::Dropped,
    };
    assert_eq!(lost.map(|_| ()), Err(TicketError::Frame(error)));
    assert_eq!(Arc::strong_count(stamps), 1, "a closure is left");
    assert_eq!(stamps.used.load(Ordering::Relaxed), used);
    Ok(())
}

fn main() -> Result<(), Failure> {
    let host = Host::new()?;
    // SAFETY: the device outlives the service, and nobody else uses the queue.
    let mut service = unsafe {
        let device = agate_vk::Device::from_ash(&host.instance, &host.device)?;
        Service::new(device, ServiceOptions::new(host.queue, host.family))?
    };
    let (canvas, picture) = (host.buffer()?, host.buffer()?);
    let stamps = Arc::new(Stamps {
        used: AtomicU32::new(0),
    });
    for number in 0..FRAMES {
        frame(
            &mut service,
            number,
            &stamps,
            (canvas.buffer, picture.buffer),
        )?;
        for job in 0..JOBS {
            assert_eq!(picture.share(job), expected(number, job), "job {job}");
        }
    }
    assert_eq!(stamps.used.load(Ordering::Relaxed), FRAMES * JOBS);
    lost_frame(&mut service, &stamps)?;
    assert_eq!(service.shutdown(LONG).leaked, 0, "something is left");
    drop((canvas, picture));
    host.destroy();
    println!("{FRAMES} frames of {JOBS} jobs, each with somebody else's commands between its own");
    Ok(())
}

/// A device with one queue.
struct Host {
    _entry: ash::Entry,
    instance: ash::Instance,
    device: ash::Device,
    memory: vk::PhysicalDeviceMemoryProperties,
    family: u32,
    queue: vk::Queue,
}

impl Host {
    fn new() -> Result<Self, Failure> {
        // SAFETY: valid usage; what is made here is destroyed by `destroy`.
        unsafe {
            let entry = ash::Entry::load()?;
            let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
            let info = vk::InstanceCreateInfo::default().application_info(&application);
            let instance = entry.create_instance(&info, None)?;
            let devices = instance.enumerate_physical_devices()?;
            let physical = *devices.first().ok_or("no device")?;
            let families = instance.get_physical_device_queue_family_properties(physical);
            let graphics = |family: &vk::QueueFamilyProperties| {
                family.queue_flags.contains(vk::QueueFlags::GRAPHICS)
            };
            let family = families.iter().position(graphics).ok_or("no queue")? as u32;
            let queues = [vk::DeviceQueueCreateInfo::default()
                .queue_family_index(family)
                .queue_priorities(&[1.0])];
            let mut features12 =
                vk::PhysicalDeviceVulkan12Features::default().timeline_semaphore(true);
            let mut features13 =
                vk::PhysicalDeviceVulkan13Features::default().synchronization2(true);
            let info = vk::DeviceCreateInfo::default()
                .queue_create_infos(&queues)
                .push_next(&mut features12)
                .push_next(&mut features13);
            let device = instance.create_device(physical, &info, None)?;
            Ok(Self {
                queue: device.get_device_queue(family, 0),
                memory: instance.get_physical_device_memory_properties(physical),
                _entry: entry,
                instance,
                device,
                family,
            })
        }
    }

    /// A buffer that the host can read.
    fn buffer(&self) -> Result<Buffer<'_>, Failure> {
        let usage = vk::BufferUsageFlags::TRANSFER_SRC | vk::BufferUsageFlags::TRANSFER_DST;
        let info = vk::BufferCreateInfo::default().size(BYTES).usage(usage);
        let kind = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
        // SAFETY: valid usage; the memory is as large as the buffer asks for.
        unsafe {
            let buffer = self.device.create_buffer(&info, None)?;
            let needs = self.device.get_buffer_memory_requirements(buffer);
            let types = self.memory.memory_types_as_slice();
            let fits = |(i, found): &(usize, &vk::MemoryType)| {
                needs.memory_type_bits >> i & 1 == 1 && found.property_flags.contains(kind)
            };
            let index = types.iter().enumerate().find(fits).ok_or("no memory")?.0;
            let info = vk::MemoryAllocateInfo::default()
                .allocation_size(needs.size)
                .memory_type_index(index as u32);
            let memory = self.device.allocate_memory(&info, None)?;
            self.device.bind_buffer_memory(buffer, memory, 0)?;
            let flags = vk::MemoryMapFlags::empty();
            let mapped = self.device.map_memory(memory, 0, vk::WHOLE_SIZE, flags)?;
            Ok(Buffer {
                host: self,
                buffer,
                memory,
                mapped: mapped.cast(),
            })
        }
    }

    fn destroy(self) {
        // SAFETY: service and buffers are gone.
        unsafe {
            self.device.destroy_device(None);
            self.instance.destroy_instance(None);
        }
    }
}

struct Buffer<'a> {
    host: &'a Host,
    buffer: vk::Buffer,
    memory: vk::DeviceMemory,
    mapped: *const u8,
}

impl Buffer<'_> {
    /// What is in a job's share.
    fn share(&self, job: u32) -> &[u8] {
        let start = self.mapped.wrapping_add((u64::from(job) * SHARE) as usize);
        // SAFETY: so many bytes are mapped, and the GPU does not use them now.
        unsafe { std::slice::from_raw_parts(start, SHARE as usize) }
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        // SAFETY: all tickets have resolved.
        unsafe {
            self.host.device.destroy_buffer(self.buffer, None);
            self.host.device.free_memory(self.memory, None);
        }
    }
}
