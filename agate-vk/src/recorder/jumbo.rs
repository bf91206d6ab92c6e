//! Memory for commands that are larger than a block. It counts as block memory, is kept by the frame, and freed when that
//! is over.
//!
//! # Invariants
//!
//! - J1: a `Jumbo` was made by `Large::new`, by `Box::into_raw`. Its `Large` owns it; from `keep` on the list does.
//! - J2: `clear` is called when no block of the frames that are over is replayed any more, and before the next has any: the
//!   words of a jumbo are read by the replay of blocks of the frame that it was kept for alone, or, where a recording was
//!   given up, by nobody.
//! - J3: nothing is written to the words of a jumbo that is in a list: a recording that was given up may go on.

#![allow(unsafe_code, reason = "keeps memory that blocks lead to")]

use crate::status::Status;
use crate::sync::atomic::{AtomicPtr, Ordering};
use crate::sync::cell::UnsafeCell;
use std::ptr;
use std::sync::Arc;

/// The largest command: 64 MiB.
pub(crate) const MAX_WORDS: usize = (64 << 20) / 8;

/// Memory that is counted; until this is dropped.
pub(crate) struct Room {
    status: Arc<Status>,
    bytes: usize,
}

impl Room {
    pub(crate) fn new(status: &Arc<Status>, bytes: usize) -> Self {
        status.tally.large.add(bytes);
        Self {
            status: Arc::clone(status),
            bytes,
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.status.tally.large.remove(self.bytes);
    }
}

struct Jumbo {
    _room: Room,
    next: UnsafeCell<*mut Jumbo>,
    /// Made by `Box::into_raw`. No reference to them is made again: commands hold pointers into them.
    words: *mut [u64],
}

impl Drop for Jumbo {
    fn drop(&mut self) {
        // SAFETY: J1: they are this value's own.
        drop(unsafe { Box::from_raw(self.words) });
    }
}

/// Memory for one command that is being written.
pub(crate) struct Large(*mut Jumbo);

impl Large {
    /// Zeroed memory; `None` if it is too large.
    pub(crate) fn new(words: usize, room: Room) -> Option<Self> {
        let mut memory = Vec::new();
        memory.try_reserve_exact(words).ok()?;
        memory.resize(words, 0);
        Some(Self(Box::into_raw(Box::new(Jumbo {
            _room: room,
            next: UnsafeCell::new(ptr::null_mut()),
            words: Box::into_raw(memory.into_boxed_slice()),
        }))))
    }

    /// Where its words are.
    pub(crate) fn words(&self) -> *mut u64 {
        // SAFETY: J1: it is this value's own.
        let words = unsafe { (*self.0).words };
        words.cast()
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        // SAFETY: J1: it is this value's own.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

/// The large commands of a frame in flight: a list that many recorders add to at one time.
#[derive(Default)]
pub(crate) struct Jumbos(AtomicPtr<Jumbo>);

// SAFETY: the list owns what is in it (J1), which is plain memory.
unsafe impl Send for Jumbos {}
// SAFETY: as above; the list changes by one atomic word alone.
unsafe impl Sync for Jumbos {}

impl Jumbos {
    /// Keeps the memory of a command that is written.
    pub(crate) fn keep(&self, large: Large) {
        self.publish(large, Ordering::Release);
    }

    /// In an order, which the model weakens.
    pub(crate) fn publish(&self, large: Large, order: Ordering) {
        let jumbo = large.0;
        std::mem::forget(large);
        // Mostly it is the first.
        let mut head = ptr::null_mut();
        loop {
            // SAFETY: J1: it is not in the list yet.
            let next = unsafe { &(*jumbo).next };
            // SAFETY: as above: nobody else knows it.
            next.with_mut(|next| unsafe { *next = head });
            match self
                .0
                .compare_exchange_weak(head, jumbo, order, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Frees them all (J2).
    pub(crate) fn clear(&self) {
        if self.0.load(Ordering::Relaxed).is_null() {
            return;
        }
        let mut next = self.0.swap(ptr::null_mut(), Ordering::Acquire);
        while !next.is_null() {
            // SAFETY: J1: it was taken from the list, once.
            let jumbo = unsafe { Box::from_raw(next) };
            // SAFETY: as above: it is this function's own.
            next = jumbo.next.with(|next| unsafe { *next });
        }
    }
}

impl Drop for Jumbos {
    fn drop(&mut self) {
        self.clear();
    }
}
