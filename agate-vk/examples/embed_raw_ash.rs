//! agate-vk inside a renderer that is there already: the renderer keeps its device, its command pool and its queue, and
//! goes on submitting to that queue. The service shares the queue under the renderer's lock, and one timeline semaphore
//! says who comes after whom.
//!
//! `cargo run -p agate-vk --example embed_raw_ash`. It needs no window, and checks what comes out.

#![allow(unsafe_code, reason = "every Vulkan call is unsafe")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "commands come in groups"
)]

mod support;

use agate_vk::{
    QueueGuard, QueueMode, Recorder, Service, ServiceOptions, SubmitOptions, Timeline, ash, vk,
};
use std::ffi::c_void;
use std::sync::{Condvar, Mutex, PoisonError};
use support::{Buffer, Failure, Host, LONG, memory_barrier};

const BYTES: usize = 4096;
const FRAMES: u8 = 8;
const ALL: vk::PipelineStageFlags2 = vk::PipelineStageFlags2::ALL_COMMANDS;

/// The renderer's lock for its queue. A mutex alone would not do: what locks and what unlocks are two functions.
#[derive(Default)]
struct QueueLock {
    held: Mutex<bool>,
    freed: Condvar,
}

impl QueueLock {
    fn lock(&self) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mut held = self
            .freed
            .wait_while(held, |held| *held)
            .unwrap_or_else(PoisonError::into_inner);
        *held = true;
    }

    fn unlock(&self) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.freed.notify_one();
    }
}

/// What the service calls around each of its `vkQueue*` calls.
unsafe extern "C" fn lock(user: *mut c_void, _: vk::Queue) {
    // SAFETY: the lock that the guard was made with, which outlives the service.
    unsafe { &*user.cast::<QueueLock>() }.lock();
}

unsafe extern "C" fn unlock(user: *mut c_void, _: vk::Queue) {
    // SAFETY: as above.
    unsafe { &*user.cast::<QueueLock>() }.unlock();
}

/// The renderer as it was before: one pool, one command buffer, one queue, all used by its own thread.
struct Renderer<'a> {
    device: &'a ash::Device,
    queue: vk::Queue,
    queue_lock: &'a QueueLock,
    pool: vk::CommandPool,
    commands: vk::CommandBuffer,
    timeline: vk::Semaphore,
}

impl<'a> Renderer<'a> {
    fn new(host: &'a Host, queue_lock: &'a QueueLock) -> Result<Self, Failure> {
        let (family, queue) = host.main;
        let device = &host.device;
        let pool = vk::CommandPoolCreateInfo::default().queue_family_index(family);
        let mut kind =
            vk::SemaphoreTypeCreateInfo::default().semaphore_type(vk::SemaphoreType::TIMELINE);
        let semaphore = vk::SemaphoreCreateInfo::default().push_next(&mut kind);
        // SAFETY: valid usage.
        unsafe {
            let pool = device.create_command_pool(&pool, None)?;
            let buffers = vk::CommandBufferAllocateInfo::default()
                .command_pool(pool)
                .command_buffer_count(1);
            Ok(Self {
                device,
                queue,
                queue_lock,
                pool,
                commands: device.allocate_command_buffers(&buffers)?[0],
                timeline: device.create_semaphore(&semaphore, None)?,
            })
        }
    }

    /// Fills `buffer` with a byte when the timeline has reached `wait`, and signals the value after that: the renderer's
    /// own work on the queue that it shares.
    fn fill(&self, buffer: vk::Buffer, byte: u8, wait: u64) -> Result<(), Failure> {
        let commands = [vk::CommandBufferSubmitInfo::default().command_buffer(self.commands)];
        let semaphore = vk::SemaphoreSubmitInfo::default()
            .semaphore(self.timeline)
            .stage_mask(ALL);
        let (waits, signals) = ([semaphore.value(wait)], [semaphore.value(wait + 1)]);
        let submit = vk::SubmitInfo2::default()
            .command_buffer_infos(&commands)
            .wait_semaphore_infos(&waits)
            .signal_semaphore_infos(&signals);
        // SAFETY: the frame before has retired, so the pool is not in use; the queue is used under its lock.
        unsafe {
            let device = self.device;
            device.reset_command_pool(self.pool, vk::CommandPoolResetFlags::empty())?;
            let info = vk::CommandBufferBeginInfo::default()
                .flags(vk::CommandBufferUsageFlags::ONE_TIME_SUBMIT);
            device.begin_command_buffer(self.commands, &info)?;
            let word = u32::from_ne_bytes([byte; 4]);
            device.cmd_fill_buffer(self.commands, buffer, 0, vk::WHOLE_SIZE, word);
            device.end_command_buffer(self.commands)?;
            self.queue_lock.lock();
            let submitted = device.queue_submit2(self.queue, &[submit], vk::Fence::null());
            self.queue_lock.unlock();
            Ok(submitted?)
        }
    }
}

