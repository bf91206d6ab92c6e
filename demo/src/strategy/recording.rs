//! Command pools without an owner, and the command buffers that a thread records from them.
//!
//! # Invariants
//!
//! - R1: a command buffer is recorded only by a thread that, during each call, holds its `Pool` exclusively; where
//!   threads share a pool, its lock sees to that.
//! - R2: a `Pool` is reset, and dropped, only after all that its buffers recorded has retired or was never submitted:
//!   strategies reset the pools of a slot that `Direct::begin` has handed out, and drop `Direct` before their pools.
#![allow(unsafe_code, reason = "calls Vulkan")]

use std::sync::Arc;

use ash::vk;

use crate::bytes::bytes;
use crate::draw::{self, Commands, Shown};
use crate::error::{Doing, Error};
use crate::gpu::Gpu;
use crate::gpu::pass::{PassKind, Rendering, render_pass_begin};
use crate::gpu::readback::Readback;
use crate::scene::PUSH_STAGES;
use crate::stage::Stage;

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
        // SAFETY: the pool is held exclusively (R1), its buffers have retired (R2).
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
            // SAFETY: the pool is held exclusively (R1).
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
        // SAFETY: its buffers have retired (R2).
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
        // SAFETY: the buffer's pool is held exclusively (R1), the buffer was reset with it.
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
        // SAFETY: the buffer is recording, its pool is held exclusively (R1).
        unsafe { self.device.end_command_buffer(self.buffer) }.doing("ending a command buffer")?;
        Ok(self.buffer)
    }
}

// Every call here records into a buffer whose pool this thread holds exclusively (R1), with handles of the `Stage`,
// which outlives the frame (see `Commands`).
impl Commands for Recording<'_> {
    fn bind_pipeline(&mut self, pipeline: vk::Pipeline) {
        // SAFETY: R1.
        unsafe {
            self.device
                .cmd_bind_pipeline(self.buffer, vk::PipelineBindPoint::GRAPHICS, pipeline);
        };
    }

    fn set_viewport(&mut self, viewport: vk::Viewport) {
        // SAFETY: R1.
        unsafe { self.device.cmd_set_viewport(self.buffer, 0, &[viewport]) };
    }

    fn set_scissor(&mut self, scissor: vk::Rect2D) {
        // SAFETY: R1.
        unsafe { self.device.cmd_set_scissor(self.buffer, 0, &[scissor]) };
    }

    fn bind_vertices(&mut self, vertices: vk::Buffer) {
        // SAFETY: R1.
        unsafe {
            self.device
                .cmd_bind_vertex_buffers(self.buffer, 0, &[vertices], &[0]);
        };
    }

    fn bind_indices(&mut self, indices: vk::Buffer) {
        // SAFETY: R1.
        unsafe {
            self.device
                .cmd_bind_index_buffer(self.buffer, indices, 0, vk::IndexType::UINT32);
        };
    }

    fn push<T: Copy>(&mut self, layout: vk::PipelineLayout, value: &T) {
        // SAFETY: R1; the layout's range is as long as the structure that the scene defines for it.
        unsafe {
            self.device
                .cmd_push_constants(self.buffer, layout, PUSH_STAGES, 0, bytes(value));
        };
    }

    fn draw(&mut self, vertices: u32) {
        // SAFETY: R1.
        unsafe { self.device.cmd_draw(self.buffer, vertices, 1, 0, 0) };
    }

    fn draw_indexed(&mut self, indices: u32) {
        // SAFETY: R1.
        unsafe {
            self.device
                .cmd_draw_indexed(self.buffer, indices, 1, 0, 0, 0);
        };
    }

    fn barrier(&mut self, barriers: &vk::DependencyInfo<'_>) {
        // SAFETY: R1.
        unsafe { self.device.cmd_pipeline_barrier2(self.buffer, barriers) };
    }

    fn blit(&mut self, from: vk::Image, to: vk::Image, region: vk::ImageBlit) {
        let (read, write) = (
            vk::ImageLayout::TRANSFER_SRC_OPTIMAL,
            vk::ImageLayout::TRANSFER_DST_OPTIMAL,
        );
        // SAFETY: R1; `draw::finish` gave both images these layouts.
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
        // SAFETY: R1; `draw::finish` gave the image this layout, and the buffer has room for it.
        unsafe {
            self.device
                .cmd_copy_image_to_buffer(self.buffer, from, layout, to, &[region]);
        };
    }
}
