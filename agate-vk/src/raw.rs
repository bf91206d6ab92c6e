//! The host's device: its function table, and every Vulkan call of this crate that is not a `vkCmd*`.
//!
//! # Invariants
//!
//! - R1: the device outlives the service (the contract of [`Service::new`](crate::Service::new)).
//! - R2: each method that takes a pool, a command buffer, a queue or a swapchain is called by the one owner thread of that
//!   object: for a pool that is lent that is the job that has it; methods on semaphores' counters need no synchronization.

#![allow(unsafe_code, reason = "calls Vulkan")]

use crate::commands::layout::{PNextArray, Registered};
use crate::commands::table::Command;
use crate::error::LoadError;
use crate::frame::Inheritance;
use crate::names::{Functions, Text};
use crate::queue::Queue;
use ash::vk;
use std::ffi::{CStr, c_void};
use std::sync::Arc;

/// What a Vulkan call returned, with the name of the call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed {
    pub(crate) call: &'static str,
    pub(crate) result: vk::Result,
}

/// Adds the name of the call to its result.
fn named<T>(call: &'static str, result: Result<T, vk::Result>) -> Result<T, Failed> {
    result.map_err(|result| Failed { call, result })
}

/// The host's device and its function table: what agate-vk calls Vulkan with.
///
/// Nothing is created by making one. The crate looks functions up by their core names, and by their `KHR` names where the
/// core name is missing.
#[derive(Clone)]
pub struct Device {
    table: ash::Device,
    swapchain: ash::khr::swapchain::DeviceFn,
    callbacks: Option<vk::AllocationCallbacks<'static>>,
    /// The function of each command that is encoded, by its place in the table.
    commands: Arc<[vk::PFN_vkVoidFunction]>,
    registered: Vec<Registered>,
    has_rendering: bool,
    has_swapchain: bool,
    has_trim: bool,
    labels: Option<Functions>,
    /// Whether the host lets them be called.
    labelled: bool,
    /// What the names of the service's objects begin with.
    service_name: String,
}

// SAFETY: the raw pointer in the allocation callbacks is the host's `pUserData`; Vulkan requires of the callbacks that they
// may be called from every thread that calls Vulkan. Function tables and handles are plain values.
unsafe impl Send for Device {}
// SAFETY: as above; no method changes the table.
unsafe impl Sync for Device {}

impl Device {
    /// The functions of a device, from ash's own types.
    ///
    /// # Errors
    ///
    /// [`LoadError`] names the first function that is missing.
    ///
    /// # Safety
    ///
    /// `device` is a live device of `instance`.
    pub unsafe fn from_ash(
        instance: &ash::Instance,
        device: &ash::Device,
    ) -> Result<Self, LoadError> {
        let handle = device.handle();
        let get = instance.fp_v1_0().get_device_proc_addr;
        let look_up = |name: &CStr| {
            // SAFETY: the caller's contract: a live device.
            let function = unsafe { get(handle, name.as_ptr()) };
            function.map_or(std::ptr::null(), |function| function as *const c_void)
        };
        // SAFETY: the functions are those of this device.
        unsafe { Self::load(handle, look_up) }
    }

