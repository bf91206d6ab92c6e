//! A deadline for what hangs where the fault is: with ten times what the slowest machine needs.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long anything here may take.
pub(crate) const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });

/// Runs something on a thread of its own that must end in time; what hangs is left behind.
#[track_caller]
pub(crate) fn ends<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    ends_within(LONG, run)
}

#[track_caller]
pub(crate) fn ends_within<T: Send + 'static>(
    limit: Duration,
    run: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (tell, told) = mpsc::channel();
    let thread = thread::spawn(move || {
        let _ = tell.send(run());
    });
    match told.recv_timeout(limit) {
        Ok(result) => {
            thread.join().expect("it has sent its result");
            result
        }
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("still running after {limit:?}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(payload) => std::panic::resume_unwind(payload),
            Ok(()) => unreachable!("it sends before it ends"),
        },
    }
}
