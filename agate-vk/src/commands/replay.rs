//! Replay: the owner reads the words of a block and makes the real calls. Every `vkCmd*` of this crate is called here.

#![allow(unsafe_code, reason = "reads words of a block and calls the driver")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "one arm reads the words of one command and makes its call"
)]

use super::op;
use crate::raw::Device;
use crate::recorder::Said;
use ash::vk::{self, Handle};

/// The low and the high half of a word.
#[inline(always)]
const fn halves(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

/// The words of the command being replayed.
#[derive(Clone, Copy)]
pub(super) struct Words(*const u64);

impl Words {
    /// # Safety
    ///
    /// The command has that many words (C2).
    #[inline(always)]
    pub(super) unsafe fn at(self, index: usize) -> u64 {
        // SAFETY: the caller's contract.
        unsafe { self.0.add(index).read() }
    }

    /// # Safety
    ///
    /// A handle of that type stands there (C2).
    #[inline(always)]
    pub(super) unsafe fn handle<H: Handle>(self, index: usize) -> H {
        // SAFETY: the caller's contract.
        H::from_raw(unsafe { self.at(index) })
    }

    /// # Safety
    ///
    /// An array of `count` items of that type starts there (C2), and outlives the call.
    #[inline(always)]
    unsafe fn array<'a, T>(self, index: usize, count: usize) -> &'a [T] {
        // SAFETY: the caller's contract.
        unsafe { std::slice::from_raw_parts(self.0.add(index).cast::<T>(), count) }
    }

    /// The low half of a word.
    ///
    /// # Safety
    ///
    /// As [`at`](Self::at).
    pub(super) unsafe fn low(self, index: usize) -> u32 {
        // SAFETY: the caller's contract.
        halves(unsafe { self.at(index) }).0
    }

    /// The high half of a word.
    ///
    /// # Safety
    ///
    /// As [`at`](Self::at).
    pub(super) unsafe fn high(self, index: usize) -> u32 {
        // SAFETY: the caller's contract.
        halves(unsafe { self.at(index) }).1
    }

    /// A pointer to the data of the command.
    ///
    /// # Safety
    ///
    /// A pointer stands there (C2).
    pub(super) unsafe fn pointer<T>(self, index: usize) -> *const T {
        // SAFETY: the caller's contract.
        unsafe { self.0.add(index).cast::<*const T>().read() }
    }
}

/// Replays the commands in `from..to` into a command buffer that is recording; returns how many driver calls it made.
///
/// # Safety
///
/// `from..to` holds whole commands as `encode` wrote them (C1, C2). The calling thread owns the buffer's pool, and the
/// buffer is in the recording state. Whoever encoded the commands vouches for their valid usage.
pub(crate) unsafe fn replay(
    device: &Device,
    buffer: vk::CommandBuffer,
    from: *const u64,
    to: *const u64,
) -> u64 {
    let mut at = from;
    let mut calls = 0;
    // Short forms refer to what was said before in this block (K4 of `cursor`).
    let mut said = Said::NOTHING;
    while at < to {
        let words = Words(at);
        // SAFETY: `at` is at a header.
        let head = unsafe { words.at(0) };
        // SAFETY: C1 and C2 hold for the command at `at`.
        calls += unsafe { command(device, buffer, head, words, &mut said) };
        // SAFETY: C1: the next header, or `to`.
        at = unsafe { at.add((head >> 16 & 0xffff) as usize) };
    }
    calls
}

/// Executes secondary command buffers, in order.
///
/// # Safety
///
/// The calling thread owns the primary's pool; the primary is in the recording state, where the secondaries may be
/// executed, and they are executable.
pub(crate) unsafe fn execute(
    device: &Device,
    primary: vk::CommandBuffer,
    secondaries: &[vk::CommandBuffer],
) {
    // SAFETY: the caller's contract.
    unsafe { device.table().cmd_execute_commands(primary, secondaries) }
}

/// Makes the call, the two calls, or none, of one command, and returns how many.
///
/// # Safety
///
/// As [`replay`].
#[inline(always)]
unsafe fn command(
    device: &Device,
    buffer: vk::CommandBuffer,
    head: u64,
    words: Words,
    said: &mut Said,
) -> u64 {
    let d = device.table();
    let (op, inline) = (head as u16, (head >> 32) as u32);
    // SAFETY: each arm reads what `encode` and `irregular` wrote for its op (C2), and whoever encoded the command vouches
    // for its valid usage; the caller owns the pool and the buffer is recording.
    unsafe {
        match op {
            op::FUSED_DRAW => {
                let (point, data) = (vk::PipelineBindPoint::GRAPHICS, Words(words.0.add(2)));
                d.cmd_bind_pipeline(buffer, point, words.handle(1));
                d.cmd_bind_vertex_buffers(buffer, 0, words.array(2, 1), &[0]);
                push(device, buffer, said, data);
                d.cmd_draw(buffer, inline, 1, 0, 0);
                return 4;
            }
            op::PUSH_DRAW => {
                push(device, buffer, said, words);
                d.cmd_draw(buffer, inline, 1, 0, 0);
                return 2;
            }
            op::PUSH_DRAW_INDEXED => {
                push(device, buffer, said, words);
                d.cmd_draw_indexed(buffer, inline, 1, 0, 0, 0);
                return 2;
            }
            op::PUSH_CONSTANTS => push(device, buffer, said, words),
            op::SAY_PUSH => {
                (said.push_layout, said.push_place) = (words.at(1), words.at(2));
                return 0;
            }
            op::BIND_WHOLE_VERTEX_BUFFER_AGAIN => {
                let vertices = Handle::from_raw(said.vertices);
                d.cmd_bind_vertex_buffers(buffer, inline, &[vertices], &[0]);
            }
            op::BIND_WHOLE_VERTEX_BUFFER => {
                said.vertices = words.at(1);
                d.cmd_bind_vertex_buffers(buffer, inline, &[words.handle(1)], &[0]);
            }
            op::BIND_PIPELINE_AGAIN => {
                let point = vk::PipelineBindPoint::from_raw(inline as i32);
                d.cmd_bind_pipeline(buffer, point, Handle::from_raw(said.pipeline));
            }
            op::DRAW_SHORT => d.cmd_draw(buffer, inline, 1, 0, 0),
            op::DRAW_INDEXED_SHORT => d.cmd_draw_indexed(buffer, inline, 1, 0, 0, 0),
            op::BIND_PIPELINE => {
                said.pipeline = words.at(1);
                d.cmd_bind_pipeline(
                    buffer,
                    vk::PipelineBindPoint::from_raw(inline as i32),
                    words.handle(1),
                );
            }
            op::BIND_VERTEX_BUFFER => {
                d.cmd_bind_vertex_buffers(buffer, inline, &[words.handle(1)], &[words.at(2)]);
            }
            op::BIND_VERTEX_BUFFERS => {
                let count = words.at(1) as usize;
                d.cmd_bind_vertex_buffers(
                    buffer,
                    inline,
                    words.array(2 + count, count),
                    words.array(2, count),
                );
            }
            op::BIND_INDEX_BUFFER => {
                d.cmd_bind_index_buffer(
                    buffer,
                    words.handle(1),
                    words.at(2),
                    vk::IndexType::from_raw(inline as i32),
                );
            }
            op::BIND_DESCRIPTOR_SETS => bind_descriptor_sets(device, buffer, inline, words),
            op::SET_VIEWPORT => {
                d.cmd_set_viewport(buffer, inline, words.array(2, words.at(1) as usize));
            }
            op::SET_SCISSOR => {
                d.cmd_set_scissor(buffer, inline, words.array(2, words.at(1) as usize));
            }
            op::SET_LINE_WIDTH => d.cmd_set_line_width(buffer, f32::from_bits(inline)),
            op::DRAW => {
                let (instances, first) = halves(words.at(1));
                d.cmd_draw(buffer, inline, instances, first, words.at(2) as u32);
            }
            op::DRAW_INDEXED => {
                let (instances, first) = halves(words.at(1));
                let (offset, first_instance) = halves(words.at(2));
                d.cmd_draw_indexed(
                    buffer,
                    inline,
                    instances,
                    first,
                    offset as i32,
                    first_instance,
                );
            }
            op::DISPATCH => {
                let (y, z) = halves(words.at(1));
                d.cmd_dispatch(buffer, inline, y, z);
            }
            _ => other(device, buffer, op, inline, words),
        }
    }
    1
}

/// Pushes the data of a command to where this block has said: `[header, data …]`
///
/// # Safety
///
/// As [`replay`].
#[inline(always)]
unsafe fn push(device: &Device, buffer: vk::CommandBuffer, said: &Said, words: Words) {
    // SAFETY: as in `command`.
    unsafe {
        let (stages, place) = halves(said.push_place);
        let layout = Handle::from_raw(said.push_layout);
        let stages = vk::ShaderStageFlags::from_raw(stages);
        let data = words.array::<u8>(1, (place >> 16) as usize);
        device
            .table()
            .cmd_push_constants(buffer, layout, stages, place & 0xffff, data);
    }
}

/// # Safety
///
/// As [`replay`].
#[cold]
unsafe fn bind_descriptor_sets(
    device: &Device,
    buffer: vk::CommandBuffer,
    inline: u32,
    words: Words,
) {
    // SAFETY: as in `command`.
    unsafe {
        let (first, count) = halves(words.at(2));
        let sets = words.array(4, count as usize);
        let offsets = words.array(4 + count as usize, words.at(3) as usize);
        let point = vk::PipelineBindPoint::from_raw(inline as i32);
        device.table().cmd_bind_descriptor_sets(
            buffer,
            point,
            words.handle(1),
            first,
            sets,
            offsets,
        );
    }
}

/// A command without a short form, wherever its words stand.
///
/// # Safety
///
/// As [`replay`].
#[cold]
unsafe fn other(device: &Device, buffer: vk::CommandBuffer, op: u16, inline: u32, words: Words) {
    let (op, inline, words) = if op == op::JUMBO {
        // SAFETY: a pointer to the words stands there; they live until the frame has retired.
        let words = Words(unsafe { words.pointer(1) });
        // SAFETY: a header stands there.
        let head = unsafe { words.at(0) };
        (head as u16, (head >> 32) as u32, words)
    } else {
        (op, inline, words)
    };
    if op < op::FIRST {
        nobody_encodes();
    }
    // SAFETY: the caller's contract.
    unsafe { super::generated::replay(device, buffer, op - op::FIRST, inline, words) }
}

/// For an op that is met in a block and nowhere else.
#[cold]
pub(super) fn nobody_encodes() -> ! {
    unreachable!(
        "an op that nothing encodes: the block was written by something else than this crate"
    )
}
