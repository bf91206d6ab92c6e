//! What may be called where nothing may wait for the system: sends, batches, stream writes, asks, and receiving.
//!
//! `cargo xtask check --deep` runs this on nightly Rust with the realtime sanitizer and `--cfg rtsan`. That ends the
//! process at the first call of a known function (of the allocator, of locks, a sleep, any `syscall`) which is made in
//! [`nonblocking`]; `caught` shows that it does. Without it the same calls run as plain tests.
//!
//! It sees calls into the C library that it knows, and no others. It does not see a spin without end, a lock that is
//! free and taken by an exchange, a system call made by an instruction of the program's own, `clock_nanosleep`
//! (that is [`std::thread::sleep`]), the clock, or a page that is touched for the first time.
#![cfg_attr(rtsan, feature(sanitize))]

#[cfg(rtsan)]
mod caught;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use agate::{
    BlockOptions, BlockPool, Capacity, Completion, CompletionPool, Handler, Limits, Local, Owner,
    OwnerOptions, Pending, Port, Resolver, Scope, WaitMode,
};

const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });
/// Messages in a burst: several segments of a lane.
const BURST: u64 = if cfg!(miri) { 300 } else { 2_000 };

/// Runs what may not wait.
#[cfg_attr(rtsan, sanitize(realtime = "nonblocking"))]
#[inline(never)]
fn nonblocking<R>(run: impl FnOnce() -> R) -> R {
    run()
}

/// Adds up what it is told.
struct Sum(u64);

enum Tell {
    Add(u64),
    Total(Resolver<u64>),
    /// Says that it is here, and stays with this message until the flag is set.
    Stay(Resolver<()>, Arc<AtomicBool>),
}

impl Handler for Sum {
    type Message = Tell;

    fn handle(&mut self, message: Tell) {
        match message {
            Tell::Add(n) => self.0 += n,
            Tell::Total(asker) => asker.resolve(self.0),
            Tell::Stay(asker, flag) => {
                asker.resolve(());
                while !flag.load(Ordering::Acquire) {
                    thread::yield_now();
                }
            }
        }
    }
}

fn sum(mode: WaitMode) -> Owner<Sum> {
    let options = OwnerOptions::named("sum").wait_mode(mode);
    Local.owner_with(options, || Sum(0)).unwrap()
}

/// A port and answers that are warm: while the owner takes nothing, as much is sent as will ever be in the lane.
fn warm(owner: &Owner<Sum>) -> (Port<Tell>, CompletionPool<u64>) {
    let (port, answers) = (owner.attach().unwrap(), CompletionPool::new());
    // An owner may give a slot back a little after its answer was seen.
    drop([(); 4].map(|()| answers.pair()));
    let flag = stay(&port);
    drop(burst(&port, &answers));
    let mut total = burst(&port, &answers);
    flag.store(true, Ordering::Release);
    assert_eq!(total.wait_timeout(LONG), Ok(2 * BURST));
    (port, answers)
}

/// Has the owner stay with one message, awake, until the flag is set.
fn stay(port: &Port<Tell>) -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let mut here = port
        .ask(|asker| Tell::Stay(asker, Arc::clone(&flag)))
        .unwrap();
    here.wait_timeout(LONG).unwrap();
    flag
}

/// A burst of messages, and a question behind it.
fn burst(port: &Port<Tell>, answers: &CompletionPool<u64>) -> Completion<u64> {
    (0..BURST).for_each(|_| assert!(port.send(Tell::Add(1)).is_ok()));
    port.ask_with(answers, Tell::Total).unwrap()
}

