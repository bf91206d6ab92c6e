//! The `vkCmd*` functions, each in three forms: empty, simulated and observed.
//!
//! # Invariants
//!
//! - N1: a command buffer's handle is the address of a `Buffer` of this device, and alive, unless the device is checked: then
//!   it may be dead, but its memory is there.

#![allow(unsafe_code, reason = "functions with Vulkan's signatures")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::too_many_arguments,
    non_snake_case,
    reason = "the names and signatures are Vulkan's, and one function reads all arguments of one command"
)]

use crate::object::{Buffer, Object};
use crate::sink::{Sink, dependency, items, render_pass, rendering};
use ash::vk;
use std::ffi::c_void;

/// Which form of the functions a device has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Empty,
    Simulated,
    Observed,
}

macro_rules! commands {
    ($($name:ident $pfn:ident($($argument:ident: $kind:ty),* $(,)?) |$out:ident| $copy:block)*) => {
        mod empty {
            use super::*;
            $(pub(super) unsafe extern "system" fn $name(_: vk::CommandBuffer, $(_: $kind),*) {})*
        }

        mod simulated {
            use super::*;
            $(pub(super) unsafe extern "system" fn $name(buffer: vk::CommandBuffer, $($argument: $kind),*) {
                // SAFETY: N1; the caller vouches for the arguments.
                unsafe {
                    let mut stored = Buffer::of(buffer).pool().ring.command();
                    stored.put(buffer);
                    let $out = &mut stored;
                    $copy
                    stored.end();
                }
            })*
        }

        mod observed {
            use super::*;
            $(pub(super) unsafe extern "system" fn $name(buffer: vk::CommandBuffer, $($argument: $kind),*) {
                // SAFETY: N1; the caller vouches for the arguments.
                unsafe {
                    Buffer::of(buffer).observe(concat!("vkCmd", stringify!($name)), |$out| $copy);
                }
            })*
        }

        /// The function of that name.
        pub(crate) fn find(name: &[u8], form: Form) -> Option<*const c_void> {
            $(if name == concat!("vkCmd", stringify!($name)).as_bytes() {
                let function: vk::$pfn = match form {
                    Form::Empty => empty::$name,
                    Form::Simulated => simulated::$name,
                    Form::Observed => observed::$name,
                };
                return Some(function as *const c_void);
            })*
            None
        }

        /// The names of all commands.
        pub(crate) const NAMES: &[&str] = &[$(concat!("vkCmd", stringify!($name))),*];
    };
}

