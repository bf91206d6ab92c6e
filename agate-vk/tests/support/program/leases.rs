//! How many pools a service lends, as its jobs see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// For each frame in flight: leases that are out, and the most that were.
pub(crate) struct Leases {
    frames: Vec<(AtomicU32, AtomicU32)>,
    forgotten: AtomicU32,
    /// Whether the device allows that threads take turns with a pool.
    pub(super) allowed: bool,
    /// Whether memory goes back in the middle of a program.
    trims: bool,
}

/// A lease is out, or is being asked for.
pub(crate) struct Out(Arc<Leases>, usize);

impl Leases {
    pub(super) fn new(frames_in_flight: u32, allowed: bool, trims: bool) -> Self {
        Self {
            frames: (0..frames_in_flight).map(|_| Default::default()).collect(),
            forgotten: AtomicU32::new(0),
            allowed,
            trims,
        }
    }

    /// One is asked for, for the frame `serial`.
    pub(super) fn ask(self: &Arc<Self>, serial: u64) -> Out {
        let index = ((serial - 1) % self.frames.len() as u64) as usize;
        let (out, most) = &self.frames[index];
        let now = out.fetch_add(1, Ordering::SeqCst) + 1;
        most.fetch_max(now, Ordering::SeqCst);
        Out(Arc::clone(self), index)
    }

    pub(super) fn frames_in_flight(&self) -> u32 {
        self.frames.len() as u32
    }

    /// How many are out.
    pub(super) fn out(&self) -> u32 {
        let out = self.frames.iter().map(|(out, _)| out);
        out.map(|out| out.load(Ordering::SeqCst)).sum()
    }

    /// The most that were, for each frame in flight, in all: so many pools there may be, and where memory goes back at that
    /// moment as many on their way.
    pub(super) fn most(&self) -> u32 {
        let most = self.frames.iter().map(|(_, most)| most);
        let most: u32 = most.map(|most| most.load(Ordering::SeqCst)).sum();
        most * if self.trims { 2 } else { 1 }
    }

    pub(super) fn forgotten(&self) -> u32 {
        self.forgotten.load(Ordering::SeqCst)
    }
}

impl Out {
    /// Its recorder is forgotten, and so is this.
    pub(super) fn forget(self) {
        self.0.forgotten.fetch_add(1, Ordering::SeqCst);
        std::mem::forget(self);
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        self.0.frames[self.1].0.fetch_sub(1, Ordering::SeqCst);
    }
}
