//! A sender that waits for a block while another thread gives the only one back.

use loom::thread;

use super::check;
use crate::park::{Gate, Woken};
use crate::stream::{BlockOptions, BlockPool};

/// The block is given back before, while or after the other looks for it and falls asleep.
#[test]
fn a_block_that_comes_back_wakes_who_waits_for_it() {
    check(3, || {
        let pool = BlockPool::new(BlockOptions {
            block_bytes: 8,
            max_blocks: 1,
        })
        .unwrap();
        let block = pool.try_take().unwrap();
        let giver = thread::spawn(move || drop(block));
        let mut gate = Gate::for_room();
        while pool.try_take().is_err() {
            assert_eq!(pool.wait_room(&mut gate, None, || false), Woken::Ready);
        }
        giver.join().unwrap();
        assert_eq!(pool.stats().allocated, 1);
    });
}

/// One trims while another takes and gives: the block has its memory whenever it is taken, and is never lost.
#[test]
fn a_pool_is_trimmed_while_blocks_come_and_go() {
    check(3, || {
        let pool = BlockPool::new(BlockOptions {
            block_bytes: 8,
            max_blocks: 2,
        })
        .unwrap();
        drop(pool.try_take().unwrap());
        let trimmed = pool.clone();
        let trimmer = thread::spawn(move || trimmed.trim(0));
        // The other block is there even while the first is being trimmed.
        let mut block = pool.try_take().unwrap();
        block.set_len_words(1);
        assert_eq!(block.len_words(), 1);
        drop(block);
        trimmer.join().unwrap();
        pool.trim(0);
        assert_eq!(pool.stats().allocated, 0);
        let both = (pool.try_take().unwrap(), pool.try_take().unwrap());
        assert!(pool.try_take().is_err());
        drop(both);
    });
}
