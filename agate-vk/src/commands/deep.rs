//! Encodes a command with pointers: scalars, then a pointer for each array or structure, then what they lead to (C3).
//!
//! `[header, scalars …, pointers …, data …]`; replay passes the pointers on.

#![allow(
    unsafe_code,
    reason = "writes words and copies of structures into a block"
)]

use super::layout::{Copier, Item, Layout, Unknown};
use super::table::Command;
use super::{header, op};
use crate::error::RecordError;
use crate::recorder::cursor::Cursor;
use std::ptr;

/// Items that a pointer of a command leads to.
#[derive(Clone, Copy)]
pub(super) enum Span<'a> {
    Items {
        at: *const u8,
        count: usize,
        of: Item,
    },
    /// Pointers, each to as many items as `list` says.
    Lists {
        count: usize,
        of: Item,
        list: &'a dyn Fn(usize) -> (*const u8, usize),
    },
}

impl Span<'_> {
    /// Items without pointers.
    pub(super) fn flat<T: Copy>(items: &[T]) -> Self {
        Self::Items {
            at: items.as_ptr().cast(),
            count: items.len(),
            of: Item::Plain(size_of::<T>()),
        }
    }

    /// Structures with pointers.
    pub(super) fn deep<T: Copy>(of: &'static Layout, items: &[T]) -> Self {
        debug_assert_eq!(of.size, size_of::<T>());
        Self::Items {
            at: items.as_ptr().cast(),
            count: items.len(),
            of: Item::Deep(of),
        }
    }

    /// Items without pointers, or a null pointer.
    pub(super) fn maybe_flat<T: Copy>(items: Option<&[T]>) -> Self {
        items.map_or_else(Self::none, Self::flat)
    }

    /// A null pointer.
    pub(super) fn none() -> Self {
        Self::Items {
            at: ptr::null(),
            count: 0,
            of: Item::Plain(1),
        }
    }

    /// # Safety
    ///
    /// As [`Copier::items`].
    unsafe fn copy(&self, copier: &mut Copier<'_>) -> Result<*mut u8, Unknown> {
        match *self {
            // SAFETY: the caller's contract.
            Self::Items { at, count, of } => unsafe { copier.items(of, at, count) },
            // SAFETY: the caller's contract.
            Self::Lists { count, of, list } => unsafe { copier.lists(of, false, count, list) },
        }
    }
}

/// Encodes the command of an index.
///
/// The cursor goes in and out by value, so that its address reaches nobody (K2).
///
/// # Safety
///
/// The spans lead to items that are valid for Vulkan; replay reads `fixed` and a pointer for each span (C2).
#[inline(never)]
pub(super) unsafe fn encode(
    mut cursor: Cursor,
    index: u16,
    inline: u32,
    fixed: &[u64],
    spans: &[Span<'_>],
) -> Cursor {
    // SAFETY: the caller's contract.
    if let Err(error) = unsafe { try_encode(&mut cursor, index, inline, fixed, spans) } {
        cursor.fail(error);
    }
    cursor
}

/// # Safety
///
/// As [`encode`].
unsafe fn try_encode(
    cursor: &mut Cursor,
    index: u16,
    inline: u32,
    fixed: &[u64],
    spans: &[Span<'_>],
) -> Result<(), RecordError> {
    let command = Command::of(index).name;
    let here = *cursor;
    let device = here.device();
    if !device.has(index) {
        return Err(RecordError::NotLoaded { command });
    }
    let unknown = |Unknown(s_type)| RecordError::UnsupportedPNext {
        command,
        s_type: s_type.as_raw(),
    };
    let registered = device.registered();
    let mut counting = Copier::counting(registered);
    for span in spans {
        // SAFETY: the caller's contract.
        unsafe { span.copy(&mut counting) }.map_err(unknown)?;
    }
    let start = 1 + fixed.len() + spans.len();
    let words = start + counting.words;
    let (at, large) = cursor.reserve_any(words, command)?;
    // What does not fit in 16 bits stands alone and is not stepped over.
    let said = u16::try_from(words).unwrap_or(0);
    // SAFETY: `words` words are reserved.
    unsafe { at.write(header(op::FIRST + index, usize::from(said), inline)) };
    for (offset, word) in (1..).zip(fixed) {
        // SAFETY: as above.
        let place = unsafe { at.add(offset) };
        // SAFETY: as above.
        unsafe { place.write(*word) };
    }
    // SAFETY: as above.
    let tail = unsafe { at.add(start) };
    let mut writing = Copier::writing(registered, tail);
    for (offset, span) in (1 + fixed.len()..).zip(spans) {
        // SAFETY: the caller's contract, and Y2.
        let copy = unsafe { span.copy(&mut writing) }.map_err(unknown)?;
        // SAFETY: `words` words are reserved.
        let place = unsafe { at.add(offset) };
        // SAFETY: as above.
        unsafe { place.cast::<*mut u8>().write(copy) };
    }
    debug_assert_eq!(counting.words, writing.words);
    if let Some(large) = large {
        cursor.keep(large);
    }
    Ok(())
}
