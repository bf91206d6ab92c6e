//! Completion ports: what arrives, in which order, and that nothing is lost or leaked when either side goes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use agate::{
    Cancel, CompletionError, CompletionPool, CompletionPort, NextError, Resolver, completion,
};

const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });

/// A pair whose answer arrives at the port.
fn watched<T: Send + 'static>(port: &CompletionPort<T>, key: u64) -> Resolver<T> {
    let (resolver, completion) = completion();
    port.watch(completion, key);
    resolver
}

fn keys<T: Send + 'static>(port: &mut CompletionPort<T>) -> Vec<u64> {
    port.drain().map(|arrival| arrival.key).collect()
}

#[test]
fn answers_arrive_in_the_order_of_their_resolution() {
    let mut port = CompletionPort::new();
    let pool = CompletionPool::new();
    let resolvers: Vec<_> = (0..6)
        .map(|key| {
            let (resolver, answer) = if key % 2 == 0 {
                pool.pair()
            } else {
                completion()
            };
            answer.post_to(&port, key);
            resolver
        })
        .collect();
    let mut resolvers = resolvers.into_iter().map(Some).collect::<Vec<_>>();
    let mut resolve = |key: usize| resolvers[key].take().unwrap().resolve(10 * key);
    assert!(port.try_next().is_none());
    [3, 1, 4].into_iter().for_each(&mut resolve);
    let first = port.try_next().unwrap();
    assert_eq!((first.key, first.outcome), (3, Ok(30)));
    // What comes later comes behind what was taken off already.
    [0, 5].into_iter().for_each(&mut resolve);
    assert_eq!(port.watched(), 5);
    assert_eq!(keys(&mut port), [1, 4, 0, 5]);
    resolve(2);
    assert_eq!(port.wait_next().unwrap().outcome, Ok(20));
    assert_eq!(port.watched(), 0);
}

#[test]
fn what_is_done_already_arrives_at_once() {
    let mut port = CompletionPort::new();
    let (resolver, answer) = completion();
    resolver.resolve(1);
    port.watch(answer, 1);

    let (resolver, answer) = completion::<u32>();
    drop(resolver);
    port.watch(answer, 2);

    let (resolver, mut answer) = completion();
    resolver.resolve(3);
    assert_eq!(answer.poll(), Some(Ok(3)));
    port.watch(answer, 3);

    let (_resolver, mut answer) = completion();
    assert_eq!(answer.cancel(), Cancel::Cancelled);
    port.watch(answer, 4);

    // Polled as a future before, so that a waker was found by the resolver.
    let (resolver, mut answer) = completion();
    let context = &mut Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut answer).poll(context).is_pending());
    resolver.resolve(5);
    port.watch(answer, 5);

    let arrived: Vec<_> = port
        .drain()
        .map(|arrival| (arrival.key, arrival.outcome))
        .collect();
    let errors = [
        CompletionError::Abandoned,
        CompletionError::AlreadyTaken,
        CompletionError::Cancelled,
    ];
    let [two, three, four] = errors.map(Err);
    assert_eq!(
        arrived,
        [(1, Ok(1)), (2, two), (3, three), (4, four), (5, Ok(5))]
    );
}

#[test]
fn a_wait_ends_when_something_arrives() {
    let mut port = CompletionPort::new();
    let resolver = watched(&port, 7);
    let waited = port.next_timeout(Duration::ZERO);
    assert_eq!(waited.unwrap_err(), NextError::TimedOut);
    let waited = port.next_timeout(Duration::from_millis(2));
    assert_eq!(waited.unwrap_err(), NextError::TimedOut);
    let resolving = thread::spawn(move || resolver.resolve("done"));
    let arrival = port.next_timeout(LONG).unwrap();
    assert_eq!((arrival.key, arrival.outcome), (7, Ok("done")));
    resolving.join().unwrap();
}

#[test]
fn a_wait_for_nothing_does_not_hang() {
    let mut port = CompletionPort::<u32>::new();
    assert_eq!(port.wait_next().unwrap_err(), NextError::Idle);
    assert_eq!(port.next_timeout(LONG).unwrap_err(), NextError::Idle);
    let resolver = watched(&port, 1);
    drop(resolver);
    let arrival = port.wait_next().unwrap();
    assert_eq!(arrival.outcome, Err(CompletionError::Abandoned));
    assert_eq!(port.wait_next().unwrap_err(), NextError::Idle);
}

#[test]
fn a_forbidden_wait_takes_what_is_there_and_refuses_the_rest() {
    thread::spawn(|| {
        agate::forbid_wait();
        let mut port = CompletionPort::new();
        let resolver = watched(&port, 1);
        assert_eq!(port.next_timeout(LONG).unwrap_err(), NextError::WouldStall);
        assert_eq!(port.wait_next().unwrap_err(), NextError::WouldStall);
        resolver.resolve(1);
        assert_eq!(port.wait_next().unwrap().outcome, Ok(1));
    })
    .join()
    .unwrap();
}

