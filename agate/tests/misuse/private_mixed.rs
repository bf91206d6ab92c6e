//! Objects of one scope are not those of another.

use agate::{Capacity, Handle, Limits, Local, Private, Queue, Scope};

fn main() {
    let queue: Handle<Queue<u32, Local>, Local> = Private
        .queue::<u32>(Limits::default(), Capacity::Unbounded)
        .unwrap();
    drop(queue);
}
