//! What the examples share: the part of an engine that is there before agate-vk comes in. It makes a device without a
//! window, buffers, images and shaders, and listens to the validation layer where that is installed.
//!
//! Nothing here is special: an engine brings its own. What agate-vk needs of it is in `Host::start`.

#![allow(unsafe_code, reason = "every Vulkan call is unsafe")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "an object is made in one go"
)]
#![allow(dead_code, reason = "each example uses the part that it needs")]

use agate_vk::{ash, vk};
use std::error::Error;
use std::ffi::{CStr, c_void};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// Longer than anything here takes: what hangs ends with an error.
pub(crate) const LONG: Duration = Duration::from_secs(20);

const LAYER: &CStr = c"VK_LAYER_KHRONOS_validation";

/// What the validation layer has said so far.
static MESSAGES: AtomicU32 = AtomicU32::new(0);

/// An instance and a device with two queues, which may be the same.
pub(crate) struct Host {
    _entry: ash::Entry,
    pub(crate) instance: ash::Instance,
    pub(crate) physical: vk::PhysicalDevice,
    pub(crate) device: ash::Device,
    /// Family and queue for graphics and compute.
    pub(crate) main: (u32, vk::Queue),
    /// Family and queue for uploads: of a family of its own, else the second of the main family, else the main queue.
    pub(crate) transfer: (u32, vk::Queue),
    memory: vk::PhysicalDeviceMemoryProperties,
    messenger: Option<(ash::ext::debug_utils::Instance, vk::DebugUtilsMessengerEXT)>,
}

impl Host {
    /// Makes a device, or prints why this machine has none. Where the variable `CI` is set, that is an error.
    pub(crate) fn or_skip() -> Result<Option<Self>, Failure> {
        // SAFETY: loading the loader runs its initialisers, which ask for nothing.
        let started = unsafe { ash::Entry::load() }
            .map_err(|error| format!("no Vulkan loader ({error}); Debian: libvulkan1").into())
            .and_then(Self::start);
        match started {
            Ok(host) => Ok(Some(host)),
            Err(error) if std::env::var_os("CI").is_some() => Err(error),
            Err(error) => {
                println!("SKIPPED: {error}");
                Ok(None)
            }
        }
    }

    fn start(entry: ash::Entry) -> Result<Self, Failure> {
        // SAFETY: valid usage; what is made here is destroyed by `close`.
        unsafe {
            let layers = entry.enumerate_instance_layer_properties()?;
            let validated = layers
                .iter()
                .any(|layer| layer.layer_name_as_c_str() == Ok(LAYER));
            let instance = create_instance(&entry, validated)?;
            let messenger = validated.then(|| listen(&entry, &instance)).transpose()?;
            let devices = instance.enumerate_physical_devices()?;
            let fits = |device: &vk::PhysicalDevice| {
                instance.get_physical_device_properties(*device).api_version >= vk::API_VERSION_1_3
            };
            let physical = devices
                .into_iter()
                .find(fits)
                .ok_or("no device with Vulkan 1.3; Debian: mesa-vulkan-drivers")?;
            let families = instance.get_physical_device_queue_family_properties(physical);
            let (main, second, other) = choose_queues(&families)?;
            let priorities = [1.0, 1.0];
            let mut queues = vec![
                vk::DeviceQueueCreateInfo::default()
                    .queue_family_index(main)
                    .queue_priorities(&priorities[..1 + second as usize]),
            ];
            queues.extend(other.map(|family| {
                vk::DeviceQueueCreateInfo::default()
                    .queue_family_index(family)
                    .queue_priorities(&priorities[..1])
            }));
            // agate-vk needs the first two; the third is for `Frame::rendering`.
            let mut features12 =
                vk::PhysicalDeviceVulkan12Features::default().timeline_semaphore(true);
            let mut features13 = vk::PhysicalDeviceVulkan13Features::default()
                .synchronization2(true)
                .dynamic_rendering(true);
            let info = vk::DeviceCreateInfo::default()
                .queue_create_infos(&queues)
                .push_next(&mut features12)
                .push_next(&mut features13);
            let device = instance.create_device(physical, &info, None)?;
            let transfer = match other {
                Some(family) => (family, device.get_device_queue(family, 0)),
                None => (main, device.get_device_queue(main, second)),
            };
            Ok(Self {
                main: (main, device.get_device_queue(main, 0)),
                transfer,
                memory: instance.get_physical_device_memory_properties(physical),
                _entry: entry,
                instance,
                physical,
                device,
                messenger,
            })
        }
    }

