//! What it costs to get the right to send, and to give it back.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::time::Instant;

use agate::{Capacity, Limits, Local, Scope};

use crate::messages::measure::Entry;
use crate::messages::peer::{CAPACITY, Class, Info};

const SHARDS: NonZeroUsize = NonZeroUsize::new(4).expect("not zero");
const SHARD: NonZeroUsize = NonZeroUsize::new(CAPACITY).expect("not zero");

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

fn agate(times: usize) -> Result<f64, String> {
    let queue = Local
        .queue::<u64>(Limits::none(), Capacity::bounded(CAPACITY))
        .map_err(|why| why.to_string())?;
    let _receiver = queue.attach_receiver().map_err(|why| why.to_string())?;
    let _first = queue.attach_sender().map_err(|why| why.to_string())?;
    let mut first_wrong = Ok(());
    let ns = timed(times, || match queue.attach_sender() {
        Ok(sender) => drop(black_box(sender)),
        Err(why) => first_wrong = Err(why.to_string()),
    });
    first_wrong.map(|()| ns)
}

/// All candidates: a sender more for a queue that has one already, and the end of that sender.
pub fn entries(times: usize) -> Vec<Entry<'static, f64>> {
    fn entry(name: &str, class: Class, run: impl FnMut() -> f64 + 'static) -> Entry<'static, f64> {
        let mut run = run;
        Entry::new(Info::unbounded(name, class), move || Ok(run()))
    }
    vec![
        Entry::new(
            Info::unbounded("agate attach and detach", Class::Parks),
            move || agate(times),
        ),
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
            let (first, _rx) = gil::mpsc::sharded::channel::<u64>(SHARDS, SHARD);
            timed(times, || drop(black_box(first.clone())))
        }),
        entry(
            "limit: a box of 64 bytes, made and dropped",
            Class::Limit,
            move || timed(times, || drop(black_box(Box::new([0_u64; 8])))),
        ),
    ]
}
