//! What it costs to get the right to send, and to give it back.

use std::hint::black_box;
use std::time::Instant;

use agate::{Capacity, Limits, Local};

use crate::messages::measure::Entry;
use crate::messages::peer::{CAPACITY, Class, Info};

/// Nanoseconds for each time.
fn timed(times: usize, mut attach_and_detach: impl FnMut()) -> f64 {
    for _ in 0..times / 10 + 1 {
        attach_and_detach();
    }
    let begin = Instant::now();
    for _ in 0..times {
        attach_and_detach();
    }
    begin.elapsed().as_nanos() as f64 / times as f64
}

/// All candidates: a sender more for a queue that has one already, and the end of that sender.
pub fn entries(times: usize) -> Vec<Entry<'static, f64>> {
    fn entry(name: &str, class: Class, run: impl FnMut() -> f64 + 'static) -> Entry<'static, f64> {
        let mut run = run;
        Entry::new(Info::unbounded(name, class), move || Ok(run()))
    }
    vec![
        entry("agate attach and detach", Class::Parks, move || {
            let queue = Local
                .queue::<u64>(Limits::none(), Capacity::bounded(CAPACITY))
                .expect("makes a queue");
            let _receiver = queue.attach_receiver().expect("the first receiver");
            let _first = queue.attach_sender().expect("no limit");
            timed(times, || {
                drop(black_box(queue.attach_sender().expect("no limit")));
            })
        }),
        entry(
            "crossbeam-channel clone and drop",
            Class::Parks,
            move || {
                let (first, _rx) = crossbeam_channel::bounded::<u64>(CAPACITY);
                timed(times, || drop(black_box(first.clone())))
            },
        ),
        entry("std channel clone and drop", Class::Parks, move || {
            let (first, _rx) = std::sync::mpsc::channel::<u64>();
            timed(times, || drop(black_box(first.clone())))
        }),
        entry("kanal clone and drop", Class::Parks, move || {
            let (first, _rx) = kanal::bounded::<u64>(CAPACITY);
            timed(times, || drop(black_box(first.clone())))
        }),
        entry("flume clone and drop", Class::Parks, move || {
            let (first, _rx) = flume::bounded::<u64>(CAPACITY);
            timed(times, || drop(black_box(first.clone())))
        }),
        entry("crossfire clone and drop", Class::Parks, move || {
            let (first, _rx) = crossfire::mpsc::bounded_blocking::<u64>(CAPACITY);
            timed(times, || drop(black_box(first.clone())))
        }),
        entry("gil sharded clone and drop", Class::Spins, move || {
            let size = |size| std::num::NonZeroUsize::new(size).expect("not zero");
            let (first, _rx) = gil::mpsc::sharded::channel::<u64>(size(4), size(CAPACITY));
            timed(times, || drop(black_box(first.clone())))
        }),
        entry(
            "limit: a box of 64 bytes, made and dropped",
            Class::Limit,
            move || timed(times, || drop(black_box(Box::new([0_u64; 8])))),
        ),
    ]
}
