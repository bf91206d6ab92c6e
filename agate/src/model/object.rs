//! The counts of an object: places come and go while the last handle goes.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::check;
use crate::attach::{Place, Role};
use crate::error::AttachError;
use crate::handle::{Handle, Limits};
use crate::kind::Kind;

/// Counts its ends, and how often it was told something.
struct Object {
    ends: Arc<AtomicUsize>,
    vacated: Arc<AtomicUsize>,
    /// Read by every `vacated`: loom sees it when the object is freed before or meanwhile.
    alive: AtomicUsize,
}

impl Kind for Object {
    const NAME: &'static str = "object";
    type User = Place<Self>;

    fn attach(place: Place<Self>) -> Result<Self::User, AttachError> {
        Ok(place)
    }

    fn vacated(&self, _: Role) {
        assert_eq!(self.alive.load(Ordering::Relaxed), 1);
        self.vacated.fetch_add(1, Ordering::Relaxed);
    }

    fn unnamed(&self) {
        assert_eq!(self.alive.load(Ordering::Relaxed), 1);
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        self.alive.store(0, Ordering::Relaxed);
        self.ends.fetch_add(1, Ordering::Relaxed);
    }
}

fn object(limits: Limits) -> (Handle<Object>, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let ends = Arc::new(AtomicUsize::new(0));
    let vacated = Arc::new(AtomicUsize::new(0));
    let object = Object {
        ends: Arc::clone(&ends),
        vacated: Arc::clone(&vacated),
        alive: AtomicUsize::new(1),
    };
    (Handle::new(limits, object), ends, vacated)
}

/// Two users attach and detach, each through a handle of its own that it drops while attached: the object ends once,
/// when all are out.
#[test]
fn an_object_ends_once_when_handles_and_places_are_gone() {
    check(3, || {
        let (handle, ends, vacated) = object(Limits::none());
        let users: Vec<_> = (0..2)
            .map(|_| {
                let handle = handle.clone();
                thread::spawn(move || {
                    let place = handle.attach().unwrap();
                    drop(handle);
                    drop(place);
                })
            })
            .collect();
        drop(handle);
        users.into_iter().for_each(|user| user.join().unwrap());
        assert_eq!(ends.load(Ordering::Relaxed), 1);
        assert!((1..=2).contains(&vacated.load(Ordering::Relaxed)));
    });
}

/// A place that is handed on inside the object outlives the handles; the last of a role tells the object.
#[test]
fn places_keep_an_object_without_handles() {
    check(3, || {
        let (handle, ends, vacated) = object(Limits::none());
        let place = handle.attach().unwrap();
        let other = {
            let place = place.another().unwrap();
            thread::spawn(move || drop(place))
        };
        drop(handle);
        assert_eq!(ends.load(Ordering::Relaxed), 0);
        drop(place);
        other.join().unwrap();
        assert_eq!(
            (
                ends.load(Ordering::Relaxed),
                vacated.load(Ordering::Relaxed)
            ),
            (1, 1)
        );
    });
}

/// With one place for two users, never are both in.
#[test]
fn a_limit_of_one_lets_one_in() {
    check(3, || {
        let (handle, ..) = object(Limits::none().users(1));
        let inside = Arc::new(AtomicUsize::new(0));
        let users: Vec<_> = (0..2)
            .map(|_| {
                let (handle, inside) = (handle.clone(), Arc::clone(&inside));
                thread::spawn(move || {
                    if let Ok(place) = handle.attach() {
                        assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                        inside.fetch_sub(1, Ordering::Relaxed);
                        drop(place);
                        return true;
                    }
                    false
                })
            })
            .collect();
        let let_in = users.into_iter().map(|user| user.join().unwrap());
        assert!(let_in.fold(false, |any, one| any | one));
    });
}