#[test]
fn a_full_port_gives_the_completion_back() {
    let mut port = CompletionPort::with_limit(2);
    let [one, two, three] = [1, 2, 3].map(|key| {
        let (resolver, answer) = completion();
        (resolver, port.try_watch(answer, key))
    });
    assert!(one.1.is_ok() && two.1.is_ok());
    let mut refused = three.1.unwrap_err().into_completion();
    one.0.resolve(1);
    let (_, another) = completion();
    assert!(
        port.try_watch(another, 4).is_err(),
        "what arrived and was not taken counts"
    );
    assert_eq!(port.try_next().unwrap().key, 1);
    three.0.resolve(3);
    assert_eq!(refused.poll(), Some(Ok(3)), "what was refused is as it was");
    let (four, answer) = completion();
    port.try_watch(answer, 4).unwrap();
    two.0.resolve(2);
    four.resolve(4);
    assert_eq!(keys(&mut port), [2, 4]);
}

#[test]
fn a_dropped_port_drops_what_arrived_and_refuses_the_rest() {
    let value = Arc::new(());
    let mut port = CompletionPort::new();
    let resolvers = [1, 2, 3, 4].map(|key| watched(&port, key));
    let [one, two, three, four] = resolvers;
    one.resolve(Arc::clone(&value));
    two.resolve(Arc::clone(&value));
    // One of these was taken off and not yielded, one still stands on the list.
    drop(port.try_next());
    three.resolve(Arc::clone(&value));
    assert_eq!(Arc::strong_count(&value), 3);
    assert!(four.is_wanted());
    drop(port);
    assert_eq!(Arc::strong_count(&value), 1);
    assert!(!four.is_wanted());
    let back = four.try_resolve(Arc::clone(&value));
    assert_eq!(back, Err(Arc::clone(&value)));
    drop(back);
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn a_dropped_port_gives_the_slots_back() {
    let pool = CompletionPool::with_limit(2).unwrap();
    let port = CompletionPort::new();
    let [one, two] = [1, 2].map(|key| {
        let (resolver, answer) = pool.try_pair().unwrap();
        port.watch(answer, key);
        resolver
    });
    one.resolve(1);
    assert!(pool.try_pair().is_err());
    drop(port);
    let pair = pool.try_pair().unwrap();
    assert!(pool.try_pair().is_err());
    two.resolve(2);
    let other = pool.try_pair().unwrap();
    drop((pair, other));
}

#[test]
fn a_panic_in_one_drop_does_not_keep_the_others() {
    struct Panics(#[allow(dead_code, reason = "counted")] Arc<()>, bool);
    impl Drop for Panics {
        fn drop(&mut self) {
            assert!(!self.1, "in the drop");
        }
    }
    let value = Arc::new(());
    let port = CompletionPort::new();
    for key in 0..3 {
        watched(&port, key).resolve(Panics(Arc::clone(&value), key == 0));
    }
    drop(port);
    assert_eq!(Arc::strong_count(&value), 1);
}

/// Many threads resolve what one port watches, on slots that come again and again; each thread's answers keep their
/// order.
#[test]
fn nothing_is_lost_or_doubled_under_load() {
    let (threads, rounds) = if cfg!(miri) { (2, 20) } else { (4, 20_000) };
    let pool = CompletionPool::new();
    let mut port = CompletionPort::with_limit(64);
    let value = Arc::new(());
    thread::scope(|scope| {
        let senders: Vec<_> = (0..threads)
            .map(|_| {
                let (send, receive) = std::sync::mpsc::channel::<Resolver<(u64, Arc<()>)>>();
                let value = &value;
                scope.spawn(move || {
                    for (n, resolver) in receive.into_iter().enumerate() {
                        resolver.resolve((n as u64, Arc::clone(value)));
                    }
                });
                send
            })
            .collect();
        let mut next = vec![0; threads];
        let mut arrived = |arrival: agate::Arrival<(u64, Arc<()>)>| {
            let next = &mut next[usize::try_from(arrival.key).unwrap()];
            assert_eq!(arrival.outcome.unwrap().0, *next);
            *next += 1;
        };
        for _ in 0..rounds {
            for (key, send) in senders.iter().enumerate() {
                let (resolver, mut answer) = pool.pair();
                while let Err(full) = port.try_watch(answer, key as u64) {
                    answer = full.into_completion();
                    arrived(port.wait_next().unwrap());
                }
                send.send(resolver).unwrap();
            }
        }
        while let Ok(arrival) = port.wait_next() {
            arrived(arrival);
        }
        assert_eq!(next, vec![rounds; threads]);
    });
    assert_eq!(Arc::strong_count(&value), 1);
}

/// Ports come and go while their answers arrive.
#[test]
fn ports_that_go_leave_nothing_behind() {
    let rounds = if cfg!(miri) { 20 } else { 5_000 };
    let (pool, value) = (CompletionPool::new(), Arc::new(()));
    let (send, receive) = std::sync::mpsc::sync_channel::<Resolver<Arc<()>>>(4);
    thread::scope(|scope| {
        let (value, pool) = (&value, &pool);
        scope.spawn(move || {
            for resolver in receive {
                drop(resolver.try_resolve(Arc::clone(value)));
            }
        });
        for round in 0..rounds {
            let mut port = CompletionPort::new();
            for key in 0..4 {
                let (resolver, answer) = pool.pair();
                port.watch(answer, key);
                send.send(resolver).unwrap();
            }
            if round % 2 == 0 {
                drop(port.wait_next());
            }
        }
        drop(send);
    });
    assert_eq!(Arc::strong_count(&value), 1);
}
