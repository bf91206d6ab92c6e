//! Output that takes no harm from a reader who has left: a closed pipe is no reason to panic, nor one to complain. A disk
//! that is full is one to complain about, once and at the end.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::sync::Mutex;

/// Why a line could not be written, the first time.
static LOST: Mutex<Option<io::Error>> = Mutex::new(None);

/// A line for the user.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::say::line(format_args!($($text)*))
    };
}

/// A line about something that went wrong.
macro_rules! complain {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($text)*);
    }};
}

pub(crate) use {complain, say};

/// Writes one line to standard output.
pub(crate) fn line(text: Arguments<'_>) {
    let mut out = io::stdout().lock();
    if let Err(why) = writeln!(out, "{text}").and_then(|()| out.flush())
        && why.kind() != ErrorKind::BrokenPipe
        && let Ok(mut lost) = LOST.lock()
    {
        lost.get_or_insert(why);
    }
}

/// Why something that was said did not arrive, though there is somebody to read it.
pub(crate) fn lost() -> Option<String> {
    let lost = LOST.lock().ok()?;
    lost.as_ref().map(ToString::to_string)
}
