//! A word that two threads pass, each between a change of its own and a look at what the other changes: whoever passes
//! second sees what the first has changed.
//!
//! Only an exchange is a pass. Where one of the two only loads, each may look before the other's change has arrived.
//! `model/turnstile.rs` runs it through loom, with its mutants; `model/notes.rs`, `model/stock.rs` and `model/keeper.rs` those who
//! pass it.

use crate::sync::atomic::{AtomicU64, Ordering};

/// See the module.
pub(crate) struct Turnstile {
    word: AtomicU64,
    #[cfg(all(test, loom))]
    pub(crate) fault: Option<Fault>,
}

/// What the mutants do instead.
#[cfg(all(test, loom))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A pass is a load.
    Loads,
    /// A pass says nothing of what was done before it.
    PassTellsNothing,
    /// Nor does the exchange that changes the word hear of it.
    SetHearsNothing,
    /// The exchange that changes the word says nothing of what was done before it.
    SetTellsNothing,
}

impl Turnstile {
    pub(crate) fn new(value: u64) -> Self {
        Self {
            word: AtomicU64::new(value),
            #[cfg(all(test, loom))]
            fault: None,
        }
    }

    /// Passes and leaves the word as it is, which it returns.
    pub(crate) fn pass(&self) -> u64 {
        #[cfg(all(test, loom))]
        match self.fault {
            Some(Fault::Loads) => return self.word.load(Ordering::Acquire),
            Some(Fault::PassTellsNothing) => return self.word.fetch_or(0, Ordering::Acquire),
            _ => {}
        }
        self.word.fetch_or(0, Ordering::AcqRel)
    }

    /// Passes and changes the word.
    pub(crate) fn set(&self, value: u64) {
        #[cfg(all(test, loom))]
        let swap = |order| {
            self.word.swap(value, order);
        };
        #[cfg(all(test, loom))]
        match self.fault {
            Some(Fault::SetHearsNothing) => return swap(Ordering::Release),
            Some(Fault::SetTellsNothing) => return swap(Ordering::Acquire),
            _ => {}
        }
        self.word.swap(value, Ordering::AcqRel);
    }
}
