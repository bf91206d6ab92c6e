//! Choosing a device, and opening it.
#![allow(unsafe_code, reason = "calls Vulkan")]

use std::ffi::c_char;

use ash::{khr, vk};

use super::instance::Instance;
use super::surface::Surface;
use crate::error::{Doing, Error};

/// A device that exists on this machine.
pub(crate) struct Found {
    pub(crate) handle: vk::PhysicalDevice,
    pub(crate) name: String,
    pub(crate) kind: vk::PhysicalDeviceType,
    pub(crate) api_version: u32,
    pub(crate) driver: Driver,
}

/// Which driver runs a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Driver {
    /// What it calls itself.
    pub(crate) name: String,
    /// Its build, in its own words.
    pub(crate) info: String,
    /// Its version, in its own code.
    pub(crate) version: u32,
}

impl std::fmt::Display for Driver {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(format!("{} {}", self.name, self.info).trim())
    }
}

impl Found {
    /// The kind of device in one word.
    pub(crate) fn kind_name(&self) -> &'static str {
        kind_name(self.kind)
    }
}

/// The kind of device in one word.
pub(crate) fn kind_name(kind: vk::PhysicalDeviceType) -> &'static str {
    match kind {
        vk::PhysicalDeviceType::DISCRETE_GPU => "discrete",
        vk::PhysicalDeviceType::INTEGRATED_GPU => "integrated",
        vk::PhysicalDeviceType::VIRTUAL_GPU => "virtual",
        vk::PhysicalDeviceType::CPU => "CPU",
        _ => "other",
    }
}

/// A device and the queue family to use of it.
pub(crate) struct Choice {
    pub(crate) found: Found,
    pub(crate) queue_family: u32,
}

/// All devices, in the loader's order.
pub(crate) fn list(instance: &Instance) -> Result<Vec<Found>, Error> {
    // SAFETY: the instance is alive.
    let handles =
        unsafe { instance.raw.enumerate_physical_devices() }.doing("listing the devices")?;
    Ok(handles
        .into_iter()
        .map(|handle| describe(instance, handle))
        .collect())
}

/// The device that `--gpu` names, else the best one that suits: discrete, integrated, virtual, CPU.
pub(crate) fn choose(
    instance: &Instance,
    surface: Option<&Surface>,
    wanted: Option<&str>,
) -> Result<Choice, Error> {
    let mut devices = list(instance)?;
    if devices.is_empty() {
        return Err(Error::NoDriver);
    }
    if let Some(wanted) = wanted {
        devices = vec![named(devices, wanted)?];
    } else {
        devices.sort_by_key(|device| rank(device.kind));
    }
    let mut reasons = Vec::new();
    for found in devices {
        match suits(instance, surface, &found) {
            Ok(queue_family) => {
                return Ok(Choice {
                    found,
                    queue_family,
                });
            }
            Err(why) => reasons.push(format!("{}: {why}", found.name)),
        }
    }
    Err(Error::NoDevice(reasons.join("; ")))
}

/// Opens the device with what the demo and `agate-vk` use.
pub(crate) fn open(
    instance: &Instance,
    choice: &Choice,
    presents: bool,
) -> Result<ash::Device, Error> {
    let priorities = [1.0];
    let queues = [vk::DeviceQueueCreateInfo::default()
        .queue_family_index(choice.queue_family)
        .queue_priorities(&priorities)];
    let extensions: &[*const c_char] = if presents {
        &[khr::swapchain::NAME.as_ptr()]
    } else {
        &[]
    };
    let mut features12 = vk::PhysicalDeviceVulkan12Features::default().timeline_semaphore(true);
    let mut features13 = vk::PhysicalDeviceVulkan13Features::default()
        .synchronization2(true)
        .dynamic_rendering(true);
    let info = vk::DeviceCreateInfo::default()
        .queue_create_infos(&queues)
        .enabled_extension_names(extensions)
        .push_next(&mut features12)
        .push_next(&mut features13);
    // SAFETY: `suits` has checked features, extension and queue family; pointers outlive the call.
    unsafe { instance.raw.create_device(choice.found.handle, &info, None) }
        .doing("opening the device")
}

