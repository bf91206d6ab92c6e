//! The pools' owner wants to be driven at other times, while its keeper plans for when to drive it.

use loom::sync::Arc;
use loom::thread;

use super::check;
use crate::keeper::{NEVER, Times};
use crate::turnstile::Fault;

/// The keeper planned for time 5, which the owner wants no more. It plans again, while the owner wants another time; when
/// it is told to, it plans once more.
fn wants(at: u64, fault: Option<Fault>) {
    check(3, move || {
        let mut times = Times::new();
        times.planned.fault = fault;
        times.want(5);
        times.plan();
        times.want(NEVER);
        let times = Arc::new(times);
        let owner = {
            let times = Arc::clone(&times);
            thread::spawn(move || times.want(at))
        };
        let mut planned = times.plan();
        if owner.join().unwrap() {
            planned = times.plan();
        }
        assert!(planned <= at, "it sleeps too long: until {planned}");
    });
}

#[test]
fn the_keeper_plans_for_the_newest_time_or_is_told_to() {
    wants(4, None);
    wants(7, None);
}

/// The mutants.
mod mutants {
    use super::{Fault, wants};

    #[test]
    #[should_panic(expected = "it sleeps too long")]
    fn an_owner_that_only_looks_leaves_it_asleep() {
        wants(7, Some(Fault::Loads));
    }

    #[test]
    #[should_panic(expected = "it sleeps too long")]
    fn a_keeper_that_hears_nothing_sleeps() {
        wants(7, Some(Fault::SetHearsNothing));
    }
}
