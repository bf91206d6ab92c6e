//! One answer, in every way in which it can be received: polled, waited for, awaited, called back, posted to a port,
//! joined with others, cancelled.

use std::error::Error;
use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use agate::{
    Cancel, Completion, CompletionError, CompletionPort, Handler, Local, Pending, Resolver, Scope,
    WaitError,
};

const LONG: Duration = Duration::from_secs(60);

/// Squares numbers, on its own thread.
struct Squarer;

struct Square(u64, Resolver<u64>);

impl Handler for Squarer {
    type Message = Square;

    fn handle(&mut self, Square(n, asker): Square) {
        asker.resolve(n * n);
    }
}

/// All the runtime that a future needs: a thread that parks.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let squarer = Local.owner("squarer", Squarer)?;
    let port = squarer.attach()?;
    let ask = |n| port.ask(|asker| Square(n, asker));

    // Polled: for a loop that has other things to do.
    let mut answer = ask(2)?;
    let polled = loop {
        match answer.poll() {
            Some(outcome) => break outcome?,
            None => thread::yield_now(),
        }
    };
    assert_eq!(polled, 4);

    // Waited for, with an end to the waiting.
    assert_eq!(ask(3)?.wait_timeout(LONG), Ok(9));

    // Awaited, under any runtime or none.
    let (four, five) = (ask(4)?, ask(5)?);
    let awaited = block_on(async { Ok::<_, CompletionError>(four.await? + five.await?) });
    assert_eq!(awaited, Ok(16 + 25));

    // Called back, on the thread that answers.
    let (tell, told) = mpsc::channel();
    ask(6)?.on_done(move |outcome| {
        tell.send((outcome, thread::current().id()))
            .expect("main listens");
    });
    let (outcome, on) = told.recv_timeout(LONG)?;
    assert_eq!(outcome, Ok(36));
    assert!(on == thread::current().id() || Some(on) == squarer.thread_id());

    // Posted to a port, where the answers of many operations arrive, each with a key.
    let mut arrivals = CompletionPort::new();
    for n in 0..10 {
        ask(n)?.post_to(&arrivals, n);
    }
    for _ in 0..10 {
        let arrival = arrivals.next_timeout(LONG)?;
        assert_eq!(arrival.outcome, Ok(arrival.key * arrival.key));
    }

    // Joined: one answer out of many.
    let parts = (1..=3).map(ask).collect::<Result<Vec<_>, _>>()?;
    let joined = Completion::join(parts).wait_timeout(LONG)?;
    assert_eq!(joined, [Ok(1), Ok(4), Ok(9)]);

    // Cancelled before anybody began with it; whoever should have answered can see it.
    let (resolver, mut unwanted) = agate::completion::<u64>();
    assert_eq!(unwanted.cancel(), Cancel::Cancelled);
    assert_eq!(resolver.try_resolve(49), Err(49));

    // Given up by the other side: it never hangs, it says so.
    let (resolver, mut forgotten) = agate::completion::<u64>();
    drop(resolver);
    assert_eq!(
        forgotten.wait_timeout(LONG),
        Err(WaitError::Failed(CompletionError::Abandoned))
    );

    let report = squarer.shutdown(Pending::Drain, LONG)?;
    assert_eq!(report.handled, 1 + 1 + 2 + 1 + 10 + 3);
    println!(
        "polled, waited, awaited, called back, posted, joined, cancelled, abandoned: {} answers",
        report.handled
    );
    Ok(())
}
