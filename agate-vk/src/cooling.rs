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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use agate::{BlockOptions, BlockPool};

    fn pool(max_blocks: usize) -> BlockPool {
        let options = BlockOptions {
            block_bytes: 4096,
            max_blocks,
        };
        BlockPool::new(options).expect("memory for a pool")
    }

    #[test]
    fn the_last_few_blocks_wait_and_the_oldest_is_given_out_first() {
        let pool = pool(64);
        let mut cooling = Cooling::new(64);
        let blocks: Vec<Block> = (0..6).map(|_| pool.try_take().expect("a block")).collect();
        let addresses: Vec<_> = blocks.iter().map(Block::as_ptr).collect();
        blocks.into_iter().for_each(|block| cooling.add(block));
        assert_eq!(pool.stats().in_use, 4, "two of six are back");
        cooling.release();
        assert_eq!(pool.stats().in_use, 0);
        let next = pool.try_take().expect("a block");
        assert_eq!(next.as_ptr(), addresses[2], "the oldest that waited");
    }

    #[test]
    fn nothing_waits_where_blocks_are_few() {
        let pool = pool(8);
        let mut cooling = Cooling::new(8);
        cooling.add(pool.try_take().expect("a block"));
        assert_eq!(pool.stats().in_use, 0);
    }
}