    /// The functions of a device, from the host's own loader: `load` gives the address of a device function by its name,
    /// or null.
    ///
    /// # Errors
    ///
    /// [`LoadError`] names the first function that is missing.
    ///
    /// # Safety
    ///
    /// `device` is a live device, and each address is that of the function of that name for it.
    pub unsafe fn load(
        device: vk::Device,
        mut load: impl FnMut(&CStr) -> *const c_void,
    ) -> Result<Self, LoadError> {
        let mut look_up = by_either_name(&mut load);
        for function in REQUIRED {
            if look_up(function).is_null() {
                return Err(LoadError {
                    function: function.to_str().unwrap_or("a Vulkan function"),
                });
            }
        }
        let has_rendering = !look_up(c"vkCmdBeginRendering").is_null();
        let has_swapchain = !look_up(c"vkCreateSwapchainKHR").is_null();
        let has_trim = !look_up(c"vkTrimCommandPool").is_null();
        drop(look_up);
        let commands = Command::all().iter().map(|command| {
            let names = command.names.iter();
            let found = names.map(|name| load(name)).find(|found| !found.is_null());
            // SAFETY: the caller's contract: the address of a function, or null; both have the layout of the option.
            unsafe {
                std::mem::transmute::<*const c_void, vk::PFN_vkVoidFunction>(
                    found.unwrap_or(std::ptr::null()),
                )
            }
        });
        let commands = commands.collect();
        let mut by_either_name = by_either_name(&mut load);
        let swapchain = ash::khr::swapchain::DeviceFn::load(&mut by_either_name);
        let labels = (!by_either_name(c"vkSetDebugUtilsObjectNameEXT").is_null())
            .then(|| Functions::load(&mut by_either_name));
        // SAFETY: the caller's contract.
        let table = unsafe { ash::Device::load_with(&mut by_either_name, device) };
        Ok(Self {
            table,
            swapchain,
            callbacks: None,
            commands,
            registered: Vec::new(),
            has_rendering,
            has_swapchain,
            has_trim,
            labels,
            labelled: false,
            service_name: String::new(),
        })
    }

    /// Uses the host's allocation callbacks in every call that takes them.
    ///
    /// # Safety
    ///
    /// The callbacks and their user data stay valid as long as the service lives, and may be called from any thread.
    #[must_use]
    pub unsafe fn with_allocation_callbacks(
        mut self,
        callbacks: vk::AllocationCallbacks<'static>,
    ) -> Self {
        self.callbacks = Some(callbacks);
        self
    }

    /// Names the service's objects, frames and submissions by `VK_EXT_debug_utils`, for captures and messages.
    ///
    /// Whether it is enabled, only the host can tell: a layer that somebody else has loaded answers for its functions even
    /// where it is not.
    ///
    /// # Safety
    ///
    /// `VK_EXT_debug_utils` is enabled at the device's instance.
    #[must_use]
    pub unsafe fn with_debug_utils(mut self) -> Self {
        self.labelled = true;
        self
    }

    /// Lets a structure that this crate does not know stand in `pNext` chains: an extension's that is newer than ash, say.
    /// It is copied with the command, `size` bytes and the arrays that it points to. A chain with a structure that nobody
    /// knows is refused with [`RecordError::UnsupportedPNext`](crate::RecordError::UnsupportedPNext).
    ///
    /// ```no_run
    /// use agate_vk::{Device, PNextArray, vk};
    /// use std::mem::{offset_of, size_of};
    ///
    /// #[repr(C)]
    /// struct Stripes<'a> {
    ///     s_type: vk::StructureType,
    ///     p_next: *const std::ffi::c_void,
    ///     count: u32,
    ///     stripes: *const vk::Rect2D,
    ///     borrowed: std::marker::PhantomData<&'a vk::Rect2D>,
    /// }
    ///
    /// # fn host() -> Device { unimplemented!() }
    /// let stripes = PNextArray {
    ///     pointer_offset: offset_of!(Stripes<'_>, stripes),
    ///     count_offset: offset_of!(Stripes<'_>, count),
    ///     item_size: size_of::<vk::Rect2D>(),
    /// };
    /// let s_type = vk::StructureType::from_raw(1_000_999_000);
    /// let device = unsafe { host().register_pnext(s_type, size_of::<Stripes<'_>>(), &[stripes]) };
    /// ```
    ///
    /// # Safety
    ///
    /// Structures of that type are `size` bytes, begin with `sType` and `pNext`, and have no pointers but `pNext` and
    /// those that `arrays` tells of, at the offsets that it tells.
    #[must_use]
    pub unsafe fn register_pnext(
        mut self,
        s_type: vk::StructureType,
        size: usize,
        arrays: &[PNextArray],
    ) -> Self {
        let size = size.max(size_of::<vk::BaseInStructure<'_>>());
        self.registered.push(Registered {
            s_type,
            size,
            arrays: arrays.into(),
        });
        self
    }

    /// Whether the device has the command of that index.
    pub(crate) fn has(&self, index: u16) -> bool {
        self.commands[usize::from(index)].is_some()
    }

    /// The function of the command of that index.
    ///
    /// # Safety
    ///
    /// `F` is the type of its function, and the device [has](Self::has) it.
    #[inline(always)]
    pub(crate) unsafe fn function<F: Copy>(&self, index: u16) -> F {
        const { assert!(size_of::<F>() == size_of::<vk::PFN_vkVoidFunction>()) }
        // SAFETY: the caller's contract: a function of that type, and no null.
        unsafe { std::mem::transmute_copy(&self.commands[usize::from(index)]) }
    }

    pub(crate) fn registered(&self) -> &[Registered] {
        &self.registered
    }

    /// The device's handle.
    pub fn handle(&self) -> vk::Device {
        self.table.handle()
    }

    /// Whether `vkCmdBeginRendering` is there.
    pub fn has_dynamic_rendering(&self) -> bool {
        self.has_rendering
    }

    /// Whether the swapchain functions are there.
    pub fn has_swapchain(&self) -> bool {
        self.has_swapchain
    }

    /// The functions that name objects and label commands, where they are there and may be called.
    pub(crate) fn labels(&self) -> Option<&Functions> {
        self.labels.as_ref().filter(|_| self.labelled)
    }

    pub(crate) fn service_name(&self) -> &str {
        &self.service_name
    }

    pub(crate) fn set_service_name(&mut self, name: &str) {
        name.clone_into(&mut self.service_name);
    }

    /// The table that replay calls `vkCmd*` through.
    #[inline(always)]
    pub(crate) fn table(&self) -> &ash::Device {
        &self.table
    }

    fn callbacks(&self) -> Option<&vk::AllocationCallbacks<'_>> {
        self.callbacks.as_ref()
    }

