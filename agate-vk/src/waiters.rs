//! The queues' owners that hold a submission back until something has been submitted elsewhere.

use crate::submit::{QueueLink, QueueMessage};
use std::sync::Mutex;

/// Whom to tell. Only owners of queues lock it, and only for a moment.
#[derive(Default)]
pub(crate) struct Waiters(Mutex<Vec<QueueLink>>);

impl Waiters {
    /// The owner looks again after the next [`tell`](Self::tell). It must look once more itself after this, as what it waits
    /// for may have come meanwhile.
    pub(crate) fn add(&self, owner: &QueueLink) {
        let mut waiting = crate::frame::lock(&self.0);
        if !waiting.iter().any(|other| other.is_same(owner)) {
            waiting.push(owner.another());
        }
    }

    /// Something has changed.
    pub(crate) fn tell(&self) {
        let waiting = std::mem::take(&mut *crate::frame::lock(&self.0));
        for mut owner in waiting {
            // One that has ended waits for nothing.
            owner.send(QueueMessage::LookAgain);
        }
    }
}
