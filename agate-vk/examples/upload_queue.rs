//! Two services on one device: one uploads on a transfer queue, the other uses what was uploaded on the main queue, and
//! waits for it on the GPU alone.
//!
//! Where the device has one queue only, both services share it under a lock. The example checks what comes out, and needs
//! no window: `cargo run -p agate-vk --example upload_queue`.

#![allow(unsafe_code, reason = "every Vulkan call is unsafe")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a device with its buffers is made in one go"
)]

use agate_vk::{QueueGuard, QueueMode, Recorder, Service, ServiceOptions, SubmitOptions, ash, vk};
use std::error::Error;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

type Failure = Box<dyn Error>;

const LONG: Duration = Duration::from_secs(5);
const BYTES: usize = 64 << 10;
const UPLOADS: u8 = 16;

/// An instance with one device, and two queues of it, which may be the same.
struct Host {
    _entry: ash::Entry,
    instance: ash::Instance,
    device: ash::Device,
    memory: vk::PhysicalDeviceMemoryProperties,
    /// Family and queue: for drawing and for uploads.
    main: (u32, vk::Queue),
    transfer: (u32, vk::Queue),
}

impl Host {
    fn new() -> Result<Self, Failure> {
        // SAFETY: valid usage; what is made here is destroyed by `destroy`.
        unsafe {
            let entry = ash::Entry::load()?;
            let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
            let info = vk::InstanceCreateInfo::default().application_info(&application);
            let instance = entry.create_instance(&info, None)?;
            let physical = *instance
                .enumerate_physical_devices()?
                .first()
                .ok_or("no device")?;
            let families = instance.get_physical_device_queue_family_properties(physical);
            let flags = |family: &u32| families[*family as usize].queue_flags;
            let all = 0..families.len() as u32;
            let main = all
                .clone()
                .find(|family| flags(family).contains(vk::QueueFlags::GRAPHICS))
                .ok_or("no graphics queue")?;
            let other = all
                .filter(|family| *family != main)
                .find(|family| flags(family).intersects(vk::QueueFlags::TRANSFER));
            // A family of its own, else a second queue, else the same queue.
            let second = u32::from(other.is_none() && families[main as usize].queue_count > 1);
            let priorities = [1.0, 1.0];
            let mut queues = vec![
                vk::DeviceQueueCreateInfo::default()
                    .queue_family_index(main)
                    .queue_priorities(&priorities[..1 + second as usize]),
            ];
            queues.extend(other.map(|family| {
                vk::DeviceQueueCreateInfo::default()
                    .queue_family_index(family)
                    .queue_priorities(&priorities[..1])
            }));
            let mut features12 =
                vk::PhysicalDeviceVulkan12Features::default().timeline_semaphore(true);
            let mut features13 =
                vk::PhysicalDeviceVulkan13Features::default().synchronization2(true);
            let info = vk::DeviceCreateInfo::default()
                .queue_create_infos(&queues)
                .push_next(&mut features12)
                .push_next(&mut features13);
            let device = instance.create_device(physical, &info, None)?;
            let transfer = match other {
                Some(family) => (family, device.get_device_queue(family, 0)),
                None => (main, device.get_device_queue(main, second)),
            };
            Ok(Self {
                main: (main, device.get_device_queue(main, 0)),
                transfer,
                memory: instance.get_physical_device_memory_properties(physical),
                _entry: entry,
                instance,
                device,
            })
        }
    }

    fn service(
        &self,
        (family, queue): (u32, vk::Queue),
        mode: QueueMode,
    ) -> Result<Service, Failure> {
        let mut options = ServiceOptions::new(queue, family);
        options.queue_mode = mode;
        // SAFETY: the device lives longer, and nobody else uses the queue, or under the lock alone.
        unsafe {
            let device = agate_vk::Device::from_ash(&self.instance, &self.device)?;
            Ok(Service::new(device, options)?)
        }
    }

    /// A buffer that the host can read and write, and that both queues may use.
    fn buffer(&self) -> Result<Buffer<'_>, Failure> {
        let families = [self.main.0, self.transfer.0];
        let usage = vk::BufferUsageFlags::TRANSFER_SRC | vk::BufferUsageFlags::TRANSFER_DST;
        let mut info = vk::BufferCreateInfo::default()
            .size(BYTES as u64)
            .usage(usage);
        if families[0] != families[1] {
            // In place of transfers of ownership, which would be the host's duty.
            info = info
                .sharing_mode(vk::SharingMode::CONCURRENT)
                .queue_family_indices(&families);
        }
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
        // SAFETY: services and buffers are gone.
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
    mapped: *mut u8,
}

impl Buffer<'_> {
    fn fill(&mut self, byte: u8) {
        // SAFETY: so many bytes are mapped, and the GPU does not use them now.
        unsafe { self.mapped.write_bytes(byte, BYTES) };
    }

    fn holds(&self, byte: u8) -> bool {
        // SAFETY: as above.
        let bytes = unsafe { std::slice::from_raw_parts(self.mapped, BYTES) };
        bytes.iter().all(|found| *found == byte)
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
    let host = Host::new()?;
    let mode = if host.main.1 == host.transfer.1 {
        println!("one queue, shared under a lock");
        // SAFETY: the lock is static and excludes.
        QueueMode::Guarded(unsafe { QueueGuard::new(lock, unlock, std::ptr::null_mut()) })
    } else {
        println!("families {} and {}", host.main.0, host.transfer.0);
        QueueMode::Owned
    };
    let mut uploads = host.service(host.transfer, mode)?;
    let mut draws = host.service(host.main, mode)?;
    let (mut staging, texture, picture) = (host.buffer()?, host.buffer()?, host.buffer()?);
    let copy = [vk::BufferCopy::default().size(BYTES as u64)];
    for byte in 1..=UPLOADS {
        staging.fill(byte);
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
                let barrier = [vk::MemoryBarrier2::default()
                    .src_stage_mask(vk::PipelineStageFlags2::COPY)
                    .src_access_mask(vk::AccessFlags2::TRANSFER_WRITE)
                    .dst_stage_mask(vk::PipelineStageFlags2::HOST)
                    .dst_access_mask(vk::AccessFlags2::HOST_READ)];
                let info = vk::DependencyInfo::default().memory_barriers(&barrier);
                recorder.cmd_pipeline_barrier2(&info);
            },
        )?;
        drawn.wait_timeout(LONG)?;
        assert!(picture.holds(byte), "the picture shows another upload");
    }
    let leaked = uploads.shutdown(LONG).leaked + draws.shutdown(LONG).leaked;
    assert_eq!(leaked, 0, "something is left");
    drop((staging, texture, picture));
    host.destroy();
    println!("{UPLOADS} uploads of {BYTES} bytes, each seen by the other queue");
    Ok(())
}
