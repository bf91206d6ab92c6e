//! The end of a queue's or a stream's last sender: what it sent is received before that.

use loom::thread;

use super::check;
use crate::error::TryRecvError;
use crate::handle::Limits;
use crate::queue::Capacity;
use crate::scope::{Local, Scope};
use crate::stream::{BlockOptions, BlockPool};

/// Receives twice beside one who sends and leaves, and all that is left after that.
fn receive_beside(
    leave: impl FnOnce() + Send + 'static,
    mut receive: impl FnMut() -> Result<usize, TryRecvError>,
) {
    let leaver = thread::spawn(leave);
    let mut got = Vec::new();
    let mut look = || match receive() {
        Ok(message) => {
            got.push(message);
            false
        }
        Err(TryRecvError::Empty) => false,
        Err(TryRecvError::Disconnected) => {
            assert_eq!(got, [7], "the last words are lost");
            true
        }
    };
    let seen = look() || look();
    leaver.join().unwrap();
    assert!(seen || look() || look(), "the end is not told");
}

#[test]
fn what_a_sender_sends_comes_before_its_end() {
    for capacity in [Capacity::bounded(2), Capacity::Unbounded] {
        check(3, move || {
            let queue = Local.queue::<usize>(Limits::default(), capacity).unwrap();
            let sender = queue.attach_sender().unwrap();
            let mut receiver = queue.attach_receiver().unwrap();
            receive_beside(
                move || {
                    sender.try_send(7).unwrap();
                    drop(sender);
                },
                || receiver.try_recv(),
            );
        });
    }
}

#[test]
fn what_a_stream_holds_comes_before_its_end() {
    check(3, || {
        let pool = BlockPool::new(BlockOptions {
            block_bytes: 64,
            max_blocks: 1,
        });
        let stream = Local.stream(Limits::default(), &pool.unwrap());
        let mut sender = stream.attach_sender().unwrap();
        let mut receiver = stream.attach_receiver().unwrap();
        receive_beside(
            move || {
                sender.try_send(&[7]).unwrap();
                drop(sender);
            },
            || receiver.try_recv().map(|message| message[0].into()),
        );
    });
}
