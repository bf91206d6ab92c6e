//! What a resolver that is dropped unresolved says: given up, or its owner panicked. Known by the thread that drops it.

use std::cell::Cell;

use crate::error::CompletionError;
use crate::sync::per_thread;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// An ordinary thread.
    Ordinary,
    /// Inside an owner's handler. Whether the thread was unwinding already when it came there: it drives an owner in a drop.
    Handling(bool),
    /// What is dropped now is dropped because an owner panicked.
    Panicked,
}

per_thread! {
    static STATE: Cell<State> = Cell::new(State::Ordinary);
}

/// What a resolver dropped now on this thread says.
pub(crate) fn verdict() -> CompletionError {
    match STATE.try_with(Cell::get).unwrap_or(State::Ordinary) {
        State::Panicked => CompletionError::OwnerPanicked,
        // A handler that catches its own panics says this too for what is dropped by their unwinding. On a thread that
        // was unwinding before, a panic of the handler cannot be told, and what its unwinding drops is just given up.
        State::Handling(false) if std::thread::panicking() => CompletionError::OwnerPanicked,
        _ => CompletionError::Abandoned,
    }
}

/// Sets the verdict for this thread until it is dropped.
#[derive(Debug)]
pub(crate) struct Verdict(State);

impl Verdict {
    /// This thread runs an owner's handler.
    pub(crate) fn handling() -> Self {
        Self::set(State::Handling(std::thread::panicking()))
    }

    /// Messages are discarded, perhaps because their owner panicked.
    pub(crate) fn discarding(panicked: bool) -> Self {
        Self::set(if panicked {
            State::Panicked
        } else {
            State::Ordinary
        })
    }

    fn set(state: State) -> Self {
        Self(STATE.with(|cell| cell.replace(state)))
    }
}

impl Drop for Verdict {
    fn drop(&mut self) {
        let _ = STATE.try_with(|cell| cell.set(self.0));
    }
}
