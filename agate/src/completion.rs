//! Completions: one answer, to be polled, waited for or awaited.
//!
//! # The slot's state word
//!
//! One atomic word of four bits, each set once, except that `WAITER` may be cleared again by the completion:
//!
//! - `RESOLVED`: the resolver has written the outcome.
//! - `WAITER`: the completion has left something to wake.
//! - `DROPPED`: the completion is done with the slot.
//! - `RELEASED`: the resolver, which had found a waiter, is done with the slot.
//!
//! # Rules
//!
//! - R1: the outcome is the resolver's until it sets `RESOLVED`. Then it is the completion's, unless that exchange
//!   found `DROPPED`: then it stays the resolver's.
//! - R2: the waiter is the completion's while `WAITER` is clear. If the resolver's setting of `RESOLVED` found
//!   `WAITER`, it is the resolver's from then on. If the completion's clearing of `WAITER` found no `RESOLVED`, it is
//!   the completion's again.
//! - R3: who frees the slot. The resolver found `DROPPED` when it set `RESOLVED`: the resolver. It found neither
//!   `DROPPED` nor `WAITER`: the completion, the resolver does not touch the slot any more. It found `WAITER`: the one
//!   whose setting of `RELEASED` or `DROPPED` finds the other's bit.
//! - R4: wakers run after the resolver has left the slot, so nothing of ours is held meanwhile.
#![allow(
    unsafe_code,
    reason = "two ends share a slot, split between them by the state word, R1 to R3"
)]

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::caught;
use crate::error::{CompletionError, WaitError};
use crate::freelist::{FreeList, Links};
use crate::park::{Gate, Unparker, Woken, park_until};
use crate::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use crate::sync::cell::UnsafeCell;
use crate::sync::{Arc, per_thread};
use crate::table::Table;
use crate::verdict::verdict;

const RESOLVED: u32 = 1;
const WAITER: u32 = 2;
const DROPPED: u32 = 4;
const RELEASED: u32 = 8;

type Outcome<T> = Result<T, CompletionError>;

/// Whom to wake.
#[derive(Debug)]
enum Waiter {
    Thread(Unparker),
    Task(Waker),
}

impl Waiter {
    /// Wakes. A panic in a waker is caught: it must not end the thread that resolves.
    fn wake(self) {
        match self {
            Self::Thread(thread) => thread.wake(),
            Self::Task(waker) => caught::run(|| waker.wake()),
        }
    }
}

/// What a resolver and its completion share.
#[repr(align(64))]
struct Slot<T> {
    state: AtomicU32,
    link: AtomicU32,
    index: u32,
    /// The pool to go back to, kept alive by a count that the pair holds; null: the slot is a box of its own.
    pool: AtomicPtr<Pool<T>>,
    outcome: UnsafeCell<MaybeUninit<Outcome<T>>>,
    waiter: UnsafeCell<Option<Waiter>>,
}

struct Pool<T> {
    slots: Table<Slot<T>>,
    free: FreeList,
}

// SAFETY: slots move values of type `T` between threads, and rules R1 to R3 give each cell to one thread at a time.
unsafe impl<T: Send> Send for Pool<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Pool<T> {}

impl<T> Links for Table<Slot<T>> {
    fn link(&self, index: u32) -> &AtomicU32 {
        &self
            .get(index as usize)
            .expect("an index on the free list has been made")
            .link
    }
}

impl<T> Slot<T> {
    fn new(index: usize) -> Self {
        Self {
            state: AtomicU32::new(0),
            link: AtomicU32::new(0),
            index: u32::try_from(index).expect("a table has fewer than 2^32 entries"),
            pool: AtomicPtr::new(ptr::null_mut()),
            outcome: UnsafeCell::new(MaybeUninit::uninit()),
            waiter: UnsafeCell::new(None),
        }
    }

    /// Writes the outcome.
    ///
    /// # Safety
    ///
    /// It is the caller's by R1, and holds none yet.
    unsafe fn put(&self, outcome: Outcome<T>) {
        // SAFETY: the outcome is the caller's alone.
        self.outcome
            .with_mut(|cell| unsafe { cell.write(MaybeUninit::new(outcome)) });
    }

