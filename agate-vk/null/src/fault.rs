//! What a test plants: results of calls to come, and calls that stop inside until they may go on.

use crate::device::lock;
use ash::vk;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// The longest that a held call stays inside: a test that forgets it ends all the same.
const LONGEST_HOLD: Duration = Duration::from_secs(20);

#[derive(Default)]
pub(crate) struct Plan {
    /// Whether there is anything to look at: false on every device that no test meddles with.
    any: AtomicBool,
    entries: Mutex<Vec<Entry>>,
}

struct Entry {
    call: &'static str,
    /// How many calls from now; 1 is the next, 0 means each.
    nth: u32,
    what: What,
}

enum What {
    Result(vk::Result),
    Hold(Arc<Gate>),
}

#[derive(Default)]
struct Gate {
    state: Mutex<(bool, bool)>,
    changed: Condvar,
}

impl Gate {
    /// The held thread: says that it is inside, and waits until it may go on.
    fn pass(&self) {
        let mut state = lock(&self.state);
        state.0 = true;
        self.changed.notify_all();
        let _ = self
            .changed
            .wait_timeout_while(state, LONGEST_HOLD, |(_, open)| !*open);
    }
}

/// A call that will stop inside the function. Dropping it lets the call go on.
pub struct Hold(Arc<Gate>);

impl Hold {
    /// Waits until the call is inside; whether it is.
    pub fn wait_entered(&self, timeout: Duration) -> bool {
        let state = lock(&self.0.state);
        let waited = self
            .0
            .changed
            .wait_timeout_while(state, timeout, |(entered, _)| !*entered);
        waited.is_ok_and(|(state, _)| state.0)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        lock(&self.0.state).1 = true;
        self.0.changed.notify_all();
    }
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hold")
    }
}

impl Plan {
    fn add(&self, entry: Entry) {
        lock(&self.entries).push(entry);
        self.any.store(true, Ordering::Release);
    }

    pub(crate) fn fail(&self, call: &'static str, nth: u32, result: vk::Result) {
        let what = What::Result(result);
        self.add(Entry { call, nth, what });
    }

    pub(crate) fn hold(&self, call: &'static str) -> Hold {
        let gate = Arc::new(Gate::default());
        let what = What::Hold(Arc::clone(&gate));
        self.add(Entry { call, nth: 1, what });
        Hold(gate)
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.entries).len()
    }

    pub(crate) fn clear(&self) {
        lock(&self.entries).clear();
    }

    /// What was planted for this call. Stays inside as long as it is held.
    pub(crate) fn met(&self, call: &str) -> Option<vk::Result> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let mut due = Vec::new();
        lock(&self.entries).retain_mut(|entry| {
            if entry.call != call {
                return true;
            }
            let always = entry.nth == 0;
            entry.nth = entry.nth.saturating_sub(1);
            if entry.nth > 0 {
                return true;
            }
            due.push(match &entry.what {
                What::Result(result) => What::Result(*result),
                What::Hold(gate) => What::Hold(Arc::clone(gate)),
            });
            always
        });
        let mut result = None;
        for what in due {
            match what {
                What::Result(planted) => result = Some(planted),
                What::Hold(gate) => gate.pass(),
            }
        }
        result
    }
}
