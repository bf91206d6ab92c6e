//! Owners that their users drive, several of them at once.

use shuttle::thread;

use super::load::{EACH, Ledger, Notes, Tell, come_and_go};
use super::{LONG, run};
use crate::handle::Handle;
use crate::owner::{Driver, Inbox, Owner, OwnerOptions, Pending};
use crate::scope::{Local, Scope};

const USERS: usize = 3;

fn owner(help_at_most: usize) -> Owner<Notes> {
    let options = OwnerOptions::named("scheduled").driven_by(Driver::Users);
    Local
        .owner_from(options.help_at_most(help_at_most), Notes::of(USERS))
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

fn send_and_help(inbox: &Handle<Inbox<Tell>>, ledger: &Ledger, user: usize) {
    let port = inbox.attach().unwrap();
    for number in EACH * user..EACH * (user + 1) {
        ledger.accept(number);
        let sent = port.send_and_help(Tell::Note(ledger.message(number)));
        assert!(sent.is_ok());
    }
}

/// Nobody's budget is used up, so the last look of whoever drives must be enough: no wait tries again by itself here.
#[test]
fn users_who_help_answer_everybody() {
    run(|| {
        let ledger = Ledger::new(EACH * USERS);
        let owner = owner(256);
        let users = users(&owner, &ledger);
        users.into_iter().for_each(|user| user.join().unwrap());
        let all = (EACH * USERS) as u64;
        assert_eq!(ledger.handled(), all, "before any other drives");
        let report = owner.shutdown(Pending::Drain, LONG).unwrap();
        assert_eq!((report.handled, report.discarded), (all, 0));
        ledger.settle();
    });
}

/// Users with a budget of one message, who do not wait: all is handled by them or by the end.
#[test]
fn what_budgets_leave_is_handled_by_the_next() {
    run(|| {
        let ledger = Ledger::new(EACH * USERS);
        let owner = owner(1);
        let users: Vec<_> = (0..USERS)
            .map(|user| {
                let (inbox, ledger) = (owner.handle(), ledger.clone());
                thread::spawn(move || send_and_help(&inbox, &ledger, user))
            })
            .collect();
        users.into_iter().for_each(|user| user.join().unwrap());
        let report = owner.shutdown(Pending::Drain, LONG).unwrap();
        assert_eq!(report.handled, (EACH * USERS) as u64);
        assert_eq!(report.handled, ledger.handled());
        ledger.settle();
    });
}

#[test]
fn an_end_amid_users_who_help_accounts_for_everything() {
    for pending in [Pending::Drain, Pending::Discard] {
        run(move || {
            let ledger = Ledger::new(EACH * USERS);
            let owner = owner(1);
            let users = users(&owner, &ledger);
            thread::yield_now();
            let told = ledger.told();
            let report = owner.shutdown(pending, LONG).unwrap();
            users.into_iter().for_each(|user| user.join().unwrap());
            assert_eq!(report.handled, ledger.handled());
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
