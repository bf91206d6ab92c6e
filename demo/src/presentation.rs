//! What the window system answers: swapchains made and their size, images out of date or suboptimal.
//!
//! Told by the entry points that the counting device table (`count`) hands out, so it holds whoever owns the swapchain.
//!
//! # Invariants
//!
//! - P1: `CREATE` holds a function that `vkGetDeviceProcAddr` returned for `vkCreateSwapchainKHR`, stored before
//!   `create` is handed out, and never goes back to null.
#![allow(
    unsafe_code,
    reason = "an entry point with a C signature, called by Vulkan's users, that forwards to the driver"
)]

use std::ffi::c_void;
use std::mem::transmute;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering::Relaxed};

use ash::vk;

use crate::count::{COLUMNS, column};

/// What one strategy met at its window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Met {
    /// Swapchains made.
    pub(crate) swapchains: u64,
    /// Answers that an acquired or presented image no longer fits the window at all.
    pub(crate) out_of_date: u64,
    /// Answers that an image was shown, or can be, and that another would fit better.
    pub(crate) suboptimal: u64,
}

/// What was met while `column` was set.
pub(crate) fn met(column: usize) -> Met {
    Met {
        swapchains: SWAPCHAINS[column].load(Relaxed),
        out_of_date: OUT_OF_DATE[column].load(Relaxed),
        suboptimal: SUBOPTIMAL[column].load(Relaxed),
    }
}

/// Width and height of the images of the swapchain that was made last.
pub(crate) fn newest_size() -> Option<(u32, u32)> {
    let size = NEWEST_SIZE.load(Relaxed);
    (size != 0).then_some((size as u32, (size >> 32) as u32))
}

/// An answer of a counted function; only the functions of a swapchain give those that are noted here.
pub(crate) trait Answer {
    /// Notes it.
    fn noted(self) -> Self;
}

impl Answer for () {
    #[inline(always)]
    fn noted(self) -> Self {}
}

impl Answer for vk::Result {
    #[inline(always)]
    fn noted(self) -> Self {
        if self != Self::SUCCESS {
            note(self);
        }
        self
    }
}

/// The function to hand out for `name`, if it is the one of this file.
pub(crate) fn stands_for(name: &[u8], found: *const c_void) -> Option<*const c_void> {
    (name == b"vkCreateSwapchainKHR").then(|| {
        CREATE.store(found.cast_mut(), Relaxed);
        create as *const c_void
    })
}

static CREATE: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
static SWAPCHAINS: [AtomicU64; COLUMNS] = [const { AtomicU64::new(0) }; COLUMNS];
static OUT_OF_DATE: [AtomicU64; COLUMNS] = [const { AtomicU64::new(0) }; COLUMNS];
static SUBOPTIMAL: [AtomicU64; COLUMNS] = [const { AtomicU64::new(0) }; COLUMNS];
static NEWEST_SIZE: AtomicU64 = AtomicU64::new(0);

#[cold]
fn note(answer: vk::Result) {
    match answer {
        vk::Result::ERROR_OUT_OF_DATE_KHR => OUT_OF_DATE[column()].fetch_add(1, Relaxed),
        vk::Result::SUBOPTIMAL_KHR => SUBOPTIMAL[column()].fetch_add(1, Relaxed),
        _ => 0,
    };
}

unsafe extern "system" fn create(
    device: vk::Device,
    info: *const vk::SwapchainCreateInfoKHR<'_>,
    allocator: *const vk::AllocationCallbacks<'_>,
    swapchain: *mut vk::SwapchainKHR,
) -> vk::Result {
    // SAFETY: a function pointer of this signature, or never reached (P1).
    let real: vk::PFN_vkCreateSwapchainKHR = unsafe { transmute(CREATE.load(Relaxed)) };
    // SAFETY: the caller keeps the contract of the function, which is passed on unchanged.
    let made = unsafe { real(device, info, allocator, swapchain) };
    // SAFETY: by that same contract `info` points to a complete structure.
    let size = unsafe { (*info).image_extent };
    if made == vk::Result::SUCCESS {
        SWAPCHAINS[column()].fetch_add(1, Relaxed);
        NEWEST_SIZE.store(
            u64::from(size.width) | u64::from(size.height) << 32,
            Relaxed,
        );
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_answers_of_a_window_are_noted() {
        let outside = column();
        let before = met(outside);
        for answer in [
            vk::Result::SUCCESS,
            vk::Result::TIMEOUT,
            vk::Result::ERROR_OUT_OF_DATE_KHR,
            vk::Result::SUBOPTIMAL_KHR,
            vk::Result::SUBOPTIMAL_KHR,
        ] {
            assert_eq!(answer.noted(), answer);
        }
        let after = met(outside);
        assert_eq!(after.out_of_date - before.out_of_date, 1);
        assert_eq!(after.suboptimal - before.suboptimal, 2);
        assert_eq!(after.swapchains, before.swapchains);
    }
}
