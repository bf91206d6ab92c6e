//! Receiving by await: nothing lost, nothing delivered twice, one wake for a burst, also when futures are dropped.

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use agate::{
    BlockOptions, BlockPool, Capacity, Handle, Limits, Local, Private, Queue, RecvError, Scope,
};

const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });

/// Wakes a thread, and counts how often.
struct Count {
    thread: Thread,
    wakes: AtomicUsize,
}

impl Count {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            thread: thread::current(),
            wakes: AtomicUsize::new(0),
        })
    }

    fn wakes(&self) -> usize {
        self.wakes.load(Ordering::SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// Polls until it is ready; parks in between, so that a wake that is lost is seen.
fn block_on<F: Future>(future: F) -> F::Output {
    let count = Count::new();
    let waker = Waker::from(Arc::clone(&count));
    let mut future = pin!(future);
    loop {
        let seen = count.wakes();
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        // Parking may end early, by the unpark of a wake that was seen before.
        let deadline = Instant::now() + LONG;
        while count.wakes() == seen {
            assert!(Instant::now() < deadline, "not woken in time");
            thread::park_timeout(LONG);
        }
    }
}

fn poll_once<F: Future + Unpin>(future: &mut F, count: &Arc<Count>) -> Poll<F::Output> {
    let waker = Waker::from(Arc::clone(count));
    std::pin::Pin::new(future).poll(&mut Context::from_waker(&waker))
}

fn unbounded<T: Send + 'static>() -> Handle<Queue<T>> {
    Local.queue(Limits::default(), Capacity::Unbounded).unwrap()
}

#[test]
fn all_arrives_in_order_and_then_the_end() {
    const EACH: u32 = if cfg!(miri) { 30 } else { 30_000 };
    let queue = unbounded();
    let mut receiver = queue.attach_receiver().unwrap();
    let senders: Vec<_> = (0..2_usize)
        .map(|which| {
            let sender = queue.attach_sender().unwrap();
            thread::spawn(move || {
                for n in 0..EACH {
                    sender.send((which, n)).unwrap();
                    if n % 8 == 0 {
                        thread::yield_now();
                    }
                }
            })
        })
        .collect();
    drop(queue);
    let mut next = [0, 0];
    let end = block_on(async {
        loop {
            match receiver.recv().await {
                Ok((which, n)) => {
                    assert_eq!(n, next[which]);
                    next[which] += 1;
                }
                Err(error) => return error,
            }
        }
    });
    assert_eq!((next, end), ([EACH; 2], RecvError::Disconnected));
    senders
        .into_iter()
        .for_each(|sender| sender.join().unwrap());
}

#[test]
fn a_future_that_is_dropped_takes_nothing() {
    let queue = unbounded();
    let sender = queue.attach_sender().unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    let gone = Count::new();
    for n in 0..3 {
        assert!(poll_once(&mut receiver.recv(), &gone).is_pending());
        assert_eq!(Arc::strong_count(&gone), 1, "its waker is dropped too");
        sender.send(n).unwrap();
        // Polled with a message there, but not to the end.
        drop(receiver.recv());
        assert_eq!(block_on(receiver.recv()), Ok(n));
    }
    assert_eq!(gone.wakes(), 0);
}

#[test]
fn a_burst_wakes_once() {
    let queue = unbounded();
    let sender = queue.attach_sender().unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    let count = Count::new();
    for round in 1..=3 {
        let mut next = receiver.recv();
        assert!(poll_once(&mut next, &count).is_pending());
        (0..1_000).for_each(|n| sender.send(n).unwrap());
        assert_eq!(count.wakes(), round);
        assert_eq!(poll_once(&mut next, &count), Poll::Ready(Ok(0)));
        drop(next);
        assert_eq!(receiver.drain().count() + receiver.drain().count(), 512);
        while receiver.try_recv().is_ok() {}
    }
}

#[test]
fn the_last_waker_counts() {
    let queue = unbounded();
    let sender = queue.attach_sender().unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    let (first, second) = (Count::new(), Count::new());
    let mut next = receiver.recv();
    assert!(poll_once(&mut next, &first).is_pending());
    assert!(poll_once(&mut next, &second).is_pending());
    sender.send(1).unwrap();
    assert_eq!((first.wakes(), second.wakes()), (0, 1));
    assert_eq!(poll_once(&mut next, &second), Poll::Ready(Ok(1)));
}

#[test]
fn every_end_wakes() {
    let ends: [fn(&Handle<Queue<u8>>); 3] = [
        |queue| drop(queue.attach_sender().unwrap()),
        |queue| queue.attach_sender().unwrap().send(1).unwrap(),
        Handle::close,
    ];
    for end in ends {
        let queue = unbounded();
        let mut receiver = queue.attach_receiver().unwrap();
        let count = Count::new();
        let mut next = receiver.recv();
        assert!(poll_once(&mut next, &count).is_pending());
        end(&queue);
        assert_eq!(count.wakes(), 1);
        assert!(poll_once(&mut next, &count).is_ready());
    }
    let queue = unbounded::<u8>();
    let mut receiver = queue.attach_receiver().unwrap();
    let count = Count::new();
    let mut next = receiver.recv();
    assert!(poll_once(&mut next, &count).is_pending());
    drop(queue);
    assert_eq!(count.wakes(), 1, "nobody can attach a sender any more");
    assert_eq!(
        poll_once(&mut next, &count),
        Poll::Ready(Err(RecvError::Disconnected))
    );
}

#[test]
fn a_detached_receiver_leaves_no_waker() {
    let queue = unbounded();
    let sender = queue.attach_sender().unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    let count = Count::new();
    let mut next = receiver.recv();
    assert!(poll_once(&mut next, &count).is_pending());
    std::mem::forget(next);
    receiver.detach();
    assert_eq!(Arc::strong_count(&count), 1);
    sender.send(7).unwrap();
    assert_eq!(count.wakes(), 0);
    assert_eq!(
        block_on(queue.attach_receiver().unwrap().recv()),
        Ok(7),
        "the next one goes on"
    );
}

/// A panic in a waker must not end the thread that sends.
#[test]
fn a_waker_that_panics_is_the_receivers_problem() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker that panics");
        }
    }
    let queue = unbounded();
    let sender = queue.attach_sender().unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    let waker = Waker::from(Arc::new(Panics));
    let mut next = pin!(receiver.recv());
    let mut context = Context::from_waker(&waker);
    assert!(next.as_mut().poll(&mut context).is_pending());
    assert_eq!(sender.send(1), Ok(()));
    assert_eq!(next.as_mut().poll(&mut context), Poll::Ready(Ok(1)));
}

