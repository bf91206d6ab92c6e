//! The owner of the command pool: jobs write messages, its thread replays them into one primary command buffer. In the
//! lease lane, jobs record the stones into secondary command buffers of pools that are lent to them.
//!
//! The main thread declares the frame and waits for credits and images; jobs take a slot, record, and finish. No job
//! calls Vulkan, and none waits. Sharded, there are more owners, which the jobs drive: at its end a job replays its
//! messages into a secondary command buffer, with the pool of an owner that nobody is busy with. Queue and swapchain belong to another owner, because presenting may take a frame's time.
//!
//! # Invariants
//!
//! - O1: from `new` to the end of `drop` the service alone uses the queue and the surface.
//! - O2: handles that are recorded belong to the `Stage`, which changes only after `finish`, or to the acquired image,
//!   which is presented with the frame that uses it.
#![allow(unsafe_code, reason = "encodes Vulkan commands")]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ::agate::WaitError;
use agate_vk::{
    AcquireError, Acquired, BeginError, Frame, Pass, Recorder, Service, ServiceOptions, Slot,
    SubmitOptions, Swapchain, SwapchainOptions, Ticket, TicketError,
};
use ash::vk;

use super::{DEADLINE, FRAMES_IN_FLIGHT, FrameSample, Objects, Order, Outcome, Strategy};
use crate::app::server;
use crate::draw::{self, Commands, Shown};
use crate::error::Error;
use crate::gpu::pass::{PassKind, Rendering, render_pass_begin};
use crate::jobs::JobResults;
use crate::leave::{leave, leave_told};
use crate::scene::PUSH_STAGES;
use crate::stage::Stage;

/// Slots that are not jobs': setup, finish, and the service's own.
const OTHER_SLOTS: usize = 16;

/// The service, and the frames that it has not answered yet.
pub(crate) struct Agate {
    service: Option<Service>,
    swapchain: Option<Swapchain>,
    pending: VecDeque<Pending>,
    results: JobResults<()>,
    lane: Lane,
}

/// How jobs record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// The pools' owner replays their messages into the one primary.
    Stitched,
    /// Each replays its own messages at its end, as one of several owners.
    Sharded,
    /// Into a pool that is lent to it.
    Lease,
}

/// A submitted frame.
struct Pending {
    begin: Instant,
    ticket: Ticket,
}

/// Room for the messages of one draw: its push constants, and the rest generously. Where the owner lags behind the jobs,
/// whole frames of them wait for it.
const MESSAGE_BYTES_PER_DRAW: usize = 256;

/// As many shards as the service takes.
const MOST_SHARDS: usize = 16;

/// The smallest block that the service takes, in bytes.
const SMALLEST_BLOCK: usize = 4 << 10;

impl Agate {
    pub(crate) fn new(
        stage: &Stage,
        window: Option<vk::Extent2D>,
        lane: Lane,
    ) -> Result<Self, Error> {
        let gpu = &stage.gpu;
        // SAFETY: both tables are of the device that `gpu` keeps alive, longer than the service (G1).
        let mut device =
            unsafe { agate_vk::Device::from_ash(&gpu.instance.raw, &gpu.device) }.map_err(told)?;
        if gpu.instance.has_debug_utils() {
            // SAFETY: it is enabled.
            device = unsafe { device.with_debug_utils() };
        }
        let mut options = ServiceOptions::new(gpu.queue, gpu.queue_family);
        options.frames_in_flight = FRAMES_IN_FLIGHT as u32;
        if lane == Lane::Sharded {
            // One for each thread that records.
            options.shards = stage.jobs.threads().clamp(1, MOST_SHARDS) as u32;
        }
        let draws = stage.scene.len();
        let jobs = stage.jobs.count(draws);
        options.max_slots = u32::try_from(jobs + OTHER_SLOTS).unwrap_or(u32::MAX);
        options.max_leases = u32::try_from(jobs).unwrap_or(u32::MAX).clamp(1, 1024);
        // Each slot takes whole blocks: small ones where there are many slots with little in them.
        let bytes_per_job = (draws.div_ceil(jobs.max(1)) + 1) * MESSAGE_BYTES_PER_DRAW;
        options.block_bytes = bytes_per_job
            .next_multiple_of(SMALLEST_BLOCK)
            .clamp(SMALLEST_BLOCK, options.block_bytes);
        let bytes = draws * MESSAGE_BYTES_PER_DRAW + (jobs + OTHER_SLOTS) * options.block_bytes;
        options.max_block_bytes = options.max_block_bytes.max(FRAMES_IN_FLIGHT * bytes);
        // SAFETY: the device was opened with what the service needs, and leaves it the queue (O1).
        let mut service = unsafe { Service::new(device, options) }.map_err(told)?;
        let swapchain = window
            .map(|extent| swapchain(&mut service, stage, extent))
            .transpose()?;
        Ok(Self {
            service: Some(service),
            swapchain,
            pending: VecDeque::new(),
            results: JobResults::default(),
            lane,
        })
    }

