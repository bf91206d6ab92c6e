//! Batches whose iterator sends through the very sender that takes from it: nothing is lost, nothing waits for ever.

use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use agate::{
    Capacity, Carries, Driver, Handler, Local, Order, OwnerOptions, Private, QueueOptions,
    Receiver, Scope, SendTimeoutError, Sender, TrySendError,
};

/// Much longer than anything here takes.
const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });
/// The largest capacity that is tried.
const MOST: usize = if cfg!(miri) { 3 } else { 5 };
const ORDERS: [Order; 2] = [Order::PerSender, Order::Total];

type Numbers = Vec<u32>;

fn ends<S: Carries<u32>>(
    scope: S,
    capacity: Capacity,
    order: Order,
) -> (Sender<u32, S>, Receiver<u32, S>) {
    let queue = scope
        .queue_with(QueueOptions::new(capacity).order(order))
        .unwrap();
    (
        queue.attach_sender().unwrap(),
        queue.attach_receiver().unwrap(),
    )
}

fn all<S: Scope>(receiver: &mut Receiver<u32, S>) -> Numbers {
    std::iter::from_fn(|| receiver.try_recv().ok()).collect()
}

/// Sends `count` numbers as a batch; before it gives one, the iterator tries to send some of its own. Returns all that
/// were accepted, in order, and how many the batch says it has sent.
fn send<S: Scope>(sender: &Sender<u32, S>, count: u32, own: u32) -> (Numbers, usize, Numbers) {
    let accepted = Cell::new(Numbers::new());
    let note = |number| {
        let mut numbers = accepted.take();
        numbers.push(number);
        accepted.set(numbers);
    };
    let mut given = 0..count;
    let sent = sender.try_send_batch(&mut given.by_ref().inspect(|&number| {
        for own in 0..own {
            let own = 1000 * (number + 1) + own;
            match sender.try_send(own) {
                Ok(()) => note(own),
                Err(refused) => assert_eq!(refused, TrySendError::Full(own)),
            }
        }
        note(number);
    }));
    (accepted.take(), sent.unwrap(), given.collect())
}

fn all_that_was_accepted_arrives_in_order<S: Carries<u32>>(scope: S) {
    for order in ORDERS {
        for capacity in 1..=MOST {
            for own in 0..4 {
                let (sender, mut receiver) = ends(scope, Capacity::bounded(capacity), order);
                // From every place of the ring.
                for _ in 0..2 * capacity {
                    let (accepted, sent, left) = send(&sender, 4, own);
                    assert_eq!(sent + left.len(), 4, "the rest stays in the iterator");
                    assert_eq!(accepted.len(), capacity.min(4 + 4 * own as usize));
                    assert_eq!(all(&mut receiver), accepted);
                    sender.try_send(7).unwrap();
                    assert_eq!(all(&mut receiver), [7]);
                }
            }
        }
    }
}

fn where_there_is_no_bound_everything_is_accepted<S: Carries<u32>>(scope: S) {
    for order in ORDERS {
        let (sender, mut receiver) = ends(scope, Capacity::Unbounded, order);
        // Across several segments.
        let count = if cfg!(miri) { 600 } else { 5000 };
        let (accepted, sent, left) = send(&sender, count, 2);
        assert_eq!((sent, left.len()), (count as usize, 0));
        assert_eq!(accepted.len(), 3 * count as usize);
        assert_eq!(all(&mut receiver), accepted);
    }
}

fn batches_within_batches_lose_nothing<S: Carries<u32>>(scope: S) {
    for order in ORDERS {
        for capacity in 1..=MOST + 2 {
            let (sender, mut receiver) = ends(scope, Capacity::bounded(capacity), order);
            let mut inner = 100..;
            let mut given = 0..8;
            let sent = sender
                .try_send_batch(&mut given.by_ref().inspect(|_| {
                    sender.try_send_batch(&mut inner.by_ref().take(2)).unwrap();
                    sender.try_send_batch(&mut std::iter::empty()).unwrap();
                }))
                .unwrap();
            let arrived = all(&mut receiver);
            assert_eq!(arrived.len(), capacity);
            let (of_inner, of_outer): (Numbers, Numbers) = arrived.iter().partition(|n| **n >= 100);
            assert_eq!(of_outer, (0..given.start).collect::<Numbers>());
            assert_eq!(of_outer.len(), sent);
            assert_eq!(of_inner, (100..inner.start).collect::<Numbers>());
        }
    }
}

fn a_panic_of_the_iterator_gives_the_held_place_back<S: Carries<u32>>(scope: S) {
    for order in ORDERS {
        for own in [false, true] {
            let (sender, mut receiver) = ends(scope, Capacity::bounded(4), order);
            for _ in 0..4 {
                let mut given = (0..8).inspect(|&number| {
                    if own {
                        sender.try_send(1000 + number).unwrap();
                    }
                    assert!(number < 1, "the iterator's own");
                });
                let caught = catch_unwind(AssertUnwindSafe(|| sender.try_send_batch(&mut given)));
                assert!(caught.is_err());
                let before: &[u32] = if own { &[1000, 0, 1001] } else { &[0] };
                let free = 4 - before.len();
                // All four places are there again, and no more.
                assert_eq!(sender.try_send_batch(&mut (10..20)), Ok(free));
                assert_eq!(sender.try_send(9), Err(TrySendError::Full(9)));
                let mut expected = before.to_vec();
                expected.extend((10..).take(free));
                assert_eq!(all(&mut receiver), expected);
            }
        }
    }
}

