//! What leases have finished of a frame that is not submitted yet: the pools' owner hears of it all at once, with the
//! submission. A message for each slot would wake it each time, in the middle of the jobs' work.
//!
//! Notes stand in a few small blocks, which are passed on by the lock-free list of free blocks: who takes one has it alone.
//!
//! # Invariants
//!
//! - N1: every block of `blocks` starts with a [`Page`], from the making of the notes to their end; none is trimmed.
//! - N2: whoever has a block alone uses the `Page` in it.
//! - N3: who has put a note down then passes `told`, and who tells sets it before it looks for notes. So either the note is
//!   found by who tells, or its writer learns that it has to tell itself.

#![allow(unsafe_code, reason = "keeps notes in the words of blocks")]

use crate::error::RecordError;
use crate::frame::SlotPlace;
use crate::pool::{Lent, PoolMessage};
use crate::recorded::Recorded;
use crate::turnstile::Turnstile;
use agate::{Block, BlockOptions, BlockPool, CreateError, Port};
use ash::vk;

/// A slot that a lease has finished.
#[derive(Clone, Copy)]
pub(crate) struct Note {
    pub(crate) place: SlotPlace,
    pub(crate) buffer: vk::CommandBuffer,
    pub(crate) commands: u64,
}

impl Note {
    fn message(self) -> PoolMessage {
        let recorded = Recorded::of_calls(self.commands);
        PoolMessage::Ready {
            place: self.place,
            lent: Lent::new(self.buffer, recorded),
        }
    }
}

/// Where more would be at one time, their writers send messages.
const BLOCKS: usize = if cfg!(loom) { 2 } else { 16 };
const NOTES: usize = if cfg!(loom) { 1 } else { 64 };

struct Page {
    count: usize,
    notes: [Option<Note>; NOTES],
}

const _: () = assert!(align_of::<Page>() <= 64 && !std::mem::needs_drop::<Page>());

impl Page {
    /// Whether there was room.
    fn add(&mut self, note: Note) -> bool {
        let Some(free) = self.notes.get_mut(self.count) else {
            return false;
        };
        *free = Some(note);
        self.count += 1;
        true
    }
}

/// See the module.
pub(crate) struct Notes {
    blocks: BlockPool,
    /// The newest frame here that was submitted: its owner has been told.
    pub(crate) told: Turnstile,
}

/// # Safety
///
/// The block is one of `Notes`, and nobody uses the page while the reference lives.
unsafe fn page(block: &mut Block) -> &mut Page {
    // SAFETY: N1, N2 and the caller's contract.
    unsafe { &mut *block.as_ptr().cast::<Page>() }
}

impl Notes {
    pub(crate) fn new() -> Result<Self, CreateError> {
        Self::with_blocks(BLOCKS)
    }

    /// Of at most [`BLOCKS`].
    pub(crate) fn with_blocks(max_blocks: usize) -> Result<Self, CreateError> {
        let blocks = BlockPool::new(BlockOptions {
            block_bytes: size_of::<Page>(),
            max_blocks,
        })?;
        let all: Vec<Block> = (0..max_blocks)
            .map_while(|_| blocks.try_take().ok())
            .collect();
        for block in &all {
            let empty = Page {
                count: 0,
                notes: [None; NOTES],
            };
            // SAFETY: the block is new, ours alone, and large enough.
            unsafe { block.as_ptr().cast::<Page>().write(empty) };
        }
        drop(all);
        Ok(Self {
            blocks,
            told: Turnstile::new(0),
        })
    }

    /// Puts a note down; where its frame was submitted, or there is no room, the owner is told at once.
    pub(crate) fn put(&self, note: Note, port: &Port<PoolMessage>) -> Result<(), RecordError> {
        let told = self.told.pass() >= note.place.serial;
        if told || !self.put_down(note) {
            return port.send(note.message()).map_err(|_| RecordError::Closed);
        }
        // N3.
        if self.told.pass() >= note.place.serial {
            return self.tell(port);
        }
        if port.is_closed() {
            return Err(RecordError::Closed);
        }
        Ok(())
    }

    /// The frame is submitted: the owner hears of what is finished.
    pub(crate) fn submitted(&self, serial: u64, port: &Port<PoolMessage>) {
        self.told.set(serial);
        // A closed owner has resolved the frame already.
        let _ = self.tell(port);
    }

    /// Whether there was room. Who calls it goes on as N3 says.
    pub(crate) fn put_down(&self, note: Note) -> bool {
        let Ok(mut block) = self.blocks.try_take() else {
            return false;
        };
        // SAFETY: it is ours alone, and the reference ends with this statement.
        if unsafe { page(&mut block) }.add(note) {
            return true;
        }
        // The full one goes back first, so that the next finds this one.
        let Ok(mut next) = self.blocks.try_take() else {
            return false;
        };
        drop(block);
        // SAFETY: as above.
        unsafe { page(&mut next) }.add(note)
    }

    pub(crate) fn tell(&self, port: &Port<PoolMessage>) -> Result<(), RecordError> {
        let mut blocks: [Option<Block>; BLOCKS] = [const { None }; BLOCKS];
        for block in &mut blocks {
            *block = self.blocks.try_take().ok();
        }
        let mut messages = blocks.iter_mut().flatten().flat_map(|block| {
            // SAFETY: it is ours alone, and nobody looks at it elsewhere in this function.
            let page = unsafe { page(block) };
            let count = std::mem::take(&mut page.count);
            page.notes.iter_mut().take(count)
        });
        let mut messages = messages
            .by_ref()
            .filter_map(Option::take)
            .map(Note::message);
        port.send_batch(&mut messages)
            .map(drop)
            .map_err(|_| RecordError::Closed)
    }
}
