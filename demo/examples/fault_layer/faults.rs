//! Which call fails, and how: counts of all calls that can fail, and the faults that `FAULT` asks for.
//!
//! # Invariants
//!
//! - F1: `DEVICE` is the last device made, and is not yet destroyed when one of its functions is called.
#![allow(unsafe_code, reason = "calls the driver once a device is lost")]

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use ash::vk;

use crate::below::below;

/// One fault of the list in `FAULT`.
struct Fault {
    function: String,
    calls: Calls,
    result: vk::Result,
}

/// Which calls of a function fail; the first has number 1.
enum Calls {
    Between(u64, u64),
    Every(NonZeroU64),
}

impl Calls {
    fn has(&self, number: u64) -> bool {
        match *self {
            Self::Between(first, last) => (first..=last).contains(&number),
            Self::Every(step) => number.is_multiple_of(step.get()),
        }
    }
}

static COUNTS: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());
/// Calls that failed as they were asked to.
static STRUCK: AtomicU64 = AtomicU64::new(0);
static LOST: AtomicBool = AtomicBool::new(false);
static DEVICE: AtomicU64 = AtomicU64::new(0);
/// Held during every call that uses a queue, and while the device is waited for.
static QUEUE: Mutex<()> = Mutex::new(());

/// The functions by which a program learns that its device is lost.
const TELL_LOSS: [&str; 11] = [
    "vkQueueSubmit",
    "vkQueueSubmit2",
    "vkQueueWaitIdle",
    "vkQueuePresentKHR",
    "vkDeviceWaitIdle",
    "vkWaitSemaphores",
    "vkGetSemaphoreCounterValue",
    "vkWaitForFences",
    "vkGetFenceStatus",
    "vkCreateSwapchainKHR",
    "vkAcquireNextImageKHR",
];

/// Remembers the device that a fault may lose.
pub(crate) fn new_device(device: vk::Device) {
    DEVICE.store(vk::Handle::as_raw(device), SeqCst);
}

/// Keeps all others from the queues until it is dropped.
pub(crate) fn queue_turn() -> MutexGuard<'static, ()> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts a call of `name`, and makes it really, or not, or fail afterwards.
pub(crate) fn faulty(name: &'static str, real: impl FnOnce() -> vk::Result) -> vk::Result {
    let number = {
        let mut counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(name).or_default();
        *count += 1;
        *count
    };
    let uses_queue = name.starts_with("vkQueue") || name == "vkDeviceWaitIdle";
    let held = uses_queue.then(queue_turn);
    let fault = faults()
        .iter()
        .find(|fault| fault.function == name && fault.calls.has(number));
    if name == "vkQueuePresentKHR" && number == 3 {
        mark();
    }
    if fault.is_some() {
        STRUCK.fetch_add(1, SeqCst);
    }
    match fault.map(|fault| fault.result) {
        None if LOST.load(SeqCst) && TELL_LOSS.contains(&name) => vk::Result::ERROR_DEVICE_LOST,
        None => real(),
        Some(result) if result == vk::Result::SUBOPTIMAL_KHR => match real() {
            vk::Result::SUCCESS => result,
            other => other,
        },
        // A presentation that is out of date waits for its semaphores nevertheless.
        Some(result)
            if result == vk::Result::ERROR_OUT_OF_DATE_KHR && name == "vkQueuePresentKHR" =>
        {
            match real() {
                vk::Result::SUCCESS | vk::Result::SUBOPTIMAL_KHR => result,
                other => other,
            }
        }
        Some(result) => {
            if result == vk::Result::ERROR_DEVICE_LOST {
                let _held = held.is_none().then(queue_turn);
                lose();
            }
            result
        }
    }
}

/// From now on the device is lost. What it was doing has ended then, as it has on a device that really is.
fn lose() {
    let device = vk::Handle::from_raw(DEVICE.load(SeqCst));
    if !LOST.swap(true, SeqCst) && device != vk::Device::null() {
        let idle = below!("vkDeviceWaitIdle", vk::PFN_vkDeviceWaitIdle);
        // SAFETY: F1; the caller holds all queues. What it answers does not matter: the device is lost anyway.
        let _ = unsafe { idle(device) };
    }
}

/// Makes the file that `FAULT_MARK` names.
fn mark() {
    if let Some(file) = std::env::var_os("FAULT_MARK")
        && let Err(why) = std::fs::write(&file, "")
    {
        eprintln!("the fault layer cannot write {}: {why}", file.display());
    }
}

/// Writes the counts to the file that `FAULT_COUNTS` names, a line for each function, and a line `struck` with the number
/// of faults.
pub(crate) fn write_counts() {
    let Some(file) = std::env::var_os("FAULT_COUNTS") else {
        return;
    };
    let counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    let struck = [("struck", STRUCK.load(SeqCst))];
    let lines: String = counts
        .iter()
        .map(|(name, count)| (*name, *count))
        .chain(struck)
        .map(|(name, count)| format!("{name} {count}\n"))
        .collect();
    if let Err(why) = std::fs::write(&file, lines) {
        eprintln!("the fault layer cannot write {}: {why}", file.display());
    }
}

fn faults() -> &'static [Fault] {
    static FAULTS: OnceLock<Vec<Fault>> = OnceLock::new();
    FAULTS.get_or_init(|| {
        let list = std::env::var("FAULT").unwrap_or_default();
        let faults = list.split(',').filter(|fault| !fault.is_empty());
        faults
            .map(|fault| {
                // A fault that is not understood must not pass for a test that found nothing.
                parse(fault).unwrap_or_else(|| {
                    eprintln!("the fault layer does not understand {fault:?}");
                    std::process::abort()
                })
            })
            .collect()
    })
}

fn parse(fault: &str) -> Option<Fault> {
    let mut parts = fault.split(':');
    let (function, calls, result) = (parts.next()?, parts.next()?, parts.next()?);
    let calls = match (calls.strip_prefix('*'), calls.split_once('-')) {
        (Some(step), _) => Calls::Every(step.parse().ok()?),
        (None, Some((first, ""))) => Calls::Between(first.parse().ok()?, u64::MAX),
        (None, Some((first, last))) => Calls::Between(first.parse().ok()?, last.parse().ok()?),
        (None, None) => Calls::Between(calls.parse().ok()?, calls.parse().ok()?),
    };
    let result = match result {
        "OUT_OF_HOST_MEMORY" => vk::Result::ERROR_OUT_OF_HOST_MEMORY,
        "OUT_OF_DEVICE_MEMORY" => vk::Result::ERROR_OUT_OF_DEVICE_MEMORY,
        "INITIALIZATION_FAILED" => vk::Result::ERROR_INITIALIZATION_FAILED,
        "DEVICE_LOST" => vk::Result::ERROR_DEVICE_LOST,
        "SURFACE_LOST" => vk::Result::ERROR_SURFACE_LOST_KHR,
        "OUT_OF_DATE" => vk::Result::ERROR_OUT_OF_DATE_KHR,
        "SUBOPTIMAL" => vk::Result::SUBOPTIMAL_KHR,
        "TIMEOUT" => vk::Result::TIMEOUT,
        _ => return None,
    };
    Some(Fault {
        function: function.to_owned(),
        calls,
        result,
    })
}
