//! What a sender can do when the receiver is behind: refuse, drop, wait a while, wait; and how much is in the queue.

use std::error::Error;
use std::thread;
use std::time::Duration;

use agate::{Capacity, Limits, Local, Role, Scope, SendTimeoutError, TryRecvError, TrySendError};

const ROOM: usize = 8;
const MESSAGES: u32 = 10_000;
const LONG: Duration = Duration::from_secs(60);

fn main() -> Result<(), Box<dyn Error>> {
    let queue = Local.queue::<u32>(Limits::senders(2), Capacity::bounded(ROOM))?;
    let sender = queue.attach_sender()?;
    let mut receiver = queue.attach_receiver()?;

    // Refused: the message comes back, and the sender decides.
    let mut numbers = 0..;
    let accepted = sender.try_send_batch(&mut numbers)?;
    assert_eq!(accepted, ROOM);
    assert_eq!(sender.try_send(99), Err(TrySendError::Full(99)));

    // The room is each sender's own: one that floods does not keep others out.
    let other = queue.attach_sender()?;
    other.try_send(100)?;
    assert_eq!(queue.inspect().waiting, ROOM + 1);

    // Waiting a while: here for nothing, since the only one who could receive is this thread.
    let waited = sender.send_timeout(99, Duration::from_millis(2));
    assert_eq!(waited, Err(SendTimeoutError::TimedOut(99)));

    // On a thread that must not park it is refused at once, whatever the time-out.
    let marked = thread::spawn(move || {
        agate::forbid_wait();
        other
            .try_send_batch(&mut (101..))
            .expect("the receiver is there");
        other.send_timeout(200, LONG)
    });
    let refused = marked.join().expect("the thread does not panic");
    assert_eq!(refused, Err(SendTimeoutError::WouldStall(200)));

    // Of the lane that its sender has left nothing is lost either.
    assert_eq!(receiver.drain().count(), 2 * ROOM);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));

    // Waiting: the sender goes as fast as the receiver, and never more than `ROOM` are in the lane.
    let producer = thread::spawn(move || (0..MESSAGES).try_for_each(|n| sender.wait_send(n)));
    let mut most = 0;
    for n in 0..MESSAGES {
        assert_eq!(receiver.recv_timeout(LONG)?, n);
        most = most.max(queue.inspect().waiting);
    }
    producer.join().expect("the producer does not panic")?;
    assert!(most <= ROOM);

    // The receiver goes away: nobody waits for room for ever.
    drop(receiver);
    assert!(queue.attach_sender().is_err(), "nobody receives any more");
    assert_eq!(queue.attached(Role::Receiver), 0);
    println!("{MESSAGES} messages through room for {ROOM}: at most {most} waited, none was lost");
    Ok(())
}
