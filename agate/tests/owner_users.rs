//! Owners that their users drive, through the public API: who handles what, when, and on which thread.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use agate::{
    Carries, Completion, CreateError, Driver, Handler, Local, Owner, OwnerOptions, Pending, Port,
    Private, Resolver, Scope, WaitError,
};

const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });

#[derive(Default)]
struct Counter {
    total: u64,
    /// Whether some thread is inside; two at once would be seen.
    inside: Arc<AtomicBool>,
}

enum Count {
    Add(u64),
    Total(Resolver<u64>),
    Where(Resolver<ThreadId>),
    /// Says that it has begun, and goes on when told.
    Hold(mpsc::Sender<()>, mpsc::Receiver<()>),
}

impl Handler for Counter {
    type Message = Count;

    fn handle(&mut self, message: Count) {
        assert!(
            !self.inside.swap(true, Ordering::Relaxed),
            "called twice at once"
        );
        match message {
            Count::Add(n) => self.total += n,
            Count::Total(asker) => asker.resolve(self.total),
            Count::Where(asker) => asker.resolve(thread::current().id()),
            Count::Hold(begun, go_on) => {
                begun.send(()).unwrap();
                let _ = go_on.recv();
            }
        }
        self.inside.store(false, Ordering::Relaxed);
    }
}

fn by_users() -> OwnerOptions {
    OwnerOptions::named("by users").driven_by(Driver::Users)
}

fn counter() -> Owner<Counter> {
    Local.owner_from(by_users(), Counter::default()).unwrap()
}

/// Holds the owner inside its handler, on a thread of its own, until the sender is dropped or used. The thread gives its
/// port back, so that dropping it helps no one.
fn hold(port: Port<Count>) -> (mpsc::Sender<()>, thread::JoinHandle<Port<Count>>) {
    let (begun, has_begun) = mpsc::channel();
    let (go_on, told) = mpsc::channel();
    let holder = thread::spawn(move || {
        let _ = port.send_and_help(Count::Hold(begun, told));
        port
    });
    has_begun.recv_timeout(LONG).unwrap();
    (go_on, holder)
}

#[test]
fn an_ask_is_answered_on_the_askers_own_thread() {
    let owner = counter();
    assert_eq!(owner.thread_id(), None);
    let port = owner.attach().unwrap();
    let mut place = port.ask(Count::Where).unwrap();
    assert_eq!(place.poll(), Some(Ok(thread::current().id())));
}

#[test]
fn a_plain_send_only_enqueues() {
    let owner = counter();
    let port = owner.attach().unwrap();
    (0..10).for_each(|_| port.send(Count::Add(1)).unwrap());
    assert_eq!(owner.stats().handled, 0);
    assert_eq!(port.help(), 10);
    assert_eq!(port.help(), 0);
    let stats = owner.stats();
    assert_eq!((stats.handled, stats.helped, stats.batches), (10, 10, 1));
    port.send(Count::Add(1)).unwrap();
    port.send_and_help(Count::Add(1)).unwrap();
    assert_eq!(owner.stats().handled, 12);
}

#[test]
fn a_handle_tells_whether_somebody_drives() {
    let owner = counter();
    let handle = owner.handle();
    assert!(!handle.is_driven());
    let (go_on, holder) = hold(owner.attach().unwrap());
    assert!(handle.is_driven());
    drop(go_on);
    let port = holder.join().unwrap();
    assert!(!handle.is_driven());
    drop(port);
    let options = OwnerOptions::named("on a thread").driven_by(Driver::Thread);
    let owner = Local.owner_from(options, Counter::default()).unwrap();
    assert!(owner.handle().is_driven(), "its thread does");
}

#[test]
fn a_port_that_is_dropped_or_finished_helps() {
    let owner = counter();
    for (handled, finish) in [(1, true), (2, false)] {
        let port = owner.attach().unwrap();
        port.send(Count::Add(1)).unwrap();
        if finish {
            port.finish();
        } else {
            drop(port);
        }
        assert_eq!(owner.stats().handled, handled);
    }
}

