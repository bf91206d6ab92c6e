//! Ending the program where it stands, for when nothing can be taken down any more.
#![allow(unsafe_code, reason = "_exit is a C function")]

use std::sync::atomic::{AtomicBool, Ordering};

use crate::FAILED;
use crate::app::server;
use crate::error::Error;
use crate::say::complain;

/// Says why, and ends the program without destroying anything: something that cannot be waited for still uses it.
pub(crate) fn leave(error: &Error) -> ! {
    /// Whether a thread is at it: one line is enough.
    static LEAVES: AtomicBool = AtomicBool::new(false);
    while LEAVES.swap(true, Ordering::SeqCst) {
        std::thread::park();
    }
    // A driver that waits for a compositor waits in vain for one that is gone.
    let gone = server::compositor_gone().then(server::went_away);
    complain!("demo: {}", gone.as_ref().unwrap_or(error));
    leave_told()
}

/// The same, where somebody has said why.
pub(crate) fn leave_told() -> ! {
    // SAFETY: ends the process, and runs nothing of what would run at exit.
    unsafe { libc::_exit(i32::from(FAILED)) }
}
