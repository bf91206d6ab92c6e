//! The intake of an object: its lanes and its doorbell; sending into it, draining it, and the end of both.
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
//! - I1: [`Tx`] holds its lane exclusively as sender, from attach to drop (`lane` I1).
//! - I2: there is at most one [`Rx`] for an intake; it is the receiver of every lane until it retires (`lane` I2).
#![allow(
    unsafe_code,
    reason = "hands out the two ends of lanes, each to one user at a time, I1 and I2"
)]

use std::task::Waker;
use std::time::Instant;

use crate::caught;
use crate::error::AttachError;
use crate::park::{Bell, Gate, WaitMode, Woken};
use crate::queue::lane::{Lane, Store};
use crate::queue::lanes::Lanes;
use crate::scope::Scope;
use crate::sync::atomic::Ordering;
use crate::verdict::Verdict;
use crate::words::Word;

/// So many messages of one lane in a row, then the next lane has its turn.
const RUN: usize = if cfg!(loom) { 2 } else { 256 };

/// Lanes and doorbell.
pub(crate) struct Intake<T, L: Store<T>, S: Scope> {
    lanes: Lanes<T, L, S>,
    bell: S::Bell,
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

impl<T, L: Store<T>, S: Scope> Intake<T, L, S> {
    pub(crate) fn new(config: L::Config, mode: WaitMode) -> Self {
        Self {
            lanes: Lanes::new(config),
            bell: S::Bell::new(mode),
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
        self.bell.ring();
    }

    /// Wakes the senders that wait for room, so that they look at what has changed.
    pub(crate) fn nudge_senders(&self) {
        // The light barrier, before looking how many lanes there are: a sender in one that is newer sees the change.
        self.bell.after_publish();
        for lane in (0..self.lanes.len()).filter_map(|index| self.lanes.get(index)) {
            lane.store.ring_room();
        }
    }

    /// Takes a lane for a new sender.
    pub(crate) fn attach(&self) -> Result<&Lane<L, S>, AttachError> {
        if self.bell.is_closed() {
            return Err(AttachError::Closed);
        }
        let lane = self.lanes.attach()?;
        // SAFETY: the lane was just taken from the list or made: the caller is its only sender.
        if unsafe { lane.store.prepare() } {
            Ok(lane)
        } else {
            self.lanes.detach(lane);
            Err(AttachError::OutOfMemory)
        }
    }

    /// Gives a sender's lane back.
    pub(crate) fn detach(&self, lane: &Lane<L, S>) {
        self.lanes.detach(lane);
    }

    /// Sends one message.
    ///
    /// # Safety
    ///
    /// `lane` is of this intake, and the caller is its only sender.
    #[inline(always)]
    pub(crate) unsafe fn send(&self, lane: &Lane<L, S>, message: T) -> Result<(), Refused<T>> {
        if self.bell.is_closed() {
            return Err(Refused::Closed(message));
        }
        // SAFETY: the caller is the lane's only sender.
        if let Err(message) = unsafe { lane.store.write(message) } {
            return Err(Refused::Full(message));
        }
        // SAFETY: as above.
        unsafe { self.publish(lane) };
        Ok(())
    }

    /// Waits until the lane has room, the intake is closed, `also` is true, or the deadline has come.
    ///
    /// # Safety
    ///
    /// `lane` is of this intake, and the caller is its only sender.
    pub(crate) unsafe fn wait_room(
        &self,
        lane: &Lane<L, S>,
        gate: &mut Gate,
        deadline: Option<Instant>,
        also: impl Fn() -> bool,
    ) -> Woken {
        let also = || self.bell.is_closed() || also();
        // SAFETY: the caller is the lane's only sender.
        unsafe { lane.store.wait_room(gate, deadline, also) }
    }

    /// Lets the receiver see what was written into the lane, and wakes it if it sleeps.
    ///
    /// # Safety
    ///
    /// `lane` is of this intake, and the caller is its only sender.
    #[inline(always)]
    pub(crate) unsafe fn publish(&self, lane: &Lane<L, S>) {
        // SAFETY: the caller is the lane's only sender.
        unsafe { lane.store.publish() };
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
    unsafe fn answer(&self, lane: &Lane<L, S>, word: u32) {
        if self.bell.answer(word) && lane.was_late() {
            // SAFETY: the receiver has left, so the reading end is the sender's (`lane` I2).
            unsafe { self.discard(lane) };
        }
    }

    /// Whether any lane has a message.
    ///
    /// # Safety
    ///
    /// The caller is the intake's only receiver, and has not retired.
    pub(crate) unsafe fn is_ready(&self) -> bool {
        (0..self.lanes.len()).any(|index| {
            // SAFETY: the caller is the only receiver.
            self.lanes
                .get(index)
                .is_some_and(|lane| unsafe { lane.store.is_ready() })
        })
    }

    /// Has the next send, nudge or close wake a task of the receiver, which looks once more after this.
    pub(crate) fn register(&self, waker: &Waker) {
        self.bell.register(waker);
    }

    /// Takes back a waker that was left.
    pub(crate) fn unregister(&self) {
        self.bell.unregister();
    }

    /// Drops everything in a lane; returns how many messages.
    ///
    /// # Safety
    ///
    /// The caller owns the lane's reading end.
    unsafe fn discard(&self, lane: &Lane<L, S>) -> u64 {
        let _verdict = Verdict::discarding(self.panicked.load(Ordering::Acquire));
        let mut count = 0;
        // SAFETY: the caller owns the reading end.
        while let Some(message) = unsafe { lane.store.take() } {
            count += 1;
            // A panic in its drop must not keep the others from being dropped.
            caught::run(|| drop(message));
        }
        count
    }
}

/// The receiver's place in the round over the lanes, and what it has learnt about waiting. Holds no lane by itself.
#[derive(Debug)]
pub(crate) struct Rx {
    lane: usize,
    run: usize,
    gate: Gate,
}

impl Rx {
    pub(crate) fn new() -> Self {
        Self {
            lane: 0,
            run: 0,
            gate: Gate::new(),
        }
    }

    /// Takes the next message in fair rotation, looking at each lane at most once.
    ///
    /// # Safety
    ///
    /// The caller is the intake's only receiver, and has not retired.
    pub(crate) unsafe fn take<T, L: Store<T>, S: Scope>(
        &mut self,
        intake: &Intake<T, L, S>,
    ) -> Option<T> {
        let lanes = intake.lanes.len();
        for _ in 0..=lanes {
            if self.run < RUN {
                if let Some(lane) = intake.lanes.get(self.lane) {
                    // SAFETY: the caller is the only receiver.
                    let message = unsafe { lane.store.take() };
                    // SAFETY: as above.
                    unsafe { lane.store.release() };
                    if message.is_some() {
                        self.run += 1;
                        return message;
                    }
                }
            }
            self.turn(lanes);
        }
        None
    }

    /// Begins a round over all lanes that there are now.
    pub(crate) fn round<'a, T, L: Store<T>, S: Scope>(
        &mut self,
        intake: &'a Intake<T, L, S>,
    ) -> Round<'a, T, L, S> {
        let lanes = intake.lanes.len();
        self.turn(lanes);
        let lane = intake.lanes.get(self.lane);
        Round {
            intake,
            lane,
            lanes,
            lanes_left: lanes.saturating_sub(1),
        }
    }

