//! What is forgotten or unwound: it may leak memory and its place, and does no other harm. Made for Miri.
//!
//! Nothing here is really lost, so that Miri's search for leaks can stay on: what is forgotten lies in an attic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use agate::{
    AttachError, BlockOptions, BlockPool, Capacity, CompletionError, CompletionPool, Handle,
    Handler, Limits, Local, Order, OutOfBlocks, Pending, Queue, QueueOptions, RecvError, Resolver,
    Role, Scope, Stream, StreamError, TryRecvError, TrySendError, WaitAnyError, WaitError,
    completion, wait_any,
};

const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });

/// Where forgotten values lie: reachable for ever, dropped never.
static ATTIC: Mutex<Vec<AtomicPtr<()>>> = Mutex::new(Vec::new());

/// As `std::mem::forget`.
fn forget<T: 'static>(value: T) {
    let forgotten = Box::into_raw(Box::new(value)).cast();
    ATTIC
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(AtomicPtr::new(forgotten));
}

/// As `std::mem::forget`, of what may or may not have something to do when it is dropped.
fn forgotten<T>(value: T) {
    std::mem::forget(value);
}

/// Runs what panics; the panic ends here.
#[track_caller]
fn panics<R>(run: impl FnOnce() -> R) {
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err(), "no panic");
}

/// Counts its drops.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn queue<T: Send + 'static>(capacity: Capacity) -> Handle<Queue<T>> {
    Local.queue(Limits::senders(2), capacity).unwrap()
}

const BOTH: [Capacity; 2] = [Capacity::Bounded(4), Capacity::Unbounded];

fn stream(max_blocks: usize) -> (BlockPool, Handle<Stream>) {
    let options = BlockOptions {
        block_bytes: 64,
        max_blocks,
    };
    let pool = BlockPool::new(options).unwrap();
    let stream = Local.stream(Limits::senders(2), &pool);
    (pool, stream)
}

/// Which limit was reached.
fn full(error: Option<AttachError>) -> Option<(Role, usize)> {
    match error {
        Some(AttachError::LimitReached { role, limit, .. }) => Some((role, limit)),
        _ => None,
    }
}

#[test]
fn a_forgotten_drain_delivers_nothing_twice_and_its_room_comes_back() {
    for capacity in BOTH {
        let queue = queue::<Box<u32>>(capacity);
        let (one, two) = (
            queue.attach_sender().unwrap(),
            queue.attach_sender().unwrap(),
        );
        let mut receiver = queue.attach_receiver().unwrap();
        for number in 0..4 {
            one.try_send(Box::new(number)).unwrap();
            two.try_send(Box::new(10 + number)).unwrap();
        }
        let mut got = Vec::new();
        for taken in [1, 3, 0, 2] {
            let mut drain = receiver.drain();
            got.extend(drain.by_ref().take(taken).map(|number| *number));
            std::mem::forget(drain);
        }
        got.extend(receiver.drain().map(|number| *number));
        got.sort_unstable();
        assert_eq!(got, [0, 1, 2, 3, 10, 11, 12, 13]);
        for number in 0..4 {
            one.try_send(Box::new(number)).unwrap();
            two.try_send(Box::new(number)).unwrap();
        }
    }
}

#[test]
fn a_drain_that_is_forgotten_before_its_first_message_takes_none() {
    for capacity in BOTH {
        let queue = queue::<u32>(capacity);
        let sender = queue.attach_sender().unwrap();
        let mut receiver = queue.attach_receiver().unwrap();
        (0..4).for_each(|number| sender.try_send(number).unwrap());
        std::mem::forget(receiver.drain());
        assert_eq!(receiver.try_recv(), Ok(0));
        assert_eq!(receiver.drain().collect::<Vec<_>>(), [1, 2, 3]);
    }
}

#[test]
fn a_drain_is_past_a_message_before_it_yields_it() {
    for capacity in BOTH {
        let drops = Arc::new(AtomicUsize::new(0));
        let queue = queue(capacity);
        let sender = queue.attach_sender().unwrap();
        let mut receiver = queue.attach_receiver().unwrap();
        for _ in 0..4 {
            sender.try_send(Counted(Arc::clone(&drops))).unwrap();
        }
        // The message is in hand when the drain is unwound.
        panics(|| {
            let mut drain = receiver.drain();
            let in_hand = drain.next();
            std::mem::forget(drain);
            assert!(in_hand.is_none(), "the receiver's own");
        });
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        assert_eq!(receiver.drain().count(), 3);
        assert_eq!(drops.load(Ordering::Relaxed), 4);
    }
}

