//! A Vulkan layer that makes calls fail as a driver's would, for tests of what programs do then.
//!
//! It is loaded like any explicit layer, through a manifest in `VK_LAYER_PATH` and its name, `VK_LAYER_AGATE_fault`, in
//! `VK_INSTANCE_LAYERS`. What it does is up to these variables; without them it does nothing but pass calls on:
//!
//! - `FAULT=vkQueueSubmit2:3:DEVICE_LOST` lets the third call of that function end with that result. `3-5` are calls
//!   three to five, `3-` are all from the third, `*3` is every third; several faults stand between commas, and of two for
//!   one call the first counts.
//! - `FAULT_HIDE=timelineSemaphore` takes things away from the devices (`hidden.rs` lists them).
//! - `FAULT_COUNTS=FILE` writes how often each function was called that can fail, and how many faults there were, when the
//!   instance is destroyed.
//! - `FAULT_MARK=FILE` makes that file when a picture is presented for the third time.
//!
//! # Invariants
//!
//! - L1: the loader calls the entry points of this file with what the loader-layer interface, version 2, says.
//! - L2: `NEXT_INSTANCE` and `NEXT_DEVICE` hold the functions of that name of the layer below, or null, which answer
//!   for every name that is not kept in `below`.
#![allow(
    unsafe_code,
    reason = "a Vulkan layer is C functions that call C functions"
)]

mod below;
mod chain;
mod faults;
mod hidden;
mod labels;
mod table;

use std::ffi::{CStr, c_char, c_void};
use std::mem::transmute;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering::SeqCst};

use ash::vk;

use below::below;
use chain::Negotiation;
use faults::faulty;
use table::{Level, TABLE};

/// `vkGetInstanceProcAddr` of the layer below.
static NEXT_INSTANCE: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
/// `vkGetDeviceProcAddr` of the layer below.
static NEXT_DEVICE: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
/// The newest instance.
static INSTANCE: AtomicU64 = AtomicU64::new(0);

/// A function of any type, as the loader passes them around.
pub(crate) type Function = unsafe extern "system" fn();

/// A function of this layer, as a pointer to be handed out.
pub(crate) type Own = fn() -> *const c_void;

/// The version of the interface between loader and layer that this layer speaks.
const INTERFACE_VERSION: u32 = 2;

/// The first thing that the loader calls.
///
/// # Safety
///
/// `negotiation` points to the structure that the interface defines (L1).
#[unsafe(no_mangle)]
pub unsafe extern "system" fn vkNegotiateLoaderLayerInterfaceVersion(
    negotiation: *mut Negotiation,
) -> vk::Result {
    // SAFETY: L1.
    let Some(negotiation) = (unsafe { negotiation.as_mut() }) else {
        return vk::Result::ERROR_INITIALIZATION_FAILED;
    };
    if negotiation.version < INTERFACE_VERSION {
        return vk::Result::ERROR_INITIALIZATION_FAILED;
    }
    negotiation.version = INTERFACE_VERSION;
    negotiation.get_instance_proc_addr = Some(get_instance_proc_addr);
    negotiation.get_device_proc_addr = Some(get_device_proc_addr);
    negotiation.get_physical_device_proc_addr = None;
    vk::Result::SUCCESS
}

/// The function of this layer with this name and level, if there is one to call below it.
fn own(name: &CStr, level: Level) -> Option<Function> {
    let name = name.to_str().ok()?;
    let function = match (name, level) {
        ("vkGetInstanceProcAddr", Level::Instance) => get_instance_proc_addr as *const c_void,
        ("vkGetDeviceProcAddr", _) => get_device_proc_addr as *const c_void,
        ("vkCreateInstance", Level::Instance) => create_instance as *const c_void,
        ("vkDestroyInstance", Level::Instance) => destroy_instance as *const c_void,
        ("vkCreateDevice", Level::Instance) => create_device as *const c_void,
        _ => {
            below::function(name)?;
            let hidden = hidden::FUNCTIONS.iter();
            let hidden = hidden.filter(|_| level == Level::Instance);
            // The loader asks the instance for labels, although they are the device's.
            let mut others = hidden.chain(&labels::FUNCTIONS);
            let other = others.find(|(known, _)| *known == name);
            let faulty = || {
                TABLE
                    .iter()
                    .find(|found| found.0 == level && found.1 == name)
            };
            other
                .map(|(_, own)| own)
                .or_else(|| faulty().map(|(_, _, own)| own))?()
        }
    };
    // SAFETY: function pointers are cast to the type in which they travel; the loader casts them back by their names.
    Some(unsafe { transmute::<*const c_void, Function>(function) })
}

/// Names of the table.
fn names(level: Level) -> impl Iterator<Item = &'static str> {
    TABLE
        .iter()
        .filter(move |found| found.0 == level)
        .map(|found| found.1)
}

