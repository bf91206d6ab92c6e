//! What is warm allocates nothing: attach, send, detach, ask through a pool, take and give back a block; and what is
//! not used yet takes little memory.
#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::mpsc;
use std::time::Duration;

use agate::{
    BlockOptions, BlockPool, Capacity, CompletionPool, Handler, Limits, Local, Pending, RecvError,
    Resolver, Scope,
};

const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });
const ROUNDS: usize = if cfg!(miri) { 20 } else { 100 };
/// Sent to an owner before it is asked.
const MESSAGES: usize = 100;

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        let _ = BYTES.try_with(|bytes| bytes.set(bytes.get() + layout.size()));
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

/// How many bytes `run` allocates on this thread, and what it gives.
fn bytes<T>(run: impl FnOnce() -> T) -> (usize, T) {
    let before = BYTES.with(Cell::get);
    let result = run();
    (BYTES.with(Cell::get) - before, result)
}

/// Tells how much its owner's thread has allocated.
struct Told(usize);

enum Tell {
    Add(usize),
    /// Waits until something comes, or nothing can.
    Hold(mpsc::Receiver<()>),
    Allocations(Resolver<usize>),
}

impl Handler for Told {
    type Message = Tell;

    fn handle(&mut self, message: Tell) {
        match message {
            Tell::Add(n) => self.0 += n,
            Tell::Hold(gate) => drop(gate.recv_timeout(LONG)),
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
        for n in 0..MESSAGES {
            port.send(Tell::Add(n)).unwrap();
        }
        port.ask_with(&pool, Tell::Allocations)
            .unwrap()
            .wait_timeout(LONG)
            .unwrap()
    };
    // The owner may be about to let the last answer's slot go while the next one is asked for: two slots, made here.
    let port = handle.attach().unwrap();
    let two = [(); 2].map(|()| port.ask_with(&pool, Tell::Allocations).unwrap());
    two.into_iter()
        .for_each(|mut answer| drop(answer.wait_timeout(LONG).unwrap().to_string()));
    drop(port);
    // What an owner that lags may leave in the lane, two rounds at the most, waits there many times over: so many segments
    // are made now.
    let (open, gate) = mpsc::channel();
    let port = handle.attach().unwrap();
    port.send(Tell::Hold(gate)).unwrap();
    (0..20 * MESSAGES).for_each(|n| port.send(Tell::Add(n)).unwrap());
    // A thread's first sleep allocates, once in its life: no answer comes now.
    let mut answer = port.ask_with(&pool, Tell::Allocations).unwrap();
    assert!(answer.wait_timeout(Duration::from_millis(100)).is_err());
    open.send(()).unwrap();
    drop((answer, port));
    let before = use_it();
    let mut after = before;
    let here = allocations(|| (0..ROUNDS).for_each(|_| after = use_it()));
    assert_eq!(
        (here, after - before),
        (0, 0),
        "here, and on the owner's thread"
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

#[test]
fn a_stream_allocates_nothing_when_warm() {
    let pool = BlockPool::new(BlockOptions {
        block_bytes: 256,
        max_blocks: 8,
    })
    .unwrap();
    let stream = Local.stream(Limits::default(), &pool);
    let mut receiver = stream.attach_receiver().unwrap();
    let mut use_it = || {
        let (mut one, mut two) = (
            stream.attach_sender().unwrap(),
            stream.attach_sender().unwrap(),
        );
        for number in 0..20_u8 {
            one.try_send(&[number; 50]).unwrap();
            let mut message = two.reserve(30).unwrap();
            message.append(&[number; 20]);
            message.commit();
        }
        drop((one, two));
        let mut got = 0;
        while receiver.try_recv().is_ok() {
            got += 1;
        }
        assert_eq!(got, 40);
    };
    (0..2 * ROUNDS).for_each(|_| use_it());
    assert_eq!(allocations(|| (0..ROUNDS).for_each(|_| use_it())), 0);
}

#[test]
fn each_message_is_sent_and_received_without_allocation_on_either_side() {
    const COUNTED: usize = 20 * ROUNDS;
    // More than two segments of a lane hold: what is counted need not begin where one does.
    const WARM: usize = COUNTED + 200;
    for capacity in [Capacity::bounded(16), Capacity::Unbounded] {
        let queue = Local
            .queue::<[u64; 6]>(Limits::senders(1), capacity)
            .unwrap();
        let sender = queue.attach_sender().unwrap();
        let mut receiver = queue.attach_receiver().unwrap();
        let (warm, is_warm) = mpsc::sync_channel(1);
        let (all_sent, start) = mpsc::channel();
        let receiving = std::thread::spawn(move || {
            let mut got = 0;
            let mut receive = |most: usize| {
                while got < most {
                    got += receiver.drain().take(most - got).count();
                    if got == most {
                        return;
                    }
                    match receiver.recv_timeout(LONG) {
                        Ok(_) => got += 1,
                        Err(error) => return assert_eq!(error, RecvError::Disconnected),
                    }
                }
            };
            if capacity == Capacity::Unbounded {
                start.recv().unwrap();
            }
            receive(WARM);
            warm.send(()).unwrap();
            allocations(|| receive(usize::MAX))
        });
        let send = || {
            let mut message = [7; 6];
            while let Err(refused) = sender.try_send(message) {
                message = refused.into_message();
                std::thread::yield_now();
            }
        };
        // An unbounded lane needs as much as was ever in it: as many as are counted wait in it now, before anything
        // is received.
        (0..WARM).for_each(|_| send());
        all_sent.send(()).unwrap();
        is_warm.recv().unwrap();
        let here = allocations(|| (0..COUNTED).for_each(|_| send()));
        drop(sender);
        let there = receiving.join().unwrap();
        assert_eq!((here, there), (0, 0), "of the sender, of the receiver");
    }
}

/// sharkdp/fd 1414: a bounded channel of large messages took megabytes before the first one was sent.
#[test]
fn fd_1414_memory_for_messages_is_taken_when_a_sender_attaches() {
    const MESSAGES: usize = 0x4000;
    type Message = [u8; 312];
    let limits = Limits::senders(64);
    let bounded = Capacity::bounded(MESSAGES);
    let (made, queue) = bytes(|| Local.queue::<Message>(limits, bounded).unwrap());
    assert!(made < 4096, "{made} bytes for a queue that nobody uses");
    let (receiving, _receiver) = bytes(|| queue.attach_receiver().unwrap());
    assert!(receiving < 1024, "{receiving} bytes for its receiver");
    let (one, sender) = bytes(|| queue.attach_sender().unwrap());
    let lane = MESSAGES * size_of::<Message>();
    assert!(
        (lane..lane + 16 * 1024).contains(&one),
        "{one} bytes for the first lane"
    );
    drop(sender);
    let (again, _sender) = bytes(|| queue.attach_sender().unwrap());
    assert_eq!(again, 0, "the lane that came back");

    let (made, queue) = bytes(|| Local.queue::<Message>(limits, Capacity::Unbounded).unwrap());
    let (attached, _sender) = bytes(|| queue.attach_sender().unwrap());
    assert!(made + attached < 20 * 1024, "{made} + {attached} bytes");
}
