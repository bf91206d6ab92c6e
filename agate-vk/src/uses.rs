//! Who uses the timeline of a service beside it: the submissions of others that wait for it. The last one destroys it.

use crate::sync::atomic::{AtomicU32, Ordering};

/// See the module.
#[derive(Default)]
pub(crate) struct Uses(AtomicU32);

/// The service has ended.
const CLOSED: u32 = 1 << 31;

impl Uses {
    /// False where the service has ended.
    pub(crate) fn add(&self) -> bool {
        let add = |uses| (uses & CLOSED == 0).then_some(uses + 1);
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, add)
            .is_ok()
    }

    /// A use is over; true where it was the last one, and the service has ended: the caller destroys the timeline.
    #[must_use]
    pub(crate) fn remove(&self) -> bool {
        self.remove_in(Ordering::AcqRel)
    }

    /// In an order, which the model weakens.
    pub(crate) fn remove_in(&self, order: Ordering) -> bool {
        self.0.fetch_sub(1, order) == CLOSED + 1
    }

    /// The service has ended, and its own submissions are over; true where nobody else uses the timeline: the caller
    /// destroys it.
    #[must_use]
    pub(crate) fn close(&self) -> bool {
        self.0.fetch_or(CLOSED, Ordering::AcqRel) == 0
    }

    /// The service has ended, and what it leaves behind may still signal its timeline.
    pub(crate) fn leak(&self) {
        self.0.fetch_or(CLOSED, Ordering::AcqRel);
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}