    /// The window's next image; `None` inside if there is none now.
    fn acquire(&self) -> Result<Option<Acquired>, Error> {
        let Some(swapchain) = &self.swapchain else {
            return Ok(None);
        };
        // The owner answers by its own deadline, so the second one only guards against its end.
        let mut acquired = swapchain.acquire(DEADLINE);
        let begin = Instant::now();
        let answer = loop {
            let answer = acquired.wait_timeout(Duration::from_secs(1));
            let timed_out = matches!(answer, Err(WaitError::TimedOut));
            if !timed_out || begin.elapsed() > 2 * DEADLINE {
                break answer;
            }
            if server::compositor_gone() {
                return Err(server::went_away());
            }
        };
        match answer {
            Ok(Ok(acquired)) => Ok(Some(acquired)),
            Ok(Err(AcquireError::ZeroArea)) => Ok(None),
            Ok(Err(AcquireError::TimedOut)) => Err(stalled("an image of the window")),
            Ok(Err(error)) => Err(told(error)),
            Err(error) => Err(Error::Agate(format!(
                "no image of the window came: {error}"
            ))),
        }
    }

    fn begin_frame(&mut self) -> Result<Frame, Error> {
        let service = self
            .service
            .as_mut()
            .ok_or_else(|| Error::Agate("it has ended".into()))?;
        service
            .begin_frame_timeout(DEADLINE)
            .map_err(|error| match error {
                BeginError::TimedOut => stalled("a frame"),
                error => told(error),
            })
    }

    /// Takes the answers that have come.
    fn collect(&mut self, sample: &mut FrameSample) -> Result<(), Error> {
        while let Some(front) = self.pending.front_mut() {
            let Some(answer) = front.ticket.poll() else {
                break;
            };
            let begin = front.begin;
            self.pending.pop_front();
            sample
                .until_ended
                .push(answer.map_err(told)?.ended.saturating_duration_since(begin));
        }
        Ok(())
    }
}

impl Strategy for Agate {
    fn frame(
        &mut self,
        stage: &Stage,
        order: &Order<'_>,
        sample: &mut FrameSample,
    ) -> Result<Outcome, Error> {
        let acquired = self.acquire()?;
        if self.swapchain.is_some() && acquired.is_none() {
            return Ok(Outcome::NoImage);
        }
        let mut frame = match self.begin_frame() {
            Ok(frame) => frame,
            Err(error @ Error::Stalled { .. }) => return Err(error),
            Err(error) => {
                // What struck an earlier frame says more.
                self.finish(sample)?;
                return Err(error);
            }
        };
        let begin = Instant::now();
        let setup = frame.outside(1).map_err(told)?;
        let draws = stage.scene.len();
        let stones = declare(&mut frame, stage, stage.jobs.count(draws), self.lane)?;
        let finish = frame.outside(1).map_err(told)?;
        let lane = self.lane;
        record(&setup, 0, |commands| draw::setup(commands, &stage.target))?;
        stage.jobs.run(draws, &mut self.results, |job, range| {
            if lane == Lane::Lease {
                let mut recorder = slot(&stones, job)?.lease().map_err(told)?;
                draw::stones(&mut Encoded(&mut recorder), stage, &order.view, range);
                return recorder.finish().map_err(told);
            }
            record(&stones, job, |commands| {
                draw::stones(commands, stage, &order.view, range);
            })
        });
        self.results.take(&mut sample.jobs, |()| {})?;
        let shown = acquired.as_ref().map(|image| Shown {
            image: image.image,
            extent: image.extent,
        });
        record(&finish, 0, |commands| {
            draw::finish(commands, &stage.target, shown, order.copy);
        })?;
        let mut options = if order.execute {
            SubmitOptions::default()
        } else {
            SubmitOptions::record_only()
        };
        if let Some(acquired) = acquired {
            options = options.present(acquired, vk::PipelineStageFlags2::ALL_TRANSFER);
        }
        let ticket = frame.submit(options);
        self.pending.push_back(Pending { begin, ticket });
        self.collect(sample)?;
        Ok(Outcome::Drawn)
    }

