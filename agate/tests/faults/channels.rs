//! Faults of channel crates.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use agate::{
    BlockOptions, BlockPool, Capacity, Closed, Handler, Limits, Local, OwnerOptions, Pending,
    RecvError, Scope, StreamError, TryRecvError, TrySendError,
};

use crate::deadline::{LONG, ends};

const BOTH: [Capacity; 2] = [Capacity::Bounded(8), Capacity::Unbounded];

/// Counts the letters that are somewhere.
#[derive(Debug)]
struct Letter(Arc<AtomicUsize>, Box<u32>);

impl Letter {
    fn new(alive: &Arc<AtomicUsize>, number: u32) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(alive), Box::new(number))
    }
}

impl Drop for Letter {
    fn drop(&mut self) {
        *self.1 += 1;
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// crossbeam 971, 1084, 1187: what is discarded when the receiver goes is freed twice, or read after it was freed, or
/// leaked, when senders are just sending.
#[test]
fn crossbeam_971_1084_1187_discarding_races_with_senders() {
    let rounds = if cfg!(miri) { 10 } else { 3_000 };
    for capacity in BOTH {
        for round in 0..rounds {
            let alive = Arc::default();
            let queue = Local.queue(Limits::senders(2), capacity).unwrap();
            let mut receiver = queue.attach_receiver().unwrap();
            let start = Arc::new(Barrier::new(3));
            let senders: Vec<_> = (0..2)
                .map(|_| {
                    let (sender, alive) = (queue.attach_sender().unwrap(), Arc::clone(&alive));
                    let start = Arc::clone(&start);
                    thread::spawn(move || {
                        start.wait();
                        // Until it is told that nobody receives; what is refused is dropped here.
                        for number in 0.. {
                            match sender.try_send(Letter::new(&alive, number)) {
                                Ok(()) => {}
                                Err(TrySendError::Full(_)) => thread::yield_now(),
                                Err(TrySendError::Closed(_)) => return,
                            }
                        }
                    })
                })
                .collect();
            start.wait();
            for _ in 0..round % 7 {
                drop(receiver.try_recv());
            }
            drop(receiver);
            senders
                .into_iter()
                .for_each(|sender| sender.join().unwrap());
            // Both sides have gone: nothing is left, though the queue is still there.
            assert_eq!(alive.load(Ordering::SeqCst), 0, "round {round}");
            drop(queue);
            assert_eq!(alive.load(Ordering::SeqCst), 0, "round {round}");
        }
    }
}

/// The same, at the worst moment: the receiver goes between a sender's writing and its publishing.
#[test]
fn crossbeam_1187_the_receiver_goes_in_the_middle_of_a_send() {
    for capacity in BOTH {
        let alive = Arc::default();
        let queue = Local.queue(Limits::senders(1), capacity).unwrap();
        let sender = queue.attach_sender().unwrap();
        let mut receiver = Some(queue.attach_receiver().unwrap());
        let mut letters = (0..4).map(|number| {
            if number == 2 {
                receiver = None;
            }
            Letter::new(&alive, number)
        });
        assert_eq!(sender.try_send_batch(&mut letters), Ok(4));
        assert_eq!(alive.load(Ordering::SeqCst), 0);
        drop((sender, queue));
        assert_eq!(alive.load(Ordering::SeqCst), 0);
    }
}

/// std, rust 107466: a receiver that unwinds does not drop what it has not received.
#[test]
fn std_107466_a_receiver_that_unwinds_drops_what_it_has_not_received() {
    for capacity in BOTH {
        let alive = Arc::default();
        let queue = Local.queue(Limits::default(), capacity).unwrap();
        let sender = queue.attach_sender().unwrap();
        let mut receiver = queue.attach_receiver().unwrap();
        for number in 0..8 {
            sender.try_send(Letter::new(&alive, number)).unwrap();
        }
        let unwound = catch_unwind(AssertUnwindSafe(move || {
            let _first = receiver.try_recv();
            panic!("the receiver's own");
        }));
        assert!(unwound.is_err());
        assert_eq!(alive.load(Ordering::SeqCst), 0);
        assert!(sender.is_closed());
    }
}

/// std, rust 39364: a receive with a time limit panics, by the clock's overflow or when a sender goes at that moment.
#[test]
fn std_39364_a_receive_with_any_time_limit_returns() {
    let times = [0, 1, 999, 50_000, 1_000_000].map(Duration::from_nanos);
    let rounds = if cfg!(miri) { 2 } else { 100 };
    for _ in 0..rounds {
        for time in times.into_iter().chain([Duration::MAX, LONG]) {
            let queue = Local
                .queue::<u32>(Limits::default(), Capacity::Unbounded)
                .unwrap();
            let mut receiver = queue.attach_receiver().unwrap();
            let sender = queue.attach_sender().unwrap();
            let sending = thread::spawn(move || {
                sender.send(1).unwrap();
                // And goes at once.
            });
            let got = ends(move || {
                let mut got = Vec::new();
                loop {
                    match receiver.recv_timeout(time) {
                        Ok(number) => got.push(number),
                        Err(RecvError::TimedOut) => {}
                        Err(error) => return (got, error),
                    }
                }
            });
            assert_eq!(got, (vec![1], RecvError::Disconnected));
            sending.join().unwrap();
        }
    }
}

/// thingbuf 83: a sender that found the channel full is never let in again.
#[test]
fn thingbuf_83_a_full_lane_takes_more_as_soon_as_one_is_received() {
    for capacity in [1, 2, 3, 8] {
        let queue = Local
            .queue::<u32>(Limits::senders(2), Capacity::bounded(capacity))
            .unwrap();
        let (one, two) = (
            queue.attach_sender().unwrap(),
            queue.attach_sender().unwrap(),
        );
        let mut receiver = queue.attach_receiver().unwrap();
        for sender in [&one, &two] {
            assert_eq!(sender.try_send_batch(&mut (0..100)), Ok(capacity));
        }
        for number in 0..50 {
            receiver.try_recv().unwrap();
            let sent = [&one, &two].map(|sender| sender.try_send(number).is_ok());
            assert_eq!(
                sent.iter().filter(|&&sent| sent).count(),
                1,
                "one was taken, so there is room for one"
            );
        }
    }
}

/// thingbuf 100: closing while somebody reads or writes a slot in place hangs, or the slot's memory is used again.
#[test]
fn thingbuf_100_a_message_in_place_outlives_a_close() {
    let options = BlockOptions {
        block_bytes: 64,
        max_blocks: 3,
    };
    let pool = BlockPool::new(options).unwrap();
    let stream = Local.stream(Limits::default(), &pool);
    let mut sender = stream.attach_sender().unwrap();
    let mut receiver = stream.attach_receiver().unwrap();
    sender.try_send(b"being read").unwrap();
    sender.flush().unwrap();
    let read = receiver.try_recv().unwrap();
    // Everything else goes, and what can be written over is written over.
    stream.close();
    assert_eq!(sender.try_send(b"refused"), Err(StreamError::Closed));
    drop((sender, stream));
    let mut others: Vec<_> = (0..2).map(|_| pool.try_take().unwrap()).collect();
    assert!(pool.try_take().is_err(), "the block being read is not free");
    others
        .iter_mut()
        .for_each(|block| block.set_len_words(block.capacity_words()));
    drop((others, pool));
    assert_eq!(read, b"being read");
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
}

/// thingbuf 100, the other side: a close while a message is being written.
#[test]
fn thingbuf_100_a_reservation_outlives_the_receiver() {
    let options = BlockOptions {
        block_bytes: 64,
        max_blocks: 2,
    };
    let pool = BlockPool::new(options).unwrap();
    let stream = Local.stream(Limits::default(), &pool);
    let mut sender = stream.attach_sender().unwrap();
    let receiver = stream.attach_receiver().unwrap();
    let mut written = sender.reserve(10).unwrap();
    drop(receiver);
    stream.close();
    assert_eq!(written.append(b"for nobody"), 10);
    written.commit();
    assert_eq!(sender.flush(), Err(Closed));
    assert_eq!(
        pool.stats().in_use,
        0,
        "what nobody will read is given back"
    );
    drop((stream, pool));
    assert!(matches!(sender.reserve(1), Err(StreamError::Closed)));
}

/// tokio-rs/tracing 1941: what is dropped is dropped in silence. Here the report counts it, to the last message.
#[test]
fn tracing_1941_what_is_discarded_is_counted() {
    struct Slow(Arc<Barrier>);
    impl Handler for Slow {
        type Message = u32;
        fn handle(&mut self, number: u32) {
            if number == 0 {
                // Twice: it is in the handler, and it may go on.
                self.0.wait();
                self.0.wait();
            }
        }
    }
    let barrier = Arc::new(Barrier::new(2));
    let inside = Arc::clone(&barrier);
    let owner = Local
        .owner_with(OwnerOptions::named("slow"), move || Slow(inside))
        .unwrap();
    let ports = [(); 3].map(|()| owner.attach().unwrap());
    ports[0].send(0).unwrap();
    barrier.wait();
    for port in &ports {
        for number in 1..=1_000 {
            port.send(number).unwrap();
        }
    }
    let ending = thread::spawn(move || owner.shutdown(Pending::Discard, LONG));
    while !ports[0].is_closed() {
        thread::yield_now();
    }
    assert!(
        ports[1].send(1).is_err(),
        "refused: not accepted, not discarded"
    );
    barrier.wait();
    let report = ending.join().unwrap().unwrap();
    assert_eq!((report.handled, report.discarded), (1, 3_000));
}
