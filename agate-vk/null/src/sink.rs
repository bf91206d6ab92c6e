//! Where the arguments of a command go: words, and the arrays and structures behind pointers, copied deeply.
//!
//! # Invariants
//!
//! - V1: what the functions here are given is what a caller of Vulkan gives: structures of the type that they say, arrays
//!   as long as their counts, chains that end.

#![allow(unsafe_code, reason = "reads what a command's pointers lead to")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the arguments of one call are read together"
)]

use ash::vk;
use std::ffi::c_void;

/// Takes the arguments of a command one after the other.
pub(crate) trait Sink {
    /// Takes one word.
    fn word(&mut self, word: u64);

    /// Takes one argument.
    #[inline(always)]
    fn put(&mut self, argument: impl Word) {
        self.word(argument.word());
    }

    /// Takes the 4-byte units of an array.
    ///
    /// # Safety
    ///
    /// `items` leads to `count` initialised items without padding whose size is a multiple of 4, or `count` is 0.
    #[inline(always)]
    unsafe fn array<T>(&mut self, items: *const T, count: u32) {
        let units = count as usize * size_of::<T>() / 4;
        let items = items.cast::<u32>();
        for pair in 0..units / 2 {
            // SAFETY: the caller's contract; Vulkan's arrays are aligned to 4 bytes, and this read needs no alignment.
            self.word(unsafe { items.add(2 * pair).cast::<u64>().read_unaligned() });
        }
        if units % 2 == 1 {
            // SAFETY: as above.
            self.word(u64::from(unsafe { items.add(units - 1).read_unaligned() }));
        }
    }

    /// Takes the types of the structures in a `pNext` chain.
    ///
    /// # Safety
    ///
    /// A chain of Vulkan structures, or null.
    unsafe fn chain(&mut self, next: *const c_void) {
        let mut next = next.cast::<vk::BaseInStructure<'_>>();
        while !next.is_null() {
            // SAFETY: the caller's contract.
            let structure = unsafe { &*next };
            self.put(structure.s_type);
            next = structure.p_next;
        }
        self.word(0);
    }
}

/// An argument that is one word.
pub(crate) trait Word {
    fn word(self) -> u64;
}

macro_rules! words {
    (|$value:ident| $word:expr; $($kind:ty),* $(,)?) => {
        $(impl Word for $kind {
            #[inline(always)]
            fn word(self) -> u64 {
                let $value = self;
                $word
            }
        })*
    };
}

words!(|value| value; u64);
words!(|value| u64::from(value); u32);
words!(|value| u64::from(value as u32); i32);
words!(|value| u64::from(value.to_bits()); f32);
words!(|value| vk::Handle::as_raw(value);
    vk::CommandBuffer, vk::Pipeline, vk::PipelineLayout, vk::Buffer, vk::Image, vk::ImageView, vk::DescriptorSet,
    vk::RenderPass, vk::Framebuffer);
words!(|value| u64::from(value.as_raw() as u32);
    vk::PipelineBindPoint, vk::IndexType, vk::ImageLayout, vk::Filter, vk::SubpassContents, vk::StructureType,
    vk::AttachmentLoadOp, vk::AttachmentStoreOp);
words!(|value| u64::from(value.as_raw());
    vk::ShaderStageFlags, vk::PipelineStageFlags, vk::DependencyFlags, vk::AccessFlags, vk::ImageAspectFlags,
    vk::RenderingFlags, vk::ResolveModeFlags, vk::StencilFaceFlags);
words!(|value| value.as_raw(); vk::PipelineStageFlags2, vk::AccessFlags2);

/// Takes the fields of a rectangle.
pub(crate) fn rectangle(out: &mut impl Sink, area: vk::Rect2D) {
    out.put(area.offset.x);
    out.put(area.offset.y);
    out.put(area.extent.width);
    out.put(area.extent.height);
}

fn range(out: &mut impl Sink, range: vk::ImageSubresourceRange) {
    out.put(range.aspect_mask);
    out.put(range.base_mip_level);
    out.put(range.level_count);
    out.put(range.base_array_layer);
    out.put(range.layer_count);
}

