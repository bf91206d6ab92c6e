//! Which public type may be moved to (`Send`) or shared with (`Sync`) another thread.

use std::cell::Cell;

use agate::{
    Block, BlockPool, Completion, CompletionPool, Drain, Handle, Handler, Inbox, Local, Owner,
    OwnerOptions, Port, Queue, RawBlock, Receiver, Recv, Resolver, Sender, ShutdownError, Stream,
    StreamReceiver, StreamSender,
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

macro_rules! table {
    ($($type:ty: $send:literal $sync:literal;)*) => {
        $(
            assert_eq!(holds!($type: Send), $send, "{}: Send", stringify!($type));
            assert_eq!(holds!($type: Sync), $sync, "{}: Sync", stringify!($type));
        )*
    };
}

#[test]
fn send_and_sync() {
    table! {
        // type: Send Sync
        Local: true true;
        Handle<Queue<Cell<u8>>>: true true;
        Handle<Inbox<Cell<u8>>>: true true;
        Sender<u8>: true false;
        Receiver<u8>: true true;
        Recv<'static, u8>: true true;
        Drain<'static, u8>: true true;
        Port<Cell<u8>>: true false;
        Owner<Confined>: true true;
        OwnerOptions: true false;
        ShutdownError: true false;
        Completion<Cell<u8>>: true true;
        Completion<Confined>: false false;
        Resolver<Cell<u8>>: true true;
        Resolver<Confined>: false false;
        CompletionPool<Cell<u8>>: true true;
        CompletionPool<Confined>: false false;
        BlockPool: true true;
        Block: true false;
        RawBlock: false false;
        Handle<Stream>: true true;
        StreamSender: true false;
        StreamReceiver: true false;
    }
}
