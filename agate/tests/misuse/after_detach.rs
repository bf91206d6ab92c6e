//! A receiver that was detached receives nothing more.

use agate::{Capacity, Limits, Local, Scope};

fn main() {
    let queue = Local
        .queue::<u32>(Limits::default(), Capacity::Unbounded)
        .unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    receiver.detach();
    let _ = receiver.try_recv();
}
