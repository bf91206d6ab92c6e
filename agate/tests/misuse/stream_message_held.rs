//! A message of a stream lies in its block, which goes back when the next one is asked for.

use agate::{BlockOptions, BlockPool, Limits, Local, Scope};

fn main() {
    let options = BlockOptions {
        block_bytes: 64,
        max_blocks: 2,
    };
    let pool = BlockPool::new(options).unwrap();
    let stream = Local.stream(Limits::default(), &pool);
    let mut receiver = stream.attach_receiver().unwrap();
    let first = receiver.try_recv().unwrap();
    let second = receiver.try_recv().unwrap();
    assert_ne!(first, second);
}
