//! A headless Vulkan device with the validation layer listening, for the tests of this crate.
//!
//! ```text
//! let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else { return };
//! let pixels = vulkan.host_buffer(64 * 64 * 4, vk::BufferUsageFlags::TRANSFER_DST);
//! vulkan.record_and_wait(|device, commands| { … });
//! drop(pixels);
//! assert_eq!(vulkan.close(), []);     // everything the layer said, leaks included
//! ```
//!
//! A machine without a loader, a driver or the layer cannot run such a test: [`Vulkan::or_skip`] then prints
//! `SKIPPED: reason` and gives `None`, or panics where the environment variable `CI` is set.
//!
//! # Invariants
//!
//! - I1: `device` was made from `physical_device`, which was made from `instance`, which was made from `entry`; the
//!   four live until [`Vulkan`] drops, which destroys them in the opposite order.
//! - I2: what is created with `device` here (buffers, images, pools) borrows the [`Vulkan`] or dies in the call that
//!   made it, so it is destroyed before the device.
//! - I3: the messenger points to a [`Log`] that the [`Vulkan`] holds until the instance is destroyed.
#![allow(unsafe_code, reason = "every Vulkan call is unsafe")]
#![allow(dead_code, reason = "each test file uses the part that it needs")]

mod memory;
mod messages;

use std::ffi::CStr;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ash::vk;

#[allow(unused_imports, reason = "each test file uses the part that it needs")]
pub(crate) use memory::{ColorImage, HostBuffer};
pub(crate) use messages::Message;
use messages::{Log, Validation};

/// Longest wait for the device in a test: far beyond any real one, so that a hang ends as a failure.
pub(crate) const GPU_TIMEOUT_NS: u64 = 60_000_000_000;

/// What a test cannot do without.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Needs {
    /// The Khronos validation layer; it listens wherever it is installed, needed or not.
    pub(crate) validation: bool,
    /// Extensions of the instance, beside those that the layer needs.
    pub(crate) instance_extensions: &'static [&'static CStr],
    /// Extensions of the device.
    pub(crate) device_extensions: &'static [&'static CStr],
}

impl Needs {
    /// A device with the validation layer, no extensions.
    pub(crate) fn validation() -> Self {
        Self {
            validation: true,
            ..Self::default()
        }
    }
}

/// Why this machine cannot run the test.
#[derive(Debug)]
pub(crate) enum Missing {
    /// `libvulkan.so.1` could not be loaded.
    Loader(String),
    /// The loader found no driver that makes an instance.
    Driver(vk::Result),
    /// `VK_LAYER_KHRONOS_validation` is not installed.
    ValidationLayer,
    /// The instance lacks an extension.
    InstanceExtension(&'static CStr),
    /// No device has Vulkan 1.3, a graphics queue, timeline semaphores, synchronization2, dynamic rendering, and the
    /// device extensions asked for.
    Device,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loader(why) => write!(f, "no Vulkan loader ({why}); Debian: libvulkan1"),
            Self::Driver(why) => write!(f, "no Vulkan driver ({why}); Debian: mesa-vulkan-drivers"),
            Self::ValidationLayer => {
                write!(
                    f,
                    "no VK_LAYER_KHRONOS_validation; Debian: vulkan-validationlayers"
                )
            }
            Self::InstanceExtension(name) => {
                write!(f, "no instance extension {}", name.to_string_lossy())
            }
            Self::Device => write!(
                f,
                "no device with Vulkan 1.3, a graphics queue, timelineSemaphore, synchronization2, dynamicRendering \
                 and the extensions of this test"
            ),
        }
    }
}

/// An instance, a device and its graphics queue, with the validation layer listening where it is installed.
///
/// Prefers a CPU device, so that what a test says does not depend on the graphics card of the machine.
/// The queue is for the test to use, or to hand to the service under test: then [`record_and_wait`](Self::record_and_wait)
/// must be left alone, because a queue has one user at a time.
pub(crate) struct Vulkan {
    pub(crate) entry: ash::Entry,
    pub(crate) instance: ash::Instance,
    pub(crate) physical_device: vk::PhysicalDevice,
    pub(crate) device: ash::Device,
    pub(crate) queue: vk::Queue,
    pub(crate) queue_family: u32,
    /// The name of the device, as the driver gives it.
    pub(crate) device_name: String,
    /// Whether the validation layer listens.
    pub(crate) validated: bool,
    memory: vk::PhysicalDeviceMemoryProperties,
    messenger: Option<(ash::ext::debug_utils::Instance, vk::DebugUtilsMessengerEXT)>,
    log: Arc<Log>,
    submitting: Mutex<()>,
}

