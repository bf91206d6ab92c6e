//! A block of one thread stays on its thread.

use std::thread;

use agate::{BlockOptions, Private, Scope};

fn main() {
    let options = BlockOptions {
        block_bytes: 64,
        max_blocks: 2,
    };
    let block = Private.block_pool(options).unwrap().try_take().unwrap();
    thread::spawn(move || drop(block));
}
