//! How a job records: one trait of commands, whatever lane carries them.

#![allow(
    unsafe_code,
    reason = "declares the unsafe methods that record commands"
)]

mod any;
mod chain;
pub(crate) mod cursor;
mod eliminating;
mod header;
mod held;
pub(crate) mod jumbo;
mod lease;
mod published;
mod shadow;
mod stream;

pub use any::AnyRecorder;
pub(crate) use chain::Chain;
pub(crate) use cursor::Said;
pub use eliminating::Eliminating;
pub(crate) use header::{BlockHeader, HEADER_WORDS};
pub(crate) use jumbo::{Jumbos, Room};
pub use lease::LeaseRecorder;
pub(crate) use published::Published;
#[cfg(feature = "checks")]
pub(crate) use stream::note_pipeline;
pub use stream::{Entered, StreamRecorder};
pub(crate) use stream::{after, device, fail, note_closure};

use ash::vk;
use std::mem::MaybeUninit;
use std::sync::Arc;

/// What a fused draw binds and where it pushes; see [`Recorder::draw_with`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DrawState {
    /// The graphics pipeline.
    pub pipeline: vk::Pipeline,
    /// The buffer that is bound to binding 0, from its start.
    pub vertices: vk::Buffer,
    /// The layout that the push constants are of.
    pub layout: vk::PipelineLayout,
    /// The stages that they are for.
    pub stages: vk::ShaderStageFlags,
    /// Where they begin, in bytes.
    pub push_offset: u32,
}

impl std::fmt::Debug for DrawState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DrawState")
            .field("pipeline", &self.pipeline)
            .field("vertices", &self.vertices)
            .finish_non_exhaustive()
    }
}

/// Records Vulkan commands from a job, under ash's names and argument types.
///
/// In the stream lane ([`StreamRecorder`]) a call writes a message into memory that the job owns; the owner of the command
/// pool makes the real call later, in slot order. In the lease lane ([`LeaseRecorder`]) the job has a command pool for
/// itself, and a call is the driver's. Code that records into `impl Recorder` works in both, and in an [`AnyRecorder`],
/// whose lane the service has chosen.
///
/// The calls return nothing, as ash's do: the first error sticks and comes out of `finish` and of the frame's ticket.
///
/// The commands are those of Vulkan 1.0 to 1.3 and of all `KHR` and `EXT` extensions that ash knows, without those for video;
/// [`Command::all`](crate::Command::all) is the list. In a stream, arrays and structures are copied, with all that their pointers and
/// `pNext` chains lead to. A structure that nobody knows is an error that names its type
/// ([`Device::register_pnext`](crate::Device::register_pnext) makes it known), and so is a command that the device lacks.
/// What no rule says of an array, the caller says: the size of a template's data, for one.
///
/// A slot starts with all state undefined, as after `vkBeginCommandBuffer`: bind and set what your draws need.
///
/// # Safety
///
/// Every method has the valid usage of its `vkCmd*` command as its contract, less what the crate guarantees: that command
/// pool, buffer and queue are synchronized, that the buffer is recording, and that arrays passed here live long enough
/// (they are copied). What a command *refers to* (pipelines, buffers, images, …) must stay alive and unchanged from this
/// call until the frame's [`Ticket`](crate::Ticket) has resolved; in a lease that outlives its frame, until the
/// [recorder](LeaseRecorder) is finished or dropped.
///
/// # Progress
///
/// Wait-free, except that now and then a full block is published: a lock-free exchange of memory, and at most one wake of
/// a sleeping owner, or work for one that [users drive](crate::ServiceOptions::driven_by_users): then the call may take as
/// long as that. A command that is larger than a block allocates memory of its own. In a lease, as the driver is.
pub trait Recorder {
    /// `vkCmdBindPipeline`.
    ///
    /// # Safety
    ///
    /// See [the trait](Recorder#safety).
    #[doc(alias = "vkCmdBindPipeline")]
    unsafe fn cmd_bind_pipeline(
        &mut self,
        bind_point: vk::PipelineBindPoint,
        pipeline: vk::Pipeline,
    );

    /// `vkCmdBindVertexBuffers`. `buffers` and `offsets` have the same length.
    ///
    /// # Safety
    ///
    /// See [the trait](Recorder#safety).
    #[doc(alias = "vkCmdBindVertexBuffers")]
    unsafe fn cmd_bind_vertex_buffers(
        &mut self,
        first_binding: u32,
        buffers: &[vk::Buffer],
        offsets: &[vk::DeviceSize],
    );

    /// `vkCmdBindIndexBuffer`.
    ///
    /// # Safety
    ///
    /// See [the trait](Recorder#safety).
    #[doc(alias = "vkCmdBindIndexBuffer")]
    unsafe fn cmd_bind_index_buffer(
        &mut self,
        buffer: vk::Buffer,
        offset: vk::DeviceSize,
        index_type: vk::IndexType,
    );

