//! Random arguments: scalars of any value, arrays, and structures with all that their pointers and chains lead to.

#![allow(unsafe_code, reason = "builds structures from their layouts")]

use super::support::Random;
use agate_vk::vk;
use null_device::NullDevice;
use null_device::layout::{Count, Item, Layout, Member};
use std::ffi::CStr;
use std::ptr;

/// A command, and what gives it to the device and to a recorder.
pub(crate) type Try<R> = (&'static str, fn(&mut Maker, &mut Trial<'_, R>));

/// Where a command goes: to the device at once, and into a recording.
pub(crate) struct Trial<'a, R> {
    pub(crate) direct: &'a NullDevice,
    pub(crate) buffer: vk::CommandBuffer,
    pub(crate) recorder: R,
}

impl<R> Trial<'_, R> {
    /// The device's function.
    pub(crate) fn function<F: Copy>(&self, name: &CStr) -> F {
        let found = self.direct.function(name);
        assert!(!found.is_null(), "{name:?}");
        assert_eq!(size_of::<F>(), size_of_val(&found));
        // SAFETY: the callers ask for the type of the function of that name.
        unsafe { std::mem::transmute_copy(&found) }
    }
}

/// Makes arguments, and owns the memory that they lead to until it is dropped.
pub(crate) struct Maker {
    random: Random,
    memory: Vec<(*mut u64, usize)>,
}

/// How many structures are made inside of structures.
const DEPTH: u32 = 3;

