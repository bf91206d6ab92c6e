//! Sleeping on the word itself by futex; the asymmetric barrier by membarrier.
#![allow(unsafe_code, reason = "futex and membarrier are system calls")]

use std::time::{Duration, Instant};

use crate::sync::atomic::AtomicU32;

/// Nothing to keep: the kernel knows who sleeps on a word.
#[derive(Debug)]
pub(super) struct Sleeper;

impl Sleeper {
    pub(super) fn new() -> Self {
        Self
    }

    /// Sleeps while the word is `expected`; may return at any time.
    pub(super) fn sleep(&self, word: &AtomicU32, expected: u32, until: Option<Instant>) {
        let timeout = until.map(|until| timespec(until.saturating_duration_since(Instant::now())));
        let timeout = timeout
            .as_ref()
            .map_or(std::ptr::null(), std::ptr::from_ref);
        let wait = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: the word and the time-out live for the whole call; the kernel only reads them.
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), wait, expected, timeout) };
    }

    /// Wakes all who sleep on the word.
    pub(super) fn wake(&self, word: &AtomicU32) {
        let wake = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: the kernel uses the word's address only as a key.
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), wake, i32::MAX) };
    }
}

#[allow(
    clippy::cast_lossless,
    reason = "a long has 32 bits on some systems, which less than a second fits"
)]
fn timespec(left: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: libc::time_t::try_from(left.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: left.subsec_nanos() as libc::c_long,
    }
}

#[cfg(not(miri))]
const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
#[cfg(not(miri))]
const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

/// Registers this process for `membarrier`; `false` where the kernel lacks it or a filter forbids it.
#[cfg(not(miri))]
pub(super) fn register_membarrier() -> bool {
    // SAFETY: takes integers only.
    unsafe { libc::syscall(libc::SYS_membarrier, REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0 }
}

/// A full barrier on every core that runs a thread of this process.
#[cfg(not(miri))]
pub(super) fn membarrier() -> bool {
    // SAFETY: takes integers only.
    unsafe { libc::syscall(libc::SYS_membarrier, PRIVATE_EXPEDITED, 0, 0) == 0 }
}
