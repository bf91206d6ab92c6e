//! Semaphores: binary and timeline.
//!
//! # Invariants
//!
//! - L1, as in `pool.rs`: the caller passes handles of this crate's live devices; those of a checked device may be dead.

#![allow(unsafe_code, reason = "functions with Vulkan's signatures")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the arguments of one call are read together"
)]

use crate::check::Rule;
use crate::device::{Inner, lock};
use crate::object::{Object, Semaphore};
use crate::sink::items;
use ash::vk::{self, Handle};
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

unsafe extern "system" fn create(
    device: vk::Device,
    info: *const vk::SemaphoreCreateInfo<'_>,
    _: *const vk::AllocationCallbacks<'_>,
    semaphore: *mut vk::Semaphore,
) -> vk::Result {
    // SAFETY: L1; a valid structure.
    let (device, info) = unsafe { (Inner::of(device), &*info) };
    if let Err(result) = device.planted("vkCreateSemaphore") {
        return result;
    }
    let (mut timeline, mut value) = (false, 0);
    let mut next = info.p_next.cast::<vk::BaseInStructure<'_>>();
    while !next.is_null() {
        // SAFETY: a valid chain.
        let structure = unsafe { &*next };
        if structure.s_type == vk::StructureType::SEMAPHORE_TYPE_CREATE_INFO {
            // SAFETY: a structure has the type that it says.
            let kind = unsafe { &*next.cast::<vk::SemaphoreTypeCreateInfo<'_>>() };
            timeline = kind.semaphore_type == vk::SemaphoreType::TIMELINE;
            value = kind.initial_value;
        }
        next = structure.p_next;
    }
    let made = lock(&device.objects).semaphores.make(Semaphore {
        timeline,
        value: AtomicU64::new(value),
        promised: AtomicU64::new(value),
        signalled: AtomicBool::new(false),
        uses: AtomicU32::new(0),
        dead: AtomicBool::new(false),
    });
    // SAFETY: there is room for the handle.
    unsafe { semaphore.write(made) };
    vk::Result::SUCCESS
}

unsafe extern "system" fn destroy(
    device: vk::Device,
    handle: vk::Semaphore,
    _: *const vk::AllocationCallbacks<'_>,
) {
    const CALL: &str = "vkDestroySemaphore";
    if handle.is_null() {
        return;
    }
    // SAFETY: L1.
    let (device, semaphore) = unsafe { (Inner::of(device), Semaphore::of(handle)) };
    device.called(CALL);
    device.alive(semaphore, CALL);
    if semaphore.uses.load(Ordering::Acquire) > 0 && !device.is_lost() {
        device.violation(CALL, Rule::SemaphorePending);
    }
    let mut objects = lock(&device.objects);
    objects.semaphores.remove(handle, device.options.checked);
}

unsafe extern "system" fn counter(
    device: vk::Device,
    semaphore: vk::Semaphore,
    value: *mut u64,
) -> vk::Result {
    const CALL: &str = "vkGetSemaphoreCounterValue";
    // SAFETY: L1.
    let (device, semaphore) = unsafe { (Inner::of(device), Semaphore::of(semaphore)) };
    if let Err(result) = device.planted(CALL) {
        return result;
    }
    device.alive(semaphore, CALL);
    // SAFETY: there is room for the value.
    unsafe { value.write(semaphore.value.load(Ordering::Acquire)) };
    vk::Result::SUCCESS
}

unsafe extern "system" fn wait(
    device: vk::Device,
    info: *const vk::SemaphoreWaitInfo<'_>,
    nanoseconds: u64,
) -> vk::Result {
    const CALL: &str = "vkWaitSemaphores";
    // SAFETY: L1; a valid structure.
    let (device, info) = unsafe { (Inner::of(device), &*info) };
    if let Err(result) = device.planted(CALL) {
        return result;
    }
    // SAFETY: valid arrays.
    let (semaphores, values) = unsafe {
        (
            items(info.p_semaphores, info.semaphore_count),
            items(info.p_values, info.semaphore_count),
        )
    };
    let all: Vec<(&Semaphore, u64)> = semaphores
        .iter()
        // SAFETY: L1.
        .map(|semaphore| unsafe { Semaphore::of(*semaphore) })
        .zip(values.iter().copied())
        .collect();
    for (semaphore, _) in &all {
        device.alive(*semaphore, CALL);
    }
    let reached =
        |(semaphore, value): &(&Semaphore, u64)| semaphore.value.load(Ordering::Acquire) >= *value;
    let any = info.flags.contains(vk::SemaphoreWaitFlags::ANY);
    let done = || {
        if any {
            all.iter().any(reached)
        } else {
            all.iter().all(reached)
        }
    };
    if done() {
        return vk::Result::SUCCESS;
    }
    let deadline = Instant::now().checked_add(Duration::from_nanos(nanoseconds));
    let mut timeline = lock(&device.timeline);
    loop {
        if done() {
            return vk::Result::SUCCESS;
        }
        if device.is_lost() {
            return vk::Result::ERROR_DEVICE_LOST;
        }
        // A wait without an end is made of long ones.
        let left = deadline.map_or(Duration::from_secs(60), |deadline| {
            deadline.saturating_duration_since(Instant::now())
        });
        if left.is_zero() {
            return vk::Result::TIMEOUT;
        }
        timeline = device
            .changed
            .wait_timeout(timeline, left)
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .0;
    }
}

unsafe extern "system" fn signal(
    device: vk::Device,
    info: *const vk::SemaphoreSignalInfo<'_>,
) -> vk::Result {
    const CALL: &str = "vkSignalSemaphore";
    // SAFETY: L1; a valid structure.
    let (device, info) = unsafe { (Inner::of(device), &*info) };
    if let Err(result) = device.planted(CALL) {
        return result;
    }
    // SAFETY: L1.
    let semaphore = unsafe { Semaphore::of(info.semaphore) };
    device.alive(semaphore, CALL);
    if semaphore.value.load(Ordering::Acquire) >= info.value {
        device.violation(CALL, Rule::TimelineNotGrowing);
    }
    semaphore.promised.fetch_max(info.value, Ordering::AcqRel);
    semaphore.value.fetch_max(info.value, Ordering::AcqRel);
    device.release(0);
    vk::Result::SUCCESS
}

/// The function of that name.
pub(crate) fn find(name: &[u8]) -> Option<*const c_void> {
    Some(match name {
        b"vkCreateSemaphore" => create as vk::PFN_vkCreateSemaphore as *const c_void,
        b"vkDestroySemaphore" => destroy as vk::PFN_vkDestroySemaphore as *const c_void,
        b"vkGetSemaphoreCounterValue" => {
            counter as vk::PFN_vkGetSemaphoreCounterValue as *const c_void
        }
        b"vkWaitSemaphores" => wait as vk::PFN_vkWaitSemaphores as *const c_void,
        b"vkSignalSemaphore" => signal as vk::PFN_vkSignalSemaphore as *const c_void,
        _ => return None,
    })
}
