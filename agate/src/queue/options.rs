//! How a queue is made: its limits, its capacity, its order, how its receiver waits.

use crate::handle::Limits;
use crate::park::WaitMode;

/// How many messages may wait.
///
/// # Examples
///
/// ```
/// use agate::Capacity;
///
/// assert_eq!(Capacity::bounded(1024), Capacity::Bounded(1024));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// At most so many messages in each lane; its memory is allocated when the lane is first attached. With
    /// [`Order::Total`], so many in the queue.
    Bounded(usize),
    /// As many as memory holds. Lanes grow by segments of about 4 KiB, which are recycled and not given back.
    Unbounded,
}

impl Capacity {
    /// At most `messages` messages.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub const fn bounded(messages: usize) -> Self {
        Self::Bounded(messages)
    }
}

/// In which order messages of several senders are received.
///
/// # Examples
///
/// In total order a message that was sent after another was accepted is received after it, whoever sent it:
///
/// ```
/// use agate::{Capacity, Local, Order, QueueOptions, Scope};
///
/// let queue = Local.queue_with(QueueOptions::new(Capacity::bounded(8)).order(Order::Total))?;
/// let (first, second) = (queue.attach_sender()?, queue.attach_sender()?);
/// second.try_send(1)?;
/// first.try_send(2)?;
/// assert_eq!(queue.attach_receiver()?.drain().collect::<Vec<_>>(), [1, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Order {
    /// Messages of one sender in the order sent, none between senders. Each sender has a lane of its own, and there is
    /// one receiver at a time. By far the faster one.
    #[default]
    PerSender,
    /// One order of all messages, in one queue that all senders and any number of receivers share; each message is
    /// received by one of them.
    Total,
}

/// What a queue is made with; see [`Scope::queue_with`](crate::Scope::queue_with).
///
/// # Examples
///
/// ```
/// use agate::{Capacity, Limits, Local, Order, QueueOptions, Scope};
///
/// let options = QueueOptions::new(Capacity::bounded(64))
///     .limits(Limits::senders(8).receivers(2))
///     .order(Order::Total);
/// let work = Local.queue_with::<u32>(options)?;
/// let (mut one, mut two) = (work.attach_receiver()?, work.attach_receiver()?);
/// work.attach_sender()?.try_send_batch(&mut (1..=2))?;
/// assert_eq!((one.try_recv()?, two.try_recv()?), (1, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueOptions {
    pub(crate) limits: Limits,
    pub(crate) capacity: Capacity,
    pub(crate) order: Order,
    pub(crate) wait: WaitMode,
}

impl QueueOptions {
    /// A queue of this capacity: no limit on senders, one receiver, which senders wake, order per sender.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub const fn new(capacity: Capacity) -> Self {
        Self {
            limits: Limits::none(),
            capacity,
            order: Order::PerSender,
            wait: WaitMode::Wake,
        }
    }

    /// Sets how many may be attached. More than one receiver there can be with [`Order::Total`] only.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the order of messages.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub const fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Sets how receivers wait when nothing is there.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub const fn wait_mode(mut self, wait: WaitMode) -> Self {
        self.wait = wait;
        self
    }
}
