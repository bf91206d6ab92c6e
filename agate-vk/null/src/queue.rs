//! Queues: the submissions of each are executed in order, at once or when the test releases them.
//!
//! # Invariants
//!
//! - L1, as in `pool.rs`: the caller passes handles of this crate's live devices; those of a checked device may be dead.
//! - L2: what a pending submission uses lives until it is executed, as Vulkan asks.

#![allow(unsafe_code, reason = "functions with Vulkan's signatures")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the arguments of one call are read together"
)]

use crate::check::Rule;
use crate::device::{Inner, Queue, lock};
use crate::object::{Buffer, Object, Semaphore, Stage};
use crate::pool::code;
use crate::sink::items;
use crate::swapchain::Swapchain;
use ash::vk;
use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long waiting for an idle queue lasts before it is a violation.
const STALLED: Duration = Duration::from_secs(20);

struct Submission {
    waits: Vec<(vk::Semaphore, u64)>,
    signals: Vec<(vk::Semaphore, u64)>,
    buffers: Vec<vk::CommandBuffer>,
    /// It presents to these, and needs no release of its own.
    presents: Vec<vk::SwapchainKHR>,
}

/// What was submitted and is not executed.
pub(crate) struct Timeline {
    /// Per queue.
    pending: Vec<VecDeque<Submission>>,
    /// How many submissions may be executed yet; `None` for all.
    released: Option<usize>,
}

impl Timeline {
    pub(crate) fn new(queues: usize, manual: bool) -> Self {
        Self {
            pending: (0..queues).map(|_| VecDeque::new()).collect(),
            released: manual.then_some(0),
        }
    }

    pub(crate) fn pending(&self) -> usize {
        self.pending.iter().map(VecDeque::len).sum()
    }

    fn pending_of(&self, queue: usize) -> usize {
        self.pending.get(queue).map_or(0, VecDeque::len)
    }

    /// Executes what can be: a queue may wait for another.
    fn advance(&mut self) {
        while (0..self.pending.len()).any(|queue| self.advance_one(queue)) {}
    }

    /// Executes the first submission of a queue; whether there was one that could be.
    fn advance_one(&mut self, queue: usize) -> bool {
        let pending = &mut self.pending[queue];
        let Some(first) = pending.front() else {
            return false;
        };
        let is_free = !first.presents.is_empty();
        if !first.is_ready() || (self.released == Some(0) && !is_free) {
            return false;
        }
        if let Some(submission) = pending.pop_front() {
            submission.execute();
        }
        if let Some(released) = self.released.as_mut().filter(|_| !is_free) {
            *released -= 1;
        }
        true
    }
}

impl Submission {
    fn is_ready(&self) -> bool {
        self.waits.iter().all(|(semaphore, value)| {
            // SAFETY: L2.
            let semaphore = unsafe { Semaphore::of(*semaphore) };
            !semaphore.timeline || semaphore.value.load(Ordering::Acquire) >= *value
        })
    }

    fn execute(self) {
        for swapchain in self.presents {
            // SAFETY: L2.
            let swapchain = unsafe { Swapchain::of(swapchain) };
            swapchain.presents.fetch_sub(1, Ordering::AcqRel);
        }
        for buffer in self.buffers {
            // SAFETY: L2.
            let buffer = unsafe { Buffer::of(buffer) };
            let mut recorded = lock(&buffer.recorded);
            recorded.pending = recorded.pending.saturating_sub(1);
            if recorded.one_time {
                recorded.stage = Stage::Invalid;
            }
            buffer.pool().pending.fetch_sub(1, Ordering::AcqRel);
        }
        for (semaphore, _) in self.waits {
            // SAFETY: L2.
            let semaphore = unsafe { Semaphore::of(semaphore) };
            semaphore.uses.fetch_sub(1, Ordering::AcqRel);
        }
        for (semaphore, value) in self.signals {
            // SAFETY: L2.
            let semaphore = unsafe { Semaphore::of(semaphore) };
            semaphore.uses.fetch_sub(1, Ordering::AcqRel);
            // Last: who has seen the value may destroy the semaphore.
            semaphore.value.fetch_max(value, Ordering::AcqRel);
        }
    }
}