unsafe extern "system" fn get_instance_proc_addr(
    instance: vk::Instance,
    name: *const c_char,
) -> vk::PFN_vkVoidFunction {
    // SAFETY: L1: a C string.
    let called = unsafe { CStr::from_ptr(name) };
    own(called, Level::Instance).or_else(|| {
        let next = NEXT_INSTANCE.load(SeqCst);
        if next.is_null() {
            return None;
        }
        // SAFETY: L2.
        let next = unsafe { transmute::<*mut c_void, vk::PFN_vkGetInstanceProcAddr>(next) };
        // SAFETY: the loader's own arguments.
        unsafe { next(instance, name) }
    })
}

unsafe extern "system" fn get_device_proc_addr(
    device: vk::Device,
    name: *const c_char,
) -> vk::PFN_vkVoidFunction {
    // SAFETY: L1: a C string.
    let called = unsafe { CStr::from_ptr(name) };
    own(called, Level::Device).or_else(|| {
        let next = NEXT_DEVICE.load(SeqCst);
        if next.is_null() {
            return None;
        }
        // SAFETY: L2.
        let next = unsafe { transmute::<*mut c_void, vk::PFN_vkGetDeviceProcAddr>(next) };
        // SAFETY: the loader's own arguments.
        unsafe { next(device, name) }
    })
}

unsafe extern "system" fn create_instance(
    info: *const vk::InstanceCreateInfo<'_>,
    allocator: *const vk::AllocationCallbacks<'_>,
    instance: *mut vk::Instance,
) -> vk::Result {
    faulty("vkCreateInstance", || {
        // SAFETY: L1.
        let Some(next) = (unsafe { chain::next_of_instance(info) }) else {
            return vk::Result::ERROR_INITIALIZATION_FAILED;
        };
        NEXT_INSTANCE.store(next as *mut c_void, SeqCst);
        // SAFETY: a name, and no instance, as it has to be for this function.
        let create = unsafe { next(vk::Instance::null(), c"vkCreateInstance".as_ptr()) };
        let Some(create) = create else {
            return vk::Result::ERROR_INITIALIZATION_FAILED;
        };
        // SAFETY: the function of that name.
        let create = unsafe { transmute::<Function, vk::PFN_vkCreateInstance>(create) };
        // SAFETY: the loader's own arguments.
        let result = unsafe { create(info, allocator, instance) };
        if result == vk::Result::SUCCESS {
            // SAFETY: written by the call.
            let made = unsafe { *instance };
            INSTANCE.store(vk::Handle::as_raw(made), SeqCst);
            let hidden = hidden::FUNCTIONS.iter().map(|(name, _)| *name);
            let names = names(Level::Instance)
                .chain(hidden)
                .chain(["vkDestroyInstance", "vkCreateDevice"]);
            // SAFETY: the instance just made, and a name.
            below::keep(names, |name| unsafe { next(made, name.as_ptr()) });
        }
        result
    })
}

unsafe extern "system" fn destroy_instance(
    instance: vk::Instance,
    allocator: *const vk::AllocationCallbacks<'_>,
) {
    faults::write_counts();
    let next = below!("vkDestroyInstance", vk::PFN_vkDestroyInstance);
    // SAFETY: the loader's own arguments.
    unsafe { next(instance, allocator) };
}

unsafe extern "system" fn create_device(
    physical: vk::PhysicalDevice,
    info: *const vk::DeviceCreateInfo<'_>,
    allocator: *const vk::AllocationCallbacks<'_>,
    device: *mut vk::Device,
) -> vk::Result {
    faulty("vkCreateDevice", || {
        // SAFETY: L1.
        let Some(next) = (unsafe { chain::next_of_device(info) }) else {
            return vk::Result::ERROR_INITIALIZATION_FAILED;
        };
        NEXT_DEVICE.store(next.1 as *mut c_void, SeqCst);
        let instance = vk::Handle::from_raw(INSTANCE.load(SeqCst));
        // SAFETY: a name, and the instance of the physical device.
        let create = unsafe { (next.0)(instance, c"vkCreateDevice".as_ptr()) };
        let Some(create) = create else {
            return vk::Result::ERROR_INITIALIZATION_FAILED;
        };
        // SAFETY: the function of that name.
        let create = unsafe { transmute::<Function, vk::PFN_vkCreateDevice>(create) };
        // SAFETY: the loader's own arguments.
        let result = unsafe { create(physical, info, allocator, device) };
        if result == vk::Result::SUCCESS {
            // SAFETY: written by the call.
            let made = unsafe { *device };
            let labels = labels::FUNCTIONS.iter().map(|(name, _)| *name);
            // SAFETY: the device just made, and a name.
            below::keep(names(Level::Device).chain(labels), |name| unsafe {
                (next.1)(made, name.as_ptr())
            });
            faults::new_device(made);
        }
        result
    })
}
