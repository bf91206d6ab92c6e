//! Time limits: a wait ends at its deadline and not before something else ends it; a message that is there beats them.

use std::thread;
use std::time::{Duration, Instant};

use agate::{Capacity, Limits, Local, Private, RecvError, Scope, SendTimeoutError, forbid_wait};

use crate::world::{Hub, LONG, Lane, World, in_every_scope};

#[test]
fn a_wait_with_nothing_to_come_ends_at_its_time_and_not_before() {
    let scope = Local;
    for lane in Lane::ALL {
        let hub = Hub::new(scope, lane, Limits::senders(1));
        let _tx = hub.attach_sender().unwrap();
        let mut rx = hub.attach_receiver().unwrap();
        for time in [0, 1, 999, 1_000_000, 5_000_000].map(Duration::from_nanos) {
            let started = Instant::now();
            assert_eq!(rx.recv_timeout(time), Err(RecvError::TimedOut));
            assert!(started.elapsed() >= time);
        }
    }
}

fn what_is_there_is_received_without_any_time<S: World>(scope: S) {
    for lane in Lane::ALL {
        let hub = Hub::new(scope, lane, Limits::senders(1));
        let mut tx = hub.attach_sender().unwrap();
        let mut rx = hub.attach_receiver().unwrap();
        for time in [Duration::ZERO, LONG, Duration::MAX] {
            tx.try_send((0, 0)).unwrap();
            assert_eq!(rx.recv_timeout(time), Ok((0, 0)));
            // Gives a stream's block back.
            rx.try_recv().unwrap_err();
        }
        tx.try_send((0, 1)).unwrap();
        drop(tx);
        assert_eq!(rx.recv_timeout(Duration::ZERO), Ok((0, 1)));
        assert_eq!(
            rx.recv_timeout(Duration::MAX),
            Err(RecvError::Disconnected),
            "no time is waited for nobody"
        );
    }
}

#[test]
fn a_time_that_no_clock_can_count_is_without_end() {
    let scope = Local;
    for lane in Lane::ALL {
        let hub = Hub::new(scope, lane, Limits::senders(1));
        let mut tx = hub.attach_sender().unwrap();
        let mut rx = hub.attach_receiver().unwrap();
        let waiter = thread::spawn(move || rx.recv_timeout(Duration::MAX));
        tx.try_send((0, 7)).unwrap();
        assert_eq!(waiter.join().unwrap(), Ok((0, 7)));
    }
}

#[test]
fn a_thread_that_must_not_park_is_told_so_unless_there_is_something() {
    let scope = Local;
    for lane in Lane::ALL {
        let stalled = thread::spawn(move || {
            forbid_wait();
            let hub = Hub::new(scope, lane, Limits::senders(1));
            let mut tx = hub.attach_sender().unwrap();
            let mut rx = hub.attach_receiver().unwrap();
            assert_eq!(rx.recv_timeout(LONG), Err(RecvError::WouldStall));
            assert_eq!(rx.wait_recv(), Err(RecvError::WouldStall));
            tx.try_send((0, 0)).unwrap();
            assert_eq!(rx.wait_recv(), Ok((0, 0)));
            drop(tx);
            assert_eq!(rx.wait_recv(), Err(RecvError::Disconnected));
        });
        stalled.join().unwrap();
    }
}

#[test]
fn who_is_alone_does_not_wait_for_what_nobody_could_send() {
    for lane in Lane::ALL {
        let hub = Hub::new(Private, lane, Limits::senders(1));
        let mut tx = hub.attach_sender().unwrap();
        let mut rx = hub.attach_receiver().unwrap();
        for _ in 0..3 {
            assert_eq!(rx.wait_recv(), Err(RecvError::WouldStall));
            assert_eq!(rx.recv_timeout(LONG), Err(RecvError::WouldStall));
            tx.try_send((0, 0)).unwrap();
            assert_eq!(rx.wait_recv(), Ok((0, 0)));
            rx.try_recv().unwrap_err();
        }
        drop(tx);
        assert_eq!(rx.wait_recv(), Err(RecvError::Disconnected));
    }
}

