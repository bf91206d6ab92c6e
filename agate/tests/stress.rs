//! Stress: many threads, everything at once. What is asserted does not depend on who was faster.
//!
//! A test takes a second or so; with `AGATE_DEEP` set, ten times as long. Made for a thread sanitizer, and for one
//! processor too: whoever cannot get on yields or parks.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

use agate::{
    AttachError, BlockOptions, BlockPool, Capacity, Completion, CompletionError, CompletionPool,
    Handler, Limits, Local, OwnerOptions, Pending, RecvError, Resolver, Scope, SendError,
    StreamError, TryRecvError, TrySendError, WaitError, WaitMode,
};

const LONG: Duration = Duration::from_secs(120);
const KINDS: [Capacity; 3] = [
    Capacity::Bounded(1),
    Capacity::Bounded(48),
    Capacity::Unbounded,
];

/// How often: a little under Miri, ten times as often when asked to go deep.
fn times(normal: usize) -> usize {
    if cfg!(miri) {
        (normal / 500).clamp(2, 30)
    } else if std::env::var_os("AGATE_DEEP").is_some() {
        normal * 10
    } else {
        normal
    }
}

/// Counts the letters that are somewhere; each is counted down once.
#[derive(Debug)]
struct Letter(Arc<AtomicUsize>, (usize, usize));

impl Letter {
    fn new(alive: &Arc<AtomicUsize>, from: usize, number: usize) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(alive), (from, number))
    }
}

