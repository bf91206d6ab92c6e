//! Receiving wants the receiver alone.

use std::thread;

use agate::{Capacity, Limits, Local, Scope};

fn main() {
    let queue = Local
        .queue::<u32>(Limits::default(), Capacity::Unbounded)
        .unwrap();
    let receiver = queue.attach_receiver().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| receiver.try_recv());
    });
}