#[test]
fn a_user_handles_no_more_than_its_budget_and_the_next_send_goes_on() {
    let owner = Local
        .owner_from(by_users().help_at_most(3), Counter::default())
        .unwrap();
    let port = owner.attach().unwrap();
    (0..10).for_each(|_| port.send(Count::Add(1)).unwrap());
    assert_eq!(port.help(), 3);
    // The mark stands, so a plain send helps.
    port.send(Count::Add(1)).unwrap();
    assert_eq!(owner.stats().handled, 6);
    let other = owner.attach().unwrap();
    other.send(Count::Add(1)).unwrap();
    assert_eq!(owner.stats().handled, 9);
    let mut total = port.ask(Count::Total).unwrap();
    assert!(
        !total.is_done(),
        "this one's budget ends at the twelfth message"
    );
    assert_eq!(total.wait_timeout(LONG), Ok(12));
}

#[test]
fn who_finds_the_token_taken_waits_for_nobody_and_is_served_by_the_holder() {
    let owner = counter();
    let port = owner.attach().unwrap();
    let (go_on, holder) = hold(owner.attach().unwrap());
    port.send_and_help(Count::Add(1)).unwrap();
    assert_eq!(port.help(), 0);
    let mut place = port.ask(Count::Where).unwrap();
    assert_eq!(
        place.wait_timeout(Duration::from_millis(1)),
        Err(WaitError::TimedOut)
    );
    let holding = holder.thread().id();
    go_on.send(()).unwrap();
    let _port = holder.join().unwrap();
    assert_eq!(place.poll(), Some(Ok(holding)), "by its last look");
    assert_eq!(owner.stats().handled, 3);
}

#[test]
fn what_comes_after_the_holders_last_look_is_not_left() {
    /// Holds whoever asks when to wake, which is after the last look at the inbox.
    struct Late(Mutex<Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>>);
    impl Handler for Late {
        type Message = ();
        fn handle(&mut self, (): ()) {}
        fn wake_at(&self) -> Option<Instant> {
            if let Some((begun, go_on)) = self.0.lock().unwrap().take() {
                begun.send(()).unwrap();
                let _ = go_on.recv();
            }
            None
        }
    }
    let (begun, has_begun) = mpsc::channel();
    let (go_on, told) = mpsc::channel();
    let late = Late(Mutex::new(Some((begun, told))));
    let owner = Local.owner_from(by_users(), late).unwrap();
    let (port, other) = (owner.attach().unwrap(), owner.attach().unwrap());
    let holder = thread::spawn(move || {
        other.send_and_help(()).unwrap();
        other
    });
    has_begun.recv_timeout(LONG).unwrap();
    port.send_and_help(()).unwrap();
    assert_eq!(owner.stats().handled, 1);
    go_on.send(()).unwrap();
    let _port = holder.join().unwrap();
    assert_eq!(owner.stats().handled, 2, "the knock made it look once more");
}

#[test]
fn a_wait_takes_over_what_the_holders_budget_leaves() {
    let owner = Local
        .owner_from(by_users().help_at_most(1), Counter::default())
        .unwrap();
    let port = owner.attach().unwrap();
    let (go_on, holder) = hold(owner.attach().unwrap());
    let mut place = port.ask(Count::Where).unwrap();
    let waiter = thread::spawn(move || {
        let here = thread::current().id();
        (place.wait_timeout(LONG), here)
    });
    go_on.send(()).unwrap();
    let _port = holder.join().unwrap();
    // The holder's budget was its own message.
    let (place, here) = waiter.join().unwrap();
    assert_eq!(place, Ok(here));
}

