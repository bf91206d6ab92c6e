//! Blocks on their way back from the owner to the jobs.
//!
//! The pool of blocks gives out what came back last. Right after replay that is a block whose lines are in the cache of the
//! owner's processor, and a job that writes into it has to fetch each line from there. That makes the job as slow as the
//! owner, so that the next block that it gets came back just now as well: once a frame is in that state it stays there.
//! In interleaved runs on a machine that was in it, a draw cost a job 45 to 57 ns without and 9 to 16 ns with the few
//! blocks that the owner keeps back here (`cargo xtask bench commands`, 10,000 draws, simulated driver).

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
