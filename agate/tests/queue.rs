//! The behaviour of queues, through the public API.

use std::collections::HashMap;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use agate::{
    AttachError, Capacity, Closed, CreateError, Handle, Limits, Local, Order, Queue, QueueOptions,
    RecvError, Role, Scope, SendError, SendTimeoutError, TryRecvError, TrySendError,
};

const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });

/// Counts its drops.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn both() -> [Capacity; 2] {
    [Capacity::bounded(8), Capacity::Unbounded]
}

/// Which limit was reached.
fn full(error: Option<AttachError>) -> Option<(Role, usize)> {
    match error {
        Some(AttachError::LimitReached { role, limit, .. }) => Some((role, limit)),
        _ => None,
    }
}

#[test]
fn one_sender_is_first_in_first_out() {
    for capacity in both() {
        let queue = Local.queue::<u32>(Limits::senders(1), capacity).unwrap();
        let sender = queue.attach_sender().unwrap();
        let mut receiver = queue.attach_receiver().unwrap();
        for round in 0..100 {
            for n in 0..8 {
                sender.try_send(round * 8 + n).unwrap();
            }
            let got: Vec<u32> = receiver.drain().collect();
            assert_eq!(got, (round * 8..round * 8 + 8).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_full_lane_gives_the_message_back_and_takes_more_after_a_drain() {
    let queue = Local
        .queue::<u32>(Limits::default(), Capacity::bounded(3))
        .unwrap();
    let sender = queue.attach_sender().unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    for n in 0..3 {
        sender.try_send(n).unwrap();
    }
    assert_eq!(sender.try_send(3), Err(TrySendError::Full(3)));
    assert_eq!(receiver.try_recv(), Ok(0));
    sender.try_send(4).unwrap();
    assert_eq!(receiver.drain().collect::<Vec<_>>(), [1, 2, 4]);
}

#[test]
fn limits_count_attached_users_only() {
    let queue = Local
        .queue::<u32>(Limits::senders(2).receivers(1), Capacity::bounded(1))
        .unwrap();
    let first = queue.attach_sender().unwrap();
    let second = first.try_clone().unwrap();
    let limit = Some((Role::Sender, 2));
    assert_eq!(full(queue.attach_sender().err()), limit);
    assert_eq!(full(second.try_clone().err()), limit);
    assert_eq!(queue.attached(Role::Sender), 2);
    drop(first);
    let third = queue.attach_sender().unwrap();
    assert_eq!(full(queue.attach_sender().err()), limit);
    drop((second, third));
    assert_eq!(queue.attached(Role::Sender), 0);

    let receiver = queue.attach_receiver().unwrap();
    let limit = Some((Role::Receiver, 1));
    assert_eq!(full(queue.attach_receiver().err()), limit);
    receiver.detach();
    assert!(queue.attach_receiver().is_ok());
}

#[test]
fn what_cannot_be_made_is_refused() {
    let zero = Local.queue::<u8>(Limits::default(), Capacity::bounded(0));
    assert!(matches!(zero, Err(CreateError::ZeroCapacity)));
    let huge = Local.queue::<u64>(Limits::default(), Capacity::bounded(usize::MAX / 2));
    assert!(matches!(huge, Err(CreateError::TooLarge)));
}

#[test]
fn plain_send_is_for_unbounded_queues() {
    let bounded = Local
        .queue::<u8>(Limits::default(), Capacity::bounded(4))
        .unwrap();
    assert_eq!(
        bounded.attach_sender().unwrap().send(1),
        Err(SendError::Bounded(1))
    );
    let unbounded = Local
        .queue::<u8>(Limits::default(), Capacity::Unbounded)
        .unwrap();
    assert_eq!(unbounded.attach_sender().unwrap().send(1), Ok(()));
}

#[test]
fn a_detached_lane_is_drained_and_reused_in_order() {
    for capacity in both() {
        let queue = Local.queue::<u32>(Limits::senders(1), capacity).unwrap();
        let mut receiver = queue.attach_receiver().unwrap();
        for n in 0..8 {
            queue.attach_sender().unwrap().try_send(n).unwrap();
        }
        assert_eq!(
            receiver.drain().collect::<Vec<_>>(),
            (0..8).collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_receiver_that_detaches_leaves_the_rest_to_the_next() {
    let queue = Local
        .queue::<u32>(Limits::default(), Capacity::Unbounded)
        .unwrap();
    let sender = queue.attach_sender().unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    (0..4).for_each(|n| sender.send(n).unwrap());
    assert_eq!(receiver.drain().next(), Some(0));
    receiver.detach();
    sender.send(4).unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    assert_eq!(receiver.drain().collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[test]
fn a_dropped_receiver_closes() {
    for capacity in both() {
        let queue = Local.queue::<u32>(Limits::default(), capacity).unwrap();
        let sender = queue.attach_sender().unwrap();
        sender.try_send(1).unwrap();
        drop(queue.attach_receiver().unwrap());
        assert!(sender.is_closed());
        assert_eq!(sender.try_send(2), Err(TrySendError::Closed(2)));
        assert_eq!(sender.try_send_batch(&mut (0..3)), Err(Closed));
        assert_eq!(sender.try_clone().err(), Some(AttachError::Closed));
        assert_eq!(queue.attach_sender().err(), Some(AttachError::Closed));
        assert_eq!(queue.attach_receiver().err(), Some(AttachError::Closed));
    }
}

#[test]
fn a_closed_queue_can_still_be_emptied() {
    let queue = Local
        .queue::<u32>(Limits::default(), Capacity::Unbounded)
        .unwrap();
    let sender = queue.attach_sender().unwrap();
    sender.send(1).unwrap();
    queue.close();
    assert_eq!(sender.send(2), Err(SendError::Closed(2)));
    let mut receiver = queue.attach_receiver().unwrap();
    assert_eq!(receiver.wait_recv(), Ok(1));
    assert_eq!(receiver.wait_recv(), Err(RecvError::Disconnected));
}

#[test]
fn a_receiver_sees_that_all_senders_are_gone() {
    let queue = Local
        .queue::<u32>(Limits::default(), Capacity::Unbounded)
        .unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    assert_eq!(
        receiver.try_recv(),
        Err(TryRecvError::Empty),
        "none has been attached yet"
    );
    let sender = queue.attach_sender().unwrap();
    sender.send(1).unwrap();
    drop(sender);
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    let sender = queue.attach_sender().unwrap();
    assert_eq!(
        receiver.try_recv(),
        Err(TryRecvError::Empty),
        "a new sender revives it"
    );
    sender.send(2).unwrap();
    assert_eq!(receiver.recv_timeout(LONG), Ok(2));
}

#[test]
fn a_waiting_receiver_is_woken_by_each_way_the_senders_can_end() {
    type End = fn(Handle<Queue<u32>>, agate::Sender<u32>);
    let ends: [End; 2] = [
        |_queue, sender| drop(sender),
        |queue, sender| {
            queue.close();
            assert!(sender.is_closed());
        },
    ];
    for end in ends {
        let queue = Local
            .queue::<u32>(Limits::default(), Capacity::Unbounded)
            .unwrap();
        let sender = queue.attach_sender().unwrap();
        let mut receiver = queue.attach_receiver().unwrap();
        let waiter = thread::spawn(move || receiver.wait_recv());
        end(queue, sender);
        assert_eq!(waiter.join().unwrap(), Err(RecvError::Disconnected));
    }
}

#[test]
fn a_receiver_that_nobody_can_reach_does_not_wait() {
    let queue = Local
        .queue::<u32>(Limits::default(), Capacity::Unbounded)
        .unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    let waiter = thread::spawn(move || receiver.wait_recv());
    drop(queue);
    assert_eq!(waiter.join().unwrap(), Err(RecvError::Disconnected));
}

#[test]
fn waiting_ends_at_the_time_limit() {
    let queue = Local
        .queue::<u32>(Limits::default(), Capacity::Unbounded)
        .unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    assert_eq!(
        receiver.recv_timeout(Duration::ZERO),
        Err(RecvError::TimedOut)
    );
    assert_eq!(
        receiver.recv_timeout(Duration::from_millis(1)),
        Err(RecvError::TimedOut)
    );
}

#[test]
fn a_forbidden_wait_is_refused_unless_a_message_is_there() {
    thread::spawn(|| {
        agate::forbid_wait();
        let queue = Local
            .queue::<u32>(Limits::default(), Capacity::Unbounded)
            .unwrap();
        let mut receiver = queue.attach_receiver().unwrap();
        let sender = queue.attach_sender().unwrap();
        assert_eq!(receiver.wait_recv(), Err(RecvError::WouldStall));
        sender.send(1).unwrap();
        assert_eq!(receiver.wait_recv(), Ok(1));
    })
    .join()
    .unwrap();
}

#[test]
fn every_message_is_dropped_once_wherever_it_is() {
    for capacity in both() {
        let drops = Arc::new(AtomicUsize::new(0));
        let message = || Counted(Arc::clone(&drops));
        let queue = Local.queue(Limits::default(), capacity).unwrap();
        let (one, two) = (
            queue.attach_sender().unwrap(),
            queue.attach_sender().unwrap(),
        );
        let mut receiver = queue.attach_receiver().unwrap();
        for _ in 0..4 {
            one.try_send(message()).unwrap();
            two.try_send(message()).unwrap();
        }
        drop(receiver.drain().take(3).collect::<Vec<_>>());
        assert_eq!(drops.load(Ordering::Relaxed), 3, "received");
        let kept = receiver.drain().next();
        drop(receiver);
        assert_eq!(
            drops.load(Ordering::Relaxed),
            7,
            "undelivered, dropped with the receiver"
        );
        drop(one.try_send(message()));
        assert_eq!(drops.load(Ordering::Relaxed), 8, "refused");
        drop(kept);
        assert_eq!(drops.load(Ordering::Relaxed), 9, "received and kept");
    }
}

#[test]
fn undelivered_messages_of_a_queue_without_receiver_are_dropped_with_it() {
    for capacity in both() {
        let drops = Arc::new(AtomicUsize::new(0));
        let queue = Local.queue(Limits::default(), capacity).unwrap();
        let sender = queue.attach_sender().unwrap();
        for _ in 0..5 {
            sender.try_send(Counted(Arc::clone(&drops))).unwrap();
        }
        drop(queue);
        assert_eq!(drops.load(Ordering::Relaxed), 0);
        drop(sender);
        assert_eq!(drops.load(Ordering::Relaxed), 5);
    }
}

#[test]
fn a_forgotten_drain_delivers_nothing_twice() {
    let queue = Local
        .queue::<u32>(Limits::default(), Capacity::bounded(4))
        .unwrap();
    let sender = queue.attach_sender().unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    assert_eq!(sender.try_send_batch(&mut (0..10)), Ok(4));
    let mut drain = receiver.drain();
    assert_eq!((drain.next(), drain.next()), (Some(0), Some(1)));
    std::mem::forget(drain);
    assert_eq!(receiver.drain().collect::<Vec<_>>(), [2, 3]);
    assert_eq!(
        sender.try_send_batch(&mut (10..20)),
        Ok(4),
        "its room came back all the same"
    );
}

#[test]
fn a_batch_is_published_also_when_its_iterator_panics() {
    let queue = Local
        .queue::<u32>(Limits::default(), Capacity::Unbounded)
        .unwrap();
    let sender = queue.attach_sender().unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        sender.try_send_batch(&mut (0..10).inspect(|n| assert!(*n < 3, "the iterator's own")))
    }));
    assert!(panicked.is_err());
    assert_eq!(receiver.drain().collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn draining_is_fair() {
    let queue = Local
        .queue::<(usize, u32)>(Limits::default(), Capacity::Unbounded)
        .unwrap();
    let senders: Vec<_> = (0..3).map(|_| queue.attach_sender().unwrap()).collect();
    let mut receiver = queue.attach_receiver().unwrap();
    for n in 0..1000 {
        senders[0].send((0, n)).unwrap();
    }
    senders[1].send((1, 0)).unwrap();
    senders[2].send((2, 0)).unwrap();
    let round: Vec<_> = receiver.drain().collect();
    assert!(
        round.contains(&(1, 0)) && round.contains(&(2, 0)),
        "a long lane does not keep the others waiting"
    );
    assert!(
        round.len() < 1000,
        "a round takes a bounded number from each lane"
    );
}

#[test]
fn messages_of_any_size_arrive() {
    fn check<T: Clone + PartialEq + std::fmt::Debug + Send + 'static>(message: T) {
        for capacity in both() {
            let queue = Local.queue::<T>(Limits::default(), capacity).unwrap();
            let sender = queue.attach_sender().unwrap();
            let mut receiver = queue.attach_receiver().unwrap();
            for _ in 0..30 {
                sender.try_send(message.clone()).unwrap();
                sender.try_send(message.clone()).unwrap();
                assert_eq!(
                    receiver.drain().collect::<Vec<_>>(),
                    [message.clone(), message.clone()]
                );
            }
        }
    }
    #[derive(Clone, PartialEq, Debug)]
    #[repr(align(256))]
    struct Aligned(u8);
    check(());
    check(7_u8);
    check(Aligned(3));
    check([1_u64; 1000]);
    check(String::from("text"));
}

#[test]
fn many_senders_on_many_threads_lose_nothing_and_keep_their_order() {
    let (threads, each) = if cfg!(miri) { (3, 40) } else { (8, 50_000) };
    for capacity in both() {
        let queue = Local
            .queue::<(usize, u32)>(Limits::senders(threads), capacity)
            .unwrap();
        let mut receiver = queue.attach_receiver().unwrap();
        let workers: Vec<_> = (0..threads)
            .map(|id| {
                let sender = queue.attach_sender().unwrap();
                thread::spawn(move || {
                    for n in 0..each {
                        while sender.try_send((id, n)).is_err() {
                            thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        let mut next = HashMap::new();
        while let Ok((id, n)) = receiver.recv_timeout(LONG) {
            let expected = next.entry(id).or_insert(0);
            assert_eq!(n, *expected);
            *expected += 1;
        }
        workers
            .into_iter()
            .for_each(|worker| worker.join().unwrap());
        assert_eq!(next.len(), threads);
        assert!(next.values().all(|&n| n == each));
    }
}

#[test]
fn a_limit_that_is_reached_says_who_holds_the_places() {
    let told = |queue: &Handle<Queue<u8>>| match queue.attach_sender() {
        Err(ref error @ AttachError::LimitReached { ref holders, .. }) => {
            let lines: Vec<u32> = holders.iter().map(Location::line).collect();
            (lines, error.to_string())
        }
        _ => panic!("the limit is not reached"),
    };
    let queue = Local
        .queue::<u8>(Limits::senders(2), Capacity::Unbounded)
        .unwrap();
    let _receiver = queue.attach_receiver().unwrap();
    let line = line!();
    let first = queue.attach_sender().unwrap();
    let second = first.try_clone().unwrap();
    let (lines, text) = told(&queue);
    assert_eq!(lines, [line + 1, line + 2]);
    let (begin, places) = text.split_once("; they were attached at ").unwrap();
    assert_eq!(begin, "the limit of 2 attached senders is reached");
    let (one, two) = places.split_once(" and ").unwrap();
    assert!(
        one.starts_with(file!()) && two.starts_with(file!()),
        "{text}"
    );
    drop(first);
    let third = line!() + 1;
    let _third = queue.attach().unwrap();
    assert_eq!(told(&queue).0, [third, line + 2]);
    drop(second);

    let many = Local
        .queue::<u8>(Limits::senders(20), Capacity::Unbounded)
        .unwrap();
    let _senders: Vec<_> = (0..20).map(|_| many.attach_sender().unwrap()).collect();
    let (lines, text) = told(&many);
    assert_eq!(lines.len(), 8);
    assert!(text.contains("; among them those attached at "), "{text}");
}

/// A receiver that polls does not wait for its interval to learn that nobody is left.
#[test]
fn a_receiver_that_polls_sees_the_last_sender_go_at_once() {
    let options = QueueOptions::new(Capacity::Unbounded)
        .wait_mode(agate::WaitMode::Poll(Duration::from_secs(3600)));
    let queue = Local.queue_with::<u32>(options).unwrap();
    let sender = queue.attach_sender().unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    let waiting = thread::spawn(move || receiver.recv_timeout(LONG));
    drop(sender);
    assert_eq!(waiting.join().unwrap(), Err(RecvError::Disconnected));
}

#[test]
fn a_receiver_that_forgot_a_drain_and_detaches_gives_the_room_back() {
    let queue = Local
        .queue(Limits::default(), Capacity::bounded(2))
        .unwrap();
    let sender = queue.attach_sender().unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    assert_eq!(sender.try_send_slice(&[1, 2]), Ok(2));
    let mut drain = receiver.drain();
    assert_eq!((drain.next(), drain.next()), (Some(1), Some(2)));
    std::mem::forget(drain);
    receiver.detach();
    assert_eq!(queue.inspect().waiting, 0);
    assert_eq!(sender.try_send_slice(&[3, 4]), Ok(2));
    let mut receiver = queue.attach_receiver().unwrap();
    assert_eq!(receiver.drain().collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn nobody_waits_for_room_where_no_receiver_may_come() {
    for order in [Order::PerSender, Order::Total] {
        let options = QueueOptions::new(Capacity::bounded(1)).order(order);
        let options = options.limits(Limits::none().receivers(0));
        let queue = Local.queue_with::<u32>(options).unwrap();
        let sender = queue.attach_sender().unwrap();
        sender.try_send(1).unwrap();
        let waits = [sender.wait_send(2), sender.send_timeout(3, LONG)];
        let closed = [2, 3].map(|n| Err(SendTimeoutError::Closed(n)));
        assert_eq!(waits, closed, "{order:?}");
    }
}

#[test]
fn a_drain_in_total_order_makes_no_room_for_what_it_does_not_take() {
    const MOST: usize = 256;
    let options = QueueOptions::new(Capacity::Unbounded).order(Order::Total);
    let queue = Local.queue_with::<u32>(options).unwrap();
    let (sender, mut receiver) = (
        queue.attach_sender().unwrap(),
        queue.attach_receiver().unwrap(),
    );
    assert_eq!(sender.try_send_batch(&mut (0..=MOST as u32)), Ok(MOST + 1));
    let mut into = Vec::with_capacity(MOST);
    let room = into.capacity();
    assert_eq!(receiver.drain_into(&mut into, usize::MAX), MOST);
    assert_eq!(into.capacity(), room);
    assert_eq!(receiver.drain_into(&mut into, usize::MAX), 1);
}
