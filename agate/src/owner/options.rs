//! How an owner is made, and who drives it.

use std::fmt;
use std::time::Duration;

use crate::handle::Limits;
use crate::park::WaitMode;

/// Who drives an owner: on whose thread its handler runs.
///
/// # Examples
///
/// The same handler, driven by the threads that send to it, and by a host that pumps it once a frame:
///
/// ```
/// use agate::{Driver, Handler, Local, OwnerOptions, Scope};
/// use std::time::Duration;
///
/// struct Sum(u64);
/// impl Handler for Sum {
///     type Message = u64;
///     fn handle(&mut self, n: u64) {
///         self.0 += n;
///     }
/// }
///
/// let by_users = Local.owner_from(OwnerOptions::named("a").driven_by(Driver::Users), Sum(0))?;
/// by_users.attach()?.send_and_help(1)?; // handled here and now, unless another user is at it
/// assert_eq!(by_users.stats().handled, 1);
///
/// let by_host = Local.owner_from(OwnerOptions::named("b").driven_by(Driver::Host), Sum(0))?;
/// by_host.attach()?.send(1)?;
/// assert_eq!(by_host.pump(100, Duration::from_millis(2)).handled, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// A thread of its own. Not in [`Private`](crate::Private).
    Thread,
    /// Its users: whoever asks, waits, or says that it helps drains a bounded number of messages; see
    /// [`Port`](crate::Port). The host may [`pump`](crate::Owner::pump) too. With nobody to drive it the handler is not
    /// [woken](crate::Handler::wake_at) either: a thread that waits for an answer does it in time, a task that awaits one
    /// only if the time is near (see [`Completion`](crate::Completion)).
    Users,
    /// The host alone, by [`Owner::pump`](crate::Owner::pump).
    Host,
}

/// How an owner is made; see [`Scope::owner_from`](crate::Scope::owner_from) and
/// [`Scope::owner_with`](crate::Scope::owner_with).
///
/// # Examples
///
/// ```
/// use agate::{Limits, OwnerOptions, WaitMode};
/// use std::time::Duration;
///
/// let options = OwnerOptions::named("log file")
///     .limits(Limits::senders(64))
///     .wait_mode(WaitMode::Poll(Duration::from_micros(50)))
///     .on_start(|| println!("here one would set the thread's priority"))
///     .drop_deadline(Duration::from_millis(100));
/// # drop(options);
/// ```
pub struct OwnerOptions {
    pub(super) name: String,
    pub(super) limits: Limits,
    pub(super) wait: WaitMode,
    pub(super) hook: Option<Box<dyn FnOnce() + Send>>,
    pub(super) drop_deadline: Duration,
    pub(super) driver: Option<Driver>,
    pub(super) help_at_most: usize,
}

impl OwnerOptions {
    /// An owner whose thread has this name (cut at a NUL, if there is one); no limit on senders; woken by sends; dropped
    /// without shutdown it is given one second to end.
    ///
    /// # Progress
    ///
    /// Allocates.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        let mut name: String = name.into();
        if let Some(nul) = name.find('\0') {
            name.truncate(nul);
        }
        Self {
            name,
            limits: Limits::none(),
            wait: WaitMode::Wake,
            hook: None,
            drop_deadline: Duration::from_secs(1),
            driver: None,
            help_at_most: 256,
        }
    }

    /// Sets how many ports may be attached at once: the limit on senders.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets who drives the owner. By default a thread of its own; in [`Private`](crate::Private), its users.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn driven_by(mut self, driver: Driver) -> Self {
        self.driver = Some(driver);
        self
    }

    /// Sets how many messages a user handles at most when it helps ([`Driver::Users`]): 256 by default, at least 1. A
    /// greater number keeps a user longer at work that is not its own, a smaller one leaves more to the next. To leave
    /// something wakes every task that awaits an answer and has found nothing to do.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn help_at_most(mut self, messages: usize) -> Self {
        self.help_at_most = messages.max(1);
        self
    }

    /// Sets how the owner's thread waits when nothing is there. Without a thread it means nothing.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn wait_mode(mut self, wait: WaitMode) -> Self {
        self.wait = wait;
        self
    }

    /// Runs `hook` first on the owner's thread: the place to set affinity or priority. Without a thread of its own, it
    /// runs where the owner is made, before the handler is.
    ///
    /// # Progress
    ///
    /// Allocates.
    #[must_use]
    pub fn on_start(mut self, hook: impl FnOnce() + Send + 'static) -> Self {
        self.hook = Some(Box::new(hook));
        self
    }

    /// Sets how long dropping the [`Owner`](crate::Owner) without shutdown waits for its thread, or for whoever
    /// drives it just then, before it leaves that alone.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn drop_deadline(mut self, deadline: Duration) -> Self {
        self.drop_deadline = deadline;
        self
    }
}

impl fmt::Debug for OwnerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnerOptions")
            .field("name", &self.name)
            .field("limits", &self.limits)
            .field("wait", &self.wait)
            .field("driver", &self.driver)
            .finish_non_exhaustive()
    }
}
