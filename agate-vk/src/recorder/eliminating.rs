//! A recorder in front of another, of any lane: it leaves out commands that would set state to what it is.

#![allow(unsafe_code, reason = "hands commands on")]

use super::shadow::Shadow;
use super::{DrawState, Entered, Recorder, StreamRecorder};
use ash::vk;
use std::mem::MaybeUninit;

/// Records through another recorder, without the commands that would set state to what it is already.
///
/// Left out are bindings of the same graphics or compute pipeline, of the same vertex and index buffers, of the same
/// descriptor sets without dynamic offsets, and dynamic state that is one number, the first viewport, or the first scissor.
/// Everything else is recorded: push constants, and all that draws or does something. Whoever reads the commands cannot
/// tell the difference from what is drawn.
///
/// It knows only what was recorded through it: it begins with nothing known, and so does each
/// [`eliminate`](StreamRecorder::eliminate). Where more than this value sets state, call
/// [`forget_state`](Self::forget_state), or do it through [`other`](Self::other). Bind a pipeline before you set its dynamic
/// state: the other way round is as correct, but less is left out.
///
/// ```no_run
/// use agate_vk::{Recorder, StreamRecorder, vk};
///
/// # fn scene() -> Vec<(vk::Pipeline, vk::Buffer)> { unimplemented!() }
/// # fn record(recorder: &mut StreamRecorder) {
/// let point = vk::PipelineBindPoint::GRAPHICS;
/// recorder.eliminate(|recorder| {
///     for (pipeline, vertices) in scene() {
///         // Draws need not know what the draw before them has bound.
///         unsafe {
///             recorder.cmd_bind_pipeline(point, pipeline);
///             recorder.cmd_bind_vertex_buffers(0, &[vertices], &[0]);
///             recorder.cmd_draw(3, 1, 0, 0);
///         }
///     }
/// });
/// # }
/// ```
pub struct Eliminating<'a, R> {
    inner: &'a mut R,
    shadow: Shadow,
}

impl<'a, R: Recorder> Eliminating<'a, R> {
    /// Records through `inner`; nothing is known of its state.
    #[inline(always)]
    pub fn new(inner: &'a mut R) -> Self {
        Self {
            inner,
            shadow: Shadow::UNKNOWN,
        }
    }

    /// Forgets all state: whatever is set or bound next, is recorded.
    #[inline(always)]
    pub fn forget_state(&mut self) {
        self.shadow.forget();
    }

    /// The recorder behind this one, to record what is not to be filtered; all state is forgotten.
    #[inline(always)]
    pub fn other(&mut self) -> &mut R {
        self.forget_state();
        self.inner
    }
}

impl<R> std::fmt::Debug for Eliminating<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Eliminating").finish_non_exhaustive()
    }
}

impl StreamRecorder {
    /// As [`enter`](Self::enter), with a recorder that leaves out redundant state; see [`Eliminating`].
    #[inline(always)]
    pub fn eliminate<R>(
        &mut self,
        record: impl FnOnce(&mut Eliminating<'_, Entered<'_>>) -> R,
    ) -> R {
        self.enter(|entered| record(&mut Eliminating::new(entered)))
    }
}

