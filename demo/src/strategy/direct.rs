//! What the strategies without an owner share: the main thread submits, presents, and waits.
//!
//! # Invariants
//!
//! - D1: only the main thread, which holds the `Direct`, uses the queue and the swapchain.
//! - D2: frame slot `s` is handed out by `next` only after the frame that used it before has retired, so its pool and
//!   its acquire semaphore are free.
//! - D3: a command buffer is recorded only by the thread that holds its `Pool` exclusively.
#![allow(unsafe_code, reason = "calls Vulkan")]

use std::sync::Arc;

use ash::vk;

use super::{DEADLINE, FRAMES_IN_FLIGHT};
use crate::bytes::bytes;
use crate::draw::{self, Commands, Shown};
use crate::error::{Doing, Error};
use crate::gpu::Gpu;
use crate::gpu::pass::PassKind;
use crate::gpu::pass::{Rendering, render_pass_begin};
use crate::gpu::readback::Readback;
use crate::gpu::swapchain::{Acquired, Swapchain};
use crate::say::complain;
use crate::scene::PUSH_STAGES;
use crate::stage::Stage;

/// Submission, presentation and retirement on the main thread.
pub(crate) struct Direct {
    timeline: vk::Semaphore,
    submitted: u64,
    /// The frames that are known to have retired.
    retired: u64,
    /// The device is lost, and does nothing any more.
    lost: bool,
    /// A wait has failed, of which whoever waited has told.
    told: bool,
    slots: [Slot; FRAMES_IN_FLIGHT],
    swapchain: Option<Swapchain>,
    gpu: Arc<Gpu>,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    /// The timeline's value once the slot's frame has retired.
    retires_at: u64,
    /// Signalled when the slot's swapchain image may be written.
    acquired: vk::Semaphore,
}

/// The image of a frame that is shown in a window.
#[derive(Clone, Copy)]
pub(crate) enum Aim {
    /// No window: the picture stays in the target.
    Offscreen,
    /// To be shown in this image.
    Window(Acquired),
    /// The window has no image now.
    Nothing,
}

impl Aim {
    /// The image that `draw::finish` copies to.
    pub(crate) fn shown(&self) -> Option<Shown> {
        match self {
            Self::Window(acquired) => Some(acquired.shown),
            Self::Offscreen | Self::Nothing => None,
        }
    }
}

impl Direct {
    pub(crate) fn new(gpu: &Arc<Gpu>, window: Option<vk::Extent2D>) -> Result<Self, Error> {
        let mut kind =
            vk::SemaphoreTypeCreateInfo::default().semaphore_type(vk::SemaphoreType::TIMELINE);
        let info = vk::SemaphoreCreateInfo::default().push_next(&mut kind);
        // SAFETY: the device is alive (G1), `info` is complete.
        let timeline =
            unsafe { gpu.device.create_semaphore(&info, None) }.doing("creating the timeline")?;
        let mut direct = Self {
            timeline,
            submitted: 0,
            retired: 0,
            lost: false,
            told: false,
            slots: Default::default(),
            swapchain: window.map(|extent| Swapchain::new(gpu, extent)),
            gpu: Arc::clone(gpu),
        };
        for slot in &mut direct.slots {
            // SAFETY: as above.
            let made = unsafe {
                gpu.device
                    .create_semaphore(&vk::SemaphoreCreateInfo::default(), None)
            };
            slot.acquired = made.doing("creating a semaphore")?;
        }
        Ok(direct)
    }

    /// The slot of the next frame, once the frame that had it before has retired.
    pub(crate) fn next(&mut self) -> Result<usize, Error> {
        let slot = usize::try_from(self.submitted).unwrap_or(0) % FRAMES_IN_FLIGHT;
        self.wait_for(self.slots[slot].retires_at)?;
        Ok(slot)
    }

    /// The image to show the slot's frame in.
    pub(crate) fn acquire(&mut self, slot: usize) -> Result<Aim, Error> {
        if self.swapchain.is_none() {
            return Ok(Aim::Offscreen);
        }
        if self
            .swapchain
            .as_ref()
            .is_some_and(Swapchain::must_be_rebuilt)
        {
            self.finish()?;
        }
        let Some(swapchain) = &mut self.swapchain else {
            return Ok(Aim::Offscreen);
        };
        let acquired = swapchain.acquire(self.slots[slot].acquired, DEADLINE)?;
        Ok(acquired.map_or(Aim::Nothing, Aim::Window))
    }

