//! The sender: an attached lane of a queue.

use std::cell::Cell;
use std::fmt;
use std::time::{Duration, Instant};

use crate::attach::{Place, Role};
use crate::completion::is_wait_forbidden;
use crate::error::{AttachError, Closed, SendError, SendTimeoutError, TrySendError};
use crate::park::{Gate, Woken};
use crate::queue::Queue;
use crate::queue::intake::{Intake, Refused};
use crate::queue::total::Total;
use crate::queue::tx::{HasIntake, Tx};
use crate::scope::{Local, Scope};
use crate::sync::atomic::Ordering;
use crate::words::Word;

impl<T: 'static, S: Scope> HasIntake<S> for Queue<T, S> {
    type Message = T;

    fn intake(&self) -> &Intake<T, S> {
        &self.intake
    }
}

/// The right to send to a queue, with a lane of its own.
///
/// Made by [`Handle::attach_sender`](crate::Handle::attach_sender); dropping it detaches. It can be moved between
/// threads, and used by one at a time: for each further thread attach again or [`try_clone`](Self::try_clone).
///
/// # Examples
///
/// ```
/// use agate::{Capacity, Limits, Local, Scope, TrySendError};
///
/// let queue = Local.queue(Limits::default(), Capacity::bounded(1))?;
/// let sender = queue.attach_sender()?;
/// sender.try_send("first")?;
/// assert_eq!(sender.try_send("second"), Err(TrySendError::Full("second")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Sender<T: 'static, S: Scope = Local> {
    way: Way<T, S>,
}

/// How a message gets into the queue.
enum Way<T: 'static, S: Scope> {
    Lane(Tx<Queue<T, S>, S>),
    Total(Shared<T, S>),
}

/// A place in a queue in total order.
struct Shared<T: 'static, S: Scope> {
    place: Place<Queue<T, S>, S>,
    /// How many batches are being sent. (A cell, so that it is for one thread at a time, as a lane is.)
    batches: Cell<usize>,
}

/// Counts a batch as long as it lives.
struct InBatch<'a>(&'a Cell<usize>);

impl<'a> InBatch<'a> {
    fn new(batches: &'a Cell<usize>) -> Self {
        batches.set(batches.get() + 1);
        Self(batches)
    }
}

impl Drop for InBatch<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl<T: 'static, S: Scope> Shared<T, S> {
    /// The queue, and what all share.
    fn total(&self) -> (&Intake<T, S>, Option<&Total<T, S>>) {
        (&self.place.intake, self.place.total.as_deref())
    }

    /// Sends the message that is given. Apart, so that it does not crowd the registers of a send into a lane.
    ///
    /// An option, and by reference: what is handed to a function that stays one is in memory. Were it the message itself,
    /// it would be there for a lane too, and be copied from there to its slot.
    #[inline(never)]
    fn send(&self, given: &mut Option<T>) -> Result<(), Refused<T>> {
        match (given.take(), self.total()) {
            (Some(message), (intake, Some(total))) => total.send(intake, message),
            (Some(message), (_, None)) => Err(Refused::Closed(message)),
            (None, _) => Ok(()),
        }
    }
}

