//! The seat: where the handler of an owner without a thread of its own sits, and how its users or its host drive it.
//!
//! # Invariants
//!
//! - I1: `state` is touched by who holds the token alone, inside of `drive`; the token is taken with acquire and left
//!   with release.
//! - I2: an inbox with a seat has no thread, so whoever holds the token is the intake's only receiver.
//! - I3: `state` goes from `Some` to `None` once, when the receiver retires.
#![allow(
    unsafe_code,
    reason = "a cell that the token guards, and the one receiver that the intake asks for, I1 to I3"
)]

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use crate::completion::{Resolver, is_near};
use crate::owner::drive::{Counts, Desk, Drive, Exit, Served, end};
use crate::owner::inbox::Inbox;
use crate::owner::limit::{Budget, Limit};
use crate::owner::token::{Taken, Token};
use crate::park::Bell;
use crate::queue::rx::Rx;
use crate::scope::Scope;
use crate::sync::atomic::Ordering;
use crate::sync::cell::UnsafeCell;
use crate::sync::per_thread;
use crate::verdict::Verdict;
use crate::words::Word;

/// What the holder of the token works with.
struct State<M: 'static, S: Scope> {
    handler: S::Erased<M>,
    rx: Rx<M, S>,
    counts: Counts,
    exit: Resolver<Exit>,
}

/// A handler and the token that one must hold to call it.
pub(crate) struct Seat<M: 'static, S: Scope> {
    token: Token<S>,
    /// Which thread holds the token; 0: nobody, or it is just now taking or leaving it.
    holder: S::Usize,
    state: UnsafeCell<Option<State<M, S>>>,
    /// Rung by who leaves something to others, for the tasks that can do no more; see `completion/attend.rs`.
    bell: S::Bell,
    /// How many messages a user handles at once.
    budget: usize,
    /// Whether users drive, and not the host alone.
    by_users: bool,
}

// SAFETY: by I1 one thread at a time uses the state, and the handler is of a type that may be moved between them.
unsafe impl<M: Send, S: Scope> Sync for Seat<M, S>
where
    S::Erased<M>: Send,
    S::U32: Sync,
    S::Usize: Sync,
{
}

/// How long somebody who waits leaves it to the one who drives, before it tries again itself. The models do without: there
/// the last look of whoever drives must be enough.
pub(crate) const RETRY: Duration = if cfg!(any(loom, shuttle)) {
    Duration::from_secs(1_000_000)
} else {
    Duration::from_micros(200)
};

/// What a drive came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Drove {
    /// How many messages this thread has handled.
    pub(crate) handled: u64,
    pub(crate) left: Left,
}

/// How things stand after a drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing is waiting; the handler wants to be woken at this time.
    Idle(Option<Instant>),
    /// The limit is reached: the mark stands.
    Marked,
    /// Somebody else drives, and was told to look once more.
    Busy,
    /// The owner has ended.
    Ended,
}

/// Who drives, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driving {
    /// The host, until its limit.
    Host,
    /// A user, until its limit; but when the inbox is closed, to the owner's end.
    User,
}

/// What one look at the inbox came to.
enum Turn {
    Idle(Option<Instant>),
    Limit,
    Ended(Exit, Resolver<Exit>),
}

