//! The faults of others, by name: each has happened in another project, and must not happen here.

mod channels;
mod completions;
mod deadline;
mod engines;
#[cfg(all(target_os = "linux", not(miri)))]
mod processors;
mod waiting;
