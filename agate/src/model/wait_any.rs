//! Waiting for several things: no wake-up is lost, whichever of them it comes from.

use std::task::Waker;
use std::time::Duration;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use super::check;
use crate::park::{Bell, Doorbell, WaitMode};
use crate::wait_any::{Waitable, Wakes, wait_any};

/// The least that can be waited for.
struct Flag {
    bell: Doorbell,
    up: AtomicBool,
}

struct Watched(Arc<Flag>);

impl Waitable for Watched {
    fn is_ready(&mut self) -> bool {
        self.0.up.load(Ordering::Acquire)
    }
}

impl Wakes for Watched {
    fn register(&mut self, waker: &Waker) {
        self.0.bell.register(waker);
    }

    fn unregister(&mut self) {
        self.0.bell.unregister();
    }
}

/// Two threads, each with a flag of its own: who waits for both sees both.
#[test]
fn what_comes_from_either_is_seen() {
    check(2, || {
        let mut flags = [(); 2].map(|()| {
            Watched(Arc::new(Flag {
                bell: Doorbell::new(WaitMode::Wake),
                up: AtomicBool::new(false),
            }))
        });
        let others = flags.each_ref().map(|flag| {
            let flag = Arc::clone(&flag.0);
            thread::spawn(move || {
                flag.up.store(true, Ordering::Release);
                flag.bell.ring();
            })
        });
        let [a, b] = &mut flags;
        let forever = Duration::MAX;
        let first = wait_any(&mut [a, b], forever).unwrap();
        let left = &mut flags[1 - first];
        assert_eq!(wait_any(&mut [left], forever), Ok(0));
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}