    /// Takes the outcome out.
    ///
    /// # Safety
    ///
    /// It is the caller's by R1, was written, and is not taken again.
    unsafe fn take(&self) -> Outcome<T> {
        // SAFETY: the outcome is the caller's alone.
        let outcome = self.outcome.with(|cell| unsafe { cell.read() });
        // SAFETY: it was written.
        unsafe { outcome.assume_init() }
    }

    /// Leaves a waiter, or takes the one that was left.
    ///
    /// # Safety
    ///
    /// It is the caller's by R2.
    unsafe fn replace_waiter(&self, waiter: Option<Waiter>) -> Option<Waiter> {
        // SAFETY: the waiter is the caller's alone.
        self.waiter.with_mut(|cell| unsafe { cell.replace(waiter) })
    }
}

/// Gives a slot back to its pool, or frees it.
///
/// # Safety
///
/// By R3 the caller frees it; the outcome and the waiter were taken out.
unsafe fn free<T>(slot: NonNull<Slot<T>>) {
    // SAFETY: until it is freed below, the slot is alive.
    let shared = unsafe { slot.as_ref() };
    let pool = shared.pool.load(Ordering::Relaxed);
    if pool.is_null() {
        // SAFETY: without a pool it came from a box, and nobody uses it any more.
        drop(unsafe { Box::from_raw(slot.as_ptr()) });
        return;
    }
    // SAFETY: the pair holds a count on its pool, which came from `Arc::into_raw` and ends here.
    let pool = unsafe { Arc::from_raw(pool.cast_const()) };
    pool.free.push(&pool.slots, shared.index);
}

/// A pool of completions of one type: pairs from it allocate nothing once it is warm.
///
/// # Examples
///
/// ```
/// use agate::CompletionPool;
///
/// let answers = CompletionPool::<u32>::new();
/// let (resolver, mut completion) = answers.pair();
/// resolver.resolve(7);
/// assert_eq!(completion.poll(), Some(Ok(7)));
/// ```
pub struct CompletionPool<T> {
    pool: Arc<Pool<T>>,
}

impl<T: Send + 'static> CompletionPool<T> {
    /// Makes an empty pool.
    #[must_use]
    pub fn new() -> Self {
        Self {
            pool: Arc::new(Pool {
                slots: Table::new(),
                free: FreeList::new(),
            }),
        }
    }

    /// Makes the two ends of one answer, in a slot that comes back to the pool when both are gone.
    ///
    /// # Progress
    ///
    /// Lock-free; allocates only when more pairs are in use than ever before.
    pub fn pair(&self) -> (Resolver<T>, Completion<T>) {
        let index = self
            .pool
            .free
            .pop(&self.pool.slots)
            .map(|index| index as usize);
        let Some(index) = index.or_else(|| self.pool.slots.reserve()) else {
            return completion();
        };
        let slot = self.pool.slots.ensure(index, Slot::new);
        slot.state.store(0, Ordering::Relaxed);
        slot.pool.store(
            Arc::into_raw(Arc::clone(&self.pool)).cast_mut(),
            Ordering::Relaxed,
        );
        ends(NonNull::from(slot))
    }
}

impl<T: Send + 'static> Default for CompletionPool<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for CompletionPool<T> {
    fn clone(&self) -> Self {
        Self {
            pool: Arc::clone(&self.pool),
        }
    }
}

impl<T> fmt::Debug for CompletionPool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompletionPool")
            .field("slots", &self.pool.slots.len())
            .finish()
    }
}

/// Makes the two ends of one answer, in memory of their own. For many of them use a [`CompletionPool`].
///
/// # Progress
///
/// Allocates.
///
/// # Examples
///
/// ```
/// let (resolver, mut completion) = agate::completion();
/// assert!(!completion.is_done());
/// resolver.resolve("done");
/// assert_eq!(completion.poll(), Some(Ok("done")));
/// ```
pub fn completion<T: Send + 'static>() -> (Resolver<T>, Completion<T>) {
    ends(NonNull::from(Box::leak(Box::new(Slot::new(0)))))
}

