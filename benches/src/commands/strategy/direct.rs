//! What strategies that call Vulkan themselves share: pools, buffers, the primary of a frame, and the four calls.
//!
//! # Invariants
//!
//! - D1: a `Pool` and its buffers are used by the thread that holds it by `&mut`, or under its lock.
//! - D2: what is submitted has been executed when `finish` returns, so a pool may be reset at any time after.
//! - D3: the device and the scene's objects outlive the strategies (V1 of `device`).

#![allow(unsafe_code, reason = "calls Vulkan")]

use std::sync::Arc;
use std::time::Instant;

use ash::vk;

use crate::commands::device::Device;
use crate::commands::frame::Stamps;
use crate::commands::work::{Calls, Matrix, Work};

/// A command pool and the buffers allocated from it, which are used again after a reset.
pub(super) struct Pool {
    device: Arc<Device>,
    handle: vk::CommandPool,
    level: vk::CommandBufferLevel,
    buffers: Vec<vk::CommandBuffer>,
    used: usize,
}

impl Pool {
    /// A pool of buffers of one level.
    pub(super) fn new(device: &Arc<Device>, level: vk::CommandBufferLevel) -> Self {
        let info = vk::CommandPoolCreateInfo::default()
            .flags(vk::CommandPoolCreateFlags::TRANSIENT)
            .queue_family_index(device.family);
        // SAFETY: D3; the family exists.
        let handle =
            unsafe { device.table.create_command_pool(&info, None) }.expect("memory for a pool");
        Self {
            device: Arc::clone(device),
            handle,
            level,
            buffers: Vec::new(),
            used: 0,
        }
    }

    /// A buffer in the initial state: an old one, or a new one where none is left.
    pub(super) fn next(&mut self) -> vk::CommandBuffer {
        if self.used == self.buffers.len() {
            let info = vk::CommandBufferAllocateInfo::default()
                .command_pool(self.handle)
                .level(self.level)
                .command_buffer_count(1);
            // SAFETY: D1, D3.
            let made = unsafe { self.device.table.allocate_command_buffers(&info) };
            self.buffers.extend(made.expect("memory for a buffer"));
        }
        self.used += 1;
        self.buffers[self.used - 1]
    }

    /// Makes all buffers initial again, and keeps their memory.
    pub(super) fn reset(&mut self) {
        let flags = vk::CommandPoolResetFlags::empty();
        // SAFETY: D1, D2.
        let done = unsafe { self.device.table.reset_command_pool(self.handle, flags) };
        done.expect("memory for a reset");
        self.used = 0;
    }

    /// Buffers that were allocated.
    pub(super) fn buffers(&self) -> usize {
        self.buffers.len()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: D1, D2: this is the last use.
        unsafe { self.device.table.destroy_command_pool(self.handle, None) };
    }
}

/// The rendering that all draws of a frame are in: without attachments, as nothing is to be seen.
pub(super) fn rendering() -> vk::RenderingInfo<'static> {
    vk::RenderingInfo::default()
        .render_area(vk::Rect2D {
            offset: vk::Offset2D::default(),
            extent: vk::Extent2D {
                width: 16,
                height: 16,
            },
        })
        .layer_count(1)
}

/// Begins a primary, and its rendering.
pub(super) fn begin_primary(
    table: &ash::Device,
    buffer: vk::CommandBuffer,
    flags: vk::RenderingFlags,
) {
    let info =
        vk::CommandBufferBeginInfo::default().flags(vk::CommandBufferUsageFlags::ONE_TIME_SUBMIT);
    // SAFETY: D1; the buffer is initial.
    unsafe { table.begin_command_buffer(buffer, &info) }.expect("memory for a buffer");
    // SAFETY: D1; the buffer is recording, outside of rendering.
    unsafe { table.cmd_begin_rendering(buffer, &rendering().flags(flags)) };
}

/// Ends the rendering, and the primary.
pub(super) fn end_primary(table: &ash::Device, buffer: vk::CommandBuffer) {
    // SAFETY: D1; the buffer is inside rendering.
    unsafe { table.cmd_end_rendering(buffer) };
    // SAFETY: D1; the buffer is recording, outside of rendering.
    unsafe { table.end_command_buffer(buffer) }.expect("memory for a buffer");
}

