//! Completion ports: one place where the answers of many operations arrive, each with a key.
//!
//! # Invariants
//!
//! The slot of a watched completion is itself the node of the port's list, so an answer that arrives needs no memory.
//!
//! - P1: a slot on the list was resolved with `POST` set, so by R1 to R3 it belongs to whoever takes it off the list;
//!   its `left` cell holds the slot below and the key.
//! - P2: slots are pushed one by one and taken off all at once, by exchanges of `head`; the release of each push meets
//!   the acquire of the exchange that takes it. Nobody follows a link that he has not taken off, so a slot that comes
//!   again does no harm.
//! - P3: `head` is `gone()` from when the port is dropped; nothing is pushed after that.
//! - P4: only the port itself takes off, with `&mut`. `ready` heads the list of what was taken off and not yielded.
#![allow(
    unsafe_code,
    reason = "slots are the nodes of an intrusive list, P1 to P4"
)]

mod full;

use std::fmt;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::task::Waker;
use std::time::{Duration, Instant};

pub use full::PortFull;

use crate::caught;
use crate::completion::help::Helped;
use crate::completion::helpers::Helpers;
use crate::completion::slot::{Outcome, POST, RELEASED, RESOLVED, Slot, free};
use crate::completion::wait::{Pieces, is_over};
use crate::completion::{Completion, boxed, ends, is_wait_forbidden};
use crate::counted::Counted;
use crate::error::{CompletionError, NextError};
use crate::park::{Bell, Gate, WaitMode, Woken, park_until};
use crate::scope::{Local, Scope};
use crate::sync::Line;
use crate::sync::atomic::Ordering;
use crate::words::{Number, Word};

/// What a port and the completions that it watches share.
struct Shared<T, S: Scope> {
    head: Line<S::Ptr<Slot<T, S>>>,
    bell: S::Bell,
    /// How many are watched and were not yielded.
    watched: S::Usize,
    /// How many of these come from owners whom a wait can help.
    helped: S::Usize,
    limit: usize,
}

// SAFETY: the list moves values of type `T` between threads; by P1 and P2 each slot is one thread's at a time.
unsafe impl<T: Send> Send for Shared<T, Local> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T, Local> {}

/// So many owners a port keeps in mind of whom it awaits nothing, in case that they are asked again.
const STALE: usize = 8;

/// What `head` is when the port is gone: the address of no slot.
fn gone<T, S: Scope>() -> *mut Slot<T, S> {
    ptr::without_provenance_mut(1)
}

/// What a watched completion leaves in its slot: where to post to, under which key.
pub(super) struct Watch<T, S: Scope> {
    port: S::Ref<Shared<T, S>>,
    key: u64,
    helped: bool,
}

/// What is in its place once it has arrived.
struct Link<T, S: Scope> {
    below: *mut Slot<T, S>,
    key: u64,
    helped: bool,
}

impl<T, S: Scope> Watch<T, S> {
    /// Whether the port is there.
    pub(super) fn is_wanted(&self) -> bool {
        self.port.head.load(Ordering::Relaxed) != gone()
    }

    /// Puts a resolved slot on the port's list. The outcome comes back if the port is gone.
    ///
    /// # Safety
    ///
    /// This watch was taken out of the slot, which is the caller's by `POST`, R1 to R3, and not used by it afterwards.
    pub(super) unsafe fn arrive(self, slot: NonNull<Slot<T, S>>) -> Option<Outcome<T>> {
        let Self { port, key, helped } = self;
        // SAFETY: it is the caller's until it is pushed.
        let shared = unsafe { slot.as_ref() };
        let mut below = port.head.load(Ordering::Relaxed);
        while below != gone() {
            // SAFETY: R2: the cell is the caller's until the slot is pushed; a link needs no drop.
            unsafe { shared.leave(Link { below, key, helped }) };
            match port.head.compare_exchange(
                below,
                slot.as_ptr(),
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    port.bell.ring();
                    return None;
                }
                Err(now) => below = now,
            }
        }
        // SAFETY: R1.
        let outcome = unsafe { shared.take() };
        // SAFETY: R3: the port is gone.
        unsafe { free(slot) };
        Some(outcome)
    }
}

/// An answer that has arrived at a port.
///
/// # Examples
///
/// See [`CompletionPort::try_next`].
#[derive(Debug)]
pub struct Arrival<T> {
    /// What it was watched under.
    pub key: u64,
    /// The answer, or why there is none.
    pub outcome: Result<T, CompletionError>,
}

