//! The lanes of one object: a table of them, the free ones on a list, the one given back last at hand.
//!
//! # Invariants
//!
//! - I1: `spare` is null or points to a lane of the table, which lives as long as this.
//! - I2: a lane that is free is the spare one or on the list, once. Taking the spare one is a swap, so two users never
//!   get the same.
#![allow(unsafe_code, reason = "keeps a pointer to one of its own lanes, I1")]

use std::ptr::{self, NonNull};

use crate::error::AttachError;
use crate::freelist::{FreeList, Links};
use crate::queue::Capacity;
use crate::queue::lane::Lane;
use crate::scope::Scope;
use crate::sync::atomic::Ordering;
use crate::table::{self, Table};
use crate::words::Word;

/// All lanes that were ever made for one object. Taking the spare one needs no look into the table.
pub(crate) struct Lanes<T, S: Scope> {
    table: Table<Lane<T, S>, S>,
    free: FreeList<S>,
    spare: S::Ptr<Lane<T, S>>,
    capacity: Capacity,
}

impl<T, S: Scope> Links<S> for Table<Lane<T, S>, S> {
    fn link(&self, index: u32) -> &S::U32 {
        &self
            .get(index as usize)
            .expect("an index on the free list has been made")
            .link
    }
}

impl<T, S: Scope> Lanes<T, S> {
    pub(crate) fn new(capacity: Capacity) -> Self {
        Self {
            table: Table::new(),
            free: FreeList::new(),
            spare: S::Ptr::new(ptr::null_mut()),
            capacity,
        }
    }

    /// Takes a free lane, else makes one. Lock-free; without allocation when one is free.
    ///
    /// The lane is the caller's as its sender until `detach`, and lives as long as this.
    #[inline]
    pub(crate) fn attach(&self) -> Result<NonNull<Lane<T, S>>, AttachError> {
        if !self.spare.load(Ordering::Relaxed).is_null() {
            let spare = self.spare.swap(ptr::null_mut(), Ordering::AcqRel);
            if let Some(lane) = NonNull::new(spare) {
                return Ok(lane);
            }
        }
        self.find().map(NonNull::from)
    }

    #[inline(never)]
    fn find(&self) -> Result<&Lane<T, S>, AttachError> {
        if let Some(index) = self.free.pop(&self.table) {
            return Ok(self.lane(index as usize));
        }
        let Some(index) = self.table.reserve() else {
            return Err(if self.table.len() < table::MAX {
                AttachError::Closed
            } else {
                AttachError::TooMany
            });
        };
        Ok(self.lane(index))
    }

    /// Gives a lane back for the next sender, who also inherits what is not drained yet.
    #[inline]
    pub(crate) fn detach(&self, lane: &Lane<T, S>) {
        let spare = ptr::from_ref(lane).cast_mut();
        let before = self.spare.swap(spare, Ordering::AcqRel);
        if !before.is_null() {
            self.put_aside(before);
        }
    }

    #[inline(never)]
    fn put_aside(&self, lane: *const Lane<T, S>) {
        // SAFETY: I1: it was the spare one.
        let lane = unsafe { &*lane };
        self.free.push(&self.table, lane.index);
    }

    /// How many lanes there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// A lane, if it is there already.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&Lane<T, S>> {
        self.table.get(index)
    }

    /// Lets no new lane be made; returns how many there are.
    pub(crate) fn seal(&self) -> usize {
        self.table.seal()
    }

    /// A lane whose index was handed out.
    pub(crate) fn lane(&self, index: usize) -> &Lane<T, S> {
        self.table
            .ensure(index, |index| Lane::new(index, self.capacity))
    }
}
