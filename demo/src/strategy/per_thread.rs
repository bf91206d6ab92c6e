//! A pool for each job thread and frame in flight: jobs share nothing, and nobody waits.
//!
//! Each pool is reset whole once a frame, by the thread that records from it, before its first job: what the driver
//! frees then, it frees on all threads at once.

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

/// One pool for each job thread, which alone takes its lock: it is never contended.
pub(crate) struct PerThread(Vec<Mutex<Own>>);

/// The pool of one job thread.
struct Own {
    pool: Pool,
    /// It holds what an earlier frame recorded.
    stale: bool,
}

impl PerThread {
    /// The pool of the calling job thread.
    fn mine(&self) -> Result<MutexGuard<'_, Own>, Error> {
        let own = rayon::current_thread_index().and_then(|index| self.0.get(index));
        let own = own.ok_or_else(|| Error::Jobs("a job ran on a thread without a pool".into()))?;
        own.try_lock()
            .map_err(|_| Error::Jobs("a job thread's pool is in use by another job".into()))
    }
}

impl JobPools for PerThread {
    fn new(stage: &Stage) -> Result<Self, Error> {
        let own = |_| {
            let pool = Pool::new(&stage.gpu, vk::CommandBufferLevel::SECONDARY)?;
            Ok(Mutex::new(Own { pool, stale: false }))
        };
        Ok(Self(
            (0..stage.jobs.threads())
                .map(own)
                .collect::<Result<_, Error>>()?,
        ))
    }

    fn reset(&mut self) -> Result<(), Error> {
        for own in &mut self.0 {
            let own = own.get_mut();
            own.map_err(|_| Error::Jobs("a job panicked".into()))?.stale = true;
        }
        Ok(())
    }

    fn record(
        &self,
        stage: &Stage,
        view: &View,
        range: Range<usize>,
    ) -> Result<vk::CommandBuffer, Error> {
        let mut own = self.mine()?;
        if std::mem::take(&mut own.stale) {
            own.pool.reset()?;
        }
        let mut recording = Recording::secondary(stage, own.pool.take()?)?;
        draw::stones(&mut recording, stage, view, range);
        let ended = recording.end();
        drop(own);
        ended
    }

    fn objects(&self) -> Objects {
        let buffers = |own: &Mutex<Own>| own.lock().map_or(0, |own| own.pool.buffers());
        Objects {
            pools: self.0.len(),
            command_buffers: self.0.iter().map(buffers).sum(),
        }
    }
}