impl Vulkan {
    /// Opens a device, or prints `SKIPPED: reason` and gives `None`.
    ///
    /// # Panics
    ///
    /// Instead of skipping, where the environment variable `CI` is set.
    pub(crate) fn or_skip(needs: &Needs) -> Option<Self> {
        match Self::open(needs) {
            Ok(vulkan) => Some(vulkan),
            Err(missing) => {
                skip(&missing);
                None
            }
        }
    }

    /// Opens a device, or says what the machine lacks.
    ///
    /// # Errors
    ///
    /// [`Missing`] names it, with the Debian package that brings it.
    ///
    /// # Panics
    ///
    /// When a call fails that a working driver answers.
    pub(crate) fn open(needs: &Needs) -> Result<Self, Missing> {
        // SAFETY: loading the system's Vulkan loader runs its initialisers, which are sound.
        let entry = unsafe { ash::Entry::load() }.map_err(|e| Missing::Loader(e.to_string()))?;
        let validation = Validation::find(&entry);
        if needs.validation && validation.is_none() {
            return Err(Missing::ValidationLayer);
        }
        let log = Arc::new(Log::default());
        let instance = create_instance(&entry, needs, validation.as_ref(), &log)?;
        let Some(choice) = choose_device(&instance, needs.device_extensions) else {
            // SAFETY: nothing was made from this instance.
            unsafe { instance.destroy_instance(None) };
            return Err(Missing::Device);
        };
        let messenger = validation
            .as_ref()
            .map(|_| messages::listen(&entry, &instance, &log));
        let device = create_device(&instance, &choice, needs.device_extensions);
        // SAFETY: the device was created with one queue of this family.
        let queue = unsafe { device.get_device_queue(choice.queue_family, 0) };
        // SAFETY: the physical device came from this instance.
        let memory =
            unsafe { instance.get_physical_device_memory_properties(choice.physical_device) };
        Ok(Self {
            entry,
            instance,
            physical_device: choice.physical_device,
            device,
            queue,
            queue_family: choice.queue_family,
            device_name: choice.name,
            validated: messenger.is_some(),
            memory,
            messenger,
            log,
            submitting: Mutex::new(()),
        })
    }