#[test]
fn a_forgotten_sender_keeps_its_place_and_its_lane_and_holds_up_nobody() {
    for capacity in BOTH {
        let queue = queue::<Box<u32>>(capacity);
        let mut receiver = queue.attach_receiver().unwrap();
        let sender = queue.attach_sender().unwrap();
        sender.try_send(Box::new(1)).unwrap();
        forget(sender);
        let other = queue.attach_sender().unwrap();
        assert_eq!(full(queue.attach_sender().err()), Some((Role::Sender, 2)));
        other.try_send(Box::new(2)).unwrap();
        let got: Vec<u32> = receiver.drain().map(|number| *number).collect();
        assert_eq!(got.iter().sum::<u32>(), 3);
        drop(other);
        // It may still come, for all that anybody knows.
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(
            receiver.recv_timeout(Duration::ZERO),
            Err(RecvError::TimedOut)
        );
        queue.close();
        assert_eq!(receiver.wait_recv(), Err(RecvError::Disconnected));
    }
}

#[test]
fn a_forgotten_receiver_keeps_its_place_and_holds_up_no_sender() {
    for capacity in BOTH {
        let queue = queue::<Box<u32>>(capacity);
        let sender = queue.attach_sender().unwrap();
        forget(queue.attach_receiver().unwrap());
        assert_eq!(
            full(queue.attach_receiver().err()),
            Some((Role::Receiver, 1))
        );
        (0..4).for_each(|number| sender.try_send(Box::new(number)).unwrap());
        match sender.try_send(Box::new(4)) {
            Err(TrySendError::Full(back)) => assert_eq!((capacity, *back), (BOTH[0], 4)),
            sent => assert_eq!((capacity, sent), (BOTH[1], Ok(()))),
        }
        queue.close();
        assert_eq!(
            sender.try_send(Box::new(5)),
            Err(TrySendError::Closed(Box::new(5)))
        );
    }
}

#[test]
fn a_reservation_changes_nothing_before_its_commit_and_nothing_when_forgotten() {
    let (pool, stream) = stream(2);
    let mut sender = stream.attach_sender().unwrap();
    let mut receiver = stream.attach_receiver().unwrap();
    sender.try_send(b"before").unwrap();
    for _ in 0..3 {
        let mut reservation = sender.reserve(10).unwrap();
        reservation.append(b"forgotten");
        forgotten(reservation);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    }
    assert_eq!(pool.stats().in_use, 1, "in the same block each time");
    sender.try_send(b"after").unwrap();
    sender.flush().unwrap();
    assert_eq!(receiver.try_recv(), Ok(&b"before"[..]));
    assert_eq!(receiver.try_recv(), Ok(&b"after"[..]));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(pool.stats().in_use, 0);
}

#[test]
fn a_write_that_panics_sends_nothing_of_its_message() {
    let (pool, stream) = stream(2);
    let mut sender = stream.attach_sender().unwrap();
    let mut receiver = stream.attach_receiver().unwrap();
    panics(|| {
        let mut reservation = sender.reserve(10).unwrap();
        reservation.append(b"half of");
        panic!("the writer's own");
    });
    sender.try_send(b"whole").unwrap();
    drop(sender);
    assert_eq!(receiver.try_recv(), Ok(&b"whole"[..]));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    assert_eq!(pool.stats().in_use, 0);
}

#[test]
fn a_batch_that_panics_drops_exactly_what_was_made() {
    for capacity in BOTH {
        let drops = Arc::new(AtomicUsize::new(0));
        let queue = queue(capacity);
        let sender = queue.attach_sender().unwrap();
        let receiver = queue.attach_receiver().unwrap();
        let mut letters = (0..4).map(|number| {
            assert!(number < 3, "the iterator's own");
            Counted(Arc::clone(&drops))
        });
        panics(|| sender.try_send_batch(&mut letters));
        assert_eq!(drops.load(Ordering::Relaxed), 0, "they are sent");
        drop(receiver);
        assert_eq!(drops.load(Ordering::Relaxed), 3);
        drop((sender, queue));
        assert_eq!(drops.load(Ordering::Relaxed), 3);
    }
}

