//! The swapchain of the strategies without an owner: the main thread acquires, presents and rebuilds.
//!
//! # Invariants
//!
//! - W1: only the main thread, which holds the `Swapchain`, uses it and the queue that presents it.
//! - W2: it is rebuilt or dropped only when every frame has retired; `vkQueueWaitIdle` then ends presentation too.
//! - W3: `rendered[i]` is signalled by the frame that draws image `i` and waited for by its presentation. It is used
//!   again only after image `i` was acquired again, which happens after that presentation.
#![allow(unsafe_code, reason = "calls Vulkan")]

use std::sync::Arc;
use std::time::Duration;

use ash::{khr, vk};

use super::Gpu;
use super::surface::Surface;
use crate::draw::Shown;
use crate::error::{Doing, Error};
use crate::say::complain;

/// An image to draw to and then to present.
#[derive(Clone, Copy)]
pub(crate) struct Acquired {
    pub(crate) shown: Shown,
    /// To be signalled when the image is drawn.
    pub(crate) rendered: vk::Semaphore,
    index: u32,
}

/// The images of a window, rebuilt when its size changes.
pub(crate) struct Swapchain {
    functions: khr::swapchain::Device,
    handle: vk::SwapchainKHR,
    images: Vec<vk::Image>,
    rendered: Vec<vk::Semaphore>,
    extent: vk::Extent2D,
    wanted: vk::Extent2D,
    stale: bool,
    gpu: Arc<Gpu>,
}

impl Swapchain {
    /// A swapchain for a window of this size; it is built when the first image is acquired.
    pub(crate) fn new(gpu: &Arc<Gpu>, wanted: vk::Extent2D) -> Self {
        Self {
            functions: khr::swapchain::Device::new(&gpu.instance.raw, &gpu.device),
            handle: vk::SwapchainKHR::null(),
            images: Vec::new(),
            rendered: Vec::new(),
            extent: vk::Extent2D::default(),
            wanted,
            stale: true,
            gpu: Arc::clone(gpu),
        }
    }

    /// The window has this size now. Nothing happens before the next image is acquired.
    pub(crate) fn resize(&mut self, wanted: vk::Extent2D) {
        self.wanted = wanted;
        self.stale |= wanted != self.extent;
    }

    /// Whether the next `acquire` rebuilds, for which every frame must have retired (W2).
    pub(crate) fn must_be_rebuilt(&self) -> bool {
        self.stale
    }

    /// The next image, or none if the window has no area or changed under our hands.
    pub(crate) fn acquire(
        &mut self,
        signal: vk::Semaphore,
        deadline: Duration,
    ) -> Result<Option<Acquired>, Error> {
        if self.stale && !self.rebuild()? {
            return Ok(None);
        }
        let deadline_ns = u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX - 1);
        // SAFETY: the swapchain is ours (W1), and the semaphore's last use has retired (D2 of `strategy::direct`).
        let acquired = unsafe {
            self.functions
                .acquire_next_image(self.handle, deadline_ns, signal, vk::Fence::null())
        };
        match acquired {
            Ok((index, suboptimal)) => {
                self.stale |= suboptimal;
                let place = index as usize;
                let shown = Shown {
                    image: self.images[place],
                    extent: self.extent,
                };
                Ok(Some(Acquired {
                    shown,
                    rendered: self.rendered[place],
                    index,
                }))
            }
            Err(vk::Result::ERROR_OUT_OF_DATE_KHR) => {
                self.stale = true;
                Ok(None)
            }
            Err(vk::Result::TIMEOUT) => Err(Error::Stalled {
                what: "an image of the window",
                seconds: deadline.as_secs(),
            }),
            Err(result) => Err(Error::Vulkan {
                doing: "acquiring an image of the window",
                result,
            }),
        }
    }

    /// Shows the image once it is drawn.
    pub(crate) fn present(&mut self, acquired: Acquired) -> Result<(), Error> {
        let (waits, swapchains, indices) = ([acquired.rendered], [self.handle], [acquired.index]);
        let info = vk::PresentInfoKHR::default()
            .wait_semaphores(&waits)
            .swapchains(&swapchains)
            .image_indices(&indices);
        // SAFETY: queue and swapchain are ours (W1), the image is acquired, a submission signals the semaphore (W3).
        match unsafe { self.functions.queue_present(self.gpu.queue, &info) } {
            Ok(suboptimal) => self.stale |= suboptimal,
            Err(vk::Result::ERROR_OUT_OF_DATE_KHR) => self.stale = true,
            Err(result) => {
                return Err(Error::Vulkan {
                    doing: "presenting",
                    result,
                });
            }
        }
        Ok(())
    }

    /// Builds it anew for the window's size; `false` if the window has no area.
    fn rebuild(&mut self) -> Result<bool, Error> {
        let gpu = Arc::clone(&self.gpu);
        let surface = gpu
            .surface
            .as_ref()
            .ok_or_else(|| Error::Window("it has no surface".into()))?;
        let capabilities = surface.capabilities(gpu.physical)?;
        let extent = fit(&capabilities, self.wanted);
        if extent.width == 0 || extent.height == 0 {
            return Ok(false);
        }
        self.wait_idle()?;
        let old = self.handle;
        let made = self.build(surface, &capabilities, extent, old);
        self.destroy_images();
        // SAFETY: it is retired, and nothing uses its images (W2); null is allowed.
        unsafe { self.functions.destroy_swapchain(old, None) };
        self.handle = vk::SwapchainKHR::null();
        self.handle = made?;
        // SAFETY: the swapchain is alive.
        self.images = unsafe { self.functions.get_swapchain_images(self.handle) }
            .doing("listing the window's images")?;
        for _ in &self.images {
            // SAFETY: the device is alive (G1).
            let made = unsafe {
                gpu.device
                    .create_semaphore(&vk::SemaphoreCreateInfo::default(), None)
            };
            self.rendered.push(made.doing("creating a semaphore")?);
        }
        self.extent = extent;
        self.stale = false;
        Ok(true)
    }

    /// Waits until presentation has ended, as it has on a device that is lost. A wait that fails for want of memory is tried
    /// once more.
    fn wait_idle(&self) -> Result<(), Error> {
        // SAFETY: the queue is ours (W1).
        let wait = || unsafe { self.gpu.device.queue_wait_idle(self.gpu.queue) };
        match wait().or_else(|_| wait()) {
            Err(vk::Result::ERROR_DEVICE_LOST) => Ok(()),
            other => other.doing("waiting for the window"),
        }
    }

    fn build(
        &self,
        surface: &Surface,
        capabilities: &vk::SurfaceCapabilitiesKHR,
        extent: vk::Extent2D,
        old: vk::SwapchainKHR,
    ) -> Result<vk::SwapchainKHR, Error> {
        let format = surface.format(self.gpu.physical)?;
        let info = vk::SwapchainCreateInfoKHR::default()
            .surface(surface.handle)
            .min_image_count(image_count(capabilities))
            .image_format(format.format)
            .image_color_space(format.color_space)
            .image_extent(extent)
            .image_array_layers(1)
            .image_usage(vk::ImageUsageFlags::TRANSFER_DST)
            .pre_transform(capabilities.current_transform)
            .composite_alpha(alpha(capabilities))
            .present_mode(surface.present_mode(self.gpu.physical)?)
            .clipped(true)
            .old_swapchain(old);
        // SAFETY: `info` keeps to the capabilities just asked for; the old swapchain is this surface's.
        unsafe { self.functions.create_swapchain(&info, None) }.doing("building the swapchain")
    }

    fn destroy_images(&mut self) {
        self.images.clear();
        for semaphore in self.rendered.drain(..) {
            // SAFETY: the presentation that waited for it has ended (W2).
            unsafe { self.gpu.device.destroy_semaphore(semaphore, None) };
        }
    }
}

