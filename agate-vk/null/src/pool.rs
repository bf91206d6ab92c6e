//! Command pools and command buffers.
//!
//! # Invariants
//!
//! - L1: the caller passes handles of this crate's live devices, as Vulkan asks; those of a checked device may be dead.

#![allow(unsafe_code, reason = "functions with Vulkan's signatures")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the arguments of one call are read together"
)]

use crate::check::{Rule, User};
use crate::device::{Inner, lock};
use crate::object::{Buffer, Object, Pool, Recorded, Stage};
use crate::simulate::Ring;
use crate::sink::items;
use ash::vk::{self, Handle};
use std::collections::HashSet;
use std::ffi::c_void;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// A result as Vulkan's functions return it.
pub(crate) fn code(result: Result<(), vk::Result>) -> vk::Result {
    result.err().unwrap_or(vk::Result::SUCCESS)
}

unsafe extern "system" fn create(
    device: vk::Device,
    info: *const vk::CommandPoolCreateInfo<'_>,
    _: *const vk::AllocationCallbacks<'_>,
    pool: *mut vk::CommandPool,
) -> vk::Result {
    // SAFETY: L1.
    let device = unsafe { Inner::of(device) };
    if let Err(result) = device.planted("vkCreateCommandPool") {
        return result;
    }
    // SAFETY: a valid structure.
    let (flags, family) = unsafe { ((*info).flags, (*info).queue_family_index) };
    let made = lock(&device.objects).pools.make(Pool {
        ring: Ring::new(device.iterations),
        user: User::default(),
        pending: AtomicU32::new(0),
        dead: AtomicBool::new(false),
        family,
        resets_single: flags.contains(vk::CommandPoolCreateFlags::RESET_COMMAND_BUFFER),
        buffers: Mutex::new(HashSet::new()),
    });
    // SAFETY: there is room for the handle.
    unsafe { pool.write(made) };
    vk::Result::SUCCESS
}

unsafe extern "system" fn destroy(
    device: vk::Device,
    handle: vk::CommandPool,
    _: *const vk::AllocationCallbacks<'_>,
) {
    const CALL: &str = "vkDestroyCommandPool";
    if handle.is_null() {
        return;
    }
    // SAFETY: L1.
    let (device, pool) = unsafe { (Inner::of(device), Pool::of(handle)) };
    let inside = pool.user.enter(device, CALL);
    device.called(CALL);
    device.alive(pool, CALL);
    if pool.pending.load(Ordering::Acquire) > 0 && !device.is_lost() {
        device.violation(CALL, Rule::BufferPending);
    }
    let buffers = std::mem::take(&mut *lock(&pool.buffers));
    drop(inside);
    let mut objects = lock(&device.objects);
    for buffer in buffers {
        let buffer = vk::CommandBuffer::from_raw(buffer as u64);
        objects.buffers.remove(buffer, device.options.checked);
    }
    objects.pools.remove(handle, device.options.checked);
}

unsafe extern "system" fn reset(
    device: vk::Device,
    pool: vk::CommandPool,
    _: vk::CommandPoolResetFlags,
) -> vk::Result {
    const CALL: &str = "vkResetCommandPool";
    // SAFETY: L1.
    let (device, pool) = unsafe { (Inner::of(device), Pool::of(pool)) };
    let _inside = pool.user.enter(device, CALL);
    if let Err(result) = device.planted(CALL) {
        return result;
    }
    device.alive(pool, CALL);
    if pool.pending.load(Ordering::Acquire) > 0 {
        device.violation(CALL, Rule::BufferPending);
    }
    for buffer in &*lock(&pool.buffers) {
        // SAFETY: the buffers of a pool that lives, or of one that keeps their memory.
        unsafe { Buffer::of(vk::CommandBuffer::from_raw(*buffer as u64)) }.reset();
    }
    vk::Result::SUCCESS
}

unsafe extern "system" fn trim(
    device: vk::Device,
    pool: vk::CommandPool,
    _: vk::CommandPoolTrimFlags,
) {
    const CALL: &str = "vkTrimCommandPool";
    // SAFETY: L1.
    let (device, pool) = unsafe { (Inner::of(device), Pool::of(pool)) };
    let _inside = pool.user.enter(device, CALL);
    device.called(CALL);
    device.alive(pool, CALL);
}

unsafe extern "system" fn allocate(
    device_handle: vk::Device,
    info: *const vk::CommandBufferAllocateInfo<'_>,
    buffers: *mut vk::CommandBuffer,
) -> vk::Result {
    const CALL: &str = "vkAllocateCommandBuffers";
    // SAFETY: L1; a valid structure.
    let (device, info) = unsafe { (Inner::of(device_handle), &*info) };
    // SAFETY: L1.
    let pool = unsafe { Pool::of(info.command_pool) };
    let _inside = pool.user.enter(device, CALL);
    if let Err(result) = device.planted(CALL) {
        return result;
    }
    device.alive(pool, CALL);
    for i in 0..info.command_buffer_count as usize {
        let made = lock(&device.objects).buffers.make(Buffer {
            pool: info.command_pool,
            device: device_handle,
            dead: AtomicBool::new(false),
            secondary: info.level == vk::CommandBufferLevel::SECONDARY,
            recorded: Mutex::new(Recorded {
                stage: Stage::Initial,
                one_time: false,
                pending: 0,
                calls: Vec::new(),
                executes: Vec::new(),
            }),
        });
        lock(&pool.buffers).insert(made.as_raw() as usize);
        // SAFETY: there is room for so many handles.
        unsafe { buffers.add(i).write(made) };
    }
    vk::Result::SUCCESS
}

