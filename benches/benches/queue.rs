//! What a message costs on one thread, in cache: 1,000 messages of 8 bytes sent and then drained, beside the queues of
//! crossbeam and the physical limit (writing them to memory and reading them back).
//!
//! This leaves out what threads cost each other; it shows the instructions of a send and of a drain, no more.

use agate::{Capacity, Limits, Local, Scope};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use crossbeam_queue::{ArrayQueue, SegQueue};
use std::hint::black_box;

const MESSAGES: u64 = 1000;

fn one_thread(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("one thread, 8 B, send and drain");
    group.throughput(Throughput::Elements(MESSAGES));

    let mut memory = vec![0_u64; MESSAGES as usize];
    group.bench_function("limit: write and read", |bencher| {
        bencher.iter(|| {
            for (word, message) in memory.iter_mut().zip(0..MESSAGES) {
                *word = black_box(message);
            }
            memory.iter().for_each(|word| {
                black_box(*word);
            });
        });
    });

    for (name, capacity) in [
        ("agate bounded", Capacity::bounded(1024)),
        ("agate unbounded", Capacity::Unbounded),
    ] {
        let queue = Local
            .queue::<u64>(Limits::senders(1).receivers(1), capacity)
            .expect("makes a queue");
        let sender = queue.attach_sender().expect("the first sender");
        let mut receiver = queue.attach_receiver().expect("the first receiver");
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for message in 0..MESSAGES {
                    sender.try_send(black_box(message)).expect("room");
                }
                // A drain takes a bounded run from each lane, so that lanes are served fairly.
                let mut received = 0;
                while received < MESSAGES {
                    received += receiver.drain().map(black_box).count() as u64;
                }
            });
        });
    }

    let array = ArrayQueue::new(1024);
    group.bench_function("crossbeam ArrayQueue", |bencher| {
        bencher.iter(|| {
            for message in 0..MESSAGES {
                array.push(black_box(message)).expect("room");
            }
            while let Some(message) = array.pop() {
                black_box(message);
            }
        });
    });
    let segments = SegQueue::new();
    group.bench_function("crossbeam SegQueue", |bencher| {
        bencher.iter(|| {
            for message in 0..MESSAGES {
                segments.push(black_box(message));
            }
            while let Some(message) = segments.pop() {
                black_box(message);
            }
        });
    });
    group.finish();
}

/// What it costs a job to attach to an owner's inbox and to give the place back.
fn attach(criterion: &mut Criterion) {
    let queue = Local
        .queue::<u64>(Limits::default(), Capacity::Unbounded)
        .expect("makes a queue");
    let _receiver = queue.attach_receiver().expect("the first receiver");
    let _other = queue.attach_sender().expect("a sender");
    criterion.bench_function("attach and detach", |bencher| {
        bencher.iter(|| drop(queue.attach_sender().expect("no limit")));
    });
}

criterion_group!(benches, one_thread, attach);
criterion_main!(benches);