    fn raw_callbacks(&self) -> *const vk::AllocationCallbacks<'_> {
        self.callbacks()
            .map_or(std::ptr::null(), std::ptr::from_ref)
    }
}

/// Looks a function up by its core name, and by that of its `KHR` extension.
fn by_either_name(
    load: &mut impl FnMut(&CStr) -> *const c_void,
) -> impl FnMut(&CStr) -> *const c_void {
    |name| {
        let core = load(name);
        if !core.is_null() {
            return core;
        }
        let mut khr = name.to_bytes().to_vec();
        khr.extend_from_slice(b"KHR\0");
        CStr::from_bytes_with_nul(&khr).map_or(std::ptr::null(), &mut *load)
    }
}

/// What no service can do without.
const REQUIRED: [&CStr; 8] = [
    c"vkCreateCommandPool",
    c"vkResetCommandPool",
    c"vkAllocateCommandBuffers",
    c"vkBeginCommandBuffer",
    c"vkQueueSubmit2",
    c"vkCmdPipelineBarrier2",
    c"vkWaitSemaphores",
    c"vkGetSemaphoreCounterValue",
];

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device")
            .field("handle", &self.handle())
            .finish_non_exhaustive()
    }
}

/// Command pools and command buffers: called by the pool's owner alone (R2).
impl Device {
    pub(crate) fn create_pool(&self, family: u32) -> Result<vk::CommandPool, Failed> {
        let info = vk::CommandPoolCreateInfo::default()
            .flags(vk::CommandPoolCreateFlags::TRANSIENT)
            .queue_family_index(family);
        // SAFETY: R1; the host named a queue family of this device.
        let pool = named("vkCreateCommandPool", unsafe {
            self.table.create_command_pool(&info, self.callbacks())
        })?;
        self.name(pool, "command pool");
        Ok(pool)
    }

