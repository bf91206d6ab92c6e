//! Waiting for an answer: with a time limit, a deadline, or where threads should not.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use crate::completion::slot::Waiter;
use crate::completion::{Completion, is_wait_forbidden};
use crate::error::WaitError;
use crate::park::{Gate, Unparker, park_until};
use crate::scope::Scope;
use crate::sync::per_thread;

/// How long a wait that also helps sleeps before it helps again: so long at first,
pub(super) const SHORT: Duration = Duration::from_micros(50);
/// and at most so long, twice as long each time that there is nothing to help with.
pub(super) const LONG: Duration = Duration::from_millis(1);

impl<T, S: Scope> Completion<T, S> {
    /// Waits for the answer, at most so long.
    ///
    /// # Errors
    ///
    /// [`WaitError::TimedOut`], after which it can be waited for again; [`WaitError::WouldStall`] when the answer is
    /// not there and this thread must not park; [`WaitError::Failed`] when the operation ended without an answer.
    ///
    /// # Progress
    ///
    /// May park. Where the answer comes from an owner that its users drive, helps it meanwhile.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::WaitError;
    /// use std::time::Duration;
    ///
    /// let (resolver, mut completion) = agate::completion();
    /// assert_eq!(completion.wait_timeout(Duration::ZERO), Err(WaitError::TimedOut));
    /// resolver.resolve(7);
    /// assert_eq!(completion.wait_timeout(Duration::ZERO), Ok(7));
    /// ```
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<T, WaitError> {
        self.wait(|| Instant::now().checked_add(timeout), false)
    }

    /// Waits for the answer until this time.
    ///
    /// # Errors
    ///
    /// As [`wait_timeout`](Self::wait_timeout).
    ///
    /// # Progress
    ///
    /// As [`wait_timeout`](Self::wait_timeout).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// // Several answers, within a second together.
    /// let deadline = Instant::now() + Duration::from_secs(1);
    /// let pairs = [agate::completion(), agate::completion()];
    /// let mut answers = pairs.map(|(resolver, completion)| {
    ///     resolver.resolve(2);
    ///     completion
    /// });
    /// for answer in &mut answers {
    ///     assert_eq!(answer.wait_until(deadline), Ok(2));
    /// }
    /// ```
    pub fn wait_until(&mut self, deadline: Instant) -> Result<T, WaitError> {
        self.wait(|| Some(deadline), false)
    }

    /// As [`wait_timeout`](Self::wait_timeout), and parks also on a thread that [`forbid_wait`](crate::forbid_wait)
    /// has marked.
    ///
    /// For the rare place that knows that the work it waits for does not need this thread.
    ///
    /// # Errors
    ///
    /// As [`wait_timeout`](Self::wait_timeout).
    ///
    /// # Progress
    ///
    /// As [`wait_timeout`](Self::wait_timeout).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// std::thread::spawn(|| {
    ///     agate::forbid_wait();
    ///     let (resolver, mut completion) = agate::completion();
    ///     std::thread::spawn(move || resolver.resolve(7));
    ///     assert_eq!(completion.wait_allowing_stall(Duration::from_secs(60)), Ok(7));
    /// })
    /// .join()
    /// .unwrap();
    /// ```
    pub fn wait_allowing_stall(&mut self, timeout: Duration) -> Result<T, WaitError> {
        self.wait(|| Instant::now().checked_add(timeout), true)
    }

    fn wait(
        &mut self,
        deadline: impl FnOnce() -> Option<Instant>,
        may_stall: bool,
    ) -> Result<T, WaitError> {
        if !self.is_done() {
            wait_first(std::slice::from_mut(self), deadline, may_stall)?;
        }
        self.outcome().map_err(WaitError::Failed)
    }
}

/// Waits until the outcome of one of these is there; returns its index. One of them is not taken yet.
pub(super) fn wait_first<T, S: Scope>(
    list: &mut [Completion<T, S>],
    deadline: impl FnOnce() -> Option<Instant>,
    may_stall: bool,
) -> Result<usize, WaitError> {
    loop {
        if let Some(first) = list.iter().position(Completion::is_ready) {
            return Ok(first);
        }
        if !help_once(list) {
            break;
        }
    }
    if !may_stall && is_wait_forbidden() {
        return Err(WaitError::WouldStall);
    }
    let deadline = deadline();
    if S::ALONE {
        // Nobody else could bring it about.
        let over = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        return Err(if over {
            WaitError::TimedOut
        } else {
            WaitError::WouldStall
        });
    }
    let mut piece = SHORT;
    loop {
        let helps = list.iter().any(|completion| completion.helper.is_some());
        let until = if helps {
            sooner(deadline, piece)
        } else {
            deadline
        };
        park(list, until);
        if let Some(first) = list.iter().position(Completion::is_ready) {
            return Ok(first);
        }
        if !helps || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(WaitError::TimedOut);
        }
        piece = if help_once(list) {
            SHORT
        } else {
            LONG.min(2 * piece)
        };
    }
}

/// Parks until the outcome of one of these is there, or the deadline; leaves nobody to wake where it is not.
fn park<T, S: Scope>(list: &mut [Completion<T, S>], deadline: Option<Instant>) {
    let mut gate = GATE.with(Cell::get);
    let shared = RefCell::new(&mut *list);
    let leave = |unparker: Unparker| {
        for completion in shared.borrow_mut().iter_mut() {
            if let Some(slot) = completion.unresolved() {
                drop(completion.leave_waiter(slot, Waiter::Thread(unparker.clone())));
            }
        }
    };
    park_until(&mut gate, deadline, leave, || {
        shared.borrow().iter().any(Completion::is_ready)
    });
    GATE.with(|cell| cell.set(gate));
    for completion in list.iter_mut().filter(|completion| !completion.is_ready()) {
        completion.unresolved();
    }
}

/// Helps each once; returns whether any had something to do.
fn help_once<T, S: Scope>(list: &[Completion<T, S>]) -> bool {
    let helpers = list
        .iter()
        .filter_map(|completion| completion.helper.as_ref());
    helpers.fold(false, |any, helper| helper.help() | any)
}

/// The deadline, or so long from now if that is sooner.
pub(super) fn sooner(deadline: Option<Instant>, piece: Duration) -> Option<Instant> {
    let piece = Instant::now().checked_add(piece);
    [deadline, piece].into_iter().flatten().min()
}

per_thread! {
    // What this thread has learnt about waiting for completions.
    static GATE: Cell<Gate> = Cell::new(Gate::new());
}
