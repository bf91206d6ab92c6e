//! Closures among the commands: what nothing encodes, done by the owner in its turn.
//!
//! A closure stands in its block as `[header, function, captured values …]`, or as a pointer to the heap where it is larger
//! than a block. Other commands are plain words that may be forgotten; a closure must be called or dropped, once. So a block
//! that has any says so in its header, and is walked when it is discarded; other blocks cost nothing.
//!
//! # Invariants
//!
//! - F1: behind the header of a closure stands `run::<F>`, and behind that, at the place that [`place`] tells, a value of
//!   that `F`.
//! - F2: the value is there as long as the op in the header is [`op::CLOSURE`]. Whoever moves it out, or drops it, first
//!   writes [`op::CLOSURE_DONE`].
//! - F3: `F` is `Send`, so it may be called or dropped on any thread; the block has one user at a time (H1 of `header`).

#![allow(unsafe_code, reason = "keeps values of any type in blocks of words")]

use super::{header, op, replay, words_of};
use crate::caught::quietly;
use crate::raw::Device;
use crate::recorder::cursor::Cursor;
use crate::recorder::{HEADER_WORDS, note_closure};
use ash::vk;

/// Where a closure records.
type Target<'a> = (&'a ash::Device, vk::CommandBuffer);

/// Calls the closure whose captured values stand behind the pointer, or drops it where there is no target.
type Run = unsafe fn(*mut u64, Option<Target<'_>>);

/// A closure that is larger than a block.
type Boxed = Box<dyn FnOnce(&ash::Device, vk::CommandBuffer) + Send>;

/// A closure has panicked.
pub(crate) struct Panicked;

/// Words of a closure's command: header, function, and the value with room to align it.
const fn words<F>() -> usize {
    2 + words_of(size_of::<F>() + align_of::<F>().saturating_sub(align_of::<u64>()))
}

/// Where the value stands in the room that begins at `room`. The same at each call: blocks do not move.
fn place<F>(room: *mut u64) -> *mut F {
    let room = room.cast::<u8>();
    let gap = room.addr().wrapping_neg() % align_of::<F>();
    room.wrapping_add(gap).cast()
}

/// # Safety
///
/// A value of `F` stands in the room, and is not used again.
unsafe fn run<F: FnOnce(&ash::Device, vk::CommandBuffer)>(
    room: *mut u64,
    target: Option<Target<'_>>,
) {
    let place = place::<F>(room);
    // SAFETY: the caller's contract.
    let closure = unsafe { place.read() };
    match target {
        Some((device, buffer)) => closure(device, buffer),
        None => drop(closure),
    }
}

/// Writes a closure.
#[inline(always)]
pub(super) fn put<F>(cursor: &mut Cursor, closure: F)
where
    F: FnOnce(&ash::Device, vk::CommandBuffer) + Send + 'static,
{
    let room = (cursor.end as usize - cursor.base as usize) / 8 - HEADER_WORDS;
    if words::<F>() <= room.min(usize::from(u16::MAX)) {
        put_inline(cursor, closure);
    } else {
        put_inline::<Boxed>(cursor, Box::new(closure));
    }
}

#[inline(always)]
fn put_inline<F>(cursor: &mut Cursor, closure: F)
where
    F: FnOnce(&ash::Device, vk::CommandBuffer) + Send + 'static,
{
    let Some(at) = cursor.reserve_words(words::<F>(), "a closure") else {
        // Larger than a block, which `put` has ruled out.
        return;
    };
    // SAFETY: `reserve_words` gave so many words.
    unsafe { at.write(header(op::CLOSURE, words::<F>(), 0)) };
    // SAFETY: likewise.
    let function = unsafe { at.add(1) };
    // SAFETY: likewise.
    unsafe { function.cast::<Run>().write(run::<F>) };
    // SAFETY: likewise; `place` aligns it, in room for it.
    unsafe { place::<F>(function.wrapping_add(1)).write(closure) };
    note_closure(cursor.base);
    // The closure may bind what it likes, and it is not a draw that joins with the push before it.
    cursor.forget_said();
}

/// The first closure in `from..to`, or `to`.
///
/// # Safety
///
/// `from..to` holds whole commands (C1).
unsafe fn next(from: *mut u64, to: *mut u64) -> *mut u64 {
    let mut at = from;
    while at < to {
        // SAFETY: C1: `at` is at a header.
        let head = unsafe { at.read() };
        if head as u16 == op::CLOSURE {
            break;
        }
        at = at.wrapping_add(size(head));
    }
    at
}

fn size(head: u64) -> usize {
    (head >> 16 & 0xffff) as usize
}

/// Calls or drops the closure at `at`; returns where the next command is, and whether it panicked.
///
/// # Safety
///
/// A closure stands at `at`, whose op says that it is there still.
unsafe fn take(at: *mut u64, target: Option<Target<'_>>) -> (*mut u64, bool) {
    // SAFETY: the caller's contract.
    let words = size(unsafe { at.read() });
    // SAFETY: the caller's contract; F2.
    unsafe { at.write(header(op::CLOSURE_DONE, words, 0)) };
    let function = at.wrapping_add(1);
    // SAFETY: F1.
    let run = unsafe { function.cast::<Run>().read() };
    // SAFETY: F1, and by F2 this is the only use of the value; F3.
    let calm = quietly(|| unsafe { run(function.wrapping_add(1), target) }).is_some();
    (at.wrapping_add(words), calm)
}

/// As [`replay::replay`], for commands with closures among them. After a closure that panics, nothing more is replayed;
/// those that are left are for [`discard`].
///
/// # Safety
///
/// As `replay::replay`.
#[cold]
pub(crate) unsafe fn replay_with_closures(
    device: &Device,
    buffer: vk::CommandBuffer,
    from: *mut u64,
    to: *mut u64,
) -> (u64, Result<(), Panicked>) {
    let (mut at, mut calls) = (from, 0);
    loop {
        // SAFETY: the caller's contract.
        let closure = unsafe { next(at, to) };
        // Nothing behind a closure refers to what was said before it (K4 of `cursor`), so each stretch stands for itself.
        // SAFETY: the caller's contract.
        calls += unsafe { replay::replay(device, buffer, at, closure) };
        if closure >= to {
            return (calls, Ok(()));
        }
        // SAFETY: `next` found it.
        let (behind, calm) = unsafe { take(closure, Some((device.table(), buffer))) };
        if !calm {
            return (calls, Err(Panicked));
        }
        calls += 1;
        at = behind;
    }
}

/// Drops the closures in `from..to` that were not called. A panic of one ends there.
///
/// # Safety
///
/// `from..to` holds whole commands (C1), and the caller is the block's only user.
#[cold]
pub(crate) unsafe fn discard(from: *mut u64, to: *mut u64) {
    let mut at = from;
    loop {
        // SAFETY: the caller's contract.
        at = unsafe { next(at, to) };
        if at >= to {
            return;
        }
        // SAFETY: `next` found it.
        (at, _) = unsafe { take(at, None) };
    }
}
