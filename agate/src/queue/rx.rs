//! The receiving end that receivers and owners share: its round over the lanes, and what it has learnt about waiting.
//!
//! # Invariants
//!
//! - I1: an `Rx` is used with one intake alone; its entries point to lanes of that intake, in order from the first
//!   one. Lanes do not move and live as long as their intake, which the caller of each method keeps alive.
//! - I2: `head` of an entry is the lane's head. As long as a round takes from the lane, and after a round that was
//!   forgotten, it may be less; then `known` and `end` are the head too. Messages from the head to `known` are there, in
//!   the segment that ends at `end`, from `slot` on (`lane` L4).
//! - I3: a row with something ready is of the lane at `at`, from that lane's head on, which is the row's `head`.
#![allow(
    unsafe_code,
    reason = "is the one receiver that the intake asks for, and keeps pointers to its lanes, I1"
)]

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;

use std::ptr::NonNull;
use std::time::Instant;

use crate::park::{Bell, Gate, Looks, Woken};
use crate::queue::intake::Intake;
use crate::queue::lane::{Lane, Ready};
use crate::queue::slots::Slot;
use crate::scope::Scope;
use crate::sync::spin_loop;

/// So many messages of one lane in a row, then the next lane has its turn.
const RUN: usize = if cfg!(any(loom, shuttle)) { 2 } else { 256 };

/// So many messages found between two waits are a stream.
const STREAM: usize = 4;
/// Pauses of the processor in a breath: in the shortest one and in the longest one.
const SHORTEST: usize = 8;
const LONGEST: usize = 128;
/// So many messages found after a breath are worth it; after a shorter one there were fewer than could have been.
const ENOUGH: usize = 64;

/// A lane as its receiver knows it.
struct Entry<T, S: Scope> {
    lane: NonNull<Lane<T, S>>,
    /// How many messages were taken: with a tail of so many the lane is empty.
    head: usize,
    /// The first message that is not known to be there.
    known: usize,
    /// The first message that is not in the head's segment; the head itself, where that is not known.
    end: usize,
    /// The head's slot, unless the head is at the end.
    slot: Slot<T>,
}

/// The receiver's place in the round over the lanes. Holds no lane by itself.
pub(crate) struct Rx<T, S: Scope> {
    entries: Vec<Entry<T, S>>,
    at: usize,
    run: usize,
    /// Lanes whose turn in the round has not ended.
    left: usize,
    /// Messages that were found since the last breath, and how long that was.
    found: usize,
    breath: usize,
    /// Whether all lanes were seen to be empty since: only then have senders been too slow, and not this end.
    dry: bool,
    /// Whether a lane's turn in this round ended because it had its run, so that more may be waiting there.
    cut: bool,
    gate: Gate,
}

// SAFETY: the pointers are used only together with the intake (I1), whose users decide where it may go; messages are `Send`.
unsafe impl<T: Send, S: Scope> Send for Rx<T, S> where S::Confined: Send {}
// SAFETY: nothing can be done with `&Rx`.
unsafe impl<T: Send, S: Scope> Sync for Rx<T, S> where S::Confined: Sync {}

impl<T, S: Scope> Rx<T, S> {
    pub(crate) fn new() -> Self {
        Self {
            entries: Vec::new(),
            at: 0,
            run: 0,
            left: 0,
            found: 0,
            breath: SHORTEST,
            dry: false,
            cut: false,
            gate: Gate::new(),
        }
    }

    /// Gets to know the lanes that were made since the last look.
    #[inline(always)]
    fn meet(&mut self, intake: &Intake<T, S>) {
        if self.entries.len() != intake.lanes.len() {
            self.meet_new(intake);
        }
    }

    #[cold]
    #[inline(never)]
    fn meet_new(&mut self, intake: &Intake<T, S>) {
        while self.entries.len() < intake.lanes.len() {
            // A lane whose index was handed out may not be there yet.
            let Some(lane) = intake.lanes.get(self.entries.len()) else {
                break;
            };
            // A receiver before this one may have forgotten a round.
            // SAFETY: the caller is the only receiver.
            unsafe { lane.release() };
            // SAFETY: as above.
            let head = unsafe { lane.head() };
            self.entries.push(Entry {
                lane: NonNull::from(lane),
                head,
                known: head,
                end: head,
                slot: Slot::dangling(),
            });
        }
    }

