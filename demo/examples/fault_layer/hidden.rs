//! Taking away from the devices what `FAULT_HIDE` names: `devices` (all of them), `version` (they know 1.1 only),
//! `graphics` (no queue draws), `swapchain` (the extension), or a feature: `timelineSemaphore`, `synchronization2`,
//! `dynamicRendering`.
//!
//! # Invariants
//!
//! - N1: the functions here are called by the loader with arguments that are valid for the function of their name.
#![allow(
    unsafe_code,
    reason = "C functions that change what C functions answered"
)]

use std::ffi::{c_char, c_void};
use std::sync::OnceLock;

use ash::{khr, vk};

use crate::Own;
use crate::below::below;
use crate::faults::faulty;

/// The functions of this file, by name.
pub(crate) const FUNCTIONS: [(&str, Own); 5] = [
    ("vkEnumeratePhysicalDevices", || {
        enumerate_physical_devices as *const c_void
    }),
    ("vkEnumerateDeviceExtensionProperties", || {
        enumerate_extensions as *const c_void
    }),
    ("vkGetPhysicalDeviceProperties2", || {
        properties as *const c_void
    }),
    ("vkGetPhysicalDeviceFeatures2", || features as *const c_void),
    ("vkGetPhysicalDeviceQueueFamilyProperties", || {
        queue_families as *const c_void
    }),
];

fn hides(what: &str) -> bool {
    static HIDDEN: OnceLock<String> = OnceLock::new();
    HIDDEN.get_or_init(|| std::env::var("FAULT_HIDE").unwrap_or_default()) == what
}

unsafe extern "system" fn enumerate_physical_devices(
    instance: vk::Instance,
    count: *mut u32,
    devices: *mut vk::PhysicalDevice,
) -> vk::Result {
    faulty("vkEnumeratePhysicalDevices", || {
        if hides("devices") {
            // SAFETY: N1.
            unsafe { *count = 0 };
            return vk::Result::SUCCESS;
        }
        let next = below!(
            "vkEnumeratePhysicalDevices",
            vk::PFN_vkEnumeratePhysicalDevices
        );
        // SAFETY: N1.
        unsafe { next(instance, count, devices) }
    })
}

unsafe extern "system" fn enumerate_extensions(
    device: vk::PhysicalDevice,
    layer: *const c_char,
    count: *mut u32,
    extensions: *mut vk::ExtensionProperties,
) -> vk::Result {
    faulty("vkEnumerateDeviceExtensionProperties", || {
        let next = below!(
            "vkEnumerateDeviceExtensionProperties",
            vk::PFN_vkEnumerateDeviceExtensionProperties
        );
        // SAFETY: N1.
        let result = unsafe { next(device, layer, count, extensions) };
        if hides("swapchain") && !extensions.is_null() {
            // SAFETY: N1.
            let count = unsafe { *count } as usize;
            // SAFETY: the call filled in so many.
            for found in unsafe { std::slice::from_raw_parts_mut(extensions, count) } {
                if found.extension_name_as_c_str() == Ok(khr::swapchain::NAME) {
                    *found = vk::ExtensionProperties::default();
                }
            }
        }
        result
    })
}

unsafe extern "system" fn properties(
    device: vk::PhysicalDevice,
    properties: *mut vk::PhysicalDeviceProperties2<'_>,
) {
    let next = below!(
        "vkGetPhysicalDeviceProperties2",
        vk::PFN_vkGetPhysicalDeviceProperties2
    );
    // SAFETY: N1.
    unsafe { next(device, properties) };
    if hides("version") {
        // SAFETY: N1.
        unsafe { (*properties).properties.api_version = vk::API_VERSION_1_1 };
    }
}

unsafe extern "system" fn features(
    device: vk::PhysicalDevice,
    features: *mut vk::PhysicalDeviceFeatures2<'_>,
) {
    let next = below!(
        "vkGetPhysicalDeviceFeatures2",
        vk::PFN_vkGetPhysicalDeviceFeatures2
    );
    // SAFETY: N1.
    unsafe { next(device, features) };
    let mut chain: *mut vk::BaseOutStructure<'_> = features.cast();
    // SAFETY: every structure of a chain begins with its type and the next one.
    while let Some(vk::BaseOutStructure { s_type, p_next, .. }) = unsafe { chain.as_ref() } {
        let (kind, next) = (*s_type, *p_next);
        match kind {
            vk::StructureType::PHYSICAL_DEVICE_VULKAN_1_2_FEATURES => {
                let features: *mut vk::PhysicalDeviceVulkan12Features<'_> = chain.cast();
                if hides("timelineSemaphore") {
                    // SAFETY: its type says what it is.
                    unsafe { (*features).timeline_semaphore = vk::FALSE };
                }
            }
            vk::StructureType::PHYSICAL_DEVICE_VULKAN_1_3_FEATURES => {
                let features: *mut vk::PhysicalDeviceVulkan13Features<'_> = chain.cast();
                if hides("synchronization2") {
                    // SAFETY: its type says what it is.
                    unsafe { (*features).synchronization2 = vk::FALSE };
                }
                if hides("dynamicRendering") {
                    // SAFETY: its type says what it is.
                    unsafe { (*features).dynamic_rendering = vk::FALSE };
                }
            }
            _ => {}
        }
        chain = next;
    }
}

unsafe extern "system" fn queue_families(
    device: vk::PhysicalDevice,
    count: *mut u32,
    families: *mut vk::QueueFamilyProperties,
) {
    let next = below!(
        "vkGetPhysicalDeviceQueueFamilyProperties",
        vk::PFN_vkGetPhysicalDeviceQueueFamilyProperties
    );
    // SAFETY: N1.
    unsafe { next(device, count, families) };
    if hides("graphics") && !families.is_null() {
        // SAFETY: N1.
        let count = unsafe { *count } as usize;
        // SAFETY: the call filled in so many.
        for family in unsafe { std::slice::from_raw_parts_mut(families, count) } {
            family.queue_flags = vk::QueueFlags::TRANSFER;
        }
    }
}
