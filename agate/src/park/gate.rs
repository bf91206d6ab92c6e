//! The gate before sleeping: spins, then yields, as long as each has been paying off.

use std::time::{Duration, Instant};

use crate::park::{Ready, Woken, nanos};
use crate::sync::{spin_loop, thread};

const BUDGET_MAX: u64 = 50_000;
const BUDGET_MIN: u64 = 2_000;

/// What a waiter has learnt about spinning: a profit account for each way of not sleeping.
///
/// A success is worth the wake that it saved, a failure costs the time that it burnt. All times in nanoseconds.
#[derive(Clone, Copy, Debug)]
#[allow(
    unreachable_pub,
    reason = "what a scope is built of, named by its sealed trait; rustc 1.85 does not see that"
)]
pub struct Gate {
    /// What a wake takes until the woken thread runs.
    wake: u64,
    /// How long to spin at most.
    budget: u64,
    /// Whether a longer spin would have met the last message.
    near: bool,
    spin: Account,
    yielding: Account,
    /// Whether to yield early: what it waits for is done by a thread that may need this core.
    early: bool,
}

#[derive(Clone, Copy, Debug)]
struct Account {
    credit: u64,
    /// When to try again without credit, by the gate's clock.
    next_probe: Option<Instant>,
}

impl Account {
    fn open(&self, near: bool, now: Instant) -> bool {
        self.credit > 0 || (near && self.next_probe.is_none_or(|at| now >= at))
    }

    fn success(&mut self, wake: u64, spent: u64) {
        self.credit = (self.credit + wake.max(spent) - spent).clamp(wake / 2, 32 * wake);
    }

    fn failure(&mut self, spent: u64, now: Instant) {
        self.credit = self.credit.saturating_sub(spent);
        if self.credit == 0 {
            self.next_probe = Some(now + Duration::from_nanos(16 * spent.min(1_000_000_000)));
        }
    }
}

impl Gate {
    pub(crate) const fn new() -> Self {
        const WAKE: u64 = 20_000;
        Self {
            wake: WAKE,
            budget: 10_000,
            near: true,
            spin: Account {
                credit: 2 * WAKE,
                next_probe: None,
            },
            yielding: Account {
                credit: WAKE,
                next_probe: None,
            },
            early: false,
        }
    }

    /// For a sender that waits for room. Its receiver has everything to do and may have no core to do it on, so a few
    /// pauses are all the spinning there is; then it yields and parks.
    pub(crate) const fn for_room() -> Self {
        Self {
            early: true,
            ..Self::new()
        }
    }

