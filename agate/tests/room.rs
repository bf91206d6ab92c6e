//! Senders that wait for room in a bounded lane.

mod threads;

use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use agate::{
    Capacity, Handle, Limits, Local, Private, Queue, Role, Scope, SendTimeoutError, forbid_wait,
};

use crate::threads::spawn_asleep;

/// Much longer than anything here takes.
const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });
const COUNT: u32 = if cfg!(miri) { 50 } else { 20_000 };

fn bounded<T: Send + 'static>(messages: usize) -> Handle<Queue<T>> {
    Local
        .queue(Limits::default(), Capacity::bounded(messages))
        .unwrap()
}

#[test]
fn all_that_waited_arrives_in_order() {
    for capacity in [1, 2, 64] {
        let queue = bounded(capacity);
        let mut receiver = queue.attach_receiver().unwrap();
        let senders: Vec<_> = (0..2_u32)
            .map(|which| {
                let sender = queue.attach_sender().unwrap();
                thread::spawn(move || {
                    for n in 0..COUNT {
                        if n % 2 == 0 {
                            sender.wait_send((which, n)).unwrap();
                        } else {
                            sender.send_timeout((which, n), LONG).unwrap();
                        }
                    }
                })
            })
            .collect();
        drop(queue);
        let mut next = [0, 0];
        while let Ok((which, n)) = receiver.recv_timeout(LONG) {
            assert_eq!(n, next[which as usize]);
            next[which as usize] += 1;
            // Whole runs too.
            for (which, n) in receiver.drain() {
                assert_eq!(n, next[which as usize]);
                next[which as usize] += 1;
            }
        }
        assert_eq!(next, [COUNT; 2]);
        senders
            .into_iter()
            .for_each(|sender| sender.join().unwrap());
    }
}

#[test]
fn a_time_out_gives_the_message_back() {
    let queue = bounded(1);
    let sender = queue.attach_sender().unwrap();
    sender.send_timeout("one".to_owned(), LONG).unwrap();
    let short = Duration::from_millis(5);
    let refused = sender.send_timeout("two".to_owned(), short).unwrap_err();
    assert_eq!(refused, SendTimeoutError::TimedOut("two".to_owned()));
    assert_eq!(refused.into_message(), "two");
    let mut receiver = queue.attach_receiver().unwrap();
    assert_eq!(receiver.try_recv().unwrap(), "one");
    sender.send_timeout("three".to_owned(), LONG).unwrap();
    assert_eq!(receiver.try_recv().unwrap(), "three");
}

#[test]
fn an_unbounded_lane_always_has_room() {
    let queue = Local.queue(Limits::default(), Capacity::Unbounded).unwrap();
    let sender = queue.attach_sender().unwrap();
    for n in 0..1_000 {
        sender.send_timeout(n, Duration::ZERO).unwrap();
        sender.wait_send(n).unwrap();
    }
    assert_eq!(
        (0..8)
            .scan(queue.attach_receiver().unwrap(), |receiver, _| Some(
                receiver.drain().count()
            ))
            .sum::<usize>(),
        2_000
    );
}

/// One sender waits in a full lane for whatever `end` does to the queue; what it returns goes after that.
fn waits_until<R>(end: impl FnOnce(Handle<Queue<Arc<()>>>) -> R) {
    let queue = bounded(1);
    let message = Arc::new(());
    let sender = queue.attach_sender().unwrap();
    sender.try_send(Arc::clone(&message)).unwrap();
    let other = Arc::clone(&message);
    // Awake it would find the end by itself.
    let waiting = spawn_asleep(move || sender.send_timeout(other, LONG));
    // Before it was refused once it might send in between of what comes.
    let deadline = std::time::Instant::now() + LONG;
    while queue.inspect().full == 0 {
        assert!(std::time::Instant::now() < deadline, "nobody sends");
        thread::yield_now();
    }
    let ended = std::time::Instant::now();
    let kept = end(queue);
    let refused = waiting.join().unwrap();
    assert!(ended.elapsed() < LONG / 2, "it was not told");
    assert!(matches!(refused, Err(SendTimeoutError::Closed(_))));
    drop((refused, kept));
    assert_eq!(Arc::strong_count(&message), 1, "nothing is left behind");
}

#[test]
fn who_waits_sees_the_receiver_leave() {
    waits_until(|queue| {
        drop(queue.attach_receiver().unwrap());
        queue
    });
}

#[test]
fn who_waits_sees_the_close() {
    waits_until(|queue| {
        queue.close();
        queue
    });
    waits_until(|queue| {
        queue.close();
        // What was accepted can still be received, and makes no room for who was refused.
        let mut receiver = queue.attach_receiver().unwrap();
        assert!(receiver.try_recv().is_ok());
        assert!(receiver.try_recv().is_err());
    });
}

#[test]
fn who_waits_sees_the_last_handle_go() {
    waits_until(drop);
    // In either order.
    waits_until(|queue| queue.attach_receiver().unwrap().detach());
    waits_until(|queue| {
        let receiver = queue.attach_receiver().unwrap();
        drop(queue);
        receiver.detach();
    });
}

#[test]
fn the_next_receiver_makes_room() {
    let queue = bounded(1);
    let sender = queue.attach_sender().unwrap();
    sender.try_send(1).unwrap();
    queue.attach_receiver().unwrap().detach();
    let waiting = thread::spawn(move || sender.send_timeout(2, LONG));
    let mut receiver = queue.attach_receiver().unwrap();
    assert_eq!(receiver.recv_timeout(LONG), Ok(1));
    assert_eq!(receiver.recv_timeout(LONG), Ok(2));
    assert_eq!(waiting.join().unwrap(), Ok(()));
    assert_eq!(queue.attached(Role::Sender), 0);
}

#[test]
fn a_thread_that_must_not_park_does_not() {
    thread::spawn(|| {
        forbid_wait();
        let queue = bounded(1);
        let sender = queue.attach_sender().unwrap();
        assert_eq!(sender.wait_send(1), Ok(()), "there is room");
        assert_eq!(sender.wait_send(2), Err(SendTimeoutError::WouldStall(2)));
        assert_eq!(
            sender.send_timeout(2, LONG),
            Err(SendTimeoutError::WouldStall(2))
        );
    })
    .join()
    .unwrap();
}

#[test]
fn one_thread_alone_cannot_wait_for_itself() {
    let queue = Private
        .queue(Limits::default(), Capacity::bounded(1))
        .unwrap();
    let sender = queue.attach_sender().unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    assert_eq!(sender.wait_send(Rc::new(1)), Ok(()));
    assert_eq!(
        sender.wait_send(Rc::new(2)),
        Err(SendTimeoutError::WouldStall(Rc::new(2)))
    );
    assert_eq!(*receiver.try_recv().unwrap(), 1);
    assert_eq!(sender.send_timeout(Rc::new(2), LONG), Ok(()));
    drop(receiver);
    assert_eq!(
        sender.wait_send(Rc::new(3)),
        Err(SendTimeoutError::Closed(Rc::new(3)))
    );
}
