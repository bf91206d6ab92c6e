//! The physical limit of writing messages: jobs copy as many bytes for each draw as agate's messages have, into memory that
//! they write once in a frame, and nobody reads them.

use std::cell::RefCell;
use std::sync::Mutex;
use std::time::Instant;

use crate::commands::frame::{FrameTimes, Objects, Stage, Stamps, Strategy};
use crate::commands::work::Work;

/// The bytes that agate writes for the four calls of a draw.
pub const BYTES_PER_DRAW: usize = 88;

/// Records to copy from: about as many bytes as there are matrices to push. A constant, so that an index needs no division.
pub(crate) const RECORDS: usize = 256;

type Record = [u8; BYTES_PER_DRAW];

/// See the module.
pub struct CopyLimit {
    /// The memory of each slot.
    slots: RefCell<Vec<Mutex<Vec<Record>>>>,
    table: Box<[Record; RECORDS]>,
}

impl Default for CopyLimit {
    fn default() -> Self {
        Self {
            slots: RefCell::default(),
            table: Box::new(std::array::from_fn(|byte| [byte as u8; BYTES_PER_DRAW])),
        }
    }
}

impl Strategy for CopyLimit {
    fn frame(&mut self, stage: &Stage, work: &Work) -> FrameTimes {
        let slots = self.slots.get_mut();
        slots.resize_with(work.jobs, Mutex::default);
        for (index, slot) in slots.iter_mut().enumerate() {
            let records = slot.get_mut().expect("no job has panicked");
            records.resize(work.range(index).len(), [0; BYTES_PER_DRAW]);
        }
        let (slots, table) = (&*slots, std::hint::black_box(&*self.table));
        let mut stamps = Stamps::begin();
        let jobs = stage.jobs.run(work, |_, slot, range, _| {
            let mut records = slots[slot].lock().expect("no job has panicked");
            for (record, draw) in records.iter_mut().zip(range) {
                *record = table[draw % RECORDS];
            }
            std::hint::black_box(&mut *records);
        });
        stamps.ended(Instant::now());
        stamps.recycled(jobs)
    }

    fn objects(&self) -> Objects {
        Objects::default()
    }
}
