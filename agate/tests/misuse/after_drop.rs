//! A sender that was dropped, and so detached, sends nothing more.

use agate::{Capacity, Limits, Local, Scope};

fn main() {
    let queue = Local
        .queue::<u32>(Limits::default(), Capacity::Unbounded)
        .unwrap();
    let sender = queue.attach_sender().unwrap();
    drop(sender);
    let _ = sender.try_send(1);
}
