//! The behaviour of owners, through the public API.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use agate::{
    AttachError, CompletionError, CompletionPool, Handler, Limits, Local, OwnerOptions, Pending,
    Port, Resolver, Role, Scope, SendError, ShutdownError, WaitError, WaitMode,
};

const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });

/// Which limit was reached.
fn full(error: Option<AttachError>) -> Option<(Role, usize)> {
    match error {
        Some(AttachError::LimitReached { role, limit, .. }) => Some((role, limit)),
        _ => None,
    }
}

#[derive(Default)]
struct Counter {
    total: u64,
    kept: Vec<Resolver<u64>>,
    batches: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Count {
    Add(u64),
    Total(Resolver<u64>),
    Keep(Resolver<u64>),
    /// Says that it has begun, and goes on when told.
    Hold(mpsc::Sender<()>, mpsc::Receiver<()>),
    Panic(&'static str),
}

impl Handler for Counter {
    type Message = Count;

    fn handle(&mut self, message: Count) {
        match message {
            Count::Add(n) => self.total += n,
            Count::Total(asker) => asker.resolve(self.total),
            Count::Keep(asker) => self.kept.push(asker),
            Count::Hold(begun, go_on) => {
                begun.send(()).unwrap();
                let _ = go_on.recv();
            }
            Count::Panic(text) => panic!("{text}"),
        }
    }

    fn batch_end(&mut self) {
        self.batches.fetch_add(1, Ordering::Relaxed);
    }
}

/// Holds the owner inside its handler until the result is dropped or used.
fn hold(port: &Port<Count>) -> mpsc::Sender<()> {
    let (begun, has_begun) = mpsc::channel();
    let (go_on, told) = mpsc::channel();
    port.send(Count::Hold(begun, told)).unwrap();
    has_begun.recv_timeout(LONG).unwrap();
    go_on
}

#[test]
fn messages_of_one_port_are_handled_in_order() {
    let owner = Local.owner("counter", Counter::default()).unwrap();
    let port = owner.attach().unwrap();
    let mut sum = 0;
    for n in 0..100 {
        port.send(Count::Add(n)).unwrap();
        sum += n;
        assert_eq!(port.ask(Count::Total).unwrap().wait_timeout(LONG), Ok(sum));
    }
    let report = owner.shutdown(Pending::Drain, LONG).unwrap();
    assert_eq!((report.handled, report.discarded), (200, 0));
}

#[test]
fn the_handler_lives_and_dies_on_the_named_thread_of_its_owner() {
    struct Place(mpsc::Sender<(Option<String>, thread::ThreadId)>);
    impl Drop for Place {
        fn drop(&mut self) {
            self.0.send((None, thread::current().id())).unwrap();
        }
    }
    impl Handler for Place {
        type Message = ();
        fn handle(&mut self, (): ()) {
            let thread = thread::current();
            self.0
                .send((thread.name().map(String::from), thread.id()))
                .unwrap();
        }
    }
    let (tell, told) = mpsc::channel();
    let hook = tell.clone();
    let options = OwnerOptions::named("place")
        .on_start(move || hook.send((None, thread::current().id())).unwrap());
    let owner = Local.owner_with(options, move || Place(tell)).unwrap();
    let id = owner.thread_id().unwrap();
    owner.attach().unwrap().send(()).unwrap();
    owner.shutdown(Pending::Drain, LONG).unwrap();
    let seen: Vec<_> = told.iter().collect();
    assert_eq!(
        seen,
        [(None, id), (Some("place".to_owned()), id), (None, id)]
    );
    assert_ne!(id, thread::current().id());
}

#[test]
fn a_batch_ends_before_the_owner_waits() {
    let batches = Arc::new(AtomicU64::new(0));
    let owner = Local
        .owner(
            "batches",
            Counter {
                batches: Arc::clone(&batches),
                ..Counter::default()
            },
        )
        .unwrap();
    let port = owner.attach().unwrap();
    let go_on = hold(&port);
    (0..100).for_each(|n| port.send(Count::Add(n)).unwrap());
    go_on.send(()).unwrap();
    let report = owner.shutdown(Pending::Drain, LONG).unwrap();
    assert_eq!(report.handled, 101);
    let batches = batches.load(Ordering::Relaxed);
    assert!(
        (1..=2).contains(&batches),
        "a hundred waiting messages are one batch, not {batches}"
    );
}

#[test]
fn the_limit_counts_attached_ports() {
    let options = OwnerOptions::named("limited").limits(Limits::senders(1));
    let owner = Local.owner_with(options, Counter::default).unwrap();
    let port = owner.attach().unwrap();
    let limit = Some((Role::Sender, 1));
    assert_eq!(full(owner.handle().attach().err()), limit);
    assert_eq!(full(port.try_clone().err()), limit);
    drop(port);
    assert!(owner.attach().is_ok());
}

#[test]
fn draining_handles_what_was_sent_and_refuses_the_rest() {
    let owner = Local.owner("drained", Counter::default()).unwrap();
    let port = owner.attach().unwrap();
    let mut total = port.ask(Count::Total).unwrap();
    let go_on = hold(&port);
    port.send(Count::Add(1)).unwrap();
    let mut last = port.ask(Count::Total).unwrap();
    owner.handle().close();
    assert!(!owner.is_alive());
    assert!(matches!(
        port.send(Count::Add(2)),
        Err(SendError::Closed(Count::Add(2)))
    ));
    assert_eq!(owner.attach().err(), Some(AttachError::Closed));
    go_on.send(()).unwrap();
    let report = owner.shutdown(Pending::Drain, LONG).unwrap();
    assert_eq!((report.handled, report.discarded), (4, 0));
    assert_eq!(report.drained, 2);
    assert_eq!((total.poll(), last.poll()), (Some(Ok(0)), Some(Ok(1))));
}

#[test]
fn discarding_abandons_what_was_sent() {
    let owner = Local.owner("discarded", Counter::default()).unwrap();
    let port = owner.attach().unwrap();
    let mut kept = port.ask(Count::Keep).unwrap();
    let go_on = hold(&port);
    let mut waiting = port.ask(Count::Total).unwrap();
    let end = thread::spawn(move || owner.shutdown(Pending::Discard, LONG).unwrap());
    while !port.is_closed() {
        thread::yield_now();
    }
    go_on.send(()).unwrap();
    let report = end.join().unwrap();
    assert_eq!(
        (report.handled, report.drained, report.discarded),
        (2, 0, 1)
    );
    assert_eq!(waiting.poll(), Some(Err(CompletionError::Abandoned)));
    assert_eq!(kept.poll(), Some(Err(CompletionError::Abandoned)));
}

#[test]
fn a_panic_resolves_everything_and_comes_out_of_shutdown() {
    let owner = Local.owner("panics", Counter::default()).unwrap();
    let port = owner.attach().unwrap();
    let kept = port.ask(Count::Keep).unwrap();
    let go_on = hold(&port);
    port.send(Count::Panic("handler gave up")).unwrap();
    let behind = port.ask(Count::Total).unwrap();
    go_on.send(()).unwrap();
    for mut completion in [kept, behind] {
        assert_eq!(
            completion.wait_timeout(LONG),
            Err(WaitError::Failed(CompletionError::OwnerPanicked))
        );
    }
    assert!(!owner.is_alive());
    assert!(matches!(
        port.send(Count::Add(7)),
        Err(SendError::Closed(Count::Add(7)))
    ));
    assert_eq!(port.try_clone().err(), Some(AttachError::Closed));
    let error = owner.shutdown(Pending::Drain, LONG).unwrap_err();
    assert_eq!(error.panic_message(), Some("handler gave up"), "{error:?}");
    let ShutdownError::Panicked { payload, report } = error else {
        panic!("{error}")
    };
    assert_eq!(
        payload.downcast_ref::<String>().map(String::as_str),
        Some("handler gave up")
    );
    assert_eq!((report.handled, report.discarded), (3, 1));
}

#[test]
fn a_resolver_in_the_message_that_panics_says_so() {
    struct Asked;
    impl Handler for Asked {
        type Message = Resolver<u32>;
        fn handle(&mut self, _asker: Resolver<u32>) {
            panic!("while answering");
        }
    }
    let owner = Local.owner("asked", Asked).unwrap();
    let mut answer = owner.attach().unwrap().ask(|asker| asker).unwrap();
    assert_eq!(
        answer.wait_timeout(LONG),
        Err(WaitError::Failed(CompletionError::OwnerPanicked))
    );
    assert!(matches!(
        owner.shutdown(Pending::Drain, LONG),
        Err(ShutdownError::Panicked { .. })
    ));
}

#[test]
fn a_panic_on_start_or_in_drop_closes_the_owner_too() {
    let owner = Local
        .owner_with(OwnerOptions::named("start"), || -> Counter {
            panic!("no start")
        })
        .unwrap();
    let error = owner.shutdown(Pending::Drain, LONG).unwrap_err();
    assert_eq!(error.panic_message(), Some("no start"));

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
    let owner = Local.owner("drops", Drops).unwrap();
    let error = owner.shutdown(Pending::Drain, LONG).unwrap_err();
    assert_eq!(error.panic_message(), Some("in drop"));
}

#[test]
fn an_owner_that_is_busy_at_the_deadline_is_left_alone() {
    let owner = Local.owner("busy", Counter::default()).unwrap();
    let port = owner.attach().unwrap();
    let go_on = hold(&port);
    let mut behind = port.ask(Count::Total).unwrap();
    let deadline = Duration::from_millis(1);
    let error = owner.shutdown(Pending::Drain, deadline).unwrap_err();
    assert!(matches!(error, ShutdownError::TimedOut { deadline: given } if given == deadline));
    assert!(port.is_closed());
    go_on.send(()).unwrap();
    assert_eq!(
        behind.wait_timeout(LONG),
        Ok(0),
        "it still does what it was told"
    );
}

#[test]
fn dropping_an_owner_discards_and_does_not_hang() {
    let options = OwnerOptions::named("dropped").drop_deadline(Duration::from_millis(1));
    let owner = Local.owner_with(options, Counter::default).unwrap();
    let port = owner.attach().unwrap();
    let go_on = hold(&port);
    let mut behind = port.ask(Count::Total).unwrap();
    drop(owner);
    assert!(port.is_closed());
    go_on.send(()).unwrap();
    assert_eq!(
        behind.wait_timeout(LONG),
        Err(WaitError::Failed(CompletionError::Abandoned))
    );
}

#[test]
fn an_owner_can_end_itself() {
    struct Ends(Option<agate::Owner<Ends>>, mpsc::Sender<Result<(), String>>);
    impl Handler for Ends {
        type Message = agate::Owner<Ends>;
        fn handle(&mut self, me: agate::Owner<Ends>) {
            let ended = me.shutdown(Pending::Drain, LONG);
            self.1
                .send(ended.map(drop).map_err(|error| format!("{error:?}")))
                .unwrap();
            assert!(self.0.is_none());
        }
    }
    let (tell, told) = mpsc::channel();
    let owner = Local
        .owner_with(OwnerOptions::named("self"), || Ends(None, tell))
        .unwrap();
    let port = owner.attach().unwrap();
    port.send(owner).unwrap();
    assert_eq!(
        told.recv_timeout(LONG).unwrap(),
        Err("OwnThread".to_owned())
    );
    assert!(
        told.recv_timeout(LONG).is_err(),
        "the handler, which held the other end, was dropped"
    );
    assert!(port.is_closed());
}

#[test]
fn shutdown_on_a_thread_that_must_not_wait_returns_at_once() {
    let owner = Local.owner("asked by a job", Counter::default()).unwrap();
    let port = owner.attach().unwrap();
    let go_on = hold(&port);
    let ended = thread::spawn(|| {
        agate::forbid_wait();
        owner.shutdown(Pending::Discard, LONG)
    });
    assert!(matches!(
        ended.join().unwrap(),
        Err(ShutdownError::WouldStall)
    ));
    drop(go_on);
}

#[test]
fn a_polling_owner_is_never_woken_and_sees_everything() {
    let options =
        OwnerOptions::named("polls").wait_mode(WaitMode::Poll(Duration::from_micros(100)));
    let owner = Local.owner_with(options, Counter::default).unwrap();
    let port = owner.attach().unwrap();
    port.send(Count::Add(3)).unwrap();
    assert_eq!(port.ask(Count::Total).unwrap().wait_timeout(LONG), Ok(3));

    let options = OwnerOptions::named("polls rarely").wait_mode(WaitMode::Poll(LONG * 1000));
    let rare = Local.owner_with(options, Counter::default).unwrap();
    rare.attach().unwrap().send(Count::Add(1)).unwrap();
    let report = rare.shutdown(Pending::Drain, LONG).unwrap();
    assert_eq!(report.handled, 1, "closing wakes it");
}

#[test]
fn asks_from_many_threads_are_all_answered() {
    let (threads, each) = if cfg!(miri) { (3, 10) } else { (4, 5_000) };
    let owner = Local.owner("asked by many", Counter::default()).unwrap();
    let handle = owner.handle();
    let pool = CompletionPool::new();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..each {
                    let port = handle.attach().unwrap();
                    port.send(Count::Add(1)).unwrap();
                    let mut total = port.ask_with(&pool, Count::Total).unwrap();
                    assert!(total.wait_timeout(LONG).unwrap() >= 1);
                }
            });
        }
    });
    let total = owner
        .attach()
        .unwrap()
        .ask(Count::Total)
        .unwrap()
        .wait_timeout(LONG)
        .unwrap();
    assert_eq!(total, threads * each);
}