    pub(crate) fn allocate_buffer(
        &self,
        pool: vk::CommandPool,
        level: vk::CommandBufferLevel,
    ) -> Result<vk::CommandBuffer, Failed> {
        let info = vk::CommandBufferAllocateInfo::default()
            .command_pool(pool)
            .level(level)
            .command_buffer_count(1);
        let mut buffer = vk::CommandBuffer::null();
        let allocate = self.table.fp_v1_0().allocate_command_buffers;
        // SAFETY: R1, R2; one buffer is asked for, and there is room for one.
        let result = unsafe { allocate(self.handle(), &info, &mut buffer) };
        let buffer = named(
            "vkAllocateCommandBuffers",
            result.result_with_success(buffer),
        )?;
        let primary = level == vk::CommandBufferLevel::PRIMARY;
        self.name(buffer, if primary { "primary" } else { "secondary" });
        Ok(buffer)
    }

    pub(crate) fn reset_pool(&self, pool: vk::CommandPool) -> Result<(), Failed> {
        let flags = vk::CommandPoolResetFlags::empty();
        // SAFETY: R1, R2; the owner resets a pool only when all its buffers have retired.
        named("vkResetCommandPool", unsafe {
            self.table.reset_command_pool(pool, flags)
        })
    }

    /// Gives memory of the pool back that nothing in it uses, where the device can.
    pub(crate) fn trim_pool(&self, pool: vk::CommandPool) {
        if self.has_trim {
            let flags = vk::CommandPoolTrimFlags::empty();
            // SAFETY: R1, R2.
            unsafe { self.table.trim_command_pool(pool, flags) }
        }
    }

    pub(crate) fn destroy_pool(&self, pool: vk::CommandPool) {
        // SAFETY: R1, R2; the owner destroys a pool only when all its buffers have retired.
        unsafe { self.table.destroy_command_pool(pool, self.callbacks()) }
    }

    pub(crate) fn begin(&self, buffer: vk::CommandBuffer) -> Result<(), Failed> {
        let info = vk::CommandBufferBeginInfo::default()
            .flags(vk::CommandBufferUsageFlags::ONE_TIME_SUBMIT);
        // SAFETY: R1, R2; the buffer is in the initial state.
        named("vkBeginCommandBuffer", unsafe {
            self.table.begin_command_buffer(buffer, &info)
        })
    }

    /// Begins a secondary command buffer that is executed in the place that `inherited` tells of.
    pub(crate) fn begin_secondary(
        &self,
        buffer: vk::CommandBuffer,
        inherited: &Inheritance,
    ) -> Result<(), Failed> {
        let mut rendering = vk::CommandBufferInheritanceRenderingInfo::default();
        let mut inheritance = vk::CommandBufferInheritanceInfo::default();
        let mut flags = vk::CommandBufferUsageFlags::RENDER_PASS_CONTINUE;
        match inherited {
            Inheritance::Outside => flags = vk::CommandBufferUsageFlags::empty(),
            Inheritance::Rendering {
                flags: of_rendering,
                view_mask,
                colors,
                color_count,
                depth,
                stencil,
                samples,
            } => {
                rendering = rendering
                    .flags(*of_rendering)
                    .view_mask(*view_mask)
                    .color_attachment_formats(&colors[..*color_count as usize])
                    .depth_attachment_format(*depth)
                    .stencil_attachment_format(*stencil)
                    .rasterization_samples(*samples);
                inheritance.p_next = std::ptr::from_ref(&rendering).cast();
            }
            Inheritance::RenderPass {
                render_pass,
                framebuffer,
            } => {
                inheritance.render_pass = *render_pass;
                inheritance.framebuffer = *framebuffer;
            }
        }
        let info = vk::CommandBufferBeginInfo::default()
            .flags(flags | vk::CommandBufferUsageFlags::ONE_TIME_SUBMIT)
            .inheritance_info(&inheritance);
        // SAFETY: R1, R2; the buffer is in the initial state, and the host vouches for what is inherited.
        named("vkBeginCommandBuffer", unsafe {
            self.table.begin_command_buffer(buffer, &info)
        })
    }

    pub(crate) fn end(&self, buffer: vk::CommandBuffer) -> Result<(), Failed> {
        // SAFETY: R1, R2; the buffer is in the recording state.
        named("vkEndCommandBuffer", unsafe {
            self.table.end_command_buffer(buffer)
        })
    }
}