#[test]
fn a_forgotten_stream_sender_keeps_its_block_and_its_place() {
    let (pool, stream) = stream(2);
    let mut receiver = stream.attach_receiver().unwrap();
    let mut sender = stream.attach_sender().unwrap();
    sender.try_send(b"never flushed").unwrap();
    forget(sender);
    let mut other = stream.attach_sender().unwrap();
    other.try_send(b"one").unwrap();
    other.flush().unwrap();
    assert!(matches!(
        other.try_send(b"two"),
        Err(StreamError::OutOfBlocks(OutOfBlocks { max_blocks: 2 }))
    ));
    assert_eq!(receiver.try_recv(), Ok(&b"one"[..]));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    other.try_send(b"two").unwrap();
    drop(other);
    assert_eq!(receiver.try_recv(), Ok(&b"two"[..]));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(pool.stats().in_use, 1);
    stream.close();
    assert_eq!(receiver.wait_recv(), Err(RecvError::Disconnected));
}

#[test]
fn a_forgotten_stream_receiver_keeps_the_block_it_reads() {
    let (pool, stream) = stream(2);
    let mut sender = stream.attach_sender().unwrap();
    let mut receiver = stream.attach_receiver().unwrap();
    sender.try_send(b"read").unwrap();
    sender.flush().unwrap();
    assert_eq!(receiver.try_recv(), Ok(&b"read"[..]));
    forget(receiver);
    sender.try_send(b"unread").unwrap();
    sender.flush().unwrap();
    assert!(matches!(
        sender.try_send(b"refused"),
        Err(StreamError::OutOfBlocks(_))
    ));
    assert_eq!(pool.stats().in_use, 2);
}

#[test]
fn a_forgotten_block_stays_taken() {
    let (pool, _stream) = stream(2);
    forget(pool.try_take().unwrap());
    let other = pool.try_take().unwrap();
    assert!(pool.try_take().is_err());
    drop(other);
    assert!(pool.try_take().is_ok());
    assert_eq!(pool.stats().in_use, 1);
}

#[test]
fn a_forgotten_resolver_leaves_the_completion_to_its_time_limit() {
    for pooled in [false, true] {
        let pool = CompletionPool::<Box<u32>>::new();
        let (resolver, mut answer) = if pooled { pool.pair() } else { completion() };
        forget(resolver);
        assert_eq!(answer.poll(), None);
        let none = Duration::ZERO;
        assert_eq!(answer.wait_timeout(none), Err(WaitError::TimedOut));
        forget(answer);
        // The next pair is another slot.
        let (resolver, mut answer) = pool.pair();
        resolver.resolve(Box::new(3));
        assert_eq!(answer.poll(), Some(Ok(Box::new(3))));
    }
}

#[test]
fn a_forgotten_completion_keeps_its_answer_and_holds_up_no_resolver() {
    for pooled in [false, true] {
        let drops = Arc::new(AtomicUsize::new(0));
        let pool = CompletionPool::new();
        let (resolver, answer) = if pooled { pool.pair() } else { completion() };
        forget(answer);
        assert!(resolver.is_wanted());
        assert!(resolver.try_resolve(Counted(Arc::clone(&drops))).is_ok());
        let (resolver, answer) = pool.pair();
        drop(answer);
        resolver.resolve(Counted(Arc::clone(&drops)));
        assert_eq!(drops.load(Ordering::Relaxed), 1, "the second one alone");
    }
}

/// Tells of each number, and panics at 13.
struct Teller(mpsc::Sender<u32>);

enum Tell {
    Number(u32),
    Ask(Resolver<u32>),
}

impl Handler for Teller {
    type Message = Tell;

    fn handle(&mut self, message: Tell) {
        match message {
            Tell::Number(13) => panic!("the handler's own"),
            Tell::Number(number) => self.0.send(number).unwrap(),
            Tell::Ask(asker) => asker.resolve(7),
        }
    }
}

