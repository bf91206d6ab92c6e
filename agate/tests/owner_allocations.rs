//! An owner that its users drive allocates nothing when it is warm, neither its thread nor theirs.
#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use agate::{CompletionPool, Driver, Handler, Local, OwnerOptions, Pending, Resolver, Scope};

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
}

struct Counter(usize);

impl Handler for Counter {
    type Message = Count;

    fn handle(&mut self, message: Count) {
        match message {
            Count::Add(n) => self.0 += n,
            Count::Total(asker) => asker.resolve(self.0),
        }
    }
}

#[test]
fn users_attach_send_help_ask_and_leave_without_allocation() {
    let options = OwnerOptions::named("counted").driven_by(Driver::Users);
    let owner = Local.owner_from(options, Counter(0)).unwrap();
    let (handle, answers) = (owner.handle(), CompletionPool::new());
    let use_it = || {
        let port = handle.attach().unwrap();
        (0..100).for_each(|n| port.send(Count::Add(n)).unwrap());
        port.send_and_help(Count::Add(1)).unwrap();
        let mut total = port.ask_with(&answers, Count::Total).unwrap();
        total.wait_timeout(LONG).unwrap()
    };
    (0..ROUNDS / 2).for_each(|_| assert!(use_it() > 0));
    let before = COUNT.load(Ordering::Relaxed);
    (0..ROUNDS).for_each(|_| assert!(use_it() > 0));
    assert_eq!(COUNT.load(Ordering::Relaxed) - before, 0);
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(COUNT.load(Ordering::Relaxed) - before, 1, "it counts");
    owner.shutdown(Pending::Drain, LONG).unwrap();
}
