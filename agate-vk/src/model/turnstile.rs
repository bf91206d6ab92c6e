//! Two threads that pass a turnstile: whoever passes second sees what the first has changed.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use super::check;
use crate::turnstile::{Fault, Turnstile};

fn two_pass(fault: Option<Fault>) {
    check(3, move || {
        let mut turnstile = Turnstile::new(0);
        turnstile.fault = fault;
        let changed = [(); 2].map(|()| AtomicBool::new(false));
        let both = Arc::new((turnstile, changed));
        let other = {
            let both = Arc::clone(&both);
            thread::spawn(move || {
                let (turnstile, changed) = &*both;
                changed[0].store(true, Ordering::Relaxed);
                turnstile.set(1);
                changed[1].load(Ordering::Relaxed)
            })
        };
        let (turnstile, changed) = &*both;
        changed[1].store(true, Ordering::Relaxed);
        let second = turnstile.pass() == 1;
        let sees = changed[0].load(Ordering::Relaxed);
        assert!(sees || !second, "second, and blind");
        let seen = other.join().unwrap();
        assert!(seen || second, "first, and not seen");
    });
}

#[test]
fn whoever_passes_second_sees_what_the_first_has_changed() {
    two_pass(None);
}

/// The mutants.
mod mutants {
    use super::{Fault, two_pass};

    #[test]
    #[should_panic(expected = "first, and not seen")]
    fn with_a_load_two_miss_each_other() {
        two_pass(Some(Fault::Loads));
    }

    #[test]
    #[should_panic(expected = "first, and not seen")]
    fn a_pass_that_tells_nothing_is_not_seen() {
        two_pass(Some(Fault::PassTellsNothing));
    }

    #[test]
    #[should_panic(expected = "first, and not seen")]
    fn a_change_that_hears_nothing_does_not_see() {
        two_pass(Some(Fault::SetHearsNothing));
    }

    #[test]
    #[should_panic(expected = "second, and blind")]
    fn a_change_that_tells_nothing_is_not_seen() {
        two_pass(Some(Fault::SetTellsNothing));
    }
}
