//! How owners without a thread of their own end: shutdown, drop and panics, whoever drives them.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use agate::{
    AttachError, Carries, CompletionError, Driver, Handler, Local, Owner, OwnerOptions, Pending,
    Port, Private, Resolver, Scope, SendError, ShutdownError, WaitError,
};

const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });
const DRIVERS: [Driver; 2] = [Driver::Users, Driver::Host];

struct Subject<S: Scope = Local> {
    kept: Vec<Resolver<u32, S>>,
    dropped: Arc<AtomicUsize>,
}

enum Tell<S: Scope = Local> {
    Nothing,
    Answer(Resolver<u32, S>),
    Keep(Resolver<u32, S>),
    Panic(&'static str),
    /// Says that it has begun, and goes on when told.
    Hold(mpsc::Sender<()>, mpsc::Receiver<()>),
}

impl<S: Scope> Handler for Subject<S> {
    type Message = Tell<S>;

    fn handle(&mut self, tell: Tell<S>) {
        match tell {
            Tell::Nothing => {}
            Tell::Answer(asker) => asker.resolve(7),
            Tell::Keep(asker) => self.kept.push(asker),
            Tell::Panic(text) => panic!("{text}"),
            Tell::Hold(begun, go_on) => {
                begun.send(()).unwrap();
                let _ = go_on.recv();
            }
        }
    }
}

impl<S: Scope> Default for Subject<S> {
    fn default() -> Self {
        Self {
            kept: Vec::new(),
            dropped: Arc::default(),
        }
    }
}

impl<S: Scope> Drop for Subject<S> {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

fn options(driver: Driver) -> OwnerOptions {
    OwnerOptions::named("ends").driven_by(driver)
}

fn subject<S>(scope: S, driver: Driver) -> (Owner<Subject<S>, S>, Port<Tell<S>, S>)
where
    S: Carries<Subject<S>> + Carries<Tell<S>>,
{
    let owner = scope
        .owner_from(options(driver), Subject::default())
        .unwrap();
    let port = owner.attach().unwrap();
    (owner, port)
}

/// Holds the owner inside its handler, on a thread of its own, until the sender is dropped or used. The thread gives its
/// port back, so that dropping it ends nothing.
fn hold(owner: &Owner<Subject>) -> (mpsc::Sender<()>, thread::JoinHandle<Port<Tell>>) {
    let (begun, has_begun) = mpsc::channel();
    let (go_on, told) = mpsc::channel();
    let port = owner.attach().unwrap();
    let holder = thread::spawn(move || {
        let _ = port.send_and_help(Tell::Hold(begun, told));
        port
    });
    has_begun.recv_timeout(LONG).unwrap();
    (go_on, holder)
}

fn drains_and_discards<S>(scope: S)
where
    S: Carries<Subject<S>> + Carries<Tell<S>>,
{
    for driver in DRIVERS {
        for (pending, counts) in [(Pending::Drain, (3, 3, 0)), (Pending::Discard, (0, 0, 3))] {
            let (owner, port) = subject(scope, driver);
            (0..3).for_each(|_| drop(port.send(Tell::Nothing)));
            let report = owner.shutdown(pending, LONG).unwrap();
            assert_eq!((report.handled, report.drained, report.discarded), counts);
            assert!(matches!(
                port.send_and_help(Tell::Nothing),
                Err(SendError::Closed(Tell::Nothing))
            ));
            assert_eq!(port.try_clone().err(), Some(AttachError::Closed));
        }
    }
}

#[test]
fn a_shutdown_drains_or_discards_by_itself() {
    drains_and_discards(Private);
    drains_and_discards(Local);
}

#[test]
fn what_the_handler_kept_and_what_was_discarded_is_abandoned() {
    let (owner, port) = subject(Local, Driver::Users);
    let mut kept = port.ask(Tell::Keep).unwrap();
    let (go_on, holder) = hold(&owner);
    let mut waiting = port.ask(Tell::Answer).unwrap();
    let end = thread::spawn(move || owner.shutdown(Pending::Discard, LONG));
    while !port.is_closed() {
        thread::yield_now();
    }
    go_on.send(()).unwrap();
    let report = end.join().unwrap().unwrap();
    holder.join().unwrap();
    assert_eq!((report.handled, report.discarded), (2, 1));
    assert_eq!(kept.poll(), Some(Err(CompletionError::Abandoned)));
    assert_eq!(waiting.poll(), Some(Err(CompletionError::Abandoned)));
}

fn panics<S>(scope: S)
where
    S: Carries<Subject<S>> + Carries<Tell<S>> + Carries<u32>,
{
    for driver in DRIVERS {
        let (owner, port) = subject(scope, driver);
        let mut kept = port.ask(Tell::Keep).unwrap();
        port.send(Tell::Panic("gave up")).unwrap();
        let behind = port.ask(Tell::Answer);
        // Whoever drives does not unwind.
        let _ = owner.pump(10, LONG);
        for completion in [&mut kept, &mut behind.unwrap()] {
            assert_eq!(completion.poll(), Some(Err(CompletionError::OwnerPanicked)));
        }
        assert!(!owner.is_alive());
        assert!(matches!(
            port.send(Tell::Nothing),
            Err(SendError::Closed(Tell::Nothing))
        ));
        assert_eq!(owner.attach().err(), Some(AttachError::Closed));
        assert_eq!((port.help(), owner.pump(10, LONG).handled), (0, 0));
        let error = owner.shutdown(Pending::Drain, LONG).unwrap_err();
        assert_eq!(error.panic_message(), Some("gave up"), "{error:?}");
        let ShutdownError::Panicked { report, .. } = error else {
            panic!("{error}")
        };
        assert_eq!((report.handled, report.discarded), (2, 1));
    }
}

#[test]
fn a_panic_of_the_handler_ends_the_owner_and_not_its_driver() {
    panics(Private);
    panics(Local);
}

#[test]
fn a_user_who_waits_for_an_owner_that_panics_is_told() {
    let (owner, port) = subject(Local, Driver::Users);
    port.send(Tell::Panic("while somebody waits")).unwrap();
    let mut answer = port.ask(Tell::Answer).unwrap();
    assert_eq!(
        answer.wait_timeout(LONG),
        Err(WaitError::Failed(CompletionError::OwnerPanicked))
    );
    drop(port);
    drop(owner);
}

#[test]
fn a_panic_in_the_handlers_drop_comes_out_of_shutdown() {
    struct Drops;
    impl Handler for Drops {
        type Message = ();
        fn handle(&mut self, (): ()) {}
    }
    impl Drop for Drops {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    for driver in DRIVERS {
        let owner = Local.owner_from(options(driver), Drops).unwrap();
        let error = owner.shutdown(Pending::Drain, LONG).unwrap_err();
        assert_eq!(error.panic_message(), Some("in drop"));
    }
}

#[test]
fn an_owner_held_beyond_the_deadline_is_ended_by_who_holds_it() {
    let handler = Subject::<Local>::default();
    let dropped = Arc::clone(&handler.dropped);
    let options = options(Driver::Users).help_at_most(1);
    let owner = Local.owner_from(options, handler).unwrap();
    let port = owner.attach().unwrap();
    let (go_on, holder) = hold(&owner);
    let mut behind = [(); 3].map(|()| port.ask(Tell::Answer).unwrap());
    let deadline = Duration::from_millis(1);
    let error = owner.shutdown(Pending::Drain, deadline).unwrap_err();
    assert!(matches!(error, ShutdownError::TimedOut { deadline: given } if given == deadline));
    assert!(port.is_closed());
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
    go_on.send(()).unwrap();
    let _port = holder.join().unwrap();
    // Whatever its budget, since nobody else may come.
    for answer in &mut behind {
        assert_eq!(answer.poll(), Some(Ok(7)));
    }
    assert_eq!(
        dropped.load(Ordering::Relaxed),
        1,
        "ended by its last holder"
    );
}

#[test]
fn a_shutdown_waits_for_who_holds_it() {
    let (owner, port) = subject(Local, Driver::Users);
    let (go_on, holder) = hold(&owner);
    port.send(Tell::Nothing).unwrap();
    let end = thread::spawn(move || owner.shutdown(Pending::Drain, LONG));
    while !port.is_closed() {
        thread::yield_now();
    }
    go_on.send(()).unwrap();
    let report = end.join().unwrap().unwrap();
    holder.join().unwrap();
    assert_eq!((report.handled, report.drained), (2, 1));
}

#[test]
fn a_thread_that_must_not_wait_shuts_down_what_is_free_only() {
    let (owner, port) = subject(Local, Driver::Users);
    port.send(Tell::Nothing).unwrap();
    let ended = thread::spawn(|| {
        agate::forbid_wait();
        owner.shutdown(Pending::Drain, LONG)
    });
    assert_eq!(ended.join().unwrap().unwrap().handled, 1);

    let (owner, _port) = subject(Local, Driver::Users);
    let (go_on, holder) = hold(&owner);
    let ended = thread::spawn(|| {
        agate::forbid_wait();
        owner.shutdown(Pending::Drain, LONG)
    });
    assert!(matches!(
        ended.join().unwrap(),
        Err(ShutdownError::WouldStall)
    ));
    drop(go_on);
    holder.join().unwrap();
}

#[test]
fn dropping_an_owner_discards_and_does_not_hang() {
    for driver in DRIVERS {
        let (owner, port) = subject(Local, driver);
        let mut kept = port.ask(Tell::Keep).unwrap();
        port.send(Tell::Nothing).unwrap();
        drop(owner);
        assert!(port.is_closed());
        assert_eq!(kept.poll(), Some(Err(CompletionError::Abandoned)));
    }
    // Also while another thread is inside.
    let options = options(Driver::Users).drop_deadline(Duration::from_millis(1));
    let owner = Local
        .owner_from(options, Subject::<Local>::default())
        .unwrap();
    let port = owner.attach().unwrap();
    let (go_on, holder) = hold(&owner);
    let mut behind = port.ask(Tell::Answer).unwrap();
    drop(owner);
    go_on.send(()).unwrap();
    holder.join().unwrap();
    assert_eq!(behind.poll(), Some(Err(CompletionError::Abandoned)));
}

#[test]
fn what_a_panic_carried_and_nobody_takes_ends_quietly() {
    struct Bomb(Arc<AtomicUsize>);
    impl Drop for Bomb {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
            // Which is leaked, and so has no memory.
            panic_any(());
        }
    }
    struct Throws(Arc<AtomicUsize>);
    impl Handler for Throws {
        type Message = (mpsc::Sender<()>, mpsc::Receiver<()>);
        fn handle(&mut self, (begun, go_on): Self::Message) {
            begun.send(()).unwrap();
            let _ = go_on.recv();
            panic_any(Bomb(Arc::clone(&self.0)));
        }
    }
    for given_up_by_shutdown in [false, true] {
        let dropped = Arc::<AtomicUsize>::default();
        let options = options(Driver::Users).drop_deadline(Duration::from_millis(1));
        let owner = Local
            .owner_from(options, Throws(Arc::clone(&dropped)))
            .unwrap();
        let (port, other) = (owner.attach().unwrap(), owner.attach().unwrap());
        let ((begun, has_begun), (go_on, held)) = (mpsc::channel(), mpsc::channel());
        let holder = thread::spawn(move || port.send_and_help((begun, held)).is_ok());
        has_begun.recv().unwrap();
        if given_up_by_shutdown {
            let ended = owner.shutdown(Pending::Drain, Duration::from_millis(1));
            assert!(matches!(ended, Err(ShutdownError::TimedOut { .. })));
        } else {
            drop(owner);
        }
        go_on.send(()).unwrap();
        assert!(holder.join().unwrap(), "the panic ended the owner alone");
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
        // The token was left: whoever drives finds the owner ended.
        assert!(other.is_closed());
        assert_eq!(other.help(), 0);
        assert!(other.send(mpsc::channel()).is_err());
    }
}

#[test]
fn an_answer_given_up_in_order_while_its_driver_unwinds_is_no_panic_of_the_owner() {
    struct GivesUp;
    impl Handler for GivesUp {
        type Message = Option<Resolver<u32>>;
        fn handle(&mut self, asker: Self::Message) {
            drop(asker.expect("a message without an asker is a panic"));
        }
    }
    /// Asks when it is dropped.
    struct Late(Port<Option<Resolver<u32>>>, mpsc::Sender<CompletionError>);
    impl Drop for Late {
        fn drop(&mut self) {
            let mut answer = self.0.ask(Some).unwrap();
            let ended = answer.wait_timeout(LONG);
            if let Err(WaitError::Failed(why)) = ended {
                self.1.send(why).unwrap();
            }
        }
    }
    let owner = Local.owner_from(options(Driver::Users), GivesUp).unwrap();
    let (tell, told) = mpsc::channel();
    let late = Late(owner.attach().unwrap(), tell);
    let unwound = catch_unwind(AssertUnwindSafe(move || {
        let _late = late;
        panic!("a job panics, and asks an owner on its way out");
    }));
    assert!(unwound.is_err());
    assert_eq!(told.try_recv(), Ok(CompletionError::Abandoned));
    assert!(owner.is_alive());
}

#[test]
fn an_owner_can_end_itself() {
    struct Ends(mpsc::Sender<String>);
    impl Handler for Ends {
        type Message = Owner<Ends>;
        fn handle(&mut self, me: Owner<Ends>) {
            let ended = me.shutdown(Pending::Drain, LONG);
            self.0.send(format!("{ended:?}")).unwrap();
        }
    }
    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.send("dropped".to_owned()).unwrap();
        }
    }
    let (tell, told) = mpsc::channel();
    let owner = Local
        .owner_from(options(Driver::Users), Ends(tell))
        .unwrap();
    let port = owner.attach().unwrap();
    port.send_and_help(owner).unwrap();
    let told: Vec<_> = told.try_iter().collect();
    assert_eq!(told, ["Err(OwnThread)", "dropped"]);
    assert!(port.is_closed());
}

