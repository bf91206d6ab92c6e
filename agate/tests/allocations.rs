//! What is warm allocates nothing: attach, send, detach, ask through a pool, take and give back a block.
#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use agate::{
    BlockOptions, BlockPool, Capacity, CompletionPool, Handler, Limits, Local, Pending, Resolver,
    Scope,
};

const LONG: Duration = Duration::from_secs(60);
const ROUNDS: usize = if cfg!(miri) { 20 } else { 100 };

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
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

/// How many times `run` allocates on this thread.
fn allocations(run: impl FnOnce()) -> usize {
    let before = COUNT.with(Cell::get);
    run();
    COUNT.with(Cell::get) - before
}

/// Tells how much its owner's thread has allocated.
struct Told(usize);

enum Tell {
    Add(usize),
    Allocations(Resolver<usize>),
}

impl Handler for Told {
    type Message = Tell;

    fn handle(&mut self, message: Tell) {
        match message {
            Tell::Add(n) => self.0 += n,
            Tell::Allocations(asker) => asker.resolve(COUNT.with(Cell::get)),
        }
    }
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
}

#[test]
fn an_owner_is_attached_to_asked_and_left_without_allocation_on_either_side() {
    let owner = Local.owner("told", Told(0)).unwrap();
    let (handle, pool) = (owner.handle(), CompletionPool::new());
    let use_it = || {
        let port = handle.attach().unwrap();
        for n in 0..100 {
            port.send(Tell::Add(n)).unwrap();
        }
        port.ask_with(&pool, Tell::Allocations)
            .unwrap()
            .wait_timeout(LONG)
            .unwrap()
    };
    // A lane has at most three segments of messages in flight here: a few rounds warm it up.
    (0..ROUNDS / 2).for_each(|_| drop(use_it().to_string()));
    let mut on_owner = [use_it(), 0];
    let here = allocations(|| {
        for _ in 0..ROUNDS {
            on_owner[1] = use_it();
        }
    });
    assert_eq!(here, 0);
    assert_eq!(
        on_owner[0], on_owner[1],
        "allocations on the owner's thread, before and after"
    );
    owner.shutdown(Pending::Drain, LONG).unwrap();
}

#[test]
fn queues_allocate_nothing_when_warm() {
    for capacity in [Capacity::bounded(64), Capacity::Unbounded] {
        let queue = Local.queue::<u64>(Limits::default(), capacity).unwrap();
        let mut receiver = queue.attach_receiver().unwrap();
        let mut use_it = || {
            let (one, two) = (
                queue.attach_sender().unwrap(),
                queue.attach_sender().unwrap(),
            );
            one.try_send_batch(&mut (0..64)).unwrap();
            two.try_send(1).unwrap();
            drop((one, two));
            receiver.drain().sum::<u64>()
        };
        // Until both lanes have had their turn with the second segment.
        (0..ROUNDS).for_each(|_| drop(use_it().to_string()));
        assert_eq!(
            allocations(|| (0..ROUNDS).for_each(|_| assert_eq!(use_it(), 63 * 64 / 2 + 1))),
            0
        );
    }
}

#[test]
fn blocks_are_allocated_once() {
    let pool = BlockPool::new(BlockOptions {
        block_bytes: 4096,
        max_blocks: 4,
    })
    .unwrap();
    let take_all = || drop([(); 4].map(|()| pool.try_take().unwrap()));
    take_all();
    assert_eq!(allocations(|| (0..ROUNDS).for_each(|_| take_all())), 0);
}

/// Waiting for several things, and for room, in turn with another thread, so that this one has to park now and then.
#[test]
fn waiting_allocates_nothing_when_warm() {
    let queue = Local
        .queue(Limits::default(), Capacity::bounded(1))
        .unwrap();
    let back = Local
        .queue(Limits::default(), Capacity::bounded(1))
        .unwrap();
    let sender = queue.attach_sender().unwrap();
    let mut answers = back.attach_receiver().unwrap();
    let (_resolver, mut never) = agate::completion::<u8>();
    let (mut receiver, answer) = (
        queue.attach_receiver().unwrap(),
        back.attach_sender().unwrap(),
    );
    let other = std::thread::spawn(move || {
        while let Ok(n) = receiver.recv_timeout(LONG) {
            answer.send_timeout(n, LONG).unwrap();
        }
    });
    let mut turn = || {
        for n in 0..ROUNDS {
            sender.send_timeout(n, LONG).unwrap();
            let items: &mut [&mut dyn agate::Waitable] = &mut [&mut answers, &mut never];
            assert_eq!(agate::wait_any(items, LONG), Ok(0));
            assert_eq!(answers.try_recv(), Ok(n));
        }
    };
    turn();
    // Parks, whatever the first turn has done.
    let (_late, mut too_late) = agate::completion::<u8>();
    assert!(agate::wait_any(&mut [&mut too_late], Duration::from_millis(1)).is_err());
    assert_eq!(allocations(&mut turn), 0);
    drop(sender);
    other.join().unwrap();
}
