//! Atomics, cells, threads: those of std, or loom's under `cfg(loom)`. All other files take them from here.

#[cfg(not(loom))]
pub(crate) use std::sync::{Arc, atomic};

#[cfg(loom)]
pub(crate) use loom::sync::{Arc, atomic};
