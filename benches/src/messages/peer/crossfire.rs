//! crossfire: its queues for many senders and one receiver, in blocking use.

use crossfire::mpsc::{Array, List, bounded_blocking, unbounded_blocking};
use crossfire::{MTx, Rx as Receiver};

use crate::messages::message::Message;
use crate::messages::peer::{CAPACITY, Class, Info, Peer, Rx, Tx};

/// Bounded.
#[derive(Debug)]
pub struct Bounded;

/// Unbounded.
#[derive(Debug)]
pub struct Unbounded;

macro_rules! both {
    ($peer:ty, $flavor:ident, $info:expr, $open:expr) => {
        impl<M: Message> Peer<M> for $peer {
            type Tx = MTx<$flavor<M>>;
            type Rx = Receiver<$flavor<M>>;

            fn info() -> Info {
                $info
            }

            fn open(senders: usize) -> (Vec<Self::Tx>, Self::Rx) {
                crossfire::detect_backoff_cfg();
                let (tx, rx) = $open;
                (vec![tx; senders], rx)
            }
        }

        impl<M: Message> Tx<M> for MTx<$flavor<M>> {
            #[inline]
            fn send(&mut self, message: M) {
                let _ = crossfire::Tx::send(self, message);
            }
        }

        impl<M: Message> Rx<M> for Receiver<$flavor<M>> {
            #[inline]
            fn drain(&mut self, mut each: impl FnMut(M)) -> usize {
                let mut count = 0;
                while let Ok(message) = self.try_recv() {
                    each(message);
                    count += 1;
                }
                count
            }

            #[inline]
            fn receive(&mut self, mut each: impl FnMut(M)) -> usize {
                let Ok(message) = self.recv() else { return 0 };
                each(message);
                1 + self.drain(each)
            }

            #[inline]
            fn next(&mut self) -> Option<M> {
                self.recv().ok()
            }
        }
    };
}

both!(
    Bounded,
    Array,
    Info::bounded("crossfire bounded", Class::Parks),
    bounded_blocking(CAPACITY)
);
both!(
    Unbounded,
    List,
    Info::unbounded("crossfire unbounded", Class::Parks),
    unbounded_blocking()
);
