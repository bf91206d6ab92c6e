//! Panics as errors of one line: of a job, of a dependency, and, as the last resort, of the program itself.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

use crate::say::complain;

thread_local! {
    /// Calls of [`caught`] that this thread is in.
    static CATCHING: Cell<u32> = const { Cell::new(0) };
}

/// Calls `run`; a panic in it comes back as its message and prints nothing.
pub(crate) fn caught<R>(run: impl FnOnce() -> R) -> Result<R, String> {
    one_line_panics();
    CATCHING.set(CATCHING.get() + 1);
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    CATCHING.set(CATCHING.get() - 1);
    result.map_err(|payload| message(payload.as_ref()))
}

/// From now on a panic prints one line, or nothing where [`caught`] waits for it. Whoever sets `RUST_BACKTRACE` gets the
/// usual text of those that nobody catches.
pub(crate) fn one_line_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        let asked = std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
        panic::set_hook(Box::new(move |info| {
            if CATCHING.get() > 0 {
                return;
            }
            if asked || cfg!(test) {
                usual(info);
            } else {
                complain!("demo: {}", fault(info));
            }
        }));
    });
}

/// What a panic that nobody expected says.
fn fault(info: &PanicHookInfo<'_>) -> String {
    let thread = std::thread::current();
    let place = info
        .location()
        .map(|place| format!(" at {}:{}", place.file(), place.line()));
    format!(
        "a fault in the program, thread {}{}: {}",
        thread.name().unwrap_or("without name"),
        place.unwrap_or_default(),
        message(info.payload())
    )
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

    #[test]
    fn one_panic_may_be_caught_within_another() {
        let outer = caught(|| {
            assert_eq!(caught(|| panic!("inner")), Err::<(), _>("inner".to_owned()));
            panic!("outer")
        });
        assert_eq!(outer, Err::<(), _>("outer".to_owned()));
    }
}
