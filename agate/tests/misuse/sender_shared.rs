//! A sender is used by one thread at a time.

use std::thread;

use agate::{Capacity, Limits, Local, Scope};

fn main() {
    let queue = Local
        .queue::<u32>(Limits::default(), Capacity::Unbounded)
        .unwrap();
    let sender = queue.attach_sender().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| sender.try_send(1));
        scope.spawn(|| sender.try_send(2));
    });
}
