//! Panics of a dependency as errors: the window library panics where its display server goes away, and its text speaks of
//! the machine that built it. The program says one line instead.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;

/// Calls `run`; a panic of this thread comes back as its message and prints nothing. Other threads' panics print as ever.
pub(crate) fn caught<R>(run: impl FnOnce() -> R) -> Result<R, String> {
    let (loud, here) = (Arc::new(panic::take_hook()), thread::current().id());
    let others = Arc::clone(&loud);
    panic::set_hook(Box::new(move |info| {
        if thread::current().id() != here {
            others(info);
        }
    }));
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    panic::set_hook(Box::new(move |info| loud(info)));
    result.map_err(|payload| message(payload.as_ref()))
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    // One line, and not a long one.
    let first = text.unwrap_or_default().lines().next().unwrap_or_default();
    first.chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::caught;

    #[test]
    fn a_panic_becomes_its_first_line() {
        assert_eq!(caught(|| 3), Ok(3));
        let text = caught(|| panic!("went {}\nand more", "away"));
        assert_eq!(text, Err::<(), _>("went away".to_owned()));
    }
}
