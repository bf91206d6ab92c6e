//! The retire owner: waits for the timeline and tells who needs to know that a frame has been executed.

use crate::error::FrameError;
use crate::pool::PoolMessage;
use crate::raw::Device;
use crate::status::Status;
use crate::ticket::{FrameReport, TicketEnd};
use crate::trace::TraceKind;
use agate::{Handler, Port};
use ash::vk;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long one wait on the timeline lasts before the owner looks whether it is to stop, in nanoseconds.
const WAIT_NS: u64 = 20_000_000;

/// How long the owner rests between waits that fail for want of memory.
const RETRY: Duration = Duration::from_millis(1);

/// A submission whose end is waited for.
pub(crate) struct Watch {
    pub(crate) frame: u32,
    pub(crate) serial: u64,
    /// The timeline's value when it has been executed.
    pub(crate) value: u64,
    pub(crate) report: FrameReport,
    /// What the ticket says in place of the report, where the frame failed.
    pub(crate) error: Option<FrameError>,
    pub(crate) ticket: TicketEnd,
}

/// Waits for submissions in the order of their values. Its own thread, so that it may block in `vkWaitSemaphores`.
pub(crate) struct Retire {
    pub(crate) device: Arc<Device>,
    pub(crate) timeline: vk::Semaphore,
    pub(crate) pool: Port<PoolMessage>,
    pub(crate) status: Arc<Status>,
}

impl Handler for Retire {
    type Message = Watch;

    fn handle(&mut self, watch: Watch) {
        #[cfg(all(test, not(loom)))]
        crate::panics::panic_if_planted(&self.status, crate::panics::Who::Retire);
        let span = self.status.span(TraceKind::Retire, watch.serial);
        let outcome = self.wait(watch.value);
        drop(span);
        // The pool first: a host that learns from the ticket that the frame is over finds its credit soon after.
        let retired = outcome.is_ok();
        let _ = self.pool.send_and_help(PoolMessage::Retired {
            frame: watch.frame,
            serial: watch.serial,
            executed: retired,
        });
        let report = FrameReport {
            retired: Instant::now(),
            ..watch.report
        };
        match outcome {
            Err(error) if error != FrameError::DeviceLost => watch.ticket.give_up(error),
            outcome => watch
                .ticket
                .resolve(outcome.and(watch.error.map_or(Ok(report), Err))),
        }
    }
}

impl Drop for Retire {
    fn drop(&mut self) {
        self.status.note_gone();
        let _ = self.pool.send_and_help(PoolMessage::OwnerGone);
    }
}

impl Retire {
    /// Blocks until the value is reached, the device is lost, or the service gives up waiting.
    fn wait(&self, value: u64) -> Result<(), FrameError> {
        loop {
            if self.status.is_lost() {
                return Err(FrameError::DeviceLost);
            }
            match self.device.wait_timeline(self.timeline, value, WAIT_NS) {
                Ok(true) => return Ok(()),
                Ok(false) if self.status.gives_up() => return Err(FrameError::Aborted),
                Ok(false) => {}
                Err(failed) => match self.status.note(failed) {
                    FrameError::DeviceLost => return Err(FrameError::DeviceLost),
                    // Out of memory says nothing of the frame: only the timeline can tell when it is over.
                    error if self.status.gives_up() => return Err(error),
                    _ if self.is_reached(value) => return Ok(()),
                    _ => std::thread::sleep(RETRY),
                },
            }
        }
    }

    fn is_reached(&self, value: u64) -> bool {
        match self.device.timeline_value(self.timeline) {
            Ok(now) => now >= value,
            Err(failed) => {
                self.status.note(failed);
                false
            }
        }
    }
}