    /// Submits the slot's frame, and presents it.
    pub(crate) fn submit(
        &mut self,
        slot: usize,
        primary: vk::CommandBuffer,
        aim: Aim,
    ) -> Result<(), Error> {
        let value = self.submitted + 1;
        let buffers = [vk::CommandBufferSubmitInfo::default().command_buffer(primary)];
        let waits = [semaphore(
            self.slots[slot].acquired,
            vk::PipelineStageFlags2::ALL_TRANSFER,
        )];
        let done = vk::PipelineStageFlags2::ALL_COMMANDS;
        let mut signals = [
            semaphore(self.timeline, done).value(value),
            semaphore(vk::Semaphore::null(), done),
        ];
        let mut info = vk::SubmitInfo2::default().command_buffer_infos(&buffers);
        info = if let Aim::Window(acquired) = &aim {
            signals[1].semaphore = acquired.rendered;
            info.wait_semaphore_infos(&waits)
                .signal_semaphore_infos(&signals)
        } else {
            info.signal_semaphore_infos(&signals[..1])
        };
        // SAFETY: the queue is ours (D1), the buffer is executable, its earlier use has retired (D2).
        unsafe {
            self.gpu
                .device
                .queue_submit2(self.gpu.queue, &[info], vk::Fence::null())
        }
        .doing("submitting a frame")?;
        self.submitted = value;
        self.slots[slot].retires_at = value;
        match (&mut self.swapchain, aim) {
            (Some(swapchain), Aim::Window(acquired)) => swapchain.present(acquired),
            _ => Ok(()),
        }
    }

    /// The window's area changed.
    pub(crate) fn resize(&mut self, extent: vk::Extent2D) {
        if let Some(swapchain) = &mut self.swapchain {
            swapchain.resize(extent);
        }
    }

    /// Waits until every frame has retired.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        self.wait_for(self.submitted)
    }

    fn wait_for(&mut self, value: u64) -> Result<(), Error> {
        const DOING: &str = "waiting for a frame";
        if self.lost {
            return Err(vk::Result::ERROR_DEVICE_LOST).doing(DOING);
        }
        if value <= self.retired {
            return Ok(());
        }
        let (semaphores, values) = ([self.timeline], [value]);
        let info = vk::SemaphoreWaitInfo::default()
            .semaphores(&semaphores)
            .values(&values);
        let deadline_ns = u64::try_from(DEADLINE.as_nanos()).unwrap_or(u64::MAX);
        // SAFETY: the semaphore is a timeline of this device.
        let waited = unsafe { self.gpu.device.wait_semaphores(&info, deadline_ns) };
        match waited {
            Ok(()) => self.retired = value,
            Err(result) => {
                self.told = true;
                self.lost = result == vk::Result::ERROR_DEVICE_LOST;
            }
        }
        match waited {
            Err(vk::Result::TIMEOUT) => Err(Error::Stalled {
                what: "a frame",
                seconds: DEADLINE.as_secs(),
            }),
            other => other.doing(DOING),
        }
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        let told = self.told;
        if let Err(error) = self.finish()
            && !self.lost
        {
            if !told {
                complain!("demo: {error}");
            }
            // What the GPU may still use is not destroyed.
            std::mem::forget(self.swapchain.take());
            return;
        }
        drop(self.swapchain.take());
        for slot in self.slots {
            // SAFETY: no submission uses it any more; null is allowed.
            unsafe { self.gpu.device.destroy_semaphore(slot.acquired, None) };
        }
        // SAFETY: likewise.
        unsafe { self.gpu.device.destroy_semaphore(self.timeline, None) };
    }
}

/// A command pool with its buffers, reset as a whole.
pub(crate) struct Pool {
    handle: vk::CommandPool,
    level: vk::CommandBufferLevel,
    buffers: Vec<vk::CommandBuffer>,
    used: usize,
    gpu: Arc<Gpu>,
}

impl Pool {
    pub(crate) fn new(gpu: &Arc<Gpu>, level: vk::CommandBufferLevel) -> Result<Self, Error> {
        let info = vk::CommandPoolCreateInfo::default()
            .flags(vk::CommandPoolCreateFlags::TRANSIENT)
            .queue_family_index(gpu.queue_family);
        // SAFETY: the device is alive (G1), the family is one that it was opened with.
        let handle = unsafe { gpu.device.create_command_pool(&info, None) }
            .doing("creating a command pool")?;
        Ok(Self {
            handle,
            level,
            buffers: Vec::new(),
            used: 0,
            gpu: Arc::clone(gpu),
        })
    }

    /// Makes all its buffers free to be recorded again; what they recorded must have retired.
    pub(crate) fn reset(&mut self) -> Result<(), Error> {
        self.used = 0;
        // SAFETY: the pool is held exclusively (D3), its buffers have retired (D2).
        unsafe {
            self.gpu
                .device
                .reset_command_pool(self.handle, vk::CommandPoolResetFlags::empty())
        }
        .doing("resetting a command pool")
    }