#[test]
fn a_wait_on_a_thread_that_must_not_park_helps_first() {
    let owner = Local
        .owner_from(by_users().help_at_most(1), Counter::default())
        .unwrap();
    let handle = owner.handle();
    thread::spawn(move || {
        agate::forbid_wait();
        let port = handle.attach().unwrap();
        (0..5).for_each(|_| port.send(Count::Add(1)).unwrap());
        let mut total = port.ask(Count::Total).unwrap();
        assert!(!total.is_done());
        assert_eq!(total.wait_timeout(LONG), Ok(5));
    })
    .join()
    .unwrap();
}

/// A handler that sends to, asks and waits for its own owner.
struct Selfish(Option<Port<Want, Local>>, Vec<Result<u32, WaitError>>);

enum Want {
    Port(Port<Want>),
    Again(u32),
    Wait,
    Answer(Resolver<u32>),
    Seen(Resolver<Vec<Result<u32, WaitError>>>),
}

impl Handler for Selfish {
    type Message = Want;

    fn handle(&mut self, message: Want) {
        match message {
            Want::Port(port) => self.0 = Some(port),
            Want::Again(0) => self.1.push(Ok(0)),
            Want::Again(n) => {
                let port = self.0.as_ref().unwrap();
                port.send_and_help(Want::Again(n - 1)).unwrap();
                assert_eq!(port.help(), 0, "not called from inside");
                self.1.push(Ok(n));
            }
            Want::Wait => {
                let port = self.0.as_ref().unwrap();
                let mut answer = port.ask(Want::Answer).unwrap();
                self.1.push(answer.wait_timeout(LONG));
            }
            Want::Answer(asker) => asker.resolve(7),
            Want::Seen(asker) => asker.resolve(std::mem::take(&mut self.1)),
        }
    }
}

#[test]
fn a_handler_that_sends_to_itself_is_called_when_it_has_returned() {
    let owner = Local
        .owner_from(by_users(), Selfish(None, Vec::new()))
        .unwrap();
    let port = owner.attach().unwrap();
    port.send(Want::Port(owner.attach().unwrap())).unwrap();
    port.send_and_help(Want::Again(3)).unwrap();
    let seen = port.ask(Want::Seen).unwrap().poll().unwrap().unwrap();
    assert_eq!(seen, [Ok(3), Ok(2), Ok(1), Ok(0)]);
    owner.shutdown(Pending::Drain, LONG).unwrap();
}

/// rayon issue 592: a job that waits is given other work, on the same stack, that needs what the first one holds.
#[test]
fn rayon_592_a_wait_inside_the_handler_is_refused_and_does_not_hang() {
    let owner = Local
        .owner_from(by_users(), Selfish(None, Vec::new()))
        .unwrap();
    let port = owner.attach().unwrap();
    port.send(Want::Port(owner.attach().unwrap())).unwrap();
    port.send_and_help(Want::Wait).unwrap();
    let seen = port.ask(Want::Seen).unwrap().poll().unwrap().unwrap();
    assert_eq!(seen, [Err(WaitError::WouldStall)]);
}

type Job = Box<dyn FnOnce(&Pool) + Send>;

/// A pool with one job thread, whose jobs run other jobs while they join.
struct Pool(Mutex<VecDeque<Job>>);

impl Pool {
    fn run_one(&self) -> bool {
        let job = self.0.lock().unwrap().pop_front();
        job.map(|job| job(self)).is_some()
    }
}

