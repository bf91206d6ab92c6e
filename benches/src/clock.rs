//! Clocks: time stamps of a few nanoseconds, and the processor time of a thread.

#![allow(
    unsafe_code,
    reason = "reads the time stamp counter, and a clock of the C library"
)]

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A time stamp, in ticks of unknown length: see [`ns_per_tick`].
#[inline(always)]
#[cfg(target_arch = "x86_64")]
pub fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has the instruction, and the kernel leaves it to programs.
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// A time stamp, in ticks of unknown length: see [`ns_per_tick`].
#[inline(always)]
#[cfg(not(target_arch = "x86_64"))]
pub fn ticks() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// The length of a tick in nanoseconds, measured once against the monotonic clock.
pub fn ns_per_tick() -> f64 {
    static LENGTH: OnceLock<f64> = OnceLock::new();
    *LENGTH.get_or_init(|| {
        let (begin, first) = (Instant::now(), ticks());
        while begin.elapsed() < Duration::from_millis(50) {
            std::hint::spin_loop();
        }
        let ticks = ticks().wrapping_sub(first).max(1);
        begin.elapsed().as_nanos() as f64 / ticks as f64
    })
}

/// What two neighbouring calls of [`ticks`] measure, in ticks: the median of many.
pub fn floor_ticks() -> u64 {
    let mut samples: Vec<u64> = (0..1001)
        .map(|_| {
            let first = ticks();
            ticks().wrapping_sub(first)
        })
        .collect();
    samples.sort_unstable();
    samples[samples.len() / 2]
}

/// How often the calling thread went to sleep of its own accord, and how many pages it touched for the first time.
///
/// Both grow only. A thread that touches new memory may sleep for the kernel's own locks, so only sleep without such a
/// fault tells of a lock, a message or a driver.
pub fn thread_sleeps_and_faults() -> (u64, u64) {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `usage` is a live rusage that the call fills in.
    unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) };
    // SAFETY: rusage is a structure of integers, for which all zeroes is a value.
    let usage = unsafe { usage.assume_init() };
    (
        usage.ru_nvcsw as u64,
        (usage.ru_minflt + usage.ru_majflt) as u64,
    )
}

/// What two neighbouring calls of [`thread_cpu_ns`] measure, in nanoseconds: the median of many.
pub fn thread_cpu_floor_ns() -> u64 {
    let mut samples: Vec<u64> = (0..1001)
        .map(|_| {
            let first = thread_cpu_ns();
            thread_cpu_ns() - first
        })
        .collect();
    samples.sort_unstable();
    samples[samples.len() / 2]
}

/// The processor time of the calling thread, in nanoseconds; 0 should the system not tell.
pub fn thread_cpu_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a live timespec that the call fills in.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    if result != 0 {
        return 0;
    }
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