    /// `vkCmdBindDescriptorSets`.
    ///
    /// # Safety
    ///
    /// See [the trait](Recorder#safety).
    #[doc(alias = "vkCmdBindDescriptorSets")]
    unsafe fn cmd_bind_descriptor_sets(
        &mut self,
        bind_point: vk::PipelineBindPoint,
        layout: vk::PipelineLayout,
        first_set: u32,
        descriptor_sets: &[vk::DescriptorSet],
        dynamic_offsets: &[u32],
    );

    /// `vkCmdPushConstants`, in ash's form. Where the data has a type, [`push_constants`](Self::push_constants) is faster:
    /// its length is known when compiled.
    ///
    /// # Safety
    ///
    /// See [the trait](Recorder#safety).
    #[doc(alias = "vkCmdPushConstants")]
    unsafe fn cmd_push_constants(
        &mut self,
        layout: vk::PipelineLayout,
        stages: vk::ShaderStageFlags,
        offset: u32,
        constants: &[u8],
    );

    /// `vkCmdPushConstants` with a value of a known type. The size of `T` must be a multiple of 4.
    ///
    /// # Safety
    ///
    /// See [the trait](Recorder#safety).
    #[doc(alias = "vkCmdPushConstants")]
    unsafe fn push_constants<T: Copy>(
        &mut self,
        layout: vk::PipelineLayout,
        stages: vk::ShaderStageFlags,
        offset: u32,
        constants: &T,
    );

    /// `vkCmdPushConstants` whose data is built in place, in the message: the fastest form. `write` must initialise the
    /// whole value; it gets memory that is aligned to 8 bytes, so `T` may not ask for more.
    ///
    /// # Safety
    ///
    /// See [the trait](Recorder#safety); and `write` initialises all of the value.
    #[doc(alias = "vkCmdPushConstants")]
    unsafe fn push_constants_with<T: Copy>(
        &mut self,
        layout: vk::PipelineLayout,
        stages: vk::ShaderStageFlags,
        offset: u32,
        write: impl FnOnce(&mut MaybeUninit<T>),
    );

    /// `vkCmdSetViewport`.
    ///
    /// # Safety
    ///
    /// See [the trait](Recorder#safety).
    #[doc(alias = "vkCmdSetViewport")]
    unsafe fn cmd_set_viewport(&mut self, first_viewport: u32, viewports: &[vk::Viewport]);

    /// `vkCmdSetScissor`.
    ///
    /// # Safety
    ///
    /// See [the trait](Recorder#safety).
    #[doc(alias = "vkCmdSetScissor")]
    unsafe fn cmd_set_scissor(&mut self, first_scissor: u32, scissors: &[vk::Rect2D]);

    /// `vkCmdSetLineWidth`.
    ///
    /// # Safety
    ///
    /// See [the trait](Recorder#safety).
    #[doc(alias = "vkCmdSetLineWidth")]
    unsafe fn cmd_set_line_width(&mut self, line_width: f32);

    /// `vkCmdDraw`. One instance from vertex 0, instance 0 is a message of 8 bytes.
    ///
    /// # Safety
    ///
    /// See [the trait](Recorder#safety).
    #[doc(alias = "vkCmdDraw")]
    unsafe fn cmd_draw(
        &mut self,
        vertex_count: u32,
        instance_count: u32,
        first_vertex: u32,
        first_instance: u32,
    );

    /// `vkCmdDrawIndexed`. One instance from index 0, vertex 0, instance 0 is a message of 8 bytes.
    ///
    /// # Safety
    ///
    /// See [the trait](Recorder#safety).
    #[doc(alias = "vkCmdDrawIndexed")]
    unsafe fn cmd_draw_indexed(
        &mut self,
        index_count: u32,
        instance_count: u32,
        first_index: u32,
        vertex_offset: i32,
        first_instance: u32,
    );

    /// A whole draw as one message, the cheapest that there is: the same as `vkCmdBindPipeline` for graphics,
    /// `vkCmdBindVertexBuffers` of one buffer from its start to binding 0, `vkCmdPushConstants` with data that is built in
    /// place, and `vkCmdDraw` of `vertex_count` vertices and one instance, both from 0. `write` must initialise the whole
    /// value; it gets memory that is aligned to 8 bytes, so `T` may not ask for more.
    ///
    /// ```no_run
    /// use agate_vk::{DrawState, Recorder, StreamRecorder};
    ///
    /// # fn record(recorder: &mut StreamRecorder, bound: DrawState, matrices: &[[f32; 16]]) {
    /// recorder.enter(|recorder| {
    ///     for matrix in matrices {
    ///         unsafe {
    ///             recorder.draw_with(&bound, 3, |data| {
    ///                 data.write(*matrix);
    ///             });
    ///         }
    ///     }
    /// });
    /// # }
    /// ```
    ///
    /// # Safety
    ///
    /// See [the trait](Recorder#safety), for all four; and `write` initialises all of the value.
    #[doc(alias = "vkCmdDraw")]
    unsafe fn draw_with<T: Copy>(
        &mut self,
        bound: &DrawState,
        vertex_count: u32,
        write: impl FnOnce(&mut MaybeUninit<T>),
    ) {
        // SAFETY: the caller's contract.
        unsafe { self.cmd_bind_pipeline(vk::PipelineBindPoint::GRAPHICS, bound.pipeline) };
        // SAFETY: as above.
        unsafe { self.cmd_bind_vertex_buffers(0, &[bound.vertices], &[0]) };
        // SAFETY: as above.
        unsafe {
            self.push_constants_with(bound.layout, bound.stages, bound.push_offset, write);
        }
        // SAFETY: as above.
        unsafe { self.cmd_draw(vertex_count, 1, 0, 0) };
    }

