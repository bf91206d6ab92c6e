//! Commands that are called at once, in a lease: what follows from the registry, and by hand those with short forms in the
//! stream lane and the irregular ones.

#![allow(unsafe_code, reason = "calls the driver")]

use super::generated::table;
use crate::recorder::{LeaseRecorder, Recorder};
use ash::vk;
use std::mem::MaybeUninit;

impl Recorder for LeaseRecorder {
    #[inline]
    unsafe fn cmd_bind_pipeline(
        &mut self,
        bind_point: vk::PipelineBindPoint,
        pipeline: vk::Pipeline,
    ) {
        #[cfg(feature = "checks")]
        self.note_pipeline(bind_point);
        let Some((device, buffer)) = self.target(table::BIND_PIPELINE) else {
            return;
        };
        // SAFETY: the arguments' contract is the caller's; the buffer is recording, and its pool is this recorder's (G1).
        unsafe { device.cmd_bind_pipeline(buffer, bind_point, pipeline) }
    }

    #[inline]
    unsafe fn cmd_bind_vertex_buffers(
        &mut self,
        first_binding: u32,
        buffers: &[vk::Buffer],
        offsets: &[vk::DeviceSize],
    ) {
        if buffers.len() != offsets.len() {
            return self.refuse(table::BIND_VERTEX_BUFFERS, "offsets");
        }
        let Some((device, buffer)) = self.target(table::BIND_VERTEX_BUFFERS) else {
            return;
        };
        // SAFETY: as above.
        unsafe { device.cmd_bind_vertex_buffers(buffer, first_binding, buffers, offsets) }
    }

    #[inline]
    unsafe fn cmd_bind_index_buffer(
        &mut self,
        buffer: vk::Buffer,
        offset: vk::DeviceSize,
        index_type: vk::IndexType,
    ) {
        let Some((device, commands)) = self.target(table::BIND_INDEX_BUFFER) else {
            return;
        };
        // SAFETY: as above.
        unsafe { device.cmd_bind_index_buffer(commands, buffer, offset, index_type) }
    }

    #[inline]
    unsafe fn cmd_bind_descriptor_sets(
        &mut self,
        bind_point: vk::PipelineBindPoint,
        layout: vk::PipelineLayout,
        first_set: u32,
        descriptor_sets: &[vk::DescriptorSet],
        dynamic_offsets: &[u32],
    ) {
        let Some((device, buffer)) = self.target(table::BIND_DESCRIPTOR_SETS) else {
            return;
        };
        // SAFETY: as above.
        unsafe {
            device.cmd_bind_descriptor_sets(
                buffer,
                bind_point,
                layout,
                first_set,
                descriptor_sets,
                dynamic_offsets,
            );
        }
    }

    #[inline]
    unsafe fn cmd_push_constants(
        &mut self,
        layout: vk::PipelineLayout,
        stages: vk::ShaderStageFlags,
        offset: u32,
        constants: &[u8],
    ) {
        if constants.len() % 4 != 0 {
            return self.refuse(table::PUSH_CONSTANTS, "constants");
        }
        let Some((device, buffer)) = self.target(table::PUSH_CONSTANTS) else {
            return;
        };
        // SAFETY: as above.
        unsafe { device.cmd_push_constants(buffer, layout, stages, offset, constants) }
    }

    #[inline]
    unsafe fn push_constants<T: Copy>(
        &mut self,
        layout: vk::PipelineLayout,
        stages: vk::ShaderStageFlags,
        offset: u32,
        constants: &T,
    ) {
        const { assert!(size_of::<T>() % 4 == 0, "push constants are 4-byte words") }
        let Some((device, buffer)) = self.target(table::PUSH_CONSTANTS) else {
            return;
        };
        let call = device.fp_v1_0().cmd_push_constants;
        let (size, data) = (size_of::<T>() as u32, std::ptr::from_ref(constants));
        // SAFETY: as above; the driver reads as many bytes as the value has.
        unsafe { call(buffer, layout, stages, offset, size, data.cast()) }
    }

    #[inline]
    unsafe fn push_constants_with<T: Copy>(
        &mut self,
        layout: vk::PipelineLayout,
        stages: vk::ShaderStageFlags,
        offset: u32,
        write: impl FnOnce(&mut MaybeUninit<T>),
    ) {
        let mut constants = MaybeUninit::uninit();
        write(&mut constants);
        // SAFETY: the caller's `write` initialises all of it.
        let constants = unsafe { constants.assume_init() };
        // SAFETY: as above.
        unsafe { self.push_constants(layout, stages, offset, &constants) }
    }