impl Inner {
    /// Lets so many more submissions be executed, and executes what can be.
    pub(crate) fn release(&self, submissions: usize) {
        let mut timeline = lock(&self.timeline);
        if let Some(released) = &mut timeline.released {
            *released += submissions;
        }
        timeline.advance();
        self.changed.notify_all();
    }

    /// Waits until nothing is pending, on one queue or on all.
    fn wait_idle(&self, call: &'static str, queue: Option<&Queue>) -> Result<(), vk::Result> {
        let end = Instant::now() + STALLED;
        let pending = |timeline: &Timeline| {
            queue.map_or_else(
                || timeline.pending(),
                |queue| timeline.pending_of(queue.number),
            )
        };
        let mut timeline = lock(&self.timeline);
        while pending(&timeline) > 0 {
            if self.is_lost() {
                return Err(vk::Result::ERROR_DEVICE_LOST);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.violation(call, Rule::Stalled);
                return Err(vk::Result::ERROR_DEVICE_LOST);
            }
            timeline = self
                .changed
                .wait_timeout(timeline, left)
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .0;
        }
        Ok(())
    }

    /// A present stands behind the submissions that signal what it waits for.
    pub(crate) fn submit_present(
        &self,
        queue: &Queue,
        waits: &[vk::Semaphore],
        presents: &[vk::SwapchainKHR],
    ) {
        for semaphore in waits {
            // SAFETY: L1.
            let semaphore = unsafe { Semaphore::of(*semaphore) };
            semaphore.uses.fetch_add(1, Ordering::AcqRel);
        }
        for swapchain in presents {
            // SAFETY: L1.
            let swapchain = unsafe { Swapchain::of(*swapchain) };
            swapchain.presents.fetch_add(1, Ordering::AcqRel);
        }
        let mut timeline = lock(&self.timeline);
        timeline.pending[queue.number].push_back(Submission {
            waits: waits.iter().map(|semaphore| (*semaphore, 0)).collect(),
            signals: Vec::new(),
            buffers: Vec::new(),
            presents: presents.to_vec(),
        });
        timeline.advance();
        self.changed.notify_all();
    }

    /// A binary semaphore is waited for.
    pub(crate) fn wait_binary(&self, semaphore: &Semaphore, call: &'static str) {
        self.alive(semaphore, call);
        if !semaphore.timeline && !semaphore.signalled.swap(false, Ordering::AcqRel) {
            self.violation(call, Rule::NeverSignalled);
        }
    }

    /// A binary semaphore is signalled.
    pub(crate) fn signal_binary(&self, semaphore: &Semaphore, call: &'static str) {
        self.alive(semaphore, call);
        if !semaphore.timeline && semaphore.signalled.swap(true, Ordering::AcqRel) {
            self.violation(call, Rule::SignalledTwice);
        }
    }
}