unsafe extern "system" fn free(
    device: vk::Device,
    pool: vk::CommandPool,
    count: u32,
    buffers: *const vk::CommandBuffer,
) {
    const CALL: &str = "vkFreeCommandBuffers";
    // SAFETY: L1.
    let (device, pool) = unsafe { (Inner::of(device), Pool::of(pool)) };
    let _inside = pool.user.enter(device, CALL);
    device.called(CALL);
    device.alive(pool, CALL);
    // SAFETY: a valid array.
    for handle in unsafe { items(buffers, count) } {
        if handle.is_null() {
            continue;
        }
        // SAFETY: L1.
        let buffer = unsafe { Buffer::of(*handle) };
        device.alive(buffer, CALL);
        if lock(&buffer.recorded).pending > 0 {
            device.violation(CALL, Rule::BufferPending);
        }
        lock(&pool.buffers).remove(&(handle.as_raw() as usize));
        let mut objects = lock(&device.objects);
        objects.buffers.remove(*handle, device.options.checked);
    }
}

unsafe extern "system" fn begin(
    buffer: vk::CommandBuffer,
    info: *const vk::CommandBufferBeginInfo<'_>,
) -> vk::Result {
    const CALL: &str = "vkBeginCommandBuffer";
    // SAFETY: L1.
    let buffer = unsafe { Buffer::of(buffer) };
    let device = buffer.device();
    let _inside = buffer.pool().user.enter(device, CALL);
    if let Err(result) = device.planted(CALL) {
        return result;
    }
    device.alive(buffer, CALL);
    let mut recorded = lock(&buffer.recorded);
    let resets = buffer.pool().resets_single && recorded.stage != Stage::Recording;
    if recorded.pending > 0 {
        device.violation(CALL, Rule::BufferPending);
    } else if recorded.stage != Stage::Initial && !resets {
        device.violation(CALL, Rule::NotInitial);
    }
    // SAFETY: a valid structure.
    let flags = unsafe { (*info).flags };
    recorded.one_time = flags.contains(vk::CommandBufferUsageFlags::ONE_TIME_SUBMIT);
    recorded.stage = Stage::Recording;
    recorded.calls.clear();
    recorded.executes.clear();
    // SAFETY: a valid structure.
    if buffer.secondary && unsafe { (*info).p_inheritance_info.is_null() } {
        device.violation(CALL, Rule::InheritsNothing);
    }
    vk::Result::SUCCESS
}

unsafe extern "system" fn end(buffer: vk::CommandBuffer) -> vk::Result {
    const CALL: &str = "vkEndCommandBuffer";
    // SAFETY: L1.
    let buffer = unsafe { Buffer::of(buffer) };
    let device = buffer.device();
    let _inside = buffer.pool().user.enter(device, CALL);
    let planted = device.planted(CALL);
    device.alive(buffer, CALL);
    let mut recorded = lock(&buffer.recorded);
    if recorded.stage != Stage::Recording {
        device.violation(CALL, Rule::NotRecording);
    }
    recorded.stage = if planted.is_ok() {
        Stage::Executable
    } else {
        Stage::Invalid
    };
    code(planted)
}

unsafe extern "system" fn reset_buffer(
    buffer: vk::CommandBuffer,
    _: vk::CommandBufferResetFlags,
) -> vk::Result {
    const CALL: &str = "vkResetCommandBuffer";
    // SAFETY: L1.
    let buffer = unsafe { Buffer::of(buffer) };
    let device = buffer.device();
    let _inside = buffer.pool().user.enter(device, CALL);
    if let Err(result) = device.planted(CALL) {
        return result;
    }
    device.alive(buffer, CALL);
    if lock(&buffer.recorded).pending > 0 {
        device.violation(CALL, Rule::BufferPending);
    }
    buffer.reset();
    vk::Result::SUCCESS
}

/// The function of that name.
pub(crate) fn find(name: &[u8]) -> Option<*const c_void> {
    Some(match name {
        b"vkCreateCommandPool" => create as vk::PFN_vkCreateCommandPool as *const c_void,
        b"vkDestroyCommandPool" => destroy as vk::PFN_vkDestroyCommandPool as *const c_void,
        b"vkTrimCommandPool" => trim as vk::PFN_vkTrimCommandPool as *const c_void,
        b"vkResetCommandPool" => reset as vk::PFN_vkResetCommandPool as *const c_void,
        b"vkAllocateCommandBuffers" => {
            allocate as vk::PFN_vkAllocateCommandBuffers as *const c_void
        }
        b"vkFreeCommandBuffers" => free as vk::PFN_vkFreeCommandBuffers as *const c_void,
        b"vkBeginCommandBuffer" => begin as vk::PFN_vkBeginCommandBuffer as *const c_void,
        b"vkEndCommandBuffer" => end as vk::PFN_vkEndCommandBuffer as *const c_void,
        b"vkResetCommandBuffer" => reset_buffer as vk::PFN_vkResetCommandBuffer as *const c_void,
        _ => return None,
    })
}
