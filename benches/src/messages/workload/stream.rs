//! Streaming: senders send as fast as they can, one receiver takes everything.

use std::thread::scope;

use crate::clock::{ns_per_tick, ticks};
use crate::messages::message::Message;
use crate::messages::peer::{Peer, Rx, Tx};
use crate::messages::start::StartLine;
use crate::messages::workload::{Pins, check, joined};

/// Nanoseconds for each message, from the start of the last thread to the last message received.
///
/// # Errors
///
/// When what arrived is not what was sent.
pub fn stream<M: Message, P: Peer<M>>(
    senders: usize,
    messages: usize,
    pins: Pins,
) -> Result<f64, String> {
    let (txs, mut rx) = P::open(senders);
    let each = messages / senders;
    let all = each * senders;
    let start = StartLine::new(senders + 1);
    let (ended, count, sum) = scope(|scope| {
        for (sender, mut tx) in txs.into_iter().enumerate() {
            let start = &start;
            scope.spawn(move || {
                pins.sender();
                start.wait();
                tx.send_each((0..each).map(|message| M::new(number(sender, message))));
            });
        }
        joined(scope.spawn(|| {
            pins.receiver();
            start.wait();
            let (mut count, mut sum) = (0, 0_u64);
            while count < all {
                let more = rx.receive(|message| sum = sum.wrapping_add(message.number()));
                if more == 0 {
                    break;
                }
                count += more;
            }
            (ticks(), count, sum)
        }))
    })?;
    check("messages", all as u64, count as u64)?;
    let expected = (0..senders)
        .flat_map(|sender| (0..each).map(move |message| number(sender, message)))
        .fold(0, u64::wrapping_add);
    check("sum of messages", expected, sum)?;
    Ok(ended.wrapping_sub(start.began()) as f64 * ns_per_tick() / all as f64)
}

fn number(sender: usize, message: usize) -> u64 {
    (sender as u64) << 32 | message as u64
}
