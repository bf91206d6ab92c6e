//! The ways of recording a frame, one file each.

mod agate;
mod boxed;
mod by_value;
mod direct;
mod lease;
mod limit;
mod mutex_per_command;
mod mutex_per_job;
mod naive;
mod per_thread;
mod single;

pub use agate::Agate;
pub(crate) use agate::Encoded;
pub use boxed::Boxed;
pub use by_value::ByValue;
pub use lease::Lease;
pub(crate) use limit::RECORDS;
pub use limit::{BYTES_PER_DRAW, CopyLimit};
pub use mutex_per_command::MutexPerCommand;
pub use mutex_per_job::MutexPerJob;
pub use per_thread::PerThread;
pub use single::Single;

use std::sync::Arc;

use crate::commands::device::Device;
use crate::commands::frame::Strategy;

/// Frames that a strategy keeps objects for; one is recorded while the others would be executed.
pub const FRAMES_IN_FLIGHT: usize = 2;

/// A way of recording, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// One thread, direct calls, inline in the primary.
    Single,
    /// A pool for each thread, a secondary for each job.
    PerThread,
    /// One pool, locked for as long as a job records.
    MutexPerJob,
    /// One pool, locked for every command.
    MutexPerCommand,
    /// The owner of the pool; jobs write messages.
    Agate,
    /// Owners that the jobs drive: a job's thread replays its messages when it has ended, into a secondary.
    Sharded,
    /// The owner lends pools; jobs record into them.
    Lease,
    /// The idea read naively: a message on the heap for every command, through a lock-free queue.
    Boxed,
    /// The same with messages by value, through crossbeam's channel.
    ByValue,
    /// No recording at all: copies as many bytes as agate's messages have.
    CopyLimit,
}

impl Way {
    /// All of them, in the order of the tables.
    pub const ALL: [Self; 10] = [
        Self::Single,
        Self::PerThread,
        Self::MutexPerJob,
        Self::MutexPerCommand,
        Self::Agate,
        Self::Sharded,
        Self::Lease,
        Self::Boxed,
        Self::ByValue,
        Self::CopyLimit,
    ];

    /// What the tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "single thread, direct",
            Self::PerThread => "pools per thread",
            Self::MutexPerJob => "mutex per job",
            Self::MutexPerCommand => "mutex per command",
            Self::Agate => "agate, one owner",
            Self::Sharded => "agate, sharded",
            Self::Lease => "agate, leases",
            Self::Boxed => "naive: boxed message per command",
            Self::ByValue => "naive: channel message per command",
            Self::CopyLimit => "limit: copy of agate's bytes",
        }
    }

    /// Whether it is also measured with bindings left out that are there already.
    pub fn has_elimination(self) -> bool {
        matches!(
            self,
            Self::Single
                | Self::PerThread
                | Self::MutexPerJob
                | Self::MutexPerCommand
                | Self::Agate
                | Self::Sharded
                | Self::Lease
        )
    }

    /// Makes what it records with, for a device with `threads` job threads.
    pub fn make(self, device: &Arc<Device>, threads: usize) -> Box<dyn Strategy> {
        match self {
            Self::Single => Box::new(Single::new(device)),
            Self::PerThread => Box::new(PerThread::new(device, threads)),
            Self::MutexPerJob => Box::new(MutexPerJob::new(device)),
            Self::MutexPerCommand => Box::new(MutexPerCommand::new(device)),
            Self::Agate => Box::new(Agate::new(device, 0)),
            Self::Sharded => Box::new(Agate::new(device, threads)),
            Self::Lease => Box::new(Lease::new(device)),
            Self::Boxed => Box::new(Boxed::new(device)),
            Self::ByValue => Box::new(ByValue::new(device)),
            Self::CopyLimit => Box::new(CopyLimit::default()),
        }
    }
}
