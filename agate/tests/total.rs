//! Queues in total order: one order for all senders, each message to one of several receivers.

mod threads;

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use agate::{
    AttachError, Capacity, Carries, CreateError, Handle, Limits, Local, Order, Private, Queue,
    QueueOptions, RecvError, Role, Scope, SendError, SendTimeoutError, TryRecvError, TrySendError,
};

use crate::threads::spawn_asleep;

const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });

fn total<T: 'static, S: Scope + Carries<T>>(
    scope: S,
    capacity: Capacity,
    receivers: usize,
) -> Handle<Queue<T, S>, S> {
    let options = QueueOptions::new(capacity)
        .limits(Limits::none().receivers(receivers))
        .order(Order::Total);
    scope.queue_with(options).unwrap()
}

fn one_order<S: Scope + Carries<u32>>(scope: S) {
    for capacity in [Capacity::bounded(4), Capacity::Unbounded] {
        let queue = total::<u32, S>(scope, capacity, 2);
        let senders = [
            queue.attach_sender().unwrap(),
            queue.attach_sender().unwrap(),
        ];
        let mut receivers = [
            queue.attach_receiver().unwrap(),
            queue.attach_receiver().unwrap(),
        ];
        assert!(queue.attach_receiver().is_err(), "the limit is two");
        for round in 0..40 {
            // In no order that lanes in turn would give.
            for (n, sender) in (0..).zip([0, 0, 1, 0]) {
                senders[(round as usize + sender) % 2]
                    .try_send(4 * round + n)
                    .unwrap();
            }
            for n in 0..4 {
                let receiver = &mut receivers[(round + n) as usize % 2];
                assert_eq!(receiver.try_recv(), Ok(4 * round + n));
            }
        }
        assert_eq!(receivers[0].try_recv(), Err(TryRecvError::Empty));
        drop(senders);
        assert_eq!(receivers[1].try_recv(), Err(TryRecvError::Disconnected));
    }
}

#[test]
fn all_senders_share_one_order_in_each_scope() {
    one_order(Local);
    one_order(Private);
}

#[test]
fn the_capacity_is_one_for_all_senders_and_exact() {
    for messages in [1, 2, 3, 7] {
        let queue = total::<usize, _>(Local, Capacity::bounded(messages), 1);
        let senders = [
            queue.attach_sender().unwrap(),
            queue.attach_sender().unwrap(),
        ];
        let mut receiver = queue.attach_receiver().unwrap();
        for _ in 0..3 {
            for n in 0..messages {
                senders[n % 2].try_send(n).unwrap();
            }
            assert_eq!(senders[0].try_send(9), Err(TrySendError::Full(9)));
            assert_eq!(senders[1].try_send_batch(&mut (0..9)), Ok(0));
            assert_eq!(receiver.try_recv(), Ok(0));
            let mut rest = 100..200;
            assert_eq!(senders[1].try_send_batch(&mut rest), Ok(1));
            assert_eq!(rest.start, 101, "what has no place stays in the iterator");
            assert_eq!(receiver.drain().count(), messages);
        }
        let seen = queue.inspect();
        assert_eq!(
            (seen.sent, seen.received, seen.waiting),
            (3 * (messages + 1), 3 * (messages + 1), 0)
        );
        assert_eq!(seen.full, 3);
    }
}

