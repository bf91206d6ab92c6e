//! Vulkan lets one thread at a time touch a `VkCommandPool` and every buffer allocated from it. This crate gives the pools
//! to an *owner thread*; jobs on any thread record by writing messages to it, and never wait.
//!
//! A [`Service`] is made from the host's own device and queue. The main thread begins a [`Frame`] and declares its
//! [passes](Pass), each with slots; jobs take slots, record with a [`StreamRecorder`] under ash's names, and finish; the
//! owner replays the slots in order into one primary command buffer of one pool, and the queue's owner submits it. Slots of
//! a pass with secondary contents ([`Frame::rendering_secondaries`]) get command buffers of their own, which
//! [shards](ServiceOptions::shards) can record in parallel. The
//! [`Ticket`] resolves when the GPU has executed the frame, or with what went wrong.
//!
//! The page `docs/embedding.md` of the repository has recipes: features to enable, options, queues, swapchains, wgpu, and
//! what stays the host's duty. Its example `offscreen_triangle` is a whole first program.
//!
//! ```no_run
//! use agate_vk::{Recorder, Service, ServiceOptions, SubmitOptions, vk};
//! use std::time::Duration;
//!
//! # fn host() -> (ash::Instance, ash::Device, vk::Queue, vk::Pipeline) { unimplemented!() }
//! # fn draw(rendering: &vk::RenderingInfo<'_>) -> Result<(), Box<dyn std::error::Error>> {
//! let (instance, device, queue, pipeline) = host();
//! let device = unsafe { agate_vk::Device::from_ash(&instance, &device)? };
//! let mut service = unsafe { Service::new(device, ServiceOptions::new(queue, 0))? };
//!
//! let mut frame = service.begin_frame_timeout(Duration::from_secs(1))?;
//! let pass = unsafe { frame.rendering(rendering, 8)? };
//! std::thread::scope(|jobs| {
//!     for _ in 0..8 {
//!         let pass = pass.clone();
//!         jobs.spawn(move || {
//!             let mut recorder = pass.next_slot()?.stream()?;
//!             unsafe {
//!                 recorder.cmd_bind_pipeline(vk::PipelineBindPoint::GRAPHICS, pipeline);
//!                 recorder.cmd_draw(3, 1, 0, 0);
//!             }
//!             recorder.finish().map_err(Box::<dyn std::error::Error + Send + Sync>::from)
//!         });
//!     }
//! });
//! let mut ticket = frame.submit(SubmitOptions::default());
//! println!("executed: {:?}", ticket.wait_timeout(Duration::from_secs(1))?);
//! # Ok(())
//! # }
//! ```

mod after;
mod caught;
mod checks;
mod commands;
mod cooling;
mod counters;
mod ending;
mod error;
mod frame;
mod idle;
mod keeper;
#[cfg(all(test, loom))]
mod model;
mod names;
mod notes;
mod once;
#[cfg(all(test, not(loom)))]
mod panics;
mod pool;
mod queue;
mod raw;
mod recorded;
mod recorder;
mod request;
mod retire;
mod service;
mod shard;
mod status;
mod stock;
mod submit;
mod swapchain;
mod sync;
mod ticket;
mod timeline;
mod trace;
mod turnstile;
mod uses;
mod waiters;

/// The messaging core: some of its types stand in this crate's signatures (`Completion`), and jobs want its `forbid_wait`.
pub use agate;
/// The Vulkan types in this crate's signatures.
pub use ash;
pub use ash::vk;

#[cfg(feature = "checks")]
pub use checks::{Checks, RecordFault};
pub use commands::layout::PNextArray;
pub use commands::table::{Command, Scope};
pub use counters::Counters;
pub use error::{
    AcquireError, BeginError, FrameError, LoadError, OnceError, PassError, RecordError,
    ServiceError, SlotError, SlotLoss, TicketError, Violation,
};
pub use frame::{Frame, MAX_COLOR_FORMATS, MAX_PASSES, Pass, Slot, SlotPlace};
pub use queue::{QueueGuard, QueueLock, QueueMode};
pub use raw::Device;
pub use recorder::{
    AnyRecorder, DrawState, Eliminating, Entered, LeaseRecorder, Recorder, StreamRecorder,
};
pub use request::{MAX_IMAGES, MAX_SEMAPHORES, SubmitOptions};
pub use service::{MissingSlot, Service, ServiceOptions, ShutdownReport};
pub use swapchain::{Acquired, Swapchain, SwapchainOptions};
pub use ticket::{FrameReport, Ticket};
pub use timeline::Timeline;
pub use trace::{Trace, TraceEvent, TraceKind, TracePhase};

/// The page on embedding is compiled with the examples of this crate.
#[cfg(doctest)]
#[doc = include_str!("../../docs/embedding.md")]
struct Embedding;