#[test]
fn ends_that_race_with_senders_leave_no_completion_open() {
    let rounds = if cfg!(miri) { 5 } else { 500 };
    for round in 0..rounds {
        let owner = Local.owner("raced", Counter::default()).unwrap();
        let stop = AtomicBool::new(false);
        let (handle, stop) = (owner.handle(), &stop);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let port = handle.attach();
                    while let Ok(port) = &port {
                        let Ok(mut answer) = port.ask(Count::Total) else {
                            break;
                        };
                        let answer = answer.wait_timeout(LONG);
                        assert!(
                            matches!(answer, Ok(0) | Err(WaitError::Failed(_))),
                            "{answer:?}"
                        );
                        if stop.load(Ordering::Relaxed) && port.is_closed() {
                            break;
                        }
                    }
                });
            }
            match round % 3 {
                0 => drop(owner.shutdown(Pending::Discard, LONG).unwrap()),
                1 => drop(owner.shutdown(Pending::Drain, LONG).unwrap()),
                _ => {
                    let _ = owner.attach().unwrap().send(Count::Panic("in the race"));
                    let ended = owner.shutdown(Pending::Drain, LONG);
                    assert!(
                        matches!(ended, Err(ShutdownError::Panicked { .. })),
                        "{ended:?}"
                    );
                }
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
}

