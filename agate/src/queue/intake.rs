//! The intake of an object: its lanes and its doorbell; sending into it, and the end of it.
//!
//! # Closing, and who drops what
//!
//! A close stores `CLOSED` into the doorbell's word; senders read that word before they write (and refuse) and after
//! they publish. When the receiver leaves for good (`retire`), it closes, runs the heavy barrier, seals the table and
//! empties every lane. A sender that published by then without seeing `CLOSED` is seen by that drain (the barrier);
//! one that sees `CLOSED` after it published settles with the receiver in its lane's `late` word: either the receiver
//! looks once more, or it has left and the sender empties the lane itself. So every message is dropped once, by one
//! of them, and nobody waits.
//!
//! # Invariants
//!
//! - I1: `Tx` holds its lane exclusively as sender, from attach to drop (`lane` L1).
//! - I2: there is at most one `Rx` in use for an intake; it is the receiver of every lane until it retires (`lane` L2).
#![allow(
    unsafe_code,
    reason = "hands out the two ends of lanes, each to one user at a time, I1 and I2"
)]

use std::ptr::NonNull;
use std::task::Waker;

use crate::caught;
use crate::error::AttachError;
use crate::inspect::Inspection;
use crate::park::{Bell, WaitMode};
use crate::queue::Capacity;
use crate::queue::lane::Lane;
use crate::queue::lanes::Lanes;
use crate::scope::Scope;
use crate::sync::Line;
use crate::sync::atomic::Ordering;
use crate::verdict::Verdict;
use crate::words::Word;

/// Lanes and doorbell.
pub(crate) struct Intake<T, S: Scope> {
    /// Read by every send, so not beside what is written.
    pub(super) bell: Line<S::Bell>,
    pub(super) lanes: Lanes<T, S>,
    /// Whether the receiver left for good.
    retired: S::Bool,
    /// Whether what is discarded from now on is so because the owner panicked.
    panicked: S::Bool,
}

/// Why a message was not accepted.
pub(crate) enum Refused<T> {
    Full(T),
    Closed(T),
}

impl<T, S: Scope> Intake<T, S> {
    pub(crate) fn new(capacity: Capacity, mode: WaitMode) -> Self {
        Self::with_bell(capacity, S::Bell::new(mode))
    }

