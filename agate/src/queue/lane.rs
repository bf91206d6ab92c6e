//! A lane: what one attached sender writes and the receiver drains; and who owns its reading end at the end.
//!
//! Messages are written into segments. A bounded lane is one segment that is used round and round; an unbounded lane is
//! a chain of segments of about 4 KiB, recycled first in, first out, without compare-and-swap:
//!
//! ```text
//! oldest -> .. -> the receiver's segment -> .. -> the sender's segment -> null
//! '-- finished, free --'
//! ```
//!
//! Both ends work on runs: slots in a row within one segment that are known to be free, or full. Within a run a message
//! costs one comparison; only at its end an end looks at what the other one has published, and goes round or on.
//!
//! # Invariants
//!
//! - L1: at any time at most one thread is a lane's sender (it holds the lane from the free list or as the spare one),
//!   and at most one its receiver. `sending` is touched by the sender alone, `receiving` by the receiver alone. Lanes
//!   are handed over by release and acquire.
//! - L2: the reading end belongs to the receiver until it stores `RELEASED` into `late`, then to the lane's sender.
//! - L3: messages are numbered from 0, wrapping. `tail` counts those published, the receiver's `head` those taken.
//!   Messages fill segments in order, `len` in each. A slot between head and tail holds a message and is the
//!   receiver's; the others are the sender's. Bounded: a tail is never more than `len` beyond the published head.
//! - L4: the sender's run is `[tail, limit)`, all of whose slots are the sender's, in its segment, from `slot` on. What
//!   is ready for the receiver is a row of slots from the head on that all hold messages, in its segment.
//! - L5: `first` goes from null to the first segment once, before the first publish. `next` of a segment is stored
//!   before a message behind it is published.
//! - L6 (unbounded): `finished` counts segments that the receiver has left for good, in chain order from the first
//!   one; `taken` counts those that the sender has taken back: the `finished - taken` segments from `oldest` on are
//!   the sender's.
//! - L7 (bounded): `held` counts the batches that are asking their iterator for a message. For each there is a free
//!   place that is in no run but its own: `tail - head + held` is never more than `len`.
//! - L8: a slot that was taken comes to the sender only when the published head is past it (bounded), or when `finished`
//!   counts its segment (unbounded). Until then it is the receiver's still, who may write into it: it holds nothing.
#![allow(
    unsafe_code,
    reason = "the two ends share segments by raw pointers, split between them by L3 and L6"
)]

mod read;
mod write;

use std::ptr;

pub(crate) use read::Ready;

use crate::caught;
use crate::inspect::LaneInspection;
use crate::park::{Bell, Gate, WaitMode};
use crate::queue::slots::{Slot, Slots, layout};
use crate::queue::{Capacity, SEGMENT_BYTES};
use crate::scope::{Local, Scope};
use crate::sync::Line;
use crate::sync::atomic::Ordering;
use crate::sync::cell::UnsafeCell;
use crate::words::Word;

/// Slots in a row, and the segment behind them.
struct Segment<T, S: Scope> {
    next: S::Ptr<Segment<T, S>>,
    slots: Slots<T>,
}

/// What the sender alone knows.
struct Sending<T, S: Scope> {
    slot: Slot<T>,
    tail: usize,
    limit: usize,
    /// The segment being filled; null before the first message.
    current: *mut Segment<T, S>,
    /// The number of the first message that does not fit into it.
    end: usize,
    /// Bounded: a head that was true once; the real one may be further.
    head: usize,
    /// Bounded: places that are held for messages that iterators are about to give.
    held: usize,
    /// Unbounded: the oldest segment of the chain, and how many were taken back.
    oldest: *mut Segment<T, S>,
    taken: usize,
    /// What the lane's senders have learnt about waiting for room.
    gate: Gate,
}

/// What the receiver alone knows.
struct Receiving<T, S: Scope> {
    head: usize,
    /// The segment being emptied; null before the first message.
    current: *mut Segment<T, S>,
    /// The number of the first message that is not in it.
    end: usize,
    finished: usize,
}

/// What the receiver lets the sender see.
struct Progress<S: Scope> {
    head: S::Usize,
    finished: S::Usize,
}

/// One lane.
pub(crate) struct Lane<T, S: Scope> {
    pub(crate) link: S::U32,
    pub(crate) index: u32,
    late: S::U32,
    /// Messages in a segment.
    len: usize,
    bounded: bool,
    first: S::Ptr<Segment<T, S>>,
    /// Segments that were made, and sends that found no room. Written by the sender.
    segments: S::Usize,
    refused: S::Usize,
    sending: Line<UnsafeCell<Sending<T, S>>>,
    tail: Line<S::Usize>,
    progress: Line<Progress<S>>,
    receiving: Line<UnsafeCell<Receiving<T, S>>>,
    /// What the sender sleeps on when there is no room; bounded lanes alone have it.
    room: Line<Option<S::Bell>>,
}

// SAFETY: a lane moves messages from the sender's thread to the receiver's; everything shared is atomic in this scope, or
// split between the two ends by L1 to L8.
unsafe impl<T: Send> Send for Lane<T, Local> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Lane<T, Local> {}

