//! What the strategies without an owner share: the main thread submits, presents, and waits.
//!
//! # Invariants
//!
//! - D1: only the main thread, which holds the `Direct`, uses the queue and the swapchain.
//! - D2: frame slot `s` is handed out by `begin` only after the frame that used it before has retired, so its pools and
//!   its acquire semaphore are free.
#![allow(unsafe_code, reason = "calls Vulkan")]

use std::sync::Arc;

use ash::vk;

use super::{DEADLINE, FRAMES_IN_FLIGHT, Order};
use crate::draw::Shown;
use crate::error::{Doing, Error};
use crate::gpu::Gpu;
use crate::gpu::swapchain::{Acquired, Swapchain};
use crate::leave::leave;

/// Submission, presentation and retirement on the main thread.
pub(crate) struct Direct {
    timeline: vk::Semaphore,
    /// Frames recorded so far: the slots are used in turn.
    frames: u64,
    /// The timeline's value once all frames have retired.
    submitted: u64,
    /// The frames that are known to have retired.
    retired: u64,
    /// The device is lost, and does nothing any more.
    lost: bool,
    slots: [Slot; FRAMES_IN_FLIGHT],
    swapchain: Option<Swapchain>,
    gpu: Arc<Gpu>,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    /// The timeline's value once the slot's frame has retired.
    retires_at: u64,
    /// Signalled when the slot's swapchain image may be written.
    acquired: vk::Semaphore,
}

/// A frame that may be recorded now.
#[must_use = "its image, if any, is acquired"]
pub(crate) struct Turn {
    /// Which of the frames in flight it is.
    pub(crate) slot: usize,
    image: Option<Acquired>,
}

impl Turn {
    /// The window's image that `draw::finish` copies to.
    pub(crate) fn shown(&self) -> Option<Shown> {
        self.image.map(|image| image.shown)
    }
}

impl Direct {
    pub(crate) fn new(gpu: &Arc<Gpu>, window: Option<vk::Extent2D>) -> Result<Self, Error> {
        let mut kind =
            vk::SemaphoreTypeCreateInfo::default().semaphore_type(vk::SemaphoreType::TIMELINE);
        let info = vk::SemaphoreCreateInfo::default().push_next(&mut kind);
        // SAFETY: the device is alive (G1), `info` is complete.
        let timeline =
            unsafe { gpu.device.create_semaphore(&info, None) }.doing("creating the timeline")?;
        let mut direct = Self {
            timeline,
            frames: 0,
            submitted: 0,
            retired: 0,
            lost: false,
            slots: Default::default(),
            swapchain: window.map(|extent| Swapchain::new(gpu, extent)),
            gpu: Arc::clone(gpu),
        };
        for slot in &mut direct.slots {
            // SAFETY: as above.
            let made = unsafe {
                gpu.device
                    .create_semaphore(&vk::SemaphoreCreateInfo::default(), None)
            };
            slot.acquired = made.doing("creating a semaphore")?;
        }
        Ok(direct)
    }

    /// The next frame, once the frame that had its slot before has retired; `None` if the window has no image now.
    pub(crate) fn begin(&mut self) -> Result<Option<Turn>, Error> {
        let slot = usize::try_from(self.frames % FRAMES_IN_FLIGHT as u64).unwrap_or(0);
        self.wait_for(self.slots[slot].retires_at)?;
        // A swapchain can be out of date again by the time it is made: twice is a bound, not a guess at how often.
        for _ in 0..2 {
            if self
                .swapchain
                .as_ref()
                .is_some_and(Swapchain::must_be_rebuilt)
            {
                self.finish()?;
            }
            let Some(swapchain) = &mut self.swapchain else {
                return Ok(Some(Turn { slot, image: None }));
            };
            if let Some(image) = swapchain.acquire(self.slots[slot].acquired, DEADLINE)? {
                return Ok(Some(Turn {
                    slot,
                    image: Some(image),
                }));
            }
        }
        Ok(None)
    }

