//! A handle of one thread stays on its thread.

use std::thread;

use agate::{Capacity, Limits, Private, Scope};

fn main() {
    let queue = Private
        .queue::<u32>(Limits::default(), Capacity::Unbounded)
        .unwrap();
    thread::spawn(move || drop(queue));
}
