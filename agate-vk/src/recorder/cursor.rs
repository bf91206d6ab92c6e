//! The write position of a stream recorder: a few pointers that the compiler keeps in registers.
//!
//! # Invariants
//!
//! - K1: `base` is the start of a block that this recorder alone uses and that holds its `Slow`;
//!   `base + HEADER_WORDS <= cur <= end`, and `end` is the end of that block.
//! - K2: the address of a cursor never reaches a call that is not inlined, so its fields live in registers; everything
//!   rare goes through [`grow`](super::stream::grow) and [`fail`](super::stream::fail), which take the pointers by value.
//! - K3: `push_end` is null, or the end of a push-constants command that starts `push_words` before it in this block.

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
}

/// What has a cursor: the recorder itself, or a guard that holds the cursor in a local.
pub(crate) trait HasCursor {
    fn cursor(&mut self) -> &mut Cursor;
}

impl Cursor {
    /// Room for a command of `WORDS` words; the cursor moves behind it.
    #[inline(always)]
    pub(crate) fn reserve<const WORDS: usize>(&mut self) -> *mut u64 {
        if (self.end as usize - self.cur as usize) < WORDS * 8 {
            (self.base, self.cur, self.end) = grow(self.base, self.cur);
            self.push_end = std::ptr::null_mut();
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
            (self.base, self.cur, self.end) = grow(self.base, self.cur);
            self.push_end = std::ptr::null_mut();
        }
        let at = self.cur;
        // SAFETY: `words` words are left in the block: checked above, or `grow` returned an empty block and `words` was
        // compared with the room in an empty block.
        self.cur = unsafe { at.add(words) };
        Some(at)
    }

    /// Notes the first error of the recording.
    #[inline(always)]
    pub(crate) fn fail(&mut self, error: RecordError) {
        fail(self.base, error);
    }
}
