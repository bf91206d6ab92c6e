//! The write position of a stream recorder: a few pointers that the compiler keeps in registers.
//!
//! # Invariants
//!
//! - K1: `base` is the start of a block that this recorder alone uses and that holds its `Slow`;
//!   `base + HEADER_WORDS <= cur <= end`, and `end` is the end of that block.
//! - K2: the address of a cursor never reaches a call that is not inlined, so its fields live in registers; everything
//!   rare goes through [`grow`](super::stream::grow) and [`fail`](super::stream::fail), which take the pointers by value.
//! - K3: `push_end` is null, or the end of a push-constants command that starts at `push_at` in this block.
//! - K4: `push_place` is [`NO_PUSH`], or this block has a long push-constants command, and the last one has `push_layout`
//!   and `push_place`.

#![allow(
    unsafe_code,
    reason = "writes commands through the raw pointer of a block"
)]

use super::stream::{fail, grow};
use crate::error::RecordError;

/// See the module.
#[derive(Clone, Copy)]
pub(crate) struct Cursor {
    pub(crate) base: *mut u64,
    pub(crate) cur: *mut u64,
    pub(crate) end: *mut u64,
    /// Where the push-constants command just written ends, to be joined with the draw that follows at once.
    pub(crate) push_end: *mut u64,
    /// Where that command starts.
    pub(crate) push_at: *mut u64,
    /// The layout of the last long push-constants command in this block.
    pub(crate) push_layout: u64,
    /// Its stages, offset and size, as they stand in its third word.
    pub(crate) push_place: u64,
}

/// No stages, offset and size of a push: its size is larger than any.
pub(crate) const NO_PUSH: u64 = u64::MAX;

/// What has a cursor: the recorder itself, or a guard that holds the cursor in a local.
pub(crate) trait HasCursor {
    fn cursor(&mut self) -> &mut Cursor;
}

impl Cursor {
    /// Room for a command of `WORDS` words; the cursor moves behind it.
    #[inline(always)]
    pub(crate) fn reserve<const WORDS: usize>(&mut self) -> *mut u64 {
        if (self.end as usize - self.cur as usize) < WORDS * 8 {
            self.renew();
        }
        let at = self.cur;
        // SAFETY: the block has WORDS words left: checked above, or `grow` returned an empty block, and no fixed-size
        // command is larger than an empty block (the smallest block is 4 KiB).
        self.cur = unsafe { at.add(WORDS) };
        at
    }

    /// Room for a command whose size depends on its arguments; `None` when it is larger than a block (the error sticks).
    #[inline(always)]
    pub(crate) fn reserve_words(
        &mut self,
        words: usize,
        command: &'static str,
    ) -> Option<*mut u64> {
        if (self.end as usize - self.cur as usize) / 8 < words {
            let room = (self.end as usize - self.base as usize) / 8 - super::HEADER_WORDS;
            if words > room.min(usize::from(u16::MAX)) {
                self.fail(RecordError::TooLarge {
                    command,
                    bytes: words * 8,
                    max_bytes: room * 8,
                });
                return None;
            }
            self.renew();
        }
        let at = self.cur;
        // SAFETY: `words` words are left in the block: checked above, or `grow` returned an empty block and `words` was
        // compared with the room in an empty block.
        self.cur = unsafe { at.add(words) };
        Some(at)
    }

    /// Goes on in a fresh block, which knows nothing of the pushes before.
    #[inline(always)]
    fn renew(&mut self) {
        (self.base, self.cur, self.end) = grow(self.base, self.cur);
        self.push_end = std::ptr::null_mut();
        self.push_place = NO_PUSH;
    }

    /// Makes sure that `words` words are left in the block: fewer than the smallest block has.
    #[inline(always)]
    pub(crate) fn make_room(&mut self, words: usize) {
        debug_assert!(words <= (4 << 10) / 8 - super::HEADER_WORDS);
        if (self.end as usize - self.cur as usize) / 8 < words {
            self.renew();
        }
    }

    /// Notes the first error of the recording.
    #[inline(always)]
    pub(crate) fn fail(&mut self, error: RecordError) {
        fail(self.base, error);
    }
}
