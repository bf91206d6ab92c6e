//! Commands whose arguments hold pointers: copied whole into the block, with absolute pointers to the copies (C3).

#![allow(
    unsafe_code,
    reason = "copies structures with interior pointers into a block"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the words of one command are written together"
)]

use super::encode::words_of;
use super::{header, op};
use crate::error::RecordError;
use crate::recorder::StreamRecorder;
use crate::recorder::cursor::{Cursor, HasCursor};
use ash::vk::{self, Handle};
use std::ffi::c_void;
use std::slice;

/// Where the next array of a command goes.
struct Tail(*mut u64);

impl Tail {
    /// Copies `items` to the tail and returns where they are; null for none.
    ///
    /// # Safety
    ///
    /// The command has room for them.
    unsafe fn put<T: Copy>(&mut self, items: &[T]) -> *const T {
        if items.is_empty() {
            return std::ptr::null();
        }
        let at = self.0.cast::<T>();
        // SAFETY: the caller's contract; `T` is aligned to at most 8 bytes.
        unsafe {
            std::ptr::copy_nonoverlapping(items.as_ptr(), at, items.len());
            self.0 = self.0.add(words_of(size_of_val(items)));
        }
        at
    }
}

/// The slice behind a Vulkan count and pointer; `None` for a null pointer with a count.
///
/// # Safety
///
/// A pointer that is not null leads to `count` items.
unsafe fn items<'a, T>(pointer: *const T, count: u32) -> Option<&'a [T]> {
    match (pointer.is_null(), count) {
        (_, 0) => Some(&[]),
        (true, _) => None,
        // SAFETY: the caller's contract.
        (false, _) => Some(unsafe { slice::from_raw_parts(pointer, count as usize) }),
    }
}

