//! Threads that must not park.

use std::cell::Cell;

use crate::sync::per_thread;

per_thread! {
    static WAIT_FORBIDDEN: Cell<bool> = Cell::new(false);
}

/// Marks the current thread as one that must not park: every `wait*`, `*_timeout` and `*_until` of this crate that would park
/// there returns `WouldStall` instead.
///
/// A job thread that sleeps may hold up the very work that it waits for. A host calls this first on each of its job
/// threads, for example in the start handler of its thread pool. It cannot be undone.
///
/// # Progress
///
/// Wait-free.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// std::thread::spawn(|| {
///     agate::forbid_wait();
///     let (_resolver, mut completion) = agate::completion::<u32>();
///     let waited = completion.wait_timeout(Duration::from_secs(10));
///     assert_eq!(waited, Err(agate::WaitError::WouldStall));
/// })
/// .join()
/// .unwrap();
/// ```
pub fn forbid_wait() {
    WAIT_FORBIDDEN.with(|cell| cell.set(true));
}

/// Whether this thread must not park.
pub(crate) fn is_wait_forbidden() -> bool {
    WAIT_FORBIDDEN.try_with(Cell::get).unwrap_or(false)
}
