//! Who holds the places of an object: where in the source they were taken, as far as there was room to note it.
//!
//! # Invariants
//!
//! - I1: a slot is null, or points to a `Location` that lives for ever, with the role in the lowest bits.
#![allow(
    unsafe_code,
    reason = "locations are kept as pointers with a role in their low bits, I1"
)]

use std::fmt;
use std::panic::Location;
use std::ptr;

use crate::attach::Role;
use crate::scope::Scope;
use crate::sync::atomic::Ordering;
use crate::words::Word;

/// Where in the source those were attached who hold the places of a role: the first eight that are known.
///
/// Others come and go meanwhile, so they may be fewer or more than the limit.
///
/// # Examples
///
/// ```
/// use agate::{AttachError, Capacity, Limits, Local, Scope};
///
/// let queue = Local.queue::<u8>(Limits::senders(1), Capacity::Unbounded)?;
/// let _sender = queue.attach_sender()?;
/// let here = line!() - 1;
/// let Err(AttachError::LimitReached { holders, .. }) = queue.attach_sender() else {
///     panic!("one sender at a time");
/// };
/// let lines: Vec<u32> = holders.iter().map(|location| location.line()).collect();
/// assert_eq!(lines, [here]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
// In a box, so that the result of an attach is small and returned in no time: this alone is what a refusal costs more.
pub struct Holders(Box<[&'static Location<'static>]>);

/// So many are told.
const MOST: usize = 8;

impl Holders {
    /// The places in the source.
    ///
    /// # Progress
    ///
    /// Wait-free.
    pub fn iter(&self) -> impl Iterator<Item = &'static Location<'static>> {
        self.0.iter().copied()
    }
}

impl fmt::Debug for Holders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(ToString::to_string))
            .finish()
    }
}

impl fmt::Display for Holders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.iter().count();
        for (index, location) in self.iter().enumerate() {
            f.write_str(match index {
                0 => "",
                _ if index + 1 == count => " and ",
                _ => ", ",
            })?;
            location.fmt(f)?;
        }
        Ok(())
    }
}

/// Slots for all roles of an object: as many as fit into the line beside its counts.
const SLOTS: usize = if cfg!(loom) { 1 } else { 12 };

/// The locations of those who hold places.
pub(crate) struct Notes<S: Scope>([S::Ptr<Location<'static>>; SLOTS]);

/// Which slot somebody's location is in, if any.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Note(u8);

impl Note {
    pub(crate) const NONE: Self = Self(u8::MAX);

    #[inline(always)]
    pub(crate) const fn number(self) -> u8 {
        self.0
    }

    /// The note with that number.
    #[inline(always)]
    pub(crate) const fn of_number(number: u8) -> Self {
        Self(number)
    }
}

fn tag(role: Role) -> usize {
    const { assert!(align_of::<Location<'static>>() >= 4, "two bits are free") }
    match role {
        Role::Sender => 0,
        Role::Receiver => 1,
        Role::User => 2,
    }
}

impl<S: Scope> Notes<S> {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| S::Ptr::new(ptr::null_mut())))
    }

    /// Notes a location, where there is room.
    pub(crate) fn note(&self, role: Role, location: &'static Location<'static>) -> Note {
        let noted = ptr::from_ref(location)
            .cast_mut()
            .map_addr(|address| address | tag(role));
        let free = self.0.iter().position(|slot| {
            slot.load(Ordering::Relaxed).is_null()
                && slot
                    .compare_exchange(ptr::null_mut(), noted, Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok()
        });
        free.and_then(|slot| u8::try_from(slot).ok())
            .map_or(Note::NONE, Note)
    }

    /// Strikes out what was noted. Called once for each note.
    #[inline(always)]
    pub(crate) fn strike(&self, note: Note) {
        if let Some(slot) = self.0.get(usize::from(note.0)) {
            slot.store(ptr::null_mut(), Ordering::Relaxed);
        }
    }

    /// Those of a role.
    pub(crate) fn holders(&self, role: Role) -> Holders {
        let noted = self.0.iter().filter_map(|slot| {
            let noted = slot.load(Ordering::Relaxed);
            let location = noted.map_addr(|address| address & !3);
            if location.is_null() || noted.addr() & 3 != tag(role) {
                return None;
            }
            // SAFETY: I1.
            Some(unsafe { &*location.cast_const() })
        });
        Holders(noted.take(MOST).collect())
    }
}