    /// Takes the next message in fair rotation, looking at each lane at most once.
    ///
    /// # Safety
    ///
    /// The caller is the intake's only receiver, and has not retired.
    #[inline]
    pub(crate) unsafe fn take(&mut self, intake: &Intake<T, S>) -> Option<T> {
        self.meet(intake);
        for _ in 0..=self.entries.len() {
            if self.run < RUN {
                if let Some(entry) = self.entries.get_mut(self.at) {
                    // SAFETY: I1, and the caller is the only receiver.
                    if unsafe { entry.look() } {
                        // SAFETY: as above, and something is ready.
                        let message = unsafe { entry.take() };
                        self.run += 1;
                        self.found += 1;
                        return Some(message);
                    }
                }
            }
            self.turn();
        }
        self.dry = true;
        None
    }

    /// Begins a round over all lanes that there are now.
    pub(crate) fn round<'a>(&'a mut self, intake: &'a Intake<T, S>) -> Round<'a, T, S> {
        self.breathe();
        self.meet(intake);
        self.turn();
        self.left = self.entries.len();
        self.cut = false;
        Round {
            rx: self,
            row: Row {
                lane: NonNull::dangling(),
                slot: Slot::dangling(),
                count: 0,
                head: 0,
            },
        }
    }

    fn turn(&mut self) {
        self.run = 0;
        self.at += 1;
        if self.at >= self.entries.len() {
            self.at = 0;
        }
    }

    /// Whether any lane has a message.
    ///
    /// # Safety
    ///
    /// The caller is the intake's only receiver, and has not retired.
    pub(crate) unsafe fn is_ready(&mut self, intake: &Intake<T, S>) -> bool {
        self.meet(intake);
        // SAFETY: as the caller promises.
        unsafe { self.settle() };
        is_ready(&self.entries, intake)
    }

    /// Makes good what a forgotten round has left: knows how far each lane is, and tells its sender.
    ///
    /// # Safety
    ///
    /// The caller is the intake's only receiver, and has not retired.
    pub(crate) unsafe fn settle(&mut self) {
        for entry in &mut self.entries {
            // SAFETY: I1.
            let lane = unsafe { entry.lane.as_ref() };
            // SAFETY: the caller is the only receiver.
            let head = unsafe { lane.head() };
            if head != entry.head {
                entry.head = head;
                entry.known = head;
                entry.end = head;
                // SAFETY: as above.
                unsafe { lane.release() };
            }
        }
    }

    /// Lets senders that are busy get ahead: where messages came in numbers, looking for the next one at once would take
    /// the lines away that they are about to write, message by message. A pause lets them write many for one transfer.
    /// Who sends and waits for the answer sends few, and finds no pause.
    #[inline]
    pub(crate) fn breathe(&mut self) {
        if !std::mem::take(&mut self.dry) {
            return;
        }
        let found = std::mem::take(&mut self.found);
        if found < STREAM {
            self.breath = SHORTEST;
        } else if !S::Bell::LONELY && !cfg!(any(loom, shuttle, miri)) {
            self.breath = match found {
                0..ENOUGH => LONGEST.min(2 * self.breath),
                _ if found > 4 * ENOUGH => SHORTEST.max(self.breath / 2),
                _ => self.breath,
            };
            (0..self.breath).for_each(|_| spin_loop());
        }
    }

    /// Waits until a message is there, the intake is closed, `also` is true, or the deadline has come.
    ///
    /// # Safety
    ///
    /// The caller is the intake's only receiver, and has not retired.
    pub(crate) unsafe fn wait(
        &mut self,
        intake: &Intake<T, S>,
        deadline: Option<Instant>,
        also: impl Fn() -> bool,
    ) -> Woken {
        self.breathe();
        let Self { entries, gate, .. } = self;
        let looks = Looks {
            quick: || any_published(entries),
            thorough: || intake.bell.is_closed() || is_ready(entries, intake) || also(),
        };
        intake.bell.wait(gate, deadline, looks)
    }

    /// Leaves for good: closes, and drops what is in the lanes or still comes. Returns how many messages were dropped
    /// here.
    ///
    /// # Safety
    ///
    /// The caller is the intake's only receiver, has not retired, and takes nothing afterwards.
    pub(crate) unsafe fn retire(&mut self, intake: &Intake<T, S>) -> u64 {
        // SAFETY: as the caller promises.
        unsafe { intake.retire() }
    }
}