commands! {
    BindPipeline PFN_vkCmdBindPipeline(point: vk::PipelineBindPoint, pipeline: vk::Pipeline) |out| {
        out.put(point);
        out.put(pipeline);
    }
    BindVertexBuffers PFN_vkCmdBindVertexBuffers(
        first: u32, count: u32, buffers: *const vk::Buffer, offsets: *const vk::DeviceSize,
    ) |out| {
        out.put(first);
        out.put(count);
        out.array(buffers, count);
        out.array(offsets, count);
    }
    BindIndexBuffer PFN_vkCmdBindIndexBuffer(
        buffer_: vk::Buffer, offset: vk::DeviceSize, kind: vk::IndexType,
    ) |out| {
        out.put(buffer_);
        out.put(offset);
        out.put(kind);
    }
    BindDescriptorSets PFN_vkCmdBindDescriptorSets(
        point: vk::PipelineBindPoint, layout: vk::PipelineLayout, first: u32, count: u32, sets: *const vk::DescriptorSet,
        offset_count: u32, offsets: *const u32,
    ) |out| {
        out.put(point);
        out.put(layout);
        out.put(first);
        out.put(count);
        out.put(offset_count);
        out.array(sets, count);
        out.array(offsets, offset_count);
    }
    PushConstants PFN_vkCmdPushConstants(
        layout: vk::PipelineLayout, stages: vk::ShaderStageFlags, offset: u32, size: u32, data: *const c_void,
    ) |out| {
        out.put(layout);
        out.put(stages);
        out.put(offset);
        out.put(size);
        out.array(data.cast::<u32>(), size / 4);
    }
    SetViewport PFN_vkCmdSetViewport(first: u32, count: u32, viewports: *const vk::Viewport) |out| {
        out.put(first);
        out.put(count);
        out.array(viewports, count);
    }
    SetScissor PFN_vkCmdSetScissor(first: u32, count: u32, scissors: *const vk::Rect2D) |out| {
        out.put(first);
        out.put(count);
        out.array(scissors, count);
    }
    SetLineWidth PFN_vkCmdSetLineWidth(width: f32) |out| {
        out.put(width);
    }
    SetDepthBias PFN_vkCmdSetDepthBias(constant: f32, clamp: f32, slope: f32) |out| {
        out.put(constant);
        out.put(clamp);
        out.put(slope);
    }
    SetStencilReference PFN_vkCmdSetStencilReference(faces: vk::StencilFaceFlags, reference: u32) |out| {
        out.put(faces);
        out.put(reference);
    }
    Draw PFN_vkCmdDraw(vertices: u32, instances: u32, first: u32, first_instance: u32) |out| {
        out.put(vertices);
        out.put(instances);
        out.put(first);
        out.put(first_instance);
    }
    DrawIndexed PFN_vkCmdDrawIndexed(
        indices: u32, instances: u32, first: u32, offset: i32, first_instance: u32,
    ) |out| {
        out.put(indices);
        out.put(instances);
        out.put(first);
        out.put(offset);
        out.put(first_instance);
    }
    DrawIndirect PFN_vkCmdDrawIndirect(buffer_: vk::Buffer, offset: vk::DeviceSize, count: u32, stride: u32) |out| {
        out.put(buffer_);
        out.put(offset);
        out.put(count);
        out.put(stride);
    }
    DrawIndexedIndirect PFN_vkCmdDrawIndexedIndirect(
        buffer_: vk::Buffer, offset: vk::DeviceSize, count: u32, stride: u32,
    ) |out| {
        out.put(buffer_);
        out.put(offset);
        out.put(count);
        out.put(stride);
    }
    Dispatch PFN_vkCmdDispatch(x: u32, y: u32, z: u32) |out| {
        out.put(x);
        out.put(y);
        out.put(z);
    }
    DispatchIndirect PFN_vkCmdDispatchIndirect(buffer_: vk::Buffer, offset: vk::DeviceSize) |out| {
        out.put(buffer_);
        out.put(offset);
    }
    PipelineBarrier2 PFN_vkCmdPipelineBarrier2(info: *const vk::DependencyInfo<'_>) |out| {
        dependency(out, &*info);
    }
    FillBuffer PFN_vkCmdFillBuffer(target: vk::Buffer, offset: vk::DeviceSize, size: vk::DeviceSize, data: u32) |out| {
        out.put(target);
        out.put(offset);
        out.put(size);
        out.put(data);
    }
    CopyBuffer PFN_vkCmdCopyBuffer(
        source: vk::Buffer, target: vk::Buffer, count: u32, regions: *const vk::BufferCopy,
    ) |out| {
        out.put(source);
        out.put(target);
        out.put(count);
        out.array(regions, count);
    }
    CopyImage PFN_vkCmdCopyImage(
        source: vk::Image, source_layout: vk::ImageLayout, target: vk::Image, target_layout: vk::ImageLayout, count: u32,
        regions: *const vk::ImageCopy,
    ) |out| {
        out.put(source);
        out.put(source_layout);
        out.put(target);
        out.put(target_layout);
        out.put(count);
        out.array(regions, count);
    }
    CopyImageToBuffer PFN_vkCmdCopyImageToBuffer(
        source: vk::Image, source_layout: vk::ImageLayout, target: vk::Buffer, count: u32,
        regions: *const vk::BufferImageCopy,
    ) |out| {
        out.put(source);
        out.put(source_layout);
        out.put(target);
        out.put(count);
        out.array(regions, count);
    }
    CopyBufferToImage PFN_vkCmdCopyBufferToImage(
        source: vk::Buffer, target: vk::Image, target_layout: vk::ImageLayout, count: u32,
        regions: *const vk::BufferImageCopy,
    ) |out| {
        out.put(source);
        out.put(target);
        out.put(target_layout);
        out.put(count);
        out.array(regions, count);
    }
    BlitImage PFN_vkCmdBlitImage(
        source: vk::Image, source_layout: vk::ImageLayout, target: vk::Image, target_layout: vk::ImageLayout, count: u32,
        regions: *const vk::ImageBlit, filter: vk::Filter,
    ) |out| {
        out.put(source);
        out.put(source_layout);
        out.put(target);
        out.put(target_layout);
        out.put(count);
        out.put(filter);
        out.array(regions, count);
    }
    BeginRendering PFN_vkCmdBeginRendering(info: *const vk::RenderingInfo<'_>) |out| {
        rendering(out, &*info);
    }
    EndRendering PFN_vkCmdEndRendering() |_out| {}
    BeginRenderPass PFN_vkCmdBeginRenderPass(
        info: *const vk::RenderPassBeginInfo<'_>, contents: vk::SubpassContents,
    ) |out| {
        render_pass(out, &*info);
        out.put(contents);
    }
    NextSubpass PFN_vkCmdNextSubpass(contents: vk::SubpassContents) |out| {
        out.put(contents);
    }
    EndRenderPass PFN_vkCmdEndRenderPass() |_out| {}
    ExecuteCommands PFN_vkCmdExecuteCommands(count: u32, secondaries: *const vk::CommandBuffer) |out| {
        out.put(count);
        for secondary in items(secondaries, count) {
            out.put(*secondary);
        }
    }
}
