//! The receiver: drains the lanes of a queue.
//!
//! # Invariants
//!
//! - I1: a `Receiver` holds the only receiver's place of its queue (limit 1, set at creation), so it is the only
//!   receiver of the intake; the places are handed over with acquire and release.
#![allow(
    unsafe_code,
    reason = "is the one receiver that the intake asks for, I1"
)]

use std::fmt;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::attach::{Place, Role};
use crate::completion::is_wait_forbidden;
use crate::error::{AttachError, RecvError, TryRecvError};
use crate::park::{Bell, Woken};
use crate::queue::Queue;
use crate::queue::rx::{Round, Rx};
use crate::queue::total::Total;
use crate::scope::{Local, Scope};
use crate::sync::atomic::Ordering;
use crate::words::Word;

/// So many messages of a queue in total order in one drain.
const TOTAL_RUN: usize = 256;

/// The right to receive from a queue.
///
/// Made by [`Handle::attach_receiver`](crate::Handle::attach_receiver). Dropping it closes the queue and drops what
/// was not received; [`detach`](Self::detach) leaves both for the next receiver.
///
/// # Examples
///
/// ```
/// use agate::{Capacity, Limits, Local, RecvError, Scope};
/// use std::time::Duration;
///
/// let queue = Local.queue(Limits::default(), Capacity::Unbounded)?;
/// let mut receiver = queue.attach_receiver()?;
/// let sender = queue.attach_sender()?;
/// std::thread::spawn(move || sender.send(42).unwrap());
/// assert_eq!(receiver.recv_timeout(Duration::from_secs(10))?, 42);
/// assert_eq!(receiver.wait_recv(), Err(RecvError::Disconnected), "the only sender is gone");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Receiver<T: 'static, S: Scope = Local> {
    place: Place<Queue<T, S>, S>,
    rx: Rx<T, S>,
    /// In total order: where its tasks leave their wakers.
    seat: Option<u32>,
    /// Whether dropping must leave the queue as it is.
    detached: bool,
}