impl<T, S: Scope> Entry<T, S> {
    /// Looks for what is ready, where nothing is known to be. `false`: the lane is empty.
    ///
    /// # Safety
    ///
    /// The lane is alive, and the caller is its only receiver.
    #[inline(always)]
    unsafe fn look(&mut self) -> bool {
        if self.head != self.known {
            return true;
        }
        // SAFETY: as the caller promises.
        let lane = unsafe { self.lane.as_ref() };
        let there = lane.tail().wrapping_sub(self.head);
        if there == 0 {
            return false;
        }
        let row = self.end.wrapping_sub(self.head);
        if row == 0 {
            // SAFETY: as above.
            return unsafe { self.look_again() };
        }
        self.known = self.head.wrapping_add(there.min(row));
        true
    }

    /// Looks where the head is in its segment, or in the next one.
    ///
    /// # Safety
    ///
    /// As for `look`.
    #[cold]
    #[inline(never)]
    unsafe fn look_again(&mut self) -> bool {
        // SAFETY: as the caller promises.
        let lane = unsafe { self.lane.as_ref() };
        // SAFETY: as above.
        let Ready { slot, count, row } = unsafe { lane.ready() };
        // SAFETY: as above.
        let head = unsafe { lane.head() };
        if head != self.head {
            // A round was forgotten, and has not told the sender what room it made.
            // SAFETY: as above.
            unsafe { lane.release() };
        }
        self.head = head;
        self.slot = slot;
        self.known = head.wrapping_add(count);
        self.end = head.wrapping_add(row);
        count != 0
    }

    /// Takes the next message, and gives its room back to the sender.
    ///
    /// # Safety
    ///
    /// The lane is alive, and the caller is its only receiver; something is known to be ready.
    #[inline(always)]
    unsafe fn take(&mut self) -> T {
        let slot = self.slot;
        // SAFETY: as the caller promises.
        let lane = unsafe { self.lane.as_ref() };
        self.head = self.head.wrapping_add(1);
        // The head goes on first: whatever happens later, the message is not delivered twice.
        // SAFETY: as above; by I2 there was a message at the head.
        unsafe { lane.advance(self.head) };
        // SAFETY: by I2 the slot is in a segment that is alive.
        self.slot = unsafe { slot.next() };
        // SAFETY: by I2 the slot holds a message, and the head is past it now.
        let message = unsafe { slot.take() };
        if !S::Bell::LONELY {
            // SAFETY: by L8 of `lane`, since its room is not given back yet; it was taken.
            unsafe { slot.touch(1) };
        }
        // SAFETY: as above.
        unsafe { lane.release() };
        message
    }
}

/// Whether any of these lanes has a message.
#[inline(always)]
fn any_published<T, S: Scope>(entries: &[Entry<T, S>]) -> bool {
    entries.iter().any(|entry| {
        // SAFETY: I1 of `Rx`.
        let lane = unsafe { entry.lane.as_ref() };
        lane.tail() != entry.head
    })
}

/// Whether any lane has a message, or may have one that is not known yet.
#[inline(always)]
fn is_ready<T, S: Scope>(entries: &[Entry<T, S>], intake: &Intake<T, S>) -> bool {
    any_published(entries)
        || (entries.len() != intake.lanes.len() && new_is_ready(entries.len(), intake))
}

#[cold]
#[inline(never)]
fn new_is_ready<T, S: Scope>(known: usize, intake: &Intake<T, S>) -> bool {
    (known..intake.lanes.len()).any(|index| {
        let lane = intake.lanes.get(index);
        lane.is_some_and(|lane| lane.tail() != 0)
    })
}

/// One round over the lanes.
///
/// What the loop over it changes is in `row` alone, whose address goes nowhere, so that it can be in registers.
pub(crate) struct Round<'a, T, S: Scope> {
    rx: &'a mut Rx<T, S>,
    row: Row<T, S>,
}

/// What a round is about to take from the current lane.
struct Row<T, S: Scope> {
    lane: NonNull<Lane<T, S>>,
    slot: Slot<T>,
    count: usize,
    /// The number of the next message.
    head: usize,
}

// SAFETY: the slots are the receiver's (I2, I3), whose borrow moves along; messages are `Send`.
unsafe impl<T: Send, S: Scope> Send for Row<T, S> where S::Confined: Send {}
// SAFETY: nothing can be done with `&Row`.
unsafe impl<T: Send, S: Scope> Sync for Row<T, S> where S::Confined: Sync {}

