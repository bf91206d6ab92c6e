//! Swapchains: images that are acquired and presented, and go back to where they came from.
//!
//! # Invariants
//!
//! - L1, as in `pool.rs`: the caller passes handles of this crate's live devices; those of a checked device may be dead.

#![allow(unsafe_code, reason = "functions with Vulkan's signatures")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the arguments of one call are read together"
)]

use crate::check::{Rule, User};
use crate::device::{Inner, Queue, lock};
use crate::object::{Object, Semaphore};
use crate::sink::items;
use ash::vk::{self, Handle};
use std::ffi::c_void;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// A swapchain.
pub(crate) struct Swapchain {
    user: User,
    dead: AtomicBool,
    extent: vk::Extent2D,
    images: Mutex<Images>,
    /// Presents that a pending submission holds up.
    pub(crate) presents: AtomicU32,
}

struct Images {
    /// By index: the image and whether it is acquired.
    all: Vec<(vk::Image, bool)>,
    next: usize,
    retired: bool,
}

impl Object for Swapchain {
    type Handle = vk::SwapchainKHR;

    fn dead(&self) -> &AtomicBool {
        &self.dead
    }
}

/// The surface as the test has set it.
pub(crate) struct Surface {
    pub(crate) extent: vk::Extent2D,
    pub(crate) images: u64,
}

unsafe extern "system" fn create(
    device: vk::Device,
    info: *const vk::SwapchainCreateInfoKHR<'_>,
    _: *const vk::AllocationCallbacks<'_>,
    swapchain: *mut vk::SwapchainKHR,
) -> vk::Result {
    const CALL: &str = "vkCreateSwapchainKHR";
    // SAFETY: L1; a valid structure.
    let (device, info) = unsafe { (Inner::of(device), &*info) };
    let planted = device.planted(CALL);
    if !info.old_swapchain.is_null() {
        // SAFETY: L1.
        let old = unsafe { Swapchain::of(info.old_swapchain) };
        let _inside = old.user.enter(device, CALL);
        device.alive(old, CALL);
        // Whether or not a new one is made.
        if std::mem::replace(&mut lock(&old.images).retired, true) {
            device.violation(CALL, Rule::Retired);
        }
    }
    if let Err(result) = planted {
        return result;
    }
    let all = {
        let mut surface = lock(&device.surface);
        let mut image = || {
            surface.images += 1;
            (vk::Image::from_raw(surface.images), false)
        };
        (0..info.min_image_count).map(|_| image()).collect()
    };
    let made = lock(&device.objects).swapchains.make(Swapchain {
        user: User::default(),
        dead: AtomicBool::new(false),
        extent: info.image_extent,
        images: Mutex::new(Images {
            all,
            next: 0,
            retired: false,
        }),
        presents: AtomicU32::new(0),
    });
    // SAFETY: there is room for the handle.
    unsafe { swapchain.write(made) };
    vk::Result::SUCCESS
}

unsafe extern "system" fn destroy(
    device: vk::Device,
    handle: vk::SwapchainKHR,
    _: *const vk::AllocationCallbacks<'_>,
) {
    const CALL: &str = "vkDestroySwapchainKHR";
    if handle.is_null() {
        return;
    }
    // SAFETY: L1.
    let (device, swapchain) = unsafe { (Inner::of(device), Swapchain::of(handle)) };
    let inside = swapchain.user.enter(device, CALL);
    device.called(CALL);
    device.alive(swapchain, CALL);
    if swapchain.presents.load(Ordering::Acquire) > 0 && !device.is_lost() {
        device.violation(CALL, Rule::PresentPending);
    }
    drop(inside);
    let mut objects = lock(&device.objects);
    objects.swapchains.remove(handle, device.options.checked);
}

unsafe extern "system" fn get_images(
    device: vk::Device,
    swapchain: vk::SwapchainKHR,
    count: *mut u32,
    images: *mut vk::Image,
) -> vk::Result {
    const CALL: &str = "vkGetSwapchainImagesKHR";
    // SAFETY: L1.
    let (device, swapchain) = unsafe { (Inner::of(device), Swapchain::of(swapchain)) };
    if let Err(result) = device.planted(CALL) {
        return result;
    }
    device.alive(swapchain, CALL);
    let all = lock(&swapchain.images);
    let length = all.all.len() as u32;
    // SAFETY: a valid count, and room for so many images.
    unsafe {
        if images.is_null() {
            count.write(length);
            return vk::Result::SUCCESS;
        }
        let written = length.min(count.read());
        count.write(written);
        for (i, (image, _)) in all.all.iter().take(written as usize).enumerate() {
            images.add(i).write(*image);
        }
        if written < length {
            return vk::Result::INCOMPLETE;
        }
    }
    vk::Result::SUCCESS
}

