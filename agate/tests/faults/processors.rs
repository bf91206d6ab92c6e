//! Faults that show when there are fewer processors than threads.

use std::thread;
use std::time::Duration;

use agate::{Capacity, Handler, Limits, Local, Pending, Resolver, Scope};

use crate::deadline::{LONG, ends_within};
use crate::threads::on_one_processor;

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
