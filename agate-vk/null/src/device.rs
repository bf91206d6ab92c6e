//! The device: what it owns, what it has seen, and its table of functions.
//!
//! # Invariants
//!
//! - D1: a `VkDevice` is the address of an `Inner`, and a `VkQueue` that of one of its `queues`; both live as long as the
//!   [`NullDevice`].

#![allow(unsafe_code, reason = "handles are addresses")]

use crate::check::{Rule, User, Violation};
use crate::commands::{self, Form};
use crate::fault::{Hold, Plan};
use crate::object::{Buffer, Call, List, Object, Pool, Semaphore};
use crate::options::{Cost, NullOptions};
use crate::queue::Timeline;
use crate::referred::{self, References};
use crate::swapchain::{Surface, Swapchain};
use crate::{generated, irregular, labels, pool, queue, semaphore, simulate, swapchain};
use ash::vk::{self, Handle};
use std::ffi::{CStr, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

/// Locks a mutex whose data is valid even if a holder panicked.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[derive(Default)]
pub(crate) struct Objects {
    pub(crate) pools: List<Pool>,
    pub(crate) buffers: List<Buffer>,
    pub(crate) semaphores: List<Semaphore>,
    pub(crate) swapchains: List<Swapchain>,
}

/// A queue.
pub(crate) struct Queue {
    pub(crate) device: vk::Device,
    pub(crate) family: u32,
    /// Its place among all queues.
    pub(crate) number: usize,
    pub(crate) user: User,
}

impl Queue {
    /// The queue of a handle.
    ///
    /// # Safety
    ///
    /// A queue of a device that lives (D1).
    pub(crate) unsafe fn of<'a>(queue: vk::Queue) -> &'a Self {
        // SAFETY: D1.
        unsafe { &*std::ptr::with_exposed_provenance::<Self>(queue.as_raw() as usize) }
    }

    pub(crate) fn device(&self) -> &Inner {
        // SAFETY: D1.
        unsafe { Inner::of(self.device) }
    }
}

/// What a device owns.
pub(crate) struct Inner {
    pub(crate) options: NullOptions,
    form: Form,
    /// How many multiplications a simulated command has.
    pub(crate) iterations: u64,
    pub(crate) queues: Box<[Queue]>,
    pub(crate) objects: Mutex<Objects>,
    pub(crate) timeline: Mutex<Timeline>,
    pub(crate) changed: Condvar,
    pub(crate) plan: Plan,
    pub(crate) surface: Mutex<Surface>,
    lost: AtomicBool,
    violations: Mutex<Vec<Violation>>,
    log: Mutex<Vec<&'static str>>,
    pub(crate) labels: Mutex<Vec<String>>,
    pub(crate) references: References,
}

impl Inner {
    /// The device of a handle.
    ///
    /// # Safety
    ///
    /// A device of this crate that lives (D1).
    pub(crate) unsafe fn of<'a>(device: vk::Device) -> &'a Self {
        // SAFETY: D1.
        unsafe { &*std::ptr::with_exposed_provenance::<Self>(device.as_raw() as usize) }
    }

    /// The function of that name, or null.
    pub(crate) fn function(&self, name: &CStr) -> *const c_void {
        let name = name.to_bytes();
        // First, where it is asked for: its commands are kept as text then, with the labels of queues.
        let labels = self.options.labels.then(|| labels::find(name));
        labels
            .flatten()
            .or_else(|| commands::find(name, self.form))
            .or_else(|| generated::find(name, self.form))
            .or_else(|| irregular::find(name, self.form))
            .or_else(|| pool::find(name))
            .or_else(|| semaphore::find(name))
            .or_else(|| queue::find(name))
            .or_else(|| swapchain::find(name))
            .or_else(|| referred::find(name))
            .unwrap_or(std::ptr::null())
    }

    pub(crate) fn queue(&self, family: u32, index: u32) -> vk::Queue {
        let mut of_family = self.queues.iter().filter(|queue| queue.family == family);
        let found = of_family.nth(index as usize);
        let address = found.map_or(0, |queue| std::ptr::from_ref(queue).expose_provenance());
        vk::Queue::from_raw(address as u64)
    }

    pub(crate) fn violation(&self, call: &'static str, rule: Rule) {
        if self.options.checked {
            lock(&self.violations).push(Violation { call, rule });
        }
    }

    /// Notes that a function was called; stays in it while the test holds it.
    pub(crate) fn called(&self, call: &'static str) -> Option<vk::Result> {
        if self.options.checked {
            lock(&self.log).push(call);
        }
        self.plan.met(call)
    }

    /// As `called`, for functions with a result: the one that was planted, or that of a lost device.
    pub(crate) fn planted(&self, call: &'static str) -> Result<(), vk::Result> {
        let planted = self.called(call);
        if planted == Some(vk::Result::ERROR_DEVICE_LOST) {
            self.lost.store(true, Ordering::Release);
            self.changed.notify_all();
        }
        match planted {
            Some(result) => Err(result),
            None if self.is_lost() => Err(vk::Result::ERROR_DEVICE_LOST),
            None => Ok(()),
        }
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Reports the use of an object that is gone.
    pub(crate) fn alive(&self, object: &impl Object, call: &'static str) {
        if object.dead().load(Ordering::Acquire) {
            self.violation(call, Rule::Destroyed);
        }
    }
}

/// How many objects a device has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Live {
    /// Command pools.
    pub pools: usize,
    /// Command buffers.
    pub buffers: usize,
    /// Semaphores of both types.
    pub semaphores: usize,
    /// Swapchains.
    pub swapchains: usize,
}

/// A Vulkan device without a driver. It owns its objects, and must outlive everything that uses its functions.
pub struct NullDevice {
    inner: Arc<Inner>,
}

impl NullDevice {
    /// Makes a device. A simulated one measures the machine first, which takes some milliseconds.
    pub fn new(options: NullOptions) -> Self {
        let simulated = options.cost == Cost::Simulated && !options.observes();
        let form = match simulated {
            _ if options.observes() => Form::Observed,
            true => Form::Simulated,
            false => Form::Empty,
        };
        let inner = Arc::new_cyclic(|weak: &std::sync::Weak<Inner>| Inner {
            options,
            form,
            iterations: if simulated { simulate::calibrate() } else { 0 },
            queues: (0..options.families * options.queues)
                .map(|number| Queue {
                    device: vk::Device::from_raw(weak.as_ptr().expose_provenance() as u64),
                    family: number / options.queues,
                    number: number as usize,
                    user: User::default(),
                })
                .collect(),
            objects: Mutex::default(),
            timeline: Mutex::new(Timeline::new(
                (options.families * options.queues) as usize,
                options.manual,
            )),
            changed: Condvar::new(),
            plan: Plan::default(),
            surface: Mutex::new(Surface {
                extent: vk::Extent2D {
                    width: u32::MAX,
                    height: u32::MAX,
                },
                images: 0,
            }),
            lost: AtomicBool::new(false),
            violations: Mutex::default(),
            log: Mutex::default(),
            labels: Mutex::default(),
            references: References::default(),
        });
        Self { inner }
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }

    pub(crate) fn shared(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// The device's handle.
    pub fn handle(&self) -> vk::Device {
        vk::Device::from_raw(Arc::as_ptr(&self.inner).expose_provenance() as u64)
    }

    /// The first queue of family 0.
    pub fn queue(&self) -> vk::Queue {
        self.inner.queue(0, 0)
    }

    /// A queue of a family; null if there is none.
    pub fn queue_of(&self, family: u32, index: u32) -> vk::Queue {
        self.inner.queue(family, index)
    }

    /// The address of a device function by its core name (`KHR` for those of swapchains); null if it is not known.
    pub fn function(&self, name: &CStr) -> *const c_void {
        self.inner.function(name)
    }

    /// The functions as ash's table. Those that are not known panic when they are called.
    pub fn table(&self) -> ash::Device {
        // SAFETY: the functions are this device's.
        unsafe { ash::Device::load_with(|name| self.function(name), self.handle()) }
    }

    /// The names of all `vkCmd*` that the device has.
    pub fn commands() -> impl Iterator<Item = &'static str> {
        let by_hand = [commands::NAMES, irregular::NAMES];
        let all = by_hand.into_iter().chain(generated::NAMES.iter().copied());
        all.flatten().copied()
    }

    /// The rules that were broken so far; none unless the device is checked.
    pub fn violations(&self) -> Vec<Violation> {
        lock(&self.inner.violations).clone()
    }

    /// The functions that were called so far, in order; none unless the device is checked.
    pub fn log(&self) -> Vec<&'static str> {
        lock(&self.inner.log).clone()
    }

    /// What objects were named (`name …`), and the labels of commands (`commands: …`) and queues (`queue: …`), each label
    /// with its end (`commands: end`), in order.
    pub fn labels(&self) -> Vec<String> {
        lock(&self.inner.labels).clone()
    }

    /// What was recorded into a command buffer since it was begun; empty unless the device captures.
    pub fn captured(&self, buffer: vk::CommandBuffer) -> Vec<Call> {
        let objects = lock(&self.inner.objects);
        if !objects.buffers.handles().any(|known| known == buffer) {
            return Vec::new();
        }
        // SAFETY: it is listed as alive.
        let buffer = unsafe { Buffer::of(buffer) };
        lock(&buffer.recorded).calls.clone()
    }

    /// The command buffers that are alive, in no order.
    pub fn buffers(&self) -> Vec<vk::CommandBuffer> {
        lock(&self.inner.objects).buffers.handles().collect()
    }

    /// How many objects are alive.
    pub fn live(&self) -> Live {
        let objects = lock(&self.inner.objects);
        Live {
            pools: objects.pools.len(),
            buffers: objects.buffers.len(),
            semaphores: objects.semaphores.len(),
            swapchains: objects.swapchains.len(),
        }
    }

    /// The `nth` call of a function from now (1 is the next) does nothing and returns `result`. After
    /// `ERROR_DEVICE_LOST`, so do all that can.
    pub fn fail(&self, function: &'static str, nth: u32, result: vk::Result) {
        self.inner.plan.fail(function, nth.max(1), result);
    }

    /// As [`fail`](Self::fail), for every call from now until [`clear_plan`](Self::clear_plan).
    pub fn fail_always(&self, function: &'static str, result: vk::Result) {
        self.inner.plan.fail(function, 0, result);
    }

    /// The next call of a function stops inside it, until what is returned here is dropped.
    #[must_use]
    pub fn hold(&self, function: &'static str) -> Hold {
        self.inner.plan.hold(function)
    }

    /// How many plants no call has met yet; those for every call stay.
    pub fn planted(&self) -> usize {
        self.inner.plan.len()
    }

    /// Takes back what [`fail`](Self::fail) and [`hold`](Self::hold) planted and no call has met.
    pub fn clear_plan(&self) {
        self.inner.plan.clear();
    }

    /// The pools and the queue belong to nobody, until they are used again.
    pub fn hand_over(&self) {
        for queue in &self.inner.queues {
            queue.user.hand_over();
        }
        let objects = lock(&self.inner.objects);
        for pool in objects.pools.handles() {
            // SAFETY: it is listed as alive.
            let pool = unsafe { Pool::of(pool) };
            pool.user.hand_over();
        }
    }

    /// Lets `submissions` more be executed, where the device was made with [`NullOptions::manual`].
    pub fn release(&self, submissions: usize) {
        self.inner.release(submissions);
    }

    /// How many submissions are pending.
    pub fn pending(&self) -> usize {
        lock(&self.inner.timeline).pending()
    }
}

impl std::fmt::Debug for NullDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NullDevice")
            .field("options", &self.inner.options)
            .finish_non_exhaustive()
    }
}
