//! The first words of a block: while a job records, the recorder's rarely used state; once published, what the owner reads.
//!
//! # Invariants
//!
//! - H1: a block has exactly one user: the recorder that took it, then the message that carries it, then the owner.
//! - H2: while a recorder uses the block, [`Slow`] stands at its start, and a `Said` at the end of these words; before the
//!   block is sent, `Slow` is moved out and a [`BlockHeader`] is written in its place.
//! - H3: commands start at [`HEADER_WORDS`] and end at `BlockHeader::end`.

#![allow(
    unsafe_code,
    reason = "reads and writes the header of a block through its raw pointer"
)]

use super::chain::Link;
use crate::frame::SlotPlace;
use agate::Block;

/// Words at the start of a block that hold no commands: 256 bytes, and some more for what the feature `checks` remembers.
pub(crate) const HEADER_WORDS: usize = if cfg!(feature = "checks") { 40 } else { 32 };

/// What the owner needs to know of a published block.
#[derive(Clone, Copy)]
pub(crate) struct BlockHeader {
    /// The slot that the commands belong to.
    pub(crate) place: SlotPlace,
    /// Whether the slot is complete with this block.
    pub(crate) last: bool,
    /// Whether closures are among the commands.
    pub(crate) closures: bool,
    /// Where the commands end, in words from the start of the block.
    pub(crate) end: usize,
    /// The block behind it, while it waits in a chain.
    pub(super) next: Option<Link>,
}

const _: () =
    assert!(size_of::<BlockHeader>() <= HEADER_WORDS * 8 && align_of::<BlockHeader>() <= 64);

impl BlockHeader {
    /// The header of a block whose commands end at `end`.
    pub(crate) fn new(place: SlotPlace, last: bool, closures: bool, end: usize) -> Self {
        Self {
            place,
            last,
            closures,
            end,
            next: None,
        }
    }

    /// Writes the header of a block that is about to be sent.
    pub(crate) fn write(self, block: &Block) {
        // SAFETY: by H1 the caller's `&Block` is the only user; a block has more than HEADER_WORDS words (checked when the
        // pool of blocks is made) and is aligned to 64 bytes; by H2 nothing that needs dropping stands there.
        unsafe { block.as_ptr().cast::<Self>().write(self) }
    }

    /// Reads the header of a block that came by message.
    pub(crate) fn read(block: &Block) -> Self {
        // SAFETY: by H2 a block that was sent starts with a header.
        unsafe { block.as_ptr().cast::<Self>().read() }
    }
}
