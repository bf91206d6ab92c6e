//! Trials of the commands that no rule fits, and of commands that are larger than a block.

#![allow(unsafe_code, reason = "every Vulkan command is unsafe")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the same command, by two ways"
)]

use crate::maker::{Maker, Trial, Try};
use agate_vk::Recorder;
use agate_vk::vk::{self, Handle};
use null_device::{TEMPLATE_BYTES, layouts};

/// Commands that are tried here and by rule.
pub(crate) const TWICE: usize = 2;

pub(crate) fn all<R: Recorder>() -> Vec<Try<R>> {
    vec![
        ("vkCmdPushConstants", push_constants),
        ("vkCmdSetSampleMaskEXT", set_sample_mask),
        ("vkCmdDrawMultiEXT", draw_multi),
        ("vkCmdDrawMultiIndexedEXT", draw_multi_indexed),
        ("vkCmdPushDescriptorSetWithTemplateKHR", template),
        ("vkCmdPushDescriptorSetWithTemplate2KHR", template2),
        ("vkCmdBuildAccelerationStructuresKHR", build),
        (
            "vkCmdBuildAccelerationStructuresIndirectKHR",
            build_indirect,
        ),
        ("vkCmdUpdateBuffer", large_update),
        ("vkCmdCopyBuffer2", large_copy),
    ]
}

fn push_constants<R: Recorder>(maker: &mut Maker, trial: &mut Trial<'_, R>) {
    let count = maker.count();
    let data: &[u8] = maker.plain(4 * count);
    let (layout, offset) = (
        vk::PipelineLayout::from_raw(maker.word()),
        4 * maker.count() as u32,
    );
    let stages = vk::ShaderStageFlags::from_raw(maker.half());
    let call: vk::PFN_vkCmdPushConstants = trial.function(c"vkCmdPushConstants");
    // SAFETY: the device takes any command.
    unsafe {
        let size = data.len() as u32;
        call(
            trial.buffer,
            layout,
            stages,
            offset,
            size,
            data.as_ptr().cast(),
        );
        trial
            .recorder
            .cmd_push_constants(layout, stages, offset, data);
    }
}

fn set_sample_mask<R: Recorder>(maker: &mut Maker, trial: &mut Trial<'_, R>) {
    let samples = vk::SampleCountFlags::from_raw(1 << (maker.half() % 7));
    let mask: &[u32] = maker.plain(samples.as_raw().div_ceil(32) as usize);
    let call: vk::PFN_vkCmdSetSampleMaskEXT = trial.function(c"vkCmdSetSampleMaskEXT");
    // SAFETY: the device takes any command.
    unsafe {
        call(trial.buffer, samples, mask.as_ptr());
        trial.recorder.cmd_set_sample_mask(samples, mask);
    }
}

fn draw_multi<R: Recorder>(maker: &mut Maker, trial: &mut Trial<'_, R>) {
    let (count, stride) = (maker.count() as u32, 8 + 4 * maker.count() as u32);
    let bytes: &[u8] = maker.plain((count * stride) as usize);
    let (instances, first) = (maker.half(), maker.half());
    let infos = bytes.as_ptr().cast();
    let call: vk::PFN_vkCmdDrawMultiEXT = trial.function(c"vkCmdDrawMultiEXT");
    // SAFETY: the device takes any command.
    unsafe {
        call(trial.buffer, count, infos, instances, first, stride);
        trial
            .recorder
            .cmd_draw_multi(count, infos, instances, first, stride);
    }
}

fn draw_multi_indexed<R: Recorder>(maker: &mut Maker, trial: &mut Trial<'_, R>) {
    let (count, stride) = (maker.count() as u32, 12 + 4 * maker.count() as u32);
    let bytes: &[u8] = maker.plain((count * stride) as usize);
    let (instances, first) = (maker.half(), maker.half());
    let infos = bytes.as_ptr().cast();
    let offset: Option<&i32> = maker.flag().then_some(&maker.plain(1)[0]);
    let pointer = offset.map_or(std::ptr::null(), std::ptr::from_ref);
    let call: vk::PFN_vkCmdDrawMultiIndexedEXT = trial.function(c"vkCmdDrawMultiIndexedEXT");
    // SAFETY: the device takes any command.
    unsafe {
        call(
            trial.buffer,
            count,
            infos,
            instances,
            first,
            stride,
            pointer,
        );
        let to = &mut trial.recorder;
        to.cmd_draw_multi_indexed(count, infos, instances, first, stride, offset);
    }
}

fn template<R: Recorder>(maker: &mut Maker, trial: &mut Trial<'_, R>) {
    let data: &[u8] = maker.plain(TEMPLATE_BYTES);
    let template = vk::DescriptorUpdateTemplate::from_raw(maker.word());
    let (layout, set) = (vk::PipelineLayout::from_raw(maker.word()), maker.half());
    let call: vk::PFN_vkCmdPushDescriptorSetWithTemplateKHR =
        trial.function(c"vkCmdPushDescriptorSetWithTemplateKHR");
    // SAFETY: the device takes any command.
    unsafe {
        call(trial.buffer, template, layout, set, data.as_ptr().cast());
        let to = &mut trial.recorder;
        to.cmd_push_descriptor_set_with_template(template, layout, set, data);
    }
}

