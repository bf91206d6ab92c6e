//! The closures that a program records: each is called or dropped, once.

#![allow(unsafe_code, reason = "records closures")]

use super::jobs::Expected;
use agate_vk::{Recorder, ash, vk};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What has become of a closure.
#[derive(Default)]
pub(crate) struct Fate {
    called: AtomicBool,
    /// How often what it captures was dropped.
    ended: AtomicU32,
    /// Its recorder was forgotten.
    forgotten: AtomicBool,
}

impl Fate {
    pub(super) fn was_called(&self) -> bool {
        self.called.load(Ordering::Relaxed)
    }

    pub(super) fn forget(&self) {
        self.forgotten.store(true, Ordering::Relaxed);
    }
}

/// All that were made.
#[derive(Default)]
pub(crate) struct Closures(Mutex<Vec<Arc<Fate>>>);

impl Closures {
    fn made(&self) -> Arc<Fate> {
        let fate = Arc::<Fate>::default();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Arc::clone(&fate));
        fate
    }

    /// Nobody has any of them any more, but who was forgotten.
    #[track_caller]
    pub(super) fn check(&self) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for fate in &*all {
            let ended = fate.ended.load(Ordering::Relaxed);
            let forgotten = fate.forgotten.load(Ordering::Relaxed);
            assert!(
                ended == 1 || forgotten && ended == 0,
                "of {} closures one ended {ended} times; called: {:?}",
                all.len(),
                fate.called
            );
        }
    }
}

/// What a closure is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Small,
    /// More than stands in a block.
    Large,
    Aligned,
    /// Panics if it is dropped without a call.
    PanicsDropped,
    /// Panics when it is called.
    Panics,
}

/// What a closure captures.
struct Captured {
    expected: Arc<Expected>,
    fate: Arc<Fate>,
    kind: Kind,
}

impl Captured {
    fn call(&self, device: &ash::Device, buffer: vk::CommandBuffer) {
        assert!(!self.fate.called.swap(true, Ordering::Relaxed), "again");
        self.expected.called();
        // SAFETY: the device takes any command.
        unsafe { device.cmd_draw(buffer, 3, 1, 0, 0) };
        if self.kind == Kind::Panics {
            resume_unwind(Box::new("planned"));
        }
    }
}

impl Drop for Captured {
    fn drop(&mut self) {
        self.fate.ended.fetch_add(1, Ordering::Relaxed);
        if self.kind == Kind::PanicsDropped && !self.fate.called.load(Ordering::Relaxed) {
            resume_unwind(Box::new("planned"));
        }
    }
}

#[repr(align(64))]
struct Aligned(Captured);

/// Records a closure; what becomes of it, and whether it panicked here and now.
pub(super) fn record(
    recorder: &mut impl Recorder,
    expected: &Arc<Expected>,
    kind: Kind,
) -> (Arc<Fate>, bool) {
    let fate = expected.closures.made();
    let captured = Captured {
        expected: Arc::clone(expected),
        fate: Arc::clone(&fate),
        kind,
    };
    let ballast = [7_u64; 700];
    let aligned = |value: &Aligned| std::ptr::from_ref(value).addr() % 64 == 0;
    let caught = catch_unwind(AssertUnwindSafe(|| match kind {
        // SAFETY: the device takes any command; the closure makes one.
        Kind::Large => unsafe {
            recorder.record(move |device, buffer| {
                assert_eq!(ballast, [7; 700]);
                captured.call(device, buffer);
            });
        },
        Kind::Aligned => {
            let value = Aligned(captured);
            // SAFETY: as above.
            unsafe {
                recorder.record(move |device, buffer| {
                    let value = value;
                    assert!(aligned(&value));
                    value.0.call(device, buffer);
                });
            }
        }
        // SAFETY: as above.
        _ => unsafe { recorder.record(move |device, buffer| captured.call(device, buffer)) },
    }));
    (fate, caught.is_err())
}