impl Drop for Letter {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A small random number, from a state that is moved on.
fn random(state: &mut u64, below: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % below
}

#[test]
fn senders_that_come_and_go_while_the_receiver_sleeps_and_drains() {
    let visits = times(2_000);
    for capacity in KINDS {
        let queue = Local
            .queue::<(usize, usize)>(Limits::senders(3), capacity)
            .unwrap();
        let mut receiver = queue.attach_receiver().unwrap();
        let threads: Vec<_> = (0..5)
            .map(|id| {
                let queue = queue.clone();
                thread::spawn(move || {
                    let mut state = id as u64 + 1;
                    for visit in 0..visits {
                        // Five want three places.
                        let sender = loop {
                            match queue.attach_sender() {
                                Ok(sender) => break sender,
                                Err(AttachError::LimitReached { .. }) => thread::yield_now(),
                                Err(error) => panic!("{error}"),
                            }
                        };
                        for number in 0..random(&mut state, 9) as usize {
                            let mut message = (id * visits + visit, number);
                            while let Err(refused) = sender.try_send(message) {
                                message = refused.into_message();
                                thread::yield_now();
                            }
                        }
                    }
                })
            })
            .collect();
        drop(queue);
        let mut next = HashMap::new();
        let mut take = |(visit, number): (usize, usize)| {
            let next = next.entry(visit).or_insert(0);
            assert_eq!(number, *next, "in visit {visit}");
            *next += 1;
        };
        let mut ended = false;
        while !ended {
            receiver.drain().for_each(&mut take);
            match receiver.recv_timeout(LONG) {
                Ok(message) => take(message),
                // For a moment nobody may be attached; it is over when the threads are.
                Err(RecvError::Disconnected) => {
                    ended = threads.iter().all(thread::JoinHandle::is_finished);
                    thread::yield_now();
                }
                Err(error) => panic!("{error}"),
            }
        }
        threads.into_iter().for_each(|one| one.join().unwrap());
        while let Ok(message) = receiver.try_recv() {
            take(message);
        }
        let sent: usize = (0..5)
            .map(|id| {
                let mut state = id + 1;
                (0..visits)
                    .map(|_| random(&mut state, 9) as usize)
                    .sum::<usize>()
            })
            .sum();
        assert_eq!(next.values().sum::<usize>(), sent);
    }
}

#[test]
fn receivers_that_come_and_go_and_close_under_load() {
    for capacity in KINDS {
        for round in 0..times(300) {
            let alive = Arc::default();
            let queue = Local.queue(Limits::none(), capacity).unwrap();
            let start = Arc::new(Barrier::new(5));
            let senders: Vec<_> = (0..3)
                .map(|id| {
                    let (sender, start) = (queue.attach_sender().unwrap(), Arc::clone(&start));
                    let alive = Arc::clone(&alive);
                    thread::spawn(move || {
                        start.wait();
                        let mut number = 0;
                        loop {
                            match sender.try_send(Letter::new(&alive, id, number)) {
                                Ok(()) => number += 1,
                                Err(TrySendError::Full(_)) => thread::yield_now(),
                                Err(TrySendError::Closed(_)) => return number,
                            }
                        }
                    })
                })
                .collect();
            let receivers: Vec<_> = (0..2)
                .map(|_| {
                    let (queue, start) = (queue.clone(), Arc::clone(&start));
                    thread::spawn(move || {
                        start.wait();
                        let mut got = Vec::new();
                        for _ in 0..20 {
                            let Ok(mut receiver) = queue.attach_receiver() else {
                                thread::yield_now();
                                continue;
                            };
                            got.extend(receiver.drain().take(5).map(|letter| letter.1));
                            receiver.detach();
                        }
                        // One way of closing or the other.
                        if round % 2 == 0 {
                            queue.close();
                        } else if let Ok(receiver) = queue.attach_receiver() {
                            drop(receiver);
                        } else {
                            queue.close();
                        }
                        got
                    })
                })
                .collect();
            let sent: Vec<usize> = senders.into_iter().map(|one| one.join().unwrap()).collect();
            let mut got: Vec<_> = receivers
                .into_iter()
                .flat_map(|one| one.join().unwrap())
                .collect();
            if let Ok(mut receiver) = queue.attach_receiver() {
                while let Ok(letter) = receiver.try_recv() {
                    got.push(letter.1);
                }
                assert!(matches!(
                    receiver.try_recv(),
                    Err(TryRecvError::Disconnected)
                ));
            }
            got.sort_unstable();
            for (from, &sent) in sent.iter().enumerate() {
                let numbers: Vec<_> = got.iter().filter(|one| one.0 == from).collect();
                assert!(
                    numbers.iter().enumerate().all(|(at, one)| one.1 == at),
                    "a beginning, without gaps or repetitions"
                );
                assert!(numbers.len() <= sent);
            }
            drop(queue);
            assert_eq!(alive.load(Ordering::Relaxed), 0);
        }
    }
}

#[test]
fn both_sides_sleep_for_each_other() {
    let rounds = times(20_000);
    let make = || {
        Local
            .queue::<usize>(Limits::senders(4), Capacity::bounded(8))
            .unwrap()
    };
    // Three pairs on fewer processors, in bursts of one to eight.
    let pairs: Vec<_> = (0..3_u64)
        .map(|pair| {
            let (there, back) = (make(), make());
            let (to, mut from) = (
                there.attach_sender().unwrap(),
                back.attach_receiver().unwrap(),
            );
            let (mut at, answer) = (
                there.attach_receiver().unwrap(),
                back.attach_sender().unwrap(),
            );
            let echo = thread::spawn(move || {
                while let Ok(number) = at.wait_recv() {
                    answer.try_send(number).unwrap();
                }
            });
            let asking = thread::spawn(move || {
                let mut state = pair + 7;
                let mut number = 0;
                while number < rounds {
                    let burst = number..number + 1 + random(&mut state, 8) as usize;
                    let sent = to.try_send_batch(&mut burst.clone());
                    assert_eq!(sent, Ok(burst.len()), "all before came back");
                    for expected in burst.clone() {
                        assert_eq!(from.recv_timeout(LONG), Ok(expected));
                    }
                    number = burst.end;
                }
            });
            (echo, asking)
        })
        .collect();
    for (echo, asking) in pairs {
        asking.join().unwrap();
        echo.join().unwrap();
    }
}

#[test]
fn streams_with_few_blocks_under_load() {
    let each = times(10_000);
    for max_blocks in [4, 64] {
        let options = BlockOptions {
            block_bytes: 256,
            max_blocks,
        };
        let pool = BlockPool::new(options).unwrap();
        let stream = Local.stream(Limits::none(), &pool);
        let mut receiver = stream.attach_receiver().unwrap();
        let senders: Vec<_> = (0..3_u8)
            .map(|id| {
                let mut sender = stream.attach_sender().unwrap();
                thread::spawn(move || {
                    let mut state = u64::from(id) + 3;
                    for number in 0..each {
                        let mut text = vec![id; random(&mut state, 200) as usize + 8];
                        text[1..5].copy_from_slice(&(number as u32).to_le_bytes());
                        loop {
                            match sender.try_send(&text) {
                                Ok(()) => break,
                                Err(StreamError::OutOfBlocks(_)) => thread::yield_now(),
                                Err(error) => panic!("{error}"),
                            }
                        }
                        if number % 7 == 0 {
                            sender = sender.try_clone().unwrap();
                        } else if number % 3 == 0 {
                            sender.flush().unwrap();
                        }
                    }
                })
            })
            .collect();
        let mut seen: Vec<_> = (0..3).map(|_| vec![false; each]).collect();
        while let Ok(text) = receiver.recv_timeout(LONG) {
            let (id, number) = (text[0], u32::from_le_bytes(text[1..5].try_into().unwrap()));
            assert!(text[5..].iter().all(|&byte| byte == id));
            let seen = &mut seen[usize::from(id)][number as usize];
            assert!(!std::mem::replace(seen, true), "{id}: {number} came twice");
        }
        senders.into_iter().for_each(|one| one.join().unwrap());
        assert!(seen.into_iter().flatten().all(|seen| seen));
        drop(receiver);
        assert_eq!(pool.stats().in_use, 0);
    }
}

/// Adds, answers, keeps answers back, and panics when told.
struct Sum {
    total: usize,
    later: Vec<Resolver<usize>>,
}

enum Order {
    Add(usize),
    Total(Resolver<usize>),
    Later(Resolver<usize>),
    Panic,
}

impl Handler for Sum {
    type Message = Order;

