//! The `vkCmd*` functions, each in three forms: empty, simulated and observed. Here are those that benches call most;
//! the others follow from the registry, or stand in `irregular.rs`.
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
use crate::sink::Sink;
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

        /// The names of the commands of this file.
        pub(crate) const NAMES: &[&str] = &[$(concat!("vkCmd", stringify!($name))),*];
    };
}

pub(crate) use commands;

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
    Dispatch PFN_vkCmdDispatch(x: u32, y: u32, z: u32) |out| {
        out.put(x);
        out.put(y);
        out.put(z);
    }
}
