//! Encoding: one function for each command, from arguments to words.
//!
//! Payload layouts are named `[word, word, …]` here and read in the same order in `replay` (C2).

#![allow(unsafe_code, reason = "writes words at the cursor of a block")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the words of one command are written together"
)]

use super::table::Command;
use super::{header, op, words_of};
use crate::error::RecordError;
use crate::recorder::Recorder;
use crate::recorder::cursor::{Cursor, HasCursor};
use crate::recorder::{device, fail};
use ash::vk::{self, Handle};
use std::mem::MaybeUninit;

/// Two 32-bit scalars in a word.
#[inline(always)]
pub(super) const fn pair(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}

/// Writes a command of `N` words.
///
/// # Safety
///
/// `words[0]` is a header that says `N` words (C1).
#[inline(always)]
pub(super) unsafe fn put<const N: usize>(cursor: &mut Cursor, words: [u64; N]) {
    let at = cursor.reserve::<N>();
    for (i, word) in words.into_iter().enumerate() {
        // SAFETY: `reserve` gave N words.
        unsafe { at.add(i).write(word) };
    }
}

/// Writes a command of `N` words, where there is room for it.
///
/// # Safety
///
/// As [`put`]; [`Cursor::make_room`] made room for `N` words since the last command.
#[inline(always)]
unsafe fn put_in_room<const N: usize>(cursor: &mut Cursor, words: [u64; N]) {
    let at = cursor.cur;
    for (i, word) in words.into_iter().enumerate() {
        // SAFETY: there is room for N words.
        unsafe { at.add(i).write(word) };
    }
    // SAFETY: likewise.
    cursor.cur = unsafe { at.add(N) };
}

/// Writes a command that ends with one array: `fixed` words, then `items`.
///
/// # Safety
///
/// `replay` reads `fixed.len()` words and then an array of `T` for this op (C2).
#[inline(always)]
unsafe fn put_array<const N: usize, T: Copy>(
    cursor: &mut Cursor,
    command: &'static str,
    op: u16,
    inline: u32,
    fixed: [u64; N],
    items: &[T],
) {
    let words = 1 + N + words_of(size_of_val(items));
    let Some(at) = cursor.reserve_words(words, command) else {
        return;
    };
    // SAFETY: `reserve_words` gave `words` words: the header, N words, and room for the array; `T` is a Vulkan handle or
    // plain structure with an alignment of at most 8.
    unsafe {
        at.write(header(op, words, inline));
        for (i, word) in fixed.into_iter().enumerate() {
            at.add(1 + i).write(word);
        }
        std::ptr::copy_nonoverlapping(items.as_ptr(), at.add(1 + N).cast::<T>(), items.len());
    }
}

/// Whether the device lacks a command; the error sticks then. By value, so that no cursor's address gets here (K2).
#[inline(never)]
pub(super) fn lacks(base: *mut u64, index: u16) -> bool {
    let missing = !device(base).has(index);
    if missing {
        let command = Command::of(index).name;
        fail(base, RecordError::NotLoaded { command });
    }
    missing
}

/// Marks the branch that is taken seldom, for the compiler.
#[cold]
fn seldom() {}

/// A push-constants command with room for `bytes` of data, at the most [`MAX_PUSH_BYTES`]; returns where the data goes:
/// `[header, data …]`. Before it, where the block has not said so yet: `[header, layout, stages | offset and size]`
///
/// # Safety
///
/// The caller writes all of the data.
#[inline(always)]
unsafe fn push_head(
    cursor: &mut Cursor,
    (layout, stages, offset): (vk::PipelineLayout, vk::ShaderStageFlags, u32),
    bytes: usize,
) -> *mut u8 {
    const SAY_WORDS: usize = 3;
    let (layout, place) = (
        layout.as_raw(),
        pair(stages.as_raw(), offset | (bytes as u32) << 16),
    );
    let words = 1 + words_of(bytes);
    // Before the comparison, which a fresh block changes.
    cursor.make_room(SAY_WORDS + words);
    let said = cursor.said();
    if said.push_layout != layout || said.push_place != place {
        seldom();
        (said.push_layout, said.push_place) = (layout, place);
        let head = header(op::SAY_PUSH, SAY_WORDS, 0);
        // SAFETY: three words, and there is room for them.
        unsafe { put_in_room(cursor, [head, layout, place]) };
    }
    let at = cursor.cur;
    // SAFETY: there is room for `words` words still.
    unsafe {
        at.write(header(op::PUSH_CONSTANTS, words, 0));
        cursor.cur = at.add(words);
    }
    cursor.push_at = at;
    cursor.push_end = cursor.cur;
    // SAFETY: the data starts behind the header.
    unsafe { at.add(1).cast::<u8>() }
}