impl Maker {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: Random(seed),
            memory: Vec::new(),
        }
    }

    pub(crate) fn word(&mut self) -> u64 {
        match self.random.below(4) {
            0 => self.random.below(2),
            _ => self.random.next(),
        }
    }

    pub(crate) fn half(&mut self) -> u32 {
        self.word() as u32
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.random.below(2) == 0
    }

    /// The length of an array; often none.
    pub(crate) fn count(&mut self) -> usize {
        self.random.below(5) as usize
    }

    /// Scalars without padding.
    pub(crate) fn plain<T: Copy>(&mut self, count: usize) -> &'static [T] {
        let at = self.bytes(count * size_of::<T>());
        // SAFETY: so many bytes are there, of any value, and live until the maker is dropped; no test keeps them longer.
        unsafe { std::slice::from_raw_parts(at.cast(), count) }
    }

    /// Structures.
    pub(crate) fn array<T>(&mut self, layout: &'static Layout, count: usize) -> &'static [T] {
        assert_eq!(layout.size, size_of::<T>());
        let at = self.structures(layout, count, 0);
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts(at.cast(), count) }
    }

    /// Zeroed memory, aligned to 8 bytes.
    fn room(&mut self, bytes: usize) -> *mut u8 {
        let words = bytes.div_ceil(8).max(1);
        let memory = Box::into_raw(vec![0u64; words].into_boxed_slice());
        let memory = memory.cast::<u64>();
        self.memory.push((memory, words));
        memory.cast()
    }

    fn bytes(&mut self, count: usize) -> *mut u8 {
        let at = self.room(count);
        for index in 0..count {
            let byte = self.random.next() as u8;
            write(at, index, byte);
        }
        at
    }

    fn structures(&mut self, layout: &'static Layout, count: usize, depth: u32) -> *mut u8 {
        let all = self.room(count * layout.size);
        for index in 0..count {
            let chain = self.chain(layout, depth);
            self.fill(layout, all.wrapping_add(index * layout.size), chain, depth);
        }
        all
    }

    /// Structures that may stand in the `pNext` of one.
    fn chain(&mut self, of: &'static Layout, depth: u32) -> *mut u8 {
        let mut first = ptr::null_mut();
        if of.next.is_empty() || depth >= DEPTH {
            return first;
        }
        for _ in 0..self.random.below(3) {
            let layout = of.next[self.random.below(of.next.len() as u64) as usize];
            let at = self.room(layout.size);
            self.fill(layout, at, first, depth + 1);
            first = at;
        }
        first
    }

    /// Writes all members: first the numbers, then how many there are of what, then what pointers lead to.
    fn fill(&mut self, layout: &'static Layout, at: *mut u8, chain: *mut u8, depth: u32) {
        for member in layout.members {
            if let Member::Bytes { at: offset, size } = *member {
                for index in offset..offset + size {
                    write(at, index, self.random.next() as u8);
                }
            }
        }
        self.choose(layout, at);
        let mut counts: Vec<(usize, usize)> = Vec::new();
        for member in layout.members {
            let member = match member {
                Member::When { then, .. } => then,
                member => member,
            };
            if let Member::Array { count, .. } | Member::Pointers { count, .. } = *member {
                let most = if depth < DEPTH { 4 } else { 2 };
                let number = self.random.below(most);
                match count {
                    Count::One => {}
                    Count::U32(offset) | Count::Size(offset)
                        if counts.iter().any(|(known, _)| *known == offset) => {}
                    Count::U32(offset) => {
                        write(at, offset, number as u32);
                        counts.push((offset, number as usize));
                    }
                    Count::Size(offset) => {
                        write(at, offset, number as usize);
                        counts.push((offset, number as usize));
                    }
                }
            }
        }
        for member in layout.members {
            self.member(layout, member, at, chain, &counts, depth);
        }
    }

    /// Has the number that says which of several pointers counts be one of those that it knows, most of the time.
    fn choose(&mut self, layout: &'static Layout, at: *mut u8) {
        let whens = layout.members.iter().filter_map(|member| match member {
            Member::When { by, values, .. } => Some((*by, *values)),
            _ => None,
        });
        let whens: Vec<_> = whens.collect();
        if !whens.is_empty() && self.random.below(5) > 0 {
            let (by, values) = whens[self.random.below(whens.len() as u64) as usize];
            write(
                at,
                by,
                values[self.random.below(values.len() as u64) as usize],
            );
        }
    }

    fn member(
        &mut self,
        layout: &'static Layout,
        member: &'static Member,
        at: *mut u8,
        chain: *mut u8,
        counts: &[(usize, usize)],
        depth: u32,
    ) {
        let known = |count| match count {
            Count::One => 1,
            Count::U32(offset) | Count::Size(offset) => {
                let known = counts.iter().find(|(known, _)| *known == offset);
                known.map_or(0, |(_, number)| *number)
            }
        };
        match *member {
            Member::Bytes { .. } => {}
            Member::Type(offset) => write(at, offset, layout.s_type.unwrap_or_default()),
            Member::Next(offset) => write(at, offset, chain),
            Member::Array {
                at: offset,
                count,
                of,
                optional,
            } => {
                let missing = optional && self.random.below(4) == 0;
                let items = match of {
                    _ if missing => ptr::null_mut(),
                    Item::Plain(size) => self.bytes(size * known(count)),
                    Item::Deep(of) => self.structures(of, known(count), depth + 1),
                };
                write(at, offset, items);
            }
            Member::Pointers {
                at: offset,
                count,
                of,
                optional,
            } => {
                let pointers = self.room(8 * known(count));
                for index in 0..known(count) {
                    let item = match of {
                        Item::Plain(size) => self.bytes(size),
                        Item::Deep(of) => self.structures(of, 1, depth + 1),
                    };
                    write(pointers, 8 * index, item);
                }
                let missing = optional && self.random.below(4) == 0;
                write(at, offset, if missing { ptr::null_mut() } else { pointers });
            }
            Member::Text(offset) => {
                let length = self.random.below(30) as usize;
                let text = self.room(length + 1);
                for index in 0..length {
                    write(text, index, 1 + self.random.below(255) as u8);
                }
                write(at, offset, text);
            }
            Member::Inline { at: offset, of } => {
                let chain = self.chain(of, depth + 1);
                self.fill(of, at.wrapping_add(offset), chain, depth + 1);
            }
            Member::Choice {
                at: offset,
                by,
                cases,
            } => {
                let (value, of) = cases[self.random.below(cases.len() as u64) as usize];
                write(at, by, value);
                let chain = self.chain(of, depth + 1);
                self.fill(of, at.wrapping_add(offset), chain, depth + 1);
            }
            Member::When {
                at: offset,
                by,
                values,
                then,
            } => {
                // SAFETY: the number was written.
                let value: i32 = unsafe { at.wrapping_add(by).cast::<i32>().read() };
                if values.contains(&value) {
                    self.member(layout, then, at, chain, counts, depth);
                } else {
                    // It leads nowhere, and nobody may look.
                    write(at, offset, ptr::without_provenance_mut::<u8>(0x10));
                }
            }
        }
    }

    /// Whoever reads the arguments from now on reads nonsense.
    pub(crate) fn spoil(&mut self) {
        for (memory, words) in &self.memory {
            // SAFETY: the maker's own memory, which nobody else uses any more.
            unsafe { ptr::write_bytes(*memory, 0xdd, *words) };
        }
    }
}

impl Drop for Maker {
    fn drop(&mut self) {
        for (memory, words) in self.memory.drain(..) {
            // SAFETY: it was made by `Box::into_raw`, with that length.
            drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(memory, words)) });
        }
    }
}

/// Writes a value at an offset of the maker's own memory.
fn write<T>(at: *mut u8, offset: usize, value: T) {
    // SAFETY: the offsets are those of layouts, within memory of that size.
    unsafe { at.wrapping_add(offset).cast::<T>().write(value) }
}
