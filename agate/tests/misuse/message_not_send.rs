//! A message of a queue of threads must be `Send`.

use std::rc::Rc;

use agate::{Capacity, Limits, Local, Scope};

fn main() {
    let _ = Local.queue::<Rc<u32>>(Limits::default(), Capacity::Unbounded);
}