    fn handle(&mut self, order: Order) {
        match order {
            Order::Add(number) => self.total += number,
            Order::Total(asker) => asker.resolve(self.total),
            Order::Later(asker) => self.later.push(asker),
            Order::Panic => panic!("as told"),
        }
    }

    fn batch_end(&mut self) {
        for asker in self.later.drain(..) {
            asker.resolve(self.total);
        }
    }
}

#[test]
fn owners_that_end_in_every_way_under_load_answer_everyone() {
    for round in 0..times(200) {
        let mode = match round % 3 {
            0 => WaitMode::Poll(Duration::from_micros(50)),
            _ => WaitMode::Wake,
        };
        let options = OwnerOptions::named("sum")
            .wait_mode(mode)
            .drop_deadline(LONG);
        let make = || Sum {
            total: 0,
            later: Vec::new(),
        };
        let owner = Local.owner_with(options, make).unwrap();
        let start = Arc::new(Barrier::new(4));
        let users: Vec<_> = (0..3)
            .map(|id| {
                let (handle, start) = (owner.handle(), Arc::clone(&start));
                thread::spawn(move || {
                    start.wait();
                    let (mut accepted, mut answers) = (0, Vec::<Completion<usize>>::new());
                    for number in 0..10 * times(100) {
                        let Ok(port) = handle.attach() else { break };
                        let sent = match number % 5 {
                            0 | 1 => port.send(Order::Add(1)),
                            2 => port.ask(Order::Total).map(|answer| answers.push(answer)),
                            3 => port.ask(Order::Later).map(|answer| answers.push(answer)),
                            _ if id == 0 && number == 499 && round % 4 == 0 => {
                                port.send(Order::Panic)
                            }
                            _ => port.send(Order::Add(1)),
                        };
                        match sent {
                            Ok(()) => accepted += 1,
                            Err(SendError::Closed(_)) => break,
                            Err(error) => panic!("{error}"),
                        }
                    }
                    for mut answer in answers {
                        match answer.wait_timeout(LONG) {
                            Ok(_)
                            | Err(WaitError::Failed(
                                CompletionError::Abandoned | CompletionError::OwnerPanicked,
                            )) => {}
                            Err(error) => panic!("an answer that never came: {error}"),
                        }
                    }
                    accepted
                })
            })
            .collect();
        start.wait();
        (0..round % 50).for_each(|_| thread::yield_now());
        let counted = match round % 3 {
            0 => Some(owner.shutdown(Pending::Drain, LONG)),
            1 => Some(owner.shutdown(Pending::Discard, LONG)),
            _ => {
                drop(owner);
                None
            }
        };
        let accepted: u64 = users.into_iter().map(|user| user.join().unwrap()).sum();
        match counted {
            // What is sent at the very end may be dropped by its sender.
            Some(Ok(report)) => assert!(report.handled + report.discarded <= accepted),
            Some(Err(error)) => assert_eq!(error.panic_message(), Some("as told")),
            None => {}
        }
    }
}

#[test]
fn completions_are_answered_waited_for_and_given_up_at_once() {
    let rounds = times(20_000);
    let alive = Arc::<AtomicUsize>::default();
    let pool = CompletionPool::<Letter>::new();
    let (give, given) = mpsc::sync_channel::<Resolver<Letter>>(16);
    let answering = {
        let alive = Arc::clone(&alive);
        thread::spawn(move || {
            for (number, resolver) in given.into_iter().enumerate() {
                match number % 4 {
                    0 => drop(resolver),
                    1 => drop(resolver.try_resolve(Letter::new(&alive, 0, number))),
                    _ => resolver.resolve(Letter::new(&alive, 0, number)),
                }
            }
        })
    };
    let mut state = 5;
    for number in 0..rounds {
        let (resolver, mut answer) = pool.pair();
        give.send(resolver).unwrap();
        match random(&mut state, 4) {
            0 => drop(answer),
            1 => drop(answer.poll()),
            2 => match answer.wait_timeout(Duration::from_nanos(300)) {
                Ok(letter) => assert_eq!(letter.1, (0, number)),
                Err(WaitError::TimedOut) => drop(answer),
                Err(error) => {
                    assert_eq!(error, WaitError::Failed(CompletionError::Abandoned));
                }
            },
            _ => match answer.wait_timeout(LONG) {
                Ok(letter) => assert_eq!(letter.1, (0, number)),
                Err(error) => {
                    assert_eq!(error, WaitError::Failed(CompletionError::Abandoned));
                    assert_eq!(number % 4, 0);
                }
            },
        }
    }
    drop(give);
    answering.join().unwrap();
    drop(pool);
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

#[test]
fn blocks_are_taken_and_given_back_by_everyone() {
    let rounds = times(20_000);
    let options = BlockOptions {
        block_bytes: 64,
        max_blocks: 5,
    };
    let pool = BlockPool::new(options).unwrap();
    let (over, quit) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (pool, over, quit) = (pool.clone(), Arc::clone(&over), Arc::clone(&quit));
            thread::spawn(move || {
                for _ in 0..rounds {
                    match (pool.try_take(), pool.try_take()) {
                        (Ok(one), Ok(other)) => assert_ne!(one.as_ptr(), other.as_ptr()),
                        (Ok(_), Err(_)) | (Err(_), Ok(_)) => {}
                        (Err(_), Err(_)) => drop(over.fetch_add(1, Ordering::Relaxed)),
                    }
                    if pool.stats().in_use > 5 {
                        quit.store(true, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|one| one.join().unwrap());
    let stats = pool.stats();
    assert!(stats.allocated <= 5 && stats.high_water <= 5 && stats.in_use == 0);
    assert!(!quit.load(Ordering::Relaxed), "more taken than there are");
}
