//! A recorder of the lane that the service has chosen: the stream lane, or a lease where block memory is above its limit.

#![allow(unsafe_code, reason = "hands commands on")]

use super::{DrawState, LeaseRecorder, Recorder, StreamRecorder};
use crate::error::RecordError;
use crate::frame::{SlotPlace, SlotToken};
use ash::vk;
use std::mem::MaybeUninit;

/// Records one slot in the lane that the service has chosen.
///
/// Made by [`Slot::record`](crate::Slot::record). Commands are the methods of [`Recorder`]; call
/// [`finish`](Self::finish) at the end, as with either of the two. What it refers to has to live as long, too.
///
/// Each command first looks which of the two it is. A job that records by the thousand looks once:
///
/// ```no_run
/// use agate_vk::{AnyRecorder, RecordError, Recorder, Slot, vk};
///
/// # unsafe fn stones(recorder: &mut impl Recorder, pipeline: vk::Pipeline) {}
/// # fn job(slot: Slot, pipeline: vk::Pipeline) -> Result<(), RecordError> {
/// match slot.record()? {
///     AnyRecorder::Stream(mut recorder) => {
///         // SAFETY: the pipeline lives until the ticket has resolved, and fits the pass.
///         recorder.enter(|recorder| unsafe { stones(recorder, pipeline) });
///         recorder.finish()
///     }
///     AnyRecorder::Lease(mut recorder) => {
///         // SAFETY: as above.
///         unsafe { stones(&mut recorder, pipeline) };
///         recorder.finish()
///     }
/// }
/// # }
/// ```
///
/// # Progress
///
/// That of its lane: see [`StreamRecorder`] and [`LeaseRecorder`].
#[derive(Debug)]
pub enum AnyRecorder {
    /// In the stream lane.
    Stream(StreamRecorder),
    /// In the lease lane: there was too much block memory in use.
    Lease(LeaseRecorder),
}

/// Calls a method of the recorder, whichever it is.
macro_rules! in_its_lane {
    ($any:ident.$method:ident($($argument:ident),*)) => {
        match $any {
            // SAFETY: the arguments' contract is the caller's.
            Self::Stream(recorder) => unsafe { recorder.$method($($argument),*) },
            // SAFETY: as above.
            Self::Lease(recorder) => unsafe { recorder.$method($($argument),*) },
        }
    };
}

impl AnyRecorder {
    /// Starts recording for the slot of `token`.
    pub(crate) fn new(token: SlotToken) -> Result<Self, RecordError> {
        if !token.spills() {
            return StreamRecorder::new(token).map(Self::Stream);
        }
        match LeaseRecorder::try_new(token) {
            Ok(recorder) => {
                recorder.count_spill();
                Ok(Self::Lease(recorder))
            }
            Err(token) => StreamRecorder::new(token).map(Self::Stream),
        }
    }

    /// Ends the recording and hands it to the owner.
    ///
    /// # Errors
    ///
    /// As [`StreamRecorder::finish`] or [`LeaseRecorder::finish`].
    ///
    /// # Progress
    ///
    /// As there.
    pub fn finish(self) -> Result<(), RecordError> {
        match self {
            Self::Stream(recorder) => recorder.finish(),
            Self::Lease(recorder) => recorder.finish(),
        }
    }

    /// Which slot is being recorded.
    pub fn place(&self) -> Option<SlotPlace> {
        match self {
            Self::Stream(recorder) => Some(recorder.place()),
            Self::Lease(recorder) => recorder.place(),
        }
    }

    /// Whether it records in the lease lane.
    pub fn is_lease(&self) -> bool {
        matches!(self, Self::Lease(_))
    }
}

impl Recorder for AnyRecorder {
    #[inline]
    unsafe fn cmd_bind_pipeline(
        &mut self,
        bind_point: vk::PipelineBindPoint,
        pipeline: vk::Pipeline,
    ) {
        in_its_lane!(self.cmd_bind_pipeline(bind_point, pipeline));
    }