/// Where the answers of many operations arrive: one place to look at and to sleep on, whatever comes first.
///
/// A completion that is [watched](Self::watch) under a key arrives with that key. Its own slot is what the port keeps,
/// so watching and arriving allocate nothing, and arriving cannot fail. Answers arrive in the order in which they were
/// resolved. Dropping the port drops what has arrived; what has not is dropped by its resolver.
///
/// # Examples
///
/// ```
/// use agate::CompletionPort;
/// use std::time::Duration;
///
/// let mut port = CompletionPort::new();
/// for key in 0..4_u64 {
///     let (resolver, completion) = agate::completion();
///     port.watch(completion, key);
///     std::thread::spawn(move || resolver.resolve(10 * key));
/// }
/// for _ in 0..4 {
///     let arrival = port.next_timeout(Duration::from_secs(60))?;
///     assert_eq!(arrival.outcome, Ok(10 * arrival.key));
/// }
/// # Ok::<(), agate::NextError>(())
/// ```
pub struct CompletionPort<T, S: Scope = Local> {
    shared: S::Ref<Shared<T, S>>,
    ready: *mut Slot<T, S>,
    gate: Gate,
    /// What may bring the watched answers about.
    helpers: Helpers<S>,
    owns: PhantomData<T>,
}

// SAFETY: a port receives values of type `T` from the resolvers' threads; `ready` is its own by P4.
unsafe impl<T: Send> Send for CompletionPort<T, Local> {}
// SAFETY: through `&CompletionPort` only the shared words and the helpers, which are `Sync`, are reached.
unsafe impl<T: Send> Sync for CompletionPort<T, Local> {}

impl<T: Send + 'static> CompletionPort<T> {
    /// Makes a port without a limit.
    ///
    /// # Progress
    ///
    /// Allocates; asks the kernel for its barrier.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut port = agate::CompletionPort::<u32>::new();
    /// assert_eq!(port.watched(), 0);
    /// assert!(port.try_next().is_none());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::with_limit(usize::MAX)
    }

    /// Makes a port at which [`try_watch`](Self::try_watch) lets so many be watched, and not yet taken, at once.
    ///
    /// # Progress
    ///
    /// As [`new`](Self::new).
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self::of(limit)
    }
}

impl<T, S: Scope> CompletionPort<T, S> {
    /// A port with a limit.
    pub(crate) fn of(limit: usize) -> Self {
        Self {
            shared: S::Ref::new(Shared {
                head: Line(S::Ptr::new(ptr::null_mut())),
                bell: S::Bell::new(WaitMode::Wake),
                watched: S::Usize::new(0),
                helped: S::Usize::new(0),
                limit,
            }),
            ready: ptr::null_mut(),
            gate: Gate::new(),
            helpers: Helpers::new(),
            owns: PhantomData,
        }
    }

    /// Has the answer arrive here, under this key. A limit does not bind this, but what is watched counts towards it.
    ///
    /// # Progress
    ///
    /// Wait-free if it is not done yet, else lock-free. Allocates only for a completion whose answer was taken or
    /// cancelled before, which arrives as that error. An answer of an owner that [its users
    /// drive](crate::Driver::Users) makes it lock-free, and the first one of each such owner allocates: waits at this
    /// port help that owner.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut port = agate::CompletionPort::new();
    /// let (resolver, completion) = agate::completion();
    /// port.watch(completion, 7);
    /// assert!(port.try_next().is_none());
    /// resolver.resolve("done");
    /// let arrival = port.try_next().unwrap();
    /// assert_eq!((arrival.key, arrival.outcome), (7, Ok("done")));
    /// ```
    pub fn watch(&self, completion: Completion<T, S>, key: u64) {
        self.shared.watched.fetch_add(1, Ordering::Relaxed);
        self.enter(completion, key);
    }

    /// As [`watch`](Self::watch), but keeps to the port's limit.
    ///
    /// # Errors
    ///
    /// [`PortFull`] with the completion, when as many are watched as the limit allows: take some first.
    ///
    /// # Progress
    ///
    /// Lock-free.
    ///
    /// # Examples
    ///
    /// ```
    /// let port = agate::CompletionPort::with_limit(1);
    /// let (_one, answer) = agate::completion::<u32>();
    /// assert!(port.try_watch(answer, 1).is_ok());
    /// let (_two, answer) = agate::completion();
    /// let _answer = port.try_watch(answer, 2).unwrap_err().into_completion();
    /// ```
    pub fn try_watch(&self, completion: Completion<T, S>, key: u64) -> Result<(), PortFull<T, S>> {
        let watched = &self.shared.watched;
        let mut seen = watched.load(Ordering::Relaxed);
        loop {
            if seen >= self.shared.limit {
                return Err(PortFull(completion));
            }
            match watched.compare_exchange_weak(
                seen,
                seen + 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => break,
                Err(now) => seen = now,
            }
        }
        self.enter(completion, key);
        Ok(())
    }

