//! What a send costs the one who sends, with nobody waiting: on one thread, with the queue drained on another processor
//! before, and with two senders at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::scope;

use crate::affinity;
use crate::clock::{ns_per_tick, ticks};
use crate::messages::message::Message;
use crate::messages::peer::{Peer, Rx, Tx};
use crate::messages::start::StartLine;
use crate::messages::workload::{check, joined};

/// So many messages are sent in a row: what two senders may put into one queue of 1,024.
pub const RUN: usize = 512;

/// What a message costs each end, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// The sender.
    pub send: f64,
    /// The receiver; 0 where that was not measured.
    pub receive: f64,
}

impl Cost {
    fn of(send_ticks: u64, receive_ticks: u64, messages: usize) -> Self {
        let ns = |ticks: u64| ticks as f64 * ns_per_tick() / messages as f64;
        Self {
            send: ns(send_ticks),
            receive: ns(receive_ticks),
        }
    }
}

fn send_run<M: Message>(tx: &mut impl Tx<M>) -> u64 {
    let begin = ticks();
    tx.send_each((0..RUN).map(|message| M::new(message as u64)));
    ticks().wrapping_sub(begin)
}

const SUM_OF_RUN: u64 = (RUN * (RUN - 1) / 2) as u64;

/// Drains so many messages; the ticks that it took and the sum.
fn drain<M: Message>(rx: &mut impl Rx<M>, messages: usize) -> Result<(u64, u64), String> {
    let begin = ticks();
    let (mut count, mut sum) = (0, 0_u64);
    while count < messages {
        let more = rx.drain(|message| sum += message.number());
        if more == 0 {
            return Err(format!("{count} messages of {messages} are there"));
        }
        count += more;
    }
    let spent = ticks().wrapping_sub(begin);
    check("messages", messages as u64, count as u64)?;
    Ok((spent, sum))
}

/// Both ends on one thread, in its first cache: the instructions of a send and of a drain, no more.
///
/// # Errors
///
/// When what arrived is not what was sent.
pub fn one_thread<M: Message, P: Peer<M>>(runs: usize) -> Result<Cost, String> {
    scope(|scope| {
        joined(scope.spawn(|| {
            affinity::pin(0);
            let (mut txs, mut rx) = P::open(1);
            let (mut sending, mut receiving) = (0, 0);
            for _ in 0..runs {
                sending += send_run(&mut txs[0]);
                let (spent, sum) = drain(&mut rx, RUN)?;
                check("sum of messages", SUM_OF_RUN, sum)?;
                receiving += spent;
            }
            Ok(Cost::of(sending, receiving, runs * RUN))
        }))?
    })
}

/// A sender whose queue was drained by the other processor before each run, so that it has to take the lines back.
///
/// # Errors
///
/// When what arrived is not what was sent.
pub fn drained_elsewhere<M: Message, P: Peer<M>>(runs: usize) -> Result<Cost, String> {
    let (mut txs, mut rx) = P::open(1);
    let mut tx = txs.pop().ok_or("no sender")?;
    let turn = AtomicUsize::new(0);
    let until = |wanted| {
        while turn.load(Ordering::Acquire) != wanted {
            std::hint::spin_loop();
        }
    };
    scope(|scope| {
        let receiver = scope.spawn(|| {
            affinity::pin(0);
            let mut receiving = 0;
            let mut first_wrong = Ok(());
            for run in 0..runs {
                until(2 * run + 1);
                match drain(&mut rx, RUN) {
                    Ok((spent, sum)) => {
                        receiving += spent;
                        first_wrong = first_wrong.and(check("sum of messages", SUM_OF_RUN, sum));
                    }
                    Err(why) => first_wrong = first_wrong.and(Err(why)),
                }
                turn.store(2 * run + 2, Ordering::Release);
            }
            first_wrong.map(|()| receiving)
        });
        let sender = scope.spawn(|| {
            affinity::pin(1);
            let mut sending = 0;
            for run in 0..runs {
                until(2 * run);
                sending += send_run(&mut tx);
                turn.store(2 * run + 1, Ordering::Release);
            }
            sending
        });
        let sending = joined(sender)?;
        Ok(Cost::of(sending, joined(receiver)??, runs * RUN))
    })
}

/// Two senders on two processors at once; between runs one of them, in turns, drains the queue.
///
/// # Errors
///
/// When what arrived is not what was sent.
pub fn two_senders<M: Message, P: Peer<M>>(runs: usize) -> Result<Cost, String> {
    let (txs, rx) = P::open(2);
    let rx = Mutex::new(rx);
    let start = StartLine::new(2);
    scope(|scope| {
        let senders: Vec<_> = txs
            .into_iter()
            .enumerate()
            .map(|(sender, mut tx)| {
                let (rx, start) = (&rx, &start);
                scope.spawn(move || {
                    affinity::pin(sender);
                    let mut sending = 0;
                    let mut first_wrong = Ok(());
                    for run in 0..runs {
                        start.wait();
                        sending += send_run(&mut tx);
                        start.wait();
                        if run % 2 == sender {
                            let mut rx = rx.lock().map_err(|_| "a thread panicked")?;
                            let drained = drain(&mut *rx, 2 * RUN)
                                .and_then(|(_, sum)| check("sum of messages", 2 * SUM_OF_RUN, sum));
                            first_wrong = first_wrong.and(drained);
                        }
                    }
                    first_wrong.map(|()| sending)
                })
            })
            .collect();
        let mut sending = 0;
        for sender in senders {
            sending += joined(sender)??;
        }
        Ok(Cost::of(sending, 0, 2 * runs * RUN))
    })
}
