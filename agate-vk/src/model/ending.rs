//! A lease calls the driver for a frame that its owner ends at the same time.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::check;
use crate::ending::Ending;

/// What a pass inherits: the host destroys it when the frame is over.
struct Host {
    ending: Ending,
    inherited: UnsafeCell<bool>,
}

// SAFETY: the model checks that one thread at a time uses the cell: loom reports two at once.
unsafe impl Send for Host {}
// SAFETY: as above.
unsafe impl Sync for Host {}

#[test]
fn nobody_uses_what_a_frame_that_is_over_has_inherited() {
    check(3, || {
        let host = Arc::new(Host {
            ending: Ending::default(),
            inherited: UnsafeCell::new(true),
        });
        let lease = {
            let host = Arc::clone(&host);
            thread::spawn(move || {
                for _ in 0..2 {
                    let Some(inside) = host.ending.enter(1) else {
                        return;
                    };
                    // SAFETY: somebody is inside.
                    let there = host.inherited.with(|inherited| unsafe { *inherited });
                    assert!(there, "it is gone");
                    drop(inside);
                }
            })
        };
        while !host.ending.end(1) {
            thread::yield_now();
        }
        // SAFETY: nobody is inside, and nobody comes in.
        host.inherited
            .with_mut(|inherited| unsafe { *inherited = false });
        lease.join().unwrap();
    });
}
