//! A sender of one thread stays on its thread.

use std::thread;

use agate::{Capacity, Limits, Private, Scope};

fn main() {
    let queue = Private
        .queue::<u32>(Limits::default(), Capacity::Unbounded)
        .unwrap();
    let sender = queue.attach_sender().unwrap();
    thread::spawn(move || sender.try_send(1));
}
