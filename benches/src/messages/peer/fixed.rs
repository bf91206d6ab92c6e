//! Fixed ways to wait, over a plain ring: sleep at once, spin for 50 microseconds and then sleep, or never sleep. What
//! agate's waiting, which adapts, is held against.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::clock::{ns_per_tick, ticks};
use crate::messages::backoff::Backoff;
use crate::messages::futex::{self, Barrier};
use crate::messages::message::Message;
use crate::messages::peer::ring::{self, Receiving, Sending};
use crate::messages::peer::{Class, Info, Peer, Rx, Tx};

/// Waits by spinning for so many microseconds, and then sleeps.
#[derive(Debug)]
pub struct Fixed<const SPIN_US: u64>;

/// Sleeps at once.
pub type Park = Fixed<0>;
/// Spins for 50 microseconds, then sleeps.
pub type SpinThenPark = Fixed<50>;
/// Never sleeps.
pub type Spin = Fixed<{ u64::MAX }>;

const AWAKE: u32 = 0;
const ASLEEP: u32 = 1;

#[repr(align(128))]
struct Bell {
    word: AtomicU32,
    barrier: Barrier,
}

/// The sending end of a ring with a bell.
pub struct Ringing<M> {
    ring: Sending<M>,
    bell: Arc<Bell>,
}

/// The receiving end of a ring with a bell.
pub struct Listening<M, const SPIN_US: u64> {
    ring: Receiving<M>,
    bell: Arc<Bell>,
    spin_ticks: u64,
}

impl<M: Message, const SPIN_US: u64> Peer<M> for Fixed<SPIN_US> {
    type Tx = Ringing<M>;
    type Rx = Listening<M, SPIN_US>;

    fn info() -> Info {
        let name = match SPIN_US {
            0 => "ring, sleeps at once (futex)".to_owned(),
            u64::MAX => "ring, spins for ever".to_owned(),
            us => format!("ring, spins {us} µs, then sleeps"),
        };
        Info::bounded(name, Class::Limit)
    }

    fn open(senders: usize) -> (Vec<Self::Tx>, Self::Rx) {
        assert_eq!(senders, 1, "this ring has one sender");
        let (sending, receiving) = ring::ring();
        let bell = Arc::new(Bell {
            word: AtomicU32::new(AWAKE),
            barrier: Barrier::choose(),
        });
        let tx = Ringing {
            ring: sending,
            bell: Arc::clone(&bell),
        };
        let spin_ticks = match SPIN_US {
            u64::MAX => u64::MAX,
            us => (us as f64 * 1e3 / ns_per_tick()) as u64,
        };
        let rx = Listening {
            ring: receiving,
            bell,
            spin_ticks,
        };
        (vec![tx], rx)
    }
}

impl<M: Message> Tx<M> for Ringing<M> {
    #[inline(always)]
    fn send(&mut self, message: M) {
        let mut backoff = Backoff::default();
        while !self.ring.push(message) {
            backoff.wait();
        }
        self.bell.barrier.light();
        if self.bell.word.load(Ordering::Relaxed) != AWAKE {
            self.bell.ring();
        }
    }
}

impl Bell {
    #[cold]
    fn ring(&self) {
        if self.word.swap(AWAKE, Ordering::AcqRel) != AWAKE {
            futex::wake(&self.word);
        }
    }
}

impl<M: Message, const SPIN_US: u64> Listening<M, SPIN_US> {
    fn wait(&self) {
        if self.spin() {
            return;
        }
        self.bell.word.store(ASLEEP, Ordering::SeqCst);
        self.bell.barrier.heavy();
        if self.ring.is_ready() {
            self.bell.word.store(AWAKE, Ordering::Relaxed);
            return;
        }
        while self.bell.word.load(Ordering::Acquire) == ASLEEP {
            futex::sleep(&self.bell.word, ASLEEP);
        }
    }

    fn spin(&self) -> bool {
        if SPIN_US == 0 {
            return self.ring.is_ready();
        }
        let begin = ticks();
        loop {
            for _ in 0..8 {
                if self.ring.is_ready() {
                    return true;
                }
                std::hint::spin_loop();
            }
            if SPIN_US != u64::MAX && ticks().wrapping_sub(begin) > self.spin_ticks {
                return false;
            }
        }
    }
}

impl<M: Message, const SPIN_US: u64> Rx<M> for Listening<M, SPIN_US> {
    #[inline]
    fn drain(&mut self, each: impl FnMut(M)) -> usize {
        self.ring.take_all(each)
    }

    #[inline]
    fn receive(&mut self, mut each: impl FnMut(M)) -> usize {
        loop {
            let count = self.ring.take_all(&mut each);
            if count > 0 {
                return count;
            }
            self.wait();
        }
    }

    #[inline]
    fn next(&mut self) -> Option<M> {
        loop {
            if let Some(message) = self.ring.pop() {
                return Some(message);
            }
            self.wait();
        }
    }
}
