//! Stream senders that wait for a block, and what a stream tells about itself.

use std::thread;
use std::time::{Duration, Instant};

use agate::{
    BlockOptions, BlockPool, Closed, Handle, Limits, Local, Private, RecvError, Role, Scope,
    Stream, StreamSender, StreamTimeoutError, forbid_wait,
};

/// Much longer than anything here takes.
const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });
/// As long as a block takes.
const WHOLE: usize = 56;

fn stream<S: Scope>(scope: S, max_blocks: usize) -> (BlockPool<S>, Handle<Stream<S>, S>) {
    let pool = scope
        .block_pool(BlockOptions {
            block_bytes: 64,
            max_blocks,
        })
        .unwrap();
    let stream = scope.stream(Limits::senders(4), &pool);
    (pool, stream)
}

/// A sender whose pool has no block left.
fn stuck(stream: &Handle<Stream>, blocks: u8) -> StreamSender {
    let mut sender = stream.attach_sender().unwrap();
    for number in 0..blocks {
        sender.try_send(&[number; WHOLE]).unwrap();
    }
    sender
}

#[test]
fn all_that_waited_arrives_in_order() {
    let count = if cfg!(miri) { 40 } else { 5000_u32 };
    for blocks in [2, 3, 8] {
        let (pool, stream) = stream(Local, blocks);
        let mut receiver = stream.attach_receiver().unwrap();
        let senders: Vec<_> = (0..2_u32)
            .map(|which| {
                let mut sender = stream.attach_sender().unwrap();
                thread::spawn(move || {
                    for number in 0..count {
                        let mut message = which.to_le_bytes().to_vec();
                        message.extend(number.to_le_bytes());
                        message.resize(8 + (number % 40) as usize, 0);
                        match number % 3 {
                            0 => sender.wait_send(&message).unwrap(),
                            1 => sender.send_timeout(&message, LONG).unwrap(),
                            _ => sender.send_until(&message, Instant::now() + LONG).unwrap(),
                        }
                        // A block that is kept half full keeps the other sender waiting.
                        sender.flush().unwrap();
                    }
                })
            })
            .collect();
        drop(stream);
        let mut next = [0, 0];
        let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
        loop {
            match receiver.recv_timeout(LONG) {
                Ok(message) => {
                    let which = word(&message[..4]) as usize;
                    assert_eq!(word(&message[4..8]), next[which]);
                    assert_eq!(message.len(), 8 + (next[which] % 40) as usize);
                    next[which] += 1;
                }
                Err(error) => {
                    assert_eq!(error, RecvError::Disconnected);
                    break;
                }
            }
        }
        assert_eq!(next, [count; 2]);
        senders
            .into_iter()
            .for_each(|sender| sender.join().unwrap());
        drop(receiver);
        assert_eq!(pool.stats().in_use, 0);
        assert!(pool.stats().allocated <= blocks);
    }
}

#[test]
fn a_time_out_writes_nothing() {
    let (_pool, stream) = stream(Local, 1);
    let mut receiver = stream.attach_receiver().unwrap();
    let mut sender = stuck(&stream, 1);
    let timed_out = Err(StreamTimeoutError::TimedOut);
    assert_eq!(sender.send_timeout(&[7; 8], Duration::ZERO), timed_out);
    assert_eq!(
        sender.send_timeout(&[7; 8], Duration::from_millis(5)),
        timed_out
    );
    assert_eq!(sender.send_until(&[7; 8], Instant::now()), timed_out);
    // The block was sent before it waited.
    assert_eq!(receiver.try_recv(), Ok(&[0; WHOLE][..]));
    assert!(receiver.try_recv().is_err(), "the block goes back");
    sender.send_until(&[8; 8], Instant::now()).unwrap();
    sender.flush().unwrap();
    assert_eq!(receiver.try_recv(), Ok(&[8; 8][..]));
}

#[test]
fn what_does_not_fit_is_refused_at_once() {
    let (_pool, stream) = stream(Local, 1);
    let mut sender = stream.attach_sender().unwrap();
    let refused = Err(StreamTimeoutError::TooLong { bytes: 57, max: 56 });
    assert_eq!(sender.wait_send(&[0; 57]), refused);
    assert_eq!(sender.send_timeout(&[0; 57], LONG), refused);
}

/// How often what races is tried.
const ROUNDS: u32 = if cfg!(miri) { 2 } else { 60 };

/// Has this sender wait, and then `act`: before it waits, while it spins, when it sleeps. Returns how the wait ended.
fn waited(
    round: u32,
    mut sender: StreamSender,
    act: impl FnOnce(),
) -> (Result<(), StreamTimeoutError>, StreamSender) {
    let (begun, beginning) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            begun.send(()).unwrap();
            (sender.send_timeout(&[7; 8], LONG), sender)
        });
        beginning.recv_timeout(LONG).unwrap();
        (0..round * round * if cfg!(miri) { 1 } else { 10 }).for_each(|_| std::hint::spin_loop());
        act();
        waiting.join().unwrap()
    })
}

