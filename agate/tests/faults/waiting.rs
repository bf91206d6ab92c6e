//! Faults of waiting for room, and of waiting without a thread.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Instant;

use agate::{
    Capacity, Completion, CompletionError, Driver, Handle, Handler, Limits, Local, Owner,
    OwnerOptions, Port, Queue, Receiver, RecvError, Resolver, Scope, SendTimeoutError,
};

use crate::deadline::{LONG, ends};
use crate::threads::spawn_asleep;

fn bounded(messages: usize) -> Handle<Queue<u32>> {
    Local
        .queue(Limits::none(), Capacity::bounded(messages))
        .unwrap()
}

/// The processor time that this thread has used.
#[cfg(all(target_os = "linux", not(miri)))]
#[allow(unsafe_code, reason = "the system call that reads a thread's clock")]
fn processor_time() -> std::time::Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the kernel writes one `timespec`.
    let read = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(read, 0, "this thread's clock");
    std::time::Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// std, rust 106668: a sender that waits for room turns round and round meanwhile.
#[test]
#[cfg(all(target_os = "linux", not(miri)))]
fn std_106668_a_sender_that_waits_for_room_sleeps() {
    let queue = bounded(1);
    let sender = queue.attach_sender().unwrap();
    let _receiver = queue.attach_receiver().unwrap();
    sender.try_send(0).unwrap();
    let time = std::time::Duration::from_millis(300);
    let used = ends(move || {
        let before = processor_time();
        assert_eq!(
            sender.send_timeout(1, time),
            Err(SendTimeoutError::TimedOut(1))
        );
        processor_time() - before
    });
    assert!(used < time / 4, "used {used:?} while it waited {time:?}");
}

/// thingbuf 83: senders that wait for room hang, though there is room again.
#[test]
fn thingbuf_83_senders_that_wait_are_let_in_one_by_one() {
    let each = if cfg!(miri) { 20 } else { 3_000 };
    for capacity in [1, 3] {
        ends(move || {
            let queue = bounded(capacity);
            let mut receiver = queue.attach_receiver().unwrap();
            let senders: Vec<_> = (0..3)
                .map(|_| {
                    let sender = queue.attach_sender().unwrap();
                    thread::spawn(move || {
                        (0..each).for_each(|number| sender.wait_send(number).unwrap());
                    })
                })
                .collect();
            let mut sum = 0;
            for turn in 0..3 * each {
                // By all the ways of taking one.
                sum += match turn % 3 {
                    0 => receiver.wait_recv().unwrap(),
                    1 => receiver.recv_timeout(LONG).unwrap(),
                    _ => loop {
                        if let Some(number) = receiver.drain().next() {
                            break number;
                        }
                        thread::yield_now();
                    },
                };
            }
            assert_eq!(sum, 3 * (0..each).sum::<u32>());
            assert_eq!(receiver.wait_recv(), Err(RecvError::Disconnected));
            senders.into_iter().for_each(|one| one.join().unwrap());
        });
    }
}

/// thingbuf 83, crossfire 33: nobody tells a waiting sender that the other side has gone.
#[test]
fn crossfire_33_a_waiting_sender_is_told_of_every_end() {
    // What they return stays there as long as somebody waits.
    type End = fn(
        Handle<Queue<u32>>,
        Receiver<u32>,
    ) -> (Option<Handle<Queue<u32>>>, Option<Receiver<u32>>);
    let all: [End; 3] = [
        |queue, receiver| {
            queue.close();
            (Some(queue), Some(receiver))
        },
        |queue, receiver| {
            drop(receiver);
            (Some(queue), None)
        },
        |queue, receiver| {
            drop(queue);
            drop(receiver);
            (None, None)
        },
    ];
    for end in all {
        let queue = bounded(1);
        let receiver = queue.attach_receiver().unwrap();
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let sender = queue.attach_sender().unwrap();
                sender.try_send(0).unwrap();
                // Awake it would find the end by itself.
                spawn_asleep(move || sender.wait_send(1))
            })
            .collect();
        ends(move || {
            let _kept = end(queue, receiver);
            for one in waiting {
                assert_eq!(one.join().unwrap(), Err(SendTimeoutError::Closed(1)));
            }
        });
    }
}

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Woken {
    fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>, waker: &Arc<Woken>) -> Poll<F::Output> {
    let waker = Waker::from(Arc::clone(waker));
    future.poll(&mut Context::from_waker(&waker))
}