    pub(super) fn with_bell(capacity: Capacity, bell: S::Bell) -> Self {
        Self {
            bell: Line(bell),
            lanes: Lanes::new(capacity),
            retired: S::Bool::new(false),
            panicked: S::Bool::new(false),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.bell.is_closed_acquire()
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// Accepts nothing new; the receiver may go on until it is empty.
    pub(crate) fn close(&self) -> bool {
        let first = self.bell.close();
        self.nudge_senders();
        first
    }

    /// As `close`, and resolvers that are discarded say that their owner panicked.
    pub(crate) fn close_panicked(&self) {
        self.panicked.store(true, Ordering::Release);
        self.close();
    }

    /// Wakes the receiver if it sleeps, so that it looks at what has changed.
    pub(crate) fn nudge(&self) {
        self.bell.nudge();
    }

    /// Wakes the senders that wait for room, so that they look at what has changed.
    pub(crate) fn nudge_senders(&self) {
        // The light barrier, before looking how many lanes there are: a sender in one that is newer sees the change.
        self.bell.after_publish();
        for lane in (0..self.lanes.len()).filter_map(|index| self.lanes.get(index)) {
            lane.ring_room();
        }
    }

    /// Has the next send, nudge or close wake a task of the receiver, which looks once more after this.
    pub(crate) fn register(&self, waker: &Waker) {
        self.bell.register(waker);
    }

    /// Takes back a waker that was left.
    pub(crate) fn unregister(&self) {
        self.bell.unregister();
    }

    /// Takes a lane for a new sender. It lives as long as the intake.
    #[inline]
    pub(crate) fn attach(&self) -> Result<NonNull<Lane<T, S>>, AttachError> {
        if self.bell.is_closed() {
            return Err(AttachError::Closed);
        }
        let lane = self.lanes.attach()?;
        // SAFETY: lanes live as long as the intake.
        let shared = unsafe { lane.as_ref() };
        // SAFETY: the lane was just taken from the list or made: the caller is its only sender.
        if unsafe { shared.prepare() } {
            Ok(lane)
        } else {
            self.lanes.detach(shared);
            Err(AttachError::OutOfMemory)
        }
    }

    /// Gives a sender's lane back.
    #[inline]
    pub(crate) fn detach(&self, lane: &Lane<T, S>) {
        self.lanes.detach(lane);
    }

    /// Sends one message.
    ///
    /// # Safety
    ///
    /// `lane` is of this intake, and the caller is its only sender.
    #[inline(always)]
    pub(crate) unsafe fn send(&self, lane: &Lane<T, S>, message: T) -> Result<(), Refused<T>> {
        if self.bell.is_closed() {
            return Err(Refused::Closed(message));
        }
        // SAFETY: as the caller promises.
        if !unsafe { lane.room() } {
            // SAFETY: as above.
            unsafe { lane.count_refused() };
            return Err(Refused::Full(message));
        }
        // SAFETY: as above, and there is room.
        unsafe { lane.write(message) };
        // SAFETY: as above.
        unsafe { self.publish(lane) };
        Ok(())
    }

    /// Lets the receiver see what was written into the lane, and wakes it if it sleeps.
    ///
    /// # Safety
    ///
    /// `lane` is of this intake, and the caller is its only sender.
    #[inline(always)]
    pub(crate) unsafe fn publish(&self, lane: &Lane<T, S>) {
        // SAFETY: as the caller promises.
        unsafe { lane.publish() };
        let word = self.bell.after_publish();
        if word != 0 {
            // SAFETY: as above.
            unsafe { self.answer(lane, word) };
        }
    }

    /// The receiver sleeps, or the bell is closed. In the second case what we published may be in a lane that nobody
    /// drains any more.
    ///
    /// # Safety
    ///
    /// `lane` is of this intake, and the caller is its only sender.
    #[cold]
    #[inline(never)]
    unsafe fn answer(&self, lane: &Lane<T, S>, word: u32) {
        if self.bell.answer(word) && lane.was_late() {
            // SAFETY: the receiver has left, so the reading end is the sender's (`lane` L2).
            unsafe { self.discard(lane) };
        }
    }

    /// Says that the receiver has left for good, and makes sure that everybody who sends from now on sees it.
    pub(super) fn leave_for_good(&self) {
        self.retired.store(true, Ordering::Release);
        self.close();
        self.bell.heavy_barrier();
    }

    /// Adds what the lanes and the bell tell.
    pub(crate) fn inspect(&self, seen: &mut Inspection) {
        seen.closed = self.is_closed();
        seen.wakes = self.bell.wakes();
        for lane in (0..self.lanes.len()).filter_map(|index| self.lanes.get(index)) {
            seen.add(lane.inspect());
        }
    }

    /// Leaves for good: closes, and drops what is in the lanes or still comes. Returns how many messages were dropped
    /// here.
    ///
    /// # Safety
    ///
    /// The caller is the intake's only receiver, has not retired, and takes nothing afterwards.
    pub(super) unsafe fn retire(&self) -> u64 {
        self.leave_for_good();
        let mut count = 0;
        for index in 0..self.lanes.seal() {
            let lane = self.lanes.lane(index);
            loop {
                // SAFETY: the caller is the only receiver; the reading end is ours until `try_leave` is true.
                count += unsafe { self.discard(lane) };
                if lane.try_leave() {
                    break;
                }
            }
        }
        count
    }

    /// Drops everything in a lane; returns how many messages.
    ///
    /// # Safety
    ///
    /// The caller owns the lane's reading end.
    unsafe fn discard(&self, lane: &Lane<T, S>) -> u64 {
        let _verdict = Verdict::discarding(self.panicked.load(Ordering::Acquire));
        let mut count = 0;
        // SAFETY: the caller owns the reading end.
        while let Some(message) = unsafe { lane.take() } {
            count += 1;
            // A panic in its drop must not keep the others from being dropped.
            caught::run(|| drop(message));
        }
        // SAFETY: as above.
        unsafe { lane.release() };
        count
    }
}