    fn enter(&self, mut completion: Completion<T, S>, key: u64) {
        let helper = completion.take_helper();
        let helped = helper.is_some();
        if let Some(helper) = helper {
            self.shared.helped.fetch_add(1, Ordering::Relaxed);
            self.helpers.add(helper);
        }
        let watch = Watch {
            port: self.shared.clone(),
            key,
            helped,
        };
        completion.post(watch);
    }

    /// How many are watched and were not taken.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn watched(&self) -> usize {
        self.shared.watched.load(Ordering::Relaxed)
    }

    /// Takes the next answer that has arrived.
    ///
    /// # Progress
    ///
    /// Wait-free, in as many steps as answers have arrived since it last took them off.
    pub fn try_next(&mut self) -> Option<Arrival<T>> {
        // SAFETY: P4.
        let arrival = unsafe { next(&self.shared, &mut self.ready) }?;
        if self.helpers.len() > STALE && self.shared.helped.load(Ordering::Relaxed) == 0 {
            self.helpers.clear();
        }
        Some(arrival)
    }

    /// Takes the next answer, waiting up to `timeout` for it.
    ///
    /// # Errors
    ///
    /// [`NextError::Idle`] when nothing is watched; [`NextError::TimedOut`]; [`NextError::WouldStall`] when nothing
    /// has arrived and this thread must not park.
    ///
    /// # Progress
    ///
    /// May park. However many answers arrive meanwhile, it is woken once.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{CompletionPort, NextError};
    /// use std::time::Duration;
    ///
    /// let mut port = CompletionPort::new();
    /// let (resolver, answer) = agate::completion();
    /// port.watch(answer, 1);
    /// std::thread::spawn(move || resolver.resolve("done"));
    /// let arrival = port.next_timeout(Duration::from_secs(10))?;
    /// assert_eq!((arrival.key, arrival.outcome), (1, Ok("done")));
    /// assert_eq!(port.next_timeout(Duration::ZERO).unwrap_err(), NextError::Idle);
    /// # Ok::<(), NextError>(())
    /// ```
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Arrival<T>, NextError> {
        self.next_by(|| Instant::now().checked_add(timeout))
    }

    /// Takes the next answer, waiting for it until this time.
    ///
    /// # Errors
    ///
    /// As [`next_timeout`](Self::next_timeout).
    ///
    /// # Progress
    ///
    /// As [`next_timeout`](Self::next_timeout).
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{CompletionPort, NextError};
    /// use std::time::Instant;
    ///
    /// let mut port = CompletionPort::new();
    /// let (resolver, completion) = agate::completion();
    /// port.watch(completion, 1);
    /// assert_eq!(port.next_until(Instant::now()).unwrap_err(), NextError::TimedOut);
    /// resolver.resolve(2);
    /// assert_eq!(port.next_until(Instant::now())?.outcome, Ok(2));
    /// # Ok::<(), NextError>(())
    /// ```
    pub fn next_until(&mut self, deadline: Instant) -> Result<Arrival<T>, NextError> {
        self.next_by(|| Some(deadline))
    }

    /// Takes the next answer, waiting for it as long as something is watched: every resolver ends with an outcome.
    ///
    /// # Errors
    ///
    /// [`NextError::Idle`] when nothing is watched; [`NextError::WouldStall`] when nothing has arrived and this
    /// thread must not park.
    ///
    /// # Progress
    ///
    /// As [`next_timeout`](Self::next_timeout).
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{CompletionPort, NextError};
    ///
    /// let mut port = CompletionPort::new();
    /// let (resolver, completion) = agate::completion();
    /// port.watch(completion, 1);
    /// std::thread::spawn(move || resolver.resolve(2));
    /// assert_eq!(port.wait_next()?.outcome, Ok(2));
    /// assert_eq!(port.wait_next().unwrap_err(), NextError::Idle);
    /// # Ok::<(), NextError>(())
    /// ```
    pub fn wait_next(&mut self) -> Result<Arrival<T>, NextError> {
        self.next_by(|| None)
    }

    /// Takes all that has arrived, one after the other.
    ///
    /// # Progress
    ///
    /// As [`try_next`](Self::try_next).
    ///
    /// # Examples
    ///
    /// ```
    /// let mut port = agate::CompletionPort::new();
    /// for key in 0..4 {
    ///     let (resolver, completion) = agate::completion();
    ///     port.watch(completion, key);
    ///     resolver.resolve("done");
    /// }
    /// let keys: Vec<u64> = port.drain().map(|arrival| arrival.key).collect();
    /// assert_eq!(keys, [0, 1, 2, 3]);
    /// ```
    pub fn drain(&mut self) -> Arrivals<'_, T, S> {
        Arrivals { port: self }
    }

    fn next_by(
        &mut self,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<Arrival<T>, NextError> {
        let mut pieces = Pieces::new();
        let mut until = None;
        let mut deadline = Some(deadline);
        loop {
            let helped = self.has_nothing().then(|| self.help()).flatten();
            if let Some(arrival) = self.try_next() {
                return Ok(arrival);
            }
            // Nobody can watch meanwhile: the port is ours alone.
            if self.watched() == 0 {
                self.helpers.clear();
                return Err(NextError::Idle);
            }
            if let Some(deadline) = deadline.take() {
                until = deadline();
            }
            let again = match helped {
                Some(Helped::Inside) => return Err(NextError::WouldStall),
                Some(Helped::More) if !is_over(until) => {
                    pieces = Pieces::new();
                    continue;
                }
                Some(Helped::Idle(at)) => at,
                Some(Helped::More | Helped::Busy) | None => None,
            };
            if is_wait_forbidden() {
                return Err(NextError::WouldStall);
            }
            let piece = match helped {
                Some(_) => pieces.next::<S>(until, again),
                None => until,
            };
            if S::ALONE && again.is_some() {
                // Until the one who is helped wants it again.
                park_until(&mut self.gate, piece, drop, || false);
            } else {
                let Shared { head, bell, .. } = &*self.shared;
                let arrived = || !head.load(Ordering::Acquire).is_null();
                if bell.wait(&mut self.gate, piece, arrived) == Woken::Stalled {
                    return Err(NextError::WouldStall);
                }
            }
            if self.has_nothing() && is_over(until) {
                return Err(NextError::TimedOut);
            }
        }
    }

    /// Whether a call for the next arrival would not find that there is nothing yet.
    pub(crate) fn has_news(&self) -> bool {
        !self.has_nothing() || self.watched() == 0
    }

    /// Has the next arrival wake this.
    pub(crate) fn register(&self, waker: &Waker) {
        self.shared.bell.register(waker);
    }

    /// Takes a waker that was left back.
    pub(crate) fn unregister(&self) {
        self.shared.bell.unregister();
    }

    fn has_nothing(&self) -> bool {
        self.ready.is_null() && self.shared.head.load(Ordering::Relaxed).is_null()
    }

    /// Helps each once. `None` where none can, or this thread is inside of all whom it could help, while something else
    /// may arrive too.
    pub(crate) fn help(&mut self) -> Option<Helped> {
        let helped = self.helpers.help();
        let others = self.watched() > self.shared.helped.load(Ordering::Relaxed);
        helped.filter(|&helped| helped != Helped::Inside || !others)
    }
}