/// Refuses a structure in `pNext` by its name.
///
/// # Safety
///
/// `next` is null or a Vulkan structure.
unsafe fn no_next(next: *const c_void, command: &'static str) -> Result<(), RecordError> {
    if next.is_null() {
        return Ok(());
    }
    // SAFETY: the caller's contract; each such structure starts with its type.
    let s_type = unsafe { (*next.cast::<vk::BaseInStructure<'_>>()).s_type };
    Err(RecordError::UnsupportedPNext {
        command,
        s_type: s_type.as_raw(),
    })
}

/// `[header + first, count, offsets …, buffers …]`
pub(super) unsafe fn bind_vertex_buffers(
    cursor: &mut Cursor,
    first_binding: u32,
    buffers: &[vk::Buffer],
    offsets: &[vk::DeviceSize],
) {
    const NAME: &str = "vkCmdBindVertexBuffers";
    if buffers.len() != offsets.len() {
        return cursor.fail(RecordError::BadArgument { command: NAME });
    }
    let words = 2 + 2 * buffers.len();
    let Some(at) = cursor.reserve_words(words, NAME) else {
        return;
    };
    // SAFETY: `words` words are reserved.
    unsafe {
        at.write(header(op::BIND_VERTEX_BUFFERS, words, first_binding));
        at.add(1).write(buffers.len() as u64);
        let mut tail = Tail(at.add(2));
        tail.put(offsets);
        tail.put(buffers);
    }
}

/// `[header + bind point, layout, first set | set count, offset count, sets …, offsets …]`
pub(super) unsafe fn bind_descriptor_sets(
    cursor: &mut Cursor,
    bind_point: vk::PipelineBindPoint,
    layout: vk::PipelineLayout,
    first_set: u32,
    sets: &[vk::DescriptorSet],
    offsets: &[u32],
) {
    let words = 4 + sets.len() + words_of(size_of_val(offsets));
    let Some(at) = cursor.reserve_words(words, "vkCmdBindDescriptorSets") else {
        return;
    };
    // SAFETY: `words` words are reserved.
    unsafe {
        at.write(header(
            op::BIND_DESCRIPTOR_SETS,
            words,
            bind_point.as_raw() as u32,
        ));
        at.add(1).write(layout.as_raw());
        at.add(2)
            .write(u64::from(first_set) | (sets.len() as u64) << 32);
        at.add(3).write(offsets.len() as u64);
        let mut tail = Tail(at.add(4));
        tail.put(sets);
        tail.put(offsets);
    }
}

/// `[header, DependencyInfo, barriers …]`
pub(super) unsafe fn pipeline_barrier2(cursor: &mut Cursor, info: &vk::DependencyInfo<'_>) {
    // SAFETY: the caller of the command vouches for `info`.
    if let Err(error) = unsafe { try_pipeline_barrier2(cursor, info) } {
        cursor.fail(error);
    }
}

unsafe fn try_pipeline_barrier2(
    cursor: &mut Cursor,
    info: &vk::DependencyInfo<'_>,
) -> Result<(), RecordError> {
    const NAME: &str = "vkCmdPipelineBarrier2";
    const BAD: RecordError = RecordError::BadArgument { command: NAME };
    // SAFETY: the caller vouches for the structure, its arrays and its chains.
    let (memory, buffers, images) = unsafe {
        no_next(info.p_next, NAME)?;
        let memory = items(info.p_memory_barriers, info.memory_barrier_count).ok_or(BAD)?;
        let buffers = items(
            info.p_buffer_memory_barriers,
            info.buffer_memory_barrier_count,
        )
        .ok_or(BAD)?;
        let images = items(
            info.p_image_memory_barriers,
            info.image_memory_barrier_count,
        )
        .ok_or(BAD)?;
        let mut chains = memory.iter().map(|b| b.p_next);
        chains.try_for_each(|next| no_next(next, NAME))?;
        buffers
            .iter()
            .map(|b| b.p_next)
            .try_for_each(|next| no_next(next, NAME))?;
        images
            .iter()
            .map(|b| b.p_next)
            .try_for_each(|next| no_next(next, NAME))?;
        (memory, buffers, images)
    };
    let fixed = words_of(size_of::<vk::DependencyInfo<'_>>());
    let arrays = size_of_val(memory).div_ceil(8)
        + size_of_val(buffers).div_ceil(8)
        + size_of_val(images).div_ceil(8);
    let words = 1 + fixed + arrays;
    let Some(at) = cursor.reserve_words(words, NAME) else {
        return Ok(());
    };
    // SAFETY: `words` words are reserved: header, structure, arrays.
    unsafe {
        at.write(header(op::PIPELINE_BARRIER2, words, 0));
        let mut tail = Tail(at.add(1 + fixed));
        let mut copy = *info;
        copy.p_memory_barriers = tail.put(memory).cast();
        copy.p_buffer_memory_barriers = tail.put(buffers).cast();
        copy.p_image_memory_barriers = tail.put(images).cast();
        at.add(1)
            .cast::<vk::DependencyInfo<'static>>()
            .write(std::mem::transmute::<
                vk::DependencyInfo<'_>,
                vk::DependencyInfo<'static>,
            >(copy));
    }
    Ok(())
}

impl StreamRecorder {
    /// `[header, RenderingInfo, attachments …]`
    ///
    /// # Safety
    ///
    /// The valid usage of `vkCmdBeginRendering`.
    pub(crate) unsafe fn begin_rendering(&mut self, info: &vk::RenderingInfo<'_>) {
        // SAFETY: the caller's contract.
        if let Err(error) = unsafe { try_begin_rendering(self.cursor(), info) } {
            self.cursor().fail(error);
        }
    }

    /// `[header]`
    pub(crate) fn end_rendering(&mut self) {
        let at = self.cursor().reserve::<1>();
        // SAFETY: one word is reserved.
        unsafe { at.write(header(op::END_RENDERING, 1, 0)) }
    }

    /// `[header, RenderPassBeginInfo, clear values …]`
    ///
    /// # Safety
    ///
    /// The valid usage of `vkCmdBeginRenderPass`.
    pub(crate) unsafe fn begin_render_pass(&mut self, info: &vk::RenderPassBeginInfo<'_>) {
        // SAFETY: the caller's contract.
        if let Err(error) = unsafe { try_begin_render_pass(self.cursor(), info) } {
            self.cursor().fail(error);
        }
    }

    /// `[header]`
    pub(crate) fn end_render_pass(&mut self) {
        let at = self.cursor().reserve::<1>();
        // SAFETY: one word is reserved.
        unsafe { at.write(header(op::END_RENDER_PASS, 1, 0)) }
    }
}

unsafe fn try_begin_rendering(
    cursor: &mut Cursor,
    info: &vk::RenderingInfo<'_>,
) -> Result<(), RecordError> {
    const NAME: &str = "vkCmdBeginRendering";
    // SAFETY: the caller vouches for the structure, its arrays and its chains.
    let (colour, depth, stencil) = unsafe {
        no_next(info.p_next, NAME)?;
        let colour = items(info.p_color_attachments, info.color_attachment_count)
            .ok_or(RecordError::BadArgument { command: NAME })?;
        let depth = one(info.p_depth_attachment);
        let stencil = one(info.p_stencil_attachment);
        let all = colour.iter().chain(depth).chain(stencil);
        all.map(|attachment| attachment.p_next)
            .try_for_each(|next| no_next(next, NAME))?;
        (colour, depth, stencil)
    };
    let fixed = words_of(size_of::<vk::RenderingInfo<'_>>());
    let each = words_of(size_of::<vk::RenderingAttachmentInfo<'_>>());
    let words = 1 + fixed + each * (colour.len() + depth.len() + stencil.len());
    let Some(at) = cursor.reserve_words(words, NAME) else {
        return Ok(());
    };
    // SAFETY: `words` words are reserved: header, structure, attachments (whose size is a multiple of 8).
    unsafe {
        at.write(header(op::BEGIN_RENDERING, words, 0));
        let mut tail = Tail(at.add(1 + fixed));
        let mut copy = *info;
        copy.p_color_attachments = tail.put(colour).cast();
        copy.p_depth_attachment = tail.put(depth).cast();
        copy.p_stencil_attachment = tail.put(stencil).cast();
        at.add(1)
            .cast::<vk::RenderingInfo<'static>>()
            .write(std::mem::transmute::<
                vk::RenderingInfo<'_>,
                vk::RenderingInfo<'static>,
            >(copy));
    }
    Ok(())
}

unsafe fn try_begin_render_pass(
    cursor: &mut Cursor,
    info: &vk::RenderPassBeginInfo<'_>,
) -> Result<(), RecordError> {
    const NAME: &str = "vkCmdBeginRenderPass";
    // SAFETY: the caller vouches for the structure, its array and its chain.
    let clears = unsafe {
        no_next(info.p_next, NAME)?;
        items(info.p_clear_values, info.clear_value_count)
            .ok_or(RecordError::BadArgument { command: NAME })?
    };
    let fixed = words_of(size_of::<vk::RenderPassBeginInfo<'_>>());
    let words = 1 + fixed + words_of(size_of_val(clears));
    let Some(at) = cursor.reserve_words(words, NAME) else {
        return Ok(());
    };
    // SAFETY: `words` words are reserved: header, structure, clear values.
    unsafe {
        at.write(header(op::BEGIN_RENDER_PASS, words, 0));
        let mut copy = *info;
        copy.p_clear_values = Tail(at.add(1 + fixed)).put(clears);
        at.add(1)
            .cast::<vk::RenderPassBeginInfo<'static>>()
            .write(std::mem::transmute::<
                vk::RenderPassBeginInfo<'_>,
                vk::RenderPassBeginInfo<'static>,
            >(copy));
    }
    Ok(())
}

/// A pointer to one structure or to none, as a slice.
///
/// # Safety
///
/// The pointer is null or leads to a structure that outlives `'a`.
unsafe fn one<'a, T>(pointer: *const T) -> &'a [T] {
    // SAFETY: the caller's contract.
    unsafe { pointer.as_ref() }
        .map(slice::from_ref)
        .unwrap_or_default()
}