/// As above, where nobody is inside the handler: the only job thread waits for the owner, with jobs above and below it on
/// its stack that wait too. It helps, so every wait ends.
#[test]
fn rayon_592_a_job_that_waits_for_an_owner_helps_it() {
    let owner = counter();
    let (handle, answered) = (owner.handle(), Arc::new(AtomicU64::new(0)));
    let jobs: VecDeque<Job> = (0..4)
        .map(|_| {
            let (handle, answered) = (handle.clone(), Arc::clone(&answered));
            Box::new(move |pool: &Pool| {
                let port = handle.attach().unwrap();
                port.send(Count::Add(1)).unwrap();
                pool.run_one();
                let mut total = port.ask(Count::Total).unwrap();
                assert!(total.wait_timeout(LONG).is_ok());
                answered.fetch_add(1, Ordering::Relaxed);
            }) as Job
        })
        .collect();
    let pool = Pool(Mutex::new(jobs));
    thread::spawn(move || while pool.run_one() {})
        .join()
        .unwrap();
    assert_eq!(answered.load(Ordering::Relaxed), 4);
    assert_eq!(owner.shutdown(Pending::Drain, LONG).unwrap().handled, 8);
}

#[test]
fn many_users_drive_one_owner_and_nothing_is_lost() {
    let (threads, each) = if cfg!(miri) { (3, 20) } else { (4, 5_000) };
    for help_at_most in [1, 7, 256] {
        let options = by_users().help_at_most(help_at_most);
        let owner = Local.owner_from(options, Counter::default()).unwrap();
        let handle = owner.handle();
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let mut port = handle.attach().unwrap();
                    let mut through_port = 0;
                    for n in 0..each {
                        port.send(Count::Add(1)).unwrap();
                        through_port += 1;
                        match n % 16 {
                            0 => drop(port.help()),
                            5 => {
                                let mut total = port.ask(Count::Total).unwrap();
                                let total = total.wait_timeout(LONG).unwrap();
                                assert!(total >= through_port, "a port's own are in order");
                            }
                            9 => {
                                port = port.try_clone().unwrap();
                                through_port = 0;
                            }
                            _ => {}
                        }
                    }
                });
            }
        });
        let port = owner.attach().unwrap();
        // What budgets have left in other lanes has no order with what this port asks.
        while port.help() > 0 {}
        let mut total = port.ask(Count::Total).unwrap();
        assert_eq!(total.wait_timeout(LONG), Ok(threads * each));
        let report = owner.shutdown(Pending::Drain, LONG).unwrap();
        assert_eq!((report.drained, report.discarded), (0, 0));
    }
}

struct Add<S: Scope>(u64, Option<Resolver<u64, S>>);

/// Adds, and answers with the total where somebody asks.
struct Sums<S>(u64, PhantomData<S>);

impl<S: Scope> Handler for Sums<S> {
    type Message = Add<S>;

    fn handle(&mut self, Add(n, asker): Add<S>) {
        self.0 += n;
        if let Some(asker) = asker {
            asker.resolve(self.0);
        }
    }
}

/// Runs an owner in any scope.
fn count<S>(scope: S) -> u64
where
    S: Carries<Sums<S>> + Carries<Add<S>> + Carries<u64>,
{
    let options = OwnerOptions::named("any");
    let owner = scope.owner_from(options, Sums(0, PhantomData)).unwrap();
    let (one, two) = (owner.attach().unwrap(), owner.handle().attach().unwrap());
    for n in 0..300 {
        one.send(Add(n, None)).unwrap();
        two.send_and_help(Add(1, None)).unwrap();
    }
    // There is no order between ports, so each asks for what it has sent itself.
    let mut twos = two.ask(|asker| Add(0, Some(asker))).unwrap();
    assert!(twos.wait_timeout(LONG).unwrap() >= 300);
    drop(two);
    let mut total = one.ask(|asker| Add(0, Some(asker))).unwrap();
    assert_eq!(total.wait_timeout(LONG), Ok(299 * 150 + 300));
    let report = owner.shutdown(Pending::Drain, LONG).unwrap();
    assert_eq!((report.handled, report.discarded), (602, 0));
    assert!(one.is_closed());
    report.handled
}

#[test]
fn one_function_runs_an_owner_in_every_scope() {
    assert_eq!(count(Private), count(Local));
}

