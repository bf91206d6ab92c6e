//! Faults of the command queues of engines: locks held over calls, lost wake-ups, full rings, ends that hang.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use agate::{
    Capacity, Completion, Handle, Handler, Inbox, Limits, Local, Owner, OwnerOptions, Pending,
    Port, Queue, Receiver, Resolver, Scope, SendError, Sender, TrySendError,
};

use crate::deadline::{LONG, ends};
use crate::threads::spawn_asleep;

/// godot 112452: a command is executed while the queue's lock is held, so one that sends a command stops everything.
#[test]
fn godot_112452_a_handler_may_send_to_its_own_owner() {
    struct Countdown {
        inbox: Handle<Inbox<u32>>,
        own: Option<Port<u32>>,
        done: mpsc::Sender<()>,
    }
    impl Handler for Countdown {
        type Message = u32;
        fn handle(&mut self, number: u32) {
            let own = self.own.get_or_insert_with(|| self.inbox.attach().unwrap());
            match number.checked_sub(1) {
                None => self.done.send(()).unwrap(),
                Some(less) => {
                    // Through the port that it has, and through one that comes and goes.
                    own.send(less).unwrap();
                    self.inbox.attach().unwrap();
                }
            }
        }
    }
    ends(|| {
        let (tell_inbox, inbox) = mpsc::channel::<Handle<Inbox<u32>>>();
        let (done, is_done) = mpsc::channel();
        let owner = Local
            .owner_with(OwnerOptions::named("countdown"), move || Countdown {
                inbox: inbox.recv().unwrap(),
                own: None,
                done,
            })
            .unwrap();
        tell_inbox.send(owner.handle()).unwrap();
        let start = if cfg!(miri) { 30 } else { 3_000 };
        owner.attach().unwrap().send(start).unwrap();
        is_done.recv_timeout(LONG).unwrap();
        let report = owner.shutdown(Pending::Drain, LONG).unwrap();
        assert_eq!(report.handled, u64::from(start) + 1);
    });
}

/// The same from the other places where a user's code runs inside of a call: while draining, and in a message's drop.
#[test]
fn godot_112452_code_of_the_user_may_use_the_queue_wherever_it_runs() {
    #[derive(Debug)]
    struct Sends(Option<(Handle<Queue<Sends>>, Arc<AtomicUsize>)>);
    impl Drop for Sends {
        fn drop(&mut self) {
            let Some((queue, refused)) = self.0.take() else {
                return;
            };
            // While the receiver discards, nothing is accepted, and nobody hangs.
            match queue.attach_sender() {
                Ok(sender) => {
                    assert!(matches!(
                        sender.try_send(Self(None)),
                        Ok(()) | Err(TrySendError::Closed(_))
                    ));
                }
                Err(_) => drop(refused.fetch_add(1, Ordering::SeqCst)),
            }
        }
    }
    ends(|| {
        let refused = Arc::<AtomicUsize>::default();
        let queue = Local
            .queue::<Sends>(Limits::default(), Capacity::Unbounded)
            .unwrap();
        let sender = queue.attach_sender().unwrap();
        let mut receiver = queue.attach_receiver().unwrap();
        for _ in 0..10 {
            let message = Sends(Some((queue.clone(), Arc::clone(&refused))));
            sender.send(message).unwrap();
        }
        // Received and dropped in the middle of the drain: each sends another into the same queue.
        assert_eq!(receiver.drain().take(5).count(), 5);
        let mut more = 0;
        for mut message in receiver.drain() {
            if message.0.take().is_none() {
                sender.send(Sends(None)).unwrap();
                more += 1;
            }
            if more == 3 {
                break;
            }
        }
        assert_eq!(more, 3);
        let message = Sends(Some((queue.clone(), Arc::clone(&refused))));
        sender.send(message).unwrap();
        drop(receiver);
        assert!(
            refused.load(Ordering::SeqCst) >= 1,
            "discarded, and refused then"
        );
    });
}