impl<T: 'static, S: Scope> Receiver<T, S> {
    pub(crate) fn new(place: Place<Queue<T, S>, S>) -> Result<Self, AttachError> {
        if place.intake.is_retired() {
            return Err(AttachError::Closed);
        }
        let seat = match place.total {
            Some(_) => Some(place.intake.bell.enter().ok_or(AttachError::TooMany)?),
            None => None,
        };
        Ok(Self {
            place,
            rx: Rx::new(),
            seat,
            detached: false,
        })
    }

    /// Receives everything that is waiting: one round over the lanes, at most 256 messages of each.
    ///
    /// A message is taken when the iterator yields it; what it has not yielded stays in the queue.
    ///
    /// # Progress
    ///
    /// Each message as with [`try_recv`](Self::try_recv); where many came before, it pauses for some hundred cycles first, to
    /// let senders get ahead.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Capacity, Limits, Local, Scope};
    ///
    /// let queue = Local.queue(Limits::default(), Capacity::Unbounded)?;
    /// let mut receiver = queue.attach_receiver()?;
    /// queue.attach_sender()?.try_send_batch(&mut (1..=4))?;
    /// assert_eq!(receiver.drain().next(), Some(1));
    /// assert_eq!(receiver.drain().sum::<i32>(), 2 + 3 + 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn drain(&mut self) -> Drain<'_, T, S> {
        Drain {
            round: self.rx.round(&self.place.intake),
            total: self.place.total.as_deref(),
            left: TOTAL_RUN,
        }
    }

    /// Receives what is waiting, at most so many messages, into the end of `into`; returns how many. One round, as with
    /// [`drain`](Self::drain), but the fastest: messages are copied in rows.
    ///
    /// # Progress
    ///
    /// As [`drain`](Self::drain), but for the memory that `into` may need.
    ///
    /// # Panics
    ///
    /// When `into` would be too large to be addressed. Nothing is lost then.
    ///
    /// # Examples
    ///
    /// See [`Sender::try_send_slice`](crate::Sender::try_send_slice).
    pub fn drain_into(&mut self, into: &mut Vec<T>, most: usize) -> usize {
        let mut drain = self.drain();
        match drain.total {
            // SAFETY: I1.
            None => unsafe { drain.round.take_into(into, most) },
            Some(total) => {
                let mut left = most;
                while left != 0 && drain.left != 0 && !total.is_empty() {
                    // First, since it may panic.
                    into.reserve(1);
                    match drain.next() {
                        Some(message) => into.push(message),
                        None => break,
                    }
                    left -= 1;
                }
                most - left
            }
        }
    }

    /// Receives the next message if one is waiting.
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Empty`]; [`TryRecvError::Disconnected`] when also no sender is left or the queue is closed.
    ///
    /// # Progress
    ///
    /// Wait-free, except that it wakes a sender that waits for room (a system call that does not wait). In
    /// [total order](crate::Order::Total) it is lock-free at best: it may have to try again because another receiver got on,
    /// and spins behind a sender that was stopped in the middle of a send.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Capacity, Limits, Local, Scope, TryRecvError};
    ///
    /// let queue = Local.queue(Limits::default(), Capacity::Unbounded)?;
    /// let mut receiver = queue.attach_receiver()?;
    /// let sender = queue.attach_sender()?;
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send("last words")?;
    /// drop(sender);
    /// assert_eq!(receiver.try_recv(), Ok("last words"));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        if let Some(message) = self.take() {
            return Ok(message);
        }
        if !self.is_disconnected() {
            return Err(TryRecvError::Empty);
        }
        // Once more: what a sender sent before it left is seen now.
        self.take().ok_or(TryRecvError::Disconnected)
    }

    #[inline(always)]
    fn take(&mut self) -> Option<T> {
        match &self.place.total {
            // SAFETY: I1.
            None => unsafe { self.rx.take(&self.place.intake) },
            Some(total) => total.take(),
        }
    }

    /// Receives the next message, waiting up to `timeout` for it.
    ///
    /// # Errors
    ///
    /// [`RecvError::TimedOut`]; [`RecvError::Disconnected`] when no sender is left or the queue is closed;
    /// [`RecvError::WouldStall`] when nothing is waiting and this thread must not park.
    ///
    /// # Progress
    ///
    /// May park.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Capacity, Limits, Local, RecvError, Scope};
    /// use std::time::Duration;
    ///
    /// let queue = Local.queue(Limits::default(), Capacity::Unbounded)?;
    /// let (sender, mut receiver) = (queue.attach_sender()?, queue.attach_receiver()?);
    /// assert_eq!(receiver.recv_timeout(Duration::from_millis(1)), Err(RecvError::TimedOut));
    /// std::thread::spawn(move || sender.send(7).unwrap());
    /// assert_eq!(receiver.recv_timeout(Duration::from_secs(10)), Ok(7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, RecvError> {
        self.recv_by(Instant::now().checked_add(timeout))
    }

    /// Receives the next message, waiting for it until this time.
    ///
    /// # Errors
    ///
    /// As [`recv_timeout`](Self::recv_timeout).
    ///
    /// # Progress
    ///
    /// May park.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Capacity, Limits, Local, RecvError, Scope};
    /// use std::time::{Duration, Instant};
    ///
    /// let queue = Local.queue(Limits::default(), Capacity::Unbounded)?;
    /// let mut receiver = queue.attach_receiver()?;
    /// queue.attach_sender()?.try_send_batch(&mut (1..=2))?;
    /// // As many as there are, within a second together.
    /// let deadline = Instant::now() + Duration::from_secs(1);
    /// assert_eq!(receiver.recv_until(deadline), Ok(1));
    /// assert_eq!(receiver.recv_until(deadline), Ok(2));
    /// assert_eq!(receiver.recv_until(deadline), Err(RecvError::Disconnected));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recv_until(&mut self, deadline: Instant) -> Result<T, RecvError> {
        self.recv_by(Some(deadline))
    }

    /// Receives the next message, waiting for it as long as a sender is attached or none has been yet.
    ///
    /// # Errors
    ///
    /// [`RecvError::Disconnected`] when no sender is left, or nobody is left who could attach one, or the queue is
    /// closed; [`RecvError::WouldStall`] when nothing is waiting and this thread must not park.
    ///
    /// # Progress
    ///
    /// May park.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Capacity, Limits, Local, RecvError, Scope};
    ///
    /// let queue = Local.queue(Limits::default(), Capacity::Unbounded)?;
    /// let (sender, mut receiver) = (queue.attach_sender()?, queue.attach_receiver()?);
    /// std::thread::spawn(move || (1..=3).try_for_each(|n| sender.send(n)).unwrap());
    /// let mut sum = 0;
    /// while let Ok(n) = receiver.wait_recv() {
    ///     sum += n;
    /// }
    /// assert_eq!(sum, 6, "and the only sender is gone");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_recv(&mut self) -> Result<T, RecvError> {
        self.recv_by(None)
    }

    /// Gives the receiver's place back; the next receiver goes on with what is waiting.
    ///
    /// # Progress
    ///
    /// Lock-free; wakes senders that wait for room (a system call that does not wait).
    pub fn detach(mut self) {
        self.detached = true;
    }

    pub(crate) fn recv_by(&mut self, deadline: Option<Instant>) -> Result<T, RecvError> {
        loop {
            match self.try_recv() {
                Ok(message) => return Ok(message),
                Err(TryRecvError::Disconnected) => return Err(RecvError::Disconnected),
                Err(TryRecvError::Empty) if is_wait_forbidden() => {
                    return Err(RecvError::WouldStall);
                }
                Err(TryRecvError::Empty) => {}
            }
            let place = &self.place;
            let also = || {
                place.total.as_ref().is_some_and(|total| !total.is_empty())
                    || is_disconnected(place)
            };
            // SAFETY: I1; in total order there are no lanes.
            let woken = unsafe { self.rx.wait(&place.intake, deadline, also) };
            match woken {
                Woken::Ready => {}
                Woken::TimedOut => return Err(RecvError::TimedOut),
                Woken::Stalled => return Err(RecvError::WouldStall),
            }
        }
    }

    /// Whether `try_recv` would not say that it is empty.
    pub(crate) fn has_news(&mut self) -> bool {
        self.is_disconnected()
            || match &self.place.total {
                // SAFETY: I1.
                None => unsafe { self.rx.is_ready(&self.place.intake) },
                Some(total) => !total.is_empty(),
            }
    }

    /// Has the next message, or the end, wake a task. The caller looks once more after this.
    pub(crate) fn register(&mut self, waker: &Waker) {
        match self.seat {
            None => self.place.intake.register(waker),
            Some(seat) => self.place.intake.bell.register_at(seat, waker),
        }
    }

    /// Takes a waker that was left back.
    pub(crate) fn unregister(&mut self) {
        match self.seat {
            None => self.place.intake.unregister(),
            Some(seat) => self.place.intake.bell.unregister_at(seat),
        }
    }

    fn is_disconnected(&self) -> bool {
        self.place.intake.is_closed() || is_disconnected(&self.place)
    }
}

/// Whether all senders are gone, or nobody is left who could attach the first.
fn is_disconnected<T: 'static, S: Scope>(place: &Place<Queue<T, S>, S>) -> bool {
    // The count last: a sender is counted before `had_sender` is set.
    let can_end = place.had_sender.load(Ordering::Acquire) || place.unnamed.load(Ordering::Acquire);
    can_end && place.attached(Role::Sender) == 0
}

impl<T: 'static, S: Scope> Unpin for Receiver<T, S> {}

impl<T: 'static, S: Scope> Drop for Receiver<T, S> {
    fn drop(&mut self) {
        if let Some(seat) = self.seat {
            self.place.intake.bell.leave(seat);
            // When the last one is out, the queue is told (`Queue::told`).
            let detached = &self.place.detached;
            detached.store(self.detached, Ordering::Release);
        } else if self.detached {
            // SAFETY: I1.
            unsafe { self.rx.settle() };
            self.unregister();
        } else {
            // SAFETY: I1, and a dropped receiver takes nothing more.
            unsafe { self.rx.retire(&self.place.intake) };
        }
    }
}

impl<T: 'static, S: Scope> fmt::Debug for Receiver<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("disconnected", &self.is_disconnected())
            .finish_non_exhaustive()
    }
}

/// The messages of one round over the lanes; see [`Receiver::drain`].
pub struct Drain<'a, T: 'static, S: Scope = Local> {
    round: Round<'a, T, S>,
    /// In total order there are no lanes, but this, of which so many messages are taken at the most.
    total: Option<&'a Total<T, S>>,
    left: usize,
}

impl<T: 'static, S: Scope> Iterator for Drain<'_, T, S> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        if let Some(total) = self.total {
            self.left = self.left.checked_sub(1)?;
            return total.take();
        }
        // SAFETY: I1 of the receiver that this borrows.
        unsafe { self.round.take() }
    }
}

impl<T: 'static, S: Scope> Drop for Drain<'_, T, S> {
    fn drop(&mut self) {
        // SAFETY: I1 of the receiver that this borrows; in total order there is no lane.
        unsafe { self.round.release() };
    }
}

impl<T: 'static, S: Scope> fmt::Debug for Drain<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain").finish_non_exhaustive()
    }
}
