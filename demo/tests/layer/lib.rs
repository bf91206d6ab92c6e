//! A Vulkan layer for tests: now and then it calls the swapchain out of date or suboptimal, as drivers do whose windows
//! change.
//!
//! Every third acquire is out of date, and gives no image; every fifth present is done, and answered so all the same,
//! which is what the specification allows for a window that changed meanwhile. Every fourth acquire and every seventh
//! present is well, and suboptimal. Everything else passes through.
//!
//! # Invariants
//!
//! - L1: the loader calls `vkNegotiateLoaderLayerInterfaceVersion` first, and hands `create_instance` and
//!   `create_device` a chain that leads to the next layer, as its interface of version 2 says.
//! - L2: each pointer in `NEXT` came from the next layer under the name that stands beside it, and is stored before
//!   anything of this file that forwards to it is handed out; one instance and one device live at a time.
#![allow(unsafe_code, reason = "a layer is a set of C functions")]
#![allow(missing_docs, reason = "nobody links to it")]

use std::ffi::{CStr, c_char, c_void};
use std::mem::transmute;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering::Relaxed};

use ash::vk;

/// What the loader and the layer agree on.
#[repr(C)]
pub struct Negotiation {
    kind: u32,
    next: *mut c_void,
    version: u32,
    get_instance_proc_addr: vk::PFN_vkGetInstanceProcAddr,
    get_device_proc_addr: vk::PFN_vkGetDeviceProcAddr,
    get_physical_device_proc_addr: *const c_void,
}

/// The head of every structure in a chain.
#[repr(C)]
struct Head {
    kind: vk::StructureType,
    next: *const Self,
}

/// The loader's entry in the chain of an instance or a device.
#[repr(C)]
struct Link {
    head: Head,
    function: u32,
    layers: *const Next,
}

/// The functions of the next layer; the second is of instances or of devices.
#[repr(C)]
struct Next {
    next: *const Self,
    get_instance_proc_addr: vk::PFN_vkGetInstanceProcAddr,
    get_other: *const c_void,
}

static INSTANCE_PROC_ADDR: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
static DEVICE_PROC_ADDR: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
static ACQUIRE: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
static PRESENT: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
static ACQUIRED: AtomicU64 = AtomicU64::new(1);
static PRESENTED: AtomicU64 = AtomicU64::new(1);

/// # Safety
///
/// The loader calls it, with a structure that it may write to.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn vkNegotiateLoaderLayerInterfaceVersion(
    negotiation: *mut Negotiation,
) -> vk::Result {
    // SAFETY: L1.
    let negotiation = unsafe { &mut *negotiation };
    negotiation.version = negotiation.version.min(2);
    negotiation.get_instance_proc_addr = get_instance_proc_addr;
    negotiation.get_device_proc_addr = get_device_proc_addr;
    negotiation.get_physical_device_proc_addr = std::ptr::null();
    vk::Result::SUCCESS
}

/// The loader's link in a chain, which is moved on for the layer after this one.
///
/// # Safety
///
/// `chain` is that of an instance or device that the loader creates (L1), and `kind` says which.
unsafe fn take_link(chain: *const c_void, kind: i32) -> Option<&'static Next> {
    let mut at = chain.cast::<Head>();
    while !at.is_null() {
        // SAFETY: every structure of a chain begins with a head.
        let head = unsafe { &*at };
        if head.kind == vk::StructureType::from_raw(kind) {
            // SAFETY: a structure of this kind is the loader's, which lets layers write to it (L1).
            let link = unsafe { &mut *at.cast_mut().cast::<Link>() };
            if link.function == 0 {
                // SAFETY: with this function it points to the next layer.
                let next = unsafe { &*link.layers };
                link.layers = next.next;
                return Some(next);
            }
        }
        at = head.next;
    }
    None
}

const LOADER_INSTANCE_CREATE_INFO: i32 = 47;
const LOADER_DEVICE_CREATE_INFO: i32 = 48;

unsafe extern "system" fn create_instance(
    info: *const vk::InstanceCreateInfo<'_>,
    allocator: *const vk::AllocationCallbacks<'_>,
    instance: *mut vk::Instance,
) -> vk::Result {
    // SAFETY: the caller keeps the contract of the function.
    let chain = unsafe { (*info).p_next };
    // SAFETY: L1.
    let Some(next) = (unsafe { take_link(chain, LOADER_INSTANCE_CREATE_INFO) }) else {
        return vk::Result::ERROR_INITIALIZATION_FAILED;
    };
    let ask = next.get_instance_proc_addr;
    INSTANCE_PROC_ADDR.store(ask as *mut c_void, Relaxed);
    // SAFETY: this name is answered without an instance.
    let Some(real) = (unsafe { ask(vk::Instance::null(), c"vkCreateInstance".as_ptr()) }) else {
        return vk::Result::ERROR_INITIALIZATION_FAILED;
    };
    // SAFETY: that is the function of this name.
    let real: vk::PFN_vkCreateInstance = unsafe { transmute(real) };
    // SAFETY: the caller keeps its contract.
    unsafe { real(info, allocator, instance) }
}

