//! How much a run of each workload does.

use crate::messages::workload::paced::Pace;

/// Sizes of workloads.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Messages of 8 bytes in a stream; half as many of 64.
    pub stream: usize,
    /// Runs of 512 sends.
    pub runs: usize,
    /// Senders attached and detached.
    pub attach: usize,
    /// Sends every 300 ns.
    pub paced_short: Pace,
    /// Sends every 3 µs.
    pub paced_long: Pace,
    /// Sends every 200 µs.
    pub asleep: Pace,
    /// The longest that round trips are made, and how many at the most.
    pub trips: (u64, usize),
    /// Milliseconds in a situation of waiting.
    pub waiting_ms: u64,
    /// Tells.
    pub tells: usize,
    /// Asks of an owner that sleeps.
    pub asks_asleep: usize,
}

impl Scale {
    /// For figures.
    pub const FULL: Self = Self {
        stream: 1_000_000,
        runs: 600,
        attach: 20_000,
        paced_short: Pace {
            gap_ns: 300,
            sends: 30_000,
        },
        paced_long: Pace {
            gap_ns: 3_000,
            sends: 8_000,
        },
        asleep: Pace {
            gap_ns: 200_000,
            sends: 200,
        },
        trips: (20_000_000, 20_000),
        waiting_ms: 40,
        tells: 200_000,
        asks_asleep: 200,
    };

    /// To see that everything works.
    pub const QUICK: Self = Self {
        stream: 8_000,
        runs: 4,
        attach: 100,
        paced_short: Pace {
            gap_ns: 300,
            sends: 200,
        },
        paced_long: Pace {
            gap_ns: 3_000,
            sends: 100,
        },
        asleep: Pace {
            gap_ns: 200_000,
            sends: 5,
        },
        trips: (1_000_000, 50),
        waiting_ms: 1,
        tells: 1_000,
        asks_asleep: 5,
    };
}
