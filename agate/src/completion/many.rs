//! Many answers at once: wait for all of them, for the first of them, or join them into one.
//!
//! # Invariants
//!
//! - J1: of a join's results, each part's callback writes the one at its own index, once; the callback that counts
//!   `missing` down to 0 takes them, and the resolver. Its acquire meets the release of all others.
#![allow(unsafe_code, reason = "results are written by many threads, J1")]

use std::mem::{ManuallyDrop, MaybeUninit};
use std::time::{Duration, Instant};

use crate::completion::help::{Help, Helped, Helper, Shared};
use crate::completion::slot::Outcome;
use crate::completion::wait::wait_first;
use crate::completion::{Completion, Resolver, boxed, ends};
use crate::counted::Counted;
use crate::error::{CompletionError, WaitError};
use crate::scope::{Local, Scope};
use crate::sync::atomic::Ordering;
use crate::sync::cell::UnsafeCell;
use crate::words::{Number, Word};

impl<T, S: Scope> Completion<T, S> {
    /// Waits until all of these are done, at most so long. Their outcomes are then taken with [`poll`](Self::poll).
    ///
    /// # Errors
    ///
    /// [`WaitError::TimedOut`]; [`WaitError::WouldStall`] when one is not done and this thread must not park. Some may
    /// be done nevertheless.
    ///
    /// # Progress
    ///
    /// May park. Allocates nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::Completion;
    /// use std::time::Duration;
    ///
    /// let mut answers = [1, 2, 3].map(|n| {
    ///     let (resolver, completion) = agate::completion();
    ///     std::thread::spawn(move || resolver.resolve(n));
    ///     completion
    /// });
    /// Completion::wait_all(&mut answers, Duration::from_secs(60))?;
    /// let sum: i32 = answers.iter_mut().map(|answer| answer.poll().unwrap().unwrap()).sum();
    /// assert_eq!(sum, 6);
    /// # Ok::<(), agate::WaitError>(())
    /// ```
    pub fn wait_all(list: &mut [Self], timeout: Duration) -> Result<(), WaitError> {
        wait_each(list, Instant::now().checked_add(timeout))
    }

    /// As [`wait_all`](Self::wait_all), until this time.
    ///
    /// # Errors
    ///
    /// As [`wait_all`](Self::wait_all).
    ///
    /// # Progress
    ///
    /// As [`wait_all`](Self::wait_all).
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Completion, WaitError};
    /// use std::time::Instant;
    ///
    /// let (resolver, answer) = agate::completion();
    /// let mut answers = [answer];
    /// assert_eq!(Completion::wait_all_until(&mut answers, Instant::now()), Err(WaitError::TimedOut));
    /// resolver.resolve(7);
    /// assert_eq!(Completion::wait_all_until(&mut answers, Instant::now()), Ok(()));
    /// assert_eq!(answers[0].poll(), Some(Ok(7)));
    /// ```
    pub fn wait_all_until(list: &mut [Self], deadline: Instant) -> Result<(), WaitError> {
        wait_each(list, Some(deadline))
    }

    /// Waits until the outcome of one of these is there, at most so long, and returns its index (the first one, if
    /// there are several). Those that were taken or cancelled before are passed over.
    ///
    /// # Errors
    ///
    /// [`WaitError::TimedOut`]; [`WaitError::WouldStall`] when none is done and this thread must not park;
    /// [`WaitError::Failed`] with [`CompletionError::AlreadyTaken`] when none is left to wait for.
    ///
    /// # Progress
    ///
    /// May park. Allocates nothing; each sleep costs a few atomic operations for each that is waited for. For many at a
    /// time, a [port](crate::CompletionPort) is better.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Completion, CompletionError, WaitError};
    /// use std::time::Duration;
    ///
    /// let (slow, slow_answer) = agate::completion();
    /// let (quick, quick_answer) = agate::completion();
    /// let mut answers = [slow_answer, quick_answer];
    /// quick.resolve("quick");
    /// assert_eq!(Completion::wait_any(&mut answers, Duration::from_secs(60)), Ok(1));
    /// assert_eq!(answers[1].poll(), Some(Ok("quick")));
    /// slow.resolve("slow");
    /// assert_eq!(Completion::wait_any(&mut answers, Duration::from_secs(60)), Ok(0));
    /// # assert_eq!(answers[0].poll(), Some(Ok("slow")));
    /// ```
    pub fn wait_any(list: &mut [Self], timeout: Duration) -> Result<usize, WaitError> {
        wait_one(list, || Instant::now().checked_add(timeout))
    }

    /// As [`wait_any`](Self::wait_any), until this time.
    ///
    /// # Errors
    ///
    /// As [`wait_any`](Self::wait_any).
    ///
    /// # Progress
    ///
    /// As [`wait_any`](Self::wait_any).
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Completion, WaitError};
    /// use std::time::Instant;
    ///
    /// let (_slow, slow_answer) = agate::completion();
    /// let (quick, quick_answer) = agate::completion();
    /// let mut answers = [slow_answer, quick_answer];
    /// assert_eq!(Completion::wait_any_until(&mut answers, Instant::now()), Err(WaitError::TimedOut));
    /// quick.resolve("quick");
    /// assert_eq!(Completion::wait_any_until(&mut answers, Instant::now()), Ok(1));
    /// # assert_eq!(answers[1].poll(), Some(Ok("quick")));
    /// ```
    pub fn wait_any_until(list: &mut [Self], deadline: Instant) -> Result<usize, WaitError> {
        wait_one(list, || Some(deadline))
    }
}