/// Each message arrives once, at one of them, and each receiver sees those of one sender in their order.
#[test]
fn several_receivers_share_the_messages_of_several_senders() {
    const EACH: usize = if cfg!(miri) { 40 } else { 5_000 };
    let queue = total::<(usize, usize), _>(Local, Capacity::bounded(16), 3);
    let receivers: Vec<_> = (0..3)
        .map(|_| {
            let mut receiver = queue.attach_receiver().unwrap();
            thread::spawn(move || {
                let mut seen = Vec::new();
                loop {
                    match receiver.recv_timeout(LONG) {
                        Ok(message) => seen.push(message),
                        Err(RecvError::Disconnected) => return seen,
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        })
        .collect();
    let senders: Vec<_> = (0..3)
        .map(|which| {
            let sender = queue.attach_sender().unwrap();
            thread::spawn(move || {
                for n in 0..EACH {
                    sender.send_timeout((which, n), LONG).unwrap();
                }
            })
        })
        .collect();
    senders
        .into_iter()
        .for_each(|sender| sender.join().unwrap());
    let mut all = HashSet::new();
    for receiver in receivers {
        let mut last = [None; 3];
        for (which, n) in receiver.join().unwrap() {
            assert!(last[which] < Some(n), "out of order");
            last[which] = Some(n);
            assert!(all.insert((which, n)), "twice");
        }
    }
    assert_eq!(all.len(), 3 * EACH);
}

/// Counts how many of it there are.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn only_the_last_receiver_that_is_dropped_closes() {
    let alive = Arc::new(AtomicUsize::new(0));
    let queue = total::<Counted, _>(Local, Capacity::bounded(8), 2);
    let sender = queue.attach_sender().unwrap();
    let receivers = [
        queue.attach_receiver().unwrap(),
        queue.attach_receiver().unwrap(),
    ];
    let [first, second] = receivers;
    drop(first);
    assert!(sender.try_send(Counted::new(&alive)).is_ok());
    // Detached, the last one leaves what is there to the next.
    second.detach();
    assert_eq!(alive.load(Ordering::Relaxed), 1);
    let third = queue.attach_receiver().unwrap();
    drop(third);
    assert_eq!(
        alive.load(Ordering::Relaxed),
        0,
        "dropped with its last receiver"
    );
    assert!(sender.is_closed());
    assert!(matches!(
        sender.try_send(Counted::new(&alive)),
        Err(TrySendError::Closed(_))
    ));
    assert_eq!(alive.load(Ordering::Relaxed), 0);
    assert_eq!(queue.attach_receiver().err(), Some(AttachError::Closed));
    assert_eq!(queue.attach_sender().err(), Some(AttachError::Closed));
}

/// Receivers leave while senders send: whatever became of a message, it is dropped once, before the queue is.
#[test]
fn nothing_is_left_when_the_receivers_leave_while_senders_send() {
    let rounds = if cfg!(miri) { 5 } else { 100 };
    for _ in 0..rounds {
        let alive = Arc::new(AtomicUsize::new(0));
        let queue = total::<Counted, _>(Local, Capacity::Unbounded, 2);
        let receivers: Vec<_> = (0..2).map(|_| queue.attach_receiver().unwrap()).collect();
        let senders: Vec<_> = (0..2)
            .map(|_| {
                let (sender, alive) = (queue.attach_sender().unwrap(), Arc::clone(&alive));
                thread::spawn(move || while sender.send(Counted::new(&alive)).is_ok() {})
            })
            .collect();
        let leaving: Vec<_> = receivers
            .into_iter()
            .map(|mut receiver| {
                thread::spawn(move || {
                    drop(receiver.recv_timeout(LONG));
                })
            })
            .collect();
        leaving.into_iter().for_each(|one| one.join().unwrap());
        senders.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!(alive.load(Ordering::Relaxed), 0);
        assert_eq!(queue.attached(Role::Receiver), 0);
    }
}

#[test]
fn a_sender_waits_for_room_and_sees_the_end() {
    let queue = total::<u32, _>(Local, Capacity::bounded(1), 2);
    let sender = queue.attach_sender().unwrap();
    sender.try_send(1).unwrap();
    assert_eq!(
        sender.send_timeout(2, Duration::ZERO),
        Err(SendTimeoutError::TimedOut(2))
    );
    let mut receiver = queue.attach_receiver().unwrap();
    let waiting = spawn_asleep(move || {
        sender.send_timeout(2, LONG).unwrap();
        sender.send_timeout(3, LONG)
    });
    assert_eq!(receiver.recv_timeout(LONG), Ok(1));
    let deadline = Instant::now() + LONG;
    while queue.inspect().sent < 2 {
        assert!(Instant::now() < deadline, "nobody sends");
        thread::yield_now();
    }
    // The queue is full again, with nobody left to make room.
    drop(receiver);
    assert_eq!(waiting.join().unwrap(), Err(SendTimeoutError::Closed(3)));
}

#[test]
fn a_closed_queue_is_emptied_by_its_receivers() {
    let queue = total::<Rc<u8>, _>(Private, Capacity::Unbounded, 1);
    let sender = queue.attach_sender().unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    sender.send(Rc::new(1)).unwrap();
    queue.close();
    assert_eq!(sender.send(Rc::new(2)), Err(SendError::Closed(Rc::new(2))));
    assert_eq!(receiver.wait_recv().as_deref(), Ok(&1));
    assert_eq!(receiver.wait_recv(), Err(RecvError::Disconnected));
}

/// Awaiting receivers are woken, each by a message of its own.
#[test]
fn receivers_can_be_awaited() {
    let queue = total::<u32, _>(Local, Capacity::bounded(4), 2);
    let sums = Arc::new(Mutex::new(Vec::new()));
    let tasks: Vec<_> = (0..2)
        .map(|_| {
            let (mut receiver, sums) = (queue.attach_receiver().unwrap(), Arc::clone(&sums));
            thread::spawn(move || {
                futures::executor::block_on(async {
                    let mut sum = 0;
                    while let Ok(n) = receiver.recv().await {
                        sum += n;
                    }
                    sums.lock().unwrap().push(sum);
                });
            })
        })
        .collect();
    let sender = queue.attach_sender().unwrap();
    let numbers = if cfg!(miri) { 1..=20 } else { 1..=5_000 };
    let expected: u32 = numbers.clone().sum();
    for n in numbers {
        sender.send_timeout(n, LONG).unwrap();
    }
    drop(sender);
    tasks.into_iter().for_each(|task| task.join().unwrap());
    assert_eq!(sums.lock().unwrap().iter().sum::<u32>(), expected);
}

#[test]
fn a_capacity_that_no_memory_holds_is_refused() {
    // Those who watch memory end the program where a system would only refuse.
    let refused_by_the_system = (!cfg!(any(miri, tsan))).then_some(1 << 44);
    for messages in [1 << 60, usize::MAX]
        .into_iter()
        .chain(refused_by_the_system)
    {
        let options = QueueOptions::new(Capacity::bounded(messages)).order(Order::Total);
        let refused = Local.queue_with::<()>(options).err();
        assert!(
            matches!(refused, Some(CreateError::TooLarge)),
            "{refused:?}"
        );
        let refused = Local.queue_with::<u8>(options).err();
        assert!(
            matches!(refused, Some(CreateError::TooLarge)),
            "{refused:?}"
        );
    }
}

/// Panics when it is dropped.
struct Bomb(Arc<AtomicUsize>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("dropped");
    }
}

#[test]
fn a_message_that_panics_when_dropped_keeps_no_other_from_being_dropped() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let queue = total::<Bomb, _>(Local, Capacity::bounded(4), 1);
    let sender = queue.attach_sender().unwrap();
    for _ in 0..4 {
        assert!(sender.try_send(Bomb(Arc::clone(&dropped))).is_ok());
    }
    drop((sender, queue));
    assert_eq!(dropped.load(Ordering::Relaxed), 4);
}