/// Takes the next slot off, and its outcome out of it.
///
/// # Safety
///
/// P4: the caller is the port of `shared`, and `ready` its list.
unsafe fn next<T, S: Scope>(
    shared: &Shared<T, S>,
    ready: &mut *mut Slot<T, S>,
) -> Option<Arrival<T>> {
    if ready.is_null() {
        if shared.head.load(Ordering::Relaxed).is_null() {
            return None;
        }
        // SAFETY: P4: it is the port's now.
        *ready = unsafe { reversed(shared.head.swap(ptr::null_mut(), Ordering::Acquire)) };
    }
    // SAFETY: P1: the list is the port's.
    unsafe { pop(shared, ready) }
}

/// Takes the first slot of a list, and its outcome out of it.
///
/// # Safety
///
/// P1: the list is the caller's.
unsafe fn pop<T, S: Scope>(
    shared: &Shared<T, S>,
    list: &mut *mut Slot<T, S>,
) -> Option<Arrival<T>> {
    let slot = NonNull::new(*list)?;
    // SAFETY: P1: alive until it is freed below.
    let node = unsafe { slot.as_ref() };
    // SAFETY: P1.
    let Link { below, key, helped } = unsafe { node.take_left() };
    *list = below;
    // SAFETY: P1.
    let outcome = unsafe { node.take() };
    // SAFETY: P1 and R3: we took it off.
    unsafe { free(slot) };
    shared.watched.fetch_sub(1, Ordering::Relaxed);
    if helped {
        shared.helped.fetch_sub(1, Ordering::Relaxed);
    }
    Some(Arrival { key, outcome })
}

