//! The free list: an index that is popped belongs to one thread, whatever is popped and pushed meanwhile.

use loom::sync::Arc;
use loom::sync::atomic::AtomicU32;
use loom::thread;

use super::check;
use crate::freelist::{FreeList, Links};
use crate::scope::Local;
use crate::sync::cell::UnsafeCell;

struct Links3([AtomicU32; 3]);

impl Links<Local> for Links3 {
    fn link(&self, index: u32) -> &AtomicU32 {
        &self.0[index as usize]
    }
}

struct List {
    free: FreeList<Local>,
    links: Links3,
    /// Touched by whoever has popped the index; loom sees if two do at once.
    owned: [UnsafeCell<u32>; 3],
}

// SAFETY: the cells are touched by the owner of their index only; that is what the model checks.
unsafe impl Sync for List {}

impl List {
    fn with(indices: u32) -> Self {
        let links = Links3(std::array::from_fn(|_| AtomicU32::new(0)));
        let list = Self {
            free: FreeList::new(),
            links,
            owned: std::array::from_fn(|_| UnsafeCell::new(0)),
        };
        (0..indices).for_each(|index| list.push(index));
        list
    }

    fn push(&self, index: u32) {
        self.free.push(&self.links, index);
    }

    fn pop(&self) -> Option<u32> {
        let index = self.free.pop(&self.links)?;
        // SAFETY: the index was popped, so it is ours.
        self.owned[index as usize].with_mut(|cell| unsafe { *cell += 1 });
        Some(index)
    }
}

/// One thread pops two and pushes the first again while the other is between reading the top and exchanging it.
#[test]
fn an_index_that_comes_back_meanwhile_fools_nobody() {
    check(3, || {
        let list = Arc::new(List::with(3));
        let other = {
            let list = Arc::clone(&list);
            thread::spawn(move || {
                let (first, second) = (list.pop(), list.pop());
                if let Some(first) = first {
                    list.push(first);
                }
                second
            })
        };
        let mine = list.pop();
        let kept = other.join().unwrap();
        let mut all: Vec<u32> = mine
            .into_iter()
            .chain(kept)
            .chain(std::iter::from_fn(|| list.pop()))
            .collect();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2]);
    });
}

#[test]
fn two_threads_that_pop_and_push_never_hold_the_same_index() {
    check(3, || {
        let list = Arc::new(List::with(1));
        let other = {
            let list = Arc::clone(&list);
            thread::spawn(move || {
                for _ in 0..2 {
                    if let Some(index) = list.pop() {
                        list.push(index);
                    }
                }
            })
        };
        if let Some(index) = list.pop() {
            list.push(index);
        }
        other.join().unwrap();
        assert_eq!(list.pop(), Some(0));
        assert_eq!(list.pop(), None);
    });
}
