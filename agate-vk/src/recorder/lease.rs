//! The lease lane: a recorder that has a command pool for itself, and calls the driver.
//!
//! # Invariants
//!
//! - G1: while `lease` is there, this recorder alone uses its pool (S2 of `stock`), and `buffer` is of that pool and in the
//!   recording state.

#![allow(unsafe_code, reason = "hands out the functions of the device")]

use crate::after::Work;
use crate::caught::quietly;
use crate::commands::table::Command;
use crate::ending::Ending;
use crate::error::{RecordError, SlotLoss};
use crate::frame::{SlotPlace, SlotToken};
use crate::notes::Note;
use crate::pool::PoolMessage;
use crate::raw::Device;
use crate::stock::Lease;
use ash::vk;
use std::sync::Arc;

/// Records one slot by calling the driver, into a secondary command buffer of a pool that is lent to this recorder alone.
///
/// Made by [`Slot::lease`](crate::Slot::lease), for passes whose contents are secondary command buffers. The commands are
/// those of [`Recorder`](crate::Recorder), so the same job code records in either lane. Nothing is copied: the driver reads the arguments during the call, and `pNext` chains may hold whatever it
/// knows.
///
/// With the feature `checks` commands are looked at as in a stream, before the driver is called: it is given neither one that
/// is refused nor, behind the first error of any kind, anything more.
///
/// Call [`finish`](Self::finish) at the end. A recorder that is dropped without it, by a panic too, loses its slot, and the
/// frame's policy says what that means; the pool goes back to the stock either way. It can be sent to another thread between
/// two calls.
///
/// A frame does not wait for a lease for ever: it ends without those that are out when its slots expire, when it is dropped,
/// or when the service ends. From then on the lease calls nothing more of the driver: its commands are left out, a closure is
/// dropped, and `finish` says [`RecordError::Stale`]. Where `Slot::lease` or `finish` are inside the driver at that moment, the
/// ticket resolves after them. A command is not waited for, so it is for the host to keep alive what the commands refer to,
/// and the render pass and the framebuffer of the pass, until the ticket has resolved **and** the lease has been finished or
/// dropped. A host that joins its jobs before it destroys anything does that.
///
/// One that is still out when the service ends is counted in [`ShutdownReport::leaked`](crate::ShutdownReport::leaked): the
/// device has to outlive it. Its pool is destroyed when it ends. One that is forgotten with `mem::forget` costs its slot as
/// any other, by [`ServiceOptions::slot_deadline`](crate::ServiceOptions::slot_deadline), and its pool is lent to nobody any
/// more: it is never destroyed, and counted in the same way.
///
/// # Progress
///
/// Nothing here waits for the owner, but every command is the driver's call, and takes its time. The end of the recorder, by
/// `finish` or drop, may do the owner's work where [users drive](crate::ServiceOptions::driven_by_users) it.
pub struct LeaseRecorder {
    device: Arc<Device>,
    buffer: vk::CommandBuffer,
    commands: u64,
    serial: u64,
    ending: Arc<Ending>,
    error: Option<RecordError>,
    #[cfg(feature = "checks")]
    checks: crate::checks::State,
    /// Both until the end.
    lease: Option<Lease>,
    token: Option<SlotToken>,
}

impl LeaseRecorder {
    /// Starts recording for the slot of `token`.
    pub(crate) fn new(token: SlotToken) -> Result<Self, RecordError> {
        match Self::begin(&token) {
            Ok(begun) => Ok(Self::with(token, begun)),
            Err(error) => {
                end(token, None, PoolEnd::Lost(SlotLoss::Failed(error)));
                Err(error)
            }
        }
    }

    /// As `new`; where there is no lease to be had the token comes back, and nobody has heard of it.
    pub(crate) fn try_new(token: SlotToken) -> Result<Self, SlotToken> {
        match Self::begin(&token) {
            Ok(begun) => Ok(Self::with(token, begun)),
            Err(_) => {
                // S4 of `stock`: a pool may have been taken and put back.
                token.stock().sweep(token.device());
                Err(token)
            }
        }
    }

