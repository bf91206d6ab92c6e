//! Where the laws hold: scopes, kinds of lanes, and the two ways to run the parties of a law.

use std::thread;
use std::time::{Duration, Instant};

use agate::{
    AttachError, BlockOptions, BlockPool, Capacity, Carries, Closed, Drain, Handle, Limits, Local,
    Order, Private, Queue, QueueOptions, Receiver, RecvError, Role, Scope, Sender, Stream,
    StreamError, StreamReceiver, StreamSender, TryRecvError, TrySendError,
};

use crate::ledger::Letter;

/// A deadline that only a law that is broken meets.
pub(crate) const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });

/// Who sent it, and which of the sender's messages it is.
pub(crate) type Mail = (u32, u32);

/// A kind of lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Bounded, with so many messages in each lane.
    Ring(usize),
    /// Unbounded.
    Chain,
    /// Total order, bounded: no lanes, so many messages of all senders together.
    Array(usize),
    /// Total order, unbounded.
    List,
    /// Byte messages, each flushed; so many blocks of so many bytes for all senders.
    Stream { blocks: usize, bytes: usize },
}

impl Lane {
    /// Every kind, with capacities that are awkward: one, powers of two, others.
    pub(crate) const ALL: [Self; 12] = [
        Self::Ring(1),
        Self::Ring(2),
        Self::Ring(3),
        Self::Ring(7),
        Self::Ring(64),
        Self::Chain,
        Self::Array(1),
        Self::Array(3),
        Self::Array(16),
        Self::List,
        Self::Stream {
            blocks: 1,
            bytes: 16,
        },
        Self::Stream {
            blocks: 9,
            bytes: 100,
        },
    ];

    /// The kinds that carry values.
    pub(crate) const QUEUES: [Self; 8] = [
        Self::Ring(1),
        Self::Ring(2),
        Self::Ring(3),
        Self::Ring(7),
        Self::Ring(64),
        Self::Chain,
        Self::Array(16),
        Self::List,
    ];

    /// What makes a queue of this kind.
    pub(crate) fn options(self, limits: Limits) -> QueueOptions {
        let capacity = match self {
            Self::Ring(messages) | Self::Array(messages) => Capacity::bounded(messages),
            Self::Chain | Self::List | Self::Stream { .. } => Capacity::Unbounded,
        };
        let order = if self.is_total() {
            Order::Total
        } else {
            Order::PerSender
        };
        QueueOptions::new(capacity).limits(limits).order(order)
    }

    /// Whether all senders share one order.
    pub(crate) fn is_total(self) -> bool {
        matches!(self, Self::Array(_) | Self::List)
    }
}

/// An object that senders and receivers attach to.
pub(crate) enum Hub<S: World> {
    Queue(Handle<Queue<Mail, S>, S>),
    Stream(Handle<Stream<S>, S>),
}

/// An attached sender.
pub(crate) enum Tx<S: World> {
    Queue(Sender<Mail, S>),
    Stream(StreamSender<S>),
}

/// An attached receiver.
pub(crate) enum Rx<S: World> {
    Queue(Receiver<Mail, S>),
    Stream(StreamReceiver<S>),
}

/// Why a mail was not sent; it came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Full(Mail),
    Closed(Mail),
}

impl<S: World> Hub<S> {
    pub(crate) fn new(scope: S, lane: Lane, limits: Limits) -> Self {
        if let Lane::Stream { blocks, bytes } = lane {
            let pool: BlockPool<S> = scope
                .block_pool(BlockOptions {
                    block_bytes: bytes,
                    max_blocks: blocks,
                })
                .unwrap();
            return Self::Stream(scope.stream(limits, &pool));
        }
        Self::Queue(scope.queue_with(lane.options(limits)).unwrap())
    }

    pub(crate) fn attach_sender(&self) -> Result<Tx<S>, AttachError> {
        match self {
            Self::Queue(queue) => queue.attach_sender().map(Tx::Queue),
            Self::Stream(stream) => stream.attach_sender().map(Tx::Stream),
        }
    }

    pub(crate) fn attach_receiver(&self) -> Result<Rx<S>, AttachError> {
        match self {
            Self::Queue(queue) => queue.attach_receiver().map(Rx::Queue),
            Self::Stream(stream) => stream.attach_receiver().map(Rx::Stream),
        }
    }

