//! Memory for messages: a fixed array of slots, aligned to cache lines, each holding a message or nothing.
//!
//! # Invariants
//!
//! - I1: `first` points to `len` initialised cells allocated with `layout(len)` (or dangles, where that has no size).
//! - I2: which slots hold a message is known to the lane alone; dropping `Slots` drops no message.
#![allow(
    unsafe_code,
    reason = "slots are raw memory that the lane fills and empties"
)]

use std::alloc::Layout;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

use crate::sync::cell::UnsafeCell;

/// Bytes of a cache line.
const LINE: usize = 64;

type Cell<T> = UnsafeCell<MaybeUninit<T>>;

/// A fixed array of slots.
pub(crate) struct Slots<T> {
    first: NonNull<Cell<T>>,
    len: usize,
}

/// The layout of so many slots, if it can be addressed.
pub(crate) fn layout<T>(len: usize) -> Option<Layout> {
    Layout::array::<Cell<T>>(len).ok()?.align_to(LINE).ok()
}

impl<T> Slots<T> {
    /// Allocates `len` empty slots, or gives `None` when memory is out.
    pub(crate) fn new(len: usize) -> Option<Self> {
        let layout = layout::<T>(len)?;
        let first = if layout.size() == 0 {
            NonNull::dangling()
        } else {
            // SAFETY: the layout has a size.
            NonNull::new(unsafe { std::alloc::alloc(layout) }.cast::<Cell<T>>())?
        };
        // Loom's cells have state of their own. The standard library's are as uninitialised as what they hold, and
        // left alone: memory that is never used is then never touched.
        if cfg!(any(loom, shuttle)) {
            for index in 0..len {
                // SAFETY: within the allocation of `len` cells.
                let cell = unsafe { first.add(index) };
                // SAFETY: within the allocation, and nobody else knows of it.
                unsafe { cell.write(UnsafeCell::new(MaybeUninit::uninit())) };
            }
        }
        Some(Self { first, len })
    }

    /// The first slot.
    pub(crate) fn first(&self) -> Slot<T> {
        Slot(self.first)
    }
}

/// The address of a slot; it does not know whether that is still there.
pub(crate) struct Slot<T>(NonNull<Cell<T>>);

impl<T> Clone for Slot<T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Slot<T> {}

impl<T> Slot<T> {
    /// The address of no slot.
    pub(crate) fn dangling() -> Self {
        Self(NonNull::dangling())
    }

    /// The slot behind this one, or the end of the slots.
    ///
    /// # Safety
    ///
    /// The `Slots` are alive and have this slot.
    #[inline(always)]
    pub(crate) unsafe fn next(self) -> Self {
        // SAFETY: as the caller promises.
        unsafe { self.nth(1) }
    }

    /// The slot so many further on, or the end of the slots.
    ///
    /// # Safety
    ///
    /// The `Slots` are alive, and so many slots follow this one.
    #[inline(always)]
    pub(crate) unsafe fn nth(self, count: usize) -> Self {
        // SAFETY: within the slots or one past them.
        Self(unsafe { self.0.add(count) })
    }

    /// Puts a message into the slot.
    ///
    /// # Safety
    ///
    /// The `Slots` are alive and have this slot; nobody else touches it; it holds no message (or that one is leaked).
    #[inline(always)]
    pub(crate) unsafe fn put(self, message: T) {
        // SAFETY: by I1 the cell is there, and the slots are alive.
        let cell = unsafe { self.0.as_ref() };
        // SAFETY: nobody else touches the slot, as the caller promises.
        cell.with_mut(|slot| unsafe { slot.write(MaybeUninit::new(message)) });
    }

    /// Copies so many messages into this slot and those behind it.
    ///
    /// # Safety
    ///
    /// As [`put`](Self::put), for so many slots; `messages` points to so many, which are not in these slots.
    #[inline]
    pub(crate) unsafe fn put_all(self, messages: *const T, count: usize) {
        if cfg!(any(loom, shuttle)) {
            for index in 0..count {
                // SAFETY: as the caller promises.
                let message = unsafe { messages.add(index) };
                // SAFETY: as the caller promises.
                let message = unsafe { message.read() };
                // SAFETY: as the caller promises.
                let slot = unsafe { self.nth(index) };
                // SAFETY: as the caller promises.
                unsafe { slot.put(message) };
            }
            return;
        }
        // A cell is nothing but its message here.
        let slots = self.0.as_ptr().cast::<T>();
        // SAFETY: as the caller promises, these slots are there and nobody else touches them.
        unsafe { ptr::copy_nonoverlapping(messages, slots, count) };
    }

