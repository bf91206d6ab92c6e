//! A handler that waits at a port, on the thread that drives its owner: it is refused only what could never come.

use std::thread;
use std::time::Duration;

use agate::{
    CompletionPort, Driver, Handler, Local, NextError, OwnerOptions, Port, Resolver, Scope,
    WaitAnyError, WaitError, wait_any,
};

/// Much longer than anything here takes.
const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });

enum Ask {
    Own(Resolver<u32>),
    /// Runs inside of the handler, with a port to its own owner.
    Run(Port<Ask>, fn(&Port<Ask>)),
}

struct Runs;

impl Handler for Runs {
    type Message = Ask;

    fn handle(&mut self, ask: Ask) {
        match ask {
            Ask::Own(asker) => asker.resolve(1),
            Ask::Run(port, run) => run(&port),
        }
    }
}

/// Runs this inside of a handler; a panic there is one of the test.
fn inside(run: fn(&Port<Ask>)) {
    let options = OwnerOptions::named("runs").driven_by(Driver::Users);
    let owner = Local.owner_from(options, Runs).unwrap();
    let port = owner.attach().unwrap();
    let own = owner.attach().unwrap();
    assert!(port.send_and_help(Ask::Run(own, run)).is_ok());
    assert!(owner.is_alive(), "the handler has panicked");
}

/// An answer that another thread gives.
fn from_elsewhere() -> agate::Completion<u32> {
    let (resolver, answer) = agate::completion();
    thread::spawn(move || resolver.resolve(2));
    answer
}

#[test]
fn an_answer_of_its_own_owner_alone_is_refused() {
    inside(|port| {
        let mut arrivals = CompletionPort::new();
        port.ask(Ask::Own).unwrap().post_to(&arrivals, 1);
        assert_eq!(arrivals.wait_next().unwrap_err(), NextError::WouldStall);
        let waited = wait_any(&mut [&mut arrivals], LONG);
        assert_eq!(waited, Err(WaitAnyError::WouldStall));
        let mut answer = port.ask(Ask::Own).unwrap();
        assert_eq!(answer.wait_timeout(LONG), Err(WaitError::WouldStall));
    });
}

#[test]
fn what_comes_from_elsewhere_is_waited_for_beside_it() {
    inside(|port| {
        let mut arrivals = CompletionPort::new();
        port.ask(Ask::Own).unwrap().post_to(&arrivals, 1);
        for _ in 0..2 {
            from_elsewhere().post_to(&arrivals, 2);
            let arrival = arrivals.next_timeout(LONG).unwrap();
            assert_eq!((arrival.key, arrival.outcome), (2, Ok(2)));
        }
        from_elsewhere().post_to(&arrivals, 2);
        assert_eq!(wait_any(&mut [&mut arrivals], LONG), Ok(0));
        assert_eq!(arrivals.try_next().unwrap().key, 2);
        // What is left is its own.
        assert_eq!(arrivals.wait_next().unwrap_err(), NextError::WouldStall);
    });
}

#[test]
fn what_was_awaited_of_it_before_does_not_count() {
    inside(|port| {
        let mut arrivals = CompletionPort::new();
        // Taken back before it was handled, so it has arrived already.
        let mut gone = port.ask(Ask::Own).unwrap();
        assert_eq!(gone.cancel(), agate::Cancel::Cancelled);
        gone.post_to(&arrivals, 1);
        assert!(arrivals.try_next().is_some());
        from_elsewhere().post_to(&arrivals, 2);
        assert_eq!(arrivals.wait_next().unwrap().key, 2);
    });
}

/// Nobody can tell that the resolver has gone elsewhere, so this is refused too.
#[test]
fn an_answer_that_its_owner_has_passed_on_is_refused_while_inside() {
    inside(|port| {
        let (sent, kept) = std::sync::mpsc::channel();
        let mut answer = port
            .ask(|asker| {
                sent.send(asker).unwrap();
                Ask::Own(agate::completion().0)
            })
            .unwrap();
        let waited = answer.wait_timeout(LONG);
        assert_eq!(waited, Err(WaitError::WouldStall));
        kept.recv().unwrap().resolve(3);
        assert_eq!(answer.wait_timeout(LONG), Ok(3));
    });
}