    /// Warnings and errors that the layer has given so far, oldest first.
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.log.messages()
    }

    /// Destroys everything, and gives all that the layer said, up to the destruction of the instance.
    pub(crate) fn close(self) -> Vec<Message> {
        let log = Arc::clone(&self.log);
        drop(self);
        log.messages()
    }

    /// A command pool of the queue's family; the test destroys it.
    ///
    /// # Panics
    ///
    /// When the driver is out of memory.
    pub(crate) fn command_pool(&self, flags: vk::CommandPoolCreateFlags) -> vk::CommandPool {
        let info = vk::CommandPoolCreateInfo::default()
            .queue_family_index(self.queue_family)
            .flags(flags);
        // SAFETY: the device lives (I1) and has this queue family.
        unsafe { self.device.create_command_pool(&info, None) }.expect("vkCreateCommandPool")
    }

    /// Allocates one primary command buffer; the caller uses the pool from no other thread meanwhile.
    ///
    /// # Panics
    ///
    /// When the driver is out of memory.
    pub(crate) fn command_buffer(&self, pool: vk::CommandPool) -> vk::CommandBuffer {
        let info = vk::CommandBufferAllocateInfo::default()
            .command_pool(pool)
            .level(vk::CommandBufferLevel::PRIMARY)
            .command_buffer_count(1);
        // SAFETY: the pool lives and the caller alone uses it.
        unsafe { self.device.allocate_command_buffers(&info) }.expect("vkAllocateCommandBuffers")[0]
    }

    /// Records one command buffer, submits it to the queue and waits until the device has executed it.
    ///
    /// # Panics
    ///
    /// When a call fails, or after [`GPU_TIMEOUT_NS`].
    pub(crate) fn record_and_wait(&self, record: impl FnOnce(&ash::Device, vk::CommandBuffer)) {
        let pool = self.command_pool(vk::CommandPoolCreateFlags::TRANSIENT);
        let commands = self.command_buffer(pool);
        let begin = vk::CommandBufferBeginInfo::default()
            .flags(vk::CommandBufferUsageFlags::ONE_TIME_SUBMIT);
        // SAFETY: the buffer is in the initial state, and only this thread knows its pool.
        unsafe { self.device.begin_command_buffer(commands, &begin) }
            .expect("vkBeginCommandBuffer");
        record(&self.device, commands);
        // SAFETY: the buffer is recording, and only this thread knows its pool.
        unsafe { self.device.end_command_buffer(commands) }.expect("vkEndCommandBuffer");
        self.submit_and_wait(commands);
        // SAFETY: the only submission of the pool's buffers has finished.
        unsafe { self.device.destroy_command_pool(pool, None) };
    }

    fn submit_and_wait(&self, commands: vk::CommandBuffer) {
        // SAFETY: the device lives (I1).
        let fence = unsafe {
            self.device
                .create_fence(&vk::FenceCreateInfo::default(), None)
        }
        .expect("vkCreateFence");
        let buffers = [commands];
        let submit = vk::SubmitInfo::default().command_buffers(&buffers);
        {
            let _queue = self
                .submitting
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            // SAFETY: the buffer is executable, the fence is new, and the lock keeps other submissions of the test away.
            unsafe { self.device.queue_submit(self.queue, &[submit], fence) }
                .expect("vkQueueSubmit");
        }
        // SAFETY: the fence belongs to the submission above.
        unsafe { self.device.wait_for_fences(&[fence], true, GPU_TIMEOUT_NS) }
            .expect("vkWaitForFences");
        // SAFETY: the submission that signals the fence has finished.
        unsafe { self.device.destroy_fence(fence, None) };
    }
}

impl Drop for Vulkan {
    fn drop(&mut self) {
        // SAFETY: the device lives (I1); no other thread submits any more, because `self` is exclusive.
        let _idle = unsafe { self.device.device_wait_idle() };
        // SAFETY: what this file made from the device is destroyed (I2); the rest is the test's duty, and the layer says so.
        unsafe { self.device.destroy_device(None) };
        if let Some((loader, messenger)) = self.messenger.take() {
            // SAFETY: the messenger was made from this instance, which still lives.
            unsafe { loader.destroy_debug_utils_messenger(messenger, None) };
        }
        // SAFETY: device and messenger, its only children, are destroyed.
        unsafe { self.instance.destroy_instance(None) };
    }
}

/// Says on a line of its own why a test did not run.
///
/// # Panics
///
/// Where the environment variable `CI` is set: there a test that did not run has failed.
pub(crate) fn skip(reason: &impl fmt::Display) {
    println!("SKIPPED: {reason}");
    assert!(std::env::var_os("CI").is_none(), "skipped in CI: {reason}");
}

fn create_instance(
    entry: &ash::Entry,
    needs: &Needs,
    validation: Option<&Validation>,
    log: &Log,
) -> Result<ash::Instance, Missing> {
    let mut extensions: Vec<&CStr> = needs.instance_extensions.to_vec();
    extensions.extend(validation.map(Validation::extensions).unwrap_or_default());
    for wanted in needs.instance_extensions {
        if !messages::instance_extensions(entry, None)
            .iter()
            .any(|name| name.as_c_str() == *wanted)
        {
            return Err(Missing::InstanceExtension(wanted));
        }
    }
    let extensions: Vec<_> = extensions.iter().map(|name| name.as_ptr()).collect();
    let layers: Vec<_> = validation
        .iter()
        .map(|_| messages::LAYER.as_ptr())
        .collect();
    let application = vk::ApplicationInfo::default()
        .application_name(c"agate-vk tests")
        .api_version(vk::API_VERSION_1_3);
    let info = vk::InstanceCreateInfo::default()
        .application_info(&application)
        .enabled_layer_names(&layers)
        .enabled_extension_names(&extensions);
    messages::create_validated_instance(entry, info, validation, log).map_err(Missing::Driver)
}

