//! A drain is over before its receiver is.

use agate::{Capacity, Limits, Local, Scope};

fn main() {
    let queue = Local
        .queue::<u32>(Limits::default(), Capacity::Unbounded)
        .unwrap();
    let drain = {
        let mut receiver = queue.attach_receiver().unwrap();
        receiver.drain()
    };
    drop(drain);
}
