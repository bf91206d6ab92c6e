//! What the user gives an owner: the handler of its messages.

use std::time::Instant;

/// What an owner does with its messages: state that one thread alone uses, and need be neither `Send` nor `Sync`.
///
/// If a method panics, the owner closes: outstanding completions resolve as
/// [`OwnerPanicked`](crate::CompletionError::OwnerPanicked), later sends give their message back, and
/// [`Owner::shutdown`](crate::Owner::shutdown) returns the payload.
///
/// # Examples
///
/// ```
/// use agate::{Handler, Local, Pending, Scope};
/// use std::{cell::RefCell, rc::Rc, time::Duration};
///
/// struct Printer {
///     lines: Rc<RefCell<Vec<String>>>, // not `Send`: made on the owner's thread and never leaves it
/// }
/// impl Handler for Printer {
///     type Message = String;
///     fn handle(&mut self, line: String) {
///         self.lines.borrow_mut().push(line);
///     }
///     fn batch_end(&mut self) {
///         self.lines.borrow_mut().clear(); // here one would write them out, all at once
///     }
/// }
///
/// let printer = Local.owner_with(agate::OwnerOptions::named("printer"), || Printer { lines: Rc::default() })?;
/// printer.attach()?.send("hello".into())?;
/// let report = printer.shutdown(Pending::Drain, Duration::from_secs(10))?;
/// assert_eq!(report.handled, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Handler: 'static {
    /// What users send to this owner.
    type Message: 'static;

    /// Handles one message.
    ///
    /// # Progress
    ///
    /// Yours. What it takes, everybody behind waits; it should not wait for what its own owner is to do.
    fn handle(&mut self, message: Self::Message);

    /// Called after each drained batch, before the owner may sleep: the place for work that is cheaper done once for many
    /// messages, such as a flush.
    ///
    /// # Progress
    ///
    /// Yours: everybody behind waits meanwhile.
    fn batch_end(&mut self) {}

    /// Asked before the owner sleeps: until when, at the longest. When that time has come and no message with it,
    /// [`wake`](Self::wake) is called. By default it sleeps until a message comes.
    ///
    /// A time in the past has it called at once, and again as long as the time stays there: [`wake`](Self::wake) is to move
    /// it. It is not asked while messages keep coming; a handler that must be in time then too looks at the clock in
    /// [`batch_end`](Self::batch_end). An owner without a thread of its own is late if nobody drives it then.
    ///
    /// # Progress
    ///
    /// Yours, and part of every look that finds nothing.
    fn wake_at(&self) -> Option<Instant> {
        None
    }

    /// The time of [`wake_at`](Self::wake_at) has come.
    ///
    /// # Progress
    ///
    /// Yours: everybody behind waits meanwhile.
    fn wake(&mut self) {}
}
