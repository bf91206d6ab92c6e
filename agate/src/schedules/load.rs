//! What loads an owner: messages that are accounted for, users that come and go, and a handler that notes what it got.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::LONG;
use crate::completion::Resolver;
use crate::error::WaitError;
use crate::handle::Handle;
use crate::owner::{Handler, Inbox};

/// Notes what became of each message. Its counters are the standard library's, so that they add no orders.
#[derive(Clone)]
pub(super) struct Ledger(Arc<Vec<Fate>>);

#[derive(Default)]
struct Fate {
    accepted: AtomicU32,
    handled: AtomicU32,
    dropped: AtomicU32,
}

pub(super) struct Message {
    pub(super) number: usize,
    ledger: Ledger,
}

impl Ledger {
    pub(super) fn new(messages: usize) -> Self {
        Self(Arc::new((0..messages).map(|_| Fate::default()).collect()))
    }

    pub(super) fn message(&self, number: usize) -> Message {
        Message {
            number,
            ledger: self.clone(),
        }
    }

    pub(super) fn accept(&self, number: usize) {
        self.0[number].accepted.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn handled(&self) -> u64 {
        self.sum(|fate| &fate.handled)
    }

    pub(super) fn accepted(&self) -> u64 {
        self.sum(|fate| &fate.accepted)
    }

    fn sum(&self, count: fn(&Fate) -> &AtomicU32) -> u64 {
        let counts = self.0.iter().map(count);
        counts.map(|n| u64::from(n.load(Ordering::SeqCst))).sum()
    }

    /// Whether the handler has got it.
    pub(super) fn was_handled(&self, number: usize) -> bool {
        self.0[number].handled.load(Ordering::SeqCst) == 1
    }

    /// The messages whose sends have returned, of those that users only tell.
    pub(super) fn told(&self) -> Vec<usize> {
        let told = (0..self.0.len()).filter(|number| number % 2 == 0);
        told.filter(|&number| self.0[number].accepted.load(Ordering::SeqCst) == 1)
            .collect()
    }

    /// Each message made is gone, once; what was refused was not handled, and nothing was handled twice.
    pub(super) fn settle(&self) {
        for (number, fate) in self.0.iter().enumerate() {
            let [accepted, handled, dropped] =
                [&fate.accepted, &fate.handled, &fate.dropped].map(|n| n.load(Ordering::SeqCst));
            assert_eq!(dropped, 1, "drops of message {number}");
            assert!(
                handled <= accepted && accepted <= 1,
                "{number}: {handled} of {accepted}"
            );
        }
    }
}

impl Message {
    pub(super) fn handle(&self) {
        self.ledger.0[self.number]
            .handled
            .fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        self.ledger.0[self.number]
            .dropped
            .fetch_add(1, Ordering::SeqCst);
    }
}

/// What users say to the owner.
pub(super) enum Tell {
    Note(Message),
    Ask(Message, Resolver<usize>),
    Panic(Message),
}

/// Notes what it gets; each user's messages come in the order of their numbers.
pub(super) struct Notes {
    last: Vec<Option<usize>>,
}

/// Messages of one user.
pub(super) const EACH: usize = 4;

impl Notes {
    pub(super) fn of(users: usize) -> Self {
        Self {
            last: vec![None; users + 1],
        }
    }

    fn note(&mut self, message: &Message) {
        message.handle();
        let last = &mut self.last[message.number / EACH];
        assert!(
            last.is_none_or(|last| last < message.number),
            "out of order"
        );
        *last = Some(message.number);
    }
}

impl Handler for Notes {
    type Message = Tell;

    fn handle(&mut self, tell: Tell) {
        match tell {
            Tell::Note(message) => self.note(&message),
            Tell::Ask(message, asker) => {
                self.note(&message);
                asker.resolve(message.number);
            }
            Tell::Panic(message) => {
                self.note(&message);
                panic!("told to");
            }
        }
    }
}

/// A user comes and goes twice; each time it sends one message, asks with another, and waits for the answer.
pub(super) fn come_and_go(inbox: &Handle<Inbox<Tell>>, ledger: &Ledger, user: usize) {
    for number in [EACH * user, EACH * user + 2] {
        let (note, ask) = (ledger.message(number), ledger.message(number + 1));
        let Ok(port) = inbox.attach() else { continue };
        if port.send(Tell::Note(note)).is_ok() {
            ledger.accept(number);
        }
        // Before it is sent: it can be handled before `ask` returns.
        ledger.accept(number + 1);
        let Ok(mut answer) = port.ask(|asker| Tell::Ask(ask, asker)) else {
            continue;
        };
        match answer.wait_timeout(LONG) {
            Ok(answer) => assert!(answer == number + 1 && ledger.was_handled(answer)),
            Err(WaitError::Failed(_)) => assert!(!ledger.was_handled(number + 1)),
            Err(error) => panic!("an answer neither came nor failed: {error}"),
        }
        port.finish();
    }
}
