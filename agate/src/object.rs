//! What handles and attachments share: an object, its limits, who is attached, and when it ends.
//!
//! # Invariants
//!
//! - I1: `refs` counts one for all handles together, one for all places together while there is any, and one for each
//!   `Kept`, such as that of a thread that just now tells the object that a role is vacant. The object is freed by whoever takes the last one.
//! - I2: `names` counts handles. It leaves 0 never again, since handles are cloned from handles.
//! - I3: a place is added to none only by somebody who holds a handle, so `refs` is not 0 then. Whoever makes the
//!   number of places leave 0 adds to `refs`, whoever makes it 0 takes from it.
//! - I4: a `Named`, a `Held` or a `Kept` is one handle, one place or one count; as long as it is there, the object is, by I1.
//! - I5: `Named`, `Held` and `Kept` may cross threads only where the scope's `Confined` may.
#![allow(
    unsafe_code,
    reason = "counts its users itself: one word for all places, so that attaching touches few words"
)]

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::ptr::NonNull;

use crate::attach::Role;
use crate::error::AttachError;
use crate::handle::Limits;
use crate::holders::{Note, Notes};
use crate::kind::{Kind, Notice};
use crate::scope::Scope;
use crate::sync::Line;
use crate::sync::atomic::Ordering;
use crate::words::{Number, Word};

/// An object and everything that is counted about it.
struct Object<K, S: Scope> {
    kind: K,
    limits: Limits,
    /// Written by everybody who comes and goes, so not beside what is read by all.
    users: Line<Users<S>>,
}

/// Who uses an object.
struct Users<S: Scope> {
    /// How many users of each role are attached: a field of [`BITS`] bits for each.
    places: S::U64,
    names: S::Usize,
    refs: S::Usize,
    /// Where those were attached whose role has a limit.
    notes: Notes<S>,
}

/// Bits of a role's field in the word of places.
const BITS: u32 = 21;
/// How many users of one role there can be at once, limit or not.
const MOST: u64 = (1 << (BITS - 1)) - 1;

fn shift(role: Role) -> u32 {
    match role {
        Role::Sender => 0,
        Role::Receiver => BITS,
        Role::User => 2 * BITS,
    }
}

fn count(places: u64, role: Role) -> u64 {
    (places >> shift(role)) & ((1 << BITS) - 1)
}

/// A pointer to an object that is known to be there.
struct Pointer<K: Kind<S>, S: Scope> {
    object: NonNull<Object<K, S>>,
    confined: PhantomData<S::Confined>,
}

impl<K: Kind<S>, S: Scope> Clone for Pointer<K, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Kind<S>, S: Scope> Copy for Pointer<K, S> {}

// SAFETY: I5; the object is shared by reference, and may be dropped by any of its users.
unsafe impl<K: Kind<S> + Send + Sync, S: Scope> Send for Pointer<K, S> where S::Confined: Send {}
// SAFETY: as above.
unsafe impl<K: Kind<S> + Send + Sync, S: Scope> Sync for Pointer<K, S> where S::Confined: Sync {}

impl<K: Kind<S>, S: Scope> Pointer<K, S> {
    #[inline(always)]
    fn get(&self) -> &Object<K, S> {
        // SAFETY: I4: pointers are kept inside of `Named`, `Held` and `Kept`.
        unsafe { self.object.as_ref() }
    }

    /// Takes one from `refs`.
    ///
    /// # Safety
    ///
    /// It was the caller's, and the caller does not use the object afterwards.
    unsafe fn release(self) {
        // Acquire: what the others did to the object happens before its end.
        if self.get().users.refs.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: I1: nobody else uses the object, which came from a box.
            drop(unsafe { Box::from_raw(self.object.as_ptr()) });
        }
    }
}

/// One handle.
pub(crate) struct Named<K: Kind<S>, S: Scope>(Pointer<K, S>);

