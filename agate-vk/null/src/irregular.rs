//! The `vkCmd*` functions whose arrays the registry does not describe so that a program understands it.

#![allow(unsafe_code, reason = "functions with Vulkan's signatures")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::too_many_arguments,
    non_snake_case,
    reason = "the names and signatures are Vulkan's, and one function reads all arguments of one command"
)]

use crate::commands::{Form, commands};
use crate::generated::layouts;
use crate::layout::{Item, lists};
use crate::object::{Buffer, Object};
use crate::sink::Sink;
use ash::vk::{self, Handle};
use std::ffi::c_void;

/// How many bytes of a template's data are taken: the device does not know templates, so all that use it give so many.
pub const TEMPLATE_BYTES: usize = 24;

/// Takes items that stand apart by a stride.
///
/// # Safety
///
/// There are so many.
unsafe fn apart<T>(out: &mut impl Sink, first: *const T, count: u32, stride: u32) {
    for index in 0..count as usize {
        // SAFETY: the caller's contract.
        unsafe {
            let item = first.cast::<u8>().add(index * stride as usize);
            out.items(Item::Plain(4), item, size_of::<T>() / 4);
        }
    }
}

commands! {
    SetSampleMaskEXT PFN_vkCmdSetSampleMaskEXT(
        samples: vk::SampleCountFlags, sample_mask: *const vk::SampleMask,
    ) |out| {
        out.word(u64::from(samples.as_raw()));
        out.items(Item::Plain(4), sample_mask.cast(), samples.as_raw().div_ceil(32) as usize);
    }
    DrawMultiEXT PFN_vkCmdDrawMultiEXT(
        count: u32, info: *const vk::MultiDrawInfoEXT, instances: u32, first_instance: u32, stride: u32,
    ) |out| {
        out.word(u64::from(count));
        out.word(u64::from(instances));
        out.word(u64::from(first_instance));
        out.word(u64::from(stride));
        apart(out, info, count, stride);
    }
    DrawMultiIndexedEXT PFN_vkCmdDrawMultiIndexedEXT(
        count: u32, info: *const vk::MultiDrawIndexedInfoEXT, instances: u32, first_instance: u32, stride: u32,
        vertex_offset: *const i32,
    ) |out| {
        out.word(u64::from(count));
        out.word(u64::from(instances));
        out.word(u64::from(first_instance));
        out.word(u64::from(stride));
        apart(out, info, count, stride);
        out.items(Item::Plain(4), vertex_offset.cast(), 1);
    }
    PushDescriptorSetWithTemplateKHR PFN_vkCmdPushDescriptorSetWithTemplateKHR(
        template: vk::DescriptorUpdateTemplate, layout: vk::PipelineLayout, set: u32, data: *const c_void,
    ) |out| {
        out.word(template.as_raw());
        out.word(layout.as_raw());
        out.word(u64::from(set));
        out.items(Item::Plain(1), data.cast(), TEMPLATE_BYTES);
    }
    PushDescriptorSetWithTemplate2KHR PFN_vkCmdPushDescriptorSetWithTemplate2KHR(
        info: *const vk::PushDescriptorSetWithTemplateInfoKHR<'_>,
    ) |out| {
        let mut known = *info;
        known.p_data = std::ptr::null();
        let item = Item::Deep(&layouts::PUSH_DESCRIPTOR_SET_WITH_TEMPLATE_INFO_KHR);
        out.items(item, (&raw const known).cast(), 1);
        out.items(Item::Plain(1), (*info).p_data.cast(), TEMPLATE_BYTES);
    }
    BuildAccelerationStructuresKHR PFN_vkCmdBuildAccelerationStructuresKHR(
        count: u32, infos: *const vk::AccelerationStructureBuildGeometryInfoKHR<'_>,
        ranges: *const *const vk::AccelerationStructureBuildRangeInfoKHR,
    ) |out| {
        out.word(u64::from(count));
        let item = Item::Deep(&layouts::ACCELERATION_STRUCTURE_BUILD_GEOMETRY_INFO_KHR);
        out.items(item, infos.cast(), count as usize);
        let item = Item::Deep(&layouts::ACCELERATION_STRUCTURE_BUILD_RANGE_INFO_KHR);
        lists(out, item, ranges.cast(), count as usize, |i| (*infos.add(i)).geometry_count as usize);
    }
    BuildAccelerationStructuresIndirectKHR PFN_vkCmdBuildAccelerationStructuresIndirectKHR(
        count: u32, infos: *const vk::AccelerationStructureBuildGeometryInfoKHR<'_>,
        addresses: *const vk::DeviceAddress, strides: *const u32, primitives: *const *const u32,
    ) |out| {
        out.word(u64::from(count));
        let item = Item::Deep(&layouts::ACCELERATION_STRUCTURE_BUILD_GEOMETRY_INFO_KHR);
        out.items(item, infos.cast(), count as usize);
        out.items(Item::Plain(8), addresses.cast(), count as usize);
        out.items(Item::Plain(4), strides.cast(), count as usize);
        let length = |i: usize| (*infos.add(i)).geometry_count as usize;
        lists(out, Item::Plain(4), primitives.cast(), count as usize, length);
    }
}
