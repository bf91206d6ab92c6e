//! A port is used by one thread at a time.

use std::thread;

use agate::{Handler, Local, Scope};

struct Sum(u64);

impl Handler for Sum {
    type Message = u64;

    fn handle(&mut self, number: u64) {
        self.0 += number;
    }
}

fn main() {
    let sum = Local.owner("sum", Sum(0)).unwrap();
    let port = sum.attach().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| port.send(1));
    });
}
