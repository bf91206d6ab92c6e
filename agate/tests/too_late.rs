//! Who attaches to what has ended is told so, also where every place is taken.

use agate::{
    AttachError, BlockOptions, BlockPool, Capacity, Carries, Driver, Handler, Kind, Limits, Local,
    Order, OwnerOptions, Pending, Place, Private, QueueOptions, Role, Scope,
};
use std::time::Duration;

/// Much longer than anything here takes.
const LONG: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });

fn refusal<T>(attached: Result<T, AttachError>) -> AttachError {
    attached.err().expect("it is refused")
}

fn is_limit<T>(attached: Result<T, AttachError>, role: Role) -> bool {
    matches!(refusal(attached), AttachError::LimitReached { role: full, .. } if full == role)
}

fn queues<S: Carries<u32>>(scope: S) {
    for order in [Order::PerSender, Order::Total] {
        let options = QueueOptions::new(Capacity::bounded(4)).order(order);
        let queue = scope
            .queue_with::<u32>(options.limits(Limits::senders(1)))
            .unwrap();
        let sender = queue.attach_sender().unwrap();
        let receiver = queue.attach_receiver().unwrap();
        assert!(is_limit(queue.attach_sender(), Role::Sender));
        assert!(is_limit(sender.try_clone(), Role::Sender));
        queue.close();
        assert_eq!(refusal(queue.attach_sender()), AttachError::Closed);
        assert_eq!(refusal(sender.try_clone()), AttachError::Closed);
        // What was accepted can still be received, by one at a time.
        assert!(is_limit(queue.attach_receiver(), Role::Receiver));
        drop(receiver);
        assert_eq!(refusal(queue.attach_receiver()), AttachError::Closed);
        assert_eq!(refusal(queue.attach_sender()), AttachError::Closed);
    }
}

#[test]
fn a_closed_queue_says_closed() {
    queues(Private);
    queues(Local);
}

#[test]
fn a_closed_stream_says_closed() {
    let pool = BlockPool::new(BlockOptions {
        block_bytes: 64,
        max_blocks: 2,
    });
    let stream = Local.stream(Limits::senders(1), &pool.unwrap());
    let _sender = stream.attach_sender().unwrap();
    let receiver = stream.attach_receiver().unwrap();
    assert!(is_limit(stream.attach_sender(), Role::Sender));
    assert!(is_limit(stream.attach_receiver(), Role::Receiver));
    drop(receiver);
    assert_eq!(refusal(stream.attach_sender()), AttachError::Closed);
    assert_eq!(refusal(stream.attach_receiver()), AttachError::Closed);
}

struct Sink;

impl Handler for Sink {
    type Message = bool;

    fn handle(&mut self, panics: bool) {
        assert!(!panics, "the handler's own");
    }
}

#[test]
fn an_owner_that_has_ended_says_closed() {
    for panics in [false, true] {
        for driver in [Driver::Thread, Driver::Users] {
            let options = OwnerOptions::named("sink").driven_by(driver);
            let sink = Local
                .owner_from(options.limits(Limits::senders(1)), Sink)
                .unwrap();
            let handle = sink.handle();
            let port = sink.attach().unwrap();
            assert!(is_limit(sink.attach(), Role::Sender));
            port.send_and_help(panics).unwrap();
            assert_eq!(sink.shutdown(Pending::Drain, LONG).is_err(), panics);
            assert_eq!(refusal(handle.attach()), AttachError::Closed);
            assert_eq!(refusal(port.try_clone()), AttachError::Closed);
        }
    }
}

/// A kind that knows no end.
struct Endless;

impl Kind for Endless {
    const NAME: &'static str = "endless";
    type User = Place<Self>;

    fn attach(place: Place<Self>) -> Result<Place<Self>, AttachError> {
        Ok(place)
    }
}

#[test]
fn a_kind_that_knows_no_end_says_that_its_places_are_taken() {
    let endless = Local.install(Limits::none().users(1), Endless);
    let _place = endless.attach().unwrap();
    endless.close();
    assert!(is_limit(endless.attach(), Role::User));
}