#[test]
fn whoever_gives_a_block_back_or_ends_the_stream_wakes_the_sender() {
    let closed = Err(StreamTimeoutError::Closed);
    for round in 0..ROUNDS {
        let (_pool, one) = stream(Local, 1);
        let sender = stuck(&one, 1);
        assert_eq!(waited(round, sender, || one.close()).0, closed);

        // What brings a block back.
        let (_pool, one) = stream(Local, 1);
        let receiver = one.attach_receiver().unwrap();
        let sender = stuck(&one, 1);
        let (sent, mut sender) = waited(round, sender, || drop(receiver));
        // It may get a block that the receiver has dropped just now, as the last one.
        if sent != closed {
            assert_eq!((sent, sender.flush()), (Ok(()), Err(Closed)));
        }

        // What does not: the block is somebody else's.
        let (pool, one) = stream(Local, 1);
        let _block = pool.try_take().unwrap();
        let receiver = one.attach_receiver().unwrap();
        let sender = one.attach_sender().unwrap();
        assert_eq!(waited(round, sender, || drop(receiver)).0, closed);

        // A block that no stream knows of.
        let (pool, one) = stream(Local, 1);
        let block = pool.try_take().unwrap();
        let sender = one.attach_sender().unwrap();
        assert_eq!(waited(round, sender, || drop(block)).0, Ok(()));

        // Nobody is left who could receive.
        let (_pool, one) = stream(Local, 1);
        let sender = stuck(&one, 1);
        assert_eq!(waited(round, sender, || drop(one)).0, closed);
    }
}

#[test]
fn who_must_not_park_is_told() {
    let (_pool, local) = stream(Local, 1);
    let mut sender = stuck(&local, 1);
    let refused = thread::spawn(move || {
        forbid_wait();
        sender.wait_send(&[7; 8])
    });
    assert_eq!(refused.join().unwrap(), Err(StreamTimeoutError::WouldStall));

    let (_pool, private) = stream(Private, 1);
    let mut sender = private.attach_sender().unwrap();
    let mut receiver = private.attach_receiver().unwrap();
    sender.wait_send(&[1; WHOLE]).unwrap();
    let stalls = Err(StreamTimeoutError::WouldStall);
    assert_eq!(sender.wait_send(&[2; WHOLE]), stalls);
    assert_eq!(sender.send_timeout(&[2; WHOLE], LONG), stalls);
    assert_eq!(receiver.try_recv(), Ok(&[1; WHOLE][..]));
    assert!(receiver.try_recv().is_err());
    sender.wait_send(&[2; WHOLE]).unwrap();
}

#[test]
fn a_stream_tells_what_waits_and_who_is_attached() {
    let (pool, stream) = stream(Local, 3);
    let mut sender = stream.attach_sender().unwrap();
    for number in 0..2 {
        sender.try_send(&[number; 40]).unwrap();
    }
    let seen = stream.inspect();
    assert_eq!((seen.kind, seen.limits.of(Role::Sender)), ("stream", 4));
    assert_eq!((seen.senders, seen.receivers, seen.closed), (1, 0, false));
    // The second block is the sender's still.
    assert_eq!((seen.sent, seen.received, seen.waiting), (1, 0, 1));
    assert_eq!((seen.waiting_bytes, seen.capacity_bytes), (64, 3 * 64));
    assert_eq!((seen.max_blocks, seen.blocks), (3, pool.stats()));
    assert_eq!(seen.blocks.in_use, 2);
    let mut receiver = stream.attach_receiver().unwrap();
    receiver.try_recv().unwrap();
    let seen = stream.inspect();
    assert_eq!((seen.receivers, seen.received, seen.waiting), (1, 1, 0));
    assert_eq!((seen.waiting_bytes, seen.wakes), (0, 0));
    assert!(receiver.try_recv().is_err());
    assert_eq!(stream.inspect().blocks.in_use, 1, "one came back");
    drop(receiver);
    let seen = stream.inspect();
    assert_eq!((seen.receivers, seen.closed), (0, true));
}

#[test]
fn nobody_waits_for_a_block_where_no_receiver_may_come() {
    let options = BlockOptions {
        block_bytes: 64,
        max_blocks: 1,
    };
    let pool = BlockPool::new(options).unwrap();
    let stream = Local.stream(Limits::none().receivers(0), &pool);
    let mut sender = stuck(&stream, 1);
    assert_eq!(
        sender.wait_send(&[1; WHOLE]),
        Err(StreamTimeoutError::Closed)
    );
}