#[test]
fn a_forgotten_port_keeps_its_place_and_does_not_hold_up_the_end() {
    let (tell, told) = mpsc::channel();
    let owner = Local.owner("teller", Teller(tell)).unwrap();
    let port = owner.attach().unwrap();
    port.send(Tell::Number(1)).unwrap();
    let unanswered = port.ask(Tell::Ask).unwrap();
    forget((port, unanswered));
    assert_eq!(owner.handle().attached(Role::Sender), 1);
    let other = owner.attach().unwrap();
    other.send(Tell::Number(2)).unwrap();
    assert_eq!(other.ask(Tell::Ask).unwrap().wait_timeout(LONG), Ok(7));
    let report = owner.shutdown(Pending::Drain, LONG).unwrap();
    assert_eq!((report.handled, report.discarded), (4, 0));
    let mut numbers: Vec<u32> = told.iter().collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn what_an_owner_that_panics_has_not_handled_is_dropped_and_answered() {
    let (tell, told) = mpsc::channel();
    let owner = Local.owner("teller", Teller(tell)).unwrap();
    let port = owner.attach().unwrap();
    let (asker, mut answer) = completion();
    // In one batch, so that the question is accepted before the panic.
    let both = [Tell::Number(13), Tell::Ask(asker)];
    assert_eq!(port.send_batch(&mut both.into_iter()), Ok(2));
    assert_eq!(
        answer.wait_timeout(LONG),
        Err(WaitError::Failed(CompletionError::OwnerPanicked))
    );
    let error = owner.shutdown(Pending::Drain, LONG).unwrap_err();
    assert_eq!(error.panic_message(), Some("the handler's own"));
    assert!(told.iter().next().is_none(), "the handler is dropped");
    assert!(port.send(Tell::Number(1)).is_err());
}

/// The room of a bounded lane comes back also when the round that emptied it was forgotten.
#[test]
fn a_lane_that_a_forgotten_drain_has_emptied_has_room_again() {
    for by_next_receiver in [false, true] {
        let queue = Local
            .queue::<u32>(Limits::senders(1), Capacity::bounded(4))
            .unwrap();
        let sender = queue.attach_sender().unwrap();
        let mut receiver = queue.attach_receiver().unwrap();
        assert_eq!(sender.try_send_batch(&mut (0..4)), Ok(4));
        let mut drain = receiver.drain();
        assert_eq!(drain.by_ref().take(4).count(), 4);
        std::mem::forget(drain);
        if by_next_receiver {
            receiver.detach();
            receiver = queue.attach_receiver().unwrap();
        }
        assert!(receiver.try_recv().is_err(), "nothing comes twice");
        sender.try_send(4).unwrap();
        assert_eq!(receiver.try_recv(), Ok(4));
    }
}

/// A vector of messages without a size is too long before memory is short.
#[test]
fn what_a_vector_cannot_take_up_stays_in_the_queue() {
    const LONGEST: usize = usize::MAX - 1;
    for order in [Order::PerSender, Order::Total] {
        let options = QueueOptions::new(Capacity::bounded(8)).order(order);
        let queue = Local.queue_with::<()>(options).unwrap();
        let sender = queue.attach_sender().unwrap();
        let mut receiver = queue.attach_receiver().unwrap();
        assert_eq!(sender.try_send_slice(&[(); 3]), Ok(3));
        let mut row = [(); LONGEST].to_vec();
        panics(|| receiver.drain_into(&mut row, 3));
        assert_eq!(row.len() - LONGEST + receiver.drain().count(), 3);
        assert_eq!(sender.try_send_slice(&[(); 10]), Ok(8), "all have room");
    }
}

#[test]
fn a_forgotten_drain_leaves_no_news_behind() {
    let queue = queue(Capacity::Bounded(4));
    let sender = queue.attach_sender().unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    assert_eq!(sender.try_send_batch(&mut (0..4)), Ok(4));
    let mut drain = receiver.drain();
    assert_eq!(drain.by_ref().take(4).count(), 4);
    std::mem::forget(drain);
    let waited = wait_any(&mut [&mut receiver], Duration::ZERO);
    assert_eq!(waited, Err(WaitAnyError::TimedOut), "all was taken");
    assert_eq!(sender.try_send_batch(&mut (4..8)), Ok(4), "all have room");
    assert_eq!(wait_any(&mut [&mut receiver], LONG), Ok(0));
}
