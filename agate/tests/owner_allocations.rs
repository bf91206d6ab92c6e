//! An owner that its users drive allocates nothing when it is warm, neither its thread nor theirs.
#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use agate::{
    Completion, CompletionPool, Driver, Handler, Local, OwnerOptions, Pending, Resolver, Scope,
};

const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });
const ROUNDS: usize = if cfg!(miri) { 20 } else { 100 };

/// Counts the allocations of all threads: there is one test in this program.
struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's obligations are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's obligations are the same.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

enum Count {
    Add(usize),
    Total(Resolver<usize>),
    /// Keeps the thread that drives at the gate, twice.
    Hold,
}

struct Counter(usize, Arc<Barrier>);

impl Handler for Counter {
    type Message = Count;

    fn handle(&mut self, message: Count) {
        match message {
            Count::Add(n) => self.0 += n,
            Count::Total(asker) => asker.resolve(self.0),
            Count::Hold => {
                self.1.wait();
                self.1.wait();
            }
        }
    }
}

/// A task on a thread, and how often it was woken.
struct Awaited {
    thread: Thread,
    woken: AtomicUsize,
}

impl Wake for Awaited {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.fetch_add(1, Ordering::Release);
        self.thread.unpark();
    }
}

/// The owner is busy with another user when the task looks first, and idle, with the answer left to it, when it is woken.
fn await_beside(task: &Arc<Awaited>, waker: &Waker, gate: &Barrier, mut total: Completion<usize>) {
    let mut total = Pin::new(&mut total);
    let mut context = Context::from_waker(waker);
    let before = task.woken.load(Ordering::Acquire);
    for _ in 0..3 {
        assert!(total.as_mut().poll(&mut context).is_pending());
    }
    gate.wait();
    let deadline = Instant::now() + LONG;
    while task.woken.load(Ordering::Acquire) == before {
        assert!(Instant::now() < deadline, "the task is not woken");
        thread::park_timeout(LONG);
    }
    assert!(total.poll(&mut context).is_ready());
}

#[test]
fn users_attach_send_help_ask_await_and_leave_without_allocation() {
    let options = OwnerOptions::named("counted").driven_by(Driver::Users);
    let gate = Arc::new(Barrier::new(2));
    let counter = Counter(0, gate.clone());
    let owner = Local.owner_from(options.help_at_most(1), counter).unwrap();
    let (handle, answers) = (owner.handle(), CompletionPool::new());
    let over = Arc::new(AtomicBool::new(false));
    let other = {
        let (port, gate, over) = (owner.attach().unwrap(), gate.clone(), over.clone());
        thread::spawn(move || {
            loop {
                gate.wait();
                if over.load(Ordering::Acquire) {
                    // Dropping the port would help.
                    break port;
                }
                port.send_and_help(Count::Hold).unwrap();
            }
        })
    };
    let task = Arc::new(Awaited {
        thread: thread::current(),
        woken: AtomicUsize::new(0),
    });
    let waker = Waker::from(task.clone());
    let use_it = || {
        let port = handle.attach().unwrap();
        (0..100).for_each(|n| port.send(Count::Add(n)).unwrap());
        let mut total = port.ask_with(&answers, Count::Total).unwrap();
        let total = total.wait_timeout(LONG).unwrap();
        // The other is let in, and gets into the handler.
        gate.wait();
        gate.wait();
        let awaited = port.ask_with(&answers, Count::Total).unwrap();
        await_beside(&task, &waker, &gate, awaited);
        total
    };
    (0..ROUNDS / 2).for_each(|_| assert!(use_it() > 0));
    let before = COUNT.load(Ordering::Relaxed);
    (0..ROUNDS).for_each(|_| assert!(use_it() > 0));
    assert_eq!(COUNT.load(Ordering::Relaxed) - before, 0);
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(COUNT.load(Ordering::Relaxed) - before, 1, "it counts");
    over.store(true, Ordering::Release);
    gate.wait();
    other.join().unwrap();
    owner.shutdown(Pending::Drain, LONG).unwrap();
}
