//! Jobs of a thread pool that feed an owner and never block on it: rayon's threads are marked, so a wait that would
//! stall the pool is refused instead.

use std::error::Error;
use std::time::Duration;

use agate::{Handler, Local, OwnerOptions, Pending, Resolver, Scope, WaitError, WaitMode};
use rayon::prelude::*;

const JOBS: u64 = 2_000;
const LONG: Duration = Duration::from_secs(60);

/// Puts what jobs have computed into the order of the jobs, whatever order they finish in.
struct Collector {
    results: Vec<Option<u64>>,
    missing: u64,
    /// Who gets them when all are there.
    asker: Option<Resolver<Vec<Option<u64>>>>,
}

/// What a job sends.
struct Done {
    job: u64,
    steps: u64,
}

impl Handler for Collector {
    type Message = Done;

    fn handle(&mut self, Done { job, steps }: Done) {
        let before = self.results[job as usize].replace(steps);
        assert_eq!(before, None, "each result arrives once");
        self.missing -= 1;
        // Messages of different ports are in no order, so the end is known by counting and not by a last message.
        if self.missing == 0 {
            if let Some(asker) = self.asker.take() {
                asker.resolve(std::mem::take(&mut self.results));
            }
        }
    }
}

/// The work: how many steps the Collatz sequence takes from `n` to 1.
fn steps_to_one(n: u64) -> u64 {
    let next = |n: &u64| (*n != 1).then(|| if n % 2 == 0 { n / 2 } else { 3 * n + 1 });
    std::iter::successors(Some(n), next).count() as u64 - 1
}

fn main() -> Result<(), Box<dyn Error>> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(2)
        .start_handler(|_| agate::forbid_wait())
        .build()?;

    let (asker, mut results) = agate::completion();
    let collector = Collector {
        results: vec![None; JOBS as usize],
        missing: JOBS,
        asker: Some(asker),
    };
    // The collector looks by itself every so often: then no job ever pays for a wake.
    let options =
        OwnerOptions::named("collector").wait_mode(WaitMode::Poll(Duration::from_micros(50)));
    let owner = Local.owner_from(options, collector)?;
    let handle = owner.handle();

    pool.install(|| {
        (0..JOBS).into_par_iter().for_each_init(
            || handle.attach().expect("there is no limit on ports"),
            |port, job| {
                let steps = steps_to_one(job + 1);
                port.send(Done { job, steps })
                    .expect("the collector is alive");
            },
        );
    });

    // A job must not wait: its thread may be needed for the very work that it would wait for.
    let (_asker, mut never) = agate::completion::<()>();
    let waited = pool.install(|| never.wait_timeout(LONG));
    assert_eq!(waited, Err(WaitError::WouldStall));

    let results = results.wait_timeout(LONG)?;
    let right = |(n, steps): (u64, &Option<u64>)| *steps == Some(steps_to_one(n));
    assert!((1..=JOBS).zip(&results).all(right));
    let report = owner.shutdown(Pending::Drain, LONG)?;
    assert_eq!(report.handled, JOBS);
    let longest = results.iter().flatten().max().expect("there were jobs");
    println!(
        "{JOBS} jobs on 2 threads of rayon's, none of which waited; the longest sequence took {longest} steps"
    );
    Ok(())
}
