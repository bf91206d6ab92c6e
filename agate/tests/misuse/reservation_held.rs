//! A message is committed or given up before the next one is reserved.

use agate::{BlockOptions, BlockPool, Limits, Local, Scope};

fn main() {
    let options = BlockOptions {
        block_bytes: 64,
        max_blocks: 2,
    };
    let pool = BlockPool::new(options).unwrap();
    let stream = Local.stream(Limits::default(), &pool);
    let mut sender = stream.attach_sender().unwrap();
    let first = sender.reserve(8).unwrap();
    let second = sender.reserve(8).unwrap();
    first.commit();
    second.commit();
}