    /// A buffer to begin, allocated if all are in use.
    pub(crate) fn take(&mut self) -> Result<vk::CommandBuffer, Error> {
        if self.used == self.buffers.len() {
            let info = vk::CommandBufferAllocateInfo::default()
                .command_pool(self.handle)
                .level(self.level)
                .command_buffer_count(1);
            // SAFETY: the pool is held exclusively (D3).
            let made = unsafe { self.gpu.device.allocate_command_buffers(&info) };
            self.buffers
                .extend(made.doing("allocating a command buffer")?);
        }
        let buffer = self.buffers[self.used];
        self.used += 1;
        Ok(buffer)
    }

    /// Buffers allocated so far.
    pub(crate) fn buffers(&self) -> usize {
        self.buffers.len()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: its buffers have retired: strategies drop their pools after `Direct` (or after `finish`).
        unsafe { self.gpu.device.destroy_command_pool(self.handle, None) };
    }
}

/// A command buffer being recorded by this thread.
pub(crate) struct Recording<'a> {
    device: &'a ash::Device,
    buffer: vk::CommandBuffer,
}

impl<'a> Recording<'a> {
    /// Begins a primary buffer.
    pub(crate) fn primary(stage: &'a Stage, buffer: vk::CommandBuffer) -> Result<Self, Error> {
        let info = vk::CommandBufferBeginInfo::default()
            .flags(vk::CommandBufferUsageFlags::ONE_TIME_SUBMIT);
        Self::begin(stage, buffer, &info)
    }

    /// Records the whole frame into a primary buffer, its pass being what ended secondary buffers hold.
    pub(crate) fn frame_of_secondaries(
        stage: &Stage,
        buffer: vk::CommandBuffer,
        secondaries: &[vk::CommandBuffer],
        shown: Option<Shown>,
        copy: Option<&Readback>,
    ) -> Result<vk::CommandBuffer, Error> {
        let mut primary = Recording::primary(stage, buffer)?;
        draw::setup(&mut primary, &stage.target);
        primary.begin_pass(stage, true);
        primary.execute(secondaries);
        primary.end_pass(stage);
        draw::finish(&mut primary, &stage.target, shown, copy);
        primary.end()
    }

    /// Begins a secondary buffer that continues the frame's pass.
    pub(crate) fn secondary(stage: &'a Stage, buffer: vk::CommandBuffer) -> Result<Self, Error> {
        let colors = [stage.formats.color];
        let mut rendering = vk::CommandBufferInheritanceRenderingInfo::default()
            .color_attachment_formats(&colors)
            .depth_attachment_format(stage.formats.depth)
            .rasterization_samples(stage.formats.samples);
        let inheritance = vk::CommandBufferInheritanceInfo::default();
        let inheritance = match &stage.pass {
            PassKind::Dynamic => inheritance.push_next(&mut rendering),
            PassKind::Classic(pass) => {
                let framebuffer = stage.target.framebuffer.as_ref();
                let framebuffer =
                    framebuffer.map_or(vk::Framebuffer::null(), |framebuffer| framebuffer.handle);
                inheritance
                    .render_pass(pass.handle)
                    .framebuffer(framebuffer)
            }
        };
        let flags = vk::CommandBufferUsageFlags::ONE_TIME_SUBMIT
            | vk::CommandBufferUsageFlags::RENDER_PASS_CONTINUE;
        let info = vk::CommandBufferBeginInfo::default()
            .flags(flags)
            .inheritance_info(&inheritance);
        Self::begin(stage, buffer, &info)
    }

    fn begin(
        stage: &'a Stage,
        buffer: vk::CommandBuffer,
        info: &vk::CommandBufferBeginInfo<'_>,
    ) -> Result<Self, Error> {
        let device = &stage.gpu.device;
        // SAFETY: the buffer's pool is held exclusively (D3), the buffer was reset with it.
        unsafe { device.begin_command_buffer(buffer, info) }.doing("beginning a command buffer")?;
        Ok(Self { device, buffer })
    }

    /// Begins the frame's pass, recorded inline or in secondary buffers.
    pub(crate) fn begin_pass(&mut self, stage: &Stage, secondaries: bool) {
        match &stage.pass {
            PassKind::Dynamic => {
                let rendering = Rendering::new(&stage.target);
                let flags = vk::RenderingFlags::CONTENTS_SECONDARY_COMMAND_BUFFERS;
                let info = rendering.info().flags(if secondaries {
                    flags
                } else {
                    vk::RenderingFlags::empty()
                });
                // SAFETY: the target's images are alive and in the layouts that `draw::setup` gave them (G2).
                unsafe { self.device.cmd_begin_rendering(self.buffer, &info) };
            }
            PassKind::Classic(pass) => {
                let info = render_pass_begin(pass.handle, &stage.target);
                let inline = vk::SubpassContents::INLINE;
                let contents = if secondaries {
                    vk::SubpassContents::SECONDARY_COMMAND_BUFFERS
                } else {
                    inline
                };
                // SAFETY: as above, and the framebuffer was made for this pass.
                unsafe {
                    self.device
                        .cmd_begin_render_pass(self.buffer, &info, contents);
                };
            }
        }
    }

