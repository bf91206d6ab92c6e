//! Commands that are recorded and submitted in one go: uploads, transitions, what needs no frame of its own.

use crate::error::{BeginError, OnceError};
use crate::frame::Frame;
use crate::recorder::StreamRecorder;
use crate::request::SubmitOptions;
use crate::service::Service;
use crate::ticket::Ticket;
use std::time::Duration;

/// One-time submissions.
impl Service {
    /// Records on this thread and submits: a frame with one slot, outside of rendering. Waits until one of the frames in
    /// flight is free, `timeout` at the longest.
    ///
    /// ```no_run
    /// # use agate_vk::{OnceError, Recorder, Service, SubmitOptions, vk};
    /// # use std::time::Duration;
    /// # fn example(service: &mut Service, from: vk::Buffer, to: vk::Buffer) -> Result<(), OnceError> {
    /// let copy = [vk::BufferCopy::default().size(1024)];
    /// let ticket = service.submit_once_timeout(
    ///     Duration::from_secs(1),
    ///     SubmitOptions::default(),
    ///     // SAFETY: both buffers live until the ticket has resolved.
    ///     |recorder| unsafe { recorder.cmd_copy_buffer(from, to, &copy) },
    /// )?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`OnceError`] where nothing is submitted; what fails after that comes with the ticket.
    ///
    /// # Progress
    ///
    /// May park.
    pub fn submit_once_timeout(
        &mut self,
        timeout: Duration,
        options: SubmitOptions<'_>,
        record: impl FnOnce(&mut StreamRecorder),
    ) -> Result<Ticket, OnceError> {
        once(self.begin_frame_timeout(timeout), options, record)
    }

    /// As [`submit_once_timeout`](Self::submit_once_timeout), if one of the frames in flight is free.
    ///
    /// # Errors
    ///
    /// As there; [`BeginError::NoCredit`] where none is free.
    ///
    /// # Progress
    ///
    /// Lock-free; wakes the pool's owner if it sleeps, or [does its work](crate::ServiceOptions::driven_by_users).
    pub fn try_submit_once(
        &mut self,
        options: SubmitOptions<'_>,
        record: impl FnOnce(&mut StreamRecorder),
    ) -> Result<Ticket, OnceError> {
        once(self.try_begin_frame(), options, record)
    }
}

fn once(
    frame: Result<Frame, BeginError>,
    options: SubmitOptions<'_>,
    record: impl FnOnce(&mut StreamRecorder),
) -> Result<Ticket, OnceError> {
    let mut frame = frame?;
    let mut recorder = frame.outside(1)?.slot(0)?.stream()?;
    record(&mut recorder);
    recorder.finish()?;
    Ok(frame.submit(options))
}