#[test]
fn a_private_owner_takes_what_cannot_be_sent() {
    struct Lines(Rc<std::cell::RefCell<Vec<Rc<str>>>>);
    impl Handler for Lines {
        type Message = Rc<str>;
        fn handle(&mut self, line: Rc<str>) {
            self.0.borrow_mut().push(line);
        }
    }
    let lines = Rc::default();
    let owner = Private.owner("lines", Lines(Rc::clone(&lines))).unwrap();
    let port = owner.attach().unwrap();
    port.send("one".into()).unwrap();
    port.send_and_help("two".into()).unwrap();
    assert_eq!(lines.borrow().concat(), "onetwo");
    drop((port, owner));
    assert_eq!(Rc::strong_count(&lines), 1, "the handler is gone");

    let made = Private
        .owner_with(OwnerOptions::named("made"), move || Lines(lines))
        .map(drop);
    assert!(made.is_ok());
}

#[test]
fn a_private_wait_that_nobody_could_end_returns_at_once() {
    #[derive(Default)]
    struct Keeps(Vec<Resolver<u32, Private>>);
    impl Handler for Keeps {
        type Message = Option<Resolver<u32, Private>>;
        fn handle(&mut self, message: Self::Message) {
            match message {
                Some(asker) => self.0.push(asker),
                None => self.0.drain(..).for_each(|asker| asker.resolve(7)),
            }
        }
    }
    let owner = Private.owner("keeps", Keeps::default()).unwrap();
    let port = owner.attach().unwrap();
    let mut answer = port.ask(Some).unwrap();
    assert_eq!(answer.wait_timeout(LONG), Err(WaitError::WouldStall));
    port.send(None).unwrap();
    assert_eq!(answer.wait_timeout(LONG), Ok(7));
}

#[test]
fn drivers_that_cannot_be_are_refused_with_a_reason() {
    let by_thread = OwnerOptions::named("no").driven_by(Driver::Thread);
    let refused = Private.owner_from(by_thread, Counter::default());
    assert!(matches!(refused, Err(CreateError::NoThreads)));
    for driver in [Driver::Users, Driver::Host] {
        let options = OwnerOptions::named("no").driven_by(driver);
        let refused = Local.owner_with(options, Counter::default);
        assert!(matches!(refused, Err(CreateError::HandlerMoves)));
    }
}

#[test]
fn the_hook_runs_where_the_owner_is_made() {
    let (tell, told) = mpsc::channel();
    let options = by_users().on_start(move || tell.send(thread::current().id()).unwrap());
    let _owner = Local.owner_from(options, Counter::default()).unwrap();
    assert_eq!(told.try_recv(), Ok(thread::current().id()));
}

/// Every way to wait, on an ask that nobody else will ever drive: the one in front of it used the help of the ask up.
fn every_wait_is_answered<S>(scope: S)
where
    S: Carries<Sums<S>> + Carries<Add<S>> + Carries<u64>,
{
    let options = by_users().help_at_most(1);
    let owner = scope.owner_from(options, Sums(0, PhantomData)).unwrap();
    let port = owner.attach().unwrap();
    let ask = || {
        // So that no mark stands, with which each send helps.
        while port.help() > 0 {}
        (0..3).for_each(|_| port.send(Add(1, None)).unwrap());
        let answer = port.ask(|asker| Add(0, Some(asker))).unwrap();
        assert!(!answer.is_done());
        answer
    };
    assert_eq!(ask().wait_timeout(LONG), Ok(3));
    assert_eq!(ask().wait_until(Instant::now() + LONG), Ok(6));
    assert_eq!(ask().wait_allowing_stall(LONG), Ok(9));
    assert_eq!(Completion::wait_all(&mut [ask(), ask()], LONG), Ok(()));
    assert!(Completion::wait_any(&mut [ask(), ask()], LONG).is_ok());
    let mut joined = Completion::join([ask(), ask()]);
    assert_eq!(joined.wait_timeout(LONG), Ok(vec![Ok(24), Ok(27)]));
    let mut arrivals = scope.completion_port(None);
    ask().post_to(&arrivals, 1);
    assert_eq!(arrivals.wait_next().unwrap().outcome, Ok(30));
    ask().post_to(&arrivals, 2);
    let mut answer = ask();
    assert_eq!(agate::wait_any(&mut [&mut arrivals], LONG), Ok(0));
    assert_eq!(agate::wait_any(&mut [&mut answer], LONG), Ok(0));
    assert_eq!(answer.poll(), Some(Ok(36)));
}