    #[inline]
    unsafe fn cmd_bind_vertex_buffers(
        &mut self,
        first_binding: u32,
        buffers: &[vk::Buffer],
        offsets: &[vk::DeviceSize],
    ) {
        in_its_lane!(self.cmd_bind_vertex_buffers(first_binding, buffers, offsets));
    }

    #[inline]
    unsafe fn cmd_bind_index_buffer(
        &mut self,
        buffer: vk::Buffer,
        offset: vk::DeviceSize,
        index_type: vk::IndexType,
    ) {
        in_its_lane!(self.cmd_bind_index_buffer(buffer, offset, index_type));
    }

    #[inline]
    unsafe fn cmd_bind_descriptor_sets(
        &mut self,
        bind_point: vk::PipelineBindPoint,
        layout: vk::PipelineLayout,
        first: u32,
        sets: &[vk::DescriptorSet],
        offsets: &[u32],
    ) {
        in_its_lane!(self.cmd_bind_descriptor_sets(bind_point, layout, first, sets, offsets));
    }

    #[inline]
    unsafe fn cmd_push_constants(
        &mut self,
        layout: vk::PipelineLayout,
        stages: vk::ShaderStageFlags,
        offset: u32,
        constants: &[u8],
    ) {
        in_its_lane!(self.cmd_push_constants(layout, stages, offset, constants));
    }

    #[inline]
    unsafe fn push_constants<T: Copy>(
        &mut self,
        layout: vk::PipelineLayout,
        stages: vk::ShaderStageFlags,
        offset: u32,
        constants: &T,
    ) {
        in_its_lane!(self.push_constants(layout, stages, offset, constants));
    }

    #[inline]
    unsafe fn push_constants_with<T: Copy>(
        &mut self,
        layout: vk::PipelineLayout,
        stages: vk::ShaderStageFlags,
        offset: u32,
        write: impl FnOnce(&mut MaybeUninit<T>),
    ) {
        in_its_lane!(self.push_constants_with(layout, stages, offset, write));
    }

    #[inline]
    unsafe fn cmd_set_viewport(&mut self, first_viewport: u32, viewports: &[vk::Viewport]) {
        in_its_lane!(self.cmd_set_viewport(first_viewport, viewports));
    }

    #[inline]
    unsafe fn cmd_set_scissor(&mut self, first_scissor: u32, scissors: &[vk::Rect2D]) {
        in_its_lane!(self.cmd_set_scissor(first_scissor, scissors));
    }

    #[inline]
    unsafe fn cmd_set_line_width(&mut self, line_width: f32) {
        in_its_lane!(self.cmd_set_line_width(line_width));
    }

    #[inline]
    unsafe fn cmd_draw(
        &mut self,
        vertex_count: u32,
        instance_count: u32,
        first_vertex: u32,
        first_instance: u32,
    ) {
        in_its_lane!(self.cmd_draw(vertex_count, instance_count, first_vertex, first_instance));
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
        let (indices, instances, first) = (index_count, instance_count, first_index);
        in_its_lane!(self.cmd_draw_indexed(
            indices,
            instances,
            first,
            vertex_offset,
            first_instance
        ));
    }

    #[inline]
    unsafe fn draw_with<T: Copy>(
        &mut self,
        bound: &DrawState,
        vertex_count: u32,
        write: impl FnOnce(&mut MaybeUninit<T>),
    ) {
        in_its_lane!(self.draw_with(bound, vertex_count, write));
    }

    #[inline]
    unsafe fn cmd_dispatch(&mut self, groups_x: u32, groups_y: u32, groups_z: u32) {
        in_its_lane!(self.cmd_dispatch(groups_x, groups_y, groups_z));
    }

    #[inline]
    unsafe fn record<F>(&mut self, closure: F)
    where
        F: FnOnce(&ash::Device, vk::CommandBuffer) + Send + 'static,
    {
        in_its_lane!(self.record(closure));
    }

    fn destroy_after(&mut self, work: impl FnOnce() + Send + 'static) {
        match self {
            Self::Stream(recorder) => recorder.destroy_after(work),
            Self::Lease(recorder) => recorder.destroy_after(work),
        }
    }

    crate::commands::generated::any::hand_on!();
    crate::commands::irregular::hand_on!(any);
}