fn ends<T>(slot: NonNull<Slot<T>>) -> (Resolver<T>, Completion<T>) {
    (
        Resolver {
            slot,
            owns: PhantomData,
        },
        Completion {
            slot: Some(slot),
            left_waiter: false,
            owns: PhantomData,
        },
    )
}

/// The end that gives the answer.
///
/// Dropping it without an answer resolves the completion as [`Abandoned`](CompletionError::Abandoned), or as
/// [`OwnerPanicked`](CompletionError::OwnerPanicked) when it is dropped because its owner panicked.
///
/// # Examples
///
/// ```
/// use agate::{CompletionError, completion};
///
/// let (resolver, mut answer) = completion::<u32>();
/// drop(resolver);
/// assert_eq!(answer.poll(), Some(Err(CompletionError::Abandoned)));
///
/// let (resolver, answer) = completion();
/// drop(answer);
/// assert!(!resolver.is_wanted());
/// assert_eq!(resolver.try_resolve(7), Err(7));
/// ```
#[must_use = "dropping a resolver abandons the operation"]
pub struct Resolver<T> {
    slot: NonNull<Slot<T>>,
    owns: PhantomData<T>,
}

// SAFETY: a resolver moves a value of type `T` to the completion's thread; the slot is split by R1 to R3.
unsafe impl<T: Send> Send for Resolver<T> {}
// SAFETY: through `&Resolver` only the state word is read.
unsafe impl<T: Send> Sync for Resolver<T> {}

impl<T> Resolver<T> {
    /// Gives the answer, and wakes whoever waits for it. If nobody wants it any more, it is dropped here.
    ///
    /// A waker runs on this thread; if it panics, the panic is caught.
    ///
    /// # Progress
    ///
    /// Wait-free, and whatever the waker does.
    pub fn resolve(self, value: T) {
        drop(self.try_resolve(value));
    }

    /// As [`resolve`](Self::resolve), and tells whether anybody still wanted the answer.
    ///
    /// # Errors
    ///
    /// The value, when the completion has been dropped.
    ///
    /// # Progress
    ///
    /// As [`resolve`](Self::resolve).
    pub fn try_resolve(self, value: T) -> Result<(), T> {
        let slot = ManuallyDrop::new(self).slot;
        // SAFETY: this was the slot's resolver, which is gone now and did not resolve before.
        match unsafe { settle(slot, Ok(value)) } {
            Some(Ok(value)) => Err(value),
            _ => Ok(()),
        }
    }

    /// Whether anybody still wants the answer. May become false at any time.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        // SAFETY: by R3 the slot is not freed before the resolver has set `RESOLVED`.
        let slot = unsafe { self.slot.as_ref() };
        slot.state.load(Ordering::Relaxed) & DROPPED == 0
    }
}

/// Resolves a slot. The outcome comes back if the completion is gone.
///
/// # Safety
///
/// The caller is the slot's resolver, calls this once, and does not use the slot afterwards.
unsafe fn settle<T>(slot: NonNull<Slot<T>>, outcome: Outcome<T>) -> Option<Outcome<T>> {
    // SAFETY: by R3 the slot is alive until the exchange below, and longer in the cases that use it longer.
    let shared = unsafe { slot.as_ref() };
    // SAFETY: R1, before `RESOLVED`.
    unsafe { shared.put(outcome) };
    let found = shared.state.fetch_or(RESOLVED, Ordering::AcqRel);
    if found & DROPPED != 0 {
        // SAFETY: R1: the completion had gone, so the outcome is still ours.
        let outcome = unsafe { shared.take() };
        // SAFETY: R3.
        unsafe { free(slot) };
        return Some(outcome);
    }
    if found & WAITER != 0 {
        // SAFETY: R2.
        let waiter = unsafe { shared.replace_waiter(None) };
        if shared.state.fetch_or(RELEASED, Ordering::AcqRel) & DROPPED != 0 {
            // SAFETY: R3.
            unsafe { free(slot) };
        }
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }
    None
}

impl<T> Drop for Resolver<T> {
    fn drop(&mut self) {
        // SAFETY: the resolver did not resolve (that forgets it), and it is gone now.
        drop(unsafe { settle(self.slot, Err(verdict())) });
    }
}

