//! How much one driver does at most before it leaves.

use std::time::{Duration, Instant};

/// Asked before each message.
pub(crate) trait Limit {
    /// Whether one more message may be handled.
    fn allows(&mut self) -> bool;

    /// One more was.
    fn spend(&mut self);
}

/// No limit: a thread that has nothing else to do.
#[derive(Debug)]
pub(crate) struct Unlimited;

impl Limit for Unlimited {
    #[inline(always)]
    fn allows(&mut self) -> bool {
        true
    }

    #[inline(always)]
    fn spend(&mut self) {}
}

/// So many messages, and not after the deadline.
#[derive(Debug)]
pub(crate) struct Budget {
    left: usize,
    clock: Option<Clock>,
}

impl Budget {
    pub(crate) fn messages(left: usize) -> Self {
        Self { left, clock: None }
    }

    pub(crate) fn none() -> Self {
        Self::messages(usize::MAX)
    }

    /// Ends also when so much time has passed from now on.
    pub(crate) fn within(left: usize, time: Duration) -> Self {
        let now = Instant::now();
        Self {
            left,
            clock: now.checked_add(time).map(|deadline| Clock {
                deadline,
                looked: now,
                skip: 0,
                stride: 0,
            }),
        }
    }
}

impl Limit for Budget {
    #[inline]
    fn allows(&mut self) -> bool {
        self.left > 0 && !self.clock.as_mut().is_some_and(Clock::is_late)
    }

    #[inline]
    fn spend(&mut self) {
        self.left = self.left.saturating_sub(1);
    }
}

/// A deadline at which one looks rarely as long as messages are short beside the time that is left.
#[derive(Debug)]
struct Clock {
    deadline: Instant,
    looked: Instant,
    /// So many messages until the next look.
    skip: u32,
    stride: u32,
}

/// So many messages at most pass without a look.
const STRIDE_MAX: u32 = 15;

impl Clock {
    fn is_late(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        let now = Instant::now();
        if now >= self.deadline {
            return true;
        }
        self.stride = if (now - self.looked) * 16 < self.deadline - now {
            (2 * self.stride + 1).min(STRIDE_MAX)
        } else {
            0
        };
        self.skip = self.stride;
        self.looked = now;
        false
    }
}
