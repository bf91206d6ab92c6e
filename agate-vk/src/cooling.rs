//! Blocks on their way back from the owner to the jobs.
//!
//! The pool of blocks gives out what came back last. Right after replay that is a block whose lines are in the cache of the
//! owner's processor, and a job that writes into it there and then has to fetch each line from there: measured, 50 ns for a
//! draw instead of 8. Worse, it makes the job as slow as the owner, so that it meets the next such block too. So the owner
//! keeps the last few blocks for a while.

use agate::Block;
use std::collections::VecDeque;

/// How many blocks cool at the most: as many as push each other out of a core's second-level cache.
const MOST: usize = 16;

/// The blocks of one frame that were replayed last, oldest first.
pub(crate) struct Cooling {
    blocks: VecDeque<Block>,
    most: usize,
}

impl Cooling {
    /// For a service that may have so many blocks: only a small part of them cools.
    pub(crate) fn new(max_blocks: usize) -> Self {
        let most = MOST.min(max_blocks / 16);
        Self {
            blocks: VecDeque::with_capacity(most + 1),
            most,
        }
    }

    /// Takes a block that was replayed just now; the oldest one goes back to the pool where there are too many.
    pub(crate) fn add(&mut self, block: Block) {
        self.blocks.push_back(block);
        if self.blocks.len() > self.most {
            drop(self.blocks.pop_front());
        }
    }

    /// Gives all back, the newest first, so that the oldest is the next that the pool gives out.
    pub(crate) fn release(&mut self) {
        while let Some(block) = self.blocks.pop_back() {
            drop(block);
        }
    }
}