    pub(crate) fn attached(&self, role: Role) -> usize {
        match self {
            Self::Queue(queue) => queue.attached(role),
            Self::Stream(stream) => stream.attached(role),
        }
    }

    pub(crate) fn close(&self) {
        match self {
            Self::Queue(queue) => queue.close(),
            Self::Stream(stream) => stream.close(),
        }
    }
}

impl<S: World> Clone for Hub<S> {
    fn clone(&self) -> Self {
        match self {
            Self::Queue(queue) => Self::Queue(queue.clone()),
            Self::Stream(stream) => Self::Stream(stream.clone()),
        }
    }
}

impl<S: World> Tx<S> {
    /// Sends, and lets the receiver see it.
    pub(crate) fn try_send(&mut self, mail: Mail) -> Result<(), Refused> {
        match self {
            Self::Queue(sender) => sender.try_send(mail).map_err(|error| match error {
                TrySendError::Full(mail) => Refused::Full(mail),
                TrySendError::Closed(mail) => Refused::Closed(mail),
            }),
            Self::Stream(sender) => {
                let sent = sender.try_send(&bytes(mail));
                let flushed = sender.flush();
                match sent {
                    Ok(()) if flushed.is_ok() => Ok(()),
                    Ok(()) | Err(StreamError::Closed) => Err(Refused::Closed(mail)),
                    Err(StreamError::OutOfBlocks(_)) => Err(Refused::Full(mail)),
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }

    /// Sends as many as there is room for, seen together; returns how many.
    pub(crate) fn try_send_batch(
        &mut self,
        mails: &mut impl Iterator<Item = Mail>,
    ) -> Result<usize, Closed> {
        match self {
            Self::Queue(sender) => sender.try_send_batch(mails),
            Self::Stream(sender) => {
                let mut sent = 0;
                // As many as are asked for here fit into one block or find none.
                while let Ok(mut room) = sender.reserve(8) {
                    let Some(mail) = mails.next() else { break };
                    assert_eq!(room.append(&bytes(mail)), 8);
                    room.commit();
                    sent += 1;
                }
                sender.flush().map(|()| sent)
            }
        }
    }

    pub(crate) fn try_clone(&self) -> Result<Self, AttachError> {
        match self {
            Self::Queue(sender) => sender.try_clone().map(Self::Queue),
            Self::Stream(sender) => sender.try_clone().map(Self::Stream),
        }
    }
}

impl<S: World> Rx<S> {
    pub(crate) fn try_recv(&mut self) -> Result<Mail, TryRecvError> {
        match self {
            Self::Queue(receiver) => receiver.try_recv(),
            Self::Stream(receiver) => receiver.try_recv().map(mail),
        }
    }

    /// Receives at most `most` that are waiting.
    pub(crate) fn drain(&mut self, most: usize) -> Vec<Mail> {
        match self {
            Self::Queue(receiver) => {
                let drain: Drain<'_, Mail, S> = receiver.drain();
                drain.take(most).collect()
            }
            Self::Stream(_) => std::iter::from_fn(|| self.try_recv().ok())
                .take(most)
                .collect(),
        }
    }

    pub(crate) fn recv_timeout(&mut self, timeout: Duration) -> Result<Mail, RecvError> {
        match self {
            Self::Queue(receiver) => receiver.recv_timeout(timeout),
            Self::Stream(receiver) => receiver.recv_timeout(timeout).map(mail),
        }
    }

    pub(crate) fn wait_recv(&mut self) -> Result<Mail, RecvError> {
        match self {
            Self::Queue(receiver) => receiver.wait_recv(),
            Self::Stream(receiver) => receiver.wait_recv().map(mail),
        }
    }

    /// Gives the place back and leaves the rest to the next receiver, where that is possible.
    pub(crate) fn detach(self) {
        match self {
            Self::Queue(receiver) => receiver.detach(),
            Self::Stream(_) => panic!("a stream's receiver closes it"),
        }
    }
}

fn bytes((from, number): Mail) -> [u8; 8] {
    (u64::from(from) << 32 | u64::from(number)).to_le_bytes()
}

fn mail(message: &[u8]) -> Mail {
    let word = u64::from_le_bytes(message.try_into().expect("a mail has eight bytes"));
    ((word >> 32) as u32, word as u32)
}

/// What a party did with its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It got on.
    Went,
    /// It could not: others must get on first.
    Stuck,
    /// It has nothing more to do.
    Done,
}

/// One who takes part in a law: what it holds, what it has seen, and a step that is taken again and again.
pub(crate) struct Party<S: World> {
    pub(crate) id: u32,
    pub(crate) hub: Option<Hub<S>>,
    pub(crate) tx: Option<Tx<S>>,
    pub(crate) rx: Option<Rx<S>>,
    /// Counts what the step likes.
    pub(crate) at: u32,
    /// How many it will send or take.
    pub(crate) most: u32,
    /// Accepted by its sender, or got by its receiver.
    pub(crate) mails: Vec<Mail>,
    pub(crate) step: fn(&mut Self) -> Turn,
}

impl<S: World> Party<S> {
    pub(crate) fn new(id: u32, step: fn(&mut Self) -> Turn) -> Self {
        Self {
            id,
            hub: None,
            tx: None,
            rx: None,
            at: 0,
            most: 0,
            mails: Vec::new(),
            step,
        }
    }

    fn turn(&mut self) -> Turn {
        (self.step)(self)
    }

    /// Keeps what it has seen, and gives everything else back.
    fn leave(&mut self) {
        (self.hub, self.tx, self.rx) = (None, None, None);
    }
}

/// How the parties of a law are run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Run {
    /// In turns on this thread.
    Turns,
    /// Each on a thread of its own.
    Threads,
}

/// A scope in which laws are tried.
pub(crate) trait World: Scope + Carries<Mail> + Carries<Letter> + Carries<Box<u32>> {
    /// The ways to run parties there.
    const RUNS: &[Run];

