//! A queue's lane: a ring or a chain, as its capacity says.
#![allow(
    unsafe_code,
    reason = "passes the obligations of the lane's two ends on"
)]

use std::time::Instant;

use crate::park::{Gate, Woken};
use crate::queue::Capacity;
use crate::queue::lane::Store;
use crate::queue::ring::Ring;
use crate::queue::segments::Chain;
use crate::scope::Scope;

/// Bounded or unbounded.
pub(crate) enum QueueStore<T, S: Scope> {
    Ring(Ring<T, S>),
    Chain(Chain<T, S>),
}

/// Calls the same method of whichever store it is.
macro_rules! either {
    ($store:expr, $ends:ident => $call:expr) => {
        match $store {
            // SAFETY: the caller's obligation is the same for the store inside.
            QueueStore::Ring($ends) => unsafe { $call },
            // SAFETY: as above.
            QueueStore::Chain($ends) => unsafe { $call },
        }
    };
}

impl<T, S: Scope> Store<T> for QueueStore<T, S> {
    type Config = Capacity;

    fn new(capacity: Capacity) -> Self {
        match capacity {
            Capacity::Bounded(messages) => Self::Ring(Ring::new(messages)),
            Capacity::Unbounded => Self::Chain(Chain::new(())),
        }
    }

    unsafe fn prepare(&self) -> bool {
        either!(self, store => store.prepare())
    }

    unsafe fn wait_room(
        &self,
        gate: &mut Gate,
        deadline: Option<Instant>,
        also: impl Fn() -> bool,
    ) -> Woken {
        either!(self, store => store.wait_room(gate, deadline, also))
    }

    fn ring_room(&self) {
        if let Self::Ring(ring) = self {
            ring.ring_room();
        }
    }

    unsafe fn has_room(&self) -> bool {
        either!(self, store => store.has_room())
    }

    #[inline(always)]
    unsafe fn write(&self, message: T) -> Result<(), T> {
        either!(self, store => store.write(message))
    }

    #[inline(always)]
    unsafe fn publish(&self) {
        either!(self, store => store.publish());
    }

    #[inline(always)]
    unsafe fn is_ready(&self) -> bool {
        either!(self, store => store.is_ready())
    }

    #[inline(always)]
    unsafe fn take(&self) -> Option<T> {
        either!(self, store => store.take())
    }

    #[inline(always)]
    unsafe fn release(&self) {
        either!(self, store => store.release());
    }
}
