//! One pool behind a mutex: a job locks it, allocates a secondary buffer, records it, and unlocks.
//!
//! Recording is a use of the pool, so the lock is held for the whole job: jobs take turns.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard};

use ash::vk;

use super::Objects;
use super::recording::{Pool, Recording};
use super::secondaries::JobPools;
use crate::draw;
use crate::error::Error;
use crate::scene::View;
use crate::stage::Stage;

/// The one pool that all jobs of a frame in flight share.
pub(crate) struct PerJob(Mutex<Pool>);

impl PerJob {
    fn lock(&self) -> Result<MutexGuard<'_, Pool>, Error> {
        self.0
            .lock()
            .map_err(|_| Error::Jobs("a job panicked".into()))
    }
}

impl JobPools for PerJob {
    fn new(stage: &Stage) -> Result<Self, Error> {
        let pool = Pool::new(&stage.gpu, vk::CommandBufferLevel::SECONDARY)?;
        Ok(Self(Mutex::new(pool)))
    }

    fn reset(&mut self) -> Result<(), Error> {
        self.lock()?.reset()
    }

    fn record(
        &self,
        stage: &Stage,
        view: &View,
        range: Range<usize>,
    ) -> Result<vk::CommandBuffer, Error> {
        let mut pool = self.lock()?;
        let mut recording = Recording::secondary(stage, pool.take()?)?;
        draw::stones(&mut recording, stage, view, range);
        let ended = recording.end();
        drop(pool);
        ended
    }

    fn objects(&self) -> Objects {
        Objects {
            pools: 1,
            command_buffers: self.lock().map_or(0, |pool| pool.buffers()),
        }
    }
}
