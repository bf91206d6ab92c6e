//! Waiting for whichever of several things is ready first.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::completion::{Completion, CompletionPort, Helped, Pieces, is_wait_forbidden};
use crate::park::{Bell, Gate, Unparker, Woken, park_until};
use crate::queue::Receiver;
use crate::scope::{Local, Scope};
use crate::stream::StreamReceiver;
use crate::sync::per_thread;

pub(crate) use sealed::Wakes;

/// What [`wait_any`] can wait for. Sealed: receivers of queues and streams, completions, and ports where they
/// arrive.
///
/// # Examples
///
/// See [`wait_any`].
pub trait Waitable: Wakes {
    /// Whether something is there to be taken: a message, an answer, or the news that there will be none.
    ///
    /// # Progress
    ///
    /// Wait-free.
    fn is_ready(&mut self) -> bool;
}

mod sealed {
    use super::{Helped, Waker};

    /// What wakes a thread that waits.
    pub trait Wakes {
        /// Has this woken when it becomes ready. It may be ready already.
        fn register(&mut self, waker: &Waker);

        /// Takes a waker that was left back.
        fn unregister(&mut self);

        /// Whether nobody else could make it ready while this thread waits.
        fn is_lonely(&self) -> bool {
            false
        }

        /// Helps whom its users drive to make it ready, once.
        fn help(&mut self) -> Option<Helped> {
            None
        }
    }
}

/// Why [`wait_any`] found nothing ready.
///
/// # Examples
///
/// ```
/// use agate::{WaitAnyError, wait_any};
/// use std::time::Duration;
///
/// let (_resolver, mut answer) = agate::completion::<()>();
/// assert_eq!(wait_any(&mut [&mut answer], Duration::ZERO), Err(WaitAnyError::TimedOut));
/// assert_eq!(wait_any(&mut [], Duration::ZERO), Err(WaitAnyError::Nothing));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitAnyError {
    /// Nothing was ready in time.
    TimedOut,
    /// Nothing is ready, and this thread must not park (see [`forbid_wait`](crate::forbid_wait)), or nobody else could
    /// make anything ready.
    WouldStall,
    /// There is nothing to wait for: the list is empty.
    Nothing,
}

impl fmt::Display for WaitAnyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "nothing was ready in time",
            Self::WouldStall => "this thread must not park, and nothing is ready",
            Self::Nothing => "there is nothing to wait for",
        })
    }
}

impl std::error::Error for WaitAnyError {}

/// Waits until one of these is ready; returns which. Nothing is taken: that is up to the caller.
///
/// Fair: it looks first at the one behind that which it returned last on this thread, so those that are always ready
/// do not keep others from their turn. Ready means that a receive or a poll would not say "nothing yet"; it also is
/// what has been disconnected, so leave that out of the next call. A time-out beyond what the clock can count, such as
/// [`Duration::MAX`], is none.
///
/// # Errors
///
/// [`WaitAnyError::TimedOut`]; [`WaitAnyError::WouldStall`] when nothing is ready and this thread must not park, or
/// all belong to [`Private`](crate::Private); [`WaitAnyError::Nothing`] when the list is empty.
///
/// # Progress
///
/// May park. Allocates once in the life of a thread.
///
/// # Examples
///
/// ```
/// use agate::{Capacity, Limits, Local, Scope, wait_any};
/// use std::time::Duration;
///
/// let orders = Local.queue(Limits::default(), Capacity::Unbounded)?;
/// let mut orders_in = orders.attach_receiver()?;
/// let (resolver, mut stop) = agate::completion::<()>();
/// let sender = orders.attach_sender()?;
/// std::thread::spawn(move || {
///     sender.send("one").unwrap();
///     sender.send("two").unwrap();
///     resolver.resolve(());
/// });
///
/// let mut seen = 0;
/// loop {
///     match wait_any(&mut [&mut orders_in, &mut stop], Duration::from_secs(10))? {
///         0 => seen += orders_in.drain().count(),
///         _ => break,
///     }
/// }
/// seen += orders_in.drain().count();
/// assert_eq!(seen, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn wait_any(items: &mut [&mut dyn Waitable], timeout: Duration) -> Result<usize, WaitAnyError> {
    wait_by(items, || Instant::now().checked_add(timeout))
}

/// As [`wait_any`], until this time.
///
/// # Errors
///
/// As [`wait_any`].
///
/// # Progress
///
/// As [`wait_any`].
///
/// # Examples
///
/// ```
/// use agate::{WaitAnyError, wait_any_until};
/// use std::time::Instant;
///
/// let (resolver, mut answer) = agate::completion();
/// let now = Instant::now();
/// assert_eq!(wait_any_until(&mut [&mut answer], now), Err(WaitAnyError::TimedOut));
/// resolver.resolve(7);
/// assert_eq!(wait_any_until(&mut [&mut answer], now), Ok(0));
/// assert_eq!(answer.poll(), Some(Ok(7)));
/// ```
pub fn wait_any_until(
    items: &mut [&mut dyn Waitable],
    deadline: Instant,
) -> Result<usize, WaitAnyError> {
    wait_by(items, || Some(deadline))
}

