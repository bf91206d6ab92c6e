//! Owners that their users drive: the token alone, and whole owners with ports, a wait and an end.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use super::{Drops, Message, check};
use crate::completion::{Completion, Resolver};
use crate::error::CompletionError;
use crate::owner::token::{Taken, Token};
use crate::owner::{Driver, Handler, Owner, OwnerOptions, Pending};
use crate::park::{Gate, Unparker, park_until};
use crate::scope::{Local, Scope};

const LONG: Duration = Duration::from_secs(1_000_000);

/// What was published, and what the token guards: what was handled.
struct Board {
    token: Token<Local>,
    published: [AtomicBool; 3],
    handled: UnsafeCell<[bool; 3]>,
}

// SAFETY: the token guards the cell, which is what the model checks: loom reports two users at once.
unsafe impl Sync for Board {}
// SAFETY: as above.
unsafe impl Send for Board {}

impl Board {
    fn publish_and_drive(&self, number: usize, leave: fn(&Token<Local>) -> bool) {
        self.published[number].store(true, Ordering::Release);
        if self.token.take_or_knock() != Taken::Yes {
            return;
        }
        loop {
            self.handled.with_mut(|handled| {
                for (number, published) in self.published.iter().enumerate() {
                    if published.load(Ordering::Acquire) {
                        // SAFETY: this thread holds the token.
                        unsafe { (*handled)[number] = true };
                    }
                }
            });
            if leave(&self.token) {
                return;
            }
        }
    }
}

/// Three users publish and drive. When all have finished, everything was handled or the mark stands.
fn three_users(leave: fn(&Token<Local>) -> bool) {
    check(3, move || {
        let board = Arc::new(Board {
            token: Token::new(),
            published: std::array::from_fn(|_| AtomicBool::new(false)),
            handled: UnsafeCell::new([false; 3]),
        });
        let users: Vec<_> = (0..2)
            .map(|number| {
                let board = Arc::clone(&board);
                thread::spawn(move || board.publish_and_drive(number, leave))
            })
            .collect();
        board.publish_and_drive(2, leave);
        users.into_iter().for_each(|user| user.join().unwrap());
        let marked = board.token.is_abandoned();
        // SAFETY: the other threads have ended.
        let handled = board.handled.with(|handled| unsafe { *handled });
        assert!(
            marked || handled == [true; 3],
            "a message is left without a mark: {handled:?}"
        );
    });
}

#[test]
fn what_was_published_is_handled_or_the_mark_stands() {
    three_users(Token::try_leave);
    // As one whose budget is used up.
    three_users(|token| {
        token.leave_marked();
        true
    });
}

/// The mutant: a holder that does not look for knocks before it leaves.
#[test]
#[should_panic(expected = "left without a mark")]
fn without_the_last_look_a_message_is_left() {
    three_users(|token| {
        token.leave_blindly();
        true
    });
}

/// Keeps the numbers of its messages, and who asked for the next.
#[derive(Default)]
struct Keeps {
    numbers: Vec<usize>,
    asked: Option<Resolver<usize>>,
}

enum Keep {
    Message(Message),
    Count(Resolver<usize>),
    /// Asks for the next message with a number that is not 0.
    Next(Resolver<usize>),
}

impl Handler for Keeps {
    type Message = Keep;

    fn handle(&mut self, message: Keep) {
        match message {
            Keep::Message(message) => {
                self.numbers.push(message.number);
                if message.number > 0 {
                    self.asked.take().map(|asker| asker.resolve(message.number));
                }
            }
            Keep::Count(asker) => asker.resolve(self.numbers.len()),
            Keep::Next(asker) => self.asked = Some(asker),
        }
    }
}

fn owner(help_at_most: usize) -> Owner<Keeps> {
    let options = OwnerOptions::named("modelled").driven_by(Driver::Users);
    Local
        .owner_from(options.help_at_most(help_at_most), Keeps::default())
        .unwrap()
}

/// A user sends and finishes, with whatever budget, while another asks and waits, which loom does without a time limit:
/// were the answer left to nobody, it would report a deadlock.
#[test]
fn a_wait_beside_a_sender_is_answered() {
    check(2, || {
        let drops = Drops::new();
        let owner = owner(4);
        let sender = {
            let (port, drops) = (owner.attach().unwrap(), drops.clone());
            thread::spawn(move || {
                port.send(Keep::Message(drops.message(0))).unwrap();
                port.finish();
            })
        };
        let port = owner.attach().unwrap();
        let mut count = port.ask(Keep::Count).unwrap();
        assert!(count.wait_timeout(LONG).unwrap() <= 1);
        sender.join().unwrap();
        assert_eq!(owner.stats().handled, 2, "the budgets were not used up");
        drop((port, owner));
        assert_eq!(drops.count(), 1);
    });
}

