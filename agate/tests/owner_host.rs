//! Owners that their host pumps, through the public API.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use agate::{
    Carries, Driver, Handler, Local, Owner, OwnerOptions, Pending, Port, Private, Pumped, Resolver,
    Scope, WaitError,
};

const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });

/// Counts messages and batches; what it is told to do takes so long; wakes when it is told.
#[derive(Default)]
struct Work {
    done: u64,
    batches: u64,
    wake_at: Option<Instant>,
    wakes: u64,
    me: Option<Port<Task>>,
}

enum Task {
    Do(Duration),
    WakeAt(Instant),
    Me(Port<Task>),
    Again,
    Told(Resolver<(u64, u64, u64)>),
}

impl Handler for Work {
    type Message = Task;

    fn handle(&mut self, task: Task) {
        self.done += 1;
        match task {
            Task::Do(time) => {
                let until = Instant::now() + time;
                while Instant::now() < until {}
            }
            Task::WakeAt(at) => self.wake_at = Some(at),
            Task::Me(me) => self.me = Some(me),
            Task::Again => self.me.as_ref().unwrap().send(Task::Again).unwrap(),
            Task::Told(asker) => asker.resolve((self.done, self.batches, self.wakes)),
        }
    }

    fn batch_end(&mut self) {
        self.batches += 1;
    }

    fn wake_at(&self) -> Option<Instant> {
        self.wake_at
    }

    fn wake(&mut self) {
        self.wake_at = None;
        self.wakes += 1;
    }
}

fn by_host() -> OwnerOptions {
    OwnerOptions::named("by host").driven_by(Driver::Host)
}

fn work() -> (Owner<Work>, Port<Task>) {
    let owner = Local.owner_from(by_host(), Work::default()).unwrap();
    let port = owner.attach().unwrap();
    (owner, port)
}

fn nothing() -> Task {
    Task::Do(Duration::ZERO)
}

#[test]
fn nobody_but_the_host_drives() {
    let (owner, port) = work();
    port.send_and_help(nothing()).unwrap();
    assert_eq!(port.help(), 0);
    let mut told = port.ask(Task::Told).unwrap();
    assert_eq!(
        told.wait_timeout(Duration::from_millis(1)),
        Err(WaitError::TimedOut)
    );
    drop(port);
    assert_eq!(owner.stats().handled, 0);
    assert_eq!(owner.pump(100, LONG).handled, 2);
    assert_eq!(told.poll(), Some(Ok((2, 0, 0))));
    assert_eq!(owner.stats().helped, 0);
}

#[test]
fn a_pump_handles_no_more_than_it_may_and_says_whether_more_waits() {
    let (owner, port) = work();
    (0..10).for_each(|_| port.send(nothing()).unwrap());
    let pumped = owner.pump(0, LONG);
    assert_eq!((pumped.handled, pumped.more), (0, true));
    let pumped = owner.pump(4, LONG);
    assert_eq!((pumped.handled, pumped.more), (4, true));
    let pumped = owner.pump(100, LONG);
    assert_eq!(
        (pumped.handled, pumped.more, pumped.wake_at),
        (6, false, None)
    );
    assert_eq!(owner.pump(100, LONG).handled, 0);
    let mut told = port.ask(Task::Told).unwrap();
    let _ = owner.pump(1, LONG);
    assert_eq!(told.poll(), Some(Ok((11, 2, 0))), "a batch for each pump");
}

#[test]
fn a_pump_begins_nothing_after_its_time() {
    let (owner, port) = work();
    // Short ones first, so that the clock is looked at rarely, then long ones.
    (0..20).for_each(|_| port.send(nothing()).unwrap());
    (0..100).for_each(|_| port.send(Task::Do(Duration::from_millis(2))).unwrap());
    let pumped = owner.pump(usize::MAX, Duration::from_millis(4));
    assert!(pumped.more, "the rest would take 100 times as long");
    assert!(pumped.handled <= 20 + 20, "{}", pumped.handled);
    let pumped = owner.pump(usize::MAX, Duration::ZERO);
    assert_eq!((pumped.handled, pumped.more), (0, true));
}