/// kanal 24, flume 104: a receive that is given up between two polls takes a message with it.
#[test]
fn kanal_24_a_receive_that_is_given_up_takes_nothing_with_it() {
    for capacity in [Capacity::bounded(4), Capacity::Unbounded] {
        let queue = Local.queue::<Box<u32>>(Limits::none(), capacity).unwrap();
        let sender = queue.attach_sender().unwrap();
        let mut receiver = queue.attach_receiver().unwrap();
        let waker = Arc::<Woken>::default();
        for number in 0..10 {
            {
                let mut given_up = pin!(receiver.recv());
                assert!(poll(given_up.as_mut(), &waker).is_pending());
                sender.try_send(Box::new(number)).unwrap();
            }
            let mut receive = pin!(receiver.recv());
            assert_eq!(
                poll(receive.as_mut(), &waker),
                Poll::Ready(Ok(Box::new(number)))
            );
        }
        drop(sender);
        let mut last = pin!(receiver.recv());
        assert_eq!(
            poll(last.as_mut(), &waker),
            Poll::Ready(Err(RecvError::Disconnected))
        );
    }
}

/// crossfire 22, 24, 33: after a poll that succeeded, or a receive that was given up, the old waker is still
/// registered: a later message wakes nobody who waits.
#[test]
fn crossfire_22_24_33_each_message_wakes_the_task_that_waits_now() {
    let queue = Local
        .queue::<u32>(Limits::none(), Capacity::Unbounded)
        .unwrap();
    let sender = queue.attach_sender().unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    for round in 0..20 {
        let (old, given_up, now): (Arc<Woken>, Arc<Woken>, Arc<Woken>) = Default::default();
        {
            // Polled by one task and then by another.
            let mut receive = pin!(receiver.recv());
            assert!(poll(receive.as_mut(), &old).is_pending());
            assert!(poll(receive.as_mut(), &given_up).is_pending());
        }
        // Nobody waits now, so nobody is woken.
        sender.send(round).unwrap();
        assert_eq!((old.times(), given_up.times()), (0, 0), "round {round}");
        assert_eq!(receiver.try_recv(), Ok(round));
        {
            let mut receive = pin!(receiver.recv());
            assert!(poll(receive.as_mut(), &now).is_pending());
            sender.send(round).unwrap();
            assert_eq!(now.times(), 1, "round {round}");
            assert_eq!((old.times(), given_up.times()), (0, 0));
            assert_eq!(poll(receive.as_mut(), &now), Poll::Ready(Ok(round)));
        }
        // What is sent to nobody's wait wakes nobody.
        sender.send(round).unwrap();
        assert_eq!(now.times(), 1);
        assert_eq!(receiver.try_recv(), Ok(round));
    }
}

