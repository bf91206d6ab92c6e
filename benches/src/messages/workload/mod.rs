//! What is done with queues: each workload runs one candidate once, checks what arrived, and tells how long it took.

pub mod ask;
pub mod attach;
pub mod flag;
pub mod paced;
pub mod round_trip;
pub mod send_cost;
pub mod stream;
pub mod waiting;

use crate::affinity;

/// Where the threads of a workload run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pins {
    /// The receiver on one processor, the sender on the other.
    Apart,
    /// Wherever the kernel puts them: there are more threads than processors.
    Free,
    /// All on one processor.
    Together,
}

impl Pins {
    /// Puts the calling thread where the receiver (or the one that answers) runs.
    pub fn receiver(self) {
        if self != Self::Free {
            affinity::pin(0);
        }
    }

    /// Puts the calling thread where the sender (or the one that asks) runs.
    pub fn sender(self) {
        match self {
            Self::Apart => affinity::pin(1),
            Self::Together => affinity::pin(0),
            Self::Free => false,
        };
    }
}

/// Whether what arrived is what was sent.
///
/// # Errors
///
/// What is wrong, in one line.
pub fn check(what: &str, sent: u64, arrived: u64) -> Result<(), String> {
    if sent == arrived {
        Ok(())
    } else {
        Err(format!("{what}: {sent} were sent and {arrived} arrived"))
    }
}

/// What a scoped thread gave.
///
/// # Errors
///
/// A line when it panicked.
pub fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> Result<T, String> {
    thread.join().map_err(|_| "a thread panicked".to_owned())
}