fn template2<R: Recorder>(maker: &mut Maker, trial: &mut Trial<'_, R>) {
    let layout = &layouts::PUSH_DESCRIPTOR_SET_WITH_TEMPLATE_INFO_KHR;
    let made: &[vk::PushDescriptorSetWithTemplateInfoKHR<'static>] = maker.array(layout, 1);
    let data: &[u8] = maker.plain(TEMPLATE_BYTES);
    let info = vk::PushDescriptorSetWithTemplateInfoKHR {
        p_data: data.as_ptr().cast(),
        ..made[0]
    };
    let call: vk::PFN_vkCmdPushDescriptorSetWithTemplate2KHR =
        trial.function(c"vkCmdPushDescriptorSetWithTemplate2KHR");
    // SAFETY: the device takes any command.
    unsafe {
        call(trial.buffer, &info);
        let to = &mut trial.recorder;
        to.cmd_push_descriptor_set_with_template2(&info, data.len());
    }
}

type Info = vk::AccelerationStructureBuildGeometryInfoKHR<'static>;

/// Infos, and for each a list as long as it has geometries.
fn infos<T: Copy>(maker: &mut Maker) -> (&'static [Info], Vec<&'static [T]>) {
    let count = maker.count();
    let layout = &layouts::ACCELERATION_STRUCTURE_BUILD_GEOMETRY_INFO_KHR;
    let infos: &[Info] = maker.array(layout, count);
    let list = |info: &Info| maker.plain(info.geometry_count as usize);
    (infos, infos.iter().map(list).collect())
}

fn build<R: Recorder>(maker: &mut Maker, trial: &mut Trial<'_, R>) {
    let (infos, lists) = infos(maker);
    let pointers: Vec<_> = lists.iter().map(|list| list.as_ptr()).collect();
    let call: vk::PFN_vkCmdBuildAccelerationStructuresKHR =
        trial.function(c"vkCmdBuildAccelerationStructuresKHR");
    // SAFETY: the device takes any command.
    unsafe {
        let count = infos.len() as u32;
        call(trial.buffer, count, infos.as_ptr(), pointers.as_ptr());
        trial
            .recorder
            .cmd_build_acceleration_structures(infos, &lists);
    }
}

fn build_indirect<R: Recorder>(maker: &mut Maker, trial: &mut Trial<'_, R>) {
    let (infos, lists) = infos(maker);
    let pointers: Vec<_> = lists.iter().map(|list| list.as_ptr()).collect();
    let addresses: &[u64] = maker.plain(infos.len());
    let strides: &[u32] = maker.plain(infos.len());
    let call: vk::PFN_vkCmdBuildAccelerationStructuresIndirectKHR =
        trial.function(c"vkCmdBuildAccelerationStructuresIndirectKHR");
    // SAFETY: the device takes any command.
    unsafe {
        let count = infos.len() as u32;
        let (at, steps) = (addresses.as_ptr(), strides.as_ptr());
        call(
            trial.buffer,
            count,
            infos.as_ptr(),
            at,
            steps,
            pointers.as_ptr(),
        );
        let to = &mut trial.recorder;
        to.cmd_build_acceleration_structures_indirect(infos, addresses, strides, &lists);
    }
}

/// The most that one update may have: far more than a block.
fn large_update<R: Recorder>(maker: &mut Maker, trial: &mut Trial<'_, R>) {
    let data: &[u8] = maker.plain(if cfg!(miri) { 6 << 10 } else { 64 << 10 });
    let (buffer, offset) = (vk::Buffer::from_raw(maker.word()), maker.word());
    let call: vk::PFN_vkCmdUpdateBuffer = trial.function(c"vkCmdUpdateBuffer");
    // SAFETY: the device takes any command.
    unsafe {
        let size = data.len() as u64;
        call(trial.buffer, buffer, offset, size, data.as_ptr().cast());
        trial.recorder.cmd_update_buffer(buffer, offset, data);
    }
}

/// More words than a header can say.
fn large_copy<R: Recorder>(maker: &mut Maker, trial: &mut Trial<'_, R>) {
    let count = if cfg!(miri) { 100 } else { 20_000 };
    let regions: &[vk::BufferCopy2<'static>] = maker.array(&layouts::BUFFER_COPY2, count);
    let info = vk::CopyBufferInfo2::default().regions(regions);
    let call: vk::PFN_vkCmdCopyBuffer2 = trial.function(c"vkCmdCopyBuffer2");
    // SAFETY: the device takes any command.
    unsafe {
        call(trial.buffer, &info);
        trial.recorder.cmd_copy_buffer2(&info);
    }
}
