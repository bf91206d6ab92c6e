//! What tests ask the kernel about threads: whether one sleeps, and where one may run.
#![allow(
    dead_code,
    unused_imports,
    reason = "each program of tests uses some of it"
)]
#![allow(
    unsafe_code,
    reason = "system calls that bind a thread to a processor, and let it yield to all others"
)]

use std::thread::{self, JoinHandle};

/// Starts a thread, and returns when it sleeps; where the kernel does not tell, at once.
pub(crate) fn spawn_asleep<T: Send + 'static>(
    run: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    #[cfg(all(target_os = "linux", not(miri)))]
    {
        let (tell, told) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            tell.send(kernel::id()).unwrap();
            run()
        });
        kernel::wait_until_asleep(told.recv().unwrap());
        thread
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    thread::spawn(run)
}

#[cfg(all(target_os = "linux", not(miri)))]
pub(crate) use kernel::{behind_all_others, on_one_processor};

#[cfg(all(target_os = "linux", not(miri)))]
mod kernel {
    //! As Linux tells it.

    use std::thread;
    use std::time::{Duration, Instant};

    /// How long a thread may take until it sleeps.
    const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });

    /// The id under which the kernel knows this thread.
    pub(super) fn id() -> i32 {
        let link = std::fs::read_link("/proc/thread-self").unwrap();
        link.file_name().unwrap().to_str().unwrap().parse().unwrap()
    }

    /// Returns when a thread of this process sleeps.
    pub(super) fn wait_until_asleep(thread: i32) {
        let deadline = Instant::now() + LONG;
        while !sleeps(thread) {
            assert!(Instant::now() < deadline, "it never sleeps");
            thread::yield_now();
        }
    }

    fn sleeps(thread: i32) -> bool {
        let stat =
            std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap_or_default();
        // The name in parentheses may hold anything; the state follows it.
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('S'))
    }

    /// Binds this thread, and those that it starts from now on, to one processor: one on which it may run.
    pub(crate) fn on_one_processor() {
        // SAFETY: a set of processors is plain bits, for which zeros are an empty set.
        let mut may: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        let size = size_of::<libc::cpu_set_t>();
        // SAFETY: the kernel writes at most `size` bytes to a set of that size.
        let got = unsafe { libc::sched_getaffinity(0, size, &raw mut may) };
        assert_eq!(got, 0, "this thread's processors");
        let first = (0..size * 8)
            // SAFETY: within the bits of the set.
            .find(|&cpu| unsafe { libc::CPU_ISSET(cpu, &may) })
            .expect("it runs on one");
        // SAFETY: as above.
        let mut one: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: within the bits of the set.
        unsafe { libc::CPU_SET(first, &mut one) };
        // SAFETY: the kernel reads `size` bytes of a set of that size.
        let set = unsafe { libc::sched_setaffinity(0, size, &raw const one) };
        assert_eq!(set, 0, "bound to processor {first}");
    }

    /// Lets this thread run only where no other wants to.
    pub(crate) fn behind_all_others() {
        // SAFETY: the parameters are plain numbers; this way of scheduling wants zeros.
        let none: libc::sched_param = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel reads one `sched_param`.
        let set = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const none) };
        assert_eq!(set, 0, "scheduled behind all others");
    }
}
