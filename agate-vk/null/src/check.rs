//! What a checked device looks for: who is inside, and what may happen to an object when.

use crate::device::{Inner, lock};
use std::fmt;
use std::sync::Mutex;
use std::thread::{self, ThreadId};

/// A rule of Vulkan that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// Another thread was inside a function that uses the same pool, queue or swapchain.
    Race {
        /// The function that the other thread was in.
        inside: &'static str,
    },
    /// Another thread had used it first, and it was not handed over.
    NotHandedOver,
    /// The object had been destroyed or freed.
    Destroyed,
    /// The command buffer, or one of the pool's, was pending.
    BufferPending,
    /// The command buffer was not in the initial state, and its pool has no reset of single buffers.
    NotInitial,
    /// The command buffer was not recording.
    NotRecording,
    /// The command buffer was not executable.
    NotExecutable,
    /// The command buffer that was executed by another was not a secondary one.
    NotSecondary,
    /// A secondary command buffer was begun without inheritance.
    InheritsNothing,
    /// Nothing signals the binary semaphore.
    NeverSignalled,
    /// The binary semaphore was signalled, or about to be, and nothing had waited for it.
    SignalledTwice,
    /// A submission that uses the semaphore was pending.
    SemaphorePending,
    /// The value of the timeline did not grow.
    TimelineNotGrowing,
    /// Nothing that was submitted so far signals the timeline's value.
    WaitsEarly,
    /// The command buffer is of a pool for another queue family.
    OtherFamily,
    /// The swapchain's image was not acquired.
    NotAcquired,
    /// A present of the swapchain waited for a pending submission.
    PresentPending,
    /// The swapchain had been retired by another.
    Retired,
    /// All images were acquired, and the call had no time-out.
    AcquiresForever,
    /// Commands refer to the object that were encoded, and not executed yet.
    ReferredTo,
    /// Waiting for the queue would never have ended: the test releases nothing.
    Stalled,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Race { inside } => write!(f, "another thread was inside {inside}"),
            Self::NotHandedOver => {
                f.write_str("it belongs to another thread and was not handed over")
            }
            Self::Destroyed => f.write_str("the object had been destroyed"),
            Self::BufferPending => f.write_str("a command buffer was pending"),
            Self::NotInitial => f.write_str("the command buffer was not in the initial state"),
            Self::NotRecording => f.write_str("the command buffer was not recording"),
            Self::NotExecutable => f.write_str("the command buffer was not executable"),
            Self::NotSecondary => f.write_str("the command buffer was not a secondary one"),
            Self::InheritsNothing => {
                f.write_str("the secondary command buffer was begun without inheritance")
            }
            Self::NeverSignalled => f.write_str("nothing signals the binary semaphore"),
            Self::SignalledTwice => f.write_str("the binary semaphore was signalled already"),
            Self::SemaphorePending => {
                f.write_str("a submission that uses the semaphore was pending")
            }
            Self::TimelineNotGrowing => f.write_str("the value of the timeline did not grow"),
            Self::WaitsEarly => {
                f.write_str("no submission so far signals the value of the timeline")
            }
            Self::OtherFamily => f.write_str("the pool is for another queue family"),
            Self::NotAcquired => f.write_str("the image was not acquired"),
            Self::PresentPending => f.write_str("a present was pending"),
            Self::Retired => f.write_str("the swapchain was retired"),
            Self::AcquiresForever => {
                f.write_str("all images were acquired, and there was no time-out")
            }
            Self::ReferredTo => f.write_str("commands that are not executed yet refer to it"),
            Self::Stalled => f.write_str("the queue would never have become idle"),
        }
    }
}

/// A rule that was broken, and by which function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The function that was called.
    pub call: &'static str,
    /// What was wrong.
    pub rule: Rule,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, self.rule)
    }
}

/// Who uses an object that one thread at a time may use.
#[derive(Default)]
pub(crate) struct User(Mutex<Use>);

#[derive(Default)]
struct Use {
    now: Option<(ThreadId, &'static str)>,
    owner: Option<ThreadId>,
}

impl User {
    /// Until the answer is dropped, a call of another thread is a race.
    pub(crate) fn enter(&self, device: &Inner, call: &'static str) -> Inside<'_> {
        if !device.options.checked {
            return Inside(None);
        }
        let me = thread::current().id();
        let mut found = lock(&self.0);
        let race = found.now.filter(|(other, _)| *other != me);
        if let Some((_, inside)) = race {
            device.violation(call, Rule::Race { inside });
        }
        if device.options.owner_only && *found.owner.get_or_insert(me) != me {
            device.violation(call, Rule::NotHandedOver);
        }
        if found.now.is_some() {
            return Inside(None);
        }
        found.now = Some((me, call));
        Inside(Some(self))
    }

    /// The next thread that uses it owns it.
    pub(crate) fn hand_over(&self) {
        lock(&self.0).owner = None;
    }
}

/// A call that is inside.
pub(crate) struct Inside<'a>(Option<&'a User>);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        if let Some(user) = self.0 {
            lock(&user.0).now = None;
        }
    }
}