/// Two tasks of one thread: one sends while the other waits.
#[test]
fn tasks_of_one_thread_wake_each_other() {
    let queue = Private
        .queue(Limits::default(), Capacity::Unbounded)
        .unwrap();
    let sender = queue.attach_sender().unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    let count = Count::new();
    let mut next = receiver.recv();
    assert!(poll_once(&mut next, &count).is_pending());
    (0..10).for_each(|n| sender.send(Rc::new(n)).unwrap());
    assert_eq!(count.wakes(), 1);
    assert_eq!(poll_once(&mut next, &count), Poll::Ready(Ok(Rc::new(0))));
    drop(next);
    assert_eq!(receiver.drain().count(), 9);
    let mut next = receiver.recv();
    assert!(poll_once(&mut next, &count).is_pending());
    queue.close();
    assert_eq!(count.wakes(), 2);
    assert_eq!(
        poll_once(&mut next, &count),
        Poll::Ready(Err(RecvError::Disconnected))
    );
}

#[test]
fn streams_can_be_awaited() {
    let pool = BlockPool::new(BlockOptions {
        block_bytes: 256,
        max_blocks: 64,
    })
    .unwrap();
    let stream = Local.stream(Limits::default(), &pool);
    let mut receiver = stream.attach_receiver().unwrap();
    let mut sender = stream.attach_sender().unwrap();
    let sending = thread::spawn(move || {
        for n in 0..100_u32 {
            sender.try_send(&n.to_le_bytes()).unwrap();
            if n % 10 == 0 {
                sender.flush().unwrap();
            }
        }
    });
    block_on(async {
        for n in 0..100_u32 {
            assert_eq!(receiver.recv().await.unwrap(), n.to_le_bytes());
        }
        assert_eq!(receiver.recv().await, Err(RecvError::Disconnected));
    });
    sending.join().unwrap();
}

#[cfg(feature = "futures")]
#[test]
fn a_receiver_is_a_stream() {
    use futures::StreamExt;

    let queue = unbounded();
    let receiver = queue.attach_receiver().unwrap();
    let sender = queue.attach_sender().unwrap();
    let sending = thread::spawn(move || (0..100).for_each(|n| sender.send(n).unwrap()));
    let numbers = futures::executor::block_on(receiver.take(200).collect::<Vec<i32>>());
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    sending.join().unwrap();
}
