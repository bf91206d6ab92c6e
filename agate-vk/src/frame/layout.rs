//! Where the passes of a frame in flight begin and what they consist of, as the main thread tells the owners.

use super::MAX_PASSES;
use super::SlotPlace;
use super::contents::{AllContents, Inheritance};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where the passes of a frame in flight begin, for the pool's owner. Written by the main thread before it sends `Submit`.
pub(crate) struct Layout {
    /// Per pass: the part of its first slot.
    starts: [AtomicU32; MAX_PASSES as usize],
    passes: AtomicU32,
    contents: AllContents,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            starts: [const { AtomicU32::new(0) }; MAX_PASSES as usize],
            passes: AtomicU32::new(0),
            contents: AllContents::default(),
        }
    }
}

impl Layout {
    pub(super) fn set(&self, starts: &[u32]) {
        for (word, start) in self.starts.iter().zip(starts) {
            word.store(*start, Ordering::Relaxed);
        }
        self.passes.store(starts.len() as u32, Ordering::Relaxed);
    }

    /// Says what a pass consists of, before anybody can have a slot of it; `None`: commands in the primary.
    pub(super) fn set_contents(&self, pass: u32, contents: Option<Inheritance>) {
        self.contents.set(pass, contents);
    }

    /// What the secondary command buffer of a slot inherits; `None` for a slot of an inline pass.
    pub(crate) fn contents(&self, place: SlotPlace) -> Option<Inheritance> {
        if place.is_owners() {
            return None;
        }
        self.contents.get(place.pass)
    }

    /// The pass and the slot of a part that is a slot.
    pub(crate) fn place(&self, part: u32) -> (u32, u32) {
        let passes = self.passes.load(Ordering::Relaxed) as usize;
        let mut found = (0, part);
        for (pass, start) in (0..).zip(self.starts.iter().take(passes)) {
            let start = start.load(Ordering::Relaxed);
            if start <= part {
                found = (pass, part - start);
            }
        }
        found
    }
}
