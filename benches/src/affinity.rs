//! Keeps job threads on processors of their own, so that what is measured is recording and not where the kernel happens to
//! wake a thread.

#![allow(
    unsafe_code,
    reason = "calls the scheduler's functions of the C library"
)]

/// Binds the calling thread to the `index`-th processor that the process may use, counted around. Returns whether the
/// system did so; where it does not, the thread stays as it was.
pub fn pin(index: usize) -> bool {
    let allowed = allowed();
    let Some(processor) = allowed.get(index % allowed.len().max(1)) else {
        return false;
    };
    let mut set = empty();
    // SAFETY: `processor` came out of a set of this size.
    unsafe { libc::CPU_SET(*processor, &mut set) };
    // SAFETY: `set` is a live set of the size that is told; 0 is the calling thread.
    unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) == 0 }
}

/// The processors that the calling thread may use.
fn allowed() -> Vec<usize> {
    let mut set = empty();
    // SAFETY: `set` is a live set of the size that is told; 0 is the calling thread.
    let result = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
    if result != 0 {
        return Vec::new();
    }
    (0..libc::CPU_SETSIZE as usize)
        // SAFETY: the index is below the size of the set.
        .filter(|processor| unsafe { libc::CPU_ISSET(*processor, &set) })
        .collect()
}

fn empty() -> libc::cpu_set_t {
    // SAFETY: a set is an array of integers, for which all zeroes is a value: no processor.
    unsafe { std::mem::zeroed() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thread_may_use_one_processor() {
        let pinned = std::thread::spawn(|| pin(1).then(allowed));
        if let Some(processors) = pinned.join().expect("no panic") {
            assert_eq!(processors.len(), 1);
        }
    }
}