struct Choice {
    physical_device: vk::PhysicalDevice,
    queue_family: u32,
    name: String,
}

/// The first CPU device that can do what the tests need, else the first device that can.
fn choose_device(instance: &ash::Instance, extensions: &[&CStr]) -> Option<Choice> {
    // SAFETY: the instance lives.
    let devices = unsafe { instance.enumerate_physical_devices() }.unwrap_or_default();
    let mut usable: Vec<_> = devices
        .into_iter()
        .filter(|device| {
            has_features(instance, *device) && has_extensions(instance, *device, extensions)
        })
        .filter_map(|physical_device| {
            let queue_family = graphics_family(instance, physical_device)?;
            // SAFETY: the physical device came from this instance.
            let properties = unsafe { instance.get_physical_device_properties(physical_device) };
            let name = properties
                .device_name_as_c_str()
                .unwrap_or(c"?")
                .to_string_lossy()
                .into_owned();
            Some((
                properties.device_type != vk::PhysicalDeviceType::CPU,
                Choice {
                    physical_device,
                    queue_family,
                    name,
                },
            ))
        })
        .collect();
    usable.sort_by_key(|(is_hardware, _)| *is_hardware);
    usable.into_iter().map(|(_, choice)| choice).next()
}

fn has_features(instance: &ash::Instance, device: vk::PhysicalDevice) -> bool {
    // SAFETY: the physical device came from this instance.
    let properties = unsafe { instance.get_physical_device_properties(device) };
    if properties.api_version < vk::API_VERSION_1_3 {
        return false;
    }
    let mut v12 = vk::PhysicalDeviceVulkan12Features::default();
    let mut v13 = vk::PhysicalDeviceVulkan13Features::default();
    let mut features = vk::PhysicalDeviceFeatures2::default()
        .push_next(&mut v12)
        .push_next(&mut v13);
    // SAFETY: as above; a device of version 1.3 knows both structs.
    unsafe { instance.get_physical_device_features2(device, &mut features) };
    v12.timeline_semaphore == vk::TRUE
        && v13.synchronization2 == vk::TRUE
        && v13.dynamic_rendering == vk::TRUE
}

fn has_extensions(instance: &ash::Instance, device: vk::PhysicalDevice, wanted: &[&CStr]) -> bool {
    // SAFETY: the physical device came from this instance.
    let found =
        unsafe { instance.enumerate_device_extension_properties(device) }.unwrap_or_default();
    wanted.iter().all(|name| {
        found
            .iter()
            .any(|extension| extension.extension_name_as_c_str() == Ok(name))
    })
}

fn graphics_family(instance: &ash::Instance, device: vk::PhysicalDevice) -> Option<u32> {
    // SAFETY: the physical device came from this instance.
    let families = unsafe { instance.get_physical_device_queue_family_properties(device) };
    let index = families
        .iter()
        .position(|family| family.queue_flags.contains(vk::QueueFlags::GRAPHICS))?;
    u32::try_from(index).ok()
}

fn create_device(instance: &ash::Instance, choice: &Choice, extensions: &[&CStr]) -> ash::Device {
    let queues = [vk::DeviceQueueCreateInfo::default()
        .queue_family_index(choice.queue_family)
        .queue_priorities(&[1.0])];
    let extensions: Vec<_> = extensions.iter().map(|name| name.as_ptr()).collect();
    let mut v12 = vk::PhysicalDeviceVulkan12Features::default().timeline_semaphore(true);
    let mut v13 = vk::PhysicalDeviceVulkan13Features::default()
        .synchronization2(true)
        .dynamic_rendering(true);
    let info = vk::DeviceCreateInfo::default()
        .queue_create_infos(&queues)
        .enabled_extension_names(&extensions)
        .push_next(&mut v12)
        .push_next(&mut v13);
    // SAFETY: `choose_device` found queue family, features and extensions on this device.
    unsafe { instance.create_device(choice.physical_device, &info, None) }.expect("vkCreateDevice")
}