unsafe extern "system" fn create_device(
    physical: vk::PhysicalDevice,
    info: *const vk::DeviceCreateInfo<'_>,
    allocator: *const vk::AllocationCallbacks<'_>,
    device: *mut vk::Device,
) -> vk::Result {
    // SAFETY: the caller keeps the contract of the function.
    let chain = unsafe { (*info).p_next };
    // SAFETY: L1.
    let Some(next) = (unsafe { take_link(chain, LOADER_DEVICE_CREATE_INFO) }) else {
        return vk::Result::ERROR_INITIALIZATION_FAILED;
    };
    DEVICE_PROC_ADDR.store(next.get_other.cast_mut(), Relaxed);
    let ask = next.get_instance_proc_addr;
    // SAFETY: layers answer this name without an instance too.
    let Some(real) = (unsafe { ask(vk::Instance::null(), c"vkCreateDevice".as_ptr()) }) else {
        return vk::Result::ERROR_INITIALIZATION_FAILED;
    };
    // SAFETY: that is the function of this name.
    let real: vk::PFN_vkCreateDevice = unsafe { transmute(real) };
    // SAFETY: the caller keeps its contract.
    unsafe { real(physical, info, allocator, device) }
}

unsafe extern "system" fn get_instance_proc_addr(
    instance: vk::Instance,
    name: *const c_char,
) -> vk::PFN_vkVoidFunction {
    // SAFETY: the caller keeps the contract of `vkGetInstanceProcAddr`.
    let wanted = unsafe { CStr::from_ptr(name) };
    let own = match wanted.to_bytes() {
        b"vkGetInstanceProcAddr" => get_instance_proc_addr as *const c_void,
        b"vkGetDeviceProcAddr" => get_device_proc_addr as *const c_void,
        b"vkCreateInstance" => create_instance as *const c_void,
        b"vkCreateDevice" => create_device as *const c_void,
        _ => {
            let next = INSTANCE_PROC_ADDR.load(Relaxed);
            if next.is_null() {
                return None;
            }
            // SAFETY: L2.
            let next: vk::PFN_vkGetInstanceProcAddr = unsafe { transmute(next) };
            // SAFETY: the caller keeps its contract.
            return unsafe { next(instance, name) };
        }
    };
    // SAFETY: a function pointer; whoever asked by name knows its signature.
    unsafe { transmute(own) }
}

unsafe extern "system" fn get_device_proc_addr(
    device: vk::Device,
    name: *const c_char,
) -> vk::PFN_vkVoidFunction {
    // SAFETY: L2; the loader creates a device before it asks for its functions.
    let next: vk::PFN_vkGetDeviceProcAddr = unsafe { transmute(DEVICE_PROC_ADDR.load(Relaxed)) };
    // SAFETY: the caller keeps the contract of `vkGetDeviceProcAddr`.
    let found = unsafe { next(device, name) };
    // SAFETY: by that same contract it is a C string.
    let wanted = unsafe { CStr::from_ptr(name) };
    let (forward, own) = match wanted.to_bytes() {
        b"vkAcquireNextImageKHR" => (&ACQUIRE, acquire as *const c_void),
        b"vkQueuePresentKHR" => (&PRESENT, present as *const c_void),
        _ => return found,
    };
    forward.store(found? as *mut c_void, Relaxed);
    // SAFETY: a function pointer; whoever asked by name knows its signature.
    unsafe { transmute(own) }
}

unsafe extern "system" fn acquire(
    device: vk::Device,
    swapchain: vk::SwapchainKHR,
    timeout: u64,
    semaphore: vk::Semaphore,
    fence: vk::Fence,
    index: *mut u32,
) -> vk::Result {
    let count = ACQUIRED.fetch_add(1, Relaxed);
    if count.is_multiple_of(3) {
        return vk::Result::ERROR_OUT_OF_DATE_KHR;
    }
    // SAFETY: L2.
    let real: vk::PFN_vkAcquireNextImageKHR = unsafe { transmute(ACQUIRE.load(Relaxed)) };
    // SAFETY: the caller keeps its contract.
    let answer = unsafe { real(device, swapchain, timeout, semaphore, fence, index) };
    match answer {
        vk::Result::SUCCESS if count.is_multiple_of(4) => vk::Result::SUBOPTIMAL_KHR,
        answer => answer,
    }
}

unsafe extern "system" fn present(
    queue: vk::Queue,
    info: *const vk::PresentInfoKHR<'_>,
) -> vk::Result {
    // SAFETY: L2.
    let real: vk::PFN_vkQueuePresentKHR = unsafe { transmute(PRESENT.load(Relaxed)) };
    // SAFETY: the caller keeps its contract.
    let answer = unsafe { real(queue, info) };
    let count = PRESENTED.fetch_add(1, Relaxed);
    match answer {
        vk::Result::SUCCESS if count.is_multiple_of(5) => vk::Result::ERROR_OUT_OF_DATE_KHR,
        vk::Result::SUCCESS if count.is_multiple_of(7) => vk::Result::SUBOPTIMAL_KHR,
        answer => answer,
    }
}
