//! Swapchains: owned by the owner of the queue that presents them; the host holds a handle.

#![allow(unsafe_code, reason = "creates swapchains from the host's surface")]

use crate::error::AcquireError;
use crate::raw::Device;
use crate::service::Status;
use crate::submit::QueueMessage;
use agate::{Completion, Handle, Inbox};
use ash::vk;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long one try to acquire may hold up the queue's owner, in nanoseconds.
const TRY_NS: u64 = 2_000_000;

/// What a swapchain is made from.
#[derive(Clone)]
pub struct SwapchainOptions {
    /// The surface functions of the host's instance.
    pub surface_fns: ash::khr::surface::Instance,
    /// The physical device of the host's device.
    pub physical_device: vk::PhysicalDevice,
    /// What to present to. Stays the host's: it outlives the swapchain.
    pub surface: vk::SurfaceKHR,
    /// The first size in pixels; see [`Swapchain::resize`].
    pub extent: vk::Extent2D,
    /// The format of the images.
    pub format: vk::SurfaceFormatKHR,
    /// What the images are used for.
    pub usage: vk::ImageUsageFlags,
    /// How images are presented.
    pub present_mode: vk::PresentModeKHR,
    /// How many images to ask for; raised to what the surface needs.
    pub min_images: u32,
}

impl std::fmt::Debug for SwapchainOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SwapchainOptions")
            .field("size", &(self.extent.width, self.extent.height))
            .finish_non_exhaustive()
    }
}

/// A swapchain that the queue's owner owns: acquire and resize it from any thread, without waiting.
///
/// Made by [`Service::create_swapchain`](crate::Service::create_swapchain). Images are presented through
/// [`SubmitOptions::present`](crate::SubmitOptions::present). It is made anew when its size changes or the surface asks
/// for it; [`Acquired::generation`] tells. Dropping the handle destroys the swapchain on its owner; to know when that has
/// happened, before a surface is destroyed, use [`destroy`](Self::destroy).
pub struct Swapchain {
    pub(crate) id: u32,
    pub(crate) queue: Handle<Inbox<QueueMessage>>,
    pub(crate) size: Arc<AtomicU64>,
    pub(crate) acquires: agate::CompletionPool<Result<Acquired, AcquireError>>,
}

impl Swapchain {
    /// Says which size the images should have. The latest call wins; it takes effect at the next acquire.
    ///
    /// # Progress
    ///
    /// Wait-free.
    pub fn resize(&self, extent: vk::Extent2D) {
        self.size.store(pack(extent), Ordering::Release);
    }

    /// Asks for the next image; the answer comes when one is free, or `timeout` has passed.
    ///
    /// # Progress
    ///
    /// Lock-free; wakes the queue's owner if it sleeps.
    pub fn acquire(&self, timeout: Duration) -> Completion<Result<Acquired, AcquireError>> {
        let (resolver, completion) = self.acquires.pair();
        let deadline = Instant::now() + timeout;
        // Where the owner has ended, the resolver is dropped with the message and the completion tells.
        if let Ok(port) = self.queue.attach() {
            let _ = port.send(QueueMessage::Acquire {
                id: self.id,
                deadline,
                resolver,
            });
        }
        completion
    }

    /// Destroys the swapchain on its owner; the completion resolves when that has happened.
    pub fn destroy(self) -> Completion<()> {
        self.send_destroy()
    }

    fn send_destroy(&self) -> Completion<()> {
        let (done, completion) = agate::completion();
        if let Ok(port) = self.queue.attach() {
            let _ = port.send(QueueMessage::DestroySwapchain { id: self.id, done });
        }
        completion
    }
}

impl Drop for Swapchain {
    fn drop(&mut self) {
        drop(self.send_destroy());
    }
}