/// A push-constants command whose data has the type `T`; returns where it goes.
///
/// # Safety
///
/// As for [`push_head`].
#[inline(always)]
unsafe fn push_typed<T>(
    cursor: &mut Cursor,
    target: (vk::PipelineLayout, vk::ShaderStageFlags, u32),
) -> *mut T {
    const {
        assert!(
            size_of::<T>() % 4 == 0 && align_of::<T>() <= 8,
            "push constants are 4-byte words"
        );
        assert!(
            size_of::<T>() <= MAX_PUSH_BYTES,
            "push constants are larger than any device allows"
        );
    }
    // SAFETY: the caller writes the data.
    unsafe { push_head(cursor, target, size_of::<T>()).cast::<T>() }
}

/// The largest push constants that this crate takes: more than any known device's limit, less than the smallest block.
const MAX_PUSH_BYTES: usize = 1024;

impl Cursor {
    /// Joins the draw with the push-constants command before it, if that was the last thing written: no bytes are added.
    #[inline(always)]
    fn join_push(&mut self, join: u16, count: u32) -> bool {
        if self.cur != self.push_end {
            return false;
        }
        // The op of the push becomes that of the pair; its inline scalars are zero so far.
        let joined = header(join, 0, count);
        // SAFETY: K3: a push-constants command starts at `push_at`, in this block.
        unsafe { self.push_at.write(self.push_at.read() + joined) };
        self.push_end = std::ptr::null_mut();
        true
    }
}

impl<R: HasCursor> Recorder for R {
    /// `[header + bind point, pipeline]`; the same as before: `[header + bind point]`
    #[inline(always)]
    unsafe fn cmd_bind_pipeline(
        &mut self,
        bind_point: vk::PipelineBindPoint,
        pipeline: vk::Pipeline,
    ) {
        let inline = bind_point.as_raw() as u32;
        let (cursor, pipeline) = (self.cursor(), pipeline.as_raw());
        // Before the comparison, which a fresh block changes.
        cursor.make_room(2);
        if cursor.said().pipeline == pipeline {
            // SAFETY: one word, and there is room for two.
            return unsafe { put_in_room(cursor, [header(op::BIND_PIPELINE_AGAIN, 1, inline)]) };
        }
        seldom();
        cursor.said().pipeline = pipeline;
        // SAFETY: two words, and there is room for them.
        unsafe { put_in_room(cursor, [header(op::BIND_PIPELINE, 2, inline), pipeline]) }
    }

    /// One from its start: `[header + binding, buffer]`, and the same as before: `[header + binding]`; one:
    /// `[header + binding, buffer, offset]`; several: `[header + first, count, offsets …, buffers …]`
    #[inline(always)]
    unsafe fn cmd_bind_vertex_buffers(
        &mut self,
        first_binding: u32,
        buffers: &[vk::Buffer],
        offsets: &[vk::DeviceSize],
    ) {
        let cursor = self.cursor();
        match (buffers, offsets) {
            ([buffer], [0]) => {
                let buffer = buffer.as_raw();
                // Before the comparison, which a fresh block changes.
                cursor.make_room(2);
                if cursor.said().vertices == buffer {
                    let head = header(op::BIND_WHOLE_VERTEX_BUFFER_AGAIN, 1, first_binding);
                    // SAFETY: one word, and there is room for two.
                    return unsafe { put_in_room(cursor, [head]) };
                }
                seldom();
                cursor.said().vertices = buffer;
                let head = header(op::BIND_WHOLE_VERTEX_BUFFER, 2, first_binding);
                // SAFETY: two words, and there is room for them.
                unsafe { put_in_room(cursor, [head, buffer]) }
            }
            ([buffer], [offset]) => {
                let head = header(op::BIND_VERTEX_BUFFER, 3, first_binding);
                // SAFETY: three words.
                unsafe { put(cursor, [head, buffer.as_raw(), *offset]) }
            }
            // SAFETY: the arguments' contract is the caller's.
            _ => unsafe {
                super::irregular::bind_vertex_buffers(cursor, first_binding, buffers, offsets);
            },
        }
    }

