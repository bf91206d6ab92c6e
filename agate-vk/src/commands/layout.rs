//! Where the pointers of a structure are, and the one copier that follows them.
//!
//! # Invariants
//!
//! - Y1: a [`Layout`] is that of a structure of Vulkan: offsets lie within its size, and its pointers lead to what it says.
//!   Those of the registry have their offsets from the compiler; those of the host are its contract.
//! - Y2: a copy is made in two rounds over the same arguments. The first counts words, the second writes as many.

#![allow(
    unsafe_code,
    reason = "follows pointers of structures and writes their copies into a block"
)]

use super::generated::layouts::chained;
use super::words_of;
use ash::vk;
use std::ptr;

/// A structure with pointers.
pub(crate) struct Layout {
    pub(crate) size: usize,
    pub(crate) members: &'static [Member],
}

/// How many items a pointer leads to: as many as the number at this offset says.
#[derive(Clone, Copy)]
pub(crate) enum Count {
    One,
    U32(usize),
    #[allow(dead_code, reason = "structures of later versions have it")]
    Size(usize),
}

/// What a pointer leads to.
#[derive(Clone, Copy)]
pub(crate) enum Item {
    /// So many bytes without a pointer.
    Plain(usize),
    Deep(&'static Layout),
}

/// A member that is more than bytes; offsets are those in the structure.
#[derive(Clone, Copy)]
pub(crate) enum Member {
    /// `pNext`.
    Next(usize),
    /// A pointer to items.
    Array { at: usize, count: Count, of: Item },
    /// A pointer to pointers, each to one item.
    Pointers { at: usize, count: Count, of: Item },
    /// A pointer to a text that ends with a zero.
    Text(usize),
    /// A structure in the structure.
    Inline { at: usize, of: &'static Layout },
    /// A union of structures; the number at `by` says which it is.
    Choice {
        at: usize,
        by: usize,
        cases: &'static [(i32, &'static Layout)],
    },
    /// A pointer that leads somewhere for some values of the number at `by` alone; for others it may be anything.
    When {
        at: usize,
        by: usize,
        values: &'static [i32],
        then: &'static Member,
    },
}

/// A structure that the host has registered for chains.
#[derive(Clone)]
pub(crate) struct Registered {
    pub(crate) s_type: vk::StructureType,
    pub(crate) size: usize,
    pub(crate) arrays: Box<[PNextArray]>,
}

/// An array that a structure of the host points to; see [`Device::register_pnext`](crate::Device::register_pnext).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PNextArray {
    /// The offset of the pointer in the structure.
    pub pointer_offset: usize,
    /// The offset of the `u32` that says how many items there are.
    pub count_offset: usize,
    /// The size of an item, which has no pointers.
    pub item_size: usize,
}

/// A structure of a type that no copy is known for: its `sType`.
#[derive(Clone, Copy)]
pub(super) struct Unknown(pub(super) vk::StructureType);

/// One round of a copy.
pub(super) struct Copier<'a> {
    registered: &'a [Registered],
    /// Where the next item goes; null in the round that counts.
    tail: *mut u64,
    /// The words that were counted or written.
    pub(super) words: usize,
}

/// Reads a value at an offset.
///
/// # Safety
///
/// There is one.
#[inline(always)]
unsafe fn read<T: Copy>(structure: *const u8, offset: usize) -> T {
    // SAFETY: the caller's contract.
    let place = unsafe { structure.add(offset) };
    // SAFETY: the caller's contract.
    unsafe { place.cast::<T>().read_unaligned() }
}

impl Count {
    /// # Safety
    ///
    /// A structure with this count (Y1).
    unsafe fn of(self, structure: *const u8) -> usize {
        match self {
            Self::One => 1,
            // SAFETY: the caller's contract.
            Self::U32(offset) => unsafe { read::<u32>(structure, offset) as usize },
            // SAFETY: the caller's contract.
            Self::Size(offset) => unsafe { read(structure, offset) },
        }
    }
}

impl<'a> Copier<'a> {
    /// The round that counts.
    pub(super) fn counting(registered: &'a [Registered]) -> Self {
        Self {
            registered,
            tail: ptr::null_mut(),
            words: 0,
        }
    }