impl<T> fmt::Debug for Resolver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("wanted", &self.is_wanted())
            .finish()
    }
}

/// The end that receives the answer: poll it, wait for it with a time limit, or await it.
///
/// Dropping it gives the answer up: a later answer is dropped by the resolver.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let (resolver, mut completion) = agate::completion();
/// std::thread::spawn(move || resolver.resolve(42));
/// assert_eq!(completion.wait_timeout(Duration::from_secs(10)), Ok(42));
/// ```
///
/// It is a future that needs no runtime:
///
/// ```
/// async fn double(answer: agate::Completion<u32>) -> Result<u32, agate::CompletionError> {
///     Ok(answer.await? * 2)
/// }
/// # let (resolver, completion) = agate::completion();
/// # resolver.resolve(4);
/// # let mut future = Box::pin(double(completion));
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # assert_eq!(future.as_mut().poll(&mut context), std::task::Poll::Ready(Ok(8)));
/// ```
#[doc(alias = "async")]
#[must_use = "dropping a completion gives the answer up"]
pub struct Completion<T> {
    /// `None` once the outcome was taken.
    slot: Option<NonNull<Slot<T>>>,
    /// Whether `WAITER` is set, by this completion, or was when the resolver came.
    left_waiter: bool,
    owns: PhantomData<T>,
}

// SAFETY: a completion receives a value of type `T` from the resolver's thread; the slot is split by R1 to R3.
unsafe impl<T: Send> Send for Completion<T> {}
// SAFETY: through `&Completion` only the state word is read.
unsafe impl<T: Send> Sync for Completion<T> {}

impl<T> Completion<T> {
    /// Whether the answer (or its failure) is there, or was taken already.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.slot.is_none_or(|slot| is_resolved(slot))
    }

    /// Takes the answer if it is there.
    ///
    /// # Progress
    ///
    /// Wait-free.
    pub fn poll(&mut self) -> Option<Result<T, CompletionError>> {
        let Some(slot) = self.slot else {
            return Some(Err(CompletionError::AlreadyTaken));
        };
        is_resolved(slot).then(|| self.take(slot))
    }

    /// Waits for the answer, at most so long.
    ///
    /// # Errors
    ///
    /// [`WaitError::TimedOut`], after which it can be waited for again; [`WaitError::WouldStall`] when the answer is
    /// not there and this thread must not park; [`WaitError::Failed`] when the operation ended without an answer.
    ///
    /// # Progress
    ///
    /// May park.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<T, WaitError> {
        let Some(slot) = self.slot else {
            return Err(WaitError::Failed(CompletionError::AlreadyTaken));
        };
        if !is_resolved(slot) {
            if is_wait_forbidden() {
                return Err(WaitError::WouldStall);
            }
            if self.park(slot, timeout) == Woken::TimedOut {
                self.take_waiter(slot);
                if !is_resolved(slot) {
                    return Err(WaitError::TimedOut);
                }
            }
        }
        self.take(slot).map_err(WaitError::Failed)
    }

    fn park(&mut self, slot: NonNull<Slot<T>>, timeout: Duration) -> Woken {
        let mut gate = GATE.with(Cell::get);
        let deadline = Instant::now().checked_add(timeout);
        let leave = |unparker| {
            self.take_waiter(slot);
            self.leave_waiter(slot, Waiter::Thread(unparker));
        };
        let woken = park_until(&mut gate, deadline, leave, || is_resolved(slot));
        GATE.with(|cell| cell.set(gate));
        woken
    }

    /// Takes the outcome and lets the slot go. `RESOLVED` was seen.
    fn take(&mut self, slot: NonNull<Slot<T>>) -> Outcome<T> {
        self.slot = None;
        // SAFETY: by R3 the slot is alive: only the completion frees it, or the resolver after `DROPPED`.
        let shared = unsafe { slot.as_ref() };
        // SAFETY: R1: resolved, and the completion was not dropped before.
        let outcome = unsafe { shared.take() };
        // SAFETY: R3: if no waiter was found the slot is ours; else the last of both frees it.
        if !self.left_waiter || shared.state.fetch_or(DROPPED, Ordering::AcqRel) & RELEASED != 0 {
            // SAFETY: as above; a waiter that the resolver found was taken out by it before `RELEASED`.
            unsafe { free(slot) };
        }
        outcome
    }

    /// Leaves a waiter for the resolver, unless that has come already.
    fn leave_waiter(&mut self, slot: NonNull<Slot<T>>, waiter: Waiter) {
        // SAFETY: by R3 the slot is alive.
        let shared = unsafe { slot.as_ref() };
        // SAFETY: R2: `WAITER` is clear.
        drop(unsafe { shared.replace_waiter(Some(waiter)) });
        if shared.state.fetch_or(WAITER, Ordering::AcqRel) & RESOLVED == 0 {
            self.left_waiter = true;
            return;
        }
        // SAFETY: R2: the resolver came before and found no waiter.
        drop(unsafe { shared.replace_waiter(None) });
    }

    /// Takes back a waiter that was left, unless the resolver has it.
    fn take_waiter(&mut self, slot: NonNull<Slot<T>>) {
        if !self.left_waiter {
            return;
        }
        // SAFETY: by R3 the slot is alive.
        let shared = unsafe { slot.as_ref() };
        if shared.state.fetch_and(!WAITER, Ordering::AcqRel) & RESOLVED == 0 {
            self.left_waiter = false;
            // SAFETY: R2: cleared, and not resolved before.
            drop(unsafe { shared.replace_waiter(None) });
        }
    }
}