    /// Ends it.
    pub(crate) fn end_pass(&mut self, stage: &Stage) {
        match &stage.pass {
            // SAFETY: `begin_pass` began it in this buffer.
            PassKind::Dynamic => unsafe { self.device.cmd_end_rendering(self.buffer) },
            // SAFETY: likewise.
            PassKind::Classic(_) => unsafe { self.device.cmd_end_render_pass(self.buffer) },
        }
    }

    /// Executes ended secondary buffers in this order.
    fn execute(&mut self, secondaries: &[vk::CommandBuffer]) {
        if !secondaries.is_empty() {
            // SAFETY: they are ended, inherit this pass, and are executed once.
            unsafe { self.device.cmd_execute_commands(self.buffer, secondaries) };
        }
    }

    /// Ends the buffer, which is executable then.
    pub(crate) fn end(self) -> Result<vk::CommandBuffer, Error> {
        // SAFETY: the buffer is recording, its pool is held exclusively (D3).
        unsafe { self.device.end_command_buffer(self.buffer) }.doing("ending a command buffer")?;
        Ok(self.buffer)
    }
}

// Every call here records into a buffer whose pool this thread holds exclusively (D3), with handles of the `Stage`,
// which outlives the frame (see `Commands`).
impl Commands for Recording<'_> {
    fn bind_pipeline(&mut self, pipeline: vk::Pipeline) {
        // SAFETY: D3.
        unsafe {
            self.device
                .cmd_bind_pipeline(self.buffer, vk::PipelineBindPoint::GRAPHICS, pipeline);
        };
    }

    fn set_area(&mut self, viewport: vk::Viewport, scissor: vk::Rect2D) {
        // SAFETY: D3.
        unsafe { self.device.cmd_set_viewport(self.buffer, 0, &[viewport]) };
        // SAFETY: D3.
        unsafe { self.device.cmd_set_scissor(self.buffer, 0, &[scissor]) };
    }

    fn bind_mesh(&mut self, vertices: vk::Buffer, indices: vk::Buffer) {
        // SAFETY: D3.
        unsafe {
            self.device
                .cmd_bind_vertex_buffers(self.buffer, 0, &[vertices], &[0]);
        };
        // SAFETY: D3.
        unsafe {
            self.device
                .cmd_bind_index_buffer(self.buffer, indices, 0, vk::IndexType::UINT32);
        };
    }

    fn push<T: Copy>(&mut self, layout: vk::PipelineLayout, value: &T) {
        // SAFETY: D3; the layout's range is as long as the structure that the scene defines for it.
        unsafe {
            self.device
                .cmd_push_constants(self.buffer, layout, PUSH_STAGES, 0, bytes(value));
        };
    }

    fn draw(&mut self, vertices: u32) {
        // SAFETY: D3.
        unsafe { self.device.cmd_draw(self.buffer, vertices, 1, 0, 0) };
    }

    fn draw_indexed(&mut self, indices: u32) {
        // SAFETY: D3.
        unsafe {
            self.device
                .cmd_draw_indexed(self.buffer, indices, 1, 0, 0, 0);
        };
    }

    fn barrier(&mut self, barriers: &vk::DependencyInfo<'_>) {
        // SAFETY: D3.
        unsafe { self.device.cmd_pipeline_barrier2(self.buffer, barriers) };
    }

    fn blit(&mut self, from: vk::Image, to: vk::Image, region: vk::ImageBlit) {
        let (read, write) = (
            vk::ImageLayout::TRANSFER_SRC_OPTIMAL,
            vk::ImageLayout::TRANSFER_DST_OPTIMAL,
        );
        // SAFETY: D3; `draw::finish` gave both images these layouts.
        unsafe {
            self.device.cmd_blit_image(
                self.buffer,
                from,
                read,
                to,
                write,
                &[region],
                vk::Filter::NEAREST,
            );
        }
    }

    fn copy_to_buffer(&mut self, from: vk::Image, to: vk::Buffer, region: vk::BufferImageCopy) {
        let layout = vk::ImageLayout::TRANSFER_SRC_OPTIMAL;
        // SAFETY: D3; `draw::finish` gave the image this layout, and the buffer has room for it.
        unsafe {
            self.device
                .cmd_copy_image_to_buffer(self.buffer, from, layout, to, &[region]);
        };
    }
}

fn semaphore(
    semaphore: vk::Semaphore,
    stage: vk::PipelineStageFlags2,
) -> vk::SemaphoreSubmitInfo<'static> {
    vk::SemaphoreSubmitInfo::default()
        .semaphore(semaphore)
        .stage_mask(stage)
}
