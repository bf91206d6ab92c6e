//! What a command of a real driver costs: its words are stored in a ring, and a fixed piece of work is done.

use crate::sink::Sink;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What one simulated `vkCmd*` costs in all, in nanoseconds.
pub(crate) const COMMAND_NS: f64 = 14.0;

const RING_WORDS: usize = (64 << 10) / 8;

/// 64 KiB that the commands of one pool are stored in. Used by one thread at a time, as the pool is; the atomics are only
/// there so that a program that breaks this rule reads nonsense and does nothing worse.
#[repr(align(128))]
pub(crate) struct Ring {
    at: AtomicU64,
    state: AtomicU64,
    iterations: u64,
    words: Box<[AtomicU64]>,
}

impl Ring {
    pub(crate) fn new(iterations: u64) -> Self {
        Self {
            at: AtomicU64::new(0),
            state: AtomicU64::new(1),
            iterations,
            words: (0..RING_WORDS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Begins to store a command.
    #[inline(always)]
    pub(crate) fn command(&self) -> Stored<'_> {
        Stored {
            ring: self,
            at: self.at.load(Ordering::Relaxed),
        }
    }

    /// Ends the command: burns the rest of its cost in multiplications, each of which needs the one before.
    #[inline(always)]
    fn burn(&self, iterations: u64) {
        let mut state = self.state.load(Ordering::Relaxed);
        for _ in 0..iterations {
            state = state.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (state >> 32);
        }
        self.state.store(state, Ordering::Relaxed);
    }
}

/// A command that is being stored.
pub(crate) struct Stored<'a> {
    ring: &'a Ring,
    at: u64,
}

impl Stored<'_> {
    #[inline(always)]
    pub(crate) fn end(self) {
        self.ring.at.store(self.at, Ordering::Relaxed);
        self.ring.burn(self.ring.iterations);
    }
}

impl Sink for Stored<'_> {
    #[inline(always)]
    fn word(&mut self, word: u64) {
        let index = self.at as usize % RING_WORDS;
        if let Some(place) = self.ring.words.get(index) {
            place.store(word, Ordering::Relaxed);
        }
        self.at += 1;
    }
}

/// How many multiplications make up the cost of a command on this machine. Measured once for each device: the shortest of
/// many batches, so that a thread that is put aside meanwhile does no harm.
pub(crate) fn calibrate() -> u64 {
    const MANY: u64 = 64;
    let (few, many) = (batch(8), batch(MANY));
    let each = ((many - few) / (MANY - 8) as f64).max(0.05);
    let mut iterations = 8 + ((COMMAND_NS - few) / each).round() as i64;
    // What runs beside the chain hides a part of it, so what was reckoned is measured and put right.
    for _ in 0..3 {
        let error = COMMAND_NS - batch(iterations.max(0) as u64);
        iterations += (error / each).round() as i64;
    }
    iterations.max(0) as u64
}

/// A draw: the command, the buffer and four arguments.
#[inline(never)]
fn draw(ring: &Ring, argument: u32) {
    let mut stored = ring.command();
    for word in 0..5 {
        stored.word(u64::from(argument) + word);
    }
    stored.end();
}

/// Nanoseconds that a command with `iterations` multiplications takes.
fn batch(iterations: u64) -> f64 {
    const COMMANDS: u32 = 2000;
    let ring = Ring::new(iterations);
    let one = |ring: &Ring| {
        let began = Instant::now();
        for i in 0..COMMANDS {
            draw(black_box(ring), black_box(i));
        }
        began.elapsed()
    };
    let best = (0..40).map(|_| one(&ring)).min().unwrap_or(Duration::ZERO);
    best.as_nanos() as f64 / f64::from(COMMANDS)
}
