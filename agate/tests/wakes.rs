//! One wake for a burst: what senders pay for a receiver that sleeps.
#![cfg(all(target_os = "linux", not(miri)))]

mod threads;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use agate::{Capacity, Limits, Local, QueueOptions, Scope, WaitMode};

use crate::threads::{behind_all_others, on_one_processor, spawn_asleep};

const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });

/// Has a receiver sleep, sends so many while it is held at the first message, and returns the wakes that took.
fn wakes(wait: WaitMode, messages: u32) -> u64 {
    let queue = Local
        .queue_with::<u32>(
            QueueOptions::new(Capacity::Unbounded)
                .limits(Limits::senders(1))
                .wait_mode(wait),
        )
        .unwrap();
    let sender = queue.attach_sender().unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    let go_on = Arc::new(AtomicBool::new(false));
    let held = Arc::clone(&go_on);
    // Woken, it does not run before everything was sent: it is held asleep.
    on_one_processor();
    let receiving = spawn_asleep(move || {
        behind_all_others();
        let mut sum = u64::from(receiver.recv_timeout(LONG).unwrap());
        while !held.load(Ordering::Acquire) {
            thread::yield_now();
        }
        while let Ok(n) = receiver.recv_timeout(LONG) {
            sum += u64::from(n);
        }
        sum
    });
    for n in 0..messages {
        sender.send(n).unwrap();
    }
    let wakes = queue.inspect().wakes;
    go_on.store(true, Ordering::Release);
    drop(sender);
    let sum = receiving.join().unwrap();
    assert_eq!(sum, (0..u64::from(messages)).sum());
    wakes
}

#[test]
fn a_thousand_sends_to_a_receiver_that_sleeps_wake_it_once() {
    assert_eq!(wakes(WaitMode::Wake, 1000), 1);
}

#[test]
fn a_receiver_that_polls_is_never_woken_by_a_send() {
    assert_eq!(wakes(WaitMode::Poll(Duration::from_micros(50)), 1000), 0);
}