fn wait_by(
    items: &mut [&mut dyn Waitable],
    deadline: impl FnOnce() -> Option<Instant>,
) -> Result<usize, WaitAnyError> {
    if items.is_empty() {
        return Err(WaitAnyError::Nothing);
    }
    let first = NEXT.with(Cell::get) % items.len();
    let found = match ready(items, first) {
        Some(index) => index,
        None => wait(items, first, deadline())?,
    };
    NEXT.with(|next| next.set(found.wrapping_add(1)));
    Ok(found)
}

fn wait(
    items: &mut [&mut dyn Waitable],
    first: usize,
    deadline: Option<Instant>,
) -> Result<usize, WaitAnyError> {
    let is_over = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
    let alone = items.iter().all(|item| item.is_lonely());
    let mut pieces = Pieces::new();
    loop {
        let helped: Vec<_> = items.iter_mut().filter_map(|item| item.help()).collect();
        let inside = helped.len() == items.len();
        let helped = Helped::any(helped.into_iter());
        if let Some(index) = ready(items, first) {
            return Ok(index);
        }
        let again = match helped {
            Some(Helped::Inside) if inside || alone => return Err(WaitAnyError::WouldStall),
            Some(Helped::More) if !is_over() => {
                pieces = Pieces::new();
                continue;
            }
            Some(Helped::Idle(at)) => at,
            _ => None,
        };
        if is_wait_forbidden() || alone && again.is_none() {
            return Err(WaitAnyError::WouldStall);
        }
        let until = match helped {
            Some(_) => pieces.next::<Local>(deadline, again),
            None => deadline,
        };
        if let Some(index) = park(items, first, until) {
            return Ok(index);
        }
        if is_over() {
            return Err(WaitAnyError::TimedOut);
        }
    }
}

/// The first that is ready, from `first` on and round.
fn ready(items: &mut [&mut dyn Waitable], first: usize) -> Option<usize> {
    let count = items.len();
    (first..count)
        .chain(0..first)
        .find(|&index| items[index].is_ready())
}

fn park(items: &mut [&mut dyn Waitable], first: usize, deadline: Option<Instant>) -> Option<usize> {
    let mut gate = GATE.with(Cell::get);
    let found = Cell::new(None);
    let shared = RefCell::new(Registered {
        items,
        anywhere: false,
    });
    let leave = |unparker: Unparker| {
        let mut shared = shared.borrow_mut();
        shared.anywhere = true;
        let waker = unparker.into_waker();
        for item in shared.items.iter_mut() {
            item.register(&waker);
        }
    };
    let woken = park_until(&mut gate, deadline, leave, || {
        found.set(ready(shared.borrow_mut().items, first));
        found.get().is_some()
    });
    GATE.with(|cell| cell.set(gate));
    found.get().filter(|_| woken == Woken::Ready)
}

/// Takes the wakers back when it goes out of scope.
struct Registered<'a, 'b> {
    items: &'a mut [&'b mut dyn Waitable],
    anywhere: bool,
}

impl Drop for Registered<'_, '_> {
    fn drop(&mut self) {
        if self.anywhere {
            self.items.iter_mut().for_each(|item| item.unregister());
        }
    }
}

impl<T: 'static, S: Scope> Waitable for Receiver<T, S> {
    fn is_ready(&mut self) -> bool {
        self.has_news()
    }
}

impl<T: 'static, S: Scope> Wakes for Receiver<T, S> {
    fn register(&mut self, waker: &Waker) {
        Receiver::register(self, waker);
    }

    fn unregister(&mut self) {
        Receiver::unregister(self);
    }

    fn is_lonely(&self) -> bool {
        <S::Bell as Bell>::LONELY
    }
}

impl<S: Scope> Waitable for StreamReceiver<S> {
    fn is_ready(&mut self) -> bool {
        self.has_next() || self.blocks().has_news()
    }
}

impl<S: Scope> Wakes for StreamReceiver<S> {
    fn register(&mut self, waker: &Waker) {
        self.blocks().register(waker);
    }

    fn unregister(&mut self) {
        self.blocks().unregister();
    }

    fn is_lonely(&self) -> bool {
        <S::Bell as Bell>::LONELY
    }
}

impl<T, S: Scope> Waitable for CompletionPort<T, S> {
    fn is_ready(&mut self) -> bool {
        self.has_news()
    }
}

impl<T, S: Scope> Wakes for CompletionPort<T, S> {
    fn register(&mut self, waker: &Waker) {
        CompletionPort::register(self, waker);
    }

    fn unregister(&mut self) {
        CompletionPort::unregister(self);
    }

    fn is_lonely(&self) -> bool {
        S::ALONE
    }

    fn help(&mut self) -> Option<Helped> {
        CompletionPort::help(self)
    }
}

impl<T, S: Scope> Waitable for Completion<T, S> {
    fn is_ready(&mut self) -> bool {
        self.is_done()
    }
}

impl<T, S: Scope> Wakes for Completion<T, S> {
    fn register(&mut self, waker: &Waker) {
        Completion::register(self, waker);
    }

    fn unregister(&mut self) {
        Completion::unregister(self);
    }

    fn is_lonely(&self) -> bool {
        S::ALONE
    }

    fn help(&mut self) -> Option<Helped> {
        Completion::help(self)
    }
}

per_thread! {
    // What this thread has learnt about waiting for several things, and at which it looks first.
    static GATE: Cell<Gate> = Cell::new(Gate::new());
    static NEXT: Cell<usize> = Cell::new(0);
}
