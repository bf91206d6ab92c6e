//! The ends of a stream of one thread stay on its thread.

use std::thread;

use agate::{BlockOptions, Limits, Private, Scope};

fn main() {
    let options = BlockOptions {
        block_bytes: 64,
        max_blocks: 2,
    };
    let pool = Private.block_pool(options).unwrap();
    let stream = Private.stream(Limits::default(), &pool);
    let sender = stream.attach_sender().unwrap();
    thread::spawn(move || drop(sender));
}
