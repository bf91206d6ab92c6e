//! The owner of the pool: jobs write messages into blocks, its thread replays them in slot order into the one primary; or,
//! sharded, each job's thread replays them at the job's end into a secondary.
//!
//! # Invariants
//!
//! - O1: the service alone uses the queue, and is shut down before the device is dropped.
//! - O2: the scene's objects outlive the service.

#![allow(unsafe_code, reason = "encodes Vulkan commands")]

use std::sync::Arc;
use std::time::Duration;

use agate_vk::{DrawState, Recorder, Service, ServiceOptions, StreamRecorder, SubmitOptions};
use ash::vk;

use super::FRAMES_IN_FLIGHT;
use super::direct::rendering;
use crate::commands::device::Device;
use crate::commands::frame::{FrameTimes, Objects, Stage, Stamps, Strategy};
use crate::commands::work::{Calls, Matrix, Scene, Work, record};

const DEADLINE: Duration = Duration::from_secs(30);

/// See the module.
pub struct Agate {
    service: Service,
    /// Whether a draw is one message.
    fused: bool,
    sharded: bool,
    /// Objects of the device are used until the service has shut down.
    _device: Arc<Device>,
}

impl Agate {
    /// Starts the service; `fused` makes one message of a draw's calls. With so many shards; 0: stitched.
    ///
    /// # Panics
    ///
    /// If its threads cannot be started.
    pub fn new(device: &Arc<Device>, fused: bool, shards: usize) -> Self {
        let mut options = ServiceOptions::new(device.queue, device.family);
        options.shards = shards.min(16) as u32;
        options.frames_in_flight = FRAMES_IN_FLIGHT as u32;
        // SAFETY: the device has what the service needs, and nobody else uses the queue (O1).
        let service = unsafe { Service::new(device.for_agate(), options) };
        Self {
            service: service.expect("threads for the owners"),
            fused,
            sharded: shards > 0,
            _device: Arc::clone(device),
        }
    }
}

impl Strategy for Agate {
    fn frame(&mut self, stage: &Stage, work: &Work) -> FrameTimes {
        let (scene, fused, eliminate) = (stage.device.scene, self.fused, work.eliminate);
        // Elimination is agate's own.
        let plain = Work {
            eliminate: false,
            ..*work
        };
        let mut stamps = Stamps::begin();
        let mut frame = self
            .service
            .begin_frame_timeout(DEADLINE)
            .expect("the frame before has retired");
        let slots = work.jobs as u32;
        let pass = if self.sharded {
            let inherited = vk::CommandBufferInheritanceRenderingInfo::default()
                .rasterization_samples(vk::SampleCountFlags::TYPE_1);
            // SAFETY: no attachments, so nothing has to be alive, and all inherit that there are none.
            unsafe { frame.rendering_secondaries(&rendering(), &inherited, slots) }
        } else {
            // SAFETY: as above.
            unsafe { frame.rendering(&rendering(), slots) }
        };
        let pass = pass.expect("few slots");
        let encode = |slot: usize, range, each: &mut _| {
            let slot = pass.slot(slot as u32).expect("nobody else took it");
            let mut recorder = slot.stream().expect("room for messages");
            let (scene, matrices, work) = (&scene, &stage.matrices, &plain);
            match (eliminate, fused) {
                (false, false) => recorder.enter(|to| {
                    record(&mut Encoded(to), scene, matrices, range, work, each);
                }),
                (false, true) => recorder.enter(|to| {
                    record(&mut EncodedFused(to), scene, matrices, range, work, each);
                }),
                (true, false) => recorder.eliminate(|to| {
                    record(&mut Encoded(to), scene, matrices, range, work, each);
                }),
                (true, true) => recorder.eliminate(|to| {
                    record(&mut EncodedFused(to), scene, matrices, range, work, each);
                }),
            }
            recorder
        };
        let finish = |recorder: StreamRecorder| recorder.finish().expect("room for messages");
        let jobs = if self.sharded {
            // What a job's thread replays when the job has recorded is the owner's time.
            let encode = |_, slot, range, each: &mut _| encode(slot, range, each);
            stage.jobs.run_then(work, encode, finish)
        } else {
            let job = |_, slot, range, each: &mut _| finish(encode(slot, range, each));
            stage.jobs.run(work, job)
        };
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
        if self.sharded {
            times.owner_ns = times.jobs.then_cpu_ns as f64;
        }
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

/// Calls as messages (O2).
pub(crate) struct Encoded<'a, R>(pub(crate) &'a mut R);

impl<R: Recorder> Calls for Encoded<'_, R> {
    #[inline(always)]
    fn bind_pipeline(&mut self, pipeline: vk::Pipeline) {
        // SAFETY: O2.
        unsafe {
            self.0
                .cmd_bind_pipeline(vk::PipelineBindPoint::GRAPHICS, pipeline);
        };
    }