    /// The round that writes, to `tail`.
    pub(super) fn writing(registered: &'a [Registered], tail: *mut u64) -> Self {
        Self {
            registered,
            tail,
            words: 0,
        }
    }

    /// Copies bytes to the tail; returns where they are, or null while counting.
    ///
    /// # Safety
    ///
    /// There are so many bytes at `from`, and, while writing, so much room at the tail (Y2).
    pub(super) unsafe fn bytes(&mut self, from: *const u8, size: usize) -> *mut u8 {
        let words = words_of(size);
        self.words += words;
        if self.tail.is_null() {
            return ptr::null_mut();
        }
        let at = self.tail.cast::<u8>();
        // SAFETY: the caller's contract.
        unsafe { ptr::copy_nonoverlapping(from, at, size) };
        // SAFETY: the caller's contract.
        self.tail = unsafe { self.tail.add(words) };
        at
    }

    /// Copies items with all that they lead to; returns where they are, or null where there are none.
    ///
    /// # Safety
    ///
    /// `from` is null or leads to `count` items, valid for Vulkan (Y1); and as [`bytes`](Self::bytes).
    pub(super) unsafe fn items(
        &mut self,
        of: Item,
        from: *const u8,
        count: usize,
    ) -> Result<*mut u8, Unknown> {
        if from.is_null() || count == 0 {
            return Ok(ptr::null_mut());
        }
        match of {
            // SAFETY: the caller's contract.
            Item::Plain(size) => Ok(unsafe { self.bytes(from, count * size) }),
            Item::Deep(layout) => {
                // SAFETY: the caller's contract.
                let to = unsafe { self.bytes(from, count * layout.size) };
                for index in 0..count {
                    let offset = index * layout.size;
                    // SAFETY: the caller's contract.
                    let from = unsafe { from.add(offset) };
                    // SAFETY: `to` is null, which `members` knows, or there is the copy of all items.
                    unsafe { self.members(layout.members, from, to.wrapping_add(offset)) }?;
                }
                Ok(to)
            }
        }
    }

    /// Copies what the members of a structure lead to, and has the copy at `to` lead there.
    ///
    /// # Safety
    ///
    /// As [`items`](Self::items) for one; while writing, its bytes were copied to `to`.
    unsafe fn members(
        &mut self,
        members: &[Member],
        from: *const u8,
        to: *mut u8,
    ) -> Result<(), Unknown> {
        for member in members {
            // SAFETY: the caller's contract.
            unsafe { self.member(member, from, to) }?;
        }
        Ok(())
    }

    /// Has the pointer at an offset of the copy lead to `target`.
    ///
    /// # Safety
    ///
    /// While writing, there is a pointer in a copy at `to`.
    unsafe fn point(&self, to: *mut u8, offset: usize, target: *mut u8) {
        if !self.tail.is_null() {
            let place = to.wrapping_add(offset).cast::<*mut u8>();
            // SAFETY: the caller's contract.
            unsafe { place.write_unaligned(target) };
        }
    }

