//! Swapchains: owned by the owner of the queue that presents them; the host holds a handle.

#![allow(unsafe_code, reason = "creates swapchains from the host's surface")]

use crate::error::AcquireError;
use crate::queue::Queue;
use crate::raw::{Device, Failed};
use crate::status::Status;
use crate::submit::QueueMessage;
use agate::{Completion, Handle, Inbox, Resolver};
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
    /// The destruction was asked for.
    pub(crate) destroyed: bool,
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
        let now = Instant::now();
        // A time-out beyond the clock's end means a year.
        let deadline = now
            .checked_add(timeout)
            .unwrap_or(now + Duration::from_secs(31_536_000));
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
    pub fn destroy(mut self) -> Completion<()> {
        self.destroyed = true;
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
        if !self.destroyed {
            drop(self.send_destroy());
        }
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
    /// Tells the swapchain from any other, of other services too.
    swapchain: Arc<AtomicU64>,
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

/// The swapchain itself, on the queue's owner: the present one, and those before it that are still in use.
///
/// # Invariants
///
/// - S1: an image that is handed out counts in `held` of its [`Live`] until its frame has been submitted (or never will
///   be) and it has been presented (or never will be).
/// - S2: a `VkSwapchainKHR` is destroyed only when none of its images is held and the queue has been idle since.
/// - S3: a semaphore in `acquired` is used again only when the timeline has reached the value beside it.
pub(crate) struct Chain {
    pub(crate) id: u32,
    source: Source,
    current: Option<Live>,
    old: Vec<Live>,
    acquired: Vec<(vk::Semaphore, u64)>,
    /// What the host had asked for when the size was settled.
    asked: u64,
    generation: u64,
    stale: bool,
    failure: Option<AcquireError>,
    closing: Option<Resolver<()>>,
}

/// One `VkSwapchainKHR`.
struct Live {
    handle: vk::SwapchainKHR,
    generation: u64,
    images: Vec<vk::Image>,
    rendered: Vec<vk::Semaphore>,
    extent: vk::Extent2D,
    held: u32,
}

impl Live {
    /// S2: none of its images is held, and the queue is idle.
    fn destroy(self, device: &Device) {
        for semaphore in self.rendered {
            device.destroy_semaphore(semaphore);
        }
        device.destroy_swapchain(self.handle);
    }
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
            current: None,
            old: Vec::new(),
            acquired: Vec::new(),
            asked: 0,
            generation: 0,
            stale: true,
            failure: None,
            closing: None,
        }
    }

    /// Whether the image is one of this swapchain's.
    pub(crate) fn made(&self, image: &Acquired) -> bool {
        self.id == image.id && Arc::ptr_eq(&self.source.size, &image.swapchain)
    }

    /// One try to acquire an image. `TimedOut` means that none is free now.
    pub(crate) fn acquire(
        &mut self,
        device: &Device,
        status: &Status,
        queue: Queue,
    ) -> Result<Acquired, AcquireError> {
        if self.closing.is_some() {
            return Err(AcquireError::Closed);
        }
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        if status.is_lost() {
            return Err(AcquireError::DeviceLost);
        }
        // A swapchain can be out of date again by the time it is made: twice is a bound, not a guess at how often.
        for _ in 0..2 {
            if self.stale || self.source.size.load(Ordering::Acquire) != self.asked {
                self.make(device, status)?;
                self.sweep(device, status, queue);
            }
            let semaphore = self.free_semaphore(device, status)?;
            let Some(live) = &mut self.current else {
                return Err(AcquireError::TimedOut);
            };
            match device.acquire(live.handle, TRY_NS, semaphore) {
                Ok((index, suboptimal)) => {
                    live.held += 1;
                    self.stale |= suboptimal;
                    return self
                        .hand_out(index, semaphore)
                        .ok_or(AcquireError::TimedOut);
                }
                Err(vk::Result::ERROR_OUT_OF_DATE_KHR) => self.stale = true,
                Err(vk::Result::NOT_READY | vk::Result::TIMEOUT) => {
                    return Err(AcquireError::TimedOut);
                }
                Err(result) => return Err(status.note_acquire("vkAcquireNextImageKHR", result)),
            }
        }
        Err(AcquireError::TimedOut)
    }

    fn hand_out(&mut self, index: u32, semaphore: vk::Semaphore) -> Option<Acquired> {
        // S3: until a submission waits for it, nobody else may take this semaphore.
        self.used_until(semaphore, u64::MAX);
        let live = self.current.as_ref()?;
        let use_ = ImageUse {
            index,
            generation: live.generation,
            acquired: semaphore,
            rendered: *live.rendered.get(index as usize)?,
        };
        Some(Acquired {
            image: *live.images.get(index as usize)?,
            extent: live.extent,
            format: self.source.options.format.format,
            use_: Some(use_),
            id: self.id,
            swapchain: Arc::clone(&self.source.size),
            queue: self.source.queue.clone(),
        })
    }

    /// A semaphore that no operation is pending on.
    fn free_semaphore(
        &mut self,
        device: &Device,
        status: &Status,
    ) -> Result<vk::Semaphore, AcquireError> {
        let failed = |failed: Failed| status.note_acquire(failed.call, failed.result);
        let reached = device.timeline_value(status.timeline).map_err(failed)?;
        if let Some((semaphore, _)) = self.acquired.iter().find(|(_, until)| *until <= reached) {
            return Ok(*semaphore);
        }
        let semaphore = device.create_binary().map_err(failed)?;
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

    fn live(&mut self, generation: u64) -> Option<&mut Live> {
        self.current
            .iter_mut()
            .chain(&mut self.old)
            .find(|live| live.generation == generation)
    }

    /// S1: an image comes back, `presented` or not.
    pub(crate) fn give_back(
        &mut self,
        device: &Device,
        status: &Status,
        queue: Queue,
        image: ImageUse,
        presented: bool,
    ) {
        if let Some(live) = self.live(image.generation) {
            live.held = live.held.saturating_sub(1);
        }
        // Only a new swapchain gives an image that was not presented back to the surface.
        self.stale |= !presented && image.generation == self.generation;
        self.sweep(device, status, queue);
    }

    /// What an image is presented with, of an older swapchain too.
    pub(crate) fn presents(
        &mut self,
        image: ImageUse,
    ) -> Option<(vk::SwapchainKHR, u32, vk::Semaphore)> {
        let live = self.live(image.generation)?;
        Some((live.handle, image.index, image.rendered))
    }

    /// An image was presented, or was not.
    pub(crate) fn presented(
        &mut self,
        status: &Status,
        image: ImageUse,
        result: Result<bool, vk::Result>,
    ) {
        match result {
            Ok(stale) => self.stale |= stale && image.generation == self.generation,
            Err(result) => {
                // The image may not have gone back to the surface: a new swapchain gets it back.
                self.stale |= image.generation == self.generation;
                self.failure = Some(status.note_acquire("vkQueuePresentKHR", result));
            }
        }
    }

    /// Makes the swapchain anew, in the latest size. The one before it becomes old.
    fn make(&mut self, device: &Device, status: &Status) -> Result<(), AcquireError> {
        let failed = |failed: Failed| status.note_acquire(failed.call, failed.result);
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
        let before = self
            .current
            .as_ref()
            .map_or(vk::SwapchainKHR::null(), |live| live.handle);
        let info = create_info(options, &capabilities, extent, before);
        // SAFETY: the host vouches for the options; size and count are within the surface's capabilities.
        let made = unsafe { device.create_swapchain(&info) };
        // Whether or not that went well, the one before is retired by it.
        self.old.extend(self.current.take());
        self.stale = true;
        let handle = made.map_err(failed)?;
        self.generation += 1;
        let generation = self.generation;
        let live = self.current.insert(Live {
            handle,
            generation,
            images: Vec::new(),
            rendered: Vec::new(),
            extent,
            held: 0,
        });
        live.images = device.swapchain_images(handle).map_err(failed)?;
        for _ in 0..live.images.len() {
            live.rendered.push(device.create_binary().map_err(failed)?);
        }
        (self.asked, self.stale) = (asked, false);
        Ok(())
    }

    /// S2: destroys old swapchains that nobody uses any more.
    fn sweep(&mut self, device: &Device, status: &Status, queue: Queue) {
        if self.old.iter().all(|live| live.held > 0) {
            return;
        }
        // Only an idle queue says that presents are over; this happens on a change of size, not in a frame.
        if !idle(device, status, queue) {
            // Another time: the next change of size, or the end.
            return;
        }
        let (used, unused): (Vec<Live>, Vec<Live>) = std::mem::take(&mut self.old)
            .into_iter()
            .partition(|live| live.held > 0);
        self.old = used;
        unused.into_iter().for_each(|live| live.destroy(device));
    }

    /// No more images; `done` resolves when the swapchain has been destroyed.
    pub(crate) fn close(&mut self, done: Resolver<()>) {
        // The first who asked is told; there is no second, as a handle asks once.
        self.closing.get_or_insert(done);
    }

    /// Whether the swapchain is closed and all its images are back.
    pub(crate) fn is_over(&self) -> bool {
        self.closing.is_some() && !self.is_held()
    }

    fn is_held(&self) -> bool {
        self.current
            .iter()
            .chain(&self.old)
            .any(|live| live.held > 0)
    }

    /// Destroys it. Where the host still holds images, it is leaked and counted.
    pub(crate) fn destroy(mut self, device: &Device, status: &Status, queue: Queue) {
        // Twice, as the first try may have failed for want of memory.
        let idle = idle(device, status, queue) || idle(device, status, queue);
        if !idle || (self.is_held() && !status.is_lost()) {
            status.note_leak();
            return;
        }
        self.current
            .take()
            .into_iter()
            .chain(self.old.drain(..))
            .for_each(|live| live.destroy(device));
        for (semaphore, _) in self.acquired.drain(..) {
            device.destroy_semaphore(semaphore);
        }
        if let Some(done) = self.closing.take() {
            done.resolve(());
        }
    }
}

/// Waits until the queue is idle; whether it is known to be, or the device is lost.
fn idle(device: &Device, status: &Status, queue: Queue) -> bool {
    if status.is_lost() {
        return true;
    }
    match device.queue_wait_idle(queue) {
        Ok(()) => true,
        Err(failed) => {
            status.note(failed);
            status.is_lost()
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
