//! Random programs: bytes say what a host, its jobs and its device do; at the end everything must be accounted for.
//!
//! The same bytes are the same program; only the threads take turns as they like. A program may do all that the
//! documentation allows: record in any order, drop, panic in a job, forget, lose the device, end the service and start
//! anew; jobs record in either lane, with closures among their commands, and shards replay. [`run`] panics where
//!
//! - a ticket, an acquire or a shutdown does not come to its end in time;
//! - the device saw a rule broken, or something is left of a service that says nothing is;
//! - a closure is neither called nor dropped, or twice, or not called in a frame that was executed;
//! - there are more command pools than frames, shards and leases at one time need, or a shutdown miscounts what it leaves;
//! - a ticket tells of what has not happened, or a frame was executed with other commands than were recorded.

mod bytes;
mod closures;
mod frames;
mod host;
mod images;
mod jobs;
mod leases;

pub(crate) use bytes::Bytes;

use crate::support::{LONG, Random};
use host::Host;
use jobs::Workers;

/// Runs the program to its end.
pub(crate) fn run(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    std::thread::scope(|threads| {
        let workers = Workers::start(threads);
        // One device after the other.
        while bytes.is_more() {
            Host::new(&mut bytes, &workers).live();
        }
    });
}

/// A program of so many bytes.
pub(crate) fn random(seed: u64, length: usize) -> Vec<u8> {
    let mut random = Random(seed);
    (0..length).map(|_| random.next() as u8).collect()
}
