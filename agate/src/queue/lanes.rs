//! The lanes of one object: a table of them, the free ones on a list.

use std::marker::PhantomData;

use crate::error::AttachError;
use crate::freelist::{FreeList, Links};
use crate::queue::lane::{Lane, Store};
use crate::scope::Scope;
use crate::table::{self, Table};

/// All lanes that were ever made for one object.
pub(crate) struct Lanes<T, L: Store<T>, S: Scope> {
    table: Table<Lane<L, S>, S>,
    free: FreeList<S>,
    config: L::Config,
    messages: PhantomData<fn(T) -> T>,
}

impl<L, S: Scope> Links<S> for Table<Lane<L, S>, S> {
    fn link(&self, index: u32) -> &S::U32 {
        &self
            .get(index as usize)
            .expect("an index on the free list has been made")
            .link
    }
}

impl<T, L: Store<T>, S: Scope> Lanes<T, L, S> {
    pub(crate) fn new(config: L::Config) -> Self {
        Self {
            table: Table::new(),
            free: FreeList::new(),
            config,
            messages: PhantomData,
        }
    }

    /// Takes a free lane, else makes one. Lock-free; without allocation when one is free.
    ///
    /// The lane is the caller's as its sender until `detach`.
    pub(crate) fn attach(&self) -> Result<&Lane<L, S>, AttachError> {
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
    pub(crate) fn detach(&self, lane: &Lane<L, S>) {
        self.free.push(&self.table, lane.index);
    }

    /// How many lanes there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// A lane, if it is there already.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&Lane<L, S>> {
        self.table.get(index)
    }

    /// Lets no new lane be made; returns how many there are.
    pub(crate) fn seal(&self) -> usize {
        self.table.seal()
    }

    /// A lane whose index was handed out.
    pub(crate) fn lane(&self, index: usize) -> &Lane<L, S> {
        self.table
            .ensure(index, |index| Lane::new(index, L::new(self.config)))
    }
}
