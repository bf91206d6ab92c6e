//! The behaviour of streams, through the public API.

use std::thread;
use std::time::Duration;

use agate::{
    AttachError, BlockOptions, BlockPool, Closed, Handle, Limits, Local, RecvError, Role, Scope,
    Stream, StreamError, TryRecvError,
};

const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });

fn stream(block_bytes: usize, max_blocks: usize) -> (BlockPool, Handle<Stream>) {
    let pool = BlockPool::new(BlockOptions {
        block_bytes,
        max_blocks,
    })
    .unwrap();
    let stream = Local.stream(Limits::senders(4), &pool);
    (pool, stream)
}

fn message(seed: usize, bytes: usize) -> Vec<u8> {
    (0..bytes)
        .map(|n| (seed.wrapping_mul(31) + n) as u8)
        .collect()
}

/// Which limit was reached.
fn full(error: Option<AttachError>) -> Option<(Role, usize)> {
    match error {
        Some(AttachError::LimitReached { role, limit, .. }) => Some((role, limit)),
        _ => None,
    }
}

#[test]
fn messages_of_every_length_arrive_whole_and_in_order() {
    let (pool, stream) = stream(256, 64);
    let (mut sender, mut receiver) = (
        stream.attach_sender().unwrap(),
        stream.attach_receiver().unwrap(),
    );
    for bytes in 0..=248 {
        sender.try_send(&message(bytes, bytes)).unwrap();
        if bytes % 20 == 0 {
            sender.flush().unwrap();
            while let Ok(got) = receiver.try_recv() {
                assert_eq!(got, message(got.len(), got.len()));
            }
        }
    }
    sender.flush().unwrap();
    let mut last = 0;
    while let Ok(got) = receiver.try_recv() {
        assert_eq!(got, message(got.len(), got.len()));
        last = got.len();
    }
    assert_eq!(last, 248);
    drop(receiver);
    drop(sender);
    assert_eq!(pool.stats().in_use, 0);
}

#[test]
fn nothing_is_seen_before_it_is_flushed_or_its_block_is_full() {
    let (_pool, stream) = stream(64, 8);
    let (mut sender, mut receiver) = (
        stream.attach_sender().unwrap(),
        stream.attach_receiver().unwrap(),
    );
    sender.try_send(b"first").unwrap();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    sender.try_send(&[0; 50]).unwrap();
    assert_eq!(
        receiver.try_recv(),
        Ok(&b"first"[..]),
        "the second did not fit, so the first's block was sent"
    );
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    sender.flush().unwrap();
    assert_eq!(receiver.try_recv(), Ok(&[0; 50][..]));
}

#[test]
fn a_reservation_that_is_dropped_sends_nothing() {
    let (_pool, stream) = stream(64, 8);
    let (mut sender, mut receiver) = (
        stream.attach_sender().unwrap(),
        stream.attach_receiver().unwrap(),
    );
    sender.reserve(8).unwrap().append(b"dropped");
    let mut kept = sender.reserve(4).unwrap();
    assert_eq!(kept.append(b"to"), 2);
    assert_eq!((kept.append(b"o long"), kept.room()), (2, 0));
    kept.commit();
    sender.flush().unwrap();
    assert_eq!(receiver.try_recv(), Ok(&b"too "[..]));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn what_does_not_fit_is_refused_and_can_be_tried_again() {
    let (pool, stream) = stream(64, 1);
    let (mut sender, mut receiver) = (
        stream.attach_sender().unwrap(),
        stream.attach_receiver().unwrap(),
    );
    assert!(matches!(
        sender.try_send(&[0; 57]),
        Err(StreamError::TooLong { bytes: 57, max: 56 })
    ));
    sender.try_send(&[1; 56]).unwrap();
    assert!(matches!(
        sender.try_send(&[2; 1]),
        Err(StreamError::OutOfBlocks(_))
    ));
    assert_eq!(
        receiver.try_recv(),
        Ok(&[1; 56][..]),
        "what was written is sent, so that its block comes back"
    );
    assert!(matches!(
        sender.try_send(&[2; 1]),
        Err(StreamError::OutOfBlocks(_))
    ));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(pool.stats().in_use, 0);
    sender.try_send(&[2; 1]).unwrap();
    sender.flush().unwrap();
    assert_eq!(receiver.recv_timeout(LONG), Ok(&[2; 1][..]));
    assert_eq!(
        receiver.recv_timeout(Duration::ZERO),
        Err(RecvError::TimedOut)
    );
}

#[test]
fn limits_and_ends_are_seen_from_both_sides() {
    let (_pool, stream) = stream(64, 8);
    let senders: Vec<_> = (0..4).map(|_| stream.attach_sender().unwrap()).collect();
    let limit = Some((Role::Sender, 4));
    assert_eq!(full(stream.attach_sender().err()), limit);
    assert_eq!(full(senders[0].try_clone().err()), limit);
    drop(senders);

    let mut receiver = stream.attach_receiver().unwrap();
    assert_eq!(receiver.wait_recv(), Err(RecvError::Disconnected));
    let mut sender = stream.attach_sender().unwrap();
    sender.try_send(b"kept").unwrap();
    drop(receiver);
    assert_eq!(sender.flush(), Err(Closed));
    assert_eq!(sender.try_send(b"refused"), Err(StreamError::Closed));
    assert_eq!(stream.attach_sender().err(), Some(AttachError::Closed));
}

#[test]
fn a_receiver_that_nobody_can_reach_does_not_wait() {
    let (_pool, stream) = stream(64, 8);
    let mut receiver = stream.attach_receiver().unwrap();
    drop(stream);
    assert_eq!(receiver.wait_recv(), Err(RecvError::Disconnected));
}

#[test]
fn many_senders_on_many_threads() {
    let each = if cfg!(miri) { 30 } else { 20_000 };
    let (pool, stream) = stream(512, 32);
    let mut receiver = stream.attach_receiver().unwrap();
    let workers: Vec<_> = (0..4_u8)
        .map(|id| {
            let mut sender = stream.attach_sender().unwrap();
            thread::spawn(move || {
                for n in 0..each {
                    let mut text = message(n, n % 100);
                    text.push(id);
                    while sender.try_send(&text).is_err() {
                        thread::yield_now();
                    }
                }
            })
        })
        .collect();
    let mut next = [0; 4];
    while let Ok(got) = receiver.recv_timeout(LONG) {
        let (id, text) = got.split_last().unwrap();
        let n = &mut next[usize::from(*id)];
        assert_eq!(text, message(*n, *n % 100));
        *n += 1;
    }
    workers
        .into_iter()
        .for_each(|worker| worker.join().unwrap());
    assert_eq!(next, [each; 4]);
    drop(receiver);
    assert_eq!(pool.stats().in_use, 0);
}
