//! Time limits: a wait ends at its deadline and not before something else ends it; a message that is there beats them.

use std::thread;
use std::time::{Duration, Instant};

use agate::{Limits, Local, Private, RecvError, forbid_wait};

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

in_every_scope! {
    what_is_there_is_received_without_any_time
}
