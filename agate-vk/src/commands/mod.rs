//! The command set: how a `vkCmd*` call looks as words in a block.
//!
//! A command is a header word and a payload, all in 8-byte words:
//!
//! ```text
//! header: op (bits 0..16) | words, header included (16..32) | 32 bits of inline scalars (32..64)
//! ```
//!
//! Arrays stand in place behind the scalars. Structures that point to arrays are copied whole, with absolute pointers to
//! the copies behind them: a block never moves between encoding and replay, so the driver reads the block itself.
//!
//! Which commands there are follows from Vulkan's registry: `generated/` has most of them, `encode.rs` those with short
//! forms, `irregular.rs` those that no rule fits. One that is larger than a block stands in memory of its own, and the
//! block says where.
//!
//! # Invariants
//!
//! - C1: `words` of every header is the exact distance to the next header or to the end of the block.
//! - C2: a payload written by `encode` for an op is what `replay` reads for that op; both name the layout side by side.
//! - C3: pointers inside a payload point into the same block, or to nothing that outlives the call.

pub(crate) mod closure;
mod deep;
mod direct;
pub(crate) mod encode;
pub(crate) mod generated;
pub(crate) mod irregular;
pub(crate) mod layout;
pub(crate) mod replay;
pub(crate) mod table;

/// The op codes. Zero stays unused, so that cleared memory is never a command.
pub(crate) mod op {
    pub(crate) const BIND_PIPELINE: u16 = 1;
    pub(crate) const BIND_VERTEX_BUFFER: u16 = 2;
    pub(crate) const BIND_VERTEX_BUFFERS: u16 = 3;
    pub(crate) const BIND_INDEX_BUFFER: u16 = 4;
    pub(crate) const BIND_DESCRIPTOR_SETS: u16 = 5;
    pub(crate) const PUSH_CONSTANTS: u16 = 6;
    pub(crate) const PUSH_DRAW: u16 = 7;
    pub(crate) const PUSH_DRAW_INDEXED: u16 = 8;
    pub(crate) const SET_VIEWPORT: u16 = 9;
    pub(crate) const SET_SCISSOR: u16 = 10;
    pub(crate) const DRAW: u16 = 11;
    pub(crate) const DRAW_SHORT: u16 = 12;
    pub(crate) const DRAW_INDEXED: u16 = 13;
    pub(crate) const DRAW_INDEXED_SHORT: u16 = 14;
    pub(crate) const DISPATCH: u16 = 15;
    /// No command: the words of one that is larger than a block stand elsewhere.
    pub(crate) const JUMBO: u16 = 16;
    /// No command: something to call, in the words behind it.
    pub(crate) const CLOSURE: u16 = 17;
    /// What was called, or dropped.
    pub(crate) const CLOSURE_DONE: u16 = 18;
    pub(crate) const SET_LINE_WIDTH: u16 = 26;
    /// No call: where the pushes behind it in this block go.
    pub(crate) const SAY_PUSH: u16 = 27;
    /// One vertex buffer from its start.
    pub(crate) const BIND_WHOLE_VERTEX_BUFFER: u16 = 28;
    /// The pipeline, or the vertex buffer from its start, that was bound last in this block.
    pub(crate) const BIND_PIPELINE_AGAIN: u16 = 29;
    pub(crate) const BIND_WHOLE_VERTEX_BUFFER_AGAIN: u16 = 30;
    /// Four calls: the binding of a pipeline and of one vertex buffer from its start, a push, and a draw.
    pub(crate) const FUSED_DRAW: u16 = 31;

    /// The ops from here on are places in the table of commands.
    pub(crate) const FIRST: u16 = 64;

    /// What is added to the op of a push to join it with the draw behind it.
    pub(crate) const JOIN_DRAW: u16 = PUSH_DRAW - PUSH_CONSTANTS;
    pub(crate) const JOIN_DRAW_INDEXED: u16 = PUSH_DRAW_INDEXED - PUSH_CONSTANTS;
}

/// How many words `bytes` take.
#[inline(always)]
const fn words_of(bytes: usize) -> usize {
    bytes.div_ceil(8)
}

/// The header word of a command.
#[inline(always)]
pub(crate) const fn header(op: u16, words: usize, inline: u32) -> u64 {
    op as u64 | (words as u64) << 16 | (inline as u64) << 32
}
