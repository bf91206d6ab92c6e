//! Pools that the owner lends: a job records by direct calls into a secondary of a pool that it alone has meanwhile, and
//! the owner's primary executes it.
//!
//! # Invariants
//!
//! - O1: the service alone uses the queue, and is shut down before the device is dropped.
//! - O2: the scene's objects outlive the service.

#![allow(unsafe_code, reason = "declares a pass")]

use std::sync::Arc;
use std::time::Duration;

use agate_vk::{Eliminating, Service, ServiceOptions, SubmitOptions};
use ash::vk;

use super::direct::rendering;
use super::{Encoded, FRAMES_IN_FLIGHT};
use crate::commands::device::Device;
use crate::commands::frame::{FrameTimes, Objects, Stage, Stamps, Strategy};
use crate::commands::work::{Work, record};

const DEADLINE: Duration = Duration::from_secs(30);

/// See the module.
pub struct Lease {
    service: Service,
    /// Objects of the device are used until the service has shut down.
    _device: Arc<Device>,
}

impl Lease {
    /// Starts the service.
    ///
    /// # Panics
    ///
    /// If its threads cannot be started.
    pub fn new(device: &Arc<Device>) -> Self {
        let mut options = ServiceOptions::new(device.queue, device.family);
        options.frames_in_flight = FRAMES_IN_FLIGHT as u32;
        options.driven_by_users = true;
        // SAFETY: the device has what the service needs, and nobody else uses the queue (O1).
        let service = unsafe { Service::new(device.for_agate(), options) };
        Self {
            service: service.expect("threads for the owners"),
            _device: Arc::clone(device),
        }
    }
}

impl Strategy for Lease {
    fn frame(&mut self, stage: &Stage, work: &Work) -> FrameTimes {
        let scene = stage.device.scene;
        let plain = Work {
            eliminate: false,
            ..*work
        };
        let mut stamps = Stamps::begin();
        let mut frame = self
            .service
            .begin_frame_timeout(DEADLINE)
            .expect("the frame before has retired");
        let inherited = vk::CommandBufferInheritanceRenderingInfo::default();
        // SAFETY: no attachments, so nothing has to be alive.
        let pass =
            unsafe { frame.rendering_secondaries(&rendering(), &inherited, work.jobs as u32) };
        let pass = pass.expect("few slots");
        let jobs = stage.jobs.run(work, |_, slot, range, each| {
            let slot = pass.slot(slot as u32).expect("nobody else took it");
            let mut recorder = slot.lease().expect("a pool");
            if work.eliminate {
                // By agate's own filter, as in its other ways.
                let mut recorder = Eliminating::new(&mut recorder);
                let mut calls = Encoded(&mut recorder);
                record(&mut calls, &scene, &stage.matrices, range, &plain, each);
            } else {
                let mut calls = Encoded(&mut recorder);
                record(&mut calls, &scene, &stage.matrices, range, &plain, each);
            }
            recorder.finish().expect("memory for a buffer");
        });
        let mut ticket = frame.submit(if work.execute {
            SubmitOptions::default()
        } else {
            SubmitOptions::record_only()
        });
        let report = ticket.wait_timeout(DEADLINE).expect("the frame is well");
        stamps.ended(report.ended);
        if work.execute {
            stamps.queued(report.submitted);
            stamps.executed(report.retired);
        }
        let mut times = stamps.recycled(jobs);
        times.owner_ns = report.replay.as_nanos() as f64;
        times.message_bytes = report.bytes;
        times
    }

    fn objects(&self) -> Objects {
        let counters = self.service.counters();
        Objects {
            pools: counters.pools as usize,
            buffers: counters.command_buffers as usize,
            message_bytes: counters.blocks.high_water * counters.block_bytes,
        }
    }
}