fn a_wait_within_a_batch_is_refused_at_once<S: Carries<u32>>(scope: S) {
    for order in ORDERS {
        let (sender, mut receiver) = ends(scope, Capacity::bounded(2), order);
        let mut refused = 0;
        let mut given = (0..4).inspect(|&number| {
            if number == 1 {
                // One place is taken, one is held.
                let waited = [sender.wait_send(7), sender.send_timeout(7, LONG)];
                assert_eq!(waited, [Err(SendTimeoutError::WouldStall(7)); 2]);
                refused += 1;
            }
        });
        assert_eq!(sender.try_send_batch(&mut given), Ok(2));
        assert_eq!(refused, 1);
        assert_eq!(all(&mut receiver), [0, 1]);
        // With room it does not wait, so nothing is refused.
        let mut given = (0..1).inspect(|_| sender.wait_send(7).unwrap());
        assert_eq!(sender.try_send_batch(&mut given), Ok(1));
        assert_eq!(all(&mut receiver), [7, 0]);
        // Closed is closed, whoever asks.
        let receiver = Cell::new(Some(receiver));
        let mut given = (0..2).inspect(|_| {
            drop(receiver.take());
            assert_eq!(sender.wait_send(7), Err(SendTimeoutError::Closed(7)));
        });
        assert!(sender.try_send_batch(&mut given).is_ok());
    }
}

/// Makes each a test in both scopes.
macro_rules! in_both_scopes {
    ($($law:ident)*) => {
        mod private {
            $(#[test] fn $law() { super::$law(agate::Private); })*
        }
        mod local {
            $(#[test] fn $law() { super::$law(agate::Local); })*
        }
    };
}

in_both_scopes! {
    all_that_was_accepted_arrives_in_order
    where_there_is_no_bound_everything_is_accepted
    batches_within_batches_lose_nothing
    a_panic_of_the_iterator_gives_the_held_place_back
    a_wait_within_a_batch_is_refused_at_once
}

/// What an iterator knows of its sender when it owns a share of it.
#[test]
fn a_shared_sender_drops_each_message_once() {
    let queue = Private
        .queue_with::<Rc<()>>(QueueOptions::new(Capacity::bounded(3)))
        .unwrap();
    let receiver = queue.attach_receiver().unwrap();
    let sender = Rc::new(queue.attach_sender().unwrap());
    let within = Rc::clone(&sender);
    let message = Rc::new(());
    let mut given = (0..9).map(|_| {
        let _ = within.try_send(Rc::clone(&message));
        Rc::clone(&message)
    });
    // One of its own, one given, and the last place is the batch's.
    assert_eq!(sender.try_send_batch(&mut given), Ok(2));
    assert_eq!(Rc::strong_count(&message), 1 + 3);
    drop(receiver);
    assert_eq!(Rc::strong_count(&message), 1);
}

/// Counts how often it is called.
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn who_waits_within_a_batch_of_another_has_receivers_told() {
    let options = QueueOptions::new(Capacity::bounded(2)).order(Order::Total);
    let queue = Local.queue_with(options).unwrap();
    let (one, other) = (
        queue.attach_sender().unwrap(),
        queue.attach_sender().unwrap(),
    );
    let mut receiver = queue.attach_receiver().unwrap();
    let woken = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let mut next = Box::pin(receiver.recv());
    assert!(next.as_mut().poll(&mut context).is_pending());
    let mut given = (0..2).inspect(|&number| {
        if number == 1 {
            // The batch has put one in, and holds the other place.
            assert_eq!(woken.0.load(Ordering::Relaxed), 0, "it is told at the end");
            let waited = other.send_timeout(7, Duration::ZERO);
            assert_eq!(waited, Err(SendTimeoutError::TimedOut(7)));
            assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        }
    });
    assert_eq!(one.try_send_batch(&mut given), Ok(2));
    assert_eq!(next.as_mut().poll(&mut context), Poll::Ready(Ok(0)));
}

/// Keeps what it gets.
struct Log(Numbers);

enum Entry {
    Number(u32),
    Tell(agate::Resolver<Numbers>),
}

impl Handler for Log {
    type Message = Entry;

    fn handle(&mut self, entry: Entry) {
        match entry {
            Entry::Number(number) => self.0.push(number),
            Entry::Tell(asker) => asker.resolve(self.0.clone()),
        }
    }
}

#[test]
fn a_port_that_sends_within_its_batch_keeps_order_and_loses_nothing() {
    for driver in [Driver::Thread, Driver::Users] {
        let options = OwnerOptions::named("log").driven_by(driver);
        let log = Local.owner_from(options, Log(Vec::new())).unwrap();
        let port = log.attach().unwrap();
        let count = if cfg!(miri) { 400 } else { 3000 };
        let mut given = (0..count).map(|number| {
            port.send(Entry::Number(100_000 + number)).unwrap();
            if number % 100 == 0 {
                port.send_and_help(Entry::Number(200_000)).unwrap();
            }
            Entry::Number(number)
        });
        assert_eq!(port.send_batch(&mut given), Ok(count as usize));
        let told = port.ask(Entry::Tell).unwrap().wait_timeout(LONG).unwrap();
        let mut expected = Vec::new();
        for number in 0..count {
            expected.push(100_000 + number);
            if number % 100 == 0 {
                expected.push(200_000);
            }
            expected.push(number);
        }
        assert_eq!(told, expected);
    }
}