    #[inline(always)]
    fn bind_vertices(&mut self, buffer: vk::Buffer) {
        // SAFETY: O2.
        unsafe { self.0.cmd_bind_vertex_buffers(0, &[buffer], &[0]) };
    }

    #[inline(always)]
    fn push(&mut self, layout: vk::PipelineLayout, matrix: &Matrix) {
        // SAFETY: O2; the layout has 64 bytes for the vertex stage.
        unsafe {
            self.0
                .push_constants(layout, vk::ShaderStageFlags::VERTEX, 0, matrix);
        };
    }

    #[inline(always)]
    fn draw(&mut self) {
        // SAFETY: everything is bound.
        unsafe { self.0.cmd_draw(3, 1, 0, 0) };
    }
}

/// The same, with one message for all four (O2).
pub(crate) struct EncodedFused<'a, R>(pub(crate) &'a mut R);

impl<R: Recorder> Calls for EncodedFused<'_, R> {
    #[inline(always)]
    fn bind_pipeline(&mut self, pipeline: vk::Pipeline) {
        Encoded(self.0).bind_pipeline(pipeline);
    }

    #[inline(always)]
    fn bind_vertices(&mut self, buffer: vk::Buffer) {
        Encoded(self.0).bind_vertices(buffer);
    }

    #[inline(always)]
    fn push(&mut self, layout: vk::PipelineLayout, matrix: &Matrix) {
        Encoded(self.0).push(layout, matrix);
    }

    #[inline(always)]
    fn draw(&mut self) {
        Encoded(self.0).draw();
    }

    #[inline(always)]
    fn all(&mut self, scene: &Scene, matrix: &Matrix) {
        let bound = DrawState {
            pipeline: scene.pipeline,
            vertices: scene.vertices,
            layout: scene.layout,
            stages: vk::ShaderStageFlags::VERTEX,
            push_offset: 0,
        };
        // SAFETY: O2; the layout has 64 bytes for the vertex stage, and all of them are written.
        unsafe {
            self.0.draw_with(&bound, 3, |data| {
                data.write(*matrix);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::device::Kind;
    use crate::commands::encode::FEWER_BYTES;
    use crate::commands::strategy::BYTES_PER_DRAW;
    use crate::commands::work::{Jobs, Matrices, Order};

    #[test]
    fn the_limits_copy_as_many_bytes_as_the_messages_of_a_draw_have() {
        let device = Arc::new(Device::open(Kind::Null).expect("needs no driver"));
        let mut stage = Stage {
            device: Arc::clone(&device),
            jobs: Jobs::new().expect("threads"),
            matrices: Matrices::default(),
        };
        for fused in [false, true] {
            for (eliminate, expected) in [(false, BYTES_PER_DRAW), (true, FEWER_BYTES)] {
                let mut bytes = |draws| {
                    let work = Work {
                        draws,
                        jobs: 1,
                        order: Order::Forward,
                        eliminate,
                        execute: false,
                        each_draw: false,
                    };
                    stage.jobs.prepare(&work);
                    Agate::new(&device, fused, 0)
                        .frame(&stage, &work)
                        .message_bytes
                };
                let (few, more) = (bytes(10), bytes(110));
                assert_eq!(more - few, 100 * expected as u64, "{fused} {eliminate}");
            }
        }
    }
}
