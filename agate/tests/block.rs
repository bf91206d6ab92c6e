//! The behaviour of blocks and their pool, through the public API.
#![allow(
    unsafe_code,
    reason = "blocks are written and read through raw pointers"
)]

use std::collections::HashSet;
use std::sync::mpsc;
use std::thread;

use agate::{Block, BlockOptions, BlockPool, CreateError, OutOfBlocks};

fn pool(block_bytes: usize, max_blocks: usize) -> BlockPool {
    BlockPool::new(BlockOptions {
        block_bytes,
        max_blocks,
    })
    .unwrap()
}

fn fill(block: &mut Block, value: u64) {
    for word in 0..block.capacity_words() {
        // SAFETY: the block is ours, and the word is within its capacity.
        let slot = unsafe { block.as_ptr().add(word) };
        // SAFETY: as above.
        unsafe { slot.write(value) };
    }
    block.set_len_words(block.capacity_words());
}

fn holds(block: &Block, value: u64) -> bool {
    (0..block.len_words()).all(|word| {
        // SAFETY: the block is ours, and its first `len_words` words were written.
        let slot = unsafe { block.as_ptr().add(word) };
        // SAFETY: as above.
        value == unsafe { slot.read() }
    })
}

#[test]
fn blocks_are_aligned_and_as_large_as_asked_for() {
    for (bytes, words) in [(1, 1), (8, 1), (9, 2), (4096, 512), (100, 13)] {
        let pool = pool(bytes, 3);
        let mut blocks: Vec<Block> = (0..3).map(|_| pool.try_take().unwrap()).collect();
        for (n, block) in blocks.iter_mut().enumerate() {
            assert_eq!(block.capacity_words(), words);
            assert_eq!(block.len_words(), 0);
            assert_eq!(block.as_ptr().addr() % 64, 0);
            fill(block, n as u64);
        }
        assert!(
            blocks
                .iter()
                .enumerate()
                .all(|(n, block)| holds(block, n as u64))
        );
        assert_eq!(pool.block_words(), words);
    }
}

#[test]
fn what_cannot_be_made_is_refused() {
    let make = |block_bytes, max_blocks| {
        BlockPool::new(BlockOptions {
            block_bytes,
            max_blocks,
        })
        .err()
    };
    assert!(matches!(make(0, 1), Some(CreateError::ZeroBlocks)));
    assert!(matches!(make(8, 0), Some(CreateError::ZeroBlocks)));
    assert!(matches!(make(usize::MAX, 1), Some(CreateError::TooLarge)));
}

#[test]
fn the_limit_holds_and_the_stats_tell() {
    let pool = pool(64, 2);
    let (one, two) = (pool.try_take().unwrap(), pool.try_take().unwrap());
    assert_eq!(pool.try_take().err(), Some(OutOfBlocks { max_blocks: 2 }));
    let stats = pool.stats();
    assert_eq!((stats.allocated, stats.in_use, stats.high_water), (2, 2, 2));
    drop((one, two));
    let stats = pool.stats();
    assert_eq!((stats.allocated, stats.in_use, stats.high_water), (2, 0, 2));
}

#[test]
fn the_block_that_came_back_last_is_given_out_first() {
    let pool = pool(64, 8);
    let blocks: Vec<Block> = (0..4).map(|_| pool.try_take().unwrap()).collect();
    let last = blocks.last().unwrap().as_ptr().addr();
    let first = blocks[0].as_ptr().addr();
    let mut blocks = blocks.into_iter();
    drop(blocks.next());
    assert_eq!(pool.try_take().unwrap().as_ptr().addr(), first);
    drop(blocks);
    assert_eq!(pool.try_take().unwrap().as_ptr().addr(), last);
}

#[test]
fn a_length_is_kept_until_the_block_goes_back() {
    let pool = pool(64, 1);
    let mut block = pool.try_take().unwrap();
    block.set_len_words(8);
    assert_eq!(block.len_words(), 8);
    drop(block);
    assert_eq!(pool.try_take().unwrap().len_words(), 0);
}

#[test]
#[should_panic(expected = "a block's length may not be more than its capacity")]
fn a_length_beyond_the_capacity_is_a_bug() {
    pool(64, 1).try_take().unwrap().set_len_words(9);
}

