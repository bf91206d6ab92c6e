//! What an object tells about itself: who is attached, how much is waiting, what was counted.

use crate::handle::Limits;
use crate::stream::BlockStats;

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
    /// Sends of a single message that found no room. (Batches and slices say themselves how far they got.)
    pub full: usize,
    /// Calls of the kernel that were made to wake a receiver, closing included.
    pub wakes: u64,
    /// For how many messages there is memory. In an unbounded queue that is the high water of each lane, rounded up to
    /// whole segments; in an unbounded queue in total order, what waits now.
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

/// What a stream looks like at one moment; see [`Handle::inspect`](crate::Handle::inspect).
///
/// What travels in a stream is blocks, so its depth is counted in them. Others use the stream, and its pool, meanwhile, so
/// the numbers need not fit together exactly. Counters wrap.
///
/// # Examples
///
/// ```
/// use agate::{BlockOptions, BlockPool, Limits, Local, Scope};
///
/// let pool = BlockPool::new(BlockOptions { block_bytes: 4096, max_blocks: 16 })?;
/// let lines = Local.stream(Limits::senders(4), &pool);
/// let mut sender = lines.attach_sender()?;
/// sender.try_send(b"not flushed yet")?;
/// assert_eq!((lines.inspect().waiting, lines.inspect().blocks.in_use), (0, 1));
/// sender.flush()?;
/// let seen = lines.inspect();
/// assert_eq!((seen.sent, seen.received, seen.waiting), (1, 0, 1));
/// assert_eq!((seen.waiting_bytes, seen.capacity_bytes), (4096, 16 * 4096));
/// assert_eq!((seen.senders, seen.receivers, seen.closed), (1, 0, false));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamInspection {
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
    /// Blocks sent, ever.
    pub sent: usize,
    /// Blocks received (or dropped unreceived), ever.
    pub received: usize,
    /// Blocks that wait: sent and not received. The one that the receiver reads just now is received.
    pub waiting: usize,
    /// The memory of these, in bytes; how much of it holds messages is up to the senders.
    pub waiting_bytes: usize,
    /// The most bytes that all blocks of the pool together may have.
    pub capacity_bytes: usize,
    /// Calls of the kernel that were made to wake the receiver, closing included.
    pub wakes: u64,
    /// How many blocks the pool may have.
    pub max_blocks: usize,
    /// The pool's blocks, those of its other streams included.
    pub blocks: BlockStats,
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