    /// Submits the frame and presents it, or, where the order is only to record, leaves it: its pools are reset as ever
    /// when the slot's turn comes again.
    pub(crate) fn submit(
        &mut self,
        Turn { slot, image }: Turn,
        primary: vk::CommandBuffer,
        order: &Order<'_>,
    ) -> Result<(), Error> {
        self.frames += 1;
        if !order.execute {
            return Ok(());
        }
        let value = self.submitted + 1;
        let buffers = [vk::CommandBufferSubmitInfo::default().command_buffer(primary)];
        let waits = [semaphore(
            self.slots[slot].acquired,
            vk::PipelineStageFlags2::ALL_TRANSFER,
        )];
        let done = vk::PipelineStageFlags2::ALL_COMMANDS;
        let mut signals = [
            semaphore(self.timeline, done).value(value),
            semaphore(vk::Semaphore::null(), done),
        ];
        let mut info = vk::SubmitInfo2::default().command_buffer_infos(&buffers);
        info = if let Some(acquired) = &image {
            signals[1].semaphore = acquired.rendered;
            info.wait_semaphore_infos(&waits)
                .signal_semaphore_infos(&signals)
        } else {
            info.signal_semaphore_infos(&signals[..1])
        };
        // SAFETY: the queue is ours (D1), the buffer is executable, its earlier use has retired (D2).
        unsafe {
            self.gpu
                .device
                .queue_submit2(self.gpu.queue, &[info], vk::Fence::null())
        }
        .doing("submitting a frame")?;
        self.submitted = value;
        self.slots[slot].retires_at = value;
        match (&mut self.swapchain, image) {
            (Some(swapchain), Some(acquired)) => swapchain.present(acquired),
            _ => Ok(()),
        }
    }

    /// The window's area changed.
    pub(crate) fn resize(&mut self, extent: vk::Extent2D) {
        if let Some(swapchain) = &mut self.swapchain {
            swapchain.resize(extent);
        }
    }

    /// Waits until every frame has retired.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        self.wait_for(self.submitted)
    }

    fn wait_for(&mut self, value: u64) -> Result<(), Error> {
        const DOING: &str = "waiting for a frame";
        if self.lost {
            return Err(vk::Result::ERROR_DEVICE_LOST).doing(DOING);
        }
        if value <= self.retired {
            return Ok(());
        }
        let (semaphores, values) = ([self.timeline], [value]);
        let info = vk::SemaphoreWaitInfo::default()
            .semaphores(&semaphores)
            .values(&values);
        let deadline_ns = u64::try_from(DEADLINE.as_nanos()).unwrap_or(u64::MAX);
        // SAFETY: the semaphore is a timeline of this device.
        let waited = unsafe { self.gpu.device.wait_semaphores(&info, deadline_ns) };
        match waited {
            Ok(()) => self.retired = value,
            Err(result) => self.lost = result == vk::Result::ERROR_DEVICE_LOST,
        }
        match waited {
            Err(vk::Result::TIMEOUT) => Err(Error::Stalled {
                what: "a frame",
                seconds: DEADLINE.as_secs(),
            }),
            other => other.doing(DOING),
        }
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        if let Err(error) = self.finish()
            && !self.lost
        {
            // What the GPU may still use is not destroyed, and the pools of whoever holds this neither.
            leave(&error);
        }
        drop(self.swapchain.take());
        for slot in self.slots {
            // SAFETY: no submission uses it any more; null is allowed.
            unsafe { self.gpu.device.destroy_semaphore(slot.acquired, None) };
        }
        // SAFETY: likewise.
        unsafe { self.gpu.device.destroy_semaphore(self.timeline, None) };
    }
}

fn semaphore(
    semaphore: vk::Semaphore,
    stage: vk::PipelineStageFlags2,
) -> vk::SemaphoreSubmitInfo<'static> {
    vk::SemaphoreSubmitInfo::default()
        .semaphore(semaphore)
        .stage_mask(stage)
}
