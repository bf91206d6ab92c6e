//! While a drain goes on, its receiver does nothing else.

use agate::{Capacity, Limits, Local, Scope};

fn main() {
    let queue = Local
        .queue::<u32>(Limits::default(), Capacity::Unbounded)
        .unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    let mut drain = receiver.drain();
    let _ = receiver.try_recv();
    let _ = drain.next();
}
