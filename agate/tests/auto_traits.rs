//! Which public type may be moved to (`Send`) or shared with (`Sync`) another thread: all of them, in each scope.

use std::cell::Cell;
use std::rc::Rc;

use agate::{
    Arrival, Arrivals, AttachError, Block, BlockOptions, BlockPool, BlockStats, Cancel, Capacity,
    Closed, Completion, CompletionError, CompletionPool, CompletionPort, CreateError, Drain,
    Driver, Handle, Handler, Holders, Inbox, Inspection, LaneInspection, Limits, Local, NextError,
    Order, OutOfBlocks, OutOfCompletions, Owner, OwnerOptions, OwnerStats, Pending, Place, Port,
    PortFull, Private, Pumped, Queue, QueueOptions, RawBlock, Receiver, Recv, RecvError,
    Reservation, Resolver, Role, SendError, SendTimeoutError, Sender, ShutdownError,
    ShutdownReport, Stream, StreamError, StreamInspection, StreamReceiver, StreamSender,
    StreamTimeoutError, TryRecvError, TrySendError, WaitAnyError, WaitError, WaitMode,
};

/// A handler, and a value, that must stay on its thread.
struct Confined(#[allow(dead_code)] *const ());

impl Handler for Confined {
    type Message = Cell<u8>;

    fn handle(&mut self, _: Cell<u8>) {}
}

/// `true` where the bound holds: the inherent constant is found before the trait's.
macro_rules! holds {
    ($type:ty: $bound:path) => {{
        #[allow(dead_code)]
        trait Otherwise {
            const HOLDS: bool = false;
        }
        impl<T: ?Sized> Otherwise for T {}
        struct Probe<T: ?Sized>(#[allow(dead_code)] std::marker::PhantomData<T>);
        #[allow(dead_code)]
        impl<T: ?Sized + $bound> Probe<T> {
            const HOLDS: bool = true;
        }
        <Probe<$type>>::HOLDS
    }};
}

/// A line for each type; a test says which lines are wrong, all at once.
macro_rules! table {
    ($($type:ty: $send:literal $sync:literal;)*) => {
        const NAMED: &[&str] = &[$(stringify!($type)),*];

        #[test]
        fn send_and_sync() {
            let mut wrong = Vec::new();
            $(
                let found = (holds!($type: Send), holds!($type: Sync));
                if found != ($send, $sync) {
                    wrong.push(format!("{}: {} {};", stringify!($type), found.0, found.1));
                }
            )*
            assert!(wrong.is_empty(), "these are otherwise:\n{}", wrong.join("\n"));
        }
    };
}

table! {
    // type: Send Sync
    Local: true true;
    Private: true true;

    Handle<Queue<Cell<u8>>>: true true;
    Handle<Inbox<Cell<u8>>>: true true;
    Handle<Stream>: true true;
    Queue<Cell<u8>>: true true;
    Inbox<Cell<u8>>: true true;
    Stream: true true;
    Place<Queue<Cell<u8>>>: true true;
    Sender<u8>: true false;
    Receiver<u8>: true true;
    Receiver<Cell<u8>>: true true;
    Drain<'static, u8>: true true;
    Recv<'static, u8>: true true;
    Port<Cell<u8>>: true false;
    Owner<Confined>: true true;
    StreamSender: true false;
    StreamReceiver: true false;
    Reservation<'static>: true false;
    BlockPool: true true;
    Block: true false;
    RawBlock: false false;

    Handle<Queue<Rc<u8>, Private>, Private>: false false;
    Handle<Inbox<Rc<u8>, Private>, Private>: false false;
    Handle<Stream<Private>, Private>: false false;
    Queue<u8, Private>: false false;
    Inbox<u8, Private>: false false;
    Stream<Private>: false false;
    Place<Queue<u8, Private>, Private>: false false;
    Sender<u8, Private>: false false;
    Receiver<u8, Private>: false false;
    Drain<'static, u8, Private>: false false;
    Recv<'static, u8, Private>: false false;
    Port<u8, Private>: false false;
    Owner<Confined, Private>: false false;
    StreamSender<Private>: false false;
    StreamReceiver<Private>: false false;
    Reservation<'static, Private>: false false;
    BlockPool<Private>: false false;
    Block<Private>: false false;
    RawBlock<Private>: false false;

    Completion<Cell<u8>>: true true;
    Completion<Confined>: false false;
    Resolver<Cell<u8>>: true true;
    Resolver<Confined>: false false;
    CompletionPool<Cell<u8>>: true true;
    CompletionPool<Confined>: false false;
    CompletionPort<Cell<u8>>: true true;
    CompletionPort<Confined>: false false;
    PortFull<Cell<u8>>: true true;
    Arrival<Cell<u8>>: true false;
    Arrivals<'static, Cell<u8>>: true true;
    Completion<u8, Private>: false false;
    Resolver<u8, Private>: false false;
    CompletionPool<u8, Private>: false false;
    CompletionPort<u8, Private>: false false;

    OwnerOptions: true false;
    Driver: true true;
    OwnerStats: true true;
    Pumped: true true;
    Pending: true true;
    ShutdownReport: true true;
    ShutdownError: true false;
    Limits: true true;
    Holders: true true;
    Capacity: true true;
    Role: true true;
    WaitMode: true true;
    BlockOptions: true true;
    BlockStats: true true;

    AttachError: true true;
    Closed: true true;
    CompletionError: true true;
    CreateError: true true;
    OutOfBlocks: true true;
    RecvError: true true;
    SendError<Cell<u8>>: true false;
    SendError<Rc<u8>>: false false;
    SendTimeoutError<Cell<u8>>: true false;
    SendTimeoutError<Rc<u8>>: false false;
    StreamError: true true;
    StreamInspection: true true;
    StreamTimeoutError: true true;
    TryRecvError: true true;
    TrySendError<Cell<u8>>: true false;
    TrySendError<Rc<u8>>: false false;
    WaitAnyError: true true;
    WaitError: true true;
    NextError: true true;
    OutOfCompletions: true true;
    Cancel: true true;
    Order: true true;
    QueueOptions: true true;
    Inspection: true true;
    LaneInspection: true true;
    Recv<'static, Cell<u8>>: true true;
}

/// Public, and no types.
const TRAITS: [&str; 5] = ["Carries", "Handler", "Kind", "Scope", "Waitable"];

/// The names that the crate's root gives out, types and traits.
fn public_names() -> Vec<&'static str> {
    let root = include_str!("../src/lib.rs");
    let mut names = Vec::new();
    for statement in root.split("pub use ").skip(1) {
        let (path, _) = statement.split_once(';').expect("it ends");
        let (_, last) = path.rsplit_once("::").expect("it has a module");
        let (_, list) = path.split_once('{').unwrap_or((path, last));
        names.extend(
            list.trim_end_matches('}')
                .split(',')
                .map(str::trim)
                .filter(|name| name.starts_with(char::is_uppercase)),
        );
    }
    names
}

#[test]
fn every_public_type_has_its_line() {
    let names = public_names();
    assert!(names.len() > 40, "found {names:?} only");
    for name in names {
        let listed = NAMED
            .iter()
            .any(|line| line.split(|c: char| !c.is_alphanumeric()).next() == Some(name));
        assert!(
            listed || TRAITS.contains(&name),
            "{name} is public, and not in the table of auto traits"
        );
    }
}
