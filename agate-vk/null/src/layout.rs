//! What structures look like in memory, and how they are taken: member by member, without the padding between them.
//!
//! # Invariants
//!
//! - Y1: a [`Layout`] is that of a structure of Vulkan: its offsets lie within its size, and what its pointers lead to is
//!   as it says. The statics of [`layouts`](crate::layouts) are made from the registry, with offsets from the compiler.

#![allow(unsafe_code, reason = "follows the pointers of structures")]

use crate::generated::layouts::chained;
use crate::sink::Sink;
use ash::vk;

/// A structure.
#[derive(Debug)]
pub struct Layout {
    /// Its size in bytes.
    pub size: usize,
    /// Its members, in order.
    pub members: &'static [Member],
    /// What its `sType` says, as a number.
    pub s_type: Option<i32>,
    /// The structures that may stand in its `pNext`.
    pub next: &'static [&'static Layout],
}

/// How many a pointer leads to.
#[derive(Clone, Copy, Debug)]
pub enum Count {
    /// One.
    One,
    /// As many as the `u32` there says.
    U32(usize),
    /// As many as the `usize` there says.
    Size(usize),
}

/// What a pointer leads to.
#[derive(Clone, Copy, Debug)]
pub enum Item {
    /// Scalars of so many bytes.
    Plain(usize),
    /// Structures.
    Deep(&'static Layout),
}

/// A member of a structure; offsets are those in the structure.
#[derive(Clone, Copy, Debug)]
pub enum Member {
    /// A scalar, or an array of them.
    Bytes {
        /// Its offset.
        at: usize,
        /// Its size.
        size: usize,
    },
    /// `sType`.
    Type(usize),
    /// `pNext`.
    Next(usize),
    /// A pointer to items.
    Array {
        /// The offset of the pointer.
        at: usize,
        /// How many there are.
        count: Count,
        /// What they are.
        of: Item,
        /// Whether it may be null.
        optional: bool,
    },
    /// A pointer to pointers, each to one item.
    Pointers {
        /// The offset of the pointer.
        at: usize,
        /// How many there are.
        count: Count,
        /// What they are.
        of: Item,
        /// Whether it may be null.
        optional: bool,
    },
    /// A pointer to a text that ends with a zero.
    Text(usize),
    /// A structure in the structure.
    Inline {
        /// Its offset.
        at: usize,
        /// What it is.
        of: &'static Layout,
    },
    /// A union of structures.
    Choice {
        /// Its offset.
        at: usize,
        /// The offset of the number that says which it is.
        by: usize,
        /// Which structure it is for which number.
        cases: &'static [(i32, &'static Layout)],
    },
    /// A pointer that counts for some values of another member alone.
    When {
        /// The offset of the pointer.
        at: usize,
        /// The offset of the other member.
        by: usize,
        /// Its values.
        values: &'static [i32],
        /// What the pointer is then.
        then: &'static Member,
    },
}

/// Reads a value at an offset.
///
/// # Safety
///
/// There is one.
unsafe fn at<T: Copy>(structure: *const u8, offset: usize) -> T {
    // SAFETY: the caller's contract, and Y1.
    let place = unsafe { structure.add(offset) };
    // SAFETY: as above; no alignment is asked for.
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
            Self::U32(offset) => unsafe { at::<u32>(structure, offset) as usize },
            // SAFETY: the caller's contract.
            Self::Size(offset) => unsafe { at(structure, offset) },
        }
    }
}

/// Takes items: nothing of none, else whether there is a pointer, and what it leads to.
///
/// # Safety
///
/// `items` is null or leads to `count` items; chains and pointers in them are what Vulkan asks for.
pub(crate) unsafe fn items(out: &mut impl Sink, item: Item, items: *const u8, count: usize) {
    if count == 0 {
        return;
    }
    out.word(u64::from(!items.is_null()));
    if items.is_null() {
        return;
    }
    match item {
        // SAFETY: the caller's contract.
        Item::Plain(size) => unsafe { bytes(out, items, count * size) },
        Item::Deep(layout) => {
            for index in 0..count {
                // SAFETY: the caller's contract.
                let structure = unsafe { items.add(index * layout.size) };
                // SAFETY: the caller's contract.
                unsafe { members(out, layout.members, structure) };
            }
        }
    }
}

/// Takes bytes, eight in a word.
///
/// # Safety
///
/// There are so many, initialised.
unsafe fn bytes(out: &mut impl Sink, bytes: *const u8, size: usize) {
    for start in (0..size).step_by(8) {
        let mut word = [0; 8];
        for (index, byte) in word.iter_mut().enumerate().take(size - start) {
            // SAFETY: the caller's contract.
            *byte = unsafe { at(bytes, start + index) };
        }
        out.word(u64::from_ne_bytes(word));
    }
}

