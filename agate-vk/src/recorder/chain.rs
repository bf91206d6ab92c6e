//! A first-in first-out list of blocks, linked through the blocks' own headers: waiting for a turn allocates nothing.
//!
//! # Invariants
//!
//! - L1: `head` and `tail` are both there or both absent; each link was made by `Block::into_raw` and is owned by the list.
//! - L2: the `next` of a linked block is the link behind it; that of the tail is `None`.

#![allow(unsafe_code, reason = "links blocks through their raw memory")]

use super::{BlockHeader, Published};
use agate::{Block, RawBlock};
use std::ptr::NonNull;

/// See the module.
#[derive(Default)]
pub(crate) struct Chain {
    head: Option<Link>,
    tail: Option<Link>,
}

/// A block in the chain, with the place of its header.
#[derive(Clone, Copy)]
pub(super) struct Link {
    block: NonNull<RawBlock>,
    header: NonNull<BlockHeader>,
}

// SAFETY: a link stands for a `Block`, which is `Send`; L1 makes the chain its only owner.
unsafe impl Send for Chain {}

impl Chain {
    /// Adds a block.
    pub(crate) fn push(&mut self, block: Published) {
        let Some(block) = block.into_block() else {
            return;
        };
        BlockHeader {
            next: None,
            ..BlockHeader::read(&block)
        }
        .write(&block);
        let Some(header) = NonNull::new(block.as_ptr().cast::<BlockHeader>()) else {
            return;
        };
        let link = Link {
            block: block.into_raw(),
            header,
        };
        match self.tail.replace(link) {
            // SAFETY: L1: the tail is a block of this chain, whose header nobody else reads.
            Some(tail) => unsafe { (*tail.header.as_ptr()).next = Some(link) },
            None => self.head = Some(link),
        }
    }

    /// Takes the oldest block.
    pub(crate) fn pop(&mut self) -> Option<Published> {
        let link = self.head?;
        // SAFETY: L1: the link was made by `into_raw` and leaves the chain now.
        let block = unsafe { Block::from_raw(link.block) };
        self.head = BlockHeader::read(&block).next;
        if self.head.is_none() {
            self.tail = None;
        }
        Some(Published::new(block))
    }

    /// The header of the oldest block.
    pub(crate) fn first(&self) -> Option<BlockHeader> {
        // SAFETY: L1: a block of this chain, whose header nobody else reads.
        self.head.map(|link| unsafe { link.header.as_ptr().read() })
    }

    /// Gives all blocks back, without what is in them.
    pub(crate) fn clear(&mut self) {
        while self.pop().is_some() {}
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        self.clear();
    }
}
