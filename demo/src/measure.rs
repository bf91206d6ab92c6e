//! What a job's time is made of: clocks of the thread, read around the job and outside of its inner loop.
#![allow(
    unsafe_code,
    reason = "getrusage, clock_gettime and gettid are C functions"
)]

use std::time::{Duration, Instant};

/// The kernel's id of the calling thread.
pub(crate) fn thread_id() -> u64 {
    // SAFETY: gettid takes nothing and cannot fail.
    let id = unsafe { libc::gettid() };
    u64::try_from(id).unwrap_or(0)
}

/// What one job was seen to do.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct JobSample {
    /// Draw calls that the job recorded.
    pub(crate) draws: usize,
    /// Time from the job's first to its last recorded command, waiting included.
    pub(crate) record: Duration,
    /// Wall time that the job spent off the processor, if it gave it up of its own accord.
    pub(crate) blocked: Duration,
    /// Time that the job spent on an owner's work, of its own accord; no strategy has jobs that do, so far.
    pub(crate) helping: Duration,
    /// How often it gave the processor up (voluntary context switches).
    pub(crate) waits: u64,
    /// Page faults: memory that the job touched for the first time.
    pub(crate) faults: u64,
}

impl JobSample {
    /// Whether something outside of the job held it up: a lock, a message, the driver.
    ///
    /// Not so where a page fault came in between, for which the kernel makes threads of a process wait for each other
    /// while their memory is new; [`Self::was_paged`] tells of those.
    pub(crate) fn was_blocked(&self) -> bool {
        self.waits > 0 && self.faults == 0
    }

    /// Whether the job slept, and touched new memory meanwhile: why it slept cannot be told.
    pub(crate) fn was_paged(&self) -> bool {
        self.waits > 0 && self.faults > 0
    }

    /// The record time of one draw in nanoseconds, if there was one.
    pub(crate) fn ns_per_draw(&self) -> Option<f64> {
        (self.draws > 0).then(|| self.record.as_nanos() as f64 / self.draws as f64)
    }
}

/// Runs `job` on this thread and tells what it cost.
///
/// A job that the scheduler merely put aside counts no blocked time: only one that slept of its own accord does (on a
/// lock, for a message, or in the driver), and then all of its time off the processor.
pub(crate) fn job<R>(draws: usize, job: impl FnOnce() -> R) -> (R, JobSample) {
    let before = ThreadClock::now();
    let begin = Instant::now();
    let result = job();
    let record = begin.elapsed();
    let after = ThreadClock::now();
    let waits = after.voluntary.saturating_sub(before.voluntary);
    let on_processor = after.cpu.saturating_sub(before.cpu);
    let blocked = if waits > 0 {
        record.saturating_sub(on_processor)
    } else {
        Duration::ZERO
    };
    (
        result,
        JobSample {
            draws,
            record,
            blocked,
            helping: Duration::ZERO,
            waits,
            faults: after.faults.saturating_sub(before.faults),
        },
    )
}

struct ThreadClock {
    cpu: Duration,
    voluntary: u64,
    faults: u64,
}

impl ThreadClock {
    fn now() -> Self {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: `time` is a live timespec that the call fills in.
        let known =
            unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) } == 0;
        let cpu = Duration::new(
            u64::try_from(time.tv_sec).unwrap_or(0),
            u32::try_from(time.tv_nsec).unwrap_or(0),
        );
        let usage = usage();
        let count = |count| u64::try_from(count).unwrap_or(0);
        Self {
            cpu: if known { cpu } else { Duration::ZERO },
            voluntary: count(usage.ru_nvcsw),
            faults: count(usage.ru_minflt) + count(usage.ru_majflt),
        }
    }
}

/// What the kernel has counted for this thread; nothing, should it refuse.
fn usage() -> libc::rusage {
    // SAFETY: rusage is a C struct of integers, for which all zeroes is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is a live rusage that the call fills in.
    unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) };
    usage
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_waits_for_another_thread_counts_as_blocked() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let (turn, other_turn) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || {
            // Spin until the job has had time to fall asleep; the message ends its wait.
            other_turn.recv().expect("the job starts");
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_millis(20) {
                std::hint::spin_loop();
            }
            sender.send(()).expect("the job listens");
        });
        let (_, sample) = job(1, || {
            turn.send(()).expect("the other thread listens");
            receiver.recv()
        });
        other.join().expect("the other thread ends");
        assert!(sample.waits > 0);
        assert!(sample.blocked > Duration::ZERO);
        assert!(sample.blocked <= sample.record);
    }

    #[test]
    fn a_job_that_only_computes_counts_nothing_as_blocked() {
        let (sum, sample) = job(1000, || {
            (0..1000_u64).fold(0, |sum, n| std::hint::black_box(sum + n))
        });
        assert_eq!(sum, 499_500);
        assert_eq!(sample.waits, 0);
        assert_eq!(sample.blocked, Duration::ZERO);
    }
}