/// A list turned round: the last pushed comes last.
///
/// # Safety
///
/// P1: the list is the caller's.
unsafe fn reversed<T, S: Scope>(mut list: *mut Slot<T, S>) -> *mut Slot<T, S> {
    let mut turned = ptr::null_mut();
    while let Some(slot) = NonNull::new(list) {
        // SAFETY: P1.
        let node = unsafe { slot.as_ref() };
        // SAFETY: P1.
        let Link { below, key, helped } = unsafe { node.take_left::<Link<T, S>>() };
        // SAFETY: P1, and the cell was emptied just now.
        unsafe {
            node.leave(Link {
                below: turned,
                key,
                helped,
            });
        }
        turned = slot.as_ptr();
        list = below;
    }
    turned
}

impl<T: Send + 'static> Default for CompletionPort<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, S: Scope> Drop for CompletionPort<T, S> {
    fn drop(&mut self) {
        let taken = self.shared.head.swap(gone(), Ordering::AcqRel);
        for mut list in [self.ready, taken] {
            // SAFETY: P1 and P4: both lists are ours.
            while let Some(arrival) = unsafe { pop(&self.shared, &mut list) } {
                // A panic in one drop must not keep the others from theirs.
                caught::run(|| drop(arrival));
            }
        }
    }
}

impl<T, S: Scope> fmt::Debug for CompletionPort<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompletionPort")
            .field("watched", &self.shared.watched)
            .finish_non_exhaustive()
    }
}

/// What has arrived at a port; see [`CompletionPort::drain`].
pub struct Arrivals<'a, T, S: Scope = Local> {
    port: &'a mut CompletionPort<T, S>,
}

impl<T, S: Scope> Iterator for Arrivals<'_, T, S> {
    type Item = Arrival<T>;

    fn next(&mut self) -> Option<Arrival<T>> {
        self.port.try_next()
    }
}

impl<T, S: Scope> fmt::Debug for Arrivals<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrivals").finish_non_exhaustive()
    }
}

impl<T, S: Scope> Completion<T, S> {
    /// Has the answer arrive at a port, under this key; see [`CompletionPort::watch`].
    ///
    /// # Progress
    ///
    /// As [`CompletionPort::watch`].
    ///
    /// # Examples
    ///
    /// ```
    /// let mut port = agate::CompletionPort::new();
    /// let (resolver, completion) = agate::completion();
    /// completion.post_to(&port, 7);
    /// resolver.resolve("done");
    /// assert_eq!(port.try_next().unwrap().key, 7);
    /// ```
    pub fn post_to(self, port: &CompletionPort<T, S>, key: u64) {
        port.watch(self, key);
    }

    /// Leaves a watch for the resolver, or arrives at once.
    fn post(mut self, watch: Watch<T, S>) {
        let Some(slot) = self.unresolved() else {
            return self.arrive(watch);
        };
        // SAFETY: by R3 of `slot` it is alive.
        let shared = unsafe { slot.as_ref() };
        // SAFETY: R2: no waiter is left.
        unsafe { shared.leave(watch) };
        self.slot = None;
        if shared.state.fetch_or(POST, Ordering::AcqRel) & RESOLVED != 0 {
            // SAFETY: R2: the resolver came before and found nothing.
            let watch: Watch<T, S> = unsafe { shared.take_left() };
            // SAFETY: R1 and R3, for the same reason: the slot is ours, outcome included.
            drop(unsafe { watch.arrive(slot) });
        }
    }

    /// Arrives with the outcome, which is there or was taken.
    fn arrive(mut self, watch: Watch<T, S>) {
        let slot = match self.slot.filter(|&slot| self.is_left_alone(slot)) {
            Some(slot) => slot,
            None => {
                let outcome = self.outcome();
                let (resolver, mut fresh) = ends(boxed());
                resolver.settle(outcome);
                fresh.slot.take().expect("nobody has taken it")
            }
        };
        self.slot = None;
        // SAFETY: R1 and R3: resolved, and the resolver is done with it.
        drop(unsafe { watch.arrive(slot) });
    }

    /// Whether the resolver does not use the slot any more; it is resolved.
    fn is_left_alone(&self, slot: NonNull<Slot<T, S>>) -> bool {
        // SAFETY: by R3 the slot is alive.
        let state = unsafe { slot.as_ref() }.state.load(Ordering::Acquire);
        !self.left_waiter || state & RELEASED != 0
    }
}