unsafe extern "system" fn acquire(
    device: vk::Device,
    swapchain: vk::SwapchainKHR,
    nanoseconds: u64,
    semaphore: vk::Semaphore,
    _: vk::Fence,
    index: *mut u32,
) -> vk::Result {
    const CALL: &str = "vkAcquireNextImageKHR";
    // SAFETY: L1.
    let (device, swapchain) = unsafe { (Inner::of(device), Swapchain::of(swapchain)) };
    let _inside = swapchain.user.enter(device, CALL);
    let answer = match device.planted(CALL) {
        Err(vk::Result::SUBOPTIMAL_KHR) => vk::Result::SUBOPTIMAL_KHR,
        Err(result) => return result,
        Ok(()) => vk::Result::SUCCESS,
    };
    device.alive(swapchain, CALL);
    if swapchain.extent != lock(&device.surface).extent_of(swapchain.extent) {
        return vk::Result::ERROR_OUT_OF_DATE_KHR;
    }
    let mut images = lock(&swapchain.images);
    if images.retired {
        device.violation(CALL, Rule::Retired);
    }
    let count = images.all.len();
    let order = (0..count).map(|i| (images.next + i) % count);
    let free = order.into_iter().find(|i| !images.all[*i].1);
    let Some(free) = free else {
        drop(images);
        if nanoseconds == 0 {
            return vk::Result::NOT_READY;
        }
        if nanoseconds == u64::MAX {
            device.violation(CALL, Rule::AcquiresForever);
        }
        // The surface gives no image back while nobody presents; a real one takes its time to say so.
        std::thread::sleep(Duration::from_nanos(nanoseconds.min(5_000_000)));
        return vk::Result::TIMEOUT;
    };
    images.all[free].1 = true;
    images.next = (free + 1) % count;
    if !semaphore.is_null() {
        // SAFETY: L1.
        let semaphore = unsafe { Semaphore::of(semaphore) };
        if semaphore.uses.load(Ordering::Acquire) > 0 {
            device.violation(CALL, Rule::SemaphorePending);
        }
        device.signal_binary(semaphore, CALL);
    }
    // SAFETY: there is room for the index.
    unsafe { index.write(free as u32) };
    answer
}

unsafe extern "system" fn present(
    queue: vk::Queue,
    info: *const vk::PresentInfoKHR<'_>,
) -> vk::Result {
    const CALL: &str = "vkQueuePresentKHR";
    // SAFETY: L1; a valid structure with valid arrays.
    let (queue, waits, swapchains, indices, results) = unsafe {
        let info = &*info;
        (
            Queue::of(queue),
            items(info.p_wait_semaphores, info.wait_semaphore_count),
            items(info.p_swapchains, info.swapchain_count),
            items(info.p_image_indices, info.swapchain_count),
            info.p_results,
        )
    };
    let device = queue.device();
    let _inside = queue.user.enter(device, CALL);
    let answer = match device.planted(CALL) {
        Ok(()) => vk::Result::SUCCESS,
        // With these the semaphores are waited for and the images go back all the same.
        Err(
            result @ (vk::Result::SUBOPTIMAL_KHR
            | vk::Result::ERROR_OUT_OF_DATE_KHR
            | vk::Result::ERROR_SURFACE_LOST_KHR),
        ) => result,
        Err(result) => return result,
    };
    for wait in waits {
        // SAFETY: L1.
        device.wait_binary(unsafe { Semaphore::of(*wait) }, CALL);
    }
    for (handle, index) in swapchains.iter().zip(indices) {
        // SAFETY: L1.
        let swapchain = unsafe { Swapchain::of(*handle) };
        let _inside = swapchain.user.enter(device, CALL);
        device.alive(swapchain, CALL);
        let mut images = lock(&swapchain.images);
        let acquired = images.all.get_mut(*index as usize);
        if !acquired.is_some_and(|(_, acquired)| std::mem::take(acquired)) {
            device.violation(CALL, Rule::NotAcquired);
        }
    }
    device.submit_present(queue, waits, swapchains);
    if !results.is_null() {
        // What was planted is the answer of the last.
        for i in 0..swapchains.len() {
            let last = i + 1 == swapchains.len();
            let result = if last { answer } else { vk::Result::SUCCESS };
            // SAFETY: L1; there is room for a result of each.
            unsafe { results.add(i).write(result) };
        }
    }
    answer
}

impl Surface {
    /// The extent of a swapchain that has this one, for the surface as it is now.
    fn extent_of(&self, chosen: vk::Extent2D) -> vk::Extent2D {
        if self.extent.width == u32::MAX {
            chosen
        } else {
            self.extent
        }
    }
}

/// The function of that name.
pub(crate) fn find(name: &[u8]) -> Option<*const c_void> {
    Some(match name {
        b"vkCreateSwapchainKHR" => create as vk::PFN_vkCreateSwapchainKHR as *const c_void,
        b"vkDestroySwapchainKHR" => destroy as vk::PFN_vkDestroySwapchainKHR as *const c_void,
        b"vkGetSwapchainImagesKHR" => {
            get_images as vk::PFN_vkGetSwapchainImagesKHR as *const c_void
        }
        b"vkAcquireNextImageKHR" => acquire as vk::PFN_vkAcquireNextImageKHR as *const c_void,
        b"vkQueuePresentKHR" => present as vk::PFN_vkQueuePresentKHR as *const c_void,
        _ => return None,
    })
}
