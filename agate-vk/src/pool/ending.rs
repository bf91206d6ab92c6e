//! The pools' owner and the ends of frames: one that a lease is just beginning or ending for waits until it has (O2 of
//! `ending.rs`). That takes a call of the driver's; the owner does not wait meanwhile, but looks again.

use super::PoolOwner;
use super::shards::Then;
use std::time::{Duration, Instant};

/// When the owner looks again.
const AGAIN_AFTER: Duration = Duration::from_millis(1);

/// How long an owner that ends waits at the most.
const LAST_WAIT: Duration = Duration::from_millis(200);

impl PoolOwner {
    /// Ends a frame for its leases; whether nobody calls the driver for one any more. If not, `then` follows when nobody does.
    pub(super) fn is_left(&mut self, index: u32, serial: u64, then: Then) -> bool {
        let left = self.stocks[index as usize].ending.end(serial);
        self.frames[index as usize].leaves = if left { Then::Nothing } else { then };
        if !left && self.look_at.is_none() {
            self.look_at = Instant::now().checked_add(AGAIN_AFTER);
        }
        left
    }

    /// Goes on with the frames that are left by now.
    pub(super) fn look_again(&mut self) {
        if self.look_at.is_none_or(|at| Instant::now() < at) {
            return;
        }
        self.look_at = None;
        for index in 0..self.frames.len() {
            let serial = self.frames[index].serial;
            match std::mem::take(&mut self.frames[index].leaves) {
                Then::Nothing => {}
                Then::Finish => self.finish_if_complete(index as u32, serial),
                Then::GiveBack => self.give_back(index as u32),
            }
        }
    }

    /// The owner ends, and with it all frames.
    pub(super) fn leave_all(&self) {
        let began = Instant::now();
        let left = || self.stocks.iter().all(|stock| stock.ending.end(u64::MAX));
        while !left() && began.elapsed() < LAST_WAIT {
            std::thread::sleep(AGAIN_AFTER);
        }
    }
}