    /// # Safety
    ///
    /// As [`members`](Self::members).
    unsafe fn member(
        &mut self,
        member: &Member,
        from: *const u8,
        to: *mut u8,
    ) -> Result<(), Unknown> {
        let (at, target) = match *member {
            Member::Next(at) => {
                // SAFETY: the caller's contract.
                let next = unsafe { read(from, at) };
                // SAFETY: the caller's contract.
                (at, unsafe { self.chain(next) }?)
            }
            Member::Array { at, count, of } => {
                // SAFETY: the caller's contract.
                let count = unsafe { count.of(from) };
                // SAFETY: the caller's contract.
                let items = unsafe { read(from, at) };
                // SAFETY: the caller's contract.
                (at, unsafe { self.items(of, items, count) }?)
            }
            Member::Pointers { at, count, of } => {
                // SAFETY: the caller's contract.
                let count = unsafe { count.of(from) };
                // SAFETY: the caller's contract.
                let pointers: *const *const u8 = unsafe { read(from, at) };
                let list = |index| {
                    // SAFETY: the caller's contract: there are so many pointers.
                    let item = unsafe { read(pointers.cast(), index * size_of::<usize>()) };
                    (item, 1)
                };
                // SAFETY: the caller's contract.
                (at, unsafe {
                    self.lists(of, pointers.is_null(), count, &list)
                }?)
            }
            Member::Text(at) => {
                // SAFETY: the caller's contract.
                let text: *const u8 = unsafe { read(from, at) };
                let mut length = 0;
                // SAFETY: the caller's contract: a text ends with a zero.
                while !text.is_null() && unsafe { read::<u8>(text, length) } != 0 {
                    length += 1;
                }
                // SAFETY: so long it is, with its zero.
                (at, unsafe { self.items(Item::Plain(1), text, length + 1) }?)
            }
            Member::Inline { at, of } => {
                // SAFETY: the caller's contract.
                let inner = unsafe { from.add(at) };
                // SAFETY: the caller's contract.
                return unsafe { self.members(of.members, inner, to.wrapping_add(at)) };
            }
            Member::Choice { at, by, cases } => {
                // SAFETY: the caller's contract.
                let value: i32 = unsafe { read(from, by) };
                let Some((_, of)) = cases.iter().find(|(case, _)| *case == value) else {
                    return Ok(());
                };
                // SAFETY: the caller's contract.
                let inner = unsafe { from.add(at) };
                // SAFETY: the caller's contract; the number says which it is.
                return unsafe { self.members(of.members, inner, to.wrapping_add(at)) };
            }
            Member::When {
                at,
                by,
                values,
                then,
            } => {
                // SAFETY: the caller's contract.
                let value: i32 = unsafe { read(from, by) };
                if values.contains(&value) {
                    // SAFETY: the caller's contract.
                    return unsafe { self.member(then, from, to) };
                }
                (at, ptr::null_mut())
            }
        };
        // SAFETY: the caller's contract.
        unsafe { self.point(to, at, target) };
        Ok(())
    }

    /// Copies a chain; returns where its first structure is.
    ///
    /// # Safety
    ///
    /// Null or a chain of Vulkan structures, each valid; and as [`bytes`](Self::bytes).
    unsafe fn chain(&mut self, next: *const u8) -> Result<*mut u8, Unknown> {
        if next.is_null() {
            return Ok(ptr::null_mut());
        }
        // SAFETY: the caller's contract: each begins with its type.
        let s_type: vk::StructureType = unsafe { read(next, 0) };
        if let Some(layout) = chained(s_type) {
            // SAFETY: the caller's contract; the rest of the chain is its first member.
            return unsafe { self.items(Item::Deep(layout), next, 1) };
        }
        let registered = self.registered;
        let known = registered.iter().find(|known| known.s_type == s_type);
        let known = known.ok_or(Unknown(s_type))?;
        // SAFETY: the caller's contract; the host said its size.
        let to = unsafe { self.bytes(next, known.size) };
        const NEXT: Member = Member::Next(std::mem::offset_of!(vk::BaseInStructure<'_>, p_next));
        // SAFETY: the caller's contract.
        unsafe { self.member(&NEXT, next, to) }?;
        for array in &known.arrays {
            let array = Member::Array {
                at: array.pointer_offset,
                count: Count::U32(array.count_offset),
                of: Item::Plain(array.item_size),
            };
            // SAFETY: the caller's contract; the host said where its arrays are.
            unsafe { self.member(&array, next, to) }?;
        }
        Ok(to)
    }

    /// Copies an array of pointers, and what each leads to; `list` gives pointer and count of each.
    ///
    /// # Safety
    ///
    /// As [`items`](Self::items), for each list.
    pub(super) unsafe fn lists(
        &mut self,
        of: Item,
        none: bool,
        count: usize,
        list: &dyn Fn(usize) -> (*const u8, usize),
    ) -> Result<*mut u8, Unknown> {
        if none || count == 0 {
            return Ok(ptr::null_mut());
        }
        let to = self.tail.cast::<*mut u8>();
        self.words += count;
        if !to.is_null() {
            // SAFETY: Y2: there is room for the pointers, which are words.
            self.tail = unsafe { self.tail.add(count) };
        }
        for index in 0..count {
            let (from, length) = list(index);
            // SAFETY: the caller's contract.
            let target = unsafe { self.items(of, from, length) }?;
            if !to.is_null() {
                // SAFETY: as above.
                let place = unsafe { to.add(index) };
                // SAFETY: as above.
                unsafe { place.write(target) };
            }
        }
        Ok(to.cast())
    }
}