/// Records a primary that only executes secondaries.
pub(super) fn execute(
    table: &ash::Device,
    primary: vk::CommandBuffer,
    secondaries: &[vk::CommandBuffer],
) {
    begin_primary(
        table,
        primary,
        vk::RenderingFlags::CONTENTS_SECONDARY_COMMAND_BUFFERS,
    );
    // SAFETY: D1; the secondaries are executable and inherit this rendering.
    unsafe { table.cmd_execute_commands(primary, secondaries) };
    end_primary(table, primary);
}

/// Notes that the primary has ended; submits it and waits for it, where the work says so.
pub(super) fn finish(
    device: &Device,
    primary: vk::CommandBuffer,
    work: &Work,
    stamps: &mut Stamps,
) {
    stamps.ended(Instant::now());
    if !work.execute {
        return;
    }
    let table = &device.table;
    let buffers = [vk::CommandBufferSubmitInfo::default().command_buffer(primary)];
    let submits = [vk::SubmitInfo2::default().command_buffer_infos(&buffers)];
    // SAFETY: the calling thread alone uses the queue, and the primary is executable.
    unsafe { table.queue_submit2(device.queue, &submits, vk::Fence::null()) }
        .expect("memory for a submission");
    stamps.queued(Instant::now());
    // SAFETY: as above.
    unsafe { table.queue_wait_idle(device.queue) }.expect("the device is not lost");
    stamps.executed(Instant::now());
}

/// Begins a secondary that continues the rendering of the primary.
pub(super) fn begin_secondary(table: &ash::Device, buffer: vk::CommandBuffer) {
    let mut rendering = vk::CommandBufferInheritanceRenderingInfo::default()
        .rasterization_samples(vk::SampleCountFlags::TYPE_1);
    let inheritance = vk::CommandBufferInheritanceInfo::default().push_next(&mut rendering);
    let info = vk::CommandBufferBeginInfo::default()
        .flags(
            vk::CommandBufferUsageFlags::ONE_TIME_SUBMIT
                | vk::CommandBufferUsageFlags::RENDER_PASS_CONTINUE,
        )
        .inheritance_info(&inheritance);
    // SAFETY: D1; the buffer is initial.
    unsafe { table.begin_command_buffer(buffer, &info) }.expect("memory for a buffer");
}

/// Ends a secondary.
pub(super) fn end_secondary(table: &ash::Device, buffer: vk::CommandBuffer) {
    // SAFETY: D1; the buffer is recording.
    unsafe { table.end_command_buffer(buffer) }.expect("memory for a buffer");
}

/// Calls of the driver, on a buffer that this thread may use (D1).
#[derive(Clone, Copy)]
pub(super) struct Direct<'a> {
    pub(super) table: &'a ash::Device,
    pub(super) buffer: vk::CommandBuffer,
}

impl Calls for Direct<'_> {
    #[inline(always)]
    fn bind_pipeline(&mut self, pipeline: vk::Pipeline) {
        let point = vk::PipelineBindPoint::GRAPHICS;
        // SAFETY: D1, D3.
        unsafe { self.table.cmd_bind_pipeline(self.buffer, point, pipeline) };
    }

    #[inline(always)]
    fn bind_vertices(&mut self, buffer: vk::Buffer) {
        // SAFETY: D1, D3.
        unsafe {
            self.table
                .cmd_bind_vertex_buffers(self.buffer, 0, &[buffer], &[0]);
        };
    }

    #[inline(always)]
    fn push(&mut self, layout: vk::PipelineLayout, matrix: &Matrix) {
        let stages = vk::ShaderStageFlags::VERTEX;
        // SAFETY: D1, D3; the layout has 64 bytes for the vertex stage. The function is called directly, as ash's wrapper
        // takes bytes.
        unsafe {
            (self.table.fp_v1_0().cmd_push_constants)(
                self.buffer,
                layout,
                stages,
                0,
                size_of::<Matrix>() as u32,
                matrix.as_ptr().cast(),
            );
        };
    }

    #[inline(always)]
    fn draw(&mut self) {
        // SAFETY: D1; everything is bound.
        unsafe { self.table.cmd_draw(self.buffer, 3, 1, 0, 0) };
    }
}
