//! The write position of a stream recorder: a few pointers that the compiler keeps in registers.
//!
//! # Invariants
//!
//! - K1: `base` is the start of a block that this recorder alone uses and that holds its `Slow`;
//!   `base + HEADER_WORDS <= cur <= end + SPARE_WORDS`, and that many words before its end is the block's `end`.
//! - K2: the address of a cursor never reaches a call that is not inlined, so its fields live in registers; everything
//!   rare goes through [`grow`](super::stream::grow) and [`fail`](super::stream::fail), which take the pointers by value.
//! - K3: `push_end` is null, or the end of a push-constants command that starts at `push_at` in this block.
//! - K4: the last words of the block's header are a [`Said`], and tell what the commands of this block said last: a short
//!   form refers to it. It stands there and not in the cursor, which would need more registers than there are.

#![allow(
    unsafe_code,
    reason = "writes commands through the raw pointer of a block"
)]

use super::jumbo::{Large, MAX_WORDS};
use super::stream::{device, fail, grow, jumbos, room_for};
use crate::commands::{header, op};
use crate::error::RecordError;
use crate::raw::Device;

/// Words that a block has behind a cursor's `end`: what a short form that turns out to be a long one may write more than
/// was asked for, so that it need not ask for the seldom case.
pub(crate) const SPARE_WORDS: usize = 4;

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

/// What the commands of a block said last, so that the next one needs not say it again.
///
/// Kept in the same way on both sides: the encoder compares with it, replay reads from it. A fresh block begins with
/// nothing said.
#[derive(Clone, Copy)]
pub(crate) struct Said {
    /// The layout of the pushes that follow.
    pub(crate) push_layout: u64,
    /// Their stages, offset and size, as they stand in the third word of `SAY_PUSH`.
    pub(crate) push_place: u64,
    /// The pipeline bound last.
    pub(crate) pipeline: u64,
    /// The buffer of the last `BIND_WHOLE_VERTEX_BUFFER`.
    pub(crate) vertices: u64,
}

impl Said {
    /// Where it stands in the block that starts at `base`.
    #[inline(always)]
    pub(super) fn place(base: *mut u64) -> *mut Self {
        base.wrapping_add(super::HEADER_WORDS - size_of::<Self>() / 8)
            .cast()
    }

    /// Of a fresh block. No push has this size, and no valid command these handles.
    pub(crate) const NOTHING: Self = Self {
        push_layout: 0,
        push_place: u64::MAX,
        pipeline: 0,
        vertices: 0,
    };
}

/// What has a cursor: the recorder itself, or a guard that holds the cursor in a local.
pub(crate) trait HasCursor {
    fn cursor(&mut self) -> &mut Cursor;

    /// The cursor, to encode the command of that index.
    #[inline(always)]
    fn cursor_for(&mut self, _index: u16) -> &mut Cursor {
        let cursor = self.cursor();
        #[cfg(feature = "checks")]
        super::stream::check(cursor.base, _index);
        cursor
    }
}

impl Cursor {
    /// Room for a command of `WORDS` words; the cursor moves behind it.
    #[inline(always)]
    pub(crate) fn reserve<const WORDS: usize>(&mut self) -> *mut u64 {
        self.make_room(WORDS);
        let at = self.cur;
        // SAFETY: the block has WORDS words left, and no fixed-size command is larger than an empty block (the smallest
        // block is 4 KiB).
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
        if self.left() < words {
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

    /// As [`reserve_words`](Self::reserve_words); where they are larger than a block, in memory of their own, for
    /// [`keep`](Self::keep).
    pub(crate) fn reserve_any(
        &mut self,
        words: usize,
        command: &'static str,
    ) -> Result<(*mut u64, Option<Large>), RecordError> {
        let room = (self.end as usize - self.base as usize) / 8 - super::HEADER_WORDS;
        if words <= room.min(usize::from(u16::MAX)) {
            if self.left() < words {
                self.renew();
            }
            let at = self.cur;
            // SAFETY: `words` words are left in the block: `grow` returned an empty one, which has `room`.
            self.cur = unsafe { at.add(words) };
            return Ok((at, None));
        }
        let too_large = RecordError::TooLarge {
            command,
            bytes: words.saturating_mul(8),
            max_bytes: MAX_WORDS * 8,
        };
        if words > MAX_WORDS {
            return Err(too_large);
        }
        let room = room_for(self.base, words * 8)?;
        let large = Large::new(words, room).ok_or(too_large)?;
        Ok((large.words(), Some(large)))
    }

    /// Has the block lead to a command that was written in memory of its own, which lives as long as the frame from now on.
    pub(crate) fn keep(&mut self, large: Large) {
        let words = large.words();
        jumbos(self.base).keep(large);
        let at = self.reserve::<2>();
        // SAFETY: two words are reserved.
        unsafe { at.write(header(op::JUMBO, 2, 0)) };
        // SAFETY: as above.
        let place = unsafe { at.add(1) };
        // SAFETY: as above.
        unsafe { place.cast::<*mut u64>().write(words) };
    }

    /// Has the next command say all that it needs.
    #[inline(always)]
    pub(crate) fn forget_said(&mut self) {
        *self.said() = Said::NOTHING;
        self.push_end = std::ptr::null_mut();
    }

    /// The device that the recording is for.
    pub(crate) fn device(&self) -> &Device {
        device(self.base)
    }

    /// Goes on in a fresh block.
    #[inline(always)]
    fn renew(&mut self) {
        (self.base, self.cur, self.end) = grow(self.base, self.cur);
        self.push_end = std::ptr::null_mut();
    }

    /// How many words are left before `end`.
    fn left(&self) -> usize {
        (self.end as usize).saturating_sub(self.cur as usize) / 8
    }

    /// Makes sure that `words` words are left before `end`: fewer than the smallest block has.
    #[inline(always)]
    pub(crate) fn make_room(&mut self, words: usize) {
        debug_assert!(words <= (4 << 10) / 8 - super::HEADER_WORDS - SPARE_WORDS);
        if self.cur.wrapping_add(words) > self.end {
            self.renew();
        }
    }

    /// What the commands of this block said last.
    #[inline(always)]
    pub(crate) fn said(&mut self) -> &mut Said {
        // SAFETY: K1 and K4: the block is this recorder's alone, and a `Said` was written there when it was taken; the
        // reference ends before the next use of the cursor.
        unsafe { &mut *Said::place(self.base) }
    }

    /// Notes the first error of the recording.
    #[inline(always)]
    pub(crate) fn fail(&mut self, error: RecordError) {
        fail(self.base, error);
    }
}
