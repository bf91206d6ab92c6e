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
use std::ptr::NonNull;

use crate::sync::cell::UnsafeCell;

type Slot<T> = UnsafeCell<MaybeUninit<T>>;

/// A fixed array of slots.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    first: NonNull<Slot<T>>,
    len: usize,
}

/// The layout of so many slots, if it can be addressed.
pub(crate) fn layout<T>(len: usize) -> Option<Layout> {
    Layout::array::<Slot<T>>(len).ok()?.align_to(64).ok()
}

impl<T> Slots<T> {
    /// Allocates `len` empty slots, or gives `None` when memory is out.
    pub(crate) fn new(len: usize) -> Option<Self> {
        let layout = layout::<T>(len)?;
        let first = if layout.size() == 0 {
            NonNull::dangling()
        } else {
            // SAFETY: the layout has a size.
            NonNull::new(unsafe { std::alloc::alloc(layout) }.cast::<Slot<T>>())?
        };
        for index in 0..len {
            // SAFETY: within the allocation of `len` cells.
            let cell = unsafe { first.add(index) };
            // SAFETY: within the allocation, and nobody else knows of it.
            unsafe { cell.write(UnsafeCell::new(MaybeUninit::uninit())) };
        }
        Some(Self { first, len })
    }

    /// Where the slots are.
    #[inline(always)]
    pub(crate) fn base(&self) -> Base<T> {
        Base(self.first)
    }
}

/// The address of an array of slots; it knows neither their number nor whether they are still there.
#[derive(Debug)]
pub(crate) struct Base<T>(NonNull<Slot<T>>);

impl<T> Clone for Base<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Base<T> {}

impl<T> Base<T> {
    /// The address of no slots.
    pub(crate) fn dangling() -> Self {
        Self(NonNull::dangling())
    }

    /// Puts a message into a slot.
    ///
    /// # Safety
    ///
    /// The `Slots` are alive and have more than `index`; nobody else touches the slot; it holds no message (or that
    /// one is leaked).
    #[inline(always)]
    pub(crate) unsafe fn write(self, index: usize, message: T) {
        // SAFETY: the caller keeps `index < len`, I1.
        let cell = unsafe { self.0.add(index) };
        // SAFETY: by I1 the cell is initialised, and the slots are alive.
        let cell = unsafe { cell.as_ref() };
        // SAFETY: nobody else touches the slot, as the caller promises.
        cell.with_mut(|slot| unsafe { slot.write(MaybeUninit::new(message)) });
    }

    /// Takes the message out of a slot.
    ///
    /// # Safety
    ///
    /// The `Slots` are alive and have more than `index`; nobody else touches the slot; it holds a message, which is
    /// not read from it again.
    #[inline(always)]
    pub(crate) unsafe fn read(self, index: usize) -> T {
        // SAFETY: the caller keeps `index < len`, I1.
        let cell = unsafe { self.0.add(index) };
        // SAFETY: by I1 the cell is initialised, and the slots are alive.
        let cell = unsafe { cell.as_ref() };
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
        let cells = std::ptr::slice_from_raw_parts_mut(self.first.as_ptr(), self.len);
        // SAFETY: by I1 the cells are initialised; messages in them are not dropped, I2.
        unsafe { std::ptr::drop_in_place(cells) };
        if layout.size() != 0 {
            // SAFETY: allocated with this layout, I1.
            unsafe { std::alloc::dealloc(self.first.as_ptr().cast(), layout) };
        }
    }
}
