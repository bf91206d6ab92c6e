//! Passing messages inside a process: agate beside its peers and what the machine allows.
//!
//! [`peer`] has one small file for each library, all behind one trait; [`workload`] what is done with them; [`goals`] and
//! [`report`] turn figures into tables with verdicts.

pub mod backoff;
pub mod command;
pub mod futex;
pub mod goals;
pub mod humps;
pub mod latency;
pub mod measure;
pub mod message;
pub mod options;
pub mod owner;
pub mod peer;
pub mod queue;
pub mod report;
pub mod scale;
pub mod start;
pub mod watch;
pub mod workload;
