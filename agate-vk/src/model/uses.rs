//! The timeline of a service that ends while others' submissions wait for it: destroyed once, when nobody uses it.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::check;
use crate::sync::atomic::Ordering;
use crate::uses::Uses;

/// The semaphore: `None` when it is destroyed. Loom sees a use at that moment.
struct Timeline {
    uses: Uses,
    semaphore: UnsafeCell<Option<u32>>,
}

// SAFETY: `uses` says who may touch the cell; that is what the model checks.
unsafe impl Sync for Timeline {}
// SAFETY: as above.
unsafe impl Send for Timeline {}

impl Timeline {
    fn destroy(&self) {
        // SAFETY: as the model checks, nobody else touches it any more.
        let there = self
            .semaphore
            .with_mut(|semaphore| unsafe { (*semaphore).take() });
        assert!(there.is_some(), "it is destroyed once");
    }

    fn use_it(&self, order: Ordering) {
        if !self.uses.add() {
            return;
        }
        // SAFETY: as the model checks, it is not being destroyed.
        let value = self.semaphore.with(|semaphore| unsafe { *semaphore });
        assert!(value.is_some(), "it is there as long as it is used");
        if self.uses.remove_in(order) {
            self.destroy();
        }
    }
}

fn two_use_it_beside_the_end(order: Ordering) {
    check(3, move || {
        let timeline = Arc::new(Timeline {
            uses: Uses::default(),
            semaphore: UnsafeCell::new(Some(7)),
        });
        let users: Vec<_> = (0..2)
            .map(|_| {
                let timeline = Arc::clone(&timeline);
                thread::spawn(move || timeline.use_it(order))
            })
            .collect();
        if timeline.uses.close() {
            timeline.destroy();
        }
        users.into_iter().for_each(|user| user.join().unwrap());
        // SAFETY: the other threads have ended.
        let left = timeline.semaphore.with(|semaphore| unsafe { *semaphore });
        assert_eq!(left, None, "the last one destroys it");
    });
}

#[test]
fn the_last_one_destroys_a_timeline() {
    two_use_it_beside_the_end(Ordering::AcqRel);
}

/// The mutant: whoever ends a use says nothing of it to who destroys the timeline.
#[test]
#[should_panic(expected = "Causality violation")]
fn a_use_that_ends_without_a_word_meets_the_destruction() {
    two_use_it_beside_the_end(Ordering::Relaxed);
}