#[test]
fn every_wait_for_an_answer_drives_the_owner() {
    every_wait_is_answered(Private);
    every_wait_is_answered(Local);
}

#[test]
fn a_wait_on_another_thread_drives_the_owner_also_without_a_port() {
    let owner = Local
        .owner_from(by_users().help_at_most(1), Counter::default())
        .unwrap();
    let port = owner.attach().unwrap();
    (0..5).for_each(|_| port.send(Count::Add(1)).unwrap());
    let mut place = port.ask(Count::Where).unwrap();
    // As one that is forgotten, which helps nobody.
    static FORGOTTEN: Mutex<Vec<Port<Count>>> = Mutex::new(Vec::new());
    FORGOTTEN.lock().unwrap().push(port);
    let waited = thread::spawn(move || (place.wait_timeout(LONG), thread::current().id()));
    let (place, waiter) = waited.join().unwrap();
    assert_eq!(place, Ok(waiter));
}

#[test]
fn an_answer_that_nobody_waits_for_keeps_nothing_of_the_owner_once_it_is_dropped() {
    let inside = Arc::new(AtomicBool::new(false));
    let handler = Counter {
        total: 0,
        inside: Arc::clone(&inside),
    };
    let owner = Local.owner_from(by_users(), handler).unwrap();
    let port = owner.attach().unwrap();
    let mut answer = port.ask(Count::Total).unwrap();
    drop((port, owner));
    assert_eq!(answer.wait_timeout(LONG), Ok(0), "it outlives the owner");
    drop(answer);
    assert_eq!(Arc::strong_count(&inside), 1);
}

/// Keeps itself busy for ever, once it has a port to itself.
struct Ticking(Option<Port<Tick>>);

enum Tick {
    Begin(Port<Tick>),
    Again,
    Ask(Resolver<u32>),
}

impl Handler for Ticking {
    type Message = Tick;

    fn handle(&mut self, message: Tick) {
        match message {
            Tick::Begin(port) => {
                port.send(Tick::Again).unwrap();
                self.0 = Some(port);
            }
            Tick::Again => {
                if let Some(port) = &self.0 {
                    // Closed at the end.
                    let _ = port.send(Tick::Again);
                }
            }
            Tick::Ask(asker) => asker.resolve(7),
        }
    }
}

/// A poll helps a bounded number of times, and has its task come again; else a busy owner would keep an executor for ever.
#[test]
fn an_answer_of_an_owner_that_is_always_busy_can_be_awaited() {
    let options = OwnerOptions::named("ticking")
        .driven_by(Driver::Users)
        .help_at_most(4);
    let owner = Local.owner_from(options, Ticking(None)).unwrap();
    let port = owner.attach().unwrap();
    port.send_and_help(Tick::Begin(port.try_clone().unwrap()))
        .unwrap();
    let answer = port.ask(Tick::Ask).unwrap();
    assert_eq!(futures::executor::block_on(answer), Ok(7));
    let (called, calls) = mpsc::channel();
    let answer = port.ask(Tick::Ask).unwrap();
    answer.on_done(move |outcome| called.send(outcome).unwrap());
    let deadline = Instant::now() + LONG;
    while calls.try_recv().is_err() {
        assert!(Instant::now() < deadline, "nobody called");
        port.help();
    }
}
