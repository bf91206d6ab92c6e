//! Waiting for an answer: with a time limit, a deadline, or where threads should not.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use crate::completion::slot::Waiter;
use crate::completion::{Completion, Helped, is_wait_forbidden};
use crate::error::WaitError;
use crate::park::{Gate, Unparker, park_until};
use crate::scope::Scope;
use crate::sync::per_thread;

/// How long a wait that also helps parks before it helps again, at first and at most. The models do without: there the
/// last look of whoever drives must be enough.
const SHORT: Duration = if cfg!(any(loom, shuttle)) {
    LONG
} else {
    Duration::from_micros(50)
};
const LONG: Duration = if cfg!(any(loom, shuttle)) {
    Duration::from_secs(1_000_000)
} else {
    Duration::from_millis(1)
};

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
    let ready = |list: &[Completion<T, S>]| list.iter().position(Completion::is_ready);
    if let Some(first) = ready(list) {
        return Ok(first);
    }
    let may_park = may_stall || !is_wait_forbidden();
    if list.iter().all(|completion| completion.helper.is_none()) {
        if !may_park {
            return Err(WaitError::WouldStall);
        }
        let deadline = deadline();
        if S::ALONE && !is_over(deadline) {
            // Nobody else could bring it about.
            return Err(WaitError::WouldStall);
        }
        park(list, deadline);
        return ready(list).ok_or(WaitError::TimedOut);
    }
    let deadline = deadline();
    let mut pieces = Pieces::new();
    loop {
        // Those without a helper are somebody else's business.
        let undone = list.iter().filter(|completion| !completion.is_done());
        let helped = undone.map(|completion| completion.help().unwrap_or(Helped::Busy));
        let helped = Helped::any(helped);
        if let Some(first) = ready(list) {
            return Ok(first);
        }
        let again = match helped {
            Some(Helped::Inside) => return Err(WaitError::WouldStall),
            Some(Helped::More) if !is_over(deadline) => {
                pieces = Pieces::new();
                continue;
            }
            Some(Helped::Idle(at)) => at,
            Some(Helped::More | Helped::Busy) | None => None,
        };
        if !may_park {
            return Err(WaitError::WouldStall);
        }
        if is_over(deadline) {
            return Err(WaitError::TimedOut);
        }
        if S::ALONE && again.is_none() {
            return Err(WaitError::WouldStall);
        }
        park(list, pieces.next::<S>(deadline, again));
        if let Some(first) = ready(list) {
            return Ok(first);
        }
    }
}

pub(super) fn is_over(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}

/// How long one who also helps parks before it helps again: longer each time that there is nothing to help with.
pub(crate) struct Pieces(Duration);

impl Pieces {
    pub(crate) fn new() -> Self {
        Self(SHORT)
    }

    /// Until when to park, at most until the deadline, or until there may be something to help with again.
    pub(crate) fn next<S: Scope>(
        &mut self,
        deadline: Option<Instant>,
        again: Option<Instant>,
    ) -> Option<Instant> {
        // Where nobody else is, there is nothing to look for before.
        let piece = (!S::ALONE)
            .then(|| Instant::now().checked_add(self.0))
            .flatten();
        self.0 = LONG.min(2 * self.0);
        [deadline, again, piece].into_iter().flatten().min()
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

per_thread! {
    // What this thread has learnt about waiting for completions.
    static GATE: Cell<Gate> = Cell::new(Gate::new());
}
