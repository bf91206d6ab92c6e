//! Owners with threads of their own, and how they end while users come and go.

use shuttle::thread;

use super::load::{EACH, Ledger, Notes, Tell, come_and_go};
use super::{LONG, run};
use crate::owner::{Owner, OwnerOptions, Pending, ShutdownError};
use crate::scope::{Local, Scope};

const USERS: usize = 3;

fn owner(users: usize) -> Owner<Notes> {
    Local
        .owner_from(OwnerOptions::named("scheduled"), Notes::of(users))
        .unwrap()
}

fn users(owner: &Owner<Notes>, ledger: &Ledger) -> Vec<thread::JoinHandle<()>> {
    (0..USERS)
        .map(|user| {
            let (inbox, ledger) = (owner.handle(), ledger.clone());
            thread::spawn(move || come_and_go(&inbox, &ledger, user))
        })
        .collect()
}

fn join(users: Vec<thread::JoinHandle<()>>) {
    users.into_iter().for_each(|user| user.join().unwrap());
}

#[test]
fn an_owner_under_load_answers_everybody() {
    run(|| {
        let ledger = Ledger::new(EACH * USERS);
        let owner = owner(USERS);
        join(users(&owner, &ledger));
        let report = owner.shutdown(Pending::Drain, LONG).unwrap();
        let all = (EACH * USERS) as u64;
        assert_eq!((report.handled, report.discarded), (all, 0));
        assert_eq!(ledger.handled(), all);
        ledger.settle();
    });
}

#[test]
fn an_owner_that_is_shut_down_under_load_accounts_for_everything() {
    for pending in [Pending::Drain, Pending::Discard] {
        run(move || {
            let ledger = Ledger::new(EACH * USERS);
            let owner = owner(USERS);
            let users = users(&owner, &ledger);
            thread::yield_now();
            let told = ledger.told();
            let report = owner.shutdown(pending, LONG).unwrap();
            assert_eq!(report.handled, ledger.handled());
            join(users);
            assert_eq!(report.handled, ledger.handled(), "handled after the end");
            assert!(report.handled + report.discarded <= ledger.accepted());
            if pending == Pending::Drain {
                assert!(told.into_iter().all(|number| ledger.was_handled(number)));
                // What each user was just sending at the close.
                assert!(report.discarded <= USERS as u64);
            }
            ledger.settle();
        });
    }
}

#[test]
fn a_panic_under_load_lets_everybody_go() {
    run(|| {
        let ledger = Ledger::new(EACH * USERS + 1);
        let owner = owner(USERS);
        let users = users(&owner, &ledger);
        let port = owner.attach().unwrap();
        ledger.accept(EACH * USERS);
        port.send(Tell::Panic(ledger.message(EACH * USERS)))
            .unwrap();
        join(users);
        let Err(error) = owner.shutdown(Pending::Drain, LONG) else {
            panic!("the handler panicked");
        };
        assert_eq!(error.panic_message(), Some("told to"));
        let ShutdownError::Panicked { report, .. } = error else {
            unreachable!("it has the message of a panic");
        };
        assert_eq!(report.handled, ledger.handled());
        assert!(port.is_closed());
        drop(port);
        ledger.settle();
    });
}

/// Dropped without shutdown, an owner discards what is left; its users are told.
#[test]
fn an_owner_that_is_dropped_under_load_lets_everybody_go() {
    run(|| {
        let ledger = Ledger::new(EACH * USERS);
        let owner = owner(USERS);
        let users = users(&owner, &ledger);
        drop(owner);
        join(users);
        ledger.settle();
    });
}