    pub(super) fn wait(
        &mut self,
        ready: &impl Ready,
        deadline: Option<Instant>,
        mut park: impl FnMut(&mut Self),
    ) -> Woken {
        if ready.is_over() {
            return Woken::Ready;
        }
        if cfg!(any(loom, shuttle)) {
            loop {
                park(self);
                if ready.is_over() {
                    return Woken::Ready;
                }
            }
        }
        if self.early {
            if pause(ready) {
                return Woken::Ready;
            }
        } else if self.spin.credit > 0 && spin(48, ready) {
            self.spin.credit = (self.spin.credit + self.wake).min(32 * self.wake);
            return Woken::Ready;
        }
        loop {
            let now = Instant::now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                return if ready.is_over() {
                    Woken::Ready
                } else {
                    Woken::TimedOut
                };
            }
            let spins = !self.early && self.spin.open(self.near, now);
            if spins && self.spin_phase(ready, now) {
                return Woken::Ready;
            }
            let now = if spins { Instant::now() } else { now };
            if self.yielding.open(self.near, now) && self.yield_phase(ready, now) {
                return Woken::Ready;
            }
            park(self);
            if ready.is_over() {
                return Woken::Ready;
            }
        }
    }

    fn spin_phase(&mut self, ready: &impl Ready, start: Instant) -> bool {
        let paying = self.spin.credit > 0;
        let budget = if paying {
            self.budget
        } else {
            BUDGET_MAX.min(2 * self.wake + 4_000)
        };
        loop {
            let met = spin(8, ready);
            let now = Instant::now();
            let elapsed = nanos(now - start);
            // Time lost to preemption is not the spin's fault: charge at most the budget.
            let spent = elapsed.min(budget);
            if met {
                if elapsed <= 2 * budget + 5_000 {
                    self.spin.success(self.wake, spent);
                    if 2 * spent > self.budget {
                        self.budget = (2 * spent).min(BUDGET_MAX);
                    }
                }
                return true;
            }
            if elapsed >= budget {
                self.spin.failure(spent, now);
                return false;
            }
        }
    }

    fn yield_phase(&mut self, ready: &impl Ready, start: Instant) -> bool {
        let mut spent = 0;
        for _ in 0..4 {
            thread::yield_now();
            let met = ready.is_over();
            let now = Instant::now();
            // Not clamped: a yield that cost a whole time slice must close this gate.
            spent = nanos(now - start);
            if met {
                if spent <= 2 * self.wake {
                    self.yielding.success(self.wake, spent);
                } else {
                    // Dearer than a sleep and its wake: somebody else's whole time slice lay in between.
                    self.yielding.failure(spent, now);
                }
                return true;
            }
            if spent > self.wake / 4 {
                break;
            }
        }
        self.yielding.failure(spent, Instant::now());
        false
    }

    /// Learns from a sleep of so long, woken with the given latency if that is known.
    pub(super) fn slept(&mut self, asleep: u64, latency: Option<u64>) {
        if let Some(latency) = latency {
            self.wake = ((7 * self.wake + latency) / 8).clamp(BUDGET_MIN, BUDGET_MAX);
        }
        self.near = asleep.saturating_sub(latency.unwrap_or(self.wake)) < BUDGET_MAX;
        self.budget = if self.near {
            (2 * self.budget).min(BUDGET_MAX)
        } else {
            (self.budget / 2).max(BUDGET_MIN)
        };
    }
}

/// Seven pauses, each twice as long as the one before.
fn pause(ready: &impl Ready) -> bool {
    (0..if cfg!(miri) { 1 } else { 7 }).any(|pause| {
        (0..1 << pause).for_each(|_| spin_loop());
        ready.is_over()
    })
}

fn spin(polls: u32, ready: &impl Ready) -> bool {
    let polls = if cfg!(miri) { 1 } else { polls };
    for _ in 0..polls {
        if ready.is_likely_over() {
            return true;
        }
        spin_loop();
    }
    ready.is_over()
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn a_gate_that_never_pays_stays_shut() {
        let mut gate = Gate::new();
        let mut parked = 0;
        for _ in 0..100 {
            let deadline = Instant::now() + Duration::from_secs(60);
            let done = std::cell::Cell::new(false);
            let woken = gate.wait(&|| done.get(), Some(deadline), |gate| {
                // A long sleep: no spin would have met the message.
                gate.slept(1_000_000_000, Some(3_000));
                parked += 1;
                done.set(true);
            });
            assert_eq!(woken, Woken::Ready);
        }
        assert_eq!(parked, 100);
        assert_eq!(
            (gate.spin.credit, gate.yielding.credit, gate.near),
            (0, 0, false)
        );
        assert!((BUDGET_MIN..=BUDGET_MAX).contains(&gate.wake));
        assert_eq!(gate.budget, BUDGET_MIN);
    }

    #[test]
    #[cfg_attr(miri, ignore = "there a spin is one poll")]
    fn a_spin_that_pays_is_not_given_up() {
        let mut gate = Gate::new();
        for _ in 0..100 {
            let polls = std::cell::Cell::new(0);
            let ready = || {
                polls.set(polls.get() + 1);
                polls.get() > 3
            };
            assert_eq!(gate.wait(&ready, None, |_| panic!("parked")), Woken::Ready);
        }
        assert_eq!(gate.spin.credit, 32 * gate.wake);
    }
}