/// Takes a dependency and its barriers.
///
/// # Safety
///
/// A valid structure with valid arrays.
pub(crate) unsafe fn dependency(out: &mut impl Sink, info: &vk::DependencyInfo<'_>) {
    // SAFETY: the caller's contract, for the chain and the three arrays.
    let (memory, buffers, images) = unsafe {
        out.chain(info.p_next);
        (
            items(info.p_memory_barriers, info.memory_barrier_count),
            items(
                info.p_buffer_memory_barriers,
                info.buffer_memory_barrier_count,
            ),
            items(
                info.p_image_memory_barriers,
                info.image_memory_barrier_count,
            ),
        )
    };
    out.put(info.dependency_flags);
    out.put(memory.len() as u32);
    for barrier in memory {
        // SAFETY: the caller's contract.
        unsafe { out.chain(barrier.p_next) };
        out.put(barrier.src_stage_mask);
        out.put(barrier.src_access_mask);
        out.put(barrier.dst_stage_mask);
        out.put(barrier.dst_access_mask);
    }
    out.put(buffers.len() as u32);
    for barrier in buffers {
        // SAFETY: the caller's contract.
        unsafe { out.chain(barrier.p_next) };
        out.put(barrier.src_stage_mask);
        out.put(barrier.src_access_mask);
        out.put(barrier.dst_stage_mask);
        out.put(barrier.dst_access_mask);
        out.put(barrier.src_queue_family_index);
        out.put(barrier.dst_queue_family_index);
        out.put(barrier.buffer);
        out.put(barrier.offset);
        out.put(barrier.size);
    }
    out.put(images.len() as u32);
    for barrier in images {
        // SAFETY: the caller's contract.
        unsafe { out.chain(barrier.p_next) };
        out.put(barrier.src_stage_mask);
        out.put(barrier.src_access_mask);
        out.put(barrier.dst_stage_mask);
        out.put(barrier.dst_access_mask);
        out.put(barrier.old_layout);
        out.put(barrier.new_layout);
        out.put(barrier.src_queue_family_index);
        out.put(barrier.dst_queue_family_index);
        out.put(barrier.image);
        range(out, barrier.subresource_range);
    }
}

/// Takes a rendering and its attachments.
///
/// # Safety
///
/// A valid structure with valid arrays.
pub(crate) unsafe fn rendering(out: &mut impl Sink, info: &vk::RenderingInfo<'_>) {
    // SAFETY: the caller's contract.
    let (colours, depth, stencil) = unsafe {
        out.chain(info.p_next);
        (
            items(info.p_color_attachments, info.color_attachment_count),
            items(
                info.p_depth_attachment,
                u32::from(!info.p_depth_attachment.is_null()),
            ),
            items(
                info.p_stencil_attachment,
                u32::from(!info.p_stencil_attachment.is_null()),
            ),
        )
    };
    out.put(info.flags);
    rectangle(out, info.render_area);
    out.put(info.layer_count);
    out.put(info.view_mask);
    for attachments in [colours, depth, stencil] {
        out.put(attachments.len() as u32);
        for attachment in attachments {
            // SAFETY: the caller's contract.
            unsafe { out.chain(attachment.p_next) };
            out.put(attachment.image_view);
            out.put(attachment.image_layout);
            out.put(attachment.resolve_mode);
            out.put(attachment.resolve_image_view);
            out.put(attachment.resolve_image_layout);
            out.put(attachment.load_op);
            out.put(attachment.store_op);
            // SAFETY: a clear value is 16 bytes.
            unsafe { out.array(&raw const attachment.clear_value, 1) };
        }
    }
}

/// Takes the begin of a render pass.
///
/// # Safety
///
/// A valid structure with valid arrays.
pub(crate) unsafe fn render_pass(out: &mut impl Sink, info: &vk::RenderPassBeginInfo<'_>) {
    // SAFETY: the caller's contract.
    unsafe { out.chain(info.p_next) };
    out.put(info.render_pass);
    out.put(info.framebuffer);
    rectangle(out, info.render_area);
    out.put(info.clear_value_count);
    // SAFETY: the caller's contract.
    unsafe { out.array(info.p_clear_values, info.clear_value_count) };
}

/// The slice behind a Vulkan count and pointer.
///
/// # Safety
///
/// `pointer` leads to `count` items, or `count` is 0.
pub(crate) unsafe fn items<'a, T>(pointer: *const T, count: u32) -> &'a [T] {
    if count == 0 || pointer.is_null() {
        return &[];
    }
    // SAFETY: the caller's contract.
    unsafe { std::slice::from_raw_parts(pointer, count as usize) }
}
