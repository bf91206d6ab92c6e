//! A table that grows without moving its entries: chunks, each twice as long as the one before.
//!
//! # Invariants
//!
//! - I1: a chunk pointer goes from null to a chunk once and then stays until the table is dropped.
//! - I2: chunk `k` comes from a boxed slice of `FIRST << k` entries, all initialised before the pointer is stored.
#![allow(
    unsafe_code,
    reason = "entries are reached through chunk pointers that are written once, I1"
)]

use std::marker::PhantomData;

use crate::scope::Scope;
use crate::sync::atomic::Ordering;
use crate::words::{Number, Word};

/// Entries in the first chunk.
const FIRST: usize = if cfg!(any(loom, shuttle)) { 1 } else { 8 };
const CHUNKS: usize = if cfg!(any(loom, shuttle)) { 3 } else { 20 };
/// How many entries a table can have.
pub(crate) const MAX: usize = FIRST * ((1 << CHUNKS) - 1);
const SEALED: usize = 1 << (usize::BITS - 1);

/// Entries with stable addresses; indices are handed out in order.
pub(crate) struct Table<E, S: Scope> {
    chunks: [S::Ptr<E>; CHUNKS],
    /// How many indices were handed out, and [`SEALED`].
    made: S::Usize,
    owns: PhantomData<E>,
}

impl<E, S: Scope> Table<E, S> {
    pub(crate) fn new() -> Self {
        Self {
            chunks: std::array::from_fn(|_| S::Ptr::new(std::ptr::null_mut())),
            made: S::Usize::new(0),
            owns: PhantomData,
        }
    }

    /// Hands out the next index, or `None` when the table is sealed or full.
    pub(crate) fn reserve(&self) -> Option<usize> {
        self.reserve_below(MAX)
    }

    /// As `reserve`, but only indices below `limit`, which is at most [`MAX`].
    pub(crate) fn reserve_below(&self, limit: usize) -> Option<usize> {
        let mut made = self.made.load(Ordering::Relaxed);
        loop {
            if made & SEALED != 0 || made >= limit {
                return None;
            }
            match self.made.compare_exchange_weak(
                made,
                made + 1,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(made),
                Err(now) => made = now,
            }
        }
    }

    /// Hands out no index from now on; returns how many were.
    pub(crate) fn seal(&self) -> usize {
        self.made.fetch_or(SEALED, Ordering::AcqRel) & !SEALED
    }

    /// How many indices were handed out. The entries of the last ones may not be there yet.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.made.load(Ordering::Acquire) & !SEALED
    }

    /// The entry at an index, if its chunk is there.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&E> {
        let (chunk, offset) = locate(index);
        let entries = self.chunks[chunk].load(Ordering::Acquire);
        if entries.is_null() {
            return None;
        }
        // SAFETY: by I2 the chunk has `FIRST << chunk` entries and `locate` gives a smaller offset.
        let entry = unsafe { entries.add(offset) };
        // SAFETY: by I1 and I2 the entry is initialised and lives as long as `self`.
        Some(unsafe { &*entry })
    }

    /// The entry at an index that was handed out; makes its chunk if nobody has yet, and those before it, so that who
    /// looks from the first entry on finds every entry that is there. Lock-free.
    pub(crate) fn ensure(&self, index: usize, make: impl Fn(usize) -> E) -> &E {
        let (chunk, offset) = locate(index);
        if self.chunks[chunk].load(Ordering::Acquire).is_null() {
            self.grow_to(chunk, index - offset, make);
        }
        self.get(index).expect("the chunk was made above")
    }

    #[cold]
    fn grow_to(&self, chunk: usize, base: usize, make: impl Fn(usize) -> E) {
        // Whoever was given an index in one of these may not have come to making it.
        for earlier in
            (0..chunk).filter(|&chunk| self.chunks[chunk].load(Ordering::Acquire).is_null())
        {
            self.grow(earlier, FIRST * ((1 << earlier) - 1), &make);
        }
        self.grow(chunk, base, make);
    }

    fn grow(&self, chunk: usize, base: usize, make: impl Fn(usize) -> E) {
        let entries: Box<[E]> = (0..FIRST << chunk)
            .map(|offset| make(base + offset))
            .collect();
        let entries = Box::into_raw(entries).cast::<E>();
        let null = std::ptr::null_mut();
        if self.chunks[chunk]
            .compare_exchange(null, entries, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
        {
            // SAFETY: another thread's chunk won, so this one was never shared.
            unsafe { free_chunk(entries, chunk) };
        }
    }
}

impl<E, S: Scope> Drop for Table<E, S> {
    fn drop(&mut self) {
        for (index, chunk) in self.chunks.iter().enumerate() {
            let entries = chunk.load(Ordering::Acquire);
            if !entries.is_null() {
                // SAFETY: `&mut self`: nobody else uses the table, and it is never used again.
                unsafe { free_chunk(entries, index) };
            }
        }
    }
}

/// Frees a chunk with its entries.
///
/// # Safety
///
/// `entries` is chunk `chunk` by I2, and is not used again.
unsafe fn free_chunk<E>(entries: *mut E, chunk: usize) {
    let slice = std::ptr::slice_from_raw_parts_mut(entries, FIRST << chunk);
    // SAFETY: by I2 it came from a box of exactly this slice; the caller gives it up.
    drop(unsafe { Box::from_raw(slice) });
}

#[inline]
fn locate(index: usize) -> (usize, usize) {
    let chunk = (index / FIRST + 1).ilog2() as usize;
    (chunk, index - FIRST * ((1 << chunk) - 1))
}