/// The queue: called by its owner alone (R2).
impl Device {
    /// # Safety
    ///
    /// The valid usage of `vkQueueSubmit2`, on the queue's owner.
    pub(crate) unsafe fn submit(
        &self,
        queue: Queue,
        submits: &[vk::SubmitInfo2<'_>],
        fence: vk::Fence,
        label: &Text,
    ) -> Result<(), Failed> {
        let submit = |queue| {
            // SAFETY: the caller's contract.
            unsafe { self.table.queue_submit2(queue, submits, fence) }
        };
        named("vkQueueSubmit2", self.labelled(queue, label, submit))
    }

    pub(crate) fn queue_wait_idle(&self, queue: Queue) -> Result<(), Failed> {
        // SAFETY: R1, R2.
        let result = queue.with(|queue| unsafe { self.table.queue_wait_idle(queue) });
        named("vkQueueWaitIdle", result)
    }
}

/// Semaphores.
impl Device {
    pub(crate) fn create_timeline(&self) -> Result<vk::Semaphore, Failed> {
        let kind =
            vk::SemaphoreTypeCreateInfo::default().semaphore_type(vk::SemaphoreType::TIMELINE);
        // Not by `push_next`, whose pointer does not outlast the function by Rust's rules of aliasing.
        let info = vk::SemaphoreCreateInfo {
            p_next: std::ptr::from_ref(&kind).cast(),
            ..Default::default()
        };
        let timeline = self.create_semaphore(&info)?;
        self.name(timeline, "timeline");
        Ok(timeline)
    }

    pub(crate) fn create_binary(&self) -> Result<vk::Semaphore, Failed> {
        let semaphore = self.create_semaphore(&vk::SemaphoreCreateInfo::default())?;
        self.name(semaphore, "image semaphore");
        Ok(semaphore)
    }

    fn create_semaphore(
        &self,
        info: &vk::SemaphoreCreateInfo<'_>,
    ) -> Result<vk::Semaphore, Failed> {
        // SAFETY: R1.
        named("vkCreateSemaphore", unsafe {
            self.table.create_semaphore(info, self.callbacks())
        })
    }

    /// The caller is the semaphore's last user, and no submission that uses it is pending.
    pub(crate) fn destroy_semaphore(&self, semaphore: vk::Semaphore) {
        // SAFETY: R1 and the line above.
        unsafe { self.table.destroy_semaphore(semaphore, self.callbacks()) }
    }

    /// Waits until the timeline has reached `value`; `Ok(false)` after `nanoseconds`.
    pub(crate) fn wait_timeline(
        &self,
        timeline: vk::Semaphore,
        value: u64,
        nanoseconds: u64,
    ) -> Result<bool, Failed> {
        let (semaphores, values) = ([timeline], [value]);
        let info = vk::SemaphoreWaitInfo::default()
            .semaphores(&semaphores)
            .values(&values);
        // SAFETY: R1.
        match unsafe { self.table.wait_semaphores(&info, nanoseconds) } {
            Ok(()) => Ok(true),
            Err(vk::Result::TIMEOUT) => Ok(false),
            Err(result) => Err(Failed {
                call: "vkWaitSemaphores",
                result,
            }),
        }
    }

    pub(crate) fn timeline_value(&self, timeline: vk::Semaphore) -> Result<u64, Failed> {
        // SAFETY: R1.
        named("vkGetSemaphoreCounterValue", unsafe {
            self.table.get_semaphore_counter_value(timeline)
        })
    }
}

/// Swapchains: called by the owner of the queue that presents them (R2).
impl Device {
    /// # Safety
    ///
    /// The valid usage of `vkCreateSwapchainKHR`.
    pub(crate) unsafe fn create_swapchain(
        &self,
        info: &vk::SwapchainCreateInfoKHR<'_>,
    ) -> Result<vk::SwapchainKHR, Failed> {
        let mut swapchain = vk::SwapchainKHR::null();
        // SAFETY: the caller's contract; `has_swapchain` was checked when the swapchain was asked for.
        let result = unsafe {
            (self.swapchain.create_swapchain_khr)(
                self.handle(),
                info,
                self.raw_callbacks(),
                &mut swapchain,
            )
        };
        let swapchain = named(
            "vkCreateSwapchainKHR",
            result.result_with_success(swapchain),
        )?;
        self.name(swapchain, "swapchain");
        Ok(swapchain)
    }