impl<R: Recorder> Recorder for Eliminating<'_, R> {
    #[inline(always)]
    unsafe fn cmd_bind_pipeline(
        &mut self,
        bind_point: vk::PipelineBindPoint,
        pipeline: vk::Pipeline,
    ) {
        if self.shadow.binds(bind_point, pipeline) {
            // SAFETY: the arguments' contract is the caller's.
            unsafe { self.inner.cmd_bind_pipeline(bind_point, pipeline) };
        }
    }

    #[inline(always)]
    unsafe fn cmd_bind_vertex_buffers(
        &mut self,
        first_binding: u32,
        buffers: &[vk::Buffer],
        offsets: &[vk::DeviceSize],
    ) {
        if self.shadow.binds_vertices(first_binding, buffers, offsets) {
            // SAFETY: the arguments' contract is the caller's.
            unsafe {
                self.inner
                    .cmd_bind_vertex_buffers(first_binding, buffers, offsets);
            }
        }
    }

    #[inline(always)]
    unsafe fn cmd_bind_index_buffer(
        &mut self,
        buffer: vk::Buffer,
        offset: vk::DeviceSize,
        index_type: vk::IndexType,
    ) {
        if self.shadow.binds_indices(buffer, offset, index_type) {
            // SAFETY: the arguments' contract is the caller's.
            unsafe { self.inner.cmd_bind_index_buffer(buffer, offset, index_type) };
        }
    }

    #[inline(always)]
    unsafe fn cmd_bind_descriptor_sets(
        &mut self,
        bind_point: vk::PipelineBindPoint,
        layout: vk::PipelineLayout,
        first_set: u32,
        descriptor_sets: &[vk::DescriptorSet],
        dynamic_offsets: &[u32],
    ) {
        let changes = self.shadow.binds_sets(
            bind_point,
            layout,
            first_set,
            descriptor_sets,
            dynamic_offsets,
        );
        if changes {
            // SAFETY: the arguments' contract is the caller's.
            unsafe {
                self.inner.cmd_bind_descriptor_sets(
                    bind_point,
                    layout,
                    first_set,
                    descriptor_sets,
                    dynamic_offsets,
                );
            }
        }
    }

    #[inline(always)]
    unsafe fn cmd_push_constants(
        &mut self,
        layout: vk::PipelineLayout,
        stages: vk::ShaderStageFlags,
        offset: u32,
        constants: &[u8],
    ) {
        // SAFETY: the arguments' contract is the caller's.
        unsafe {
            self.inner
                .cmd_push_constants(layout, stages, offset, constants);
        }
    }

    #[inline(always)]
    unsafe fn push_constants<T: Copy>(
        &mut self,
        layout: vk::PipelineLayout,
        stages: vk::ShaderStageFlags,
        offset: u32,
        constants: &T,
    ) {
        // SAFETY: the arguments' contract is the caller's.
        unsafe { self.inner.push_constants(layout, stages, offset, constants) };
    }

    #[inline(always)]
    unsafe fn push_constants_with<T: Copy>(
        &mut self,
        layout: vk::PipelineLayout,
        stages: vk::ShaderStageFlags,
        offset: u32,
        write: impl FnOnce(&mut MaybeUninit<T>),
    ) {
        // SAFETY: the arguments' contract is the caller's.
        unsafe {
            self.inner
                .push_constants_with(layout, stages, offset, write);
        };
    }

    #[inline(always)]
    unsafe fn cmd_set_viewport(&mut self, first_viewport: u32, viewports: &[vk::Viewport]) {
        if self.shadow.sets_viewport(first_viewport, viewports) {
            // SAFETY: the arguments' contract is the caller's.
            unsafe { self.inner.cmd_set_viewport(first_viewport, viewports) };
        }
    }

    #[inline(always)]
    unsafe fn cmd_set_scissor(&mut self, first_scissor: u32, scissors: &[vk::Rect2D]) {
        if self.shadow.sets_scissor(first_scissor, scissors) {
            // SAFETY: the arguments' contract is the caller's.
            unsafe { self.inner.cmd_set_scissor(first_scissor, scissors) };
        }
    }

    #[inline(always)]
    unsafe fn cmd_set_line_width(&mut self, line_width: f32) {
        if self.shadow.sets_line_width(line_width.to_bits()) {
            // SAFETY: the arguments' contract is the caller's.
            unsafe { self.inner.cmd_set_line_width(line_width) };
        }
    }

    #[inline(always)]
    unsafe fn cmd_draw(
        &mut self,
        vertex_count: u32,
        instance_count: u32,
        first_vertex: u32,
        first_instance: u32,
    ) {
        self.shadow.drawn();
        // SAFETY: the arguments' contract is the caller's.
        unsafe {
            self.inner
                .cmd_draw(vertex_count, instance_count, first_vertex, first_instance);
        }
    }

    #[inline(always)]
    unsafe fn cmd_draw_indexed(
        &mut self,
        index_count: u32,
        instance_count: u32,
        first_index: u32,
        vertex_offset: i32,
        first_instance: u32,
    ) {
        self.shadow.drawn();
        // SAFETY: the arguments' contract is the caller's.
        unsafe {
            self.inner.cmd_draw_indexed(
                index_count,
                instance_count,
                first_index,
                vertex_offset,
                first_instance,
            );
        }
    }

    /// What is bound already makes it a push and a draw, of fewer bytes; else it is one message.
    #[inline(always)]
    unsafe fn draw_with<T: Copy>(
        &mut self,
        bound: &DrawState,
        vertex_count: u32,
        write: impl FnOnce(&mut MaybeUninit<T>),
    ) {
        let pipeline = self
            .shadow
            .binds(vk::PipelineBindPoint::GRAPHICS, bound.pipeline);
        let vertices = self.shadow.binds_vertices(0, &[bound.vertices], &[0]);
        self.shadow.drawn();
        if pipeline || vertices {
            // SAFETY: the arguments' contract is the caller's.
            return unsafe { self.inner.draw_with(bound, vertex_count, write) };
        }
        // SAFETY: as above; pipeline and buffer are bound.
        unsafe {
            self.inner
                .push_constants_with(bound.layout, bound.stages, bound.push_offset, write);
        }
        // SAFETY: as above.
        unsafe { self.inner.cmd_draw(vertex_count, 1, 0, 0) };
    }

    #[inline(always)]
    unsafe fn cmd_dispatch(&mut self, groups_x: u32, groups_y: u32, groups_z: u32) {
        // SAFETY: the arguments' contract is the caller's.
        unsafe { self.inner.cmd_dispatch(groups_x, groups_y, groups_z) };
    }

    /// The closure may bind what it likes, so nothing is known behind it.
    #[inline(always)]
    unsafe fn record<F>(&mut self, closure: F)
    where
        F: FnOnce(&ash::Device, vk::CommandBuffer) + Send + 'static,
    {
        self.shadow.forget();
        // SAFETY: the closure's contract is the caller's.
        unsafe { self.inner.record(closure) };
    }

    fn destroy_after(&mut self, work: impl FnOnce() + Send + 'static) {
        self.inner.destroy_after(work);
    }

    crate::commands::generated::eliminating::hand_on!();
    crate::commands::irregular::hand_on!(eliminating);
}
