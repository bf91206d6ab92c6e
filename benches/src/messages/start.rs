//! A starting line: threads wait for each other without sleeping, and the last one stamps the time.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::clock::ticks;

/// Threads that meet here leave at about the same time; they may meet again and again.
#[derive(Debug)]
pub struct StartLine {
    threads: usize,
    arrived: AtomicUsize,
    began: AtomicU64,
}

impl StartLine {
    /// For so many threads.
    pub fn new(threads: usize) -> Self {
        Self {
            threads,
            arrived: AtomicUsize::new(0),
            began: AtomicU64::new(0),
        }
    }

    /// Waits until as many threads have come.
    pub fn wait(&self) {
        let before = self.arrived.fetch_add(1, Ordering::AcqRel);
        let last = (before / self.threads + 1) * self.threads;
        if before + 1 == last {
            self.began.store(ticks(), Ordering::Release);
            return;
        }
        let mut polls = 0_u32;
        while self.arrived.load(Ordering::Acquire) < last {
            polls += 1;
            if polls < 2_000 {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }

    /// When the last thread came, as [`ticks`] tells; to be asked when all is over.
    pub fn began(&self) -> u64 {
        self.began.load(Ordering::Acquire)
    }
}
