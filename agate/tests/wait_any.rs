//! Waiting for several things at once.

use std::thread;
use std::time::Duration;

use agate::{
    BlockOptions, BlockPool, Capacity, Handle, Limits, Local, Private, Queue, Receiver, Scope,
    TryRecvError, WaitAnyError, Waitable, completion, forbid_wait, wait_any,
};

const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });

fn unbounded<T: Send + 'static>() -> Handle<Queue<T>> {
    Local.queue(Limits::default(), Capacity::Unbounded).unwrap()
}

/// Takes all that is there; whether the queue has ended.
fn take_all(receiver: &mut Receiver<u64>, sum: &mut u64) -> bool {
    loop {
        match receiver.try_recv() {
            Ok(n) => *sum += n,
            Err(TryRecvError::Empty) => return false,
            Err(TryRecvError::Disconnected) => return true,
        }
    }
}

#[test]
fn nothing_is_missed_among_several() {
    const EACH: u64 = if cfg!(miri) { 20 } else { 20_000 };
    let queues = [unbounded(), unbounded(), unbounded()];
    let mut receivers: Vec<_> = queues
        .iter()
        .map(|queue| queue.attach_receiver().unwrap())
        .collect();
    let senders: Vec<_> = queues
        .iter()
        .map(|queue| {
            let sender = queue.attach_sender().unwrap();
            thread::spawn(move || {
                for n in 1..=EACH {
                    sender.send(n).unwrap();
                    if n % 4 == 0 {
                        thread::yield_now();
                    }
                }
            })
        })
        .collect();
    drop(queues);
    let mut sum = 0;
    while !receivers.is_empty() {
        let mut items: Vec<&mut dyn Waitable> = Vec::new();
        items.extend(receivers.iter_mut().map(|receiver| receiver as _));
        let index = wait_any(&mut items, LONG).unwrap();
        if take_all(&mut receivers[index], &mut sum) {
            receivers.remove(index);
        }
    }
    assert_eq!(sum, 3 * EACH * (EACH + 1) / 2);
    senders
        .into_iter()
        .for_each(|sender| sender.join().unwrap());
}

#[test]
fn each_kind_wakes() {
    let queue = unbounded();
    let pool = BlockPool::new(BlockOptions {
        block_bytes: 64,
        max_blocks: 4,
    })
    .unwrap();
    let stream = Local.stream(Limits::default(), &pool);
    let (resolver, mut answer) = completion::<u32>();
    let mut messages = queue.attach_receiver().unwrap();
    let mut bytes = stream.attach_receiver().unwrap();
    let sender = queue.attach_sender().unwrap();
    let mut writer = stream.attach_sender().unwrap();
    // What comes next is not done before the last was found.
    let next = unbounded();
    let (go, mut next) = (
        next.attach_sender().unwrap(),
        next.attach_receiver().unwrap(),
    );
    let other = thread::spawn(move || {
        sender.send(1).unwrap();
        next.recv_timeout(LONG).unwrap();
        writer.try_send(b"two").unwrap();
        writer.flush().unwrap();
        next.recv_timeout(LONG).unwrap();
        resolver.resolve(3);
        next.recv_timeout(LONG).unwrap();
        drop(sender);
        next.recv_timeout(LONG).unwrap();
    });
    for expected in 0..4 {
        let ready = if expected < 3 {
            wait_any(&mut [&mut messages, &mut bytes, &mut answer], LONG)
        } else {
            assert!(answer.is_ready(), "an answer that was taken is no wait");
            wait_any(&mut [&mut messages, &mut bytes], LONG)
        };
        assert_eq!(ready, Ok(expected % 3));
        match expected {
            0 => assert_eq!(messages.try_recv(), Ok(1)),
            1 => assert_eq!(bytes.try_recv().unwrap(), b"two"),
            2 => assert_eq!(answer.poll(), Some(Ok(3))),
            _ => assert_eq!(messages.try_recv(), Err(TryRecvError::Disconnected)),
        }
        go.send(()).unwrap();
    }
    other.join().unwrap();
}

#[test]
fn what_is_always_ready_does_not_starve_the_rest() {
    let queues = [unbounded(), unbounded(), unbounded(), unbounded::<u8>()];
    let mut receivers = queues
        .each_ref()
        .map(|queue| queue.attach_receiver().unwrap());
    // The last is empty.
    for queue in &queues[..3] {
        queue
            .attach_sender()
            .unwrap()
            .try_send_batch(&mut (0..100))
            .unwrap();
    }
    let keep = queues[3].attach_sender().unwrap();
    let mut times = [0; 4];
    for _ in 0..30 {
        let [a, b, c, d] = &mut receivers;
        let index = wait_any(&mut [a, b, c, d], LONG).unwrap();
        times[index] += 1;
    }
    drop(keep);
    assert_eq!(times, [10, 10, 10, 0]);
}

#[test]
fn when_nothing_comes() {
    let queue = unbounded();
    let mut receiver = queue.attach_receiver().unwrap();
    let (resolver, mut answer) = completion::<u8>();
    assert_eq!(wait_any(&mut [], LONG), Err(WaitAnyError::Nothing));
    for time in [Duration::ZERO, Duration::from_millis(2)] {
        assert_eq!(
            wait_any(&mut [&mut receiver, &mut answer], time),
            Err(WaitAnyError::TimedOut)
        );
    }
    // Whoever gave up can be waited for again, and can wait in other ways.
    let sender = queue.attach_sender().unwrap();
    let other = thread::spawn(move || {
        sender.send(1).unwrap();
        resolver.resolve(2);
    });
    assert_eq!(receiver.recv_timeout(LONG), Ok(1));
    assert_eq!(answer.wait_timeout(LONG), Ok(2));
    other.join().unwrap();
}

#[test]
fn who_must_not_park_does_not() {
    thread::spawn(|| {
        forbid_wait();
        let queue = unbounded();
        let mut receiver = queue.attach_receiver().unwrap();
        assert_eq!(
            wait_any(&mut [&mut receiver], LONG),
            Err(WaitAnyError::WouldStall)
        );
        queue.attach_sender().unwrap().send(1).unwrap();
        assert_eq!(wait_any(&mut [&mut receiver], LONG), Ok(0), "it is there");
    })
    .join()
    .unwrap();
}

#[test]
fn one_thread_alone_waits_only_beside_others() {
    let own = Private
        .queue::<u8>(Limits::default(), Capacity::Unbounded)
        .unwrap();
    let _sender = own.attach_sender().unwrap();
    let mut own = own.attach_receiver().unwrap();
    assert_eq!(
        wait_any(&mut [&mut own], LONG),
        Err(WaitAnyError::WouldStall)
    );
    let (resolver, mut answer) = completion::<u8>();
    let other = thread::spawn(move || resolver.resolve(1));
    assert_eq!(wait_any(&mut [&mut own, &mut answer], LONG), Ok(1));
    other.join().unwrap();
}

#[test]
fn what_a_forgotten_drain_has_taken_is_no_news() {
    let queue = Local
        .queue(Limits::default(), Capacity::bounded(2))
        .unwrap();
    let sender = queue.attach_sender().unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    sender.try_send(1).unwrap();
    let mut drain = receiver.drain();
    assert_eq!(drain.next(), Some(1));
    std::mem::forget(drain);
    let waited = wait_any(&mut [&mut receiver], Duration::ZERO);
    assert!(waited.is_err(), "{waited:?}");
    sender.try_send(2).unwrap();
    assert_eq!(wait_any(&mut [&mut receiver], Duration::ZERO).ok(), Some(0));
    assert_eq!(receiver.try_recv(), Ok(2));
}