    /// No image of it is in use and none is acquired by work that is pending.
    pub(crate) fn destroy_swapchain(&self, swapchain: vk::SwapchainKHR) {
        // SAFETY: R1, R2 and the line above.
        unsafe {
            (self.swapchain.destroy_swapchain_khr)(self.handle(), swapchain, self.raw_callbacks());
        }
    }

    pub(crate) fn swapchain_images(
        &self,
        swapchain: vk::SwapchainKHR,
    ) -> Result<Vec<vk::Image>, Failed> {
        let get = self.swapchain.get_swapchain_images_khr;
        let mut count = 0;
        // SAFETY: R1, R2; a null pointer asks for the count.
        let result = unsafe { get(self.handle(), swapchain, &mut count, std::ptr::null_mut()) };
        named("vkGetSwapchainImagesKHR", result.result())?;
        let mut images = vec![vk::Image::null(); count as usize];
        // SAFETY: R1, R2; there is room for `count` images.
        let result = unsafe { get(self.handle(), swapchain, &mut count, images.as_mut_ptr()) };
        named("vkGetSwapchainImagesKHR", result.result())?;
        images.truncate(count as usize);
        Ok(images)
    }

    /// The index of an image, and whether the swapchain is suboptimal.
    pub(crate) fn acquire(
        &self,
        swapchain: vk::SwapchainKHR,
        nanoseconds: u64,
        semaphore: vk::Semaphore,
    ) -> Result<(u32, bool), vk::Result> {
        let mut index = 0;
        let acquire = self.swapchain.acquire_next_image_khr;
        // SAFETY: R1, R2; the semaphore is unsignalled and has no pending operation.
        let result = unsafe {
            acquire(
                self.handle(),
                swapchain,
                nanoseconds,
                semaphore,
                vk::Fence::null(),
                &mut index,
            )
        };
        match result {
            vk::Result::SUCCESS => Ok((index, false)),
            vk::Result::SUBOPTIMAL_KHR => Ok((index, true)),
            failed => Err(failed),
        }
    }

    /// Presents images of different swapchains, each in its place; says of each whether its swapchain should be made anew,
    /// or why presenting failed.
    pub(crate) fn present<const N: usize>(
        &self,
        queue: Queue,
        images: &[(vk::SwapchainKHR, u32, vk::Semaphore)],
    ) -> [Result<bool, vk::Result>; N] {
        // What no driver says: it has not told of this image.
        const UNTOLD: vk::Result = vk::Result::from_raw(i32::MAX);
        let mut swapchains = [vk::SwapchainKHR::null(); N];
        let mut indices = [0; N];
        let mut waits = [vk::Semaphore::null(); N];
        let mut results = [UNTOLD; N];
        for (i, (swapchain, index, wait)) in images.iter().take(N).enumerate() {
            (swapchains[i], indices[i], waits[i]) = (*swapchain, *index, *wait);
        }
        let count = images.len().min(N);
        let info = vk::PresentInfoKHR::default()
            .wait_semaphores(&waits[..count])
            .swapchains(&swapchains[..count])
            .image_indices(&indices[..count])
            .results(&mut results[..count]);
        // SAFETY: R1, R2; the images were acquired, and the semaphores are signalled by the submission before.
        let all = queue.with(|queue| unsafe { (self.swapchain.queue_present_khr)(queue, &info) });
        // A layer may have its own opinion of the whole and leave each image as the driver said.
        let told = all == vk::Result::SUCCESS || results[..count].contains(&all);
        let of = |result| {
            if result == UNTOLD || !told {
                all
            } else {
                result
            }
        };
        results.map(|result| match of(result) {
            vk::Result::SUCCESS => Ok(false),
            vk::Result::SUBOPTIMAL_KHR | vk::Result::ERROR_OUT_OF_DATE_KHR => Ok(true),
            failed => Err(failed),
        })
    }
}