/// kanal 12: on a loaded machine the receiver's task is polled again and again, and costs many times a thread. Counted
/// instead of timed: a burst wakes the task once, and one poll of it takes everything.
#[test]
fn kanal_12_a_burst_costs_a_task_one_wake_and_one_poll() {
    const BURST: u32 = if cfg!(miri) { 50 } else { 1_000 };
    for capacity in [Capacity::bounded(BURST as usize), Capacity::Unbounded] {
        let queue = Local.queue::<u32>(Limits::none(), capacity).unwrap();
        let sender = queue.attach_sender().unwrap();
        let mut receiver = queue.attach_receiver().unwrap();
        let waker = Arc::<Woken>::default();
        let taken = AtomicUsize::new(0);
        let mut task = pin!(async {
            while receiver.recv().await.is_ok() {
                taken.fetch_add(1, Ordering::SeqCst);
            }
        });
        for burst in 0..3 {
            assert!(poll(task.as_mut(), &waker).is_pending());
            let all = burst * BURST as usize;
            assert_eq!((taken.load(Ordering::SeqCst), waker.times()), (all, burst));
            (0..BURST).for_each(|number| sender.try_send(number).unwrap());
            assert_eq!(waker.times(), burst + 1, "woken for each message");
        }
        drop(sender);
        assert!(poll(task.as_mut(), &waker).is_ready());
        let all = 3 * BURST as usize;
        assert_eq!(taken.load(Ordering::SeqCst), all);
    }
}

/// kanal 11: who waits burns its processor, and may hang so. A task that waits is polled when there is something, and
/// not to look whether there is: it wakes nobody by itself.
#[test]
fn kanal_11_a_task_that_waits_is_left_alone() {
    let queue = bounded(2);
    let sender = queue.attach_sender().unwrap();
    let mut receiver = queue.attach_receiver().unwrap();
    let waker = Arc::<Woken>::default();
    let mut receive = pin!(receiver.recv());
    for _ in 0..10 {
        assert!(poll(receive.as_mut(), &waker).is_pending());
    }
    let (resolver, mut answer) = agate::completion::<u32>();
    for _ in 0..10 {
        assert!(poll(pin!(&mut answer), &waker).is_pending());
    }
    assert_eq!(waker.times(), 0, "nothing has come");
    sender.try_send(1).unwrap();
    resolver.resolve(1);
    assert_eq!(waker.times(), 2);
    assert_eq!(poll(receive.as_mut(), &waker), Poll::Ready(Ok(1)));
    assert_eq!(poll(pin!(&mut answer), &waker), Poll::Ready(Ok(1)));
}

/// An owner that its users drive.
struct Driven {
    wake_at: Option<Instant>,
    kept: mpsc::Sender<Resolver<u32>>,
    hoard: Vec<Resolver<u32>>,
}

enum Drive {
    Answer(Resolver<u32>),
    /// Passes it on to be answered elsewhere.
    Keep(Resolver<u32>),
    /// Keeps it until the owner ends.
    Hoard(Resolver<u32>),
    /// Wants to be woken then.
    WakeAt(Instant),
    /// Says that it has begun, and goes on when told.
    Hold(mpsc::Sender<()>, mpsc::Receiver<()>),
}

impl Handler for Driven {
    type Message = Drive;

    fn handle(&mut self, drive: Drive) {
        match drive {
            Drive::Answer(asker) => asker.resolve(1),
            Drive::Keep(asker) => self.kept.send(asker).unwrap(),
            Drive::Hoard(asker) => self.hoard.push(asker),
            Drive::WakeAt(time) => self.wake_at = Some(time),
            Drive::Hold(begun, go_on) => {
                begun.send(()).unwrap();
                go_on.recv().unwrap();
            }
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        self.wake_at
    }
}

fn driven(
    help_at_most: usize,
    wake_at: Option<Instant>,
) -> (Owner<Driven>, mpsc::Receiver<Resolver<u32>>) {
    let (kept, passed_on) = mpsc::channel();
    let options = OwnerOptions::named("driven")
        .driven_by(Driver::Users)
        .help_at_most(help_at_most);
    let owner = Local.owner_from(
        options,
        Driven {
            wake_at,
            kept,
            hoard: Vec::new(),
        },
    );
    (owner.unwrap(), passed_on)
}

/// A thread that is inside of the owner's handler, and leaves it when told.
struct Held(mpsc::Sender<()>, thread::JoinHandle<Port<Drive>>);

impl Held {
    fn at(owner: &Owner<Driven>) -> Self {
        let (begun, has_begun) = mpsc::channel();
        let (go_on, told) = mpsc::channel();
        let handle = owner.handle();
        let thread = thread::spawn(move || {
            let port = handle.attach().unwrap();
            assert!(port.send_and_help(Drive::Hold(begun, told)).is_ok());
            port
        });
        has_begun.recv_timeout(LONG).unwrap();
        Self(go_on, thread)
    }

