//! A lane: what one attached sender writes and the receiver drains; and who owns its reading end at the end.
//!
//! # Invariants
//!
//! - I1: at any time at most one thread is a lane's sender (it holds the lane from the free list), and at most one
//!   its receiver.
//! - I2: the reading end belongs to the receiver until it stores `RELEASED` into `late`, then to the lane's sender.
#![allow(
    unsafe_code,
    reason = "each end of a lane is for one thread, which the types cannot say"
)]

use std::time::Instant;

use crate::park::{Gate, Woken};
use crate::scope::Scope;
use crate::sync::atomic::Ordering;
use crate::words::Word;

/// How a lane stores messages. All methods of the sending end want I1 for the sender, the others for the receiver.
pub(crate) trait Store<T> {
    /// What a new lane must know.
    type Config: Copy;

    fn new(config: Self::Config) -> Self;

    /// Makes room for the first message. Sending end; called at attach. `false` when memory is out.
    ///
    /// # Safety
    ///
    /// Called by the lane's only sender.
    unsafe fn prepare(&self) -> bool;

    /// Waits until `write` would find room, `also` is true, or the deadline.
    ///
    /// # Safety
    ///
    /// Called by the lane's only sender.
    unsafe fn wait_room(
        &self,
        gate: &mut Gate,
        deadline: Option<Instant>,
        also: impl Fn() -> bool,
    ) -> Woken {
        let _ = (gate, deadline, also);
        Woken::Ready
    }

    /// Has the sender look whether it should still wait for room.
    fn ring_room(&self) {}

    /// Whether `write` would find room.
    ///
    /// # Safety
    ///
    /// Called by the lane's only sender.
    unsafe fn has_room(&self) -> bool;

    /// Writes a message that the receiver does not see before `publish`. Gives it back when there is no room.
    ///
    /// # Safety
    ///
    /// Called by the lane's only sender.
    unsafe fn write(&self, message: T) -> Result<(), T>;

    /// Lets the receiver see everything written.
    ///
    /// # Safety
    ///
    /// Called by the lane's only sender.
    unsafe fn publish(&self);

    /// Whether `take` would give a message.
    ///
    /// # Safety
    ///
    /// Called by the lane's only receiver.
    unsafe fn is_ready(&self) -> bool;

    /// Takes the oldest message.
    ///
    /// # Safety
    ///
    /// Called by the lane's only receiver.
    unsafe fn take(&self) -> Option<T>;

    /// Gives the room of everything taken back to the sender.
    ///
    /// # Safety
    ///
    /// Called by the lane's only receiver.
    unsafe fn release(&self);
}

/// Nothing came late; the receiver owns the reading end.
const ON_TIME: u32 = 0;
/// A sender published after the close: the receiver must look once more before it leaves.
const LATE: u32 = 1;
/// The receiver has left for good.
const RELEASED: u32 = 2;

/// One lane.
pub(crate) struct Lane<L, S: Scope> {
    pub(crate) link: S::U32,
    pub(crate) index: u32,
    late: S::U32,
    pub(crate) store: L,
}

impl<L, S: Scope> Lane<L, S> {
    pub(crate) fn new(index: usize, store: L) -> Self {
        let index = u32::try_from(index).expect("a table has fewer than 2^32 entries");
        Self {
            link: S::U32::new(0),
            index,
            late: S::U32::new(ON_TIME),
            store,
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
}