impl std::fmt::Debug for Swapchain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Swapchain")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What the queue's owner needs to know of an acquired image.
#[derive(Clone, Copy)]
pub(crate) struct ImageUse {
    pub(crate) index: u32,
    pub(crate) generation: u64,
    /// Signalled by the acquire.
    pub(crate) acquired: vk::Semaphore,
    /// Signalled by the rendering, waited for by the present.
    pub(crate) rendered: vk::Semaphore,
}

/// A swapchain image to render to, held until it is presented with a frame.
///
/// Dropping it gives it up: the swapchain is made anew then.
#[must_use = "an image that is not presented makes its swapchain start anew"]
pub struct Acquired {
    /// The image.
    pub image: vk::Image,
    /// Its size in pixels.
    pub extent: vk::Extent2D,
    /// Its format.
    pub format: vk::Format,
    use_: Option<ImageUse>,
    id: u32,
    queue: Handle<Inbox<QueueMessage>>,
}

impl Acquired {
    /// Which of the swapchain's images it is.
    pub fn index(&self) -> u32 {
        self.use_.map_or(0, |use_| use_.index)
    }

    /// How often the swapchain has been made: when it grows, all images are new.
    pub fn generation(&self) -> u64 {
        self.use_.map_or(0, |use_| use_.generation)
    }

    pub(crate) fn into_use(mut self) -> (u32, ImageUse) {
        let use_ = self.use_.take().unwrap_or(ImageUse {
            index: 0,
            generation: 0,
            acquired: vk::Semaphore::null(),
            rendered: vk::Semaphore::null(),
        });
        (self.id, use_)
    }
}

impl Drop for Acquired {
    fn drop(&mut self) {
        if let (Some(image), Ok(port)) = (self.use_.take(), self.queue.attach()) {
            let _ = port.send(QueueMessage::Abandon { id: self.id, image });
        }
    }
}

impl std::fmt::Debug for Acquired {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acquired")
            .field("index", &self.index())
            .field("size", &(self.extent.width, self.extent.height))
            .finish_non_exhaustive()
    }
}

fn pack(extent: vk::Extent2D) -> u64 {
    u64::from(extent.width) | u64::from(extent.height) << 32
}

fn unpack(size: u64) -> vk::Extent2D {
    vk::Extent2D {
        width: size as u32,
        height: (size >> 32) as u32,
    }
}

/// The swapchain itself, on the queue's owner.
pub(crate) struct Chain {
    pub(crate) id: u32,
    source: Source,
    handle: vk::SwapchainKHR,
    images: Vec<vk::Image>,
    rendered: Vec<vk::Semaphore>,
    /// Semaphores for acquiring, with the timeline's value at which the last wait for them is over.
    acquired: Vec<(vk::Semaphore, u64)>,
    extent: vk::Extent2D,
    /// What the host had asked for when `extent` was settled.
    asked: u64,
    generation: u64,
    stale: bool,
    failure: Option<AcquireError>,
}

/// What a swapchain is made from, each time.
pub(crate) struct Source {
    pub(crate) options: SwapchainOptions,
    pub(crate) size: Arc<AtomicU64>,
    pub(crate) queue: Handle<Inbox<QueueMessage>>,
}

impl Chain {
    pub(crate) fn new(id: u32, source: Source) -> Self {
        Self {
            id,
            source,
            handle: vk::SwapchainKHR::null(),
            images: Vec::new(),
            rendered: Vec::new(),
            acquired: Vec::new(),
            extent: vk::Extent2D::default(),
            asked: 0,
            generation: 0,
            stale: true,
            failure: None,
        }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// One try to acquire an image. `TimedOut` means that none is free now.
    pub(crate) fn acquire(
        &mut self,
        device: &Device,
        status: &Status,
        queue: vk::Queue,
    ) -> Result<Acquired, AcquireError> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        if status.is_lost() {
            return Err(AcquireError::DeviceLost);
        }
        // A swapchain can be out of date again by the time it is made: twice is a bound, not a guess at how often.
        for _ in 0..2 {
            if self.stale || self.source.size.load(Ordering::Acquire) != self.asked {
                self.make(device, status, queue)?;
            }
            let semaphore = self.free_semaphore(device, status)?;
            match device.acquire(self.handle, TRY_NS, semaphore) {
                Ok((index, suboptimal)) => {
                    self.stale |= suboptimal;
                    return Ok(self.hand_out(index, semaphore));
                }
                Err(vk::Result::ERROR_OUT_OF_DATE_KHR) => self.stale = true,
                Err(vk::Result::NOT_READY | vk::Result::TIMEOUT) => {
                    return Err(AcquireError::TimedOut);
                }
                Err(vk::Result::ERROR_SURFACE_LOST_KHR) => return Err(AcquireError::SurfaceLost),
                Err(result) => return Err(status.note_acquire("vkAcquireNextImageKHR", result)),
            }
        }
        Err(AcquireError::TimedOut)
    }

