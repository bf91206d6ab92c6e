//! The list of large commands: recorders add to it at one time, while what earlier ones left is freed.

use loom::sync::Arc;
use loom::thread;

use super::check;
use crate::recorder::jumbo::{Jumbos, Large, Room};
use crate::status::Status;
use crate::sync::atomic::Ordering;
use ash::vk;

/// Two recorders that were given up keep a command each, beside the clearing for the next frame.
fn two_keep_beside_a_clearing(order: Ordering) {
    check(3, move || {
        let jumbos = Arc::new(Jumbos::default());
        let status = std::sync::Arc::new(Status::new(vk::Semaphore::null(), None));
        let keepers: Vec<_> = (0..2)
            .map(|_| {
                let (jumbos, status) = (Arc::clone(&jumbos), std::sync::Arc::clone(&status));
                thread::spawn(move || {
                    let large = Large::new(1, Room::new(&status, 8)).expect("memory");
                    jumbos.publish(large, order);
                })
            })
            .collect();
        jumbos.clear();
        keepers
            .into_iter()
            .for_each(|keeper| keeper.join().unwrap());
    });
}

#[test]
fn what_is_kept_beside_a_clearing_is_found_whole() {
    two_keep_beside_a_clearing(Ordering::Release);
}

/// The mutant: the list says nothing of what was written before.
#[test]
#[should_panic(expected = "Causality violation")]
fn a_link_that_is_not_published_is_read_too_early() {
    two_keep_beside_a_clearing(Ordering::Relaxed);
}