fn is_resolved<T>(slot: NonNull<Slot<T>>) -> bool {
    // SAFETY: called by the completion before it has let the slot go; by R3 it is alive.
    let shared = unsafe { slot.as_ref() };
    shared.state.load(Ordering::Acquire) & RESOLVED != 0
}

impl<T> Future for Completion<T> {
    type Output = Result<T, CompletionError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(slot) = self.slot else {
            return Poll::Ready(Err(CompletionError::AlreadyTaken));
        };
        if !is_resolved(slot) {
            self.take_waiter(slot);
            if !is_resolved(slot) {
                self.leave_waiter(slot, Waiter::Task(context.waker().clone()));
                if !is_resolved(slot) {
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(self.take(slot))
    }
}

impl<T> Unpin for Completion<T> {}

impl<T> Drop for Completion<T> {
    fn drop(&mut self) {
        let Some(slot) = self.slot else { return };
        self.take_waiter(slot);
        // SAFETY: by R3 the slot is alive.
        let shared = unsafe { slot.as_ref() };
        if self.left_waiter {
            // The resolver came and found the waiter.
            drop(self.take(slot));
        } else if shared.state.fetch_or(DROPPED, Ordering::AcqRel) & RESOLVED != 0 {
            // SAFETY: R1: the resolver came before and found the completion there.
            let outcome = unsafe { shared.take() };
            // SAFETY: R3: it found no waiter.
            unsafe { free(slot) };
            drop(outcome);
        }
    }
}

impl<T> fmt::Debug for Completion<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completion")
            .field("done", &self.is_done())
            .finish()
    }
}

per_thread! {
    static WAIT_FORBIDDEN: Cell<bool> = Cell::new(false);
    static GATE: Cell<Gate> = Cell::new(Gate::new());
}

/// Marks the current thread as one that must not park: every `wait*` and `*_timeout` of this crate that would park
/// there returns `WouldStall` instead.
///
/// A job thread that sleeps may hold up the very work that it waits for. A host calls this first on each of its job
/// threads, for example in the start handler of its thread pool. It cannot be undone.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// std::thread::spawn(|| {
///     agate::forbid_wait();
///     let (_resolver, mut completion) = agate::completion::<u32>();
///     let waited = completion.wait_timeout(Duration::from_secs(10));
///     assert_eq!(waited, Err(agate::WaitError::WouldStall));
/// })
/// .join()
/// .unwrap();
/// ```
pub fn forbid_wait() {
    WAIT_FORBIDDEN.with(|cell| cell.set(true));
}

/// Whether this thread must not park.
pub(crate) fn is_wait_forbidden() -> bool {
    WAIT_FORBIDDEN.try_with(Cell::get).unwrap_or(false)
}