    fn resize(&mut self, extent: vk::Extent2D) {
        if let Some(swapchain) = &self.swapchain {
            swapchain.resize(extent);
        }
    }

    fn finish(&mut self, sample: &mut FrameSample) -> Result<(), Error> {
        while let Some(mut front) = self.pending.pop_front() {
            let report = front
                .ticket
                .wait_timeout(DEADLINE)
                .map_err(|error| match error {
                    TicketError::TimedOut => stalled("a frame"),
                    error => told(error),
                })?;
            sample
                .until_ended
                .push(report.ended.saturating_duration_since(front.begin));
        }
        Ok(())
    }

    fn objects(&self) -> Objects {
        self.service.as_ref().map_or(Objects::default(), |service| {
            let counters = service.counters();
            Objects {
                pools: counters.pools as usize,
                command_buffers: counters.command_buffers as usize,
            }
        })
    }
}

impl Drop for Agate {
    fn drop(&mut self) {
        const GONE: Duration = Duration::from_secs(5);
        let destroyed = self
            .swapchain
            .take()
            .is_none_or(|swapchain| swapchain.destroy().wait_timeout(GONE).is_ok());
        let Some(service) = self.service.take() else {
            return;
        };
        let report = service.shutdown(GONE);
        if report.leaked > 0 || report.panicked || !destroyed {
            // What its owners may still use must not be destroyed. Of a panic its own line has told.
            if report.panicked {
                leave_told();
            }
            leave(&Error::Agate(format!(
                "{} object(s) could not be destroyed, as the GPU may still use them",
                report.leaked.max(1)
            )));
        }
    }
}

/// The pass of the stones, with a slot for each job.
fn declare(frame: &mut Frame, stage: &Stage, jobs: usize, lane: Lane) -> Result<Pass, Error> {
    let slots = u32::try_from(jobs).unwrap_or(u32::MAX);
    match (&stage.pass, lane != Lane::Stitched) {
        (PassKind::Dynamic, false) => {
            let rendering = Rendering::new(&stage.target);
            // SAFETY: the target's images are alive and in the layouts that `draw::setup` gives them (O2).
            unsafe { frame.rendering(&rendering.info(), slots) }
        }
        (PassKind::Dynamic, true) => {
            let rendering = Rendering::new(&stage.target);
            let colors = [stage.formats.color];
            let inherited = vk::CommandBufferInheritanceRenderingInfo::default()
                .color_attachment_formats(&colors)
                .depth_attachment_format(stage.formats.depth)
                .rasterization_samples(stage.formats.samples);
            // SAFETY: as above, and these are the target's formats and samples.
            unsafe { frame.rendering_secondaries(&rendering.info(), &inherited, slots) }
        }
        (PassKind::Classic(pass), false) => {
            let info = render_pass_begin(pass.handle, &stage.target);
            // SAFETY: as above, and the framebuffer was made for this pass.
            unsafe { frame.render_pass(&info, slots) }
        }
        (PassKind::Classic(pass), true) => {
            let info = render_pass_begin(pass.handle, &stage.target);
            // SAFETY: as above.
            unsafe { frame.render_pass_secondaries(&info, slots) }
        }
    }
    .map_err(told)
}

/// Takes one slot of a pass.
fn slot(pass: &Pass, slot: usize) -> Result<Slot, Error> {
    let slot = u32::try_from(slot).unwrap_or(u32::MAX);
    pass.slot(slot).map_err(told)
}

/// Records one slot of a pass on this thread.
fn record(
    pass: &Pass,
    slot: usize,
    commands: impl FnOnce(&mut Encoded<'_, agate_vk::Entered<'_>>),
) -> Result<(), Error> {
    let mut recorder = self::slot(pass, slot)?.stream().map_err(told)?;
    recorder.enter(|entered| commands(&mut Encoded(entered)));
    recorder.finish().map_err(told)
}