impl<K: Kind<S>, S: Scope> Named<K, S> {
    pub(crate) fn new(limits: Limits, kind: K) -> Self {
        let object = Box::new(Object::<K, S> {
            kind,
            limits,
            users: Line(Users {
                places: S::U64::new(0),
                names: S::Usize::new(1),
                refs: S::Usize::new(1),
                notes: Notes::new(),
            }),
        });
        Self(Pointer {
            object: NonNull::from(Box::leak(object)),
            confined: PhantomData,
        })
    }

    pub(crate) fn kind(&self) -> &K {
        &self.0.get().kind
    }

    pub(crate) fn limits(&self) -> Limits {
        self.0.get().limits
    }

    pub(crate) fn attached(&self, role: Role) -> usize {
        attached(&self.0, role)
    }

    #[track_caller]
    #[inline(always)]
    pub(crate) fn enter(&self, role: Role) -> Result<Held<K, S>, AttachError> {
        enter(self.0, role)
    }
}

impl<K: Kind<S>, S: Scope> Clone for Named<K, S> {
    fn clone(&self) -> Self {
        if self.0.get().users.names.fetch_add(1, Ordering::Relaxed) > usize::MAX / 2 {
            // So many handles can only have been forgotten; as with `Arc`, going on would free what is in use.
            std::process::abort();
        }
        Self(self.0)
    }
}

impl<K: Kind<S>, S: Scope> Drop for Named<K, S> {
    fn drop(&mut self) {
        if self.0.get().users.names.fetch_sub(1, Ordering::AcqRel) == 1 {
            let _count = Kept(self.0);
            self.kind().told(Notice::Unnamed);
        }
    }
}

/// One place in a role.
///
/// Two words, so that it travels in registers.
pub(crate) struct Held<K: Kind<S>, S: Scope> {
    object: Pointer<K, S>,
    place: Taken,
}

/// As what a place was taken, and where that was noted.
#[derive(Clone, Copy)]
struct Taken(usize);

impl Taken {
    #[inline(always)]
    fn new(role: Role, note: Note) -> Self {
        Self(usize::from(note.number()) << 2 | role as usize)
    }

    #[inline(always)]
    fn role(self) -> Role {
        match self.0 & 3 {
            0 => Role::Sender,
            1 => Role::Receiver,
            _ => Role::User,
        }
    }

    #[inline(always)]
    fn note(self) -> Note {
        Note::of_number((self.0 >> 2) as u8)
    }
}

impl<K: Kind<S>, S: Scope> Held<K, S> {
    #[inline(always)]
    pub(crate) fn kind(&self) -> &K {
        &self.object.get().kind
    }

    pub(crate) fn role(&self) -> Role {
        self.place.role()
    }

    pub(crate) fn attached(&self, role: Role) -> usize {
        attached(&self.object, role)
    }

    pub(crate) fn limit(&self, role: Role) -> usize {
        self.object.get().limits.of(role)
    }

    /// Keeps the object without a place in it.
    pub(crate) fn keep(&self) -> Kept<K, S> {
        Kept::new(self.object)
    }

    #[track_caller]
    #[inline(always)]
    pub(crate) fn another(&self) -> Result<Self, AttachError> {
        enter(self.object, self.role())
    }
}

impl<K: Kind<S>, S: Scope> Drop for Held<K, S> {
    #[inline]
    fn drop(&mut self) {
        let object = self.object.get();
        let role = self.role();
        // Before the place is free, so that whoever takes it finds room.
        object.users.notes.strike(self.place.note());
        let one = 1 << shift(role);
        let mut seen = object.users.places.load(Ordering::Relaxed);
        loop {
            // Only the last of a role has something to do when it is out, and must keep the object for that.
            let guard = (count(seen, role) == 1).then(|| self.keep());
            match object.users.places.compare_exchange(
                seen,
                seen - one,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    if seen == one {
                        // SAFETY: I3: the number of places became 0, and `guard` is still there.
                        unsafe { self.object.release() };
                    }
                    if guard.is_some() {
                        object.kind.told(Notice::Vacated(role));
                    }
                    return;
                }
                Err(now) => seen = now,
            }
        }
    }
}

