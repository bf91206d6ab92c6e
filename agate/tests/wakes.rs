//! One wake for a burst: what senders pay for a receiver that sleeps.
#![cfg(all(target_os = "linux", not(miri)))]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use agate::{Capacity, Limits, Local, QueueOptions, Scope, WaitMode};

const LONG: Duration = Duration::from_secs(60);

/// Whether the kernel says that a thread of this process sleeps.
fn sleeps(thread: i32) -> bool {
    let stat =
        std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything; the state follows it.
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| rest.starts_with('S'))
}

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
    let (tell, told) = std::sync::mpsc::channel();
    let go_on = Arc::new(AtomicBool::new(false));
    let held = Arc::clone(&go_on);
    let receiving = thread::spawn(move || {
        tell.send(kernel_id()).unwrap();
        let mut sum = u64::from(receiver.recv_timeout(LONG).unwrap());
        while !held.load(Ordering::Acquire) {
            thread::yield_now();
        }
        while let Ok(n) = receiver.recv_timeout(LONG) {
            sum += u64::from(n);
        }
        sum
    });
    let thread = told.recv().unwrap();
    let deadline = Instant::now() + LONG;
    while !sleeps(thread) {
        assert!(Instant::now() < deadline, "it never sleeps");
        thread::yield_now();
    }
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

/// The id under which the kernel knows this thread.
fn kernel_id() -> i32 {
    let link = std::fs::read_link("/proc/thread-self").unwrap();
    link.file_name().unwrap().to_str().unwrap().parse().unwrap()
}

#[test]
fn a_thousand_sends_to_a_receiver_that_sleeps_wake_it_once() {
    assert_eq!(wakes(WaitMode::Wake, 1000), 1);
}

#[test]
fn a_receiver_that_polls_is_never_woken_by_a_send() {
    assert_eq!(wakes(WaitMode::Poll(Duration::from_micros(50)), 1000), 0);
}