#[test]
fn a_port_dropped_by_a_panic_leaves_the_mark() {
    let (owner, other) = subject(Local, Driver::Users);
    let port = owner.attach().unwrap();
    let unwound = catch_unwind(AssertUnwindSafe(move || {
        port.send(Tell::Nothing).unwrap();
        panic!("a job panics with a port in its hands");
    }));
    assert!(unwound.is_err());
    assert_eq!(owner.stats().handled, 0, "a panic does not run the handler");
    other.send(Tell::Nothing).unwrap();
    assert_eq!(owner.stats().handled, 2, "the next send saw the mark");
}

#[test]
fn ends_that_race_with_users_leave_no_completion_open() {
    let rounds = if cfg!(miri) { 6 } else { 300 };
    for round in 0..rounds {
        let options = options(Driver::Users).help_at_most(2);
        let owner = Local
            .owner_from(options, Subject::<Local>::default())
            .unwrap();
        let handle = owner.handle();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let Ok(port) = handle.attach() else { return };
                    while let Ok(mut answer) = port.ask(Tell::Answer) {
                        let answer = answer.wait_timeout(LONG);
                        assert!(
                            matches!(answer, Ok(7) | Err(WaitError::Failed(_))),
                            "{answer:?}"
                        );
                    }
                });
            }
            match round % 3 {
                0 => drop(owner.shutdown(Pending::Discard, LONG).unwrap()),
                1 => drop(owner.shutdown(Pending::Drain, LONG).unwrap()),
                _ => {
                    let port = owner.attach().unwrap();
                    let _ = port.send_and_help(Tell::Panic("in the race"));
                    drop(port);
                    let ended = owner.shutdown(Pending::Drain, LONG);
                    assert!(
                        matches!(ended, Err(ShutdownError::Panicked { .. })),
                        "{ended:?}"
                    );
                }
            }
        });
    }
}
