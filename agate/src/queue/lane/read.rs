//! The receiving end of a lane.
#![allow(
    unsafe_code,
    reason = "reads slots that are the receiver's by L3 and L4 of `lane`"
)]

use super::Lane;
use crate::park::Bell;
use crate::queue::slots::Slot;
use crate::scope::Scope;
use crate::sync::atomic::Ordering;
use crate::words::Word;

/// Messages in a row that are ready for the receiver (L4).
pub(crate) struct Ready<T> {
    /// Where the first one is.
    pub(crate) slot: Slot<T>,
    /// How many there are.
    pub(crate) count: usize,
    /// How many there could be, to the end of the segment.
    pub(crate) row: usize,
}

impl<T> Ready<T> {
    pub(crate) fn nothing() -> Self {
        Self {
            slot: Slot::dangling(),
            count: 0,
            row: 0,
        }
    }
}

impl<T, S: Scope> Lane<T, S> {
    /// How many messages were published, ever (wrapping).
    #[inline(always)]
    pub(crate) fn tail(&self) -> usize {
        self.tail.load(Ordering::Acquire)
    }

    /// How many messages were taken, ever (wrapping).
    ///
    /// # Safety
    ///
    /// The caller is the lane's only receiver (L1).
    #[inline(always)]
    pub(crate) unsafe fn head(&self) -> usize {
        // SAFETY: L1.
        self.receiving
            .with(|receiving| unsafe { (*receiving).head })
    }

    /// Notes that all messages before `head` are taken, or will be by the caller: they are not given out again.
    ///
    /// # Safety
    ///
    /// The caller is the lane's only receiver (L1), and `head` is not more than the tail.
    #[inline(always)]
    pub(crate) unsafe fn advance(&self, head: usize) {
        // SAFETY: L1.
        self.receiving
            .with_mut(|receiving| unsafe { (*receiving).head = head });
    }

    /// Tells the sender how far the receiver is: the room of everything taken is free again.
    ///
    /// # Safety
    ///
    /// The caller is the lane's only receiver (L1).
    #[inline(always)]
    pub(crate) unsafe fn release(&self) {
        // SAFETY: as the caller promises.
        let head = unsafe { self.head() };
        if self.progress.head.load(Ordering::Relaxed) != head {
            self.progress.head.store(head, Ordering::Release);
            if let Some(room) = &*self.room {
                let word = room.after_publish();
                if word != 0 {
                    room.answer(word);
                }
            }
        }
    }

    /// The messages that are ready from the head on, in a row; none only if there is none at all.
    ///
    /// # Safety
    ///
    /// The caller is the lane's only receiver (L1).
    #[inline(never)]
    pub(crate) unsafe fn ready(&self) -> Ready<T> {
        self.receiving.with_mut(|receiving| {
            // SAFETY: L1.
            let receiving = unsafe { &mut *receiving };
            let head = receiving.head;
            let count = self.tail.load(Ordering::Acquire).wrapping_sub(head);
            if count == 0 {
                return Ready::nothing();
            }
            if head == receiving.end {
                if receiving.current.is_null() {
                    receiving.current = self.first.load(Ordering::Acquire);
                } else if !self.bounded {
                    // SAFETY: the receiver's segment is alive: the sender takes it back only after `finished` counts
                    // it, L6.
                    let segment = unsafe { &*receiving.current };
                    receiving.current = segment.next.load(Ordering::Acquire);
                    receiving.finished = receiving.finished.wrapping_add(1);
                    let finished = &self.progress.finished;
                    finished.store(receiving.finished, Ordering::Release);
                }
                receiving.end = head.wrapping_add(self.len);
            }
            let row = receiving.end.wrapping_sub(head);
            // SAFETY: by L5 the segment of a published message is there; by L6 and L3 it stays as long as the receiver
            // is in it.
            let slots = &unsafe { &*receiving.current }.slots;
            // SAFETY: `0 < row <= len`, since the head is in this segment.
            let slot = unsafe { slots.first().nth(self.len - row) };
            Ready {
                slot,
                count: count.min(row),
                row,
            }
        })
    }

    /// Takes the oldest message; for ends, where speed does not matter.
    ///
    /// # Safety
    ///
    /// The caller is the lane's only receiver (L1).
    pub(crate) unsafe fn take(&self) -> Option<T> {
        // SAFETY: as the caller promises.
        let ready = unsafe { self.ready() };
        if ready.count == 0 {
            return None;
        }
        // SAFETY: as above.
        let head = unsafe { self.head() };
        // The head goes on first: whatever happens later, the message is not delivered twice.
        // SAFETY: as above; there is a message at the head.
        unsafe { self.advance(head.wrapping_add(1)) };
        // SAFETY: by L4 the slot holds a message of the receiver's, and the head is past it now.
        Some(unsafe { ready.slot.take() })
    }
}