/// godot 120941: a wake-up is lost, and a thread sleeps beside a full queue. Here each side sleeps for the other.
#[test]
fn godot_120941_no_wake_up_is_lost() {
    let rounds = if cfg!(miri) { 50 } else { 30_000 };
    ends(move || {
        let make = |capacity| Local.queue::<u32>(Limits::senders(1), capacity).unwrap();
        let (there, back) = (make(Capacity::bounded(1)), make(Capacity::Unbounded));
        let (to, mut from) = (
            there.attach_sender().unwrap(),
            back.attach_receiver().unwrap(),
        );
        let (mut at, answer) = (
            there.attach_receiver().unwrap(),
            back.attach_sender().unwrap(),
        );
        let echo = thread::spawn(move || {
            let mut seen = 0;
            while let Ok(number) = at.wait_recv() {
                // Late by a little more each time, so that the other side is caught at every point on its way to sleep.
                (0..number % 400).for_each(|_| std::hint::spin_loop());
                if number % 500 == 250 {
                    // So late that it is surely asleep.
                    let late = Instant::now() + Duration::from_millis(3);
                    while Instant::now() < late {
                        std::hint::spin_loop();
                    }
                }
                answer.send(number).unwrap();
                seen += 1;
            }
            seen
        });
        for number in 0..rounds {
            to.try_send(number).unwrap();
            (0..number % 300).for_each(|_| std::hint::spin_loop());
            // Without any time limit: a wake-up that is lost is never made good.
            assert_eq!(from.wait_recv(), Ok(number));
        }
        drop(to);
        assert_eq!(echo.join().unwrap(), rounds);
    });
}

/// A node of a ring of nodes that pass messages on through lanes that are all full.
struct Node {
    own: Receiver<u32>,
    next: Sender<u32>,
    /// What it has taken out and could not pass on yet.
    in_hand: Option<u32>,
    passed: u32,
}

impl Node {
    /// Takes one out if it has none, and passes on what it has; whether it got on.
    fn step(&mut self) -> bool {
        if self.in_hand.is_none() {
            self.in_hand = self.own.try_recv().ok();
        }
        let Some(number) = self.in_hand.take() else {
            return false;
        };
        match self.next.try_send(number) {
            Ok(()) => {
                self.passed += 1;
                true
            }
            Err(refused) => {
                self.in_hand = Some(refused.into_message());
                false
            }
        }
    }
}

/// godot 42107: with the ring full, everyone flushes it and waits for room that nobody makes.
#[test]
fn godot_42107_a_ring_of_full_rings_gets_on() {
    for capacity in [1, 2, 5] {
        let queues: Vec<_> = (0..3)
            .map(|_| {
                Local
                    .queue::<u32>(Limits::senders(1), Capacity::bounded(capacity))
                    .unwrap()
            })
            .collect();
        let mut nodes: Vec<Node> = (0..3)
            .map(|at| Node {
                own: queues[at].attach_receiver().unwrap(),
                next: queues[(at + 1) % 3].attach_sender().unwrap(),
                in_hand: None,
                passed: 0,
            })
            .collect();
        for node in &nodes {
            let sent = node.next.try_send_batch(&mut (0..100));
            assert_eq!(sent, Ok(capacity), "all lanes are full");
        }
        for _ in 0..100 {
            let went = nodes
                .iter_mut()
                .filter_map(|node| node.step().then_some(()))
                .count();
            assert!(went > 0, "everyone waits for room");
        }
        assert!(
            nodes.iter().all(|node| node.passed >= 20),
            "and everyone gets on"
        );
    }
}

/// All orders of so many things.
fn orders(of: usize) -> Vec<Vec<usize>> {
    if of == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for order in orders(of - 1) {
        for at in 0..of {
            let mut order = order.clone();
            order.insert(at, of - 1);
            all.push(order);
        }
    }
    all
}

/// Tells when it is dropped.
struct Told(Option<mpsc::Sender<()>>);

impl Handler for Told {
    type Message = Resolver<u32>;
    fn handle(&mut self, asker: Resolver<u32>) {
        asker.resolve(1);
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if let Some(tell) = self.0.take() {
            let _ = tell.send(());
        }
    }
}

