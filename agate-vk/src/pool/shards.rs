//! The pools' owner and the shards: it tells them when a frame is over, and waits for their answers.
//!
//! Nothing here blocks. While an answer is outstanding the owner wakes now and then and helps, for the case that whoever
//! drove the shard has left the rest to the next who comes.

use super::PoolOwner;
use crate::after::Promise;
use crate::error::FrameError;
use crate::frame::SlotPlace;
use crate::shard::ShardMessage;
use crate::ticket::{FrameResult, TicketEnd};
use agate::Port;
use std::time::{Duration, Instant};

/// How long the owner leaves a shard to others before it helps.
const HELP_AFTER: Duration = Duration::from_millis(2);

/// The way to the shards.
#[derive(Default)]
pub(super) struct ShardPorts {
    ports: Vec<Port<ShardMessage>>,
    /// Those that have ended, bit by bit.
    gone: u32,
    /// When to help them, if nothing comes before.
    help_at: Option<Instant>,
}

impl ShardPorts {
    pub(super) fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    pub(super) fn help_at(&self) -> Option<Instant> {
        self.help_at
    }

    /// The bits of those that are there.
    fn alive(&self) -> u32 {
        let all = (1u64 << self.ports.len()) - 1;
        all as u32 & !self.gone
    }
}

/// What a frame waits for the shards with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Then {
    #[default]
    Nothing,
    /// Its end: a slot of it was lost, or it failed, so a shard may still be at work for it.
    Finish,
    /// Giving its place to the next frame.
    GiveBack,
}

/// A frame that is over, or about to be, seen from the shards.
#[derive(Default)]
pub(super) struct Settling {
    /// The shards that have not answered, bit by bit.
    awaits: u32,
    serial: u64,
    then: Then,
    /// A slot was lost, so that more of it may still come.
    pub(super) lossy: bool,
    /// The shards do nothing for the frame any more.
    settled: bool,
    /// What ends with the frame, when the shards have answered.
    pub(super) promise: Option<Promise>,
    pub(super) ticket: Option<(TicketEnd, FrameResult)>,
}

impl PoolOwner {
    /// The shards were made.
    pub(super) fn shards(&mut self, ports: Vec<Port<ShardMessage>>) {
        self.shards.ports = ports;
    }

    /// Whether a frame whose parts are complete can be ended now; else it is when the shards have answered.
    pub(super) fn is_settled(&mut self, index: u32, serial: u64, failed: bool) -> bool {
        let Some(frame) = self.frame(index, serial) else {
            return true;
        };
        let (lossy, settled) = (frame.settling.lossy, frame.settling.settled);
        let asked = frame.settling.then == Then::Finish;
        let clean = frame.error.is_none() && !lossy && !failed;
        if self.shards.is_empty() || clean || settled {
            return true;
        }
        // Answers come by message, never from within.
        !asked && !self.tell_shards(index, serial, Then::Finish)
    }

    /// The frame is over for this owner: when it is for the shards too, its place goes to the next.
    pub(super) fn close(&mut self, index: u32, serial: u64) {
        if self.shards.is_empty() || !self.tell_shards(index, serial, Then::GiveBack) {
            self.give_back(index);
        }
    }

    /// Whether there is a shard that will answer.
    fn tell_shards(&mut self, index: u32, serial: u64, then: Then) -> bool {
        let awaits = self.shards.alive();
        self.frames[index as usize]
            .settling
            .begin(awaits, serial, then);
        for (shard, port) in self.shards.ports.iter().enumerate() {
            let message = ShardMessage::Over {
                frame: index,
                serial,
                reset: then == Then::GiveBack,
            };
            if awaits & 1 << shard != 0 && port.send_and_help(message).is_err() {
                self.frames[index as usize].settling.awaits &= !(1 << shard);
            }
        }
        let settling = &mut self.frames[index as usize].settling;
        if settling.awaits == 0 {
            settling.end();
        }
        settling.awaits != 0
    }

    /// A shard has answered.
    pub(super) fn shard_done(&mut self, shard: u32, index: u32, serial: u64) {
        let Some(frame) = self.frames.get_mut(index as usize) else {
            return;
        };
        let settling = &mut frame.settling;
        if settling.serial != serial || settling.awaits & 1 << shard == 0 {
            return;
        }
        settling.awaits &= !(1 << shard);
        if settling.awaits > 0 {
            return;
        }
        match settling.end() {
            Then::Nothing => {}
            Then::Finish => self.finish_if_complete(index, serial),
            Then::GiveBack => self.give_back(index),
        }
    }

    /// A shard has ended; before a shutdown that means a panic.
    pub(super) fn shard_gone(&mut self, shard: u32) {
        self.shards.gone |= 1 << shard;
        self.gone = true;
        for index in 0..self.frames.len() {
            let serial = self.frames[index].settling.serial;
            self.shard_done(shard, index as u32, serial);
        }
    }

    /// A slot could not be recorded: its frame fails.
    pub(super) fn failed(&mut self, place: SlotPlace, error: FrameError) {
        let Some(frame) = self.frame_of_job(place) else {
            return;
        };
        if frame.is_past(place) {
            return;
        }
        frame.error.get_or_insert(error);
        frame.part(place.part).complete = true;
        self.go_on(place);
    }

    /// Whether a shard may have something that the owner waits for, or, where users drive the owner, one of them may have gone
    /// without helping: a job that panics does.
    fn waits_for_others(&self) -> bool {
        let waits = |frame: &super::InFlight| {
            frame.settling.awaits != 0 || (frame.begun && frame.submission.is_some())
        };
        (self.alarm.is_some() || !self.shards.is_empty()) && self.frames.iter().any(waits)
    }

    /// Sees to it that the shards are helped in a while, and this owner driven, where that is needed.
    pub(super) fn plan_help(&mut self) {
        if !self.waits_for_others() {
            self.shards.help_at = None;
        } else if self.shards.help_at.is_none() {
            self.shards.help_at = Instant::now().checked_add(HELP_AFTER);
        }
    }

    pub(super) fn help_shards(&mut self) {
        let due = self.shards.help_at.is_some_and(|at| Instant::now() >= at);
        if due {
            self.shards.help_at = None;
            for port in &self.shards.ports {
                port.help();
            }
        }
    }

    pub(super) fn trim_shards(&self) {
        for port in &self.shards.ports {
            // One that has ended has destroyed its pools.
            let _ = port.send_and_help(ShardMessage::Trim);
        }
    }
}

impl Settling {
    fn begin(&mut self, awaits: u32, serial: u64, then: Then) {
        (self.awaits, self.serial, self.then) = (awaits, serial, then);
    }

    /// Whether answers are outstanding.
    pub(super) fn is_open(&self) -> bool {
        self.awaits != 0
    }

    /// The last answer has come.
    fn end(&mut self) -> Then {
        self.settled = true;
        std::mem::take(&mut self.then)
    }

    /// The next frame begins; what ends with this one was taken.
    pub(super) fn clear(&mut self) {
        self.lossy = false;
        self.settled = false;
    }
}
