//! The token: who holds it drives the owner. Nobody waits for it.
//!
//! A user that finds the token taken leaves a mark instead: the holder looks for it before it leaves, and goes on if
//! somebody knocked; or it leaves the mark standing, and whoever sees it next tries again. So whatever was published
//! before a knock is handled, or the mark stands.
//!
//! Every change of the word is a read-modify-write, so each knock is acquired by whoever leaves or takes the token
//! after it.

use crate::scope::Scope;
use crate::sync::atomic::Ordering;
use crate::words::{Number, Word};

/// Somebody drives.
const HELD: u32 = 1;
/// Something may be waiting that nobody drives.
const MARK: u32 = 2;
/// The owner has ended; nobody takes the token any more.
const ENDED: u32 = 4;

/// One word: who may drive.
#[derive(Debug)]
pub(crate) struct Token<S: Scope>(S::U32);

/// What trying for the token gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is the caller's, who must leave it again.
    Yes,
    /// Somebody else has it; the mark is left.
    Busy,
    Ended,
}

impl<S: Scope> Token<S> {
    pub(crate) fn new() -> Self {
        Self(S::U32::new(0))
    }

    /// Takes the token, or leaves the mark for whoever has it. Lock-free: it tries again only when somebody else has
    /// just taken or left it.
    pub(crate) fn take_or_knock(&self) -> Taken {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            if seen & ENDED != 0 {
                return Taken::Ended;
            }
            if seen & HELD == 0 {
                match self
                    .0
                    .compare_exchange(seen, HELD, Ordering::AcqRel, Ordering::Relaxed)
                {
                    Ok(_) => return Taken::Yes,
                    Err(now) => seen = now,
                }
                continue;
            }
            // Also when the mark is there already: the holder that reads it must see what this thread has published.
            seen = self.0.fetch_or(MARK, Ordering::AcqRel);
            if seen & HELD != 0 {
                return Taken::Busy;
            }
            seen |= MARK;
        }
    }

    /// Leaves the mark, whoever drives.
    pub(crate) fn mark(&self) {
        self.0.fetch_or(MARK, Ordering::AcqRel);
    }

    /// Whether the mark stands and nobody drives.
    #[inline(always)]
    pub(crate) fn is_abandoned(&self) -> bool {
        self.0.load(Ordering::Relaxed) == MARK
    }

    /// Whether somebody drives: a hint, true or false by the time that the caller reads it.
    #[inline(always)]
    pub(crate) fn is_held(&self) -> bool {
        self.0.load(Ordering::Relaxed) & HELD != 0
    }

    /// Leaves the token if nobody knocked. `false`: somebody did, and the token is still the caller's, who must look
    /// once more.
    pub(crate) fn try_leave(&self) -> bool {
        if self
            .0
            .compare_exchange(HELD, 0, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
        {
            return true;
        }
        self.0.swap(HELD, Ordering::AcqRel);
        false
    }

    /// Leaves the token with the mark standing.
    pub(crate) fn leave_marked(&self) {
        self.0.swap(MARK, Ordering::AcqRel);
    }

    /// Leaves for good.
    pub(crate) fn leave_ended(&self) {
        self.0.swap(ENDED, Ordering::AcqRel);
    }

    /// The mutant that leaves without a look, for the model that proves that the look is needed.
    #[cfg(all(test, loom))]
    pub(crate) fn leave_blindly(&self) {
        self.0.swap(0, Ordering::AcqRel);
    }
}
