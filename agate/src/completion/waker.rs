//! A waker that is left with a completion by who waits for other things too.

use std::task::Waker;

use crate::completion::Completion;
use crate::completion::slot::Waiter;
use crate::scope::Scope;

impl<T, S: Scope> Completion<T, S> {
    /// Has the answer wake this, unless it is there already.
    pub(crate) fn register(&mut self, waker: &Waker) {
        if let Some(slot) = self.unresolved() {
            drop(self.leave_waiter(slot, Waiter::Task(waker.clone())));
        }
    }

    /// Takes a waker that was left back, unless the resolver has it.
    pub(crate) fn unregister(&mut self) {
        self.unresolved();
    }
}
