//! When the pools' owner gives memory back: once after a burst, when nothing has been recorded for a while.

use agate::BlockPool;
use std::time::{Duration, Instant};

/// Whether the owner rests, and since when.
pub(crate) struct Idle {
    blocks: BlockPool,
    after: Duration,
    trim_at: Option<Instant>,
}

impl Idle {
    pub(crate) fn new(blocks: BlockPool, after: Duration) -> Self {
        Self {
            blocks,
            after,
            trim_at: None,
        }
    }

    /// A frame begins.
    pub(crate) fn busy(&mut self) {
        self.trim_at = None;
    }

    /// The last frame is over.
    pub(crate) fn rest(&mut self) {
        self.trim_at = Instant::now().checked_add(self.after);
    }

    /// When memory is given back, if nothing comes between.
    pub(crate) fn trim_at(&self) -> Option<Instant> {
        self.trim_at
    }

    /// Gives the memory of blocks back if it is time; whether it was.
    pub(crate) fn trim(&mut self) -> bool {
        let due = self.trim_at.is_some_and(|at| Instant::now() >= at);
        if due {
            self.trim_at = None;
            self.blocks.trim(0);
        }
        due
    }
}
