//! A message owns what it needs: it may outlive everything that its sender knows.

use agate::{Capacity, Limits, Local, Scope};

fn main() {
    let text = String::from("short-lived");
    let queue = Local
        .queue::<&str>(Limits::default(), Capacity::Unbounded)
        .unwrap();
    let _ = queue.attach_sender().unwrap().try_send(&text);
}