    /// Destroys the device; an error if the validation layer has said anything.
    pub(crate) fn close(self) -> Result<(), Failure> {
        // SAFETY: services, buffers and all else that was made of the device are gone.
        unsafe {
            self.device.destroy_device(None);
            if let Some((functions, messenger)) = &self.messenger {
                functions.destroy_debug_utils_messenger(*messenger, None);
            }
            self.instance.destroy_instance(None);
        }
        match MESSAGES.load(Ordering::Relaxed) {
            0 => Ok(()),
            said => Err(format!("the validation layer said {said} messages, see above").into()),
        }
    }

    /// A buffer in memory that the host sees, and that both queues may use.
    pub(crate) fn buffer(
        &self,
        bytes: usize,
        usage: vk::BufferUsageFlags,
    ) -> Result<Buffer<'_>, Failure> {
        let families = [self.main.0, self.transfer.0];
        let mut info = vk::BufferCreateInfo::default()
            .size(bytes as u64)
            .usage(usage);
        if families[0] != families[1] {
            // In place of transfers of ownership, which would be the host's duty.
            info = info
                .sharing_mode(vk::SharingMode::CONCURRENT)
                .queue_family_indices(&families);
        }
        let kind = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
        // SAFETY: valid usage; the memory is as large as the buffer asks for.
        unsafe {
            let buffer = self.device.create_buffer(&info, None)?;
            let needs = self.device.get_buffer_memory_requirements(buffer);
            let memory = self.allocate(needs, kind)?;
            self.device.bind_buffer_memory(buffer, memory, 0)?;
            let flags = vk::MemoryMapFlags::empty();
            let mapped = self.device.map_memory(memory, 0, vk::WHOLE_SIZE, flags)?;
            Ok(Buffer {
                host: self,
                buffer,
                memory,
                mapped: mapped.cast(),
                bytes,
            })
        }
    }

    /// A colour attachment that can be copied from.
    pub(crate) fn image(
        &self,
        format: vk::Format,
        extent: vk::Extent2D,
    ) -> Result<Image<'_>, Failure> {
        let info = vk::ImageCreateInfo::default()
            .image_type(vk::ImageType::TYPE_2D)
            .format(format)
            .extent(extent.into())
            .mip_levels(1)
            .array_layers(1)
            .samples(vk::SampleCountFlags::TYPE_1)
            .usage(vk::ImageUsageFlags::COLOR_ATTACHMENT | vk::ImageUsageFlags::TRANSFER_SRC);
        // SAFETY: as for buffers.
        unsafe {
            let image = self.device.create_image(&info, None)?;
            let needs = self.device.get_image_memory_requirements(image);
            let memory = self.allocate(needs, vk::MemoryPropertyFlags::empty())?;
            self.device.bind_image_memory(image, memory, 0)?;
            let info = vk::ImageViewCreateInfo::default()
                .image(image)
                .view_type(vk::ImageViewType::TYPE_2D)
                .format(format)
                .subresource_range(COLOR);
            Ok(Image {
                host: self,
                image,
                view: self.device.create_image_view(&info, None)?,
                memory,
            })
        }
    }

    fn allocate(
        &self,
        needs: vk::MemoryRequirements,
        kind: vk::MemoryPropertyFlags,
    ) -> Result<vk::DeviceMemory, Failure> {
        let types = self.memory.memory_types_as_slice();
        let fits = |(i, found): &(usize, &vk::MemoryType)| {
            needs.memory_type_bits >> i & 1 == 1 && found.property_flags.contains(kind)
        };
        let index = types.iter().enumerate().find(fits).ok_or("no memory")?.0;
        let info = vk::MemoryAllocateInfo::default()
            .allocation_size(needs.size)
            .memory_type_index(index as u32);
        // SAFETY: valid usage.
        Ok(unsafe { self.device.allocate_memory(&info, None)? })
    }

    /// A shader module of WGSL, with all its entry points.
    pub(crate) fn shader(&self, wgsl: &str) -> Result<vk::ShaderModule, Failure> {
        use naga::valid::{Capabilities, ValidationFlags, Validator};
        let module =
            naga::front::wgsl::parse_str(wgsl).map_err(|error| error.emit_to_string(wgsl))?;
        let info = Validator::new(ValidationFlags::all(), Capabilities::IMMEDIATES)
            .validate(&module)
            .map_err(|error| error.emit_to_string(wgsl))?;
        let options = naga::back::spv::Options {
            lang_version: (1, 3),
            ..Default::default()
        };
        let words = naga::back::spv::write_vec(&module, &info, &options, None)?;
        let info = vk::ShaderModuleCreateInfo::default().code(&words);
        // SAFETY: naga writes valid SPIR-V.
        Ok(unsafe { self.device.create_shader_module(&info, None)? })
    }
}