impl<T: 'static, S: Scope> Sender<T, S> {
    #[inline(always)]
    pub(crate) fn new(place: Place<Queue<T, S>, S>) -> Result<Self, AttachError> {
        if place.intake.is_retired() {
            return Err(AttachError::Closed);
        }
        if place.total.is_none() {
            let tx = Tx::attach(place)?;
            tx.object().had_sender.store(true, Ordering::Release);
            return Ok(Self { way: Way::Lane(tx) });
        }
        if place.intake.is_closed() {
            return Err(AttachError::Closed);
        }
        place.had_sender.store(true, Ordering::Release);
        let way = Way::Total(Shared {
            place,
            batches: Cell::new(0),
        });
        Ok(Self { way })
    }

    fn place(&self) -> &Place<Queue<T, S>, S> {
        match &self.way {
            Way::Lane(tx) => tx.place(),
            Way::Total(shared) => &shared.place,
        }
    }

    #[inline(always)]
    fn send_one(&self, message: T) -> Result<(), Refused<T>> {
        match &self.way {
            Way::Lane(tx) => tx.send(message),
            Way::Total(shared) => shared.send(&mut Some(message)),
        }
    }

    fn wait_room(&self, deadline: Option<Instant>) -> Woken {
        let also = || self.is_abandoned();
        match &self.way {
            Way::Lane(tx) => tx.wait_room(deadline, also),
            Way::Total(shared) => match shared.total() {
                (intake, Some(total)) => {
                    let also = || intake.is_closed() || also();
                    if shared.batches.get() == 0 {
                        let mut gate = Gate::for_room();
                        total.wait_room(intake, &mut gate, deadline, also)
                    } else if also() || total.has_room() {
                        Woken::Ready
                    } else {
                        // The batch around this holds a place, maybe the only one.
                        Woken::Stalled
                    }
                }
                (_, None) => Woken::Ready,
            },
        }
    }

    /// Sends a message if this sender's lane has room.
    ///
    /// `Ok` means handed over. A message that is sent while the receiver goes away is dropped, as are all messages
    /// that were not received.
    ///
    /// # Errors
    ///
    /// [`TrySendError::Full`] and [`TrySendError::Closed`]; both give the message back.
    ///
    /// # Progress
    ///
    /// Wait-free, except that it wakes the receiver if that sleeps (a system call that does not wait), and that an
    /// unbounded lane may allocate a segment. In [total order](crate::Order::Total) it may spin behind a thread that
    /// was stopped in the middle of the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Capacity, Limits, Local, Scope, TrySendError};
    ///
    /// let queue = Local.queue(Limits::default(), Capacity::bounded(1))?;
    /// let sender = queue.attach_sender()?;
    /// assert_eq!(sender.try_send("one"), Ok(()));
    /// assert_eq!(sender.try_send("two"), Err(TrySendError::Full("two")));
    /// drop(queue.attach_receiver()?); // for good
    /// assert_eq!(sender.try_send("three"), Err(TrySendError::Closed("three")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        self.send_one(message).map_err(|refused| match refused {
            Refused::Full(message) => TrySendError::Full(message),
            Refused::Closed(message) => TrySendError::Closed(message),
        })
    }

    /// Sends a message into an unbounded lane, where there is always room.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`]; [`SendError::Bounded`] on a bounded queue, always, whether there is room or not. Both
    /// give the message back.
    ///
    /// # Progress
    ///
    /// As [`try_send`](Self::try_send).
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Capacity, Limits, Local, Scope};
    ///
    /// let queue = Local.queue(Limits::default(), Capacity::Unbounded)?;
    /// let sender = queue.attach_sender()?;
    /// for n in 0..1000 {
    ///     sender.send(n)?;
    /// }
    /// let mut receiver = queue.attach_receiver()?;
    /// assert_eq!(std::iter::from_fn(|| receiver.try_recv().ok()).count(), 1000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        if self.place().bounded {
            return Err(SendError::Bounded(message));
        }
        self.send_one(message).map_err(|refused| match refused {
            Refused::Full(message) => SendError::Bounded(message),
            Refused::Closed(message) => SendError::Closed(message),
        })
    }

    /// Sends a message, waiting up to `timeout` for room in this sender's lane.
    ///
    /// # Errors
    ///
    /// [`SendTimeoutError::TimedOut`]; [`SendTimeoutError::Closed`] when nobody will receive any more;
    /// [`SendTimeoutError::WouldStall`] when there is no room and this thread must not park, or (in
    /// [`Private`](crate::Private)) nobody else could make room, or this is the iterator of a
    /// [batch](Self::try_send_batch) of this sender. All give the message back.
    ///
    /// # Progress
    ///
    /// May park.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Capacity, Limits, Local, Scope, SendTimeoutError};
    /// use std::time::Duration;
    ///
    /// let queue = Local.queue(Limits::default(), Capacity::bounded(1))?;
    /// let sender = queue.attach_sender()?;
    /// sender.send_timeout(1, Duration::ZERO)?;
    /// assert_eq!(sender.send_timeout(2, Duration::ZERO), Err(SendTimeoutError::TimedOut(2)));
    /// let mut receiver = queue.attach_receiver()?;
    /// let taking = std::thread::spawn(move || (receiver.wait_recv(), receiver));
    /// sender.send_timeout(2, Duration::from_secs(10))?;
    /// assert_eq!(taking.join().unwrap().0, Ok(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send_timeout(&self, message: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.send_by(message, || Instant::now().checked_add(timeout))
    }

    /// Sends a message, waiting until this time for room in this sender's lane.
    ///
    /// # Errors
    ///
    /// As [`send_timeout`](Self::send_timeout).
    ///
    /// # Progress
    ///
    /// May park.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Capacity, Limits, Local, Scope, SendTimeoutError};
    /// use std::time::Instant;
    ///
    /// let queue = Local.queue(Limits::default(), Capacity::bounded(2))?;
    /// let sender = queue.attach_sender()?;
    /// let now = Instant::now();
    /// let sent = [1, 2, 3].map(|n| sender.send_until(n, now));
    /// assert_eq!(sent, [Ok(()), Ok(()), Err(SendTimeoutError::TimedOut(3))]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send_until(&self, message: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.send_by(message, || Some(deadline))
    }

    /// Sends a message, waiting for room in this sender's lane as long as somebody receives or still could.
    ///
    /// # Errors
    ///
    /// [`SendTimeoutError::Closed`] when the receiver is gone or the queue closed, or no receiver is attached and
    /// nobody is left who could attach one, or none may; [`SendTimeoutError::WouldStall`] as with
    /// [`send_timeout`](Self::send_timeout). Both give the message back.
    ///
    /// # Progress
    ///
    /// May park.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Capacity, Limits, Local, Scope, SendTimeoutError};
    ///
    /// let queue = Local.queue(Limits::default(), Capacity::bounded(8))?;
    /// let sender = queue.attach_sender()?;
    /// let mut receiver = queue.attach_receiver()?;
    /// let sum = std::thread::spawn(move || -> u32 {
    ///     std::iter::from_fn(|| receiver.wait_recv().ok()).take(100).sum()
    /// });
    /// for n in 1..=100 {
    ///     sender.wait_send(n)?;
    /// }
    /// assert_eq!(sum.join().unwrap(), 5050);
    /// assert_eq!(sender.wait_send(7), Err(SendTimeoutError::Closed(7)), "the receiver is gone");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_send(&self, message: T) -> Result<(), SendTimeoutError<T>> {
        self.send_by(message, || None)
    }

    fn send_by(
        &self,
        mut message: T,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<(), SendTimeoutError<T>> {
        match self.send_one(message) {
            Ok(()) => return Ok(()),
            Err(Refused::Closed(message)) => return Err(SendTimeoutError::Closed(message)),
            Err(Refused::Full(back)) => message = back,
        }
        if is_wait_forbidden() {
            return Err(SendTimeoutError::WouldStall(message));
        }
        let deadline = deadline();
        loop {
            match self.wait_room(deadline) {
                Woken::Ready => {}
                Woken::TimedOut => return Err(SendTimeoutError::TimedOut(message)),
                Woken::Stalled => return Err(SendTimeoutError::WouldStall(message)),
            }
            match self.send_one(message) {
                Ok(()) => return Ok(()),
                Err(Refused::Closed(message)) => return Err(SendTimeoutError::Closed(message)),
                Err(Refused::Full(back)) if self.is_abandoned() => {
                    return Err(SendTimeoutError::Closed(back));
                }
                Err(Refused::Full(back)) => message = back,
            }
        }
    }

    /// Whether nobody receives, and nobody is left who could attach a receiver.
    pub(crate) fn is_abandoned(&self) -> bool {
        let queue = self.place();
        let nobody_can_come =
            queue.limit(Role::Receiver) == 0 || queue.unnamed.load(Ordering::Acquire);
        nobody_can_come && queue.attached(Role::Receiver) == 0
    }

    /// Sends as many messages as there is room for, and publishes them together. Returns how many; the rest stay in
    /// the iterator.
    ///
    /// The iterator may itself send through this very sender, which comes before what it gives next. For that a place is
    /// held, so in a bounded queue the iterator's own sends find one place fewer; and they do not wait: where there is no
    /// room, [`send_timeout`](Self::send_timeout) and [`wait_send`](Self::wait_send) say `WouldStall` at once.
    /// If the iterator panics, what it gave before is sent.
    ///
    /// In total order ([`Order::Total`](crate::Order::Total)) the place is held of what all senders share. So the iterator
    /// must not wait for room by another sender of the same queue, nor for a thread that does: where the capacity is 1 it
    /// would wait for itself.
    ///
    /// # Errors
    ///
    /// [`Closed`] when nobody receives any more; then nothing was taken from the iterator.
    ///
    /// # Progress
    ///
    /// As [`try_send`](Self::try_send), with at most one wake; the iterator's own work comes on top.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Capacity, Limits, Local, Scope};
    ///
    /// let queue = Local.queue(Limits::default(), Capacity::bounded(4))?;
    /// let sender = queue.attach_sender()?;
    /// let mut numbers = 1..=10;
    /// assert_eq!(sender.try_send_batch(&mut numbers)?, 4);
    /// assert_eq!(numbers.next(), Some(5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_send_batch(&self, messages: &mut impl Iterator<Item = T>) -> Result<usize, Closed> {
        match &self.way {
            Way::Lane(tx) => tx.send_batch(messages),
            Way::Total(shared) => match shared.total() {
                (intake, Some(total)) => {
                    let _in_batch = InBatch::new(&shared.batches);
                    total.send_batch(intake, messages)
                }
                (_, None) => Err(Closed),
            },
        }
    }

    /// Sends copies of as many of these as there is room for, from the first one on, and publishes them together. Returns
    /// how many. The fastest way to send many: they are copied as a whole.
    ///
    /// # Errors
    ///
    /// [`Closed`] when nobody receives any more; then none was sent.
    ///
    /// # Progress
    ///
    /// As [`try_send_batch`](Self::try_send_batch).
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Capacity, Limits, Local, Scope};
    ///
    /// let queue = Local.queue(Limits::default(), Capacity::bounded(4))?;
    /// let sender = queue.attach_sender()?;
    /// let mut receiver = queue.attach_receiver()?;
    /// assert_eq!(sender.try_send_slice(&[1, 2, 3, 4, 5])?, 4);
    /// let mut received = Vec::new();
    /// assert_eq!(receiver.drain_into(&mut received, 3), 3);
    /// assert_eq!(received, [1, 2, 3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_send_slice(&self, messages: &[T]) -> Result<usize, Closed>
    where
        T: Copy,
    {
        match &self.way {
            Way::Lane(tx) => tx.send_slice(messages),
            Way::Total(_) => self.try_send_batch(&mut messages.iter().copied()),
        }
    }

    /// Whether nobody will receive any more. May become true at any time, and never false again.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.place().intake.is_closed()
    }

    /// Attaches another sender, with a lane of its own.
    ///
    /// # Errors
    ///
    /// As [`Handle::attach_sender`](crate::Handle::attach_sender).
    ///
    /// # Progress
    ///
    /// Lock-free; does not allocate when a lane is free.
    #[track_caller]
    pub fn try_clone(&self) -> Result<Self, AttachError> {
        Self::new(self.place().another()?)
    }
}

impl<T: 'static, S: Scope> fmt::Debug for Sender<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
