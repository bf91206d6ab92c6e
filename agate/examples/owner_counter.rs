//! A counter that one thread owns, and many threads count with: no lock, and nobody waits to count.

use std::error::Error;
use std::thread;
use std::time::Duration;

use agate::{Handler, Limits, Local, OwnerOptions, Pending, Resolver, Scope};

const THREADS: u64 = 4;
const EACH: u64 = 50_000;
const LONG: Duration = Duration::from_secs(60);

/// What the owner's thread alone touches.
#[derive(Default)]
struct Counter {
    total: u64,
}

enum Count {
    Add(u64),
    Total(Resolver<u64>),
}

impl Handler for Counter {
    type Message = Count;

    fn handle(&mut self, message: Count) {
        match message {
            Count::Add(n) => self.total += n,
            Count::Total(asker) => asker.resolve(self.total),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = OwnerOptions::named("counter").limits(Limits::senders(THREADS as usize + 1));
    let counter = Local.owner_from(options, Counter::default())?;

    let port = counter.attach()?;
    let counting: Vec<_> = (0..THREADS)
        .map(|_| {
            let port = port.try_clone()?; // a lane of its own for each thread
            Ok(thread::spawn(move || {
                for _ in 0..EACH {
                    port.send(Count::Add(1)).expect("the counter is alive");
                }
                // The answer comes after all that this port has sent before.
                let mut total = port.ask(Count::Total).expect("the counter is alive");
                total.wait_timeout(LONG).expect("the counter answers")
            }))
        })
        .collect::<Result<_, agate::AttachError>>()?;
    for thread in counting {
        let seen = thread.join().expect("no thread panics");
        assert!(
            (EACH..=THREADS * EACH).contains(&seen),
            "each sees at least its own"
        );
    }

    // Everybody else has been answered, so everything was counted.
    let total = port.ask(Count::Total)?.wait_timeout(LONG)?;
    assert_eq!(total, THREADS * EACH);
    let batches = counter.stats().batches;
    let report = counter.shutdown(Pending::Drain, LONG)?;
    assert_eq!(report.handled, THREADS * EACH + THREADS + 1);
    assert_eq!(report.discarded, 0);
    println!(
        "{THREADS} threads counted to {total}, in {batches} batches of the owner's, without a lock"
    );
    Ok(())
}