impl<T, S: Scope> Round<'_, T, S> {
    /// Takes the next message; `None` ends the round.
    ///
    /// # Safety
    ///
    /// The caller is the only receiver of the intake for which this round was begun, and has not retired.
    #[inline(always)]
    pub(crate) unsafe fn take(&mut self) -> Option<T> {
        if self.row.count == 0 {
            // SAFETY: as the caller promises.
            self.row = unsafe { self.rx.look() }?;
        }
        let slot = self.row.slot;
        self.row.count -= 1;
        self.row.head = self.row.head.wrapping_add(1);
        // SAFETY: I1.
        let lane = unsafe { self.row.lane.as_ref() };
        // The head goes on first: whatever happens later, also if this round is forgotten, the message is not delivered
        // twice.
        // SAFETY: as above; by I3 there was a message at the head.
        unsafe { lane.advance(self.row.head) };
        // SAFETY: by I3 the slot is in a segment that is alive.
        self.row.slot = unsafe { slot.next() };
        // SAFETY: by I3 the slot holds a message, and the head is past it now.
        let message = unsafe { slot.take() };
        if !S::Bell::LONELY {
            // SAFETY: by L8 of `lane`, since only `release` and `look` give its room back; it was taken.
            unsafe { slot.touch(1) };
        }
        Some(message)
    }

    /// Takes messages, at most so many, and puts them at the end of `into`; returns how many.
    ///
    /// # Safety
    ///
    /// As for `take`.
    pub(crate) unsafe fn take_into(&mut self, into: &mut Vec<T>, most: usize) -> usize {
        let mut left = most;
        while left != 0 {
            if self.row.count == 0 {
                // SAFETY: as the caller promises.
                match unsafe { self.rx.look() } {
                    Some(row) => self.row = row,
                    None => break,
                }
            }
            let count = self.row.count.min(left);
            // First, since it may panic.
            into.reserve(count);
            let slot = self.row.slot;
            self.row.count -= count;
            self.row.head = self.row.head.wrapping_add(count);
            // SAFETY: I1.
            let lane = unsafe { self.row.lane.as_ref() };
            // SAFETY: as the caller promises; by I3 there were so many messages from the head on.
            unsafe { lane.advance(self.row.head) };
            // SAFETY: by I3 the slots are in a segment that is alive.
            self.row.slot = unsafe { slot.nth(count) };
            let there = into.len();
            // SAFETY: there is room for so many behind those that are there.
            let room = unsafe { into.as_mut_ptr().add(there) };
            // SAFETY: by I3 the slots hold messages, and the head is past them now.
            unsafe { slot.take_all(room, count) };
            if !S::Bell::LONELY {
                // SAFETY: by L8 of `lane`, since only `release` and `look` give room back; they were taken.
                unsafe { slot.touch(count) };
            }
            // SAFETY: so many were put there.
            unsafe { into.set_len(there + count) };
            left -= count;
        }
        most - left
    }

    /// Gives the room of what was taken from the current lane back to its sender.
    ///
    /// # Safety
    ///
    /// As for `take`.
    pub(crate) unsafe fn release(&mut self) {
        // SAFETY: as the caller promises.
        unsafe { self.rx.release() };
    }
}

/// The turns of a round.
impl<T, S: Scope> Rx<T, S> {
    /// Looks for a lane that has something ready, from the current one on. `None` ends the round.
    ///
    /// # Safety
    ///
    /// As for `Round::take`; everything of the row before was taken.
    #[inline(never)]
    unsafe fn look(&mut self) -> Option<Row<T, S>> {
        while self.left != 0 {
            // SAFETY: as the caller promises.
            unsafe { self.release() };
            let entry = self.entries.get_mut(self.at)?;
            // SAFETY: I1, and the caller is the only receiver.
            if self.run < RUN && unsafe { entry.look() } {
                let count = entry.known.wrapping_sub(entry.head).min(RUN - self.run);
                // From now on the row knows better.
                entry.known = entry.head;
                entry.end = entry.head;
                self.run += count;
                return Some(Row {
                    lane: entry.lane,
                    slot: entry.slot,
                    count,
                    head: entry.head,
                });
            }
            self.cut |= self.run >= RUN;
            self.left -= 1;
            if self.left != 0 {
                self.turn();
            }
        }
        self.dry = !self.cut;
        None
    }

    /// Gives the room of what was taken from the current lane back to its sender.
    ///
    /// # Safety
    ///
    /// As for `Round::take`.
    unsafe fn release(&mut self) {
        if let Some(entry) = self.entries.get_mut(self.at) {
            // SAFETY: I1.
            let lane = unsafe { entry.lane.as_ref() };
            // SAFETY: the caller is the only receiver.
            let head = unsafe { lane.head() };
            if head != entry.head {
                // Not more than were taken: who takes little of much must not rest for all of it.
                self.found += head.wrapping_sub(entry.head);
                entry.head = head;
                entry.known = head;
                entry.end = head;
                // SAFETY: as above.
                unsafe { lane.release() };
            }
        }
    }
}