impl Drop for Swapchain {
    fn drop(&mut self) {
        if let Err(error) = self.wait_idle() {
            complain!("demo: {error}");
        }
        self.destroy_images();
        // SAFETY: nothing uses its images any more (W2); null is allowed.
        unsafe { self.functions.destroy_swapchain(self.handle, None) };
    }
}

/// The size that images for a window of `wanted` size have to have.
pub(crate) fn fit(capabilities: &vk::SurfaceCapabilitiesKHR, wanted: vk::Extent2D) -> vk::Extent2D {
    // This value says that the surface takes the size of its images (Wayland); else the surface knows its size.
    if capabilities.current_extent.width != u32::MAX {
        return capabilities.current_extent;
    }
    let (least, most) = (capabilities.min_image_extent, capabilities.max_image_extent);
    vk::Extent2D {
        width: wanted.width.max(least.width).min(most.width),
        height: wanted.height.max(least.height).min(most.height),
    }
}

/// One image more than the least, so that acquiring seldom waits.
pub(crate) fn image_count(capabilities: &vk::SurfaceCapabilitiesKHR) -> u32 {
    let most = if capabilities.max_image_count == 0 {
        u32::MAX
    } else {
        capabilities.max_image_count
    };
    (capabilities.min_image_count + 1).min(most)
}

fn alpha(capabilities: &vk::SurfaceCapabilitiesKHR) -> vk::CompositeAlphaFlagsKHR {
    let opaque = vk::CompositeAlphaFlagsKHR::OPAQUE;
    let inherit = vk::CompositeAlphaFlagsKHR::INHERIT;
    if capabilities.supported_composite_alpha.contains(opaque) {
        opaque
    } else {
        inherit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(width: u32, height: u32) -> vk::Extent2D {
        vk::Extent2D { width, height }
    }

    #[test]
    fn the_surface_decides_its_size_if_it_knows_it() {
        let known = vk::SurfaceCapabilitiesKHR::default().current_extent(extent(0, 7));
        assert_eq!(fit(&known, extent(640, 480)), extent(0, 7));
    }

    #[test]
    fn an_undecided_surface_takes_what_it_is_given_within_its_limits() {
        let free = vk::SurfaceCapabilitiesKHR::default()
            .current_extent(extent(u32::MAX, u32::MAX))
            .min_image_extent(extent(1, 1))
            .max_image_extent(extent(4096, 1000));
        assert_eq!(fit(&free, extent(640, 2000)), extent(640, 1000));
        assert_eq!(fit(&free, extent(0, 0)), extent(1, 1));
    }

    #[test]
    fn the_number_of_images_keeps_to_the_limit() {
        let counts = |least, most| {
            image_count(
                &vk::SurfaceCapabilitiesKHR::default()
                    .min_image_count(least)
                    .max_image_count(most),
            )
        };
        assert_eq!(counts(2, 0), 3);
        assert_eq!(counts(2, 2), 2);
        assert_eq!(counts(3, 8), 4);
    }
}