/// The one layer and level of an image with colours.
pub(crate) const COLOR: vk::ImageSubresourceRange = vk::ImageSubresourceRange {
    aspect_mask: vk::ImageAspectFlags::COLOR,
    base_mip_level: 0,
    level_count: 1,
    base_array_layer: 0,
    layer_count: 1,
};

/// The main family, the index in it of the second queue, and another family for uploads.
fn choose_queues(
    families: &[vk::QueueFamilyProperties],
) -> Result<(u32, u32, Option<u32>), Failure> {
    let flags = |family: &u32| families[*family as usize].queue_flags;
    let all = 0..families.len() as u32;
    let main = all
        .clone()
        .find(|family| flags(family).contains(vk::QueueFlags::GRAPHICS | vk::QueueFlags::COMPUTE))
        .ok_or("no queue for graphics and compute")?;
    let uploads = vk::QueueFlags::TRANSFER | vk::QueueFlags::COMPUTE | vk::QueueFlags::GRAPHICS;
    let other = all
        .filter(|family| *family != main)
        .find(|family| flags(family).intersects(uploads));
    let second = other.is_none() && families[main as usize].queue_count > 1;
    Ok((main, u32::from(second), other))
}

/// With the validation layer where it is installed, synchronization checked too.
///
/// # Safety
///
/// The instance is destroyed before the entry is dropped.
unsafe fn create_instance(entry: &ash::Entry, validated: bool) -> Result<ash::Instance, Failure> {
    let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
    let layers = [LAYER.as_ptr()];
    let extensions = [
        ash::ext::debug_utils::NAME.as_ptr(),
        ash::ext::validation_features::NAME.as_ptr(),
    ];
    let checks = [vk::ValidationFeatureEnableEXT::SYNCHRONIZATION_VALIDATION];
    let mut features = vk::ValidationFeaturesEXT::default().enabled_validation_features(&checks);
    let mut info = vk::InstanceCreateInfo::default().application_info(&application);
    if validated {
        info = info
            .enabled_layer_names(&layers)
            .enabled_extension_names(&extensions)
            .push_next(&mut features);
    }
    // SAFETY: valid usage; the layer brings both extensions.
    unsafe { entry.create_instance(&info, None) }
        .map_err(|error| format!("no Vulkan driver ({error}); Debian: mesa-vulkan-drivers").into())
}