/// One count of `refs`, taken back on drop, also when the user's code panics. It keeps the object, and is no user of it.
pub(crate) struct Kept<K: Kind<S>, S: Scope>(Pointer<K, S>);

impl<K: Kind<S>, S: Scope> Kept<K, S> {
    pub(crate) fn kind(&self) -> &K {
        &self.0.get().kind
    }

    /// Gives the count up as a pointer, which still counts.
    pub(crate) fn into_raw(self) -> *const () {
        ManuallyDrop::new(self)
            .0
            .object
            .as_ptr()
            .cast_const()
            .cast()
    }

    /// Takes it back.
    ///
    /// # Safety
    ///
    /// The pointer comes from `into_raw` of this type, and was not taken back since.
    pub(crate) unsafe fn from_raw(pointer: *const ()) -> Self {
        let object = pointer.cast_mut().cast();
        Self(Pointer {
            // SAFETY: as the caller promises, it was a `NonNull`.
            object: unsafe { NonNull::new_unchecked(object) },
            confined: PhantomData,
        })
    }

    /// Counts once more. Called with a pointer that is kept alive by something else meanwhile.
    fn new(pointer: Pointer<K, S>) -> Self {
        if pointer.get().users.refs.fetch_add(1, Ordering::Relaxed) > usize::MAX / 2 {
            // As with names.
            std::process::abort();
        }
        Self(pointer)
    }
}

impl<K: Kind<S>, S: Scope> Clone for Kept<K, S> {
    fn clone(&self) -> Self {
        Self::new(self.0)
    }
}

impl<K: Kind<S>, S: Scope> Drop for Kept<K, S> {
    fn drop(&mut self) {
        // SAFETY: the count is this value's.
        unsafe { self.0.release() };
    }
}

fn attached<K: Kind<S>, S: Scope>(object: &Pointer<K, S>, role: Role) -> usize {
    usize::try_from(count(
        object.get().users.places.load(Ordering::Acquire),
        role,
    ))
    .unwrap_or(usize::MAX)
}

/// Takes a place. Called by somebody who holds a handle or a place (I3).
#[track_caller]
#[inline(always)]
fn enter<K: Kind<S>, S: Scope>(
    pointer: Pointer<K, S>,
    role: Role,
) -> Result<Held<K, S>, AttachError> {
    let limit = pointer.get().limits.of(role);
    let here = Location::caller();
    let noted = (limit != usize::MAX).then_some(here);
    try_enter(pointer, role, limit, noted).ok_or_else(|| refusal(pointer, role, limit))
}

/// Takes a place where one is free, and notes the location.
#[inline]
fn try_enter<K: Kind<S>, S: Scope>(
    pointer: Pointer<K, S>,
    role: Role,
    limit: usize,
    location: Option<&'static Location<'static>>,
) -> Option<Held<K, S>> {
    let users = &pointer.get().users;
    let most = (limit as u64).min(MOST);
    let mut seen = users.places.load(Ordering::Relaxed);
    loop {
        if count(seen, role) >= most {
            return None;
        }
        // Acquire pairs with the release of a leaver: whatever it did is visible to who takes its place.
        match users.places.compare_exchange_weak(
            seen,
            seen + (1 << shift(role)),
            Ordering::AcqRel,
            Ordering::Relaxed,
        ) {
            Ok(_) => break,
            Err(now) => seen = now,
        }
    }
    if seen == 0 {
        users.refs.fetch_add(1, Ordering::Relaxed);
    }
    let note = location.map_or(Note::NONE, |location| users.notes.note(role, location));
    Some(Held {
        object: pointer,
        place: Taken::new(role, note),
    })
}

/// Why there is no place.
#[cold]
#[inline(never)]
fn refusal<K: Kind<S>, S: Scope>(pointer: Pointer<K, S>, role: Role, limit: usize) -> AttachError {
    if pointer.get().kind.is_closed(role) {
        return AttachError::Closed;
    }
    if limit as u64 > MOST {
        return AttachError::TooMany;
    }
    AttachError::LimitReached {
        role,
        limit,
        holders: pointer.get().users.notes.holders(role),
    }
}