    /// `vkCmdDispatch`.
    ///
    /// # Safety
    ///
    /// See [the trait](Recorder#safety).
    #[doc(alias = "vkCmdDispatch")]
    unsafe fn cmd_dispatch(&mut self, groups_x: u32, groups_y: u32, groups_z: u32);

    /// Records what nothing else records: `closure` is called in its turn, between the commands before and behind it, with
    /// the host's device and the command buffer that is recording.
    ///
    /// In the stream lane whoever replays the block calls it, later: the pools' owner on its own thread, or a shard's driver.
    /// Meanwhile it stands in the block, with no allocation unless it is larger than one. It is called once or dropped once: dropped where nothing is recorded
    /// any more, because its slot is lost, its frame fails or is discarded, or the service ends; on whichever thread that
    /// is seen. Where it panics the frame fails with [`SlotLoss::ClosurePanicked`](crate::SlotLoss::ClosurePanicked),
    /// whatever [`MissingSlot`](crate::MissingSlot) says; a panic while it is dropped ends there.
    ///
    /// Whatever it binds or sets stays so for the commands behind it in this slot, which had better bind all that they
    /// need. All that the owner records waits while it runs. In the lease lane it is called at once, and its panic is the
    /// job's; with the feature `checks`, it is dropped there behind an error.
    ///
    /// ```no_run
    /// # use agate_vk::{Recorder, StreamRecorder, vk};
    /// # fn example(recorder: &mut StreamRecorder, extension: vk::PFN_vkCmdCuLaunchKernelNVX) {
    /// let launch = vk::CuLaunchInfoNVX::default();
    /// // SAFETY: the extension is enabled, and its kernel lives until the ticket has resolved.
    /// unsafe { recorder.record(move |_device, buffer| extension(buffer, &launch)) };
    /// # }
    /// ```
    ///
    /// # Safety
    ///
    /// - `closure` uses the command buffer for `vkCmd*` calls alone, each with its valid usage at this place of the pass,
    ///   and no longer than it runs. It neither begins nor ends, resets or frees it, nor its pool.
    /// - It leaves nothing open that it begins (labels, queries, conditional rendering, …), and neither begins nor ends the
    ///   pass.
    /// - What its commands refer to lives, unchanged, until the frame's ticket has resolved.
    unsafe fn record<F>(&mut self, closure: F)
    where
        F: FnOnce(&ash::Device, vk::CommandBuffer) + Send + 'static;

    /// Keeps a value alive until the frame of this recording is over: executed, discarded, failed, or its device lost. An
    /// owner drops it then. What becomes of the recording makes no difference.
    ///
    /// ```no_run
    /// # use agate_vk::{Recorder, StreamRecorder, vk};
    /// # use std::sync::Arc;
    /// # struct Mesh { vertices: vk::Buffer, count: u32 }
    /// # fn job(recorder: &mut StreamRecorder, mesh: &Arc<Mesh>) {
    /// // Its drop destroys the buffer; the last of those who use it does that.
    /// recorder.keep_alive(Arc::clone(mesh));
    /// // SAFETY: the buffer lives until the ticket has resolved.
    /// unsafe {
    ///     recorder.cmd_bind_vertex_buffers(0, &[mesh.vertices], &[0]);
    ///     recorder.cmd_draw(mesh.count, 1, 0, 0);
    /// }
    /// # }
    /// ```
    ///
    /// # Progress
    ///
    /// Never parks; allocates.
    fn keep_alive<T: Send + Sync + 'static>(&mut self, value: Arc<T>) {
        self.destroy_after(move || drop(value));
    }

    /// Does something when the frame of this recording is over, as [`Frame::destroy_after`](crate::Frame::destroy_after)
    /// does. Where it is over already, because the slot was given up meanwhile, it is done here and now.
    ///
    /// # Progress
    ///
    /// Never parks; allocates.
    fn destroy_after(&mut self, work: impl FnOnce() + Send + 'static);

    crate::commands::generated::recorder::declare!();
    crate::commands::irregular::declare!();
}