impl<M: 'static, S: Scope> Seat<M, S> {
    pub(crate) fn new(
        handler: S::Erased<M>,
        exit: Resolver<Exit>,
        budget: usize,
        by_users: bool,
    ) -> Self {
        Self {
            token: Token::new(),
            holder: S::Usize::new(0),
            state: UnsafeCell::new(Some(State {
                handler,
                rx: Rx::new(),
                counts: Counts::default(),
                exit,
            })),
            bell: S::Bell::for_tasks(),
            budget,
            by_users,
        }
    }

    pub(crate) fn bell(&self) -> &S::Bell {
        &self.bell
    }

    pub(crate) fn is_driven_by_users(&self) -> bool {
        self.by_users
    }

    /// Whether this thread is inside of the handler.
    pub(crate) fn is_held_here(&self) -> bool {
        self.holder.load(Ordering::Relaxed) == this_thread()
    }

    /// Whether somebody drives just now.
    #[inline(always)]
    pub(crate) fn is_held(&self) -> bool {
        self.token.is_held()
    }

    /// Whether something may be waiting that nobody drives.
    #[inline(always)]
    pub(crate) fn is_abandoned(&self) -> bool {
        self.token.is_abandoned()
    }

    /// Has whoever drives, now or next, look once more. Where that is nobody, a task that waits is woken to do it.
    pub(crate) fn mark(&self) {
        self.token.mark();
        self.bell.ring();
    }

    /// Drains a bounded number of messages, as a user does, unless somebody else is at it.
    pub(crate) fn help(&self, inbox: &Inbox<M, S>) -> Drove {
        self.drive(inbox, Budget::messages(self.budget), Driving::User)
    }

    /// Takes the token and drains; nobody waits for it.
    pub(crate) fn drive(&self, inbox: &Inbox<M, S>, mut limit: Budget, driving: Driving) -> Drove {
        let mut handled = 0;
        let left = loop {
            match self.token.take_or_knock() {
                Taken::Yes => {}
                Taken::Busy => break Left::Busy,
                Taken::Ended => break Left::Ended,
            }
            let left = self.hold(inbox, &mut limit, driving, &mut handled);
            // Whoever closed the inbox before this thread left may count on it to bring the owner to its end.
            if left != Left::Marked || driving == Driving::Host || !inbox.intake.is_closed() {
                break left;
            }
        };
        Drove { handled, left }
    }

    /// Drives, and leaves the token, which this thread has just taken.
    fn hold(
        &self,
        inbox: &Inbox<M, S>,
        limit: &mut Budget,
        driving: Driving,
        handled: &mut u64,
    ) -> Left {
        loop {
            if driving == Driving::User && inbox.intake.is_closed() {
                *limit = Budget::none();
            }
            self.holder.store(this_thread(), Ordering::Relaxed);
            // SAFETY: I1: this thread holds the token, and what the handler does cannot get here while it does.
            let turn = self
                .state
                .with_mut(|state| turn(unsafe { &mut *state }, inbox, limit, driving, handled));
            self.holder.store(0, Ordering::Relaxed);
            match turn {
                Turn::Ended(exit, resolver) => {
                    // First, so that whoever finds the owner ended finds this too.
                    resolver.resolve(exit);
                    self.token.leave_ended();
                    // Nobody comes after this, so no waker is left here.
                    self.bell.ring();
                    return Left::Ended;
                }
                Turn::Idle(wake_at) => {
                    if self.token.try_leave() {
                        if is_near(wake_at) {
                            // For a task to come again and again until then.
                            self.bell.ring();
                        }
                        return Left::Idle(wake_at);
                    }
                    // A look costs as much as a message, so that knocks cannot keep this thread for ever.
                    if limit.allows() {
                        limit.spend();
                        continue;
                    }
                }
                Turn::Limit => {}
            }
            self.token.leave_marked();
            self.bell.ring();
            return Left::Marked;
        }
    }
}

/// Looks at the inbox until nothing is there, the limit is reached, or the owner has ended; a panic ends it.
fn turn<M: 'static, S: Scope>(
    seated: &mut Option<State<M, S>>,
    inbox: &Inbox<M, S>,
    limit: &mut Budget,
    driving: Driving,
    handled: &mut u64,
) -> Turn {
    let Some(state) = seated else {
        return Turn::Idle(None);
    };
    let before = state.counts.handled;
    let served = {
        let _verdict = Verdict::handling();
        catch_unwind(AssertUnwindSafe(|| {
            let mut desk = Desk {
                rx: &mut state.rx,
                counts: &mut state.counts,
                limit,
            };
            // SAFETY: I2 and I3.
            unsafe { state.handler.serve(inbox, &mut desk) }
        }))
    };
    let new = state.counts.handled - before;
    *handled += new;
    if driving == Driving::User && new > 0 {
        state.counts.helped += new;
        inbox.tally.record(&state.counts);
    }
    let panic = match served {
        Ok(Served::Idle(wake_at)) => return Turn::Idle(wake_at),
        Ok(Served::Limit) => return Turn::Limit,
        Ok(Served::Ended) => None,
        Err(payload) => Some(payload),
    };
    let Some(State {
        handler,
        mut rx,
        counts,
        exit,
    }) = seated.take()
    else {
        return Turn::Idle(None);
    };
    // SAFETY: I2 and I3: the state has just been taken out.
    let ended = unsafe { end(inbox, Some(handler), &mut rx, counts, panic) };
    Turn::Ended(ended, exit)
}

per_thread! {
    static HERE: Cell<usize> = Cell::new(0);
}

/// The next thread's number. The models need not know of it: it orders nothing.
static NEXT: AtomicUsize = AtomicUsize::new(1);

/// A number that no other thread has or had, and that is not 0.
fn this_thread() -> usize {
    HERE.with(|here| {
        if here.get() == 0 {
            here.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        here.get()
    })
}