    fn hand_out(&mut self, index: u32, semaphore: vk::Semaphore) -> Acquired {
        // Until a submission waits for it, nobody else may take this semaphore.
        self.used_until(semaphore, u64::MAX);
        let use_ = ImageUse {
            index,
            generation: self.generation,
            acquired: semaphore,
            rendered: self.rendered[index as usize],
        };
        Acquired {
            image: self.images[index as usize],
            extent: self.extent,
            format: self.source.options.format.format,
            use_: Some(use_),
            id: self.id,
            queue: self.source.queue.clone(),
        }
    }

    /// A semaphore that no operation is pending on.
    fn free_semaphore(
        &mut self,
        device: &Device,
        status: &Status,
    ) -> Result<vk::Semaphore, AcquireError> {
        let reached = device
            .timeline_value(status.timeline)
            .map_err(|failed| status.note_acquire(failed.call, failed.result))?;
        if let Some((semaphore, _)) = self.acquired.iter().find(|(_, until)| *until <= reached) {
            return Ok(*semaphore);
        }
        let semaphore = device
            .create_binary()
            .map_err(|failed| status.note_acquire(failed.call, failed.result))?;
        self.acquired.push((semaphore, 0));
        Ok(semaphore)
    }

    /// Notes when the wait for an acquire's semaphore is over.
    pub(crate) fn used_until(&mut self, semaphore: vk::Semaphore, value: u64) {
        if let Some(entry) = self
            .acquired
            .iter_mut()
            .find(|(known, _)| *known == semaphore)
        {
            entry.1 = value;
        }
    }

    /// An acquired image that is not presented: only a new swapchain gives it back.
    pub(crate) fn forget(&mut self, image: ImageUse) {
        self.stale |= image.generation == self.generation;
    }

    pub(crate) fn present(&mut self, device: &Device, queue: vk::Queue, image: ImageUse) {
        match device.present(queue, self.handle, image.index, image.rendered) {
            Ok(stale) => self.stale |= stale,
            Err(vk::Result::ERROR_SURFACE_LOST_KHR) => {
                self.failure = Some(AcquireError::SurfaceLost);
            }
            Err(vk::Result::ERROR_DEVICE_LOST) => self.failure = Some(AcquireError::DeviceLost),
            Err(result) => {
                self.failure = Some(AcquireError::Vulkan {
                    call: "vkQueuePresentKHR",
                    result,
                });
            }
        }
    }

