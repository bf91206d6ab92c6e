//! Names and labels, as `VK_EXT_debug_utils` has them: kept as text.
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
use crate::device::{Inner, Queue, lock};
use crate::object::{Buffer, Object, Stage};
use ash::vk;
use std::ffi::{CStr, c_char, c_void};

/// The text behind a pointer that may be null.
///
/// # Safety
///
/// Null, or a text that ends with a null byte.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: the caller's contract.
    unsafe { CStr::from_ptr(pointer) }
        .to_string_lossy()
        .into_owned()
}

fn note(device: &Inner, call: &'static str, what: String) {
    device.called(call);
    lock(&device.labels).push(what);
}

unsafe extern "system" fn name(
    device: vk::Device,
    info: *const vk::DebugUtilsObjectNameInfoEXT<'_>,
) -> vk::Result {
    // SAFETY: L1; a valid structure.
    let (device, name) = unsafe { (Inner::of(device), text((*info).p_object_name)) };
    if let Err(result) = device.planted("vkSetDebugUtilsObjectNameEXT") {
        return result;
    }
    lock(&device.labels).push(format!("name {name}"));
    vk::Result::SUCCESS
}

unsafe extern "system" fn queue_begin(queue: vk::Queue, info: *const vk::DebugUtilsLabelEXT<'_>) {
    const CALL: &str = "vkQueueBeginDebugUtilsLabelEXT";
    // SAFETY: L1; a valid structure.
    let (queue, label) = unsafe { (Queue::of(queue), text((*info).p_label_name)) };
    let _inside = queue.user.enter(queue.device(), CALL);
    note(queue.device(), CALL, format!("queue: {label}"));
}

unsafe extern "system" fn queue_end(queue: vk::Queue) {
    const CALL: &str = "vkQueueEndDebugUtilsLabelEXT";
    // SAFETY: L1.
    let queue = unsafe { Queue::of(queue) };
    let _inside = queue.user.enter(queue.device(), CALL);
    note(queue.device(), CALL, "queue: end".to_owned());
}

fn in_buffer(buffer: &Buffer, call: &'static str, what: String) {
    let device = buffer.device();
    let _inside = buffer.pool().user.enter(device, call);
    device.alive(buffer, call);
    if lock(&buffer.recorded).stage != Stage::Recording {
        device.violation(call, Rule::NotRecording);
    }
    note(device, call, what);
}

unsafe extern "system" fn begin(
    buffer: vk::CommandBuffer,
    info: *const vk::DebugUtilsLabelEXT<'_>,
) {
    // SAFETY: L1; a valid structure.
    let (buffer, label) = unsafe { (Buffer::of(buffer), text((*info).p_label_name)) };
    let what = format!("commands: {label}");
    in_buffer(buffer, "vkCmdBeginDebugUtilsLabelEXT", what);
}

unsafe extern "system" fn end(buffer: vk::CommandBuffer) {
    // SAFETY: L1.
    let buffer = unsafe { Buffer::of(buffer) };
    let what = "commands: end".to_owned();
    in_buffer(buffer, "vkCmdEndDebugUtilsLabelEXT", what);
}

/// The function of that name.
pub(crate) fn find(name_of: &[u8]) -> Option<*const c_void> {
    Some(match name_of {
        b"vkSetDebugUtilsObjectNameEXT" => {
            name as vk::PFN_vkSetDebugUtilsObjectNameEXT as *const c_void
        }
        b"vkQueueBeginDebugUtilsLabelEXT" => {
            queue_begin as vk::PFN_vkQueueBeginDebugUtilsLabelEXT as *const c_void
        }
        b"vkQueueEndDebugUtilsLabelEXT" => {
            queue_end as vk::PFN_vkQueueEndDebugUtilsLabelEXT as *const c_void
        }
        b"vkCmdBeginDebugUtilsLabelEXT" => {
            begin as vk::PFN_vkCmdBeginDebugUtilsLabelEXT as *const c_void
        }
        b"vkCmdEndDebugUtilsLabelEXT" => end as vk::PFN_vkCmdEndDebugUtilsLabelEXT as *const c_void,
        _ => return None,
    })
}
