//! Letters, and the ledger that says what became of each: every one is dropped exactly once.

use std::sync::{Arc, Mutex, PoisonError};

/// How often each letter was dropped, by its number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(Arc<Mutex<Vec<u32>>>);

/// A message whose drops are counted.
#[derive(Debug)]
pub(crate) struct Letter {
    number: usize,
    ledger: Ledger,
    /// Whether dropping it panics, after it was counted.
    bomb: bool,
}

impl Ledger {
    /// Writes a letter; letters are numbered from 0.
    pub(crate) fn letter(&self) -> Letter {
        self.write(false)
    }

    /// A letter whose drop panics.
    pub(crate) fn bomb(&self) -> Letter {
        self.write(true)
    }

    fn write(&self, bomb: bool) -> Letter {
        let mut drops = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        drops.push(0);
        let number = drops.len() - 1;
        let ledger = self.clone();
        Letter {
            number,
            ledger,
            bomb,
        }
    }

    /// How often each letter was dropped.
    pub(crate) fn drops(&self) -> Vec<u32> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many letters are still somewhere.
    pub(crate) fn alive(&self) -> usize {
        self.drops().iter().filter(|&&drops| drops == 0).count()
    }

    /// All letters are gone, each once.
    #[track_caller]
    pub(crate) fn is_settled(&self) {
        let drops = self.drops();
        assert!(!drops.is_empty(), "a law about letters wrote none");
        for (number, &drops) in drops.iter().enumerate() {
            assert_eq!(drops, 1, "letter {number} was dropped {drops} times");
        }
    }
}

impl Letter {
    /// Which letter this is.
    pub(crate) fn number(&self) -> usize {
        self.number
    }
}

impl Drop for Letter {
    fn drop(&mut self) {
        let mut drops = self.ledger.0.lock().unwrap_or_else(PoisonError::into_inner);
        drops[self.number] += 1;
        drop(drops);
        assert!(!self.bomb, "letter {} goes off", self.number);
    }
}