#[test]
fn a_raw_block_stays_taken() {
    let pool = pool(64, 1);
    let mut block = pool.try_take().unwrap();
    fill(&mut block, 11);
    let raw = block.into_raw();
    assert!(pool.try_take().is_err());
    drop(pool);
    // SAFETY: from `into_raw`, once.
    let block = unsafe { Block::from_raw(raw) };
    assert!(holds(&block, 11), "a block outlives its pool");
}

#[test]
fn blocks_travel_between_threads_and_nobody_shares_one() {
    let (threads, rounds) = if cfg!(miri) { (3, 20) } else { (4, 20_000) };
    let pool = pool(256, 16);
    thread::scope(|scope| {
        let (send, receive) = mpsc::channel::<(u64, Block)>();
        for id in 0..threads {
            let (pool, send) = (&pool, send.clone());
            scope.spawn(move || {
                for round in 0..rounds {
                    let Ok(mut block) = pool.try_take() else {
                        thread::yield_now();
                        continue;
                    };
                    let value = id << 32 | round;
                    fill(&mut block, value);
                    assert!(holds(&block, value));
                    if round % 2 == 0 {
                        send.send((value, block)).unwrap();
                    }
                }
            });
        }
        drop(send);
        scope.spawn(move || {
            for (value, block) in receive {
                assert!(holds(&block, value));
            }
        });
    });
    let stats = pool.stats();
    assert_eq!(stats.in_use, 0);
    assert!(stats.allocated <= 16 && stats.high_water <= 16);
    let all: Vec<Block> = (0..stats.allocated)
        .map(|_| pool.try_take().unwrap())
        .collect();
    let places: HashSet<usize> = all.iter().map(|block| block.as_ptr().addr()).collect();
    assert_eq!(
        places.len(),
        stats.allocated,
        "every block is on the list once"
    );
}

#[test]
fn trimming_frees_what_is_free_and_nothing_else() {
    let pool = pool(64, 8);
    let mut held = pool.try_take().expect("room");
    // SAFETY: the block is ours and holds eight words.
    unsafe { held.as_ptr().write(42) };
    held.set_len_words(1);
    drop(
        (0..5)
            .map(|_| pool.try_take().expect("room"))
            .collect::<Vec<_>>(),
    );
    assert_eq!(pool.stats().allocated, 6);
    assert_eq!(pool.trim(2), 3);
    assert_eq!(pool.trim(2), 0);
    let stats = pool.stats();
    assert_eq!((stats.allocated, stats.in_use, stats.high_water), (3, 1, 6));
    // SAFETY: the block is ours, and its first word was written.
    assert_eq!(unsafe { held.as_ptr().read() }, 42);
    // As many as ever can be taken again, and no more.
    let all: Vec<_> = (0..7).map(|_| pool.try_take().expect("room")).collect();
    assert!(pool.try_take().is_err());
    assert_eq!(pool.stats().allocated, 8);
    drop((all, held));
    assert_eq!((pool.trim(0), pool.stats().allocated), (8, 0));
    assert!(pool.try_take().is_ok());
}

#[test]
fn trimming_while_others_take_and_give() {
    let pool = pool(64, 8);
    let rounds = if cfg!(miri) { 50 } else { 5000 };
    thread::scope(|scope| {
        for number in 0..2 {
            let pool = &pool;
            scope.spawn(move || {
                for round in 0..rounds {
                    // One is out of reach for a moment; two users of two blocks each leave enough.
                    let blocks = [(); 2].map(|()| pool.try_take().expect("room"));
                    for block in &blocks {
                        // SAFETY: the block is ours and holds eight words.
                        unsafe { block.as_ptr().write(number + round) };
                    }
                    for block in &blocks {
                        // SAFETY: as above; written just now.
                        assert_eq!(unsafe { block.as_ptr().read() }, number + round);
                    }
                }
            });
        }
        for _ in 0..rounds {
            pool.trim(0);
        }
    });
    pool.trim(0);
    let stats = pool.stats();
    assert_eq!((stats.in_use, stats.allocated), (0, 0));
}

#[test]
#[cfg_attr(miri, ignore = "asks for more memory than there is")]
fn a_block_that_there_is_no_memory_for_is_not_counted() {
    let huge = pool(isize::MAX as usize - 4096, 2);
    for _ in 0..3 {
        let refused = huge.try_take().unwrap_err();
        assert_eq!(refused, OutOfBlocks { max_blocks: 2 });
        assert!(refused.to_string().contains("no memory"), "{refused}");
        let stats = huge.stats();
        assert_eq!((stats.allocated, stats.in_use), (0, 0));
        assert_eq!(huge.trim(0), 0);
    }
}