/// Answers what it is asked when the time has come.
#[derive(Default)]
struct Alarm(Option<(Instant, Resolver<bool>)>);

impl Handler for Alarm {
    type Message = (Duration, Resolver<bool>);

    fn handle(&mut self, (after, asker): Self::Message) {
        self.0 = Some((Instant::now() + after, asker));
    }

    fn wake_at(&self) -> Option<Instant> {
        self.0.as_ref().map(|(at, _)| *at)
    }

    fn wake(&mut self) {
        let (at, asker) = self.0.take().expect("it is woken when it asked for it");
        asker.resolve(Instant::now() >= at);
    }
}

#[test]
fn an_owner_wakes_at_the_time_that_it_names() {
    for mode in [WaitMode::Wake, WaitMode::Poll(Duration::from_millis(1))] {
        let options = OwnerOptions::named("alarm").wait_mode(mode);
        let owner = Local.owner_with(options, Alarm::default).unwrap();
        let port = owner.attach().unwrap();
        for after in [0, 1, 30] {
            let after = Duration::from_millis(after);
            let mut answer = port.ask(|asker| (after, asker)).unwrap();
            assert_eq!(answer.wait_timeout(LONG), Ok(true));
        }
        // One that waits for a far time ends when it is told to.
        let mut never = port.ask(|asker| (10 * LONG, asker)).unwrap();
        let report = owner.shutdown(Pending::Drain, LONG).unwrap();
        assert_eq!(report.handled, 4);
        assert_eq!(
            never.wait_timeout(LONG),
            Err(WaitError::Failed(CompletionError::Abandoned))
        );
    }
}