/// Awaits an answer as a task on this thread does.
fn block_on<T>(answer: Completion<T>) -> Result<T, CompletionError> {
    let waker = RefCell::new(Waker::noop().clone());
    let (answer, outcome, done) = (RefCell::new(answer), Cell::new(None), Cell::new(false));
    let leave = |unparker: Unparker| drop(waker.replace(unparker.into_waker()));
    park_until(&mut Gate::new(), None, leave, || {
        // It may be asked again.
        if done.get() {
            return true;
        }
        let waker = waker.borrow().clone();
        match Pin::new(&mut *answer.borrow_mut()).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(ended) => outcome.set(Some(ended)),
            Poll::Pending => return false,
        }
        done.set(true);
        true
    });
    outcome.take().unwrap()
}

/// As above, with a task that awaits: it does not come again by itself where it finds the sender at it, and is woken where
/// that leaves the answer to others.
#[test]
fn a_task_beside_a_sender_is_answered() {
    for help_at_most in [1, 4] {
        check(3, move || {
            let drops = Drops::new();
            let owner = owner(help_at_most);
            let sender = {
                let (port, drops) = (owner.attach().unwrap(), drops.clone());
                thread::spawn(move || {
                    port.send(Keep::Message(drops.message(0))).unwrap();
                    port.finish();
                })
            };
            let port = owner.attach().unwrap();
            assert!(block_on(port.ask(Keep::Count).unwrap()).unwrap() <= 1);
            sender.join().unwrap();
            drop((port, owner));
            assert_eq!(drops.count(), 1);
        });
    }
}

/// As above, with a task that found nothing left to do when it helped: it is woken when the sender, whose budget is one
/// message, leaves the second to others.
#[test]
fn a_task_that_found_nothing_to_do_is_woken_for_what_is_left() {
    check(2, || {
        let drops = Drops::new();
        let owner = owner(1);
        let port = owner.attach().unwrap();
        let next = port.ask(Keep::Next).unwrap();
        // Asked for before anything is sent.
        port.help();
        let sender = {
            let (port, drops) = (owner.attach().unwrap(), drops.clone());
            thread::spawn(move || {
                port.send(Keep::Message(drops.message(0))).unwrap();
                port.send(Keep::Message(drops.message(1))).unwrap();
                port.finish();
            })
        };
        assert_eq!(block_on(next), Ok(1));
        sender.join().unwrap();
        drop((port, owner));
        assert_eq!(drops.count(), 2);
    });
}

/// As above, and the owner is closed, with the answer in it.
#[test]
fn a_task_is_told_of_a_close() {
    check(2, || {
        let owner = owner(1);
        let port = owner.attach().unwrap();
        let next = port.ask(Keep::Next).unwrap();
        port.help();
        let handle = owner.handle();
        let closer = thread::spawn(move || handle.close());
        assert_eq!(block_on(next), Err(CompletionError::Abandoned));
        closer.join().unwrap();
        drop((port, owner));
    });
}

/// Two users send and finish, with a budget of one message each: everything is handled or the mark stands, and the end
/// counts every message once.
#[test]
fn what_budgets_leave_is_marked() {
    check(2, || {
        let drops = Drops::new();
        let owner = owner(1);
        let senders: Vec<_> = (0..2)
            .map(|number| {
                let (port, drops) = (owner.attach().unwrap(), drops.clone());
                thread::spawn(move || {
                    port.send(Keep::Message(drops.message(number))).unwrap();
                    port.finish();
                })
            })
            .collect();
        senders
            .into_iter()
            .for_each(|sender| sender.join().unwrap());
        let marked = owner
            .handle()
            .object()
            .seat
            .as_ref()
            .unwrap()
            .is_abandoned();
        assert!(marked || owner.stats().handled == 2);
        let report = owner.shutdown(Pending::Drain, LONG).unwrap();
        assert_eq!((report.handled, report.discarded), (2, 0));
        assert_eq!(drops.count(), 2);
    });
}

/// The owner is shut down while a user sends and helps: the report and the refusals account for every message.
#[test]
fn an_end_races_a_user_who_helps() {
    for pending in [Pending::Drain, Pending::Discard] {
        check(2, move || {
            let drops = Drops::new();
            let owner = owner(1);
            let sender = {
                let (port, drops) = (owner.attach().unwrap(), drops.clone());
                thread::spawn(move || {
                    let _ = port.send_and_help(Keep::Message(drops.message(0)));
                })
            };
            let report = owner.shutdown(pending, LONG).unwrap();
            assert!(report.handled + report.discarded <= 1);
            sender.join().unwrap();
            assert_eq!(drops.count(), 1, "nothing waits for the object's end");
        });
    }
}