unsafe extern "system" fn submit2(
    queue: vk::Queue,
    count: u32,
    submits: *const vk::SubmitInfo2<'_>,
    _: vk::Fence,
) -> vk::Result {
    const CALL: &str = "vkQueueSubmit2";
    // SAFETY: L1.
    let queue = unsafe { Queue::of(queue) };
    let device = queue.device();
    let _inside = queue.user.enter(device, CALL);
    if let Err(result) = device.planted(CALL) {
        return result;
    }
    let mut timeline = lock(&device.timeline);
    // SAFETY: a valid array.
    for info in unsafe { items(submits, count) } {
        // SAFETY: a valid structure with valid arrays.
        let (waits, signals, buffers) = unsafe {
            (
                items(info.p_wait_semaphore_infos, info.wait_semaphore_info_count),
                items(
                    info.p_signal_semaphore_infos,
                    info.signal_semaphore_info_count,
                ),
                items(info.p_command_buffer_infos, info.command_buffer_info_count),
            )
        };
        for wait in waits {
            // SAFETY: L1.
            let semaphore = unsafe { Semaphore::of(wait.semaphore) };
            device.wait_binary(semaphore, CALL);
            semaphore.uses.fetch_add(1, Ordering::AcqRel);
            let promised = semaphore.promised.load(Ordering::Acquire);
            if semaphore.timeline && device.options.no_early_waits && promised < wait.value {
                device.violation(CALL, Rule::WaitsEarly);
            }
        }
        let mut all = Vec::new();
        for info in buffers {
            // SAFETY: L1.
            let buffer = unsafe { Buffer::of(info.command_buffer) };
            all.push(info.command_buffer);
            all.extend(&lock(&buffer.recorded).executes);
        }
        for handle in &all {
            // SAFETY: L1.
            let buffer = unsafe { Buffer::of(*handle) };
            device.alive(buffer, CALL);
            if buffer.pool().family != queue.family {
                device.violation(CALL, Rule::OtherFamily);
            }
            let mut recorded = lock(&buffer.recorded);
            let again = recorded.one_time && recorded.pending > 0;
            if recorded.stage != Stage::Executable || again {
                device.violation(CALL, Rule::NotExecutable);
            }
            recorded.pending += 1;
            buffer.pool().pending.fetch_add(1, Ordering::AcqRel);
        }
        for signal in signals {
            // SAFETY: L1.
            let semaphore = unsafe { Semaphore::of(signal.semaphore) };
            device.signal_binary(semaphore, CALL);
            semaphore.uses.fetch_add(1, Ordering::AcqRel);
            let before = semaphore.promised.fetch_max(signal.value, Ordering::AcqRel);
            if semaphore.timeline && before >= signal.value {
                device.violation(CALL, Rule::TimelineNotGrowing);
            }
        }
        let operation = |info: &vk::SemaphoreSubmitInfo<'_>| (info.semaphore, info.value);
        timeline.pending[queue.number].push_back(Submission {
            waits: waits.iter().map(operation).collect(),
            signals: signals.iter().map(operation).collect(),
            buffers: all,
            presents: Vec::new(),
        });
    }
    timeline.advance();
    device.changed.notify_all();
    vk::Result::SUCCESS
}

unsafe extern "system" fn queue_wait_idle(queue: vk::Queue) -> vk::Result {
    const CALL: &str = "vkQueueWaitIdle";
    // SAFETY: L1.
    let queue = unsafe { Queue::of(queue) };
    let device = queue.device();
    let _inside = queue.user.enter(device, CALL);
    code(
        device
            .planted(CALL)
            .and_then(|()| device.wait_idle(CALL, Some(queue))),
    )
}

unsafe extern "system" fn device_wait_idle(device: vk::Device) -> vk::Result {
    const CALL: &str = "vkDeviceWaitIdle";
    // SAFETY: L1.
    let device = unsafe { Inner::of(device) };
    let _inside: Vec<_> = device
        .queues
        .iter()
        .map(|queue| queue.user.enter(device, CALL))
        .collect();
    code(
        device
            .planted(CALL)
            .and_then(|()| device.wait_idle(CALL, None)),
    )
}

unsafe extern "system" fn get_queue(
    device: vk::Device,
    family: u32,
    index: u32,
    queue: *mut vk::Queue,
) {
    // SAFETY: L1.
    let device = unsafe { Inner::of(device) };
    let found = device.queue(family, index);
    // SAFETY: there is room for the handle.
    unsafe { queue.write(found) };
}

/// The function of that name.
pub(crate) fn find(name: &[u8]) -> Option<*const c_void> {
    Some(match name {
        b"vkQueueSubmit2" => submit2 as vk::PFN_vkQueueSubmit2 as *const c_void,
        b"vkQueueWaitIdle" => queue_wait_idle as vk::PFN_vkQueueWaitIdle as *const c_void,
        b"vkDeviceWaitIdle" => device_wait_idle as vk::PFN_vkDeviceWaitIdle as *const c_void,
        b"vkGetDeviceQueue" => get_queue as vk::PFN_vkGetDeviceQueue as *const c_void,
        _ => return None,
    })
}
