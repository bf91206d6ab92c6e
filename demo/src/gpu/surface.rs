//! The surface of a window: where pictures are presented.
//!
//! # Invariants
//!
//! - S1: a `Surface` is dropped before the `Instance` that it came from, and after every swapchain on it.
//! - S2: the window outlives the `Surface`.
#![allow(unsafe_code, reason = "calls Vulkan")]

use ash::{khr, vk};
use raw_window_handle::{RawDisplayHandle, RawWindowHandle};

use super::instance::Instance;
use crate::error::{Doing, Error};

/// The part of a window that Vulkan knows.
pub(crate) struct Surface {
    pub(crate) handle: vk::SurfaceKHR,
    functions: khr::surface::Instance,
}

impl Surface {
    /// The surface of the window with these handles, which must outlive it (S2).
    pub(crate) fn new(
        instance: &Instance,
        display: RawDisplayHandle,
        window: RawWindowHandle,
    ) -> Result<Self, Error> {
        // SAFETY: the caller's handles belong to a live window (S2), and the extensions for them are enabled.
        let handle = unsafe {
            ash_window::create_surface(&instance.entry, &instance.raw, display, window, None)
        }
        .doing("making the window's surface")?;
        Ok(Self {
            handle,
            functions: khr::surface::Instance::new(&instance.entry, &instance.raw),
        })
    }

    /// The surface functions of the instance.
    pub(crate) fn functions(&self) -> &khr::surface::Instance {
        &self.functions
    }

    /// Whether a queue of this family can present here.
    pub(crate) fn supports(&self, device: vk::PhysicalDevice, queue_family: u32) -> bool {
        // SAFETY: device and surface belong to one instance (S1).
        unsafe {
            self.functions
                .get_physical_device_surface_support(device, queue_family, self.handle)
        }
        .unwrap_or(false)
    }

    /// Sizes and counts that a swapchain must keep to, now.
    pub(crate) fn capabilities(
        &self,
        device: vk::PhysicalDevice,
    ) -> Result<vk::SurfaceCapabilitiesKHR, Error> {
        // SAFETY: device and surface belong to one instance (S1).
        unsafe {
            self.functions
                .get_physical_device_surface_capabilities(device, self.handle)
        }
        .doing("asking for the window's capabilities")
    }

    /// The format for presented images: sRGB with 8 bits, or what there is.
    pub(crate) fn format(&self, device: vk::PhysicalDevice) -> Result<vk::SurfaceFormatKHR, Error> {
        // SAFETY: device and surface belong to one instance (S1).
        let formats = unsafe {
            self.functions
                .get_physical_device_surface_formats(device, self.handle)
        }
        .doing("asking for the window's formats")?;
        let wanted = [vk::Format::B8G8R8A8_SRGB, vk::Format::R8G8B8A8_SRGB];
        let best = formats
            .iter()
            .find(|found| wanted.contains(&found.format))
            .or(formats.first());
        best.copied()
            .ok_or_else(|| Error::Window("it offers no image format".into()))
    }

    /// MAILBOX where there is one, else FIFO, which there always is.
    pub(crate) fn present_mode(
        &self,
        device: vk::PhysicalDevice,
    ) -> Result<vk::PresentModeKHR, Error> {
        let mailbox = self
            .present_modes(device)?
            .contains(&vk::PresentModeKHR::MAILBOX);
        Ok(if mailbox {
            vk::PresentModeKHR::MAILBOX
        } else {
            vk::PresentModeKHR::FIFO
        })
    }

    /// All present modes.
    pub(crate) fn present_modes(
        &self,
        device: vk::PhysicalDevice,
    ) -> Result<Vec<vk::PresentModeKHR>, Error> {
        // SAFETY: device and surface belong to one instance (S1).
        unsafe {
            self.functions
                .get_physical_device_surface_present_modes(device, self.handle)
        }
        .doing("asking for the window's present modes")
    }
}

impl Drop for Surface {
    fn drop(&mut self) {
        // SAFETY: no swapchain is left on it, and the instance is alive (S1).
        unsafe { self.functions.destroy_surface(self.handle, None) };
    }
}