    /// Runs all parties to their end, and gives them back.
    fn run(run: Run, parties: Vec<Party<Self>>) -> Vec<Party<Self>>;
}

impl World for Private {
    const RUNS: &[Run] = &[Run::Turns];

    fn run(_: Run, parties: Vec<Party<Self>>) -> Vec<Party<Self>> {
        in_turns(parties)
    }
}

impl World for Local {
    const RUNS: &[Run] = &[Run::Turns, Run::Threads];

    fn run(run: Run, parties: Vec<Party<Self>>) -> Vec<Party<Self>> {
        match run {
            Run::Turns => in_turns(parties),
            Run::Threads => on_threads(parties),
        }
    }
}

/// A test of each law in each scope.
macro_rules! in_every_scope {
    ($($law:ident)*) => {
        mod private {
            $(#[test] fn $law() { super::$law(agate::Private); })*
        }
        mod local {
            $(#[test] fn $law() { super::$law(agate::Local); })*
        }
    };
}
pub(crate) use in_every_scope;

/// A party that is done leaves at once, as one whose thread ends does.
fn in_turns<S: World>(mut parties: Vec<Party<S>>) -> Vec<Party<S>> {
    let mut done = vec![false; parties.len()];
    // A step that is stuck may still have made way for another: a stream's receiver gives its block back then.
    let mut idle_rounds = 0;
    while done.contains(&false) {
        let mut went = false;
        for (party, done) in parties.iter_mut().zip(&mut done) {
            if *done {
                continue;
            }
            match party.turn() {
                Turn::Went => went = true,
                Turn::Stuck => {}
                Turn::Done => {
                    party.leave();
                    (*done, went) = (true, true);
                }
            }
        }
        idle_rounds = if went { 0 } else { idle_rounds + 1 };
        assert!(idle_rounds < 3, "all parties wait for each other");
    }
    parties
}

fn on_threads(parties: Vec<Party<Local>>) -> Vec<Party<Local>> {
    let deadline = Instant::now() + LONG;
    let threads: Vec<_> = parties
        .into_iter()
        .map(|mut party| {
            thread::spawn(move || {
                loop {
                    match party.turn() {
                        Turn::Went => {}
                        Turn::Stuck => {
                            assert!(Instant::now() < deadline, "party {} is stuck", party.id);
                            thread::yield_now();
                        }
                        Turn::Done => {
                            party.leave();
                            return party;
                        }
                    }
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .map(|thread| thread.join().expect("a party's thread panicked"))
        .collect()
}
