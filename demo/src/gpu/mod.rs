//! Vulkan as the host of `agate-vk` sees it: instance, device, memory, targets, pipelines, swapchain.
//!
//! # Invariants
//!
//! - G1: whoever holds an object of the device holds an `Arc<Gpu>`, so the device outlives its objects.
//! - G2: objects that frames use are dropped only after the strategy that made those frames was told to finish them.
#![allow(unsafe_code, reason = "calls Vulkan")]

pub(crate) mod device;
pub(crate) mod instance;
pub(crate) mod memory;
pub(crate) mod mesh;
pub(crate) mod pass;
pub(crate) mod pipeline;
pub(crate) mod readback;
pub(crate) mod surface;
pub(crate) mod swapchain;
pub(crate) mod target;

use std::ffi::c_char;
use std::sync::{Arc, Mutex};

use ash::vk;
use raw_window_handle::{RawDisplayHandle, RawWindowHandle};

use crate::error::Error;
use instance::Instance;
use memory::Memory;
use surface::Surface;

/// The opened device with what belongs to it for the whole run.
pub(crate) struct Gpu {
    pub(crate) name: String,
    pub(crate) driver: device::Driver,
    pub(crate) kind: vk::PhysicalDeviceType,
    pub(crate) physical: vk::PhysicalDevice,
    pub(crate) queue_family: u32,
    pub(crate) queue: vk::Queue,
    pub(crate) memory: Mutex<Option<Memory>>,
    pub(crate) device: ash::Device,
    pub(crate) surface: Option<Surface>,
    pub(crate) instance: Instance,
}

/// The window that a device has to present to.
#[derive(Clone, Copy)]
pub(crate) struct WindowHandles {
    pub(crate) display: RawDisplayHandle,
    pub(crate) window: RawWindowHandle,
}

impl Gpu {
    /// The instance extensions that a window on this display needs.
    pub(crate) fn window_extensions(
        display: RawDisplayHandle,
    ) -> Result<&'static [*const c_char], Error> {
        ash_window::enumerate_required_extensions(display).map_err(|result| Error::Vulkan {
            doing: "asking which extensions the window needs",
            result,
        })
    }

    /// Opens the device that `wanted` names, or the best; with a window, one that can present to it.
    pub(crate) fn open(
        instance: Instance,
        wanted: Option<&str>,
        window: Option<WindowHandles>,
    ) -> Result<Arc<Self>, Error> {
        let surface = window
            .map(|window| Surface::new(&instance, window.display, window.window))
            .transpose()?;
        let choice = device::choose(&instance, surface.as_ref(), wanted)?;
        let device = device::open(&instance, &choice, surface.is_some())?;
        // SAFETY: the device was opened with one queue of this family.
        let queue = unsafe { device.get_device_queue(choice.queue_family, 0) };
        let memory = Memory::new(&instance, &device, choice.found.handle)?;
        Ok(Arc::new(Self {
            name: choice.found.name,
            driver: choice.found.driver,
            kind: choice.found.kind,
            physical: choice.found.handle,
            queue_family: choice.queue_family,
            queue,
            memory: Mutex::new(Some(memory)),
            device,
            surface,
            instance,
        }))
    }

    /// Whether the "GPU" is this machine's processor.
    pub(crate) fn is_cpu(&self) -> bool {
        self.kind == vk::PhysicalDeviceType::CPU
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        if let Ok(memory) = self.memory.get_mut() {
            drop(memory.take());
        }
        // SAFETY: by G1 no object of the device is left; the surface's swapchains are gone too.
        unsafe { self.device.destroy_device(None) };
    }
}
