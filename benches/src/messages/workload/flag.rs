//! What the machine allows: writing to memory, and a flag that goes to and fro between two processors.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::scope;

use crate::affinity;
use crate::clock::{ns_per_tick, ticks};
use crate::messages::message::Message;
use crate::messages::workload::joined;
use crate::messages::workload::round_trip::{Trips, timed_trips};
use crate::messages::workload::send_cost::{Cost, RUN};

/// Copying messages inside the first cache, in nanoseconds for each.
///
/// # Errors
///
/// When a thread panicked.
pub fn copy<M: Message>(runs: usize) -> Result<Cost, String> {
    scope(|scope| {
        joined(scope.spawn(|| {
            affinity::pin(0);
            let from: Vec<M> = (0..RUN).map(|message| M::new(message as u64)).collect();
            let mut to = from.clone();
            let begin = ticks();
            for _ in 0..runs {
                black_box(&mut to).copy_from_slice(black_box(&from));
            }
            let spent = ticks().wrapping_sub(begin);
            Cost {
                send: spent as f64 * ns_per_tick() / (runs * RUN) as f64,
                receive: 0.0,
            }
        }))
    })
}

/// One word that two processors take turns to increment: no message goes to and fro faster.
///
/// # Errors
///
/// When a thread panicked.
pub fn round_trip(longest_ns: u64, most: usize) -> Result<Trips, String> {
    const END: u64 = u64::MAX;
    let flag = AtomicU64::new(0);
    scope(|scope| {
        let answering = scope.spawn(|| {
            affinity::pin(0);
            let mut expected = 1;
            loop {
                match flag.load(Ordering::Acquire) {
                    END => return,
                    now if now == expected => {
                        flag.store(expected + 1, Ordering::Release);
                        expected += 2;
                    }
                    _ => std::hint::spin_loop(),
                }
            }
        });
        let asking = scope.spawn(|| {
            affinity::pin(1);
            let mut next = 1;
            let trips = timed_trips(longest_ns, most, |_| {
                flag.store(next, Ordering::Release);
                while flag.load(Ordering::Acquire) != next + 1 {
                    std::hint::spin_loop();
                }
                next += 2;
                Ok(())
            });
            flag.store(END, Ordering::Release);
            trips
        });
        let trips = joined(asking)?;
        joined(answering)?;
        trips
    })
}