#[test]
fn a_handler_that_feeds_itself_does_not_keep_the_host() {
    let (owner, port) = work();
    port.send(Task::Me(owner.attach().unwrap())).unwrap();
    port.send(Task::Again).unwrap();
    let pumped = owner.pump(50, LONG);
    assert_eq!((pumped.handled, pumped.more), (50, true));
    owner.shutdown(Pending::Discard, LONG).unwrap();
}

#[test]
fn a_pump_wakes_the_handler_when_it_is_time_and_says_when() {
    let (owner, port) = work();
    let far = Instant::now() + 10 * LONG;
    port.send(Task::WakeAt(far)).unwrap();
    assert_eq!(owner.pump(10, LONG).wake_at, Some(far));
    port.send(Task::WakeAt(Instant::now())).unwrap();
    assert_eq!(owner.pump(10, LONG).wake_at, None, "woken at once");
    let mut told = port.ask(Task::Told).unwrap();
    let _ = owner.pump(10, LONG);
    assert_eq!(told.poll().map(|told| told.unwrap().2), Some(1));
}

#[test]
fn a_user_who_waits_wakes_the_handler_in_time() {
    let options = OwnerOptions::named("woken").driven_by(Driver::Users);
    let owner = Local.owner_from(options, Alarm(None)).unwrap();
    let port = owner.attach().unwrap();
    let mut rung = port
        .ask(|asker| (Instant::now() + Duration::from_millis(5), asker))
        .unwrap();
    assert_eq!(rung.wait_timeout(LONG), Ok(true));
}

/// Answers when the time has come.
struct Alarm(Option<(Instant, Resolver<bool>)>);

impl Handler for Alarm {
    type Message = (Instant, Resolver<bool>);

    fn handle(&mut self, alarm: Self::Message) {
        self.0 = Some(alarm);
    }

    fn wake_at(&self) -> Option<Instant> {
        self.0.as_ref().map(|(at, _)| *at)
    }

    fn wake(&mut self) {
        let (at, asker) = self.0.take().unwrap();
        asker.resolve(Instant::now() >= at);
    }
}

#[test]
fn one_of_two_hosts_drives_and_the_other_does_not_wait() {
    struct Holds;
    impl Handler for Holds {
        type Message = (mpsc::Sender<()>, mpsc::Receiver<()>);
        fn handle(&mut self, (begun, go_on): Self::Message) {
            begun.send(()).unwrap();
            let _ = go_on.recv();
        }
    }
    let owner = Local.owner_from(by_host(), Holds).unwrap();
    let (begun, has_begun) = mpsc::channel();
    let (go_on, told) = mpsc::channel();
    owner.attach().unwrap().send((begun, told)).unwrap();
    thread::scope(|scope| {
        let other = scope.spawn(|| owner.pump(10, LONG));
        has_begun.recv_timeout(LONG).unwrap();
        let pumped = owner.pump(10, LONG);
        assert_eq!((pumped.handled, pumped.more), (0, true));
        go_on.send(()).unwrap();
        assert_eq!(other.join().unwrap().handled, 1);
    });
}

#[test]
fn an_owner_with_a_thread_needs_no_pump() {
    let owner = Local.owner("thread", Work::default()).unwrap();
    owner.attach().unwrap().send(nothing()).unwrap();
    assert_eq!(owner.pump(10, LONG), Pumped::default());
    assert_eq!(owner.shutdown(Pending::Drain, LONG).unwrap().handled, 1);
}

struct Sum(u64);

impl Handler for Sum {
    type Message = u64;

    fn handle(&mut self, n: u64) {
        self.0 += n;
    }
}

/// A loop of the host's own, in any scope.
fn pump_all<S: Carries<Sum> + Carries<u64>>(scope: S) {
    let owner = scope.owner_from(by_host(), Sum(0)).unwrap();
    let port = owner.attach().unwrap();
    (0..1000).for_each(|n| port.send(n).unwrap());
    let mut handled = 0;
    loop {
        let pumped = owner.pump(64, LONG);
        handled += pumped.handled;
        if !pumped.more {
            break;
        }
    }
    assert_eq!(handled, 1000);
    owner.handle().close();
    port.send(1).unwrap_err();
    assert!(!owner.pump(64, LONG).more);
    assert_eq!(owner.shutdown(Pending::Drain, LONG).unwrap().handled, 1000);
}

#[test]
fn a_host_pumps_in_every_scope() {
    pump_all(Private);
    pump_all(Local);
}
