//! A handle receives nothing before it is attached.

use agate::{Capacity, Limits, Local, Scope};

fn main() {
    let queue = Local
        .queue::<u32>(Limits::default(), Capacity::Unbounded)
        .unwrap();
    queue.drain();
}
