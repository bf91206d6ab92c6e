//! Labels of queues: they cannot fail, but they use the queue, so none is set while the device is waited for.
//!
//! # Invariants
//!
//! - Q1: the functions here are called by the loader with arguments that are valid for the function of their name, and
//!   only where the one below of the same name is kept in `below`.
#![allow(unsafe_code, reason = "C functions that pass their arguments on")]

use std::ffi::c_void;

use ash::vk;

use crate::Own;
use crate::below::below;
use crate::faults::queue_turn;

const BEGIN: &str = "vkQueueBeginDebugUtilsLabelEXT";
const END: &str = "vkQueueEndDebugUtilsLabelEXT";
const INSERT: &str = "vkQueueInsertDebugUtilsLabelEXT";

/// The functions of this file, by name; all belong to the device.
pub(crate) const FUNCTIONS: [(&str, Own); 3] = [
    (BEGIN, || begin as *const c_void),
    (END, || end as *const c_void),
    (INSERT, || insert as *const c_void),
];

unsafe extern "system" fn begin(queue: vk::Queue, label: *const vk::DebugUtilsLabelEXT<'_>) {
    let _turn = queue_turn();
    let next = below!(BEGIN, vk::PFN_vkQueueBeginDebugUtilsLabelEXT);
    // SAFETY: Q1.
    unsafe { next(queue, label) }
}

unsafe extern "system" fn end(queue: vk::Queue) {
    let _turn = queue_turn();
    let next = below!(END, vk::PFN_vkQueueEndDebugUtilsLabelEXT);
    // SAFETY: Q1.
    unsafe { next(queue) }
}

unsafe extern "system" fn insert(queue: vk::Queue, label: *const vk::DebugUtilsLabelEXT<'_>) {
    let _turn = queue_turn();
    let next = below!(INSERT, vk::PFN_vkQueueInsertDebugUtilsLabelEXT);
    // SAFETY: Q1.
    unsafe { next(queue, label) }
}
