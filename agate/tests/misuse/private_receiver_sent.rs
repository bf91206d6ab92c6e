//! A receiver of one thread stays on its thread.

use std::thread;

use agate::{Capacity, Limits, Private, Scope};

fn main() {
    let queue = Private
        .queue::<u32>(Limits::default(), Capacity::Unbounded)
        .unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    thread::spawn(move || receiver.try_recv());
}
