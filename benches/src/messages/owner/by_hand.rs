//! An owner as one builds it from the standard library: a thread that receives from a channel, asked with a channel for one
//! answer, from the crate oneshot or from the standard library.

use std::sync::mpsc;
use std::thread::JoinHandle;

use crate::messages::owner::Owner;
use crate::messages::peer::{Class, Info};
use crate::messages::workload::Pins;

/// A way to send one answer.
pub trait Answer: 'static {
    /// The end that answers.
    type Tx: Send;
    /// The end that waits.
    type Rx;

    /// What the tables call it.
    const NAME: &'static str;

    /// Both ends.
    fn pair() -> (Self::Tx, Self::Rx);
    /// Answers.
    fn answer(tx: Self::Tx, total: u64);
    /// Waits for the answer.
    fn wait(rx: Self::Rx) -> Option<u64>;
}

/// The crate oneshot.
#[derive(Debug)]
pub struct Oneshot;

impl Answer for Oneshot {
    type Tx = oneshot::Sender<u64>;
    type Rx = oneshot::Receiver<u64>;

    const NAME: &'static str = "std channel + oneshot";

    #[inline]
    fn pair() -> (Self::Tx, Self::Rx) {
        oneshot::channel()
    }

    #[inline]
    fn answer(tx: Self::Tx, total: u64) {
        let _ = tx.send(total);
    }

    #[inline]
    fn wait(rx: Self::Rx) -> Option<u64> {
        rx.recv().ok()
    }
}

/// `sync_channel(1)`.
#[derive(Debug)]
pub struct SyncChannel;

impl Answer for SyncChannel {
    type Tx = mpsc::SyncSender<u64>;
    type Rx = mpsc::Receiver<u64>;

    const NAME: &'static str = "std channel + sync_channel(1)";

    #[inline]
    fn pair() -> (Self::Tx, Self::Rx) {
        mpsc::sync_channel(1)
    }

    #[inline]
    fn answer(tx: Self::Tx, total: u64) {
        let _ = tx.send(total);
    }

    #[inline]
    fn wait(rx: Self::Rx) -> Option<u64> {
        rx.recv().ok()
    }
}

enum Add<A: Answer> {
    Quietly(u64),
    AndSay(u64, A::Tx),
}

/// A thread with a channel.
pub struct ByHand<A: Answer> {
    /// `None` once it is to end.
    messages: Option<mpsc::Sender<Add<A>>>,
    thread: Option<JoinHandle<()>>,
}

impl<A: Answer> Owner for ByHand<A> {
    fn info() -> Info {
        Info::unbounded(A::NAME, Class::Parks)
    }

    fn start() -> Result<Self, String> {
        let (messages, received) = mpsc::channel::<Add<A>>();
        let thread = std::thread::spawn(move || {
            Pins::Apart.receiver();
            let mut total = 0;
            for message in received {
                match message {
                    Add::Quietly(add) => total += add,
                    Add::AndSay(add, asker) => {
                        total += add;
                        A::answer(asker, total);
                    }
                }
            }
        });
        Ok(Self {
            messages: Some(messages),
            thread: Some(thread),
        })
    }

    #[inline]
    fn tell(&mut self, add: u64) -> bool {
        let message = Add::Quietly(add);
        self.messages
            .as_ref()
            .is_some_and(|messages| messages.send(message).is_ok())
    }

    #[inline]
    fn ask(&mut self, add: u64) -> Option<u64> {
        let (tx, rx) = A::pair();
        self.messages.as_ref()?.send(Add::AndSay(add, tx)).ok()?;
        A::wait(rx)
    }
}

impl<A: Answer> Drop for ByHand<A> {
    fn drop(&mut self) {
        self.messages = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