fn wait_each<T, S: Scope>(
    list: &mut [Completion<T, S>],
    deadline: Option<Instant>,
) -> Result<(), WaitError> {
    for completion in list {
        if !completion.is_done() {
            wait_first(std::slice::from_mut(completion), || deadline, false)?;
        }
    }
    Ok(())
}

fn wait_one<T, S: Scope>(
    list: &mut [Completion<T, S>],
    deadline: impl FnOnce() -> Option<Instant>,
) -> Result<usize, WaitError> {
    if list.iter().all(|completion| completion.slot.is_none()) {
        return Err(WaitError::Failed(CompletionError::AlreadyTaken));
    }
    wait_first(list, deadline, false)
}

impl<T: 'static, S: Scope> Completion<T, S> {
    /// Joins many answers into one that is there when all of them are: their outcomes, in their order.
    ///
    /// Cancelling or dropping the joined completion does not cancel its parts.
    ///
    /// # Progress
    ///
    /// Allocates, for all of them together. The last resolver resolves the joined completion.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Completion, CompletionError};
    ///
    /// let (one, answer_one) = agate::completion();
    /// let (two, answer_two) = agate::completion();
    /// let mut both = Completion::join([answer_one, answer_two]);
    /// two.resolve(2);
    /// assert_eq!(both.poll(), None);
    /// drop(one);
    /// assert_eq!(both.poll(), Some(Ok(vec![Err(CompletionError::Abandoned), Ok(2)])));
    /// ```
    #[doc(alias = "join_all")]
    pub fn join<I>(parts: I) -> Completion<Vec<Result<T, CompletionError>>, S>
    where
        I: IntoIterator<Item = Self>,
    {
        let parts: Vec<Self> = parts.into_iter().collect();
        let (resolver, mut joined) = ends(boxed());
        if parts.is_empty() {
            resolver.resolve(Vec::new());
            return joined;
        }
        joined.helper = helper_of(&parts);
        let results = parts.iter().map(|_| UnsafeCell::new(MaybeUninit::uninit()));
        let join = S::Ref::new(Join::<T, S> {
            missing: S::Usize::new(parts.len()),
            results: results.collect(),
            resolver: UnsafeCell::new(ManuallyDrop::new(resolver)),
        });
        for (index, part) in parts.into_iter().enumerate() {
            let join = join.clone();
            part.call(move |outcome| join.part(index, outcome));
        }
        joined
    }
}

/// What the parts of a joined completion share.
struct Join<T, S: Scope> {
    missing: S::Usize,
    results: Box<[UnsafeCell<MaybeUninit<Outcome<T>>>]>,
    resolver: UnsafeCell<ManuallyDrop<Resolver<Vec<Outcome<T>>, S>>>,
}

// SAFETY: outcomes are moved in and out between threads, by J1 one at a time.
unsafe impl<T: Send> Send for Join<T, Local> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Join<T, Local> {}

impl<T, S: Scope> Join<T, S> {
    /// Called by the callback of the part at `index`.
    fn part(&self, index: usize, outcome: Outcome<T>) {
        let outcome = MaybeUninit::new(outcome);
        // SAFETY: J1.
        self.results[index].with_mut(|cell| unsafe { cell.write(outcome) });
        if self.missing.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        let results = self.results.iter().map(|cell| {
            // SAFETY: J1: we are the last, and take each once.
            let outcome = cell.with(|cell| unsafe { cell.read() });
            // SAFETY: J1: all were written.
            unsafe { outcome.assume_init() }
        });
        let results = results.collect();
        // SAFETY: J1: we are the last.
        let resolver = self.resolver.with(|cell| unsafe { cell.read() });
        ManuallyDrop::into_inner(resolver).resolve(results);
    }
}

/// Helps several.
struct Several<S: Scope>(Vec<Helper<S>>);

impl<S: Scope> Help<S> for Several<S> {
    fn help(&self) -> Helped {
        Helped::all(self.0.iter().map(Helper::help)).unwrap_or(Helped::Idle(None))
    }

    fn parts(&self) -> &[Helper<S>] {
        &self.0
    }
}

/// A helper for all that these have, if any has one.
fn helper_of<T, S: Scope>(parts: &[Completion<T, S>]) -> Option<Helper<S>> {
    let mut several: Vec<Helper<S>> = Vec::new();
    let pending = parts.iter().filter(|part| !part.is_done());
    for helper in pending.filter_map(|part| part.helper.as_ref()) {
        if !several.iter().any(|known| known.is_same(helper)) {
            several.push(helper.clone());
        }
    }
    if several.len() > 1 {
        // SAFETY: several helpers are `Send` and `Sync` where one is.
        return Some(unsafe { Helper::new(Shared::<_, S>(S::Ref::new(Several(several)))) });
    }
    several.pop()
}
