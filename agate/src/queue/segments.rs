//! The unbounded lane: a chain of segments of about 4 KiB, recycled first in, first out, without compare-and-swap.
//!
//! ```text
//! oldest -> .. -> the receiver's segment -> .. -> the sender's segment -> null
//! '-- finished, free --'
//! ```
//!
//! # Invariants
//!
//! - I1: `tail` counts messages published, ever; the receiver's `head` those taken; both wrap together.
//! - I2: messages fill segments in chain order, `len` in each; a slot between head and tail holds a message and is the
//!   receiver's; the others are the sender's.
//! - I3: `finished` counts segments that the receiver has left for good, in chain order from the first one; `taken`
//!   counts those that the sender has taken back: the `finished - taken` segments from `oldest` on are the sender's.
//! - I4: `next` of a segment is stored before a message behind it is published.
//! - I5: `sending` is touched by the lane's sender alone, `receiving` by its receiver alone (`lane` I1); hand-over of
//!   a lane through the free list is release/acquire.
//! - I6: `first` goes from null to the first segment once, before the first publish.
#![allow(
    unsafe_code,
    reason = "segments are shared by raw pointers, split between the ends by I2 and I3"
)]

use std::ptr;

use crate::queue::lane::Store;
use crate::queue::slots::{Base, Slots};
use crate::scope::{Local, Scope};
use crate::sync::Line;
use crate::sync::atomic::Ordering;
use crate::sync::cell::UnsafeCell;
use crate::words::Word;

const SEGMENT_BYTES: usize = 4096;

struct Segment<T, S: Scope> {
    next: S::Ptr<Segment<T, S>>,
    slots: Slots<T>,
}

struct Sending<T, S: Scope> {
    /// The segment being filled; null before the first message.
    current: *mut Segment<T, S>,
    /// Its slots.
    slots: Base<T>,
    /// The number of the first message in it; the message of number `tail` goes to slot `tail - start`.
    start: usize,
    tail: usize,
    oldest: *mut Segment<T, S>,
    taken: usize,
}

struct Receiving<T, S: Scope> {
    /// The segment being emptied; null before the first message.
    current: *mut Segment<T, S>,
    /// Its slots.
    slots: Base<T>,
    /// The number of the first message in it; the message of number `head` is in slot `head - start`.
    start: usize,
    head: usize,
    /// A tail that was true once; the real one may be further.
    tail: usize,
    finished: usize,
}

/// An unbounded single-producer single-consumer chain.
pub(crate) struct Chain<T, S: Scope> {
    first: S::Ptr<Segment<T, S>>,
    sending: Line<UnsafeCell<Sending<T, S>>>,
    tail: Line<S::Usize>,
    finished: Line<S::Usize>,
    receiving: Line<UnsafeCell<Receiving<T, S>>>,
}

// SAFETY: the chain moves messages from the sender's thread to the receiver's; everything shared is atomic or split by I2, I3, I5.
unsafe impl<T: Send> Send for Chain<T, Local> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Chain<T, Local> {}

impl<T, S: Scope> Chain<T, S> {
    /// Messages in a segment.
    const LEN: usize = if cfg!(loom) {
        2
    } else {
        let size = if size_of::<T>() == 0 {
            1
        } else {
            size_of::<T>()
        };
        let fit = SEGMENT_BYTES / size;
        if fit < 4 { 4 } else { fit }
    };

    /// The sender needs a segment behind its current one: one that came back, else a new one.
    #[cold]
    fn next_segment(&self, sending: &mut Sending<T, S>) {
        let segment = if sending.current.is_null()
            || sending.taken == self.finished.load(Ordering::Acquire)
        {
            Self::new_segment()
        } else {
            let segment = sending.oldest;
            // SAFETY: by I3 the oldest segment is the sender's and is alive.
            sending.oldest = unsafe { &*segment }.next.load(Ordering::Relaxed);
            sending.taken = sending.taken.wrapping_add(1);
            // SAFETY: as above.
            unsafe { &*segment }
                .next
                .store(ptr::null_mut(), Ordering::Relaxed);
            segment
        };
        if sending.current.is_null() {
            sending.oldest = segment;
            self.first.store(segment, Ordering::Release);
        } else {
            // SAFETY: the current segment is in the chain and alive.
            unsafe { &*sending.current }
                .next
                .store(segment, Ordering::Release);
        }
        sending.current = segment;
        // SAFETY: the segment is alive, as above or because it is new.
        sending.slots = unsafe { &*segment }.slots.base();
        sending.start = sending.tail;
    }

    fn new_segment() -> *mut Segment<T, S> {
        let Some(slots) = Slots::new(Self::LEN) else {
            std::alloc::handle_alloc_error(
                crate::queue::slots::layout::<T>(Self::LEN)
                    .unwrap_or(std::alloc::Layout::new::<T>()),
            )
        };
        Box::into_raw(Box::new(Segment {
            next: S::Ptr::new(ptr::null_mut()),
            slots,
        }))
    }

