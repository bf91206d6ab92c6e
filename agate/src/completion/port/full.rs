//! What a port that watches enough gives back.

use std::fmt;

use crate::completion::Completion;
use crate::scope::{Local, Scope};

/// As many completions are watched as the port's limit allows; this one comes back.
///
/// # Examples
///
/// See [`CompletionPort::try_watch`](crate::CompletionPort::try_watch).
pub struct PortFull<T, S: Scope = Local>(pub(super) Completion<T, S>);

impl<T, S: Scope> PortFull<T, S> {
    /// The completion that was refused.
    ///
    /// # Progress
    ///
    /// Wait-free.
    pub fn into_completion(self) -> Completion<T, S> {
        self.0
    }
}

impl<T, S: Scope> fmt::Debug for PortFull<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PortFull(..)")
    }
}

impl<T, S: Scope> fmt::Display for PortFull<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the port watches as many completions as its limit allows: take some first")
    }
}

impl<T, S: Scope> std::error::Error for PortFull<T, S> {}
