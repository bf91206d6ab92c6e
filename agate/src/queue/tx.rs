//! The sending end that senders and ports share: a place, and the lane that it holds.
//!
//! # Invariants
//!
//! - I1: `lane` is a lane of the intake of `place`'s object, taken by `attach` and given back in `drop`: in between
//!   this `Tx` is its only sender.
//! - I2: lanes do not move and live as long as their intake, which `place` keeps alive.
#![allow(
    unsafe_code,
    reason = "keeps a pointer to a lane beside the place that keeps the lane alive"
)]

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::time::Instant;

use crate::attach::Place;
use crate::error::{AttachError, Closed};
use crate::kind::Kind;
use crate::park::Woken;
use crate::queue::intake::{Intake, Refused};
use crate::queue::lane::Lane;
use crate::scope::Scope;

/// A kind of object that has an intake.
pub(crate) trait HasIntake<S: Scope>: Kind<S> {
    type Message: 'static;

    fn intake(&self) -> &Intake<Self::Message, S>;
}

/// An attached sending end. Not `Sync`: one thread at a time.
pub(crate) struct Tx<K: HasIntake<S>, S: Scope> {
    lane: NonNull<Lane<K::Message, S>>,
    place: Place<K, S>,
    not_sync: PhantomData<Cell<()>>,
}

// SAFETY: by I1 the lane's sending end belongs to this value, wherever it is moved, and messages are `Send`.
unsafe impl<K: HasIntake<S>, S: Scope> Send for Tx<K, S>
where
    Place<K, S>: Send,
    K::Message: Send,
{
}

impl<K: HasIntake<S>, S: Scope> Tx<K, S> {
    #[inline]
    pub(crate) fn attach(place: Place<K, S>) -> Result<Self, AttachError> {
        let lane = place.intake().attach()?;
        Ok(Self {
            lane,
            place,
            not_sync: PhantomData,
        })
    }

    #[track_caller]
    pub(crate) fn try_clone(&self) -> Result<Self, AttachError> {
        Self::attach(self.place.another()?)
    }

    pub(crate) fn place(&self) -> &Place<K, S> {
        &self.place
    }

    pub(crate) fn object(&self) -> &K {
        &self.place
    }

    #[inline(always)]
    pub(crate) fn lane(&self) -> &Lane<K::Message, S> {
        // SAFETY: I2.
        unsafe { self.lane.as_ref() }
    }

    #[inline(always)]
    pub(crate) fn send(&self, message: K::Message) -> Result<(), Refused<K::Message>> {
        // SAFETY: I1, and `&self` of a type that is not `Sync` is one thread.
        unsafe { self.place.intake().send(self.lane(), message) }
    }

    /// Waits until there is room, the object is closed, `also` is true, or the deadline has come.
    pub(crate) fn wait_room(&self, deadline: Option<Instant>, also: impl Fn() -> bool) -> Woken {
        let also = || self.place.intake().is_closed() || also();
        // SAFETY: I1, as in `send`.
        unsafe { self.lane().wait_room(deadline, also) }
    }

    /// Sends as many as there is room for, and publishes them together, also if the iterator panics.
    pub(crate) fn send_batch(
        &self,
        messages: &mut impl Iterator<Item = K::Message>,
    ) -> Result<usize, Closed> {
        if self.place.intake().is_closed() {
            return Err(Closed);
        }
        let batch = Batch(self);
        let lane = batch.0.lane();
        // SAFETY: I1, as in `send`.
        Ok(unsafe { lane.write_from(messages) })
    }
}

impl<K: HasIntake<S>, S: Scope> Tx<K, S>
where
    K::Message: Copy,
{
    /// Sends copies of as many as there is room for, and publishes them together.
    #[inline]
    pub(crate) fn send_slice(&self, messages: &[K::Message]) -> Result<usize, Closed> {
        let intake = self.place.intake();
        if intake.is_closed() {
            return Err(Closed);
        }
        // SAFETY: I1, as in `send`.
        let sent = unsafe { self.lane().write_all(messages) };
        // SAFETY: I1, as in `send`.
        unsafe { intake.publish(self.lane()) };
        Ok(sent)
    }
}

/// Publishes when it goes out of scope.
struct Batch<'a, K: HasIntake<S>, S: Scope>(&'a Tx<K, S>);

impl<K: HasIntake<S>, S: Scope> Drop for Batch<'_, K, S> {
    fn drop(&mut self) {
        // SAFETY: I1, as in `send`.
        unsafe { self.0.place.intake().publish(self.0.lane()) };
    }
}

impl<K: HasIntake<S>, S: Scope> Drop for Tx<K, S> {
    fn drop(&mut self) {
        self.place.intake().detach(self.lane());
    }
}
