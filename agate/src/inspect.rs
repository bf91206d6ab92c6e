//! What an object tells about itself: who is attached, how much is waiting, what was counted.

use crate::handle::Limits;

/// What an object that carries messages looks like at one moment; see [`Handle::inspect`](crate::Handle::inspect).
///
/// Others use the object meanwhile, so the numbers need not fit together exactly. Counters wrap.
///
/// # Examples
///
/// ```
/// use agate::{Capacity, Limits, Local, Scope};
///
/// let queue = Local.queue(Limits::senders(4), Capacity::bounded(2))?;
/// let sender = queue.attach_sender()?;
/// let sent = sender.try_send_batch(&mut (0..10))?;
/// assert!(sender.try_send(10).is_err());
/// let seen = queue.inspect();
/// assert_eq!((sent, seen.sent, seen.waiting, seen.full), (2, 2, 2, 1));
/// assert_eq!((seen.senders, seen.receivers, seen.limits.of(agate::Role::Sender)), (1, 0, 4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// What kind of object it is.
    pub kind: &'static str,
    /// How many may be attached.
    pub limits: Limits,
    /// Senders attached.
    pub senders: usize,
    /// Receivers attached.
    pub receivers: usize,
    /// Whether nothing new is accepted.
    pub closed: bool,
    /// Messages sent, ever.
    pub sent: usize,
    /// Messages received (or dropped unreceived), ever. In a lane a receiver tells its progress once for each run.
    pub received: usize,
    /// Messages that wait: sent and not received.
    pub waiting: usize,
    /// Sends that found no room.
    pub full: usize,
    /// Calls of the kernel that were made to wake a receiver, closing included.
    pub wakes: u64,
    /// For how many messages there is memory. In an unbounded queue that is the high water of each lane, rounded up to
    /// whole segments.
    pub memory: usize,
    /// The lanes, those without a sender included; none in total order.
    pub lanes: Vec<LaneInspection>,
}

/// One lane, as part of an [`Inspection`].
///
/// # Examples
///
/// ```
/// use agate::{Capacity, Limits, Local, Scope};
///
/// let queue = Local.queue(Limits::default(), Capacity::bounded(2))?;
/// let (one, other) = (queue.attach_sender()?, queue.attach_sender()?);
/// one.try_send(1)?;
/// other.try_send_batch(&mut (2..4))?;
/// let sent: Vec<usize> = queue.inspect().lanes.iter().map(|lane| lane.sent).collect();
/// assert_eq!(sent, [1, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LaneInspection {
    /// Messages sent, ever.
    pub sent: usize,
    /// Messages received, ever.
    pub received: usize,
    /// Sends that found no room.
    pub full: usize,
    /// For how many messages there is memory.
    pub memory: usize,
}

impl Inspection {
    pub(crate) fn new(kind: &'static str, limits: Limits) -> Self {
        Self {
            kind,
            limits,
            senders: 0,
            receivers: 0,
            closed: false,
            sent: 0,
            received: 0,
            waiting: 0,
            full: 0,
            wakes: 0,
            memory: 0,
            lanes: Vec::new(),
        }
    }

    /// Adds a lane, to the sums too.
    pub(crate) fn add(&mut self, lane: LaneInspection) {
        self.sent = self.sent.wrapping_add(lane.sent);
        self.received = self.received.wrapping_add(lane.received);
        self.full = self.full.wrapping_add(lane.full);
        self.memory = self.memory.saturating_add(lane.memory);
        self.waiting = self.sent.wrapping_sub(self.received);
        self.lanes.push(lane);
    }
}