/// Nothing came late; the receiver owns the reading end.
const ON_TIME: u32 = 0;
/// A sender published after the close: the receiver must look once more before it leaves.
const LATE: u32 = 1;
/// The receiver has left for good.
const RELEASED: u32 = 2;

/// Messages in a segment of an unbounded lane.
const fn chained<T>() -> usize {
    if cfg!(any(loom, shuttle)) {
        return 2;
    }
    let size = if size_of::<T>() == 0 {
        1
    } else {
        size_of::<T>()
    };
    let fit = SEGMENT_BYTES / size;
    if fit < 4 { 4 } else { fit }
}

impl<T, S: Scope> Lane<T, S> {
    pub(crate) fn new(index: usize, capacity: Capacity) -> Self {
        let index = u32::try_from(index).expect("a table has fewer than 2^32 entries");
        let (bounded, len) = match capacity {
            Capacity::Bounded(messages) => (true, messages),
            Capacity::Unbounded => (false, chained::<T>()),
        };
        Self {
            link: S::U32::new(0),
            index,
            late: S::U32::new(ON_TIME),
            len,
            bounded,
            first: S::Ptr::new(ptr::null_mut()),
            segments: S::Usize::new(0),
            refused: S::Usize::new(0),
            sending: Line(UnsafeCell::new(Sending {
                slot: Slot::dangling(),
                tail: 0,
                limit: 0,
                current: ptr::null_mut(),
                end: 0,
                head: 0,
                held: 0,
                oldest: ptr::null_mut(),
                taken: 0,
                gate: Gate::for_room(),
            })),
            tail: Line(S::Usize::new(0)),
            progress: Line(Progress {
                head: S::Usize::new(0),
                finished: S::Usize::new(0),
            }),
            receiving: Line(UnsafeCell::new(Receiving {
                head: 0,
                current: ptr::null_mut(),
                end: 0,
                finished: 0,
            })),
            room: Line(bounded.then(|| S::Bell::new(WaitMode::Wake))),
        }
    }

    /// Has the sender look whether it should still wait for room.
    pub(crate) fn ring_room(&self) {
        if let Some(room) = &*self.room {
            room.ring();
        }
    }

    /// The receiver offers to leave the lane for good. `false`: something came late, look once more.
    pub(crate) fn try_leave(&self) -> bool {
        if self
            .late
            .compare_exchange(ON_TIME, RELEASED, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
        {
            return true;
        }
        // The swap acquires what the late sender released, so the next look sees its message.
        self.late.swap(ON_TIME, Ordering::AcqRel);
        false
    }

    /// The sender published after the close. `true`: the receiver has left, the reading end is now the sender's.
    pub(crate) fn was_late(&self) -> bool {
        // A swap, not an exchange: it must release the message also when this sender was late before, by a send from
        // inside a batch's iterator.
        if self.late.swap(LATE, Ordering::AcqRel) == RELEASED {
            self.late.store(RELEASED, Ordering::Release);
            return true;
        }
        false
    }

    /// What was counted.
    pub(crate) fn inspect(&self) -> LaneInspection {
        // What was received first: it is never more than what was sent, seen later.
        let received = self.progress.head.load(Ordering::Acquire);
        LaneInspection {
            sent: self.tail.load(Ordering::Acquire),
            received,
            full: self.refused.load(Ordering::Relaxed),
            memory: self
                .segments
                .load(Ordering::Relaxed)
                .saturating_mul(self.len),
        }
    }
}

impl<T, S: Scope> Segment<T, S> {
    /// A new segment, or `None` when memory is out.
    fn new(len: usize) -> Option<*mut Self> {
        let slots = Slots::new(len)?;
        Some(Box::into_raw(Box::new(Self {
            next: S::Ptr::new(ptr::null_mut()),
            slots,
        })))
    }

    /// A new segment; ends the program when memory is out, as allocating does.
    fn must(len: usize) -> *mut Self {
        Self::new(len).unwrap_or_else(|| {
            let wanted = layout::<T>(len).unwrap_or(std::alloc::Layout::new::<T>());
            std::alloc::handle_alloc_error(wanted)
        })
    }
}

impl<T, S: Scope> Drop for Lane<T, S> {
    fn drop(&mut self) {
        // SAFETY: `&mut self`: both ends are ours.
        while let Some(message) = unsafe { self.take() } {
            // A panic in its drop must not keep the others from being dropped.
            caught::run(|| drop(message));
        }
        let oldest = self
            .sending
            // SAFETY: as above.
            .with(|sending| unsafe { (*sending).oldest });
        let mut segment = if self.bounded {
            self.first.load(Ordering::Relaxed)
        } else {
            oldest
        };
        while !segment.is_null() {
            // SAFETY: every segment is in the chain from `oldest` on, once, and came from a box; a bounded lane has
            // the first one alone.
            let owned = unsafe { Box::from_raw(segment) };
            segment = owned.next.load(Ordering::Relaxed);
        }
    }
}
