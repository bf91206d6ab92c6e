//! Several receivers on one doorbell: a seat for each, where its task leaves a waker.

use crate::freelist::{FreeList, Links};
use crate::park::task::TaskCell;
use crate::scope::Local;
use crate::sync::atomic::AtomicU32;
use crate::table::Table;

/// The seats of all receivers that were ever there at a time.
pub(super) struct Crowd {
    seats: Table<Seat, Local>,
    free: FreeList<Local>,
}

struct Seat {
    link: AtomicU32,
    task: TaskCell,
}

impl Links<Local> for Table<Seat, Local> {
    fn link(&self, index: u32) -> &AtomicU32 {
        &self
            .get(index as usize)
            .expect("an index on the free list has been made")
            .link
    }
}

impl Crowd {
    pub(super) fn new() -> Self {
        Self {
            seats: Table::new(),
            free: FreeList::new(),
        }
    }

    /// Takes a free seat, else makes one; `None`: there are as many as a table can hold.
    pub(super) fn enter(&self) -> Option<u32> {
        if let Some(index) = self.free.pop(&self.seats) {
            return Some(index);
        }
        let index = self.seats.reserve()?;
        self.seats.ensure(index, |_| Seat {
            link: AtomicU32::new(0),
            task: TaskCell::new(),
        });
        u32::try_from(index).ok()
    }

    /// Gives a seat back, and drops a waker that is left there.
    pub(super) fn leave(&self, seat: u32) {
        drop(self.task(seat).take());
        self.free.push(&self.seats, seat);
    }

    pub(super) fn task(&self, seat: u32) -> &TaskCell {
        &self
            .seats
            .get(seat as usize)
            .expect("a seat that was taken has been made")
            .task
    }

    pub(super) fn tasks(&self) -> impl Iterator<Item = &TaskCell> {
        (0..self.seats.len()).filter_map(|index| self.seats.get(index).map(|seat| &seat.task))
    }
}

impl std::fmt::Debug for Crowd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crowd")
            .field("seats", &self.seats.len())
            .finish_non_exhaustive()
    }
}