/// godot 96931, 117064: the end hangs, depending on who goes first.
#[test]
fn godot_96931_117064_whoever_goes_first_the_owner_ends() {
    struct Parts {
        owner: Option<Owner<Told>>,
        handle: Option<Handle<Inbox<Resolver<u32>>>>,
        port: Option<Port<Resolver<u32>>>,
        idle: Option<Port<Resolver<u32>>>,
        answer: Option<Completion<u32>>,
    }
    let all = orders(5);
    let some = if cfg!(miri) { 5 } else { all.len() };
    for order in all.into_iter().take(some) {
        let (tell, told) = mpsc::channel();
        let what = order.clone();
        ends(move || {
            let owner = Local.owner("told", Told(Some(tell))).unwrap();
            let port = owner.attach().unwrap();
            let mut parts = Parts {
                answer: Some(port.ask(|asker| asker).unwrap()),
                handle: Some(owner.handle()),
                idle: Some(owner.attach().unwrap()),
                port: Some(port),
                owner: Some(owner),
            };
            for part in order {
                match part {
                    0 => parts.owner = None,
                    1 => parts.handle = None,
                    2 => parts.port = None,
                    3 => parts.idle = None,
                    _ => parts.answer = None,
                }
            }
        });
        assert_eq!(told.recv_timeout(LONG), Ok(()), "the handler of {what:?}");
    }
}

/// The same for queues, with a thread that waits.
#[test]
fn godot_96931_117064_whoever_goes_first_a_waiting_receiver_ends() {
    for capacity in [Capacity::bounded(4), Capacity::Unbounded] {
        let all = orders(4);
        let some = if cfg!(miri) { 4 } else { all.len() };
        for order in all.into_iter().take(some) {
            ends(move || {
                let queue = Local.queue::<u32>(Limits::senders(2), capacity).unwrap();
                let mut receiver = queue.attach_receiver().unwrap();
                let mut handles = [Some(queue.clone()), Some(queue)];
                let attach = |handles: &[Option<Handle<Queue<u32>>>; 2]| {
                    handles[0].as_ref().unwrap().attach_sender().unwrap()
                };
                let mut senders = [Some(attach(&handles)), Some(attach(&handles))];
                senders[0].as_ref().unwrap().try_send(3).unwrap();
                // Awake it would find the end by itself.
                let mut waiting = Some(spawn_asleep(move || {
                    let mut sum = 0;
                    while let Ok(number) = receiver.wait_recv() {
                        sum += number;
                    }
                    sum
                }));
                for part in order {
                    match part {
                        0 | 1 => handles[part] = None,
                        _ => senders[part - 2] = None,
                    }
                    // That is the end, whoever goes later.
                    if senders.iter().all(Option::is_none) {
                        if let Some(waiting) = waiting.take() {
                            assert_eq!(waiting.join().unwrap(), 3);
                        }
                    }
                }
                assert!(waiting.is_none());
            });
        }
    }
}

/// And an owner that is in its handler when its last user goes, that shuts itself down, or that owns another.
#[test]
fn godot_96931_117064_an_owner_inside_an_owner_ends_with_it() {
    struct Outer {
        inner: RefCell<Option<Owner<Told>>>,
    }
    impl Handler for Outer {
        type Message = ();
        fn handle(&mut self, (): ()) {
            let inner = self.inner.borrow();
            let port = inner.as_ref().unwrap().attach().unwrap();
            assert_eq!(port.ask(|asker| asker).unwrap().wait_timeout(LONG), Ok(1));
        }
    }
    let (tell, told) = mpsc::channel();
    ends(move || {
        let inner = Local.owner("inner", Told(Some(tell))).unwrap();
        let outer = Local
            .owner(
                "outer",
                Outer {
                    inner: RefCell::new(Some(inner)),
                },
            )
            .unwrap();
        let port = outer.attach().unwrap();
        port.send(()).unwrap();
        outer.shutdown(Pending::Drain, LONG).unwrap();
        assert_eq!(port.send(()), Err(SendError::Closed(())));
    });
    assert_eq!(told.recv_timeout(Duration::ZERO), Ok(()));
}