    /// Moves so many messages from this slot and those behind it.
    ///
    /// # Safety
    ///
    /// As [`take`](Self::take), for so many slots; `into` points to room for so many.
    #[inline]
    pub(crate) unsafe fn take_all(self, into: *mut T, count: usize) {
        if cfg!(any(loom, shuttle)) {
            for index in 0..count {
                // SAFETY: as the caller promises.
                let slot = unsafe { self.nth(index) };
                // SAFETY: as the caller promises.
                let message = unsafe { slot.take() };
                // SAFETY: as the caller promises.
                let into = unsafe { into.add(index) };
                // SAFETY: as the caller promises.
                unsafe { into.write(message) };
            }
            return;
        }
        // A cell is nothing but its message here.
        let slots = self.0.as_ptr().cast::<T>();
        // SAFETY: as the caller promises, these slots are there, hold messages, and nobody else touches them.
        unsafe { ptr::copy_nonoverlapping(slots, into, count) };
    }

    /// Writes a byte into each cache line that ends with one of so many slots from this one on, which hold nothing.
    ///
    /// For a receiver that has read them: a line that it has only read is shared, and the sender pays dearly to own it
    /// again; one that it has written moves over as a whole. `cargo xtask bench queue` shows it (`one-sender`).
    ///
    /// # Safety
    ///
    /// The `Slots` are alive and have so many slots from this one on; nobody else touches them; they hold no messages.
    #[inline(always)]
    pub(crate) unsafe fn touch(self, count: usize) {
        if cfg!(any(loom, shuttle)) {
            for index in 0..count {
                // SAFETY: as the caller promises.
                let slot = unsafe { self.nth(index) };
                // SAFETY: by I1 the cell is there, and the slots are alive.
                let cell = unsafe { slot.0.as_ref() };
                // SAFETY: nobody else touches the slot, as the caller promises, and it holds nothing.
                cell.with_mut(|slot| unsafe { slot.write(MaybeUninit::uninit()) });
            }
            return;
        }
        // A cell is nothing but its message here.
        let slots = self.0.as_ptr().cast::<MaybeUninit<u8>>();
        // How much of the first line lies before: nothing, where a slot is whole lines.
        let before = if size_of::<T>() % LINE == 0 {
            0
        } else {
            slots.addr() % LINE
        };
        for line in 0..(before + count * size_of::<T>()) / LINE {
            // SAFETY: where the slots begin, or a line behind that and before their end.
            let byte = unsafe { slots.add((line * LINE).saturating_sub(before)) };
            // Volatile, or it would be left out: nobody reads it.
            // SAFETY: nobody else touches these slots, as the caller promises, and they hold nothing.
            unsafe { byte.write_volatile(MaybeUninit::new(0)) };
        }
    }

    /// Takes the message out of the slot.
    ///
    /// # Safety
    ///
    /// The `Slots` are alive and have this slot; nobody else touches it; it holds a message, which is not taken again.
    #[inline(always)]
    pub(crate) unsafe fn take(self) -> T {
        // SAFETY: by I1 the cell is there, and the slots are alive.
        let cell = unsafe { self.0.as_ref() };
        // SAFETY: nobody else touches the slot, as the caller promises.
        let message = cell.with(|slot| unsafe { slot.read() });
        // SAFETY: the slot holds a message, as the caller promises.
        unsafe { message.assume_init() }
    }
}

impl<T> Drop for Slots<T> {
    fn drop(&mut self) {
        let Some(layout) = layout::<T>(self.len) else {
            return;
        };
        if cfg!(any(loom, shuttle)) {
            let cells = ptr::slice_from_raw_parts_mut(self.first.as_ptr(), self.len);
            // SAFETY: by I1 the cells are initialised; messages in them are not dropped, I2.
            unsafe { ptr::drop_in_place(cells) };
        }
        if layout.size() != 0 {
            // SAFETY: allocated with this layout, I1.
            unsafe { std::alloc::dealloc(self.first.as_ptr().cast(), layout) };
        }
    }
}