fn swapchain(
    service: &mut Service,
    stage: &Stage,
    extent: vk::Extent2D,
) -> Result<Swapchain, Error> {
    let gpu = &stage.gpu;
    let surface = gpu
        .surface
        .as_ref()
        .ok_or_else(|| Error::Window("it has no surface".into()))?;
    let capabilities = surface.capabilities(gpu.physical)?;
    let options = SwapchainOptions {
        surface_fns: surface.functions().clone(),
        physical_device: gpu.physical,
        surface: surface.handle,
        extent,
        format: surface.format(gpu.physical)?,
        usage: vk::ImageUsageFlags::TRANSFER_DST,
        present_mode: surface.present_mode(gpu.physical)?,
        min_images: crate::gpu::swapchain::image_count(&capabilities),
    };
    // SAFETY: the device was chosen for this surface; format and mode are among those that it offers; the surface
    // outlives the service, and nobody else makes a swapchain for it meanwhile (O1).
    unsafe { service.create_swapchain(options) }.map_err(told)
}

fn told(error: impl std::fmt::Display) -> Error {
    Error::Agate(error.to_string())
}

fn stalled(what: &'static str) -> Error {
    Error::Stalled {
        what,
        seconds: DEADLINE.as_secs(),
    }
}

/// Commands that are written as messages. Handles are alive until the frame has retired (O2), the commands are those
/// of a valid frame (`draw`).
struct Encoded<'a, R>(&'a mut R);

impl<R: Recorder> Commands for Encoded<'_, R> {
    fn bind_pipeline(&mut self, pipeline: vk::Pipeline) {
        // SAFETY: O2.
        unsafe {
            self.0
                .cmd_bind_pipeline(vk::PipelineBindPoint::GRAPHICS, pipeline);
        };
    }

    fn set_viewport(&mut self, viewport: vk::Viewport) {
        // SAFETY: no handles; the area is that of the target.
        unsafe { self.0.cmd_set_viewport(0, &[viewport]) };
    }

    fn set_scissor(&mut self, scissor: vk::Rect2D) {
        // SAFETY: as above.
        unsafe { self.0.cmd_set_scissor(0, &[scissor]) };
    }

    fn bind_vertices(&mut self, vertices: vk::Buffer) {
        // SAFETY: O2.
        unsafe { self.0.cmd_bind_vertex_buffers(0, &[vertices], &[0]) };
    }

    fn bind_indices(&mut self, indices: vk::Buffer) {
        // SAFETY: O2.
        unsafe {
            self.0
                .cmd_bind_index_buffer(indices, 0, vk::IndexType::UINT32);
        };
    }

    fn push<T: Copy>(&mut self, layout: vk::PipelineLayout, value: &T) {
        // SAFETY: O2; the layout's range is as long as the structure that the scene defines for it.
        unsafe { self.0.push_constants(layout, PUSH_STAGES, 0, value) };
    }

    fn draw(&mut self, vertices: u32) {
        // SAFETY: `draw` has bound what this needs.
        unsafe { self.0.cmd_draw(vertices, 1, 0, 0) };
    }

    fn draw_indexed(&mut self, indices: u32) {
        // SAFETY: `draw` has bound what this needs.
        unsafe { self.0.cmd_draw_indexed(indices, 1, 0, 0, 0) };
    }

    fn barrier(&mut self, barriers: &vk::DependencyInfo<'_>) {
        // SAFETY: O2.
        unsafe { self.0.cmd_pipeline_barrier2(barriers) };
    }

    fn blit(&mut self, from: vk::Image, to: vk::Image, region: vk::ImageBlit) {
        let (read, write) = (
            vk::ImageLayout::TRANSFER_SRC_OPTIMAL,
            vk::ImageLayout::TRANSFER_DST_OPTIMAL,
        );
        // SAFETY: O2; `draw::finish` gave both images these layouts.
        unsafe {
            self.0
                .cmd_blit_image(from, read, to, write, &[region], vk::Filter::NEAREST);
        };
    }

    fn copy_to_buffer(&mut self, from: vk::Image, to: vk::Buffer, region: vk::BufferImageCopy) {
        let layout = vk::ImageLayout::TRANSFER_SRC_OPTIMAL;
        // SAFETY: O2; `draw::finish` gave the image this layout, and the buffer has room for it.
        unsafe { self.0.cmd_copy_image_to_buffer(from, layout, to, &[region]) };
    }
}
