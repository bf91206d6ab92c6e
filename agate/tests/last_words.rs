//! What a sender sends last: it comes before the end, however close the two are. `laws` says the same of every lane.

use std::hint::spin_loop;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use agate::{
    BlockOptions, BlockPool, Capacity, Limits, Local, Order, QueueOptions, Receiver, RecvError,
    Scope, TryRecvError,
};

/// Much longer than anything here takes.
const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });
/// Of which some show the fault, if it is there: about one in five where one thread is free for each side.
const ROUNDS: u32 = if cfg!(miri) { 20 } else { 2_000 };

/// Looks until something comes, or the end.
fn look<T>(mut try_recv: impl FnMut() -> Result<T, TryRecvError>) -> Result<T, TryRecvError> {
    for look in 1.. {
        match try_recv() {
            Err(TryRecvError::Empty) if look % 64 == 0 => thread::yield_now(),
            Err(TryRecvError::Empty) => spin_loop(),
            ended => return ended,
        }
    }
    Err(TryRecvError::Empty)
}

/// Each round somebody attaches, sends one message and leaves, on another thread, while this one receives.
fn one_message_each(order: Order, receive: fn(&mut Receiver<u32>) -> Option<u32>) {
    let options = QueueOptions::new(Capacity::bounded(4)).order(order);
    let queue = Local.queue_with::<u32>(options).unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    let (give, given) = mpsc::channel::<agate::Sender<u32>>();
    let leaver = thread::spawn(move || {
        for (number, sender) in (0..).zip(given) {
            sender.try_send(number).unwrap();
            drop(sender);
        }
    });
    for number in 0..ROUNDS {
        give.send(queue.attach_sender().unwrap()).unwrap();
        assert_eq!(receive(&mut receiver), Some(number), "{order:?}");
        // Until the sender is gone, so that the next one is the only one.
        assert_eq!(receiver.wait_recv(), Err(RecvError::Disconnected));
    }
    drop(give);
    leaver.join().unwrap();
}

#[test]
fn who_looks_again_and_again_gets_it() {
    for order in [Order::PerSender, Order::Total] {
        one_message_each(order, |receiver| look(|| receiver.try_recv()).ok());
    }
}

#[test]
fn who_waits_gets_it() {
    for order in [Order::PerSender, Order::Total] {
        one_message_each(order, |receiver| receiver.wait_recv().ok());
        one_message_each(order, |receiver| receiver.recv_timeout(LONG).ok());
    }
}

#[test]
fn who_awaits_it_gets_it() {
    for order in [Order::PerSender, Order::Total] {
        one_message_each(order, |receiver| {
            futures::executor::block_on(receiver.recv()).ok()
        });
    }
}

#[test]
fn who_reads_a_stream_gets_what_its_last_block_holds() {
    let pool = BlockPool::new(BlockOptions {
        block_bytes: 64,
        max_blocks: 2,
    });
    let stream = Local.stream(Limits::default(), &pool.unwrap());
    let mut receiver = stream.attach_receiver().unwrap();
    let (give, given) = mpsc::channel::<agate::StreamSender>();
    let leaver = thread::spawn(move || {
        for (number, mut sender) in (0_u32..).zip(given) {
            // It is published when the sender goes.
            sender.try_send(&number.to_le_bytes()).unwrap();
            drop(sender);
        }
    });
    for number in 0..ROUNDS {
        give.send(stream.attach_sender().unwrap()).unwrap();
        let got = look(|| receiver.try_recv().map(<[u8]>::to_vec));
        assert_eq!(got, Ok(number.to_le_bytes().to_vec()));
        assert_eq!(receiver.wait_recv(), Err(RecvError::Disconnected));
    }
    drop(give);
    leaver.join().unwrap();
}
