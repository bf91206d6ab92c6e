//! The little of an instance that a surface needs, without a loader.
//!
//! # Invariants
//!
//! - J1: the instance, the physical device and the surface of a device have its address (D1).

#![allow(unsafe_code, reason = "functions with Vulkan's signatures")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the arguments of one call are read together"
)]

use crate::device::{Inner, NullDevice, lock};
use ash::vk::{self, Handle};
use std::ffi::{CStr, c_char, c_void};

unsafe extern "system" fn capabilities(
    device: vk::PhysicalDevice,
    _: vk::SurfaceKHR,
    out: *mut vk::SurfaceCapabilitiesKHR,
) -> vk::Result {
    const CALL: &str = "vkGetPhysicalDeviceSurfaceCapabilitiesKHR";
    // SAFETY: J1.
    let device = unsafe { Inner::of(vk::Device::from_raw(device.as_raw())) };
    if let Err(result) = device.planted(CALL) {
        return result;
    }
    let found = vk::SurfaceCapabilitiesKHR {
        min_image_count: 2,
        max_image_count: 8,
        current_extent: lock(&device.surface).extent,
        min_image_extent: vk::Extent2D {
            width: 0,
            height: 0,
        },
        max_image_extent: vk::Extent2D {
            width: 16384,
            height: 16384,
        },
        max_image_array_layers: 1,
        supported_transforms: vk::SurfaceTransformFlagsKHR::IDENTITY,
        current_transform: vk::SurfaceTransformFlagsKHR::IDENTITY,
        supported_composite_alpha: vk::CompositeAlphaFlagsKHR::OPAQUE,
        supported_usage_flags: vk::ImageUsageFlags::COLOR_ATTACHMENT,
    };
    // SAFETY: there is room for the structure.
    unsafe { out.write(found) };
    vk::Result::SUCCESS
}

unsafe extern "system" fn get_device_function(
    device: vk::Device,
    name: *const c_char,
) -> vk::PFN_vkVoidFunction {
    // SAFETY: D1; a valid name. The address is that of a function, or null.
    unsafe {
        let found = Inner::of(device).function(CStr::from_ptr(name));
        std::mem::transmute::<*const c_void, vk::PFN_vkVoidFunction>(found)
    }
}

unsafe extern "system" fn get_instance_function(
    _: vk::Instance,
    name: *const c_char,
) -> vk::PFN_vkVoidFunction {
    // SAFETY: a valid name.
    let found = match unsafe { CStr::from_ptr(name) }.to_bytes() {
        b"vkGetPhysicalDeviceSurfaceCapabilitiesKHR" => {
            capabilities as vk::PFN_vkGetPhysicalDeviceSurfaceCapabilitiesKHR as *const c_void
        }
        b"vkGetDeviceProcAddr" => {
            get_device_function as vk::PFN_vkGetDeviceProcAddr as *const c_void
        }
        _ => std::ptr::null(),
    };
    // SAFETY: the address of a function, or null.
    unsafe { std::mem::transmute::<*const c_void, vk::PFN_vkVoidFunction>(found) }
}

/// A surface, and what is needed to use it without a loader.
impl NullDevice {
    /// The physical device, for the functions of its surface alone.
    pub fn physical_device(&self) -> vk::PhysicalDevice {
        vk::PhysicalDevice::from_raw(self.handle().as_raw())
    }

    /// The one surface.
    pub fn surface(&self) -> vk::SurfaceKHR {
        vk::SurfaceKHR::from_raw(self.handle().as_raw())
    }

    /// An instance that can look up the functions of this device and of its surface; all others panic when called.
    pub fn instance(&self) -> ash::Instance {
        let handle = vk::Instance::from_raw(self.handle().as_raw());
        // SAFETY: J1: the functions take this handle.
        unsafe { ash::Instance::load(&static_fn(), handle) }
    }

    /// The functions of the surface: its capabilities are there, the others panic when called.
    pub fn surface_fns(&self) -> ash::khr::surface::Instance {
        // SAFETY: the function finds what there is, and needs no instance for it.
        let entry = unsafe { ash::Entry::from_static_fn(static_fn()) };
        ash::khr::surface::Instance::new(&entry, &self.instance())
    }

    /// The current extent of the surface; 0 x 0 for a window without area, and by default `u32::MAX` x `u32::MAX`: the
    /// swapchain decides. A swapchain of another extent is out of date.
    pub fn set_surface_extent(&self, width: u32, height: u32) {
        lock(&self.inner().surface).extent = vk::Extent2D { width, height };
    }
}

fn static_fn() -> ash::StaticFn {
    ash::StaticFn {
        get_instance_proc_addr: get_instance_function,
    }
}