    /// The receiver goes on to the segment behind; a message is known to be there.
    #[cold]
    fn go_on(&self, receiving: &mut Receiving<T, S>) {
        if receiving.current.is_null() {
            receiving.current = self.first.load(Ordering::Acquire);
        } else {
            // SAFETY: the receiver's segment is alive: the sender takes it back only after `finished` counts it, I3.
            receiving.current = unsafe { &*receiving.current }.next.load(Ordering::Acquire);
            receiving.finished = receiving.finished.wrapping_add(1);
            self.finished.store(receiving.finished, Ordering::Release);
        }
        debug_assert!(
            !receiving.current.is_null(),
            "by I4 and I6 the segment of a published message is linked"
        );
        // SAFETY: by I4 and I6 it is a segment of the chain, and alive as above.
        receiving.slots = unsafe { &*receiving.current }.slots.base();
        receiving.start = receiving.head;
    }
}

impl<T, S: Scope> Store<T> for Chain<T, S> {
    type Config = ();

    fn new((): ()) -> Self {
        // As if behind a full segment, so that the first message asks for one.
        let start = 0_usize.wrapping_sub(Self::LEN);
        let (current, oldest, slots) = (ptr::null_mut(), ptr::null_mut(), Base::dangling());
        Self {
            first: S::Ptr::new(ptr::null_mut()),
            sending: Line(UnsafeCell::new(Sending {
                current,
                slots,
                start,
                tail: 0,
                oldest,
                taken: 0,
            })),
            tail: Line(S::Usize::new(0)),
            finished: Line(S::Usize::new(0)),
            receiving: Line(UnsafeCell::new(Receiving {
                current,
                slots,
                start,
                head: 0,
                tail: 0,
                finished: 0,
            })),
        }
    }

    unsafe fn prepare(&self) -> bool {
        true
    }

    unsafe fn has_room(&self) -> bool {
        true
    }

    #[inline(always)]
    unsafe fn write(&self, message: T) -> Result<(), T> {
        self.sending.with_mut(|sending| {
            // SAFETY: the caller is the only sender, I5.
            let sending = unsafe { &mut *sending };
            if sending.tail.wrapping_sub(sending.start) == Self::LEN {
                self.next_segment(sending);
            }
            let index = sending.tail.wrapping_sub(sending.start);
            // SAFETY: the current segment is in the chain and alive; the index is less than `LEN`; by I2 the slot is the sender's and empty.
            unsafe { sending.slots.write(index, message) };
            sending.tail = sending.tail.wrapping_add(1);
        });
        Ok(())
    }

    #[inline(always)]
    unsafe fn publish(&self) {
        // SAFETY: the caller is the only sender, I5.
        let tail = self.sending.with(|sending| unsafe { (*sending).tail });
        self.tail.store(tail, Ordering::Release);
    }

    #[inline(always)]
    unsafe fn is_ready(&self) -> bool {
        // SAFETY: the caller is the only receiver, I5.
        let head = self
            .receiving
            .with(|receiving| unsafe { (*receiving).head });
        self.tail.load(Ordering::Acquire) != head
    }

    #[inline(always)]
    unsafe fn take(&self) -> Option<T> {
        self.receiving.with_mut(|receiving| {
            // SAFETY: the caller is the only receiver, I5.
            let receiving = unsafe { &mut *receiving };
            if receiving.head == receiving.tail {
                receiving.tail = self.tail.load(Ordering::Acquire);
                if receiving.head == receiving.tail {
                    return None;
                }
            }
            if receiving.head.wrapping_sub(receiving.start) == Self::LEN {
                self.go_on(receiving);
            }
            let index = receiving.head.wrapping_sub(receiving.start);
            // The head goes on first: whatever happens later, the message is not delivered twice.
            receiving.head = receiving.head.wrapping_add(1);
            // SAFETY: the receiver's segment is alive, I3; the index is less than `LEN`; by I2 the slot holds a message of the receiver's, and `head` is past it now.
            Some(unsafe { receiving.slots.read(index) })
        })
    }

    #[inline(always)]
    unsafe fn release(&self) {}
}

impl<T, S: Scope> Drop for Chain<T, S> {
    fn drop(&mut self) {
        // SAFETY: `&mut self`: both ends are ours.
        while let Some(message) = unsafe { self.take() } {
            drop(message);
        }
        // SAFETY: as above.
        let mut segment = self.sending.with(|sending| unsafe { (*sending).oldest });
        while !segment.is_null() {
            // SAFETY: every segment is in the chain from `oldest` on, once, and came from a box.
            let owned = unsafe { Box::from_raw(segment) };
            segment = owned.next.load(Ordering::Relaxed);
        }
    }
}