impl Drop for Renderer<'_> {
    fn drop(&mut self) {
        // SAFETY: every submission has been waited for.
        unsafe {
            self.device.destroy_semaphore(self.timeline, None);
            self.device.destroy_command_pool(self.pool, None);
        }
    }
}

/// The service beside the renderer, on the same queue.
///
/// # Safety
///
/// The lock outlives the service.
unsafe fn service(host: &Host, queue_lock: &QueueLock) -> Result<Service, Failure> {
    let (family, queue) = host.main;
    let user = std::ptr::from_ref(queue_lock).cast_mut().cast();
    let mut options = ServiceOptions::new(queue, family);
    // SAFETY: the functions lock and unlock, on any thread, and do not unwind.
    options.queue_mode = QueueMode::Guarded(unsafe { QueueGuard::new(lock, unlock, user) });
    // SAFETY: the device lives longer, and everybody uses the queue under the lock.
    unsafe {
        let device = agate_vk::Device::from_ash(&host.instance, &host.device)?;
        Ok(Service::new(device, options)?)
    }
}

/// One frame: the renderer fills, and the service copies what was filled. Either may reach the queue first; on the
/// timeline the renderer has the odd values, and the service the even ones.
fn frame(
    number: u8,
    renderer: &Renderer<'_>,
    service: &mut Service,
    timeline: &Timeline,
    (filled, copied): (&Buffer<'_>, &Buffer<'_>),
) -> Result<(), Failure> {
    let before = 2 * u64::from(number) - 2;
    let region = [vk::BufferCopy::default().size(BYTES as u64)];
    let barrier = memory_barrier(
        (
            vk::PipelineStageFlags2::COPY,
            vk::AccessFlags2::TRANSFER_WRITE,
        ),
        (vk::PipelineStageFlags2::HOST, vk::AccessFlags2::HOST_READ),
    );
    let info = vk::DependencyInfo::default().memory_barriers(&barrier);
    // The service holds this back until a signal of the value has been submitted, so that it cannot block the queue.
    let mut ticket = service.submit_once_timeout(
        LONG,
        SubmitOptions::default()
            .wait_timeline(timeline, before + 1, vk::PipelineStageFlags2::COPY)
            .signal_timeline(timeline, before + 2, ALL),
        // SAFETY: the buffers live until the ticket has resolved.
        |recorder| unsafe {
            recorder.cmd_copy_buffer(filled.buffer, copied.buffer, &region);
            recorder.cmd_pipeline_barrier2(&info);
        },
    )?;
    renderer.fill(filled.buffer, number, before)?;
    // The service cannot see what others submit; this tells it.
    timeline.note_submitted(before + 1);
    ticket.wait_timeout(LONG)?;
    if copied.bytes().iter().any(|byte| *byte != number) {
        return Err(format!("frame {number} shows what another frame was filled with").into());
    }
    Ok(())
}

fn main() -> Result<(), Failure> {
    let Some(host) = Host::or_skip()? else {
        return Ok(());
    };
    let queue_lock = QueueLock::default();
    let renderer = Renderer::new(&host, &queue_lock)?;
    // SAFETY: a timeline semaphore of the device, which outlives the tickets; nothing has signalled it yet.
    let timeline = unsafe { Timeline::new(renderer.timeline, 0) };
    // SAFETY: the lock is dropped after the service.
    let mut service = unsafe { service(&host, &queue_lock)? };
    let usage = vk::BufferUsageFlags::TRANSFER_SRC | vk::BufferUsageFlags::TRANSFER_DST;
    let (filled, copied) = (host.buffer(BYTES, usage)?, host.buffer(BYTES, usage)?);

    for number in 1..=FRAMES {
        let buffers = (&filled, &copied);
        frame(number, &renderer, &mut service, &timeline, buffers)?;
    }

    let counters = service.counters();
    // The service first: it still uses the lock and the semaphore. Then what is the renderer's.
    let report = service.shutdown(LONG);
    if report.leaked > 0 {
        return Err(format!("the GPU still uses {} objects", report.leaked).into());
    }
    println!(
        "{FRAMES} frames of a renderer and a service on one queue; {} of the service's were held back at first",
        counters.held
    );
    drop((filled, copied, renderer));
    host.close()
}