    fn with(token: SlotToken, (lease, buffer): (Lease, vk::CommandBuffer)) -> Self {
        Self {
            device: Arc::clone(token.shared_device()),
            buffer,
            commands: 0,
            serial: token.place().serial,
            ending: Arc::clone(&token.stock().ending),
            error: None,
            #[cfg(feature = "checks")]
            checks: token.unchecked(),
            lease: Some(lease),
            token: Some(token),
        }
    }

    fn begin(token: &SlotToken) -> Result<(Lease, vk::CommandBuffer), RecordError> {
        let (device, stock) = (token.device(), token.stock());
        let serial = token.place().serial;
        let _inside = stock.ending.enter(serial).ok_or_else(|| over(token))?;
        let inherited = token.contents().ok_or(RecordError::NotSecondary)?;
        let mut lease = stock.lend(device, serial)?;
        let begun = lease.begin(device, &inherited, stock.status());
        let buffer = begun.map_err(|failed| stock.failed(failed))?;
        Ok((lease, buffer))
    }

    /// Ends the recording and hands it to the owner, which executes it in slot order. The pool goes back to the stock.
    ///
    /// # Errors
    ///
    /// The first error of the recording, that of `vkEndCommandBuffer` included; the slot is lost then, and the frame's
    /// ticket says so too.
    ///
    /// # Progress
    ///
    /// Lock-free but for the driver's call; wakes the owner if it sleeps, or
    /// [does its work](crate::ServiceOptions::driven_by_users).
    pub fn finish(mut self) -> Result<(), RecordError> {
        #[cfg(feature = "checks")]
        if let Err(error) = self.checks.end() {
            self.fail(error);
        }
        let (Some(token), lease) = (self.token.take(), self.lease.take()) else {
            return Err(RecordError::Closed);
        };
        let stock = token.stock();
        let inside = stock.ending.enter(self.serial);
        let ended = match self.error {
            Some(error) => Err(error),
            None if inside.is_none() => Err(over(&token)),
            None if stock.status().is_lost() => Err(RecordError::DeviceLost),
            None => {
                let ended = self.device.end(self.buffer);
                ended.map_err(|failed| stock.failed(failed))
            }
        };
        drop(inside);
        let note = Note {
            place: token.place(),
            buffer: self.buffer,
            commands: self.commands,
        };
        let message = match ended {
            Ok(()) => PoolEnd::Ready(note),
            Err(error) => PoolEnd::Lost(SlotLoss::Failed(error)),
        };
        let sent = end(token, lease, message);
        ended.and(sent.then_some(()).ok_or(RecordError::Closed))
    }

    /// It was chosen for want of block memory.
    pub(super) fn count_spill(&self) {
        if let Some(token) = &self.token {
            token.stock().status().tally.spill();
        }
    }

    /// Which slot is being recorded.
    pub fn place(&self) -> Option<SlotPlace> {
        self.token.as_ref().map(SlotToken::place)
    }

    /// The command buffer, for what records by itself. The feature `checks` does not see what that is, and takes it that
    /// pipelines are bound.
    ///
    /// # Safety
    ///
    /// As for a closure of [`Recorder::record`](crate::Recorder::record), and it is used before the next call of this
    /// recorder alone, by one thread.
    pub unsafe fn command_buffer(&mut self) -> vk::CommandBuffer {
        #[cfg(feature = "checks")]
        self.checks.binds_all();
        self.buffer
    }

    /// The device's functions, and the buffer: the command of that index is about to be called. `None` where the feature
    /// `checks` refuses it.
    #[inline(always)]
    pub(crate) fn target(&mut self, index: u16) -> Option<(&ash::Device, vk::CommandBuffer)> {
        if self.is_over() || self.is_refused(index) {
            return None;
        }
        self.commands += 1;
        Some((self.device.table(), self.buffer))
    }

    /// As `target`, for a closure, which may bind anything.
    #[inline(always)]
    pub(crate) fn target_of_closure(&mut self) -> Option<(&ash::Device, vk::CommandBuffer)> {
        if self.is_over() {
            return None;
        }
        #[cfg(feature = "checks")]
        {
            if self.has_failed() {
                return None;
            }
            self.checks.binds_all();
        }
        self.commands += 1;
        Some((self.device.table(), self.buffer))
    }

