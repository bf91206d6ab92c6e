//! Schedules: whole owners and queues under load, run by shuttle through interleavings drawn at random.
//!
//! Loom tries every order of a small protocol; these draw some orders of everything at once. Shuttle reports a deadlock
//! where somebody would wait for ever: there no wait ends by its deadline.
//!
//! Run with `RUSTFLAGS="--cfg shuttle" cargo test -p agate --release --lib`. A failure prints the schedule, which
//! `shuttle::replay` runs again.

mod ends;
mod load;
mod queue;
mod users;

use std::time::Duration;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

/// Beyond every real time that a schedule takes.
const LONG: Duration = Duration::from_secs(1_000_000);

const SEED: u64 = 0x00A6_A7E0;

/// Runs a schedule in some hundred random orders, the same each time; in some thousands where `AGATE_DEEP` is set.
fn run(schedule: impl Fn() + Sync + Send + Clone + 'static) {
    let orders = if std::env::var_os("AGATE_DEEP").is_some() {
        4000
    } else {
        200
    };
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    let random = RandomScheduler::new_from_seed(SEED, orders);
    Runner::new(random, config.clone()).run(schedule.clone());
    // With few changes of who goes first: long runs of one thread while another stands still anywhere.
    let few_changes = PctScheduler::new_from_seed(SEED, 3, orders);
    Runner::new(few_changes, config).run(schedule);
}
