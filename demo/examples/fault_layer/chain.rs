//! The structures by which loader and layer find each other, as the loader-layer interface lays them out.
//!
//! # Invariants
//!
//! - H1: a create info that reaches a layer has the loader's structure in its `pNext` chain, with a link for this layer.
#![allow(
    unsafe_code,
    reason = "walks the chains of C structures that the loader makes"
)]

use std::ffi::c_void;

use ash::vk;

/// What the loader and a layer tell each other at first.
#[repr(C)]
pub struct Negotiation {
    kind: i32,
    next: *mut c_void,
    /// The loader's version of the interface; the layer answers with the one to use.
    pub(crate) version: u32,
    pub(crate) get_instance_proc_addr: Option<vk::PFN_vkGetInstanceProcAddr>,
    pub(crate) get_device_proc_addr: Option<vk::PFN_vkGetDeviceProcAddr>,
    pub(crate) get_physical_device_proc_addr: Option<vk::PFN_vkGetInstanceProcAddr>,
}

/// Which part of the union in [`Loader`] is used: the link to the next layer.
const LINK: i32 = 0;

/// The loader's structure in a create info's chain; what follows is a pointer, whatever the function.
#[repr(C)]
struct Loader<L> {
    kind: vk::StructureType,
    next: *const c_void,
    function: i32,
    link: *mut L,
}

#[repr(C)]
struct InstanceLink {
    next: *mut InstanceLink,
    get_instance_proc_addr: vk::PFN_vkGetInstanceProcAddr,
    get_physical_device_proc_addr: Option<vk::PFN_vkGetInstanceProcAddr>,
}

#[repr(C)]
struct DeviceLink {
    next: *mut DeviceLink,
    get_instance_proc_addr: vk::PFN_vkGetInstanceProcAddr,
    get_device_proc_addr: vk::PFN_vkGetDeviceProcAddr,
}

/// The next layer's function, and the chain moves on, so that the next layer finds its own.
///
/// # Safety
///
/// `info` is what the loader passed to `vkCreateInstance` (H1).
pub(crate) unsafe fn next_of_instance(
    info: *const vk::InstanceCreateInfo<'_>,
) -> Option<vk::PFN_vkGetInstanceProcAddr> {
    let kind = vk::StructureType::LOADER_INSTANCE_CREATE_INFO;
    // SAFETY: the caller's promise.
    let chain = unsafe { (*info).p_next };
    // SAFETY: H1.
    let found = unsafe { find::<InstanceLink>(chain, kind) };
    // SAFETY: null, or the loader's structure, which nobody else uses during the call (H1).
    let found = unsafe { found.as_mut() }?;
    // SAFETY: H1.
    let link = unsafe { found.link.as_ref() }?;
    found.link = link.next;
    Some(link.get_instance_proc_addr)
}

/// The next layer's functions, and the chain moves on.
///
/// # Safety
///
/// `info` is what the loader passed to `vkCreateDevice` (H1).
pub(crate) unsafe fn next_of_device(
    info: *const vk::DeviceCreateInfo<'_>,
) -> Option<(vk::PFN_vkGetInstanceProcAddr, vk::PFN_vkGetDeviceProcAddr)> {
    let kind = vk::StructureType::LOADER_DEVICE_CREATE_INFO;
    // SAFETY: the caller's promise.
    let chain = unsafe { (*info).p_next };
    // SAFETY: H1.
    let found = unsafe { find::<DeviceLink>(chain, kind) };
    // SAFETY: null, or the loader's structure, which nobody else uses during the call (H1).
    let found = unsafe { found.as_mut() }?;
    // SAFETY: H1.
    let link = unsafe { found.link.as_ref() }?;
    found.link = link.next;
    Some((link.get_instance_proc_addr, link.get_device_proc_addr))
}

/// The loader's structure with a link; the loader owns it and expects layers to change it.
///
/// # Safety
///
/// `chain` is a chain of Vulkan structures.
unsafe fn find<L>(mut chain: *const c_void, kind: vk::StructureType) -> *mut Loader<L> {
    loop {
        let loader: *const Loader<L> = chain.cast();
        // SAFETY: every structure of a chain begins with its type and the next one.
        let Some(head) = (unsafe { chain.cast::<vk::BaseInStructure<'_>>().as_ref() }) else {
            return std::ptr::null_mut();
        };
        // SAFETY: a structure of this type is a `Loader` (H1).
        if head.s_type == kind && unsafe { (*loader).function } == LINK {
            return loader.cast_mut();
        }
        chain = head.p_next.cast();
    }
}