    /// Leaves the handler, and handles what is left of its budget. Dropping the port would help once more.
    fn end(self) -> Port<Drive> {
        self.0.send(()).unwrap();
        self.1.join().unwrap()
    }
}

/// The same for a task that waits for an owner driven by its users, while another user is inside of the handler for long: it
/// is woken when that leaves its work to others, or has done it.
#[test]
fn kanal_11_a_task_that_could_help_is_left_alone_while_another_is_at_it() {
    // The holder has handled its own message alone, or all that there are.
    for help_at_most in [1, 256] {
        let (owner, _kept) = driven(help_at_most, None);
        let port = owner.attach().unwrap();
        let held = Held::at(&owner);
        let waker = Arc::<Woken>::default();
        let mut answer = pin!(port.ask(Drive::Answer).ok().unwrap());
        for _ in 0..10 {
            assert!(poll(answer.as_mut(), &waker).is_pending());
        }
        assert_eq!(waker.times(), 0, "the other is still at it");
        let _port = held.end();
        assert_eq!(waker.times(), 1, "budget {help_at_most}");
        assert_eq!(poll(answer.as_mut(), &waker), Poll::Ready(Ok(1)));
    }
}

/// The same for one that awaits several owners at once.
#[test]
fn kanal_11_a_task_that_could_help_several_is_left_alone() {
    let owners = [driven(1, None), driven(1, None), driven(1, None)];
    let ports = owners.each_ref().map(|(owner, _)| owner.attach().unwrap());
    let held: Vec<Held> = owners[1..]
        .iter()
        .map(|(owner, _)| Held::at(owner))
        .collect();
    let mut parts = ports
        .iter()
        .map(|port| port.ask(Drive::Answer).ok().unwrap());
    let (first, second) = (parts.next().unwrap(), parts.next().unwrap());
    let inner = Completion::join(parts);
    assert!(!inner.is_done());
    let waker = Arc::<Woken>::default();
    let mut both = pin!(Completion::join([first, second]));
    let mut inner = pin!(inner);
    for _ in 0..10 {
        assert!(poll(both.as_mut(), &waker).is_pending());
        assert!(poll(inner.as_mut(), &waker).is_pending());
    }
    assert_eq!(waker.times(), 0, "the others are still at it");
    let _ports: Vec<_> = held.into_iter().map(Held::end).collect();
    assert_eq!(waker.times(), 2);
    assert_eq!(
        poll(both.as_mut(), &waker),
        Poll::Ready(Ok(vec![Ok(1), Ok(1)]))
    );
    assert_eq!(poll(inner.as_mut(), &waker), Poll::Ready(Ok(vec![Ok(1)])));
}

/// The same where nothing is left to help with until a time that is far off: nobody looks at the clock again and again.
#[test]
fn kanal_11_a_task_that_could_help_later_is_left_alone() {
    let (owner, kept) = driven(256, Some(Instant::now() + 100 * LONG));
    let port = owner.attach().unwrap();
    let waker = Arc::<Woken>::default();
    let mut answer = pin!(port.ask(Drive::Keep).ok().unwrap());
    for _ in 0..10 {
        assert!(poll(answer.as_mut(), &waker).is_pending());
    }
    assert_eq!(waker.times(), 0, "it is far off");
    kept.recv_timeout(LONG).unwrap().resolve(1);
    assert_eq!(waker.times(), 1);
    assert_eq!(poll(answer.as_mut(), &waker), Poll::Ready(Ok(1)));
}

/// It is not left alone for ever: one that found nothing to help with is woken when another user leaves work to others.
#[test]
fn kanal_11_a_task_that_found_nothing_to_help_with_is_woken_for_more() {
    let (owner, _kept) = driven(1, None);
    let (port, other) = (owner.attach().unwrap(), owner.attach().unwrap());
    let waker = Arc::<Woken>::default();
    let mut answer = pin!(port.ask(Drive::Keep).ok().unwrap());
    assert!(poll(answer.as_mut(), &waker).is_pending());
    let held = Held::at(&owner);
    let second = other.ask(Drive::Answer).ok().unwrap();
    assert_eq!(waker.times(), 0, "the other is still at it");
    let _port = held.end();
    assert_eq!(waker.times(), 1, "the second message is left");
    assert!(poll(answer.as_mut(), &waker).is_pending());
    assert!(second.is_done(), "the task has helped");
    assert_eq!(waker.times(), 1, "nothing is left");
}

/// The same where nothing is left to others, and the handler wants to be woken soon.
#[test]
fn kanal_11_a_task_that_found_nothing_to_help_with_is_woken_for_what_is_due_soon() {
    let (owner, _kept) = driven(256, None);
    let (port, other) = (owner.attach().unwrap(), owner.attach().unwrap());
    let waker = Arc::<Woken>::default();
    let mut answer = pin!(port.ask(Drive::Keep).ok().unwrap());
    assert!(poll(answer.as_mut(), &waker).is_pending());
    let far = Instant::now() + 100 * LONG;
    assert!(other.send_and_help(Drive::WakeAt(far)).is_ok());
    assert_eq!(waker.times(), 0, "it is far off");
    assert!(other.send_and_help(Drive::WakeAt(Instant::now())).is_ok());
    assert_eq!(waker.times(), 1, "it is to come again until then");
}

/// Nor is it where a user goes without helping: one that closes the owner, or that unwinds.
#[test]
fn kanal_11_a_task_that_found_nothing_to_help_with_is_woken_for_what_nobody_else_does() {
    let (owner, _kept) = driven(256, None);
    let (port, other) = (owner.attach().unwrap(), owner.attach().unwrap());
    let waker = Arc::<Woken>::default();
    let mut answer = pin!(port.ask(Drive::Hoard).ok().unwrap());
    assert!(poll(answer.as_mut(), &waker).is_pending());
    let second = other.ask(Drive::Answer).ok().unwrap();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _port = other;
        resume_unwind(Box::new(()));
    }));
    assert!(unwound.is_err());
    assert_eq!(waker.times(), 1, "the message is left");
    assert!(poll(answer.as_mut(), &waker).is_pending());
    assert!(second.is_done(), "the task has helped");
    owner.handle().close();
    assert_eq!(waker.times(), 2, "the end is left");
    let abandoned = Err(CompletionError::Abandoned);
    assert_eq!(poll(answer.as_mut(), &waker), Poll::Ready(abandoned));
}

/// The same for a thread: it sleeps in the end, whatever it waits for.
#[test]
#[cfg(all(target_os = "linux", not(miri)))]
fn kanal_11_a_thread_that_waits_sleeps() {
    type Wait = fn(Handle<Queue<u32>>, Completion<u32>);
    let all: [Wait; 2] = [
        |queue, _answer| {
            let mut receiver = queue.attach_receiver().unwrap();
            assert_eq!(receiver.recv_timeout(LONG), Ok(1));
        },
        |_queue, mut answer| assert_eq!(answer.wait_timeout(LONG), Ok(1)),
    ];
    for wait in all {
        let queue = bounded(1);
        let sender = queue.attach_sender().unwrap();
        let (resolver, answer) = agate::completion::<u32>();
        // Nothing comes before it sleeps: if it does not, this ends with a failed assertion.
        let waiting = spawn_asleep(move || wait(queue, answer));
        let _ = sender.try_send(1);
        resolver.resolve(1);
        waiting.join().unwrap();
    }
}