/// # Safety
///
/// `VK_EXT_debug_utils` is enabled.
unsafe fn listen(
    entry: &ash::Entry,
    instance: &ash::Instance,
) -> Result<(ash::ext::debug_utils::Instance, vk::DebugUtilsMessengerEXT), Failure> {
    let functions = ash::ext::debug_utils::Instance::new(entry, instance);
    let info = vk::DebugUtilsMessengerCreateInfoEXT::default()
        .message_severity(
            vk::DebugUtilsMessageSeverityFlagsEXT::WARNING
                | vk::DebugUtilsMessageSeverityFlagsEXT::ERROR,
        )
        .message_type(
            vk::DebugUtilsMessageTypeFlagsEXT::GENERAL
                | vk::DebugUtilsMessageTypeFlagsEXT::VALIDATION
                | vk::DebugUtilsMessageTypeFlagsEXT::PERFORMANCE,
        )
        .pfn_user_callback(Some(heard));
    // SAFETY: the contract of this function.
    let messenger = unsafe { functions.create_debug_utils_messenger(&info, None)? };
    Ok((functions, messenger))
}

unsafe extern "system" fn heard(
    _: vk::DebugUtilsMessageSeverityFlagsEXT,
    kinds: vk::DebugUtilsMessageTypeFlagsEXT,
    data: *const vk::DebugUtilsMessengerCallbackDataEXT<'_>,
    _: *mut c_void,
) -> vk::Bool32 {
    // SAFETY: Vulkan passes data that lives during the call.
    let text = unsafe { (*data).message_as_c_str() };
    eprintln!("{}", text.unwrap_or_default().to_string_lossy());
    // What is merely general is the loader's and the driver's, which find no display, say.
    if kinds != vk::DebugUtilsMessageTypeFlagsEXT::GENERAL {
        MESSAGES.fetch_add(1, Ordering::Relaxed);
    }
    vk::FALSE
}

/// A buffer in memory that is mapped as long as it lives.
pub(crate) struct Buffer<'a> {
    host: &'a Host,
    pub(crate) buffer: vk::Buffer,
    memory: vk::DeviceMemory,
    mapped: *mut u8,
    bytes: usize,
}

impl Buffer<'_> {
    /// What is in it. The GPU must not write to it meanwhile.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: so many bytes are mapped.
        unsafe { std::slice::from_raw_parts(self.mapped, self.bytes) }
    }

    /// As [`bytes`](Self::bytes), to change them. The GPU must not use it meanwhile.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: so many bytes are mapped.
        unsafe { std::slice::from_raw_parts_mut(self.mapped, self.bytes) }
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        // SAFETY: all tickets have resolved.
        unsafe {
            self.host.device.destroy_buffer(self.buffer, None);
            self.host.device.free_memory(self.memory, None);
        }
    }
}

/// An image to draw to, with its view.
pub(crate) struct Image<'a> {
    host: &'a Host,
    pub(crate) image: vk::Image,
    pub(crate) view: vk::ImageView,
    memory: vk::DeviceMemory,
}

impl Drop for Image<'_> {
    fn drop(&mut self) {
        // SAFETY: all tickets have resolved.
        unsafe {
            self.host.device.destroy_image_view(self.view, None);
            self.host.device.destroy_image(self.image, None);
            self.host.device.free_memory(self.memory, None);
        }
    }
}

/// A barrier for all memory, in the one form that the examples need: it is a barrier that the program writes, since
/// agate-vk writes none.
pub(crate) fn memory_barrier(
    from: (vk::PipelineStageFlags2, vk::AccessFlags2),
    to: (vk::PipelineStageFlags2, vk::AccessFlags2),
) -> [vk::MemoryBarrier2<'static>; 1] {
    [vk::MemoryBarrier2::default()
        .src_stage_mask(from.0)
        .src_access_mask(from.1)
        .dst_stage_mask(to.0)
        .dst_access_mask(to.1)]
}