    #[inline]
    unsafe fn cmd_set_viewport(&mut self, first_viewport: u32, viewports: &[vk::Viewport]) {
        let Some((device, buffer)) = self.target(table::SET_VIEWPORT) else {
            return;
        };
        // SAFETY: as above.
        unsafe { device.cmd_set_viewport(buffer, first_viewport, viewports) }
    }

    #[inline]
    unsafe fn cmd_set_scissor(&mut self, first_scissor: u32, scissors: &[vk::Rect2D]) {
        let Some((device, buffer)) = self.target(table::SET_SCISSOR) else {
            return;
        };
        // SAFETY: as above.
        unsafe { device.cmd_set_scissor(buffer, first_scissor, scissors) }
    }

    #[inline]
    unsafe fn cmd_set_line_width(&mut self, line_width: f32) {
        let Some((device, buffer)) = self.target(table::SET_LINE_WIDTH) else {
            return;
        };
        // SAFETY: as above.
        unsafe { device.cmd_set_line_width(buffer, line_width) }
    }

    #[inline]
    unsafe fn cmd_draw(
        &mut self,
        vertex_count: u32,
        instance_count: u32,
        first_vertex: u32,
        first_instance: u32,
    ) {
        let Some((device, buffer)) = self.target(table::DRAW) else {
            return;
        };
        let (vertices, instances) = (vertex_count, instance_count);
        // SAFETY: as above.
        unsafe { device.cmd_draw(buffer, vertices, instances, first_vertex, first_instance) }
    }

    #[inline]
    unsafe fn cmd_draw_indexed(
        &mut self,
        index_count: u32,
        instance_count: u32,
        first_index: u32,
        vertex_offset: i32,
        first_instance: u32,
    ) {
        let Some((device, buffer)) = self.target(table::DRAW_INDEXED) else {
            return;
        };
        // SAFETY: as above.
        unsafe {
            device.cmd_draw_indexed(
                buffer,
                index_count,
                instance_count,
                first_index,
                vertex_offset,
                first_instance,
            );
        }
    }

    #[inline]
    unsafe fn cmd_dispatch(&mut self, groups_x: u32, groups_y: u32, groups_z: u32) {
        let Some((device, buffer)) = self.target(table::DISPATCH) else {
            return;
        };
        // SAFETY: as above.
        unsafe { device.cmd_dispatch(buffer, groups_x, groups_y, groups_z) }
    }

    /// Called here and now; a panic is the job's. With the feature `checks` it is dropped where an error came before it.
    #[inline]
    unsafe fn record<F>(&mut self, closure: F)
    where
        F: FnOnce(&ash::Device, vk::CommandBuffer) + Send + 'static,
    {
        match self.target_of_closure() {
            Some((device, buffer)) => closure(device, buffer),
            // As in a stream, where it would be dropped when nobody calls it.
            None => drop(crate::caught::quietly(|| drop(closure))),
        }
    }

    fn destroy_after(&mut self, work: impl FnOnce() + Send + 'static) {
        self.after(Box::new(work));
    }

    unsafe fn cmd_set_sample_mask(
        &mut self,
        samples: vk::SampleCountFlags,
        sample_mask: &[vk::SampleMask],
    ) {
        const INDEX: u16 = table::SET_SAMPLE_MASK;
        if sample_mask.len() != samples.as_raw().div_ceil(32) as usize {
            return self.refuse(INDEX, "sample_mask");
        }
        // SAFETY: it is the type of the command's function.
        if let Some((call, buffer)) = unsafe { self.call::<vk::PFN_vkCmdSetSampleMaskEXT>(INDEX) } {
            // SAFETY: as above.
            unsafe { call(buffer, samples, sample_mask.as_ptr()) }
        }
    }

    unsafe fn cmd_draw_multi(
        &mut self,
        draw_count: u32,
        vertex_info: *const vk::MultiDrawInfoEXT,
        instance_count: u32,
        first_instance: u32,
        stride: u32,
    ) {
        const INDEX: u16 = table::DRAW_MULTI;
        if draw_count > 0 && vertex_info.is_null() {
            return self.refuse(INDEX, "vertex_info");
        }
        let (count, instances, first) = (draw_count, instance_count, first_instance);
        // SAFETY: it is the type of the command's function.
        if let Some((call, buffer)) = unsafe { self.call::<vk::PFN_vkCmdDrawMultiEXT>(INDEX) } {
            // SAFETY: as above.
            unsafe { call(buffer, count, vertex_info, instances, first, stride) }
        }
    }