#[test]
fn queues_are_sent_to_and_received_from() {
    let room = usize::try_from(2 * BURST).unwrap();
    for capacity in [Capacity::bounded(room), Capacity::Unbounded] {
        let queue = Local.queue::<u64>(Limits::default(), capacity).unwrap();
        let sender = queue.attach_sender().unwrap();
        let mut receiver = queue.attach_receiver().unwrap();
        let fill = || {
            let single = BURST / 2;
            (0..single).for_each(|n| assert!(sender.try_send(n).is_ok()));
            assert!(sender.try_send_batch(&mut (single..BURST)).is_ok());
        };
        let mut empty = || {
            let mut received = 0;
            while let Ok(n) = receiver.try_recv() {
                assert_eq!(n, received % BURST);
                received += 1;
                receiver.drain().for_each(|n| {
                    assert_eq!(n, received % BURST);
                    received += 1;
                });
            }
            received
        };
        // As much as will ever be in the lane, and more.
        fill();
        fill();
        assert_eq!(empty(), 2 * BURST);
        for _ in 0..3 {
            nonblocking(fill);
            if capacity == Capacity::Unbounded {
                assert_eq!(nonblocking(|| sender.send(0)), Ok(()));
            }
            let received = nonblocking(&mut empty);
            let one = u64::from(capacity == Capacity::Unbounded);
            assert_eq!(received, BURST + one);
        }
    }
}

#[test]
fn slices_are_sent_and_received_in_rows() {
    let slice: Vec<u64> = (0..BURST).collect();
    for capacity in [Capacity::bounded(slice.len()), Capacity::Unbounded] {
        let queue = Local.queue::<u64>(Limits::default(), capacity).unwrap();
        let sender = queue.attach_sender().unwrap();
        let mut receiver = queue.attach_receiver().unwrap();
        let mut row = Vec::with_capacity(slice.len());
        let mut pass_on = || {
            assert_eq!(sender.try_send_slice(&slice), Ok(slice.len()));
            row.clear();
            while receiver.drain_into(&mut row, slice.len()) > 0 {}
            assert_eq!(row, slice);
        };
        // As much as will ever be in the lane.
        (0..3).for_each(|_| pass_on());
        (0..3).for_each(|_| nonblocking(&mut pass_on));
    }
}

#[test]
fn an_owner_that_polls_is_told_and_asked() {
    let owner = sum(WaitMode::Poll(Duration::from_micros(100)));
    let (port, answers) = warm(&owner);
    for round in 3..6 {
        let mut total = nonblocking(|| burst(&port, &answers));
        let deadline = Instant::now() + LONG;
        while !total.is_done() && Instant::now() < deadline {
            thread::yield_now();
        }
        // Taking the answer and giving its slot back may not wait either.
        let total = nonblocking(move || total.poll());
        assert_eq!(total, Some(Ok(round * BURST)));
    }
    owner.shutdown(Pending::Drain, LONG).unwrap();
}

#[test]
fn an_owner_that_is_awake_is_told_and_asked() {
    let owner = sum(WaitMode::Wake);
    let (port, answers) = warm(&owner);
    for round in 3..6 {
        let flag = stay(&port);
        let mut total = nonblocking(|| burst(&port, &answers));
        flag.store(true, Ordering::Release);
        assert_eq!(total.wait_timeout(LONG), Ok(round * BURST));
    }
    owner.shutdown(Pending::Drain, LONG).unwrap();
}

#[test]
fn streams_are_written() {
    const MESSAGE: [u8; 40] = [7; 40];
    let options = BlockOptions {
        block_bytes: 1024,
        max_blocks: 200,
    };
    let pool = BlockPool::new(options).unwrap();
    let stream = Local.stream(Limits::default(), &pool);
    let mut sender = stream.attach_sender().unwrap();
    let mut receiver = stream.attach_receiver().unwrap();
    let mut write = || {
        for _ in 0..BURST / 2 {
            let mut message = sender.reserve(64).unwrap();
            assert_eq!(message.append(&MESSAGE), MESSAGE.len());
            message.commit();
            assert!(sender.try_send(&MESSAGE).is_ok());
        }
        sender.flush().unwrap();
    };
    let mut read = || {
        let mut messages = 0;
        while let Ok(message) = receiver.try_recv() {
            assert_eq!(message, MESSAGE);
            messages += 1;
        }
        assert_eq!(messages, BURST);
    };
    // The first time, the blocks are allocated, and the lane that carries them.
    write();
    read();
    for _ in 0..3 {
        nonblocking(&mut write);
        nonblocking(&mut read);
    }
}
