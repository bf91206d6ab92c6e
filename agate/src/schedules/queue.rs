//! Bounded queues: senders that wait for room, and receivers that leave.

use shuttle::thread;

use super::load::{EACH, Ledger, Message};
use super::{LONG, run};
use crate::error::SendTimeoutError;
use crate::handle::Handle;
use crate::queue::{Capacity, Order, Queue, QueueOptions};
use crate::scope::{Local, Scope};

const SENDERS: usize = 3;

fn queue(order: Order) -> Handle<Queue<Message>> {
    let options = QueueOptions::new(Capacity::bounded(1)).order(order);
    Local.queue_with(options).unwrap()
}

/// Sends and waits for room until all is sent or nobody receives any more.
fn senders(queue: &Handle<Queue<Message>>, ledger: &Ledger) -> Vec<thread::JoinHandle<()>> {
    (0..SENDERS)
        .map(|user| {
            let sender = queue.attach_sender().unwrap();
            let ledger = ledger.clone();
            thread::spawn(move || {
                for number in EACH * user..EACH * (user + 1) {
                    ledger.accept(number);
                    match sender.send_timeout(ledger.message(number), LONG) {
                        Ok(()) | Err(SendTimeoutError::Closed(_)) => {}
                        Err(error) => panic!("neither sent nor refused: {error}"),
                    }
                }
            })
        })
        .collect()
}

#[test]
fn senders_that_wait_for_room_all_get_through() {
    for order in [Order::PerSender, Order::Total] {
        run(move || {
            let ledger = Ledger::new(EACH * SENDERS);
            let queue = queue(order);
            let mut receiver = queue.attach_receiver().unwrap();
            let senders = senders(&queue, &ledger);
            let mut last = [None; SENDERS];
            while let Ok(message) = receiver.wait_recv() {
                message.handle();
                let last = &mut last[message.number / EACH];
                assert!(last.is_none_or(|last| last < message.number));
                *last = Some(message.number);
            }
            senders
                .into_iter()
                .for_each(|sender| sender.join().unwrap());
            assert_eq!(ledger.handled(), (EACH * SENDERS) as u64);
            drop((receiver, queue));
            ledger.settle();
        });
    }
}

#[test]
fn a_receiver_that_leaves_lets_waiting_senders_go() {
    for order in [Order::PerSender, Order::Total] {
        run(move || {
            let ledger = Ledger::new(EACH * SENDERS);
            let queue = queue(order);
            let mut receiver = queue.attach_receiver().unwrap();
            let senders = senders(&queue, &ledger);
            for _ in 0..EACH {
                receiver.wait_recv().unwrap().handle();
            }
            drop(receiver);
            senders
                .into_iter()
                .for_each(|sender| sender.join().unwrap());
            assert_eq!(ledger.handled(), EACH as u64);
            drop(queue);
            ledger.settle();
        });
    }
}
