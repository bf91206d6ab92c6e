//! What an object kind of one's own is told, through the public API.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use agate::{AttachError, Handle, Kind, Limits, Local, Place, Role, Scope};

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
        .queue::<u8>(Limits::senders(1), agate::Capacity::Unbounded)
        .unwrap();
    assert_eq!(attach_and_count(&queue), Ok(1));
    assert_eq!(attach_and_count(&latch(1).0), Ok(1));
}