    /// Makes the swapchain anew, in the latest size.
    fn make(
        &mut self,
        device: &Device,
        status: &Status,
        queue: vk::Queue,
    ) -> Result<(), AcquireError> {
        let options = &self.source.options;
        let asked = self.source.size.load(Ordering::Acquire);
        // SAFETY: the host vouches for surface and physical device (`Service::create_swapchain`).
        let capabilities = unsafe {
            options
                .surface_fns
                .get_physical_device_surface_capabilities(options.physical_device, options.surface)
        };
        let capabilities = capabilities.map_err(|result| {
            status.note_acquire("vkGetPhysicalDeviceSurfaceCapabilitiesKHR", result)
        })?;
        let extent = settle(&capabilities, unpack(asked));
        if extent.width == 0 || extent.height == 0 {
            return Err(AcquireError::ZeroArea);
        }
        let old = self.handle;
        let info = create_info(options, &capabilities, extent, old);
        // SAFETY: the host vouches for the options; size and count are within the surface's capabilities.
        let made = unsafe { device.create_swapchain(&info) };
        self.retire(device, status, queue);
        let made = made.map_err(|failed| status.note_acquire(failed.call, failed.result))?;
        self.handle = made;
        self.images = device
            .swapchain_images(made)
            .map_err(|failed| status.note_acquire(failed.call, failed.result))?;
        while self.rendered.len() < self.images.len() {
            let semaphore = device
                .create_binary()
                .map_err(|failed| status.note_acquire(failed.call, failed.result))?;
            self.rendered.push(semaphore);
        }
        (self.extent, self.asked, self.stale) = (extent, asked, false);
        self.generation += 1;
        Ok(())
    }

    /// Destroys the swapchain and the semaphores of its images, once the queue is done with them.
    fn retire(&mut self, device: &Device, status: &Status, queue: vk::Queue) {
        if self.handle == vk::SwapchainKHR::null() {
            return;
        }
        // Only an idle queue says that presents are over; this happens on a change of size, not in a frame.
        if !status.is_lost() {
            if let Err(failed) = device.queue_wait_idle(queue) {
                status.note(failed);
            }
        }
        for semaphore in self.rendered.drain(..) {
            device.destroy_semaphore(semaphore);
        }
        device.destroy_swapchain(self.handle);
        self.handle = vk::SwapchainKHR::null();
        self.images.clear();
        self.stale = true;
    }

    pub(crate) fn destroy(mut self, device: &Device, status: &Status, queue: vk::Queue) {
        self.retire(device, status, queue);
        for (semaphore, _) in self.acquired.drain(..) {
            device.destroy_semaphore(semaphore);
        }
    }
}

fn settle(capabilities: &vk::SurfaceCapabilitiesKHR, asked: vk::Extent2D) -> vk::Extent2D {
    if capabilities.current_extent.width != u32::MAX {
        return capabilities.current_extent;
    }
    let (min, max) = (capabilities.min_image_extent, capabilities.max_image_extent);
    vk::Extent2D {
        width: asked.width.clamp(min.width, max.width.max(min.width)),
        height: asked.height.clamp(min.height, max.height.max(min.height)),
    }
}

fn create_info(
    options: &SwapchainOptions,
    capabilities: &vk::SurfaceCapabilitiesKHR,
    extent: vk::Extent2D,
    old: vk::SwapchainKHR,
) -> vk::SwapchainCreateInfoKHR<'static> {
    let max_images = if capabilities.max_image_count == 0 {
        u32::MAX
    } else {
        capabilities.max_image_count
    };
    vk::SwapchainCreateInfoKHR::default()
        .surface(options.surface)
        .min_image_count(
            options
                .min_images
                .max(capabilities.min_image_count)
                .min(max_images),
        )
        .image_format(options.format.format)
        .image_color_space(options.format.color_space)
        .image_extent(extent)
        .image_array_layers(1)
        .image_usage(options.usage)
        .image_sharing_mode(vk::SharingMode::EXCLUSIVE)
        .pre_transform(capabilities.current_transform)
        .composite_alpha(opaque(capabilities))
        .present_mode(options.present_mode)
        .clipped(true)
        .old_swapchain(old)
}

/// Opaque where the surface can, else the first way that it can.
fn opaque(capabilities: &vk::SurfaceCapabilitiesKHR) -> vk::CompositeAlphaFlagsKHR {
    let offered = capabilities.supported_composite_alpha;
    if offered.contains(vk::CompositeAlphaFlagsKHR::OPAQUE) {
        return vk::CompositeAlphaFlagsKHR::OPAQUE;
    }
    vk::CompositeAlphaFlagsKHR::from_raw(1 << offered.as_raw().trailing_zeros().min(31))
}
