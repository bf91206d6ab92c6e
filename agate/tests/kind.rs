//! What an object kind of one's own is told, through the public API.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use agate::{
    AttachError, BlockOptions, BlockPool, Capacity, Driver, Handle, Handler, Inbox, Kind, Limits,
    Local, Order, OwnerOptions, Place, Queue, QueueOptions, Role, Scope, Stream, TryRecvError,
};

/// A latch that users hold, and what its kind was told.
struct Latch {
    closed: AtomicBool,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    vacated: AtomicUsize,
    unnamed: AtomicUsize,
    dropped: AtomicUsize,
}

#[derive(Debug)]
struct Held(Place<Latch>);

impl Kind for Latch {
    const NAME: &'static str = "latch";
    type User = Held;

    fn attach(place: Place<Self>) -> Result<Held, AttachError> {
        if place.closed.load(Ordering::Acquire) {
            Err(AttachError::Closed)
        } else {
            Ok(Held(place))
        }
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    fn vacated(&self, role: Role) {
        assert_eq!(role, Role::User);
        self.log.vacated.fetch_add(1, Ordering::Relaxed);
    }

    fn unnamed(&self) {
        self.log.unnamed.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Latch {
    fn drop(&mut self) {
        self.log.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

fn latch(users: usize) -> (Handle<Latch>, Arc<Log>) {
    let log = Arc::<Log>::default();
    let latch = Latch {
        closed: AtomicBool::new(false),
        log: Arc::clone(&log),
    };
    (Local.install(Limits::none().users(users), latch), log)
}

/// Which limit was reached.
fn full(error: Option<AttachError>) -> Option<(Role, usize)> {
    match error {
        Some(AttachError::LimitReached { role, limit, .. }) => Some((role, limit)),
        _ => None,
    }
}

#[test]
fn a_kind_is_told_when_nobody_is_left_and_when_it_has_no_name() {
    let (latch, log) = latch(3);
    let held: Vec<Held> = (0..3).map(|_| latch.attach().unwrap()).collect();
    assert_eq!(full(latch.attach().err()), Some((Role::User, 3)));
    let mut held = held.into_iter();
    assert_eq!(held.next().map(|held| held.0.role()), Some(Role::User));
    assert_eq!(latch.attached(Role::User), 2);
    drop((latch.clone(), held.next()));
    assert_eq!(latch.attached(Role::User), 1);
    assert_eq!(
        (
            log.vacated.load(Ordering::Relaxed),
            log.unnamed.load(Ordering::Relaxed)
        ),
        (0, 0)
    );
    drop(latch);
    assert_eq!(
        (
            log.unnamed.load(Ordering::Relaxed),
            log.dropped.load(Ordering::Relaxed)
        ),
        (1, 0)
    );
    drop(held);
    assert_eq!(
        (
            log.vacated.load(Ordering::Relaxed),
            log.dropped.load(Ordering::Relaxed)
        ),
        (1, 1)
    );
}

#[test]
fn a_kind_that_refuses_gets_its_place_back() {
    let (latch, _log) = latch(1);
    latch.close();
    assert_eq!(latch.attach().err(), Some(AttachError::Closed));
    assert_eq!(latch.attached(Role::User), 0);
    let place = latch.place(Role::User).unwrap();
    assert_eq!(full(place.another().err()), Some((Role::User, 1)));
}

/// Written once for every scope and kind.
fn attach_and_count<S: Scope, K: Kind<S>>(object: &Handle<K, S>) -> Result<usize, AttachError> {
    let _user = object.attach()?;
    Ok(object.attached(K::ROLE))
}

#[test]
fn code_can_be_generic_over_kind_and_scope() {
    let queue = Local
        .queue::<u8>(Limits::senders(1), Capacity::Unbounded)
        .unwrap();
    assert_eq!(attach_and_count(&queue), Ok(1));
    assert_eq!(attach_and_count(&latch(1).0), Ok(1));
}

/// Attaching with a place of each other role is refused, and the place goes back.
fn refuses_other_roles<K: Kind>(object: &Handle<K>) {
    for given in [Role::Receiver, Role::User] {
        let refused = K::attach(object.place(given).unwrap()).err();
        let wrong = AttachError::WrongRole {
            wanted: Role::Sender,
            given,
        };
        assert_eq!(refused, Some(wrong), "{}", K::NAME);
        assert_eq!(object.attached(given), 0);
    }
}

#[test]
fn a_place_of_one_role_attaches_nobody_in_another() {
    struct Sink;
    impl Handler for Sink {
        type Message = u8;
        fn handle(&mut self, _: u8) {}
    }

    let queue: Handle<Queue<u8>> = Local
        .queue(Limits::senders(1), Capacity::bounded(4))
        .unwrap();
    let one = queue.attach_sender().unwrap();
    refuses_other_roles(&queue);
    // So the limit holds, and with the one sender all are gone.
    drop(one);
    let mut receiver = queue.attach_receiver().unwrap();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    let total = QueueOptions::new(Capacity::bounded(4)).order(Order::Total);
    refuses_other_roles(&Local.queue_with::<u8>(total).unwrap());
    let pool = BlockPool::new(BlockOptions {
        block_bytes: 64,
        max_blocks: 1,
    });
    let stream: Handle<Stream> = Local.stream(Limits::none(), &pool.unwrap());
    refuses_other_roles(&stream);
    let options = OwnerOptions::named("sink").driven_by(Driver::Users);
    let owner = Local.owner_from(options, Sink).unwrap();
    let inbox: Handle<Inbox<u8>> = owner.handle();
    refuses_other_roles(&inbox);
    assert_eq!(
        Kind::attach(inbox.place(Role::User).unwrap())
            .unwrap_err()
            .to_string(),
        "a user's place makes no sender: take one of role sender"
    );
}

#[test]
fn nobody_can_tell_a_queue_what_is_not_so() {
    for order in [Order::PerSender, Order::Total] {
        let options = QueueOptions::new(Capacity::bounded(4)).order(order);
        let limits = Limits::none().receivers(2);
        let queue = Local.queue_with::<u8>(options.limits(limits)).unwrap();
        let place = queue.place(Role::User).unwrap();
        let mut receiver = queue.attach_receiver().unwrap();
        Kind::unnamed(&*place);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty), "{order:?}");
        // Had that been the last one, it would have closed the queue.
        drop((order == Order::Total).then(|| queue.attach_receiver().unwrap()));
        let sender = queue.attach_sender().unwrap();
        sender.try_send(1).unwrap();
        for role in [Role::Sender, Role::Receiver, Role::User] {
            Kind::vacated(&*place, role);
        }
        assert_eq!(sender.try_send(2), Ok(()), "{order:?}");
        assert_eq!((receiver.try_recv(), receiver.try_recv()), (Ok(1), Ok(2)));
    }
}
