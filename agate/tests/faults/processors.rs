//! Faults that show when there are fewer processors than threads.
#![allow(
    unsafe_code,
    reason = "the system call that binds a thread to a processor"
)]

use std::thread;
use std::time::Duration;

use agate::{Capacity, Handler, Limits, Local, Pending, Resolver, Scope};

use crate::deadline::{LONG, ends_within};

/// Binds this thread, and those that it starts from now on, to one processor: one on which it may run.
fn on_one_processor() {
    // SAFETY: a set of processors is plain bits, for which zeros are an empty set.
    let mut may: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::cpu_set_t>();
    // SAFETY: the kernel writes at most `size` bytes to a set of that size.
    let got = unsafe { libc::sched_getaffinity(0, size, &raw mut may) };
    assert_eq!(got, 0, "this thread's processors");
    let first = (0..size * 8)
        // SAFETY: within the bits of the set.
        .find(|&cpu| unsafe { libc::CPU_ISSET(cpu, &may) })
        .expect("it runs on one");
    // SAFETY: as above.
    let mut one: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: within the bits of the set.
    unsafe { libc::CPU_SET(first, &mut one) };
    // SAFETY: the kernel reads `size` bytes of a set of that size.
    let set = unsafe { libc::sched_setaffinity(0, size, &raw const one) };
    assert_eq!(set, 0, "bound to processor {first}");
}

/// crossbeam 821 (and 366): both sides spin, so with one processor each waits for the other's time slice to end.
/// That is milliseconds for each message; ours are microseconds.
#[test]
fn crossbeam_821_two_sides_on_one_processor_let_each_other_run() {
    const ROUNDS: u32 = 20_000;
    ends_within(Duration::from_secs(20), || {
        on_one_processor();
        let make = || {
            Local
                .queue::<u32>(Limits::senders(1), Capacity::bounded(4))
                .unwrap()
        };
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
        for number in 0..ROUNDS {
            to.try_send(number).unwrap();
            assert_eq!(from.wait_recv(), Ok(number));
        }
        drop(to);
        echo.join().unwrap();
    });
}

/// The same for completions: who waits for an answer lets the owner run.
#[test]
fn crossbeam_821_asking_on_one_processor_lets_the_owner_run() {
    struct Echo;
    impl Handler for Echo {
        type Message = (u32, Resolver<u32>);
        fn handle(&mut self, (number, asker): Self::Message) {
            asker.resolve(number);
        }
    }
    const ROUNDS: u32 = 20_000;
    ends_within(Duration::from_secs(20), || {
        on_one_processor();
        let owner = Local.owner("echo", Echo).unwrap();
        let port = owner.attach().unwrap();
        for number in 0..ROUNDS {
            let mut answer = port.ask(|asker| (number, asker)).unwrap();
            assert_eq!(answer.wait_timeout(LONG), Ok(number));
        }
        owner.shutdown(Pending::Drain, LONG).unwrap();
    });
}