fn a_send_that_may_wait_is_one_that_need_not_when_there_is_room<S: World>(scope: S) {
    for messages in [1, 2, 3, 7] {
        let queue = scope
            .queue::<Box<u32>>(Limits::none(), Capacity::bounded(messages))
            .unwrap();
        let sender = queue.attach_sender().unwrap();
        let mut receiver = queue.attach_receiver().unwrap();
        for _ in 0..3 {
            for number in 0..messages as u32 {
                match number % 3 {
                    0 => sender.wait_send(Box::new(number)).unwrap(),
                    1 => sender
                        .send_timeout(Box::new(number), Duration::ZERO)
                        .unwrap(),
                    _ => sender
                        .send_timeout(Box::new(number), Duration::MAX)
                        .unwrap(),
                }
            }
            let got: Vec<u32> = receiver.drain().map(|number| *number).collect();
            assert_eq!(got, (0..messages as u32).collect::<Vec<_>>());
        }
        queue.close();
        for time in [Duration::ZERO, LONG, Duration::MAX] {
            let refused = sender.send_timeout(Box::new(9), time);
            assert_eq!(refused, Err(SendTimeoutError::Closed(Box::new(9))));
        }
        let refused = sender.wait_send(Box::new(9));
        assert_eq!(refused, Err(SendTimeoutError::Closed(Box::new(9))));
    }
}

#[test]
fn a_send_that_finds_no_room_ends_at_its_time_and_not_before() {
    let queue = Local
        .queue::<Box<u32>>(Limits::none(), Capacity::bounded(2))
        .unwrap();
    let sender = queue.attach_sender().unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    assert_eq!(sender.try_send_batch(&mut (0..2).map(Box::new)), Ok(2));
    for time in [0, 1, 999, 1_000_000, 5_000_000].map(Duration::from_nanos) {
        let started = Instant::now();
        let refused = sender.send_timeout(Box::new(7), time);
        assert_eq!(refused, Err(SendTimeoutError::TimedOut(Box::new(7))));
        assert!(started.elapsed() >= time);
    }
    assert_eq!(*receiver.try_recv().unwrap(), 0);
    sender.send_timeout(Box::new(2), Duration::ZERO).unwrap();
    let waiting = thread::spawn(move || sender.send_timeout(Box::new(3), Duration::MAX));
    assert_eq!(*receiver.try_recv().unwrap(), 1);
    assert_eq!(waiting.join().unwrap(), Ok(()));
    let rest: Vec<u32> = receiver.drain().map(|number| *number).collect();
    assert_eq!(rest, [2, 3]);
}

#[test]
fn who_is_alone_or_must_not_park_does_not_wait_for_room() {
    fn law<S: World>(scope: S) {
        let queue = scope
            .queue::<Box<u32>>(Limits::none(), Capacity::bounded(1))
            .unwrap();
        let sender = queue.attach_sender().unwrap();
        let mut receiver = queue.attach_receiver().unwrap();
        for _ in 0..3 {
            sender.wait_send(Box::new(1)).unwrap();
            let refused = [
                sender.wait_send(Box::new(2)),
                sender.send_timeout(Box::new(2), LONG),
            ];
            for refused in refused {
                assert_eq!(refused, Err(SendTimeoutError::WouldStall(Box::new(2))));
            }
            assert_eq!(*receiver.try_recv().unwrap(), 1);
        }
    }
    law(Private);
    let marked = thread::spawn(|| {
        forbid_wait();
        law(Local);
    });
    marked.join().unwrap();
}

in_every_scope! {
    a_send_that_may_wait_is_one_that_need_not_when_there_is_room
    what_is_there_is_received_without_any_time
}
