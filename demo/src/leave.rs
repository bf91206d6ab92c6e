//! Ending the program where it stands, for when nothing can be taken down any more.
#![allow(unsafe_code, reason = "_exit is a C function")]

use crate::FAILED;
use crate::error::Error;
use crate::say::complain;

/// Says why, and ends the program without destroying anything: something that cannot be waited for still uses it.
pub(crate) fn leave(error: &Error) -> ! {
    complain!("demo: {error}");
    // SAFETY: ends the process, and runs nothing of what would run at exit.
    unsafe { libc::_exit(i32::from(FAILED)) }
}