/// Says that it has begun with the first message, and goes on when told.
struct Gated(Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>, Vec<u32>);

impl Handler for Gated {
    type Message = Ask;

    fn handle(&mut self, message: Ask) {
        if let Some((begun, go_on)) = self.0.take() {
            begun.send(()).unwrap();
            let _ = go_on.recv();
        }
        match message {
            Ask::Number(n) => self.1.push(n),
            Ask::All(asker) => asker.resolve(self.1.clone()),
        }
    }
}

enum Ask {
    Number(u32),
    All(Resolver<Vec<u32>>),
}

#[test]
fn a_batch_is_sent_whole_or_not_at_all() {
    let (begun, has_begun) = mpsc::channel();
    let (go_on, told) = mpsc::channel();
    let owner = Local
        .owner("gated", Gated(Some((begun, told)), Vec::new()))
        .unwrap();
    let port = owner.attach().unwrap();
    port.send(Ask::Number(0)).unwrap();
    has_begun.recv_timeout(LONG).unwrap();
    // The owner takes nothing meanwhile, and there is room for all of them.
    assert_eq!(port.send_batch(&mut (1..5000).map(Ask::Number)), Ok(4999));
    assert_eq!(port.send_batch(&mut std::iter::empty()), Ok(0));
    let mut all = port.ask(Ask::All).unwrap();
    go_on.send(()).unwrap();
    assert_eq!(all.wait_timeout(LONG), Ok((0..5000).collect()));
    owner.shutdown(Pending::Drain, LONG).unwrap();
    let mut more = (0..3).map(Ask::Number);
    assert_eq!(port.send_batch(&mut more), Err(agate::Closed));
    assert_eq!(more.len(), 3, "nothing was taken");
}
