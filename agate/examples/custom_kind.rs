//! An object kind of one's own: a station at which at most so many observers measure, with the names, limits and
//! teardown that agate's own kinds have.

use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use agate::{AttachError, Handle, Kind, Limits, Local, Place, Role, Scope};

const USERS: usize = 3;

/// The state that all users share.
#[derive(Default)]
struct Station {
    closed: AtomicBool,
    measurements: AtomicU32,
    /// How often the last user left.
    quiet: AtomicU32,
}

/// What attaching gives: the right to measure, given back on drop.
struct Observer(Place<Station>);

impl Kind for Station {
    const NAME: &'static str = "station";
    type User = Observer;

    fn attach(place: Place<Self>) -> Result<Observer, AttachError> {
        if place.closed.load(Ordering::Acquire) {
            return Err(AttachError::Closed); // the place goes back by itself
        }
        Ok(Observer(place))
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    fn vacated(&self, _role: Role) {
        self.quiet.fetch_add(1, Ordering::Relaxed);
    }
}

impl Observer {
    fn measure(&self) -> u32 {
        self.0.measurements.fetch_add(1, Ordering::Relaxed) + 1
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let station: Handle<Station> = Local.install(Limits::none().users(USERS), Station::default());

    // The limit is checked when one attaches, and only then.
    let observers = (0..USERS)
        .map(|_| station.attach())
        .collect::<Result<Vec<_>, _>>()?;
    let refused = station.attach().err();
    let Some(AttachError::LimitReached { role, limit, .. }) = refused else {
        return Err(format!("the limit was not told: {refused:?}").into());
    };
    assert_eq!((role, limit), (Role::User, USERS));

    let threads: Vec<_> = observers
        .into_iter()
        .map(|observer| thread::spawn(move || (0..1_000).map(|_| observer.measure()).max()))
        .collect();
    let mut last = None;
    for thread in threads {
        last = last.max(thread.join().expect("no observer panics"));
    }
    assert_eq!(last, Some(3_000));

    // All have left, so there is room again; and the station was told.
    assert_eq!(station.attached(Role::User), 0);
    let observer = station.attach()?;
    assert!(observer.0.quiet.load(Ordering::Relaxed) >= 1);

    // Closed: nobody new, while those who are attached go on.
    station.close();
    assert_eq!(station.attach().err(), Some(AttachError::Closed));
    assert_eq!(observer.measure(), 3_001);
    println!(
        "{USERS} observers at most, {} measurements, one refusal by limit, one by close",
        observer.measure() - 1
    );
    Ok(())
}