    /// `[header + index type, buffer, offset]`
    #[inline(always)]
    unsafe fn cmd_bind_index_buffer(
        &mut self,
        buffer: vk::Buffer,
        offset: vk::DeviceSize,
        index_type: vk::IndexType,
    ) {
        let head = header(op::BIND_INDEX_BUFFER, 3, index_type.as_raw() as u32);
        // SAFETY: three words.
        unsafe { put(self.cursor(), [head, buffer.as_raw(), offset]) }
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
        // SAFETY: the arguments' contract is the caller's.
        unsafe {
            super::irregular::bind_descriptor_sets(
                self.cursor(),
                bind_point,
                layout,
                first_set,
                descriptor_sets,
                dynamic_offsets,
            );
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
        let cursor = self.cursor();
        let fits =
            constants.len() <= MAX_PUSH_BYTES && constants.len() % 4 == 0 && offset < 1 << 16;
        if !fits {
            return cursor.fail(RecordError::BadArgument {
                command: "vkCmdPushConstants",
            });
        }
        // SAFETY: all of the data is written.
        unsafe {
            let data = push_head(cursor, (layout, stages, offset), constants.len());
            std::ptr::copy_nonoverlapping(constants.as_ptr(), data, constants.len());
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
        // SAFETY: all of the data is written; it is aligned to 8 bytes, which `T` fits (asserted when compiled).
        unsafe {
            push_typed::<T>(self.cursor(), (layout, stages, offset & 0xffff)).write(*constants);
        }
    }

    #[inline(always)]
    unsafe fn push_constants_with<T: Copy>(
        &mut self,
        layout: vk::PipelineLayout,
        stages: vk::ShaderStageFlags,
        offset: u32,
        write: impl FnOnce(&mut MaybeUninit<T>),
    ) {
        // SAFETY: the caller's `write` initialises all of the data; the memory is this recorder's alone (K1).
        unsafe {
            write(&mut *push_typed::<MaybeUninit<T>>(
                self.cursor(),
                (layout, stages, offset & 0xffff),
            ));
        }
    }

    /// `[header + first, viewports …]`
    #[inline(always)]
    unsafe fn cmd_set_viewport(&mut self, first_viewport: u32, viewports: &[vk::Viewport]) {
        let fixed = [viewports.len() as u64];
        // SAFETY: one word, then viewports.
        unsafe {
            put_array(
                self.cursor(),
                "vkCmdSetViewport",
                op::SET_VIEWPORT,
                first_viewport,
                fixed,
                viewports,
            );
        }
    }

    /// `[header + first, scissors …]`
    #[inline(always)]
    unsafe fn cmd_set_scissor(&mut self, first_scissor: u32, scissors: &[vk::Rect2D]) {
        let fixed = [scissors.len() as u64];
        // SAFETY: one word, then rectangles.
        unsafe {
            put_array(
                self.cursor(),
                "vkCmdSetScissor",
                op::SET_SCISSOR,
                first_scissor,
                fixed,
                scissors,
            );
        }
    }

    /// `[header + width]`
    #[inline(always)]
    unsafe fn cmd_set_line_width(&mut self, line_width: f32) {
        // SAFETY: one word.
        unsafe {
            put(
                self.cursor(),
                [header(op::SET_LINE_WIDTH, 1, line_width.to_bits())],
            );
        }
    }

    /// Short: `[header + vertices]`, or joined with the push constants before it; long: `[header + vertices,
    /// instances | first vertex, first instance]`
    #[inline(always)]
    unsafe fn cmd_draw(
        &mut self,
        vertex_count: u32,
        instance_count: u32,
        first_vertex: u32,
        first_instance: u32,
    ) {
        let cursor = self.cursor();
        if instance_count == 1 && first_vertex == 0 && first_instance == 0 {
            if !cursor.join_push(op::JOIN_DRAW, vertex_count) {
                // SAFETY: one word.
                unsafe { put(cursor, [header(op::DRAW_SHORT, 1, vertex_count)]) }
            }
            return;
        }
        let words = [
            header(op::DRAW, 3, vertex_count),
            pair(instance_count, first_vertex),
            u64::from(first_instance),
        ];
        // SAFETY: three words.
        unsafe { put(cursor, words) }
    }

    /// As `cmd_draw`; long: `[header + indices, instances | first index, vertex offset | first instance]`
    #[inline(always)]
    unsafe fn cmd_draw_indexed(
        &mut self,
        index_count: u32,
        instance_count: u32,
        first_index: u32,
        vertex_offset: i32,
        first_instance: u32,
    ) {
        let cursor = self.cursor();
        if instance_count == 1 && first_index == 0 && vertex_offset == 0 && first_instance == 0 {
            if !cursor.join_push(op::JOIN_DRAW_INDEXED, index_count) {
                // SAFETY: one word.
                unsafe { put(cursor, [header(op::DRAW_INDEXED_SHORT, 1, index_count)]) }
            }
            return;
        }
        let words = [
            header(op::DRAW_INDEXED, 3, index_count),
            pair(instance_count, first_index),
            pair(vertex_offset as u32, first_instance),
        ];
        // SAFETY: three words.
        unsafe { put(cursor, words) }
    }

    /// `[header + x, y | z]`
    #[inline(always)]
    unsafe fn cmd_dispatch(&mut self, groups_x: u32, groups_y: u32, groups_z: u32) {
        // SAFETY: two words.
        unsafe {
            put(
                self.cursor(),
                [header(op::DISPATCH, 2, groups_x), pair(groups_y, groups_z)],
            );
        }
    }

    /// See `closure.rs`.
    #[inline(always)]
    unsafe fn record<F>(&mut self, closure: F)
    where
        F: FnOnce(&ash::Device, vk::CommandBuffer) + Send + 'static,
    {
        super::closure::put(self.cursor(), closure);
    }

    super::generated::recorder::encode!();
    super::irregular::encode_irregular!();
}