    /// The function of a command that is about to be called, and the buffer. Where the device lacks it, or the feature
    /// `checks` refuses it, the error sticks.
    ///
    /// # Safety
    ///
    /// `F` is the type of the function of the command of that index.
    #[inline(always)]
    pub(crate) unsafe fn call<F: Copy>(&mut self, index: u16) -> Option<(F, vk::CommandBuffer)> {
        if self.is_over() || self.is_refused(index) {
            return None;
        }
        if !self.device.has(index) {
            let command = Command::of(index).name;
            self.fail(RecordError::NotLoaded { command });
            return None;
        }
        self.commands += 1;
        // SAFETY: the caller's contract; the device has it.
        Some((unsafe { self.device.function(index) }, self.buffer))
    }

    /// A pipeline is about to be bound.
    #[cfg(feature = "checks")]
    pub(crate) fn note_pipeline(&mut self, point: vk::PipelineBindPoint) {
        self.checks.binds(point);
    }

    /// Whether the command of that index may not be called.
    #[cfg(not(feature = "checks"))]
    #[inline(always)]
    #[expect(clippy::unused_self, reason = "used by the checks")]
    fn is_refused(&self, _index: u16) -> bool {
        false
    }

    /// Whether the command of that index may not be called; the error sticks.
    #[cfg(feature = "checks")]
    #[inline(never)]
    fn is_refused(&mut self, index: u16) -> bool {
        if self.has_failed() {
            return true;
        }
        let looked_at = self.checks.command(index);
        if let Err(error) = looked_at {
            self.fail(error);
        }
        looked_at.is_err()
    }

    /// Whether there was an error: the driver is not given what stands behind a gap.
    #[cfg(feature = "checks")]
    fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    /// Whether the frame is over, and with it what the commands refer to; the error sticks.
    #[inline(always)]
    fn is_over(&mut self) -> bool {
        let over = self.ending.is_over(self.serial);
        if over {
            self.fail_over();
        }
        over
    }

    #[cold]
    fn fail_over(&mut self) {
        if let Some(token) = &self.token {
            self.fail(over(token));
        }
    }

    /// Does `work` when the frame of the recording is over.
    pub(crate) fn after(&self, work: Work) {
        match &self.token {
            Some(token) => token.after(work),
            None => drop(quietly(work)),
        }
    }

    /// An argument is out of Vulkan's range.
    #[cold]
    pub(crate) fn refuse(&mut self, index: u16, argument: &'static str) {
        let command = Command::of(index).name;
        self.fail(RecordError::BadArgument { command, argument });
    }

    /// Notes the first error of the recording.
    #[cold]
    pub(crate) fn fail(&mut self, error: RecordError) {
        if self.error.is_none() {
            self.error = Some(error);
            #[cfg(feature = "checks")]
            if let Some(token) = &self.token {
                token.note(error);
            }
        }
    }
}

/// Why nothing is recorded for a frame that is over.
#[cold]
fn over(token: &SlotToken) -> RecordError {
    if token.port().is_closed() {
        RecordError::Closed
    } else {
        RecordError::Stale
    }
}

/// How a recording ends.
enum PoolEnd {
    Ready(Note),
    Lost(SlotLoss),
}

/// Puts the pool back and tells the owner; whether it is there.
fn end(token: SlotToken, lease: Option<Lease>, end: PoolEnd) -> bool {
    // The owner hears of the slot when the pool is back: it resets what is in the stock when the frame is over.
    drop(lease);
    token.stock().sweep(token.device());
    let place = token.place();
    match end {
        PoolEnd::Ready(note) => token.stock().notes.put(note, token.port()).is_ok(),
        PoolEnd::Lost(loss) => token.send(PoolMessage::Lost { place, loss }).is_ok(),
    }
}

impl Drop for LeaseRecorder {
    fn drop(&mut self) {
        if let Some(token) = self.token.take() {
            let loss = match self.error {
                Some(error) => SlotLoss::Failed(error),
                None if std::thread::panicking() => SlotLoss::Panicked,
                None => SlotLoss::Dropped,
            };
            end(token, self.lease.take(), PoolEnd::Lost(loss));
        }
    }
}

impl std::fmt::Debug for LeaseRecorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LeaseRecorder")
            .field("place", &self.place())
            .finish_non_exhaustive()
    }
}