/// # Safety
///
/// A structure with these members (Y1), valid for Vulkan.
unsafe fn members(out: &mut impl Sink, all: &[Member], structure: *const u8) {
    for each in all {
        // SAFETY: the caller's contract.
        unsafe { member(out, each, structure) };
    }
}

/// # Safety
///
/// A structure with this member (Y1), valid for Vulkan.
unsafe fn member(out: &mut impl Sink, member: &Member, structure: *const u8) {
    match *member {
        Member::Bytes { at: offset, size } => {
            // SAFETY: the caller's contract.
            let place = unsafe { structure.add(offset) };
            // SAFETY: the caller's contract.
            unsafe { bytes(out, place, size) };
        }
        // SAFETY: the caller's contract.
        Member::Type(offset) => out.word(u64::from(unsafe { at::<u32>(structure, offset) })),
        Member::Next(offset) => {
            // SAFETY: the caller's contract.
            let next = unsafe { at(structure, offset) };
            // SAFETY: the caller's contract.
            unsafe { chain(out, next) };
        }
        Member::Array {
            at: offset,
            count,
            of,
            ..
        } => {
            // SAFETY: the caller's contract.
            let count = unsafe { count.of(structure) };
            // SAFETY: the caller's contract.
            let pointer = unsafe { at(structure, offset) };
            // SAFETY: the caller's contract.
            unsafe { items(out, of, pointer, count) };
        }
        Member::Pointers {
            at: offset,
            count,
            of,
            ..
        } => {
            // SAFETY: the caller's contract.
            let count = unsafe { count.of(structure) };
            // SAFETY: the caller's contract.
            let pointers: *const *const u8 = unsafe { at(structure, offset) };
            // SAFETY: the caller's contract.
            unsafe { lists(out, of, pointers, count, |_| 1) };
        }
        Member::Text(offset) => {
            // SAFETY: the caller's contract.
            let text: *const u8 = unsafe { at(structure, offset) };
            let mut length = 0;
            // SAFETY: the caller's contract: the text ends with a zero.
            while !text.is_null() && unsafe { at::<u8>(text, length) } != 0 {
                length += 1;
            }
            // SAFETY: so long it is.
            unsafe { items(out, Item::Plain(1), text, length) };
        }
        Member::Inline { at: offset, of } => {
            // SAFETY: the caller's contract.
            let inner = unsafe { structure.add(offset) };
            // SAFETY: the caller's contract.
            unsafe { members(out, of.members, inner) };
        }
        Member::Choice {
            at: offset,
            by,
            cases,
        } => {
            // SAFETY: the caller's contract.
            let value: i32 = unsafe { at(structure, by) };
            if let Some((_, of)) = cases.iter().find(|(case, _)| *case == value) {
                // SAFETY: the caller's contract.
                let inner = unsafe { structure.add(offset) };
                // SAFETY: the caller's contract.
                unsafe { members(out, of.members, inner) };
            }
        }
        Member::When {
            by, values, then, ..
        } => {
            // SAFETY: the caller's contract.
            let value: i32 = unsafe { at(structure, by) };
            if values.contains(&value) {
                // SAFETY: the caller's contract.
                unsafe { self::member(out, then, structure) };
            }
        }
    }
}

/// Takes an array of pointers, and what each leads to.
///
/// # Safety
///
/// `pointers` is null or leads to `count` pointers, each to as many items as `length` says of its index.
pub(crate) unsafe fn lists(
    out: &mut impl Sink,
    item: Item,
    pointers: *const *const u8,
    count: usize,
    length: impl Fn(usize) -> usize,
) {
    if count == 0 {
        return;
    }
    out.word(u64::from(!pointers.is_null()));
    if pointers.is_null() {
        return;
    }
    for index in 0..count {
        // SAFETY: the caller's contract.
        let list = unsafe { at(pointers.cast(), index * size_of::<*const u8>()) };
        // SAFETY: the caller's contract.
        unsafe { items(out, item, list, length(index)) };
    }
}

/// Takes a chain: each structure with its type, and at last a zero. Of what is not known, the type alone.
///
/// # Safety
///
/// A chain of Vulkan structures, or null.
unsafe fn chain(out: &mut impl Sink, next: *const vk::BaseInStructure<'_>) {
    // SAFETY: the caller's contract.
    let Some(base) = (unsafe { next.as_ref() }) else {
        return out.word(0);
    };
    if let Some(layout) = chained(base.s_type) {
        // SAFETY: the caller's contract; the rest of the chain is a member.
        return unsafe { members(out, layout.members, next.cast()) };
    }
    out.word(u64::from(base.s_type.as_raw() as u32));
    // SAFETY: the caller's contract.
    unsafe { chain(out, base.p_next) };
}
