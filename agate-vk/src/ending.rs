//! Whether a frame is over for its leases, and who is just calling the driver for one. A lease may outlive its frame, which
//! does not wait for it: it may be forgotten. What its pass inherits is then the host's to destroy.
//!
//! # Invariants
//!
//! - O1: who begins or ends a recording counts itself in `inside`, and then reads `over`; the pools' owner writes `over`,
//!   and then reads `inside`; both by exchanges of `inside`. So either the owner sees who is inside, or that one sees that
//!   the frame is over. `model/ending.rs` runs it through loom.
//! - O2: the owner gives neither a frame's ticket nor its place away before it has seen that nobody is inside. So what is
//!   declared of a pass stays as it is, and what it names lives, while somebody is inside for it.

use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// On a line of its own: `over` is read for each command, and `inside` written for each lease.
#[repr(align(128))]
struct Line<T>(T);

/// See the module. One for each frame in flight.
pub(crate) struct Ending {
    /// The newest frame that is over.
    over: Line<AtomicU64>,
    inside: Line<AtomicU32>,
}

impl Default for Ending {
    fn default() -> Self {
        Self {
            over: Line(AtomicU64::new(0)),
            inside: Line(AtomicU32::new(0)),
        }
    }
}

/// Somebody calls the driver for a frame that is not over yet.
pub(crate) struct Inside<'a>(&'a Ending);

impl Ending {
    /// `None`: the frame is over.
    pub(crate) fn enter(&self, serial: u64) -> Option<Inside<'_>> {
        self.inside.0.fetch_add(1, Ordering::AcqRel);
        let inside = Inside(self);
        // O1.
        (self.over.0.load(Ordering::Acquire) < serial).then_some(inside)
    }

    /// Whether the frame was over a moment ago.
    #[inline(always)]
    pub(crate) fn is_over(&self, serial: u64) -> bool {
        self.over.0.load(Ordering::Acquire) >= serial
    }

    /// The frame is over, for all who come; whether nobody is inside.
    pub(crate) fn end(&self, serial: u64) -> bool {
        // O1.
        self.over.0.fetch_max(serial, Ordering::AcqRel);
        self.inside.0.fetch_or(0, Ordering::AcqRel) == 0
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.inside.0.fetch_sub(1, Ordering::AcqRel);
    }
}