fn describe(instance: &Instance, handle: vk::PhysicalDevice) -> Found {
    let mut driver = vk::PhysicalDeviceDriverProperties::default();
    let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut driver);
    // SAFETY: `handle` came from this instance.
    unsafe {
        instance
            .raw
            .get_physical_device_properties2(handle, &mut properties);
    };
    let properties = properties.properties;
    let text = |found: Result<&std::ffi::CStr, _>| {
        found.map_or_else(
            |_| String::new(),
            |text| text.to_string_lossy().into_owned(),
        )
    };
    Found {
        handle,
        name: text(properties.device_name_as_c_str()),
        kind: properties.device_type,
        api_version: properties.api_version,
        driver: Driver {
            name: text(driver.driver_name_as_c_str()),
            info: text(driver.driver_info_as_c_str()),
            version: properties.driver_version,
        },
    }
}

fn named(devices: Vec<Found>, wanted: &str) -> Result<Found, Error> {
    let have = devices
        .iter()
        .enumerate()
        .map(|(index, device)| format!("{index} {}", device.name))
        .collect::<Vec<_>>()
        .join(", ");
    let wanted_lower = wanted.to_lowercase();
    let index = match wanted.parse::<usize>() {
        Ok(index) => (index < devices.len()).then_some(index),
        Err(_) => devices
            .iter()
            .position(|device| device.name.to_lowercase().contains(&wanted_lower)),
    };
    let found = index.and_then(|index| devices.into_iter().nth(index));
    found.ok_or_else(|| Error::NoSuchGpu {
        wanted: wanted.escape_debug().to_string(),
        have,
    })
}

fn rank(kind: vk::PhysicalDeviceType) -> u32 {
    match kind {
        vk::PhysicalDeviceType::DISCRETE_GPU => 0,
        vk::PhysicalDeviceType::INTEGRATED_GPU => 1,
        vk::PhysicalDeviceType::VIRTUAL_GPU => 2,
        vk::PhysicalDeviceType::CPU => 3,
        _ => 4,
    }
}

/// The queue family to use, or why the device will not do.
fn suits(instance: &Instance, surface: Option<&Surface>, found: &Found) -> Result<u32, String> {
    if found.api_version < vk::API_VERSION_1_3 {
        return Err(format!(
            "has Vulkan {}, 1.3 is needed",
            version(found.api_version)
        ));
    }
    let (mut features12, mut features13) = (
        vk::PhysicalDeviceVulkan12Features::default(),
        vk::PhysicalDeviceVulkan13Features::default(),
    );
    let mut features = vk::PhysicalDeviceFeatures2::default()
        .push_next(&mut features12)
        .push_next(&mut features13);
    // SAFETY: the device came from this instance and knows 1.3, so it knows both structures.
    unsafe {
        instance
            .raw
            .get_physical_device_features2(found.handle, &mut features);
    };
    for (has, what) in [
        (features12.timeline_semaphore, "timeline semaphores"),
        (features13.synchronization2, "synchronization2"),
        (features13.dynamic_rendering, "dynamic rendering"),
    ] {
        if has == vk::FALSE {
            return Err(format!("has no {what}"));
        }
    }
    let Some(surface) = surface else {
        return queue_family(instance, None, found).ok_or_else(|| "has no graphics queue".into());
    };
    let can_present = has_extension(instance, found, khr::swapchain::NAME)
        .map_err(|result| format!("does not list its extensions: {result:?}"))?;
    if !can_present {
        return Err("cannot present (no VK_KHR_swapchain)".into());
    }
    queue_family(instance, Some(surface), found)
        .ok_or_else(|| "has no queue that draws and presents here".into())
}

fn has_extension(
    instance: &Instance,
    found: &Found,
    name: &std::ffi::CStr,
) -> Result<bool, vk::Result> {
    // SAFETY: the device came from this instance.
    let extensions = unsafe {
        instance
            .raw
            .enumerate_device_extension_properties(found.handle)
    };
    extensions.map(|list| {
        list.iter()
            .any(|extension| extension.extension_name_as_c_str() == Ok(name))
    })
}

fn queue_family(instance: &Instance, surface: Option<&Surface>, found: &Found) -> Option<u32> {
    // SAFETY: the device came from this instance.
    let families = unsafe {
        instance
            .raw
            .get_physical_device_queue_family_properties(found.handle)
    };
    (0_u32..).zip(families).find_map(|(index, family)| {
        let draws = family.queue_count > 0 && family.queue_flags.contains(vk::QueueFlags::GRAPHICS);
        let presents = surface.is_none_or(|surface| surface.supports(found.handle, index));
        (draws && presents).then_some(index)
    })
}

/// A Vulkan version as people write it.
pub(crate) fn version(version: u32) -> String {
    format!(
        "{}.{}.{}",
        vk::api_version_major(version),
        vk::api_version_minor(version),
        vk::api_version_patch(version)
    )
}