    fn turn(&mut self, lanes: usize) {
        self.run = 0;
        self.lane = if self.lane + 1 < lanes {
            self.lane + 1
        } else {
            0
        };
    }

    /// Waits until a message is there, the intake is closed, `also` is true, or the deadline has come.
    ///
    /// # Safety
    ///
    /// The caller is the intake's only receiver, and has not retired.
    pub(crate) unsafe fn wait<T, L: Store<T>, S: Scope>(
        &mut self,
        intake: &Intake<T, L, S>,
        deadline: Option<Instant>,
        also: impl Fn() -> bool,
    ) -> Woken {
        intake.bell.wait(&mut self.gate, deadline, || {
            // SAFETY: the caller is the only receiver.
            intake.bell.is_closed() || unsafe { intake.is_ready() } || also()
        })
    }

    /// Leaves for good: closes, and drops what is in the lanes or still comes. Returns how many messages were dropped
    /// here.
    ///
    /// # Safety
    ///
    /// The caller is the intake's only receiver, has not retired, and takes nothing afterwards.
    pub(crate) unsafe fn retire<T, L: Store<T>, S: Scope>(
        &mut self,
        intake: &Intake<T, L, S>,
    ) -> u64 {
        intake.retired.store(true, Ordering::Release);
        intake.close();
        intake.bell.heavy_barrier();
        let mut count = 0;
        for index in 0..intake.lanes.seal() {
            let lane = intake.lanes.lane(index);
            loop {
                // SAFETY: the caller is the only receiver; the reading end is ours until `try_leave` is true.
                count += unsafe { intake.discard(lane) };
                if lane.try_leave() {
                    break;
                }
            }
        }
        count
    }
}

/// One round over the lanes.
pub(crate) struct Round<'a, T, L: Store<T>, S: Scope> {
    intake: &'a Intake<T, L, S>,
    /// The lane whose turn it is, if it is there already.
    lane: Option<&'a Lane<L, S>>,
    lanes: usize,
    lanes_left: usize,
}

impl<T, L: Store<T>, S: Scope> Round<'_, T, L, S> {
    /// Takes the next message; `None` ends the round.
    ///
    /// # Safety
    ///
    /// `rx` began this round, and the caller is the intake's only receiver and has not retired.
    #[inline(always)]
    pub(crate) unsafe fn take(&mut self, rx: &mut Rx) -> Option<T> {
        loop {
            if rx.run < RUN {
                if let Some(lane) = self.lane {
                    // SAFETY: the caller is the only receiver.
                    if let Some(message) = unsafe { lane.store.take() } {
                        rx.run += 1;
                        return Some(message);
                    }
                }
            }
            // SAFETY: as above.
            unsafe { self.release() };
            if self.lanes_left == 0 {
                return None;
            }
            self.lanes_left -= 1;
            rx.turn(self.lanes);
            self.lane = self.intake.lanes.get(rx.lane);
        }
    }

    /// Gives the room of what was taken from the current lane back to its sender.
    ///
    /// # Safety
    ///
    /// The caller is the intake's only receiver, and has not retired.
    pub(crate) unsafe fn release(&self) {
        if let Some(lane) = self.lane {
            // SAFETY: the caller is the only receiver.
            unsafe { lane.store.release() };
        }
    }
}
