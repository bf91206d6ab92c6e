//! Encoding: one function for each command, from arguments to words.
//!
//! Payload layouts are named `[word, word, …]` here and read in the same order in `replay` (C2).

#![allow(unsafe_code, reason = "writes words at the cursor of a block")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the words of one command are written together"
)]

use super::generated::table;
use super::table::Command;
use super::{header, op, words_of};
use crate::error::RecordError;
use crate::recorder::cursor::{Cursor, HasCursor, SPARE_WORDS};
use crate::recorder::{DrawState, Recorder, Said};
use crate::recorder::{after, device, fail};
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
    cursor.make_room(N);
    let at = cursor.cur;
    for (i, word) in words.into_iter().enumerate() {
        // SAFETY: there is room for N words.
        unsafe { at.add(i).write(word) };
    }
    // SAFETY: likewise. The cursor moves last, as in `put_or_again`.
    cursor.cur = unsafe { at.add(N) };
}

/// Writes a command of two words that says a value, or one of one word where the block has said it last: `ops` are those of
/// the one-word and of the two-word command.
///
/// The shorter one is written in any case: so the branch that is taken seldom is all that the comparison adds.
#[inline(always)]
fn put_or_again(
    cursor: &mut Cursor,
    [again, full]: [u16; 2],
    inline: u32,
    value: u64,
    last: impl FnOnce(&mut Said) -> &mut u64,
) {
    const { assert!(SPARE_WORDS >= 1) }
    // Before the comparison, which a fresh block changes.
    cursor.make_room(1);
    let at = cursor.cur;
    let last: *mut u64 = last(cursor.said());
    // SAFETY: there is room for one word.
    let mut end = unsafe { at.add(1) };
    // SAFETY: likewise.
    unsafe { at.write(header(again, 1, inline)) };
    // SAFETY: K4: what was said last is this recorder's, and stands before the commands.
    if unsafe { *last } != value {
        seldom();
        // SAFETY: likewise; and one of the spare words is behind the one (K1).
        unsafe {
            *last = value;
            at.write(header(full, 2, inline));
            end.write(value);
            end = at.add(2);
        }
    }
    // The cursor moves last: where it stands in memory, it need not be read again for the next command.
    cursor.cur = end;
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

/// Room at the cursor for a command of `words` words that pushes `bytes` of data to where the block says. Before it, where the block has not said
/// so yet: `[header, layout, stages | offset and size]`
#[inline(always)]
fn room_to_push(
    cursor: &mut Cursor,
    (layout, stages, offset): (vk::PipelineLayout, vk::ShaderStageFlags, u32),
    bytes: usize,
    words: usize,
) -> *mut u64 {
    const SAY_WORDS: usize = 3;
    const { assert!(SAY_WORDS <= SPARE_WORDS) }
    let (layout, place) = (
        layout.as_raw(),
        pair(stages.as_raw(), offset | (bytes as u32) << 16),
    );
    // Before the comparison, which a fresh block changes.
    cursor.make_room(words);
    let mut at = cursor.cur;
    let said = cursor.said();
    // One branch for both.
    if (said.push_layout ^ layout) | (said.push_place ^ place) != 0 {
        seldom();
        (said.push_layout, said.push_place) = (layout, place);
        // SAFETY: three words, and behind them are the `words` that follow: so many spare words there are (K1).
        unsafe {
            at.write(header(op::SAY_PUSH, SAY_WORDS, 0));
            at.add(1).write(layout);
            at.add(2).write(place);
            at = at.add(SAY_WORDS);
        }
        cursor.cur = at;
    }
    at
}

/// A push-constants command with `bytes` of data, at the most [`MAX_PUSH_BYTES`], which `write` writes to where it is
/// told: `[header, data …]`
///
/// The header is written last: a draw that joins it writes another, and the compiler then leaves this one out.
///
/// # Safety
///
/// `write` initialises all of the data.
#[inline(always)]
unsafe fn push(
    cursor: &mut Cursor,
    target: (vk::PipelineLayout, vk::ShaderStageFlags, u32),
    bytes: usize,
    write: impl FnOnce(*mut u8),
) {
    let words = 1 + words_of(bytes);
    let at = room_to_push(cursor, target, bytes, words);
    // SAFETY: there is room for `words` words, and the data starts behind the header. The cursor moves when all is written:
    // `write` may panic.
    unsafe {
        write(at.add(1).cast::<u8>());
        at.write(header(op::PUSH_CONSTANTS, words, 0));
        cursor.cur = at.add(words);
    }
    cursor.push_at = at;
    cursor.push_end = cursor.cur;
}

/// Whether there is room for the offset where it is kept, beside the size.
#[inline(always)]
fn is_offset(offset: u32) -> bool {
    offset < 1 << 16
}

/// By value, so that no cursor's address gets here (K2).
#[cold]
#[inline(never)]
fn refuse_push(base: *mut u64, argument: &'static str) {
    let command = "vkCmdPushConstants";
    fail(base, RecordError::BadArgument { command, argument });
}

/// Refuses, when compiled, what cannot be pushed.
const fn assert_pushable<T>() {
    assert!(
        size_of::<T>() % 4 == 0 && align_of::<T>() <= 8,
        "push constants are 4-byte words"
    );
    assert!(
        size_of::<T>() <= MAX_PUSH_BYTES,
        "push constants are larger than any device allows"
    );
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
        let cursor = self.cursor_for(table::BIND_PIPELINE);
        #[cfg(feature = "checks")]
        crate::recorder::note_pipeline(cursor.base, bind_point);
        let ops = [op::BIND_PIPELINE_AGAIN, op::BIND_PIPELINE];
        put_or_again(cursor, ops, inline, pipeline.as_raw(), |said| {
            &mut said.pipeline
        });
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
        let cursor = self.cursor_for(table::BIND_VERTEX_BUFFERS);
        match (buffers, offsets) {
            ([buffer], [0]) => {
                let again = op::BIND_WHOLE_VERTEX_BUFFER_AGAIN;
                let ops = [again, op::BIND_WHOLE_VERTEX_BUFFER];
                put_or_again(cursor, ops, first_binding, buffer.as_raw(), |said| {
                    &mut said.vertices
                });
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
        unsafe {
            put(
                self.cursor_for(table::BIND_INDEX_BUFFER),
                [head, buffer.as_raw(), offset],
            );
        }
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
                self.cursor_for(table::BIND_DESCRIPTOR_SETS),
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
        let cursor = self.cursor_for(table::PUSH_CONSTANTS);
        let fits = constants.len() <= MAX_PUSH_BYTES && constants.len() % 4 == 0;
        if !fits || !is_offset(offset) {
            return refuse_push(cursor.base, if fits { "offset" } else { "constants" });
        }
        let target = (layout, stages, offset);
        // SAFETY: all of the data is written.
        unsafe {
            push(cursor, target, constants.len(), |data| {
                std::ptr::copy_nonoverlapping(constants.as_ptr(), data, constants.len());
            });
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
        const { assert_pushable::<T>() }
        let cursor = self.cursor_for(table::PUSH_CONSTANTS);
        if !is_offset(offset) {
            return refuse_push(cursor.base, "offset");
        }
        let target = (layout, stages, offset);
        // SAFETY: all of the data is written; it is aligned to 8 bytes, which `T` fits (asserted when compiled).
        unsafe {
            push(cursor, target, size_of::<T>(), |data| {
                data.cast::<T>().write(*constants);
            });
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
        const { assert_pushable::<T>() }
        let cursor = self.cursor_for(table::PUSH_CONSTANTS);
        if !is_offset(offset) {
            return refuse_push(cursor.base, "offset");
        }
        let target = (layout, stages, offset);
        // SAFETY: the caller's `write` initialises all of the data; the memory is this recorder's alone (K1).
        unsafe {
            push(cursor, target, size_of::<T>(), |data| {
                write(&mut *data.cast::<MaybeUninit<T>>());
            });
        }
    }

    /// `[header + first, viewports …]`
    #[inline(always)]
    unsafe fn cmd_set_viewport(&mut self, first_viewport: u32, viewports: &[vk::Viewport]) {
        let fixed = [viewports.len() as u64];
        // SAFETY: one word, then viewports.
        unsafe {
            put_array(
                self.cursor_for(table::SET_VIEWPORT),
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
                self.cursor_for(table::SET_SCISSOR),
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
                self.cursor_for(table::SET_LINE_WIDTH),
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
        let cursor = self.cursor_for(table::DRAW);
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
        let cursor = self.cursor_for(table::DRAW_INDEXED);
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

    /// `[header + vertices, pipeline, buffer, data …]`
    #[inline(always)]
    unsafe fn draw_with<T: Copy>(
        &mut self,
        bound: &DrawState,
        vertex_count: u32,
        write: impl FnOnce(&mut MaybeUninit<T>),
    ) {
        const { assert_pushable::<T>() }
        #[cfg(feature = "checks")]
        crate::recorder::note_pipeline(self.cursor().base, vk::PipelineBindPoint::GRAPHICS);
        let cursor = self.cursor_for(table::DRAW);
        if !is_offset(bound.push_offset) {
            return refuse_push(cursor.base, "bound");
        }
        let words = 3 + words_of(size_of::<T>());
        let target = (bound.layout, bound.stages, bound.push_offset);
        let at = room_to_push(cursor, target, size_of::<T>(), words);
        // SAFETY: there is room for `words` words, and the data starts behind three of them; the caller's `write` initialises
        // all of it. The memory is this recorder's alone (K1). The cursor moves when all is written: `write` may panic.
        unsafe {
            at.write(header(op::FUSED_DRAW, words, vertex_count));
            at.add(1).write(bound.pipeline.as_raw());
            at.add(2).write(bound.vertices.as_raw());
            write(&mut *at.add(3).cast::<MaybeUninit<T>>());
            cursor.cur = at.add(words);
        }
    }

    /// `[header + x, y | z]`
    #[inline(always)]
    unsafe fn cmd_dispatch(&mut self, groups_x: u32, groups_y: u32, groups_z: u32) {
        // SAFETY: two words.
        unsafe {
            put(
                self.cursor_for(table::DISPATCH),
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

    fn destroy_after(&mut self, work: impl FnOnce() + Send + 'static) {
        after(self.cursor().base, Box::new(work));
    }

    super::generated::recorder::encode!();
    super::irregular::encode_irregular!();
}
