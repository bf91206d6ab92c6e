//! What a thread does while a queue that cannot wait has no room, or nothing to give.

/// Pauses that grow, then yields to other threads.
#[derive(Debug, Default)]
pub struct Backoff {
    step: u32,
}

impl Backoff {
    const GROWING: u32 = 7;

    /// One step: a pause twice as long as the one before, or from the eighth on a yield.
    #[inline]
    pub fn wait(&mut self) {
        if self.step < Self::GROWING {
            for _ in 0..1_u32 << self.step {
                std::hint::spin_loop();
            }
            self.step += 1;
        } else {
            std::thread::yield_now();
        }
    }
}