    unsafe fn cmd_draw_multi_indexed(
        &mut self,
        draw_count: u32,
        index_info: *const vk::MultiDrawIndexedInfoEXT,
        instance_count: u32,
        first_instance: u32,
        stride: u32,
        vertex_offset: Option<&i32>,
    ) {
        const INDEX: u16 = table::DRAW_MULTI_INDEXED;
        if draw_count > 0 && index_info.is_null() {
            return self.refuse(INDEX, "index_info");
        }
        let offset = vertex_offset.map_or(std::ptr::null(), std::ptr::from_ref);
        let (count, instances, first) = (draw_count, instance_count, first_instance);
        // SAFETY: it is the type of the command's function.
        let call = unsafe { self.call::<vk::PFN_vkCmdDrawMultiIndexedEXT>(INDEX) };
        if let Some((call, buffer)) = call {
            // SAFETY: as above.
            unsafe { call(buffer, count, index_info, instances, first, stride, offset) }
        }
    }

    unsafe fn cmd_push_descriptor_set_with_template(
        &mut self,
        descriptor_update_template: vk::DescriptorUpdateTemplate,
        layout: vk::PipelineLayout,
        set: u32,
        data: &[u8],
    ) {
        const INDEX: u16 = table::PUSH_DESCRIPTOR_SET_WITH_TEMPLATE;
        let template = descriptor_update_template;
        // SAFETY: it is the type of the command's function.
        let call = unsafe { self.call::<vk::PFN_vkCmdPushDescriptorSetWithTemplateKHR>(INDEX) };
        if let Some((call, buffer)) = call {
            // SAFETY: as above.
            unsafe { call(buffer, template, layout, set, data.as_ptr().cast()) }
        }
    }

    unsafe fn cmd_push_descriptor_set_with_template2(
        &mut self,
        info: &vk::PushDescriptorSetWithTemplateInfoKHR<'_>,
        size: usize,
    ) {
        const INDEX: u16 = table::PUSH_DESCRIPTOR_SET_WITH_TEMPLATE2;
        if size > 0 && info.p_data.is_null() {
            return self.refuse(INDEX, "push_descriptor_set_with_template_info");
        }
        // SAFETY: it is the type of the command's function.
        let call = unsafe { self.call::<vk::PFN_vkCmdPushDescriptorSetWithTemplate2KHR>(INDEX) };
        if let Some((call, buffer)) = call {
            // SAFETY: as above.
            unsafe { call(buffer, info) }
        }
    }

    unsafe fn cmd_build_acceleration_structures(
        &mut self,
        infos: &[vk::AccelerationStructureBuildGeometryInfoKHR<'_>],
        build_range_infos: &[&[vk::AccelerationStructureBuildRangeInfoKHR]],
    ) {
        const INDEX: u16 = table::BUILD_ACCELERATION_STRUCTURES;
        if !super::irregular::as_long(infos, build_range_infos) {
            return self.refuse(INDEX, "build_range_infos");
        }
        let (count, lists) = (infos.len() as u32, pointers(build_range_infos));
        // SAFETY: it is the type of the command's function.
        let call = unsafe { self.call::<vk::PFN_vkCmdBuildAccelerationStructuresKHR>(INDEX) };
        if let Some((call, buffer)) = call {
            // SAFETY: as above; `lists` outlives the call.
            unsafe { call(buffer, count, infos.as_ptr(), lists.as_ptr()) }
        }
    }

    unsafe fn cmd_build_acceleration_structures_indirect(
        &mut self,
        infos: &[vk::AccelerationStructureBuildGeometryInfoKHR<'_>],
        indirect_device_addresses: &[vk::DeviceAddress],
        indirect_strides: &[u32],
        max_primitive_counts: &[&[u32]],
    ) {
        const INDEX: u16 = table::BUILD_ACCELERATION_STRUCTURES_INDIRECT;
        let (addresses, strides) = (indirect_device_addresses, indirect_strides);
        if addresses.len() != infos.len() {
            return self.refuse(INDEX, "indirect_device_addresses");
        }
        if strides.len() != infos.len() {
            return self.refuse(INDEX, "indirect_strides");
        }
        if !super::irregular::as_long(infos, max_primitive_counts) {
            return self.refuse(INDEX, "max_primitive_counts");
        }
        let (count, lists) = (infos.len() as u32, pointers(max_primitive_counts));
        let (addresses, strides) = (addresses.as_ptr(), strides.as_ptr());
        // SAFETY: it is the type of the command's function.
        let call =
            unsafe { self.call::<vk::PFN_vkCmdBuildAccelerationStructuresIndirectKHR>(INDEX) };
        if let Some((call, buffer)) = call {
            let (infos, lists) = (infos.as_ptr(), lists.as_ptr());
            // SAFETY: as above; `lists` outlives the call.
            unsafe { call(buffer, count, infos, addresses, strides, lists) }
        }
    }

    super::generated::direct::direct!();
}

/// As Vulkan has arrays of arrays.
fn pointers<T>(lists: &[&[T]]) -> Vec<*const T> {
    lists.iter().map(|list| list.as_ptr()).collect()
}
