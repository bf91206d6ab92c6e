//! The host's allocation callbacks reach every call that takes them: what was made with them must be destroyed with them.

#![allow(unsafe_code, reason = "stands before Vulkan's functions")]

#[path = "support/null.rs"]
mod support;

use agate_vk::{SubmitOptions, ash, vk};
use null_device::{NullDevice, NullOptions};
use std::ffi::{CStr, c_void};
use std::sync::{Mutex, OnceLock};
use support::{LONG, acquire, close, draw, present, swapchain};

/// The calls that take callbacks.
const CALLS: [&str; 6] = [
    "vkCreateCommandPool",
    "vkDestroyCommandPool",
    "vkCreateSemaphore",
    "vkDestroySemaphore",
    "vkCreateSwapchainKHR",
    "vkDestroySwapchainKHR",
];

/// The device's own functions.
static REAL: OnceLock<(ash::Device, ash::khr::swapchain::DeviceFn)> = OnceLock::new();
/// Which of the calls were made, and whether with the test's callbacks.
static SEEN: Mutex<Vec<(&str, bool)>> = Mutex::new(Vec::new());

type Callbacks = vk::AllocationCallbacks<'static>;

/// What stands in the user data of the test's callbacks.
const OURS: usize = 77;

/// Notes a call; the device's functions, to make it.
fn seen(
    call: usize,
    callbacks: *const Callbacks,
) -> &'static (ash::Device, ash::khr::swapchain::DeviceFn) {
    // SAFETY: null, or a valid structure.
    let callbacks = unsafe { callbacks.as_ref() };
    let ours = callbacks.is_some_and(|callbacks| callbacks.p_user_data.addr() == OURS);
    SEEN.lock().expect("no panic").push((CALLS[call], ours));
    REAL.get().expect("set before")
}

unsafe extern "system" fn create_pool(
    device: vk::Device,
    info: *const vk::CommandPoolCreateInfo<'_>,
    callbacks: *const vk::AllocationCallbacks<'_>,
    made: *mut vk::CommandPool,
) -> vk::Result {
    let real = seen(0, callbacks.cast()).0.fp_v1_0();
    // SAFETY: the caller's contract.
    unsafe { (real.create_command_pool)(device, info, callbacks, made) }
}

unsafe extern "system" fn destroy_pool(
    device: vk::Device,
    object: vk::CommandPool,
    callbacks: *const vk::AllocationCallbacks<'_>,
) {
    let real = seen(1, callbacks.cast()).0.fp_v1_0();
    // SAFETY: the caller's contract.
    unsafe { (real.destroy_command_pool)(device, object, callbacks) }
}

unsafe extern "system" fn create_semaphore(
    device: vk::Device,
    info: *const vk::SemaphoreCreateInfo<'_>,
    callbacks: *const vk::AllocationCallbacks<'_>,
    made: *mut vk::Semaphore,
) -> vk::Result {
    let real = seen(2, callbacks.cast()).0.fp_v1_0();
    // SAFETY: the caller's contract.
    unsafe { (real.create_semaphore)(device, info, callbacks, made) }
}

unsafe extern "system" fn destroy_semaphore(
    device: vk::Device,
    object: vk::Semaphore,
    callbacks: *const vk::AllocationCallbacks<'_>,
) {
    let real = seen(3, callbacks.cast()).0.fp_v1_0();
    // SAFETY: the caller's contract.
    unsafe { (real.destroy_semaphore)(device, object, callbacks) }
}

unsafe extern "system" fn create_swapchain(
    device: vk::Device,
    info: *const vk::SwapchainCreateInfoKHR<'_>,
    callbacks: *const vk::AllocationCallbacks<'_>,
    made: *mut vk::SwapchainKHR,
) -> vk::Result {
    let real = &seen(4, callbacks.cast()).1;
    // SAFETY: the caller's contract.
    unsafe { (real.create_swapchain_khr)(device, info, callbacks, made) }
}

unsafe extern "system" fn destroy_swapchain(
    device: vk::Device,
    object: vk::SwapchainKHR,
    callbacks: *const vk::AllocationCallbacks<'_>,
) {
    let real = &seen(5, callbacks.cast()).1;
    // SAFETY: the caller's contract.
    unsafe { (real.destroy_swapchain_khr)(device, object, callbacks) }
}

/// The test's function of that name.
fn spy(name: &CStr) -> Option<*const c_void> {
    Some(match name.to_bytes() {
        b"vkCreateCommandPool" => create_pool as vk::PFN_vkCreateCommandPool as *const c_void,
        b"vkDestroyCommandPool" => destroy_pool as vk::PFN_vkDestroyCommandPool as *const c_void,
        b"vkCreateSemaphore" => create_semaphore as vk::PFN_vkCreateSemaphore as *const c_void,
        b"vkDestroySemaphore" => destroy_semaphore as vk::PFN_vkDestroySemaphore as *const c_void,
        b"vkCreateSwapchainKHR" => {
            create_swapchain as vk::PFN_vkCreateSwapchainKHR as *const c_void
        }
        b"vkDestroySwapchainKHR" => {
            destroy_swapchain as vk::PFN_vkDestroySwapchainKHR as *const c_void
        }
        _ => return None,
    })
}

#[test]
fn reach_every_call_that_takes_them() {
    let null = NullDevice::new(NullOptions::default().checked());
    let swapchains = ash::khr::swapchain::DeviceFn::load(|name| null.function(name));
    assert!(REAL.set((null.table(), swapchains)).is_ok());
    let ours = Callbacks::default().user_data(std::ptr::without_provenance_mut(OURS));
    // SAFETY: the device calls none of them.
    let device = unsafe { support::device(&null, spy).with_allocation_callbacks(ours) };
    let service = support::try_service_of(device, &null, |options| options.shards = 1);
    let mut service = service.expect("a service starts");
    let chain = swapchain(&mut service, &null, (64, 64));
    for width in [64, 32, 16] {
        chain.resize(vk::Extent2D { width, height: 64 });
        let image = acquire(&chain).expect("an image");
        present(&mut service, image).expect("executed");
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let pass = frame.outside_secondaries(2).expect("room");
        draw(&pass, 0);
        let lease = pass.slot(1).expect("free").lease().expect("a pool");
        lease.finish().expect("the owner is there");
        let mut ticket = frame.submit(SubmitOptions::default());
        ticket.wait_timeout(LONG).expect("executed");
    }
    drop(chain);
    close(service, &null);
    let seen = SEEN.lock().expect("no panic");
    let count = |call| seen.iter().filter(|(seen, _)| *seen == call).count();
    for pair in CALLS.chunks(2) {
        assert!(count(pair[0]) > 1, "{seen:?}");
        assert_eq!(count(pair[0]), count(pair[1]), "{seen:?}");
    }
    assert!(seen.iter().all(|(_, ours)| *ours), "{seen:?}");
}
