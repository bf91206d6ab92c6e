//! The devices that candidates record for: a real software driver, one that costs nothing, and one that costs as much as
//! a good driver.
//!
//! # Invariants
//!
//! - V1: objects made here live as long as their `Device`, which is dropped after the strategies that use it.

#![allow(unsafe_code, reason = "calls Vulkan")]

use std::ffi::{CStr, c_void};

use ash::vk;
use null_device::{Cost, NullDevice, NullOptions};

use crate::commands::work::{Matrix, Scene};

/// Which device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Empty functions: what is left is what a candidate costs itself.
    Null,
    /// Functions that take about as long as those of a good driver: 14 ns for each `vkCmd*`.
    Simulated,
    /// The software driver of this machine, recorded for and not executed.
    Software,
}

impl Kind {
    /// All of them, in the order of the tables.
    pub const ALL: [Self; 3] = [Self::Simulated, Self::Software, Self::Null];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Simulated => "simulated",
            Self::Software => "lavapipe",
        }
    }
}

/// An open device, with the objects that draws refer to.
pub struct Device {
    /// Which it is.
    pub kind: Kind,
    /// What the tables call it.
    pub name: String,
    /// Its functions.
    pub table: ash::Device,
    /// Its queue.
    pub queue: vk::Queue,
    /// The family of the queue.
    pub family: u32,
    /// What draws refer to.
    pub scene: Scene,
    home: Home,
}

enum Home {
    Null(NullDevice),
    Loaded(Box<Loaded>),
}

struct Loaded {
    memory: vk::DeviceMemory,
    instance: ash::Instance,
    _entry: ash::Entry,
}

impl Device {
    /// Opens a device.
    ///
    /// # Errors
    ///
    /// What is missing, in one line.
    pub fn open(kind: Kind) -> Result<Self, String> {
        match kind {
            Kind::Null => Ok(Self::null(kind, Cost::None)),
            Kind::Simulated => Ok(Self::null(kind, Cost::Simulated)),
            Kind::Software => Self::software(),
        }
    }

    /// The same functions for agate-vk, which looks them up by itself.
    ///
    /// # Panics
    ///
    /// If the device lacks what agate-vk needs; [`open`](Self::open) made it with that.
    pub fn for_agate(&self) -> agate_vk::Device {
        let device = match &self.home {
            // SAFETY: the functions are those of this device (V1).
            Home::Null(null) => unsafe {
                agate_vk::Device::load(null.handle(), |name: &CStr| -> *const c_void {
                    null.function(name)
                })
            },
            // SAFETY: both tables are of this device (V1).
            Home::Loaded(loaded) => unsafe {
                agate_vk::Device::from_ash(&loaded.instance, &self.table)
            },
        };
        device.expect("the device has what agate-vk needs")
    }

    fn null(kind: Kind, cost: Cost) -> Self {
        let null = NullDevice::new(NullOptions::default().cost(cost));
        Self {
            kind,
            name: kind.name().to_owned(),
            table: null.table(),
            queue: null.queue(),
            family: 0,
            scene: Scene {
                pipeline: vk::Handle::from_raw(0x10),
                layout: vk::Handle::from_raw(0x20),
                vertices: vk::Handle::from_raw(0x30),
            },
            home: Home::Null(null),
        }
    }

    fn software() -> Result<Self, String> {
        // SAFETY: the loader that this finds is the system's.
        let entry = unsafe { ash::Entry::load() }.map_err(|why| format!("no Vulkan: {why}"))?;
        let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
        let info = vk::InstanceCreateInfo::default().application_info(&application);
        // SAFETY: the structure is complete.
        let instance = unsafe { entry.create_instance(&info, None) }.map_err(failed("instance"))?;
        let (physical, name) = find_software(&instance)?;
        let family = graphics_family(&instance, physical)?;
        let table = open(&instance, physical, family)?;
        // SAFETY: the device was made with one queue of this family.
        let queue = unsafe { table.get_device_queue(family, 0) };
        let (scene, memory) = make_scene(&instance, physical, &table)?;
        Ok(Self {
            kind: Kind::Software,
            name,
            table,
            queue,
            family,
            scene,
            home: Home::Loaded(Box::new(Loaded {
                memory,
                instance,
                _entry: entry,
            })),
        })
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let Home::Loaded(loaded) = &self.home else {
            return;
        };
        // SAFETY: V1: nobody uses the device any more.
        let _ = unsafe { self.table.device_wait_idle() };
        // SAFETY: as above, for this and the following.
        unsafe { self.table.destroy_pipeline(self.scene.pipeline, None) };
        // SAFETY: as above.
        unsafe { self.table.destroy_pipeline_layout(self.scene.layout, None) };
        // SAFETY: as above.
        unsafe { self.table.destroy_buffer(self.scene.vertices, None) };
        // SAFETY: as above.
        unsafe { self.table.free_memory(loaded.memory, None) };
        // SAFETY: as above.
        unsafe { self.table.destroy_device(None) };
        // SAFETY: as above.
        unsafe { loaded.instance.destroy_instance(None) };
    }
}

fn failed(what: &'static str) -> impl Fn(vk::Result) -> String {
    move |result| format!("{what}: {result:?}")
}

/// A software device, so that the numbers do not depend on the graphics card.
fn find_software(instance: &ash::Instance) -> Result<(vk::PhysicalDevice, String), String> {
    // SAFETY: the instance is alive.
    let devices =
        unsafe { instance.enumerate_physical_devices() }.map_err(failed("list of devices"))?;
    for device in devices {
        // SAFETY: the device is of this instance.
        let properties = unsafe { instance.get_physical_device_properties(device) };
        if properties.device_type == vk::PhysicalDeviceType::CPU
            && properties.api_version >= vk::API_VERSION_1_3
        {
            let name = properties.device_name_as_c_str().unwrap_or(c"software");
            return Ok((device, name.to_string_lossy().into_owned()));
        }
    }
    Err("no software device with Vulkan 1.3 (Debian: apt install mesa-vulkan-drivers)".to_owned())
}

fn graphics_family(instance: &ash::Instance, device: vk::PhysicalDevice) -> Result<u32, String> {
    // SAFETY: the device is of this instance.
    let families = unsafe { instance.get_physical_device_queue_family_properties(device) };
    families
        .iter()
        .position(|family| family.queue_flags.contains(vk::QueueFlags::GRAPHICS))
        .map(|index| index as u32)
        .ok_or_else(|| "the device has no graphics queue".to_owned())
}

fn open(
    instance: &ash::Instance,
    physical: vk::PhysicalDevice,
    family: u32,
) -> Result<ash::Device, String> {
    let queues = [vk::DeviceQueueCreateInfo::default()
        .queue_family_index(family)
        .queue_priorities(&[1.0])];
    let mut features12 = vk::PhysicalDeviceVulkan12Features::default().timeline_semaphore(true);
    let mut features13 = vk::PhysicalDeviceVulkan13Features::default()
        .synchronization2(true)
        .dynamic_rendering(true);
    let info = vk::DeviceCreateInfo::default()
        .queue_create_infos(&queues)
        .push_next(&mut features12)
        .push_next(&mut features13);
    // SAFETY: the family exists, and every Vulkan 1.3 device has these features.
    unsafe { instance.create_device(physical, &info, None) }.map_err(failed("device"))
}

fn make_scene(
    instance: &ash::Instance,
    physical: vk::PhysicalDevice,
    table: &ash::Device,
) -> Result<(Scene, vk::DeviceMemory), String> {
    let (vertices, memory) = vertex_buffer(instance, physical, table)?;
    let ranges = [vk::PushConstantRange::default()
        .stage_flags(vk::ShaderStageFlags::VERTEX)
        .size(size_of::<Matrix>() as u32)];
    let info = vk::PipelineLayoutCreateInfo::default().push_constant_ranges(&ranges);
    // SAFETY: 64 bytes of push constants are within every device's limit.
    let layout = unsafe { table.create_pipeline_layout(&info, None) }.map_err(failed("layout"))?;
    let pipeline = pipeline(table, layout)?;
    Ok((
        Scene {
            pipeline,
            layout,
            vertices,
        },
        memory,
    ))
}

fn vertex_buffer(
    instance: &ash::Instance,
    physical: vk::PhysicalDevice,
    table: &ash::Device,
) -> Result<(vk::Buffer, vk::DeviceMemory), String> {
    let info = vk::BufferCreateInfo::default()
        .size(4096)
        .usage(vk::BufferUsageFlags::VERTEX_BUFFER);
    // SAFETY: the structure is complete.
    let buffer = unsafe { table.create_buffer(&info, None) }.map_err(failed("buffer"))?;
    // SAFETY: the buffer is alive.
    let needs = unsafe { table.get_buffer_memory_requirements(buffer) };
    // SAFETY: the device is of this instance.
    let memories = unsafe { instance.get_physical_device_memory_properties(physical) };
    let kind = (0..memories.memory_type_count)
        .find(|kind| needs.memory_type_bits & 1 << kind != 0)
        .ok_or("no memory for a buffer")?;
    let info = vk::MemoryAllocateInfo::default()
        .allocation_size(needs.size)
        .memory_type_index(kind);
    // SAFETY: the type exists.
    let memory = unsafe { table.allocate_memory(&info, None) }.map_err(failed("memory"))?;
    // SAFETY: the memory was allocated for this buffer.
    unsafe { table.bind_buffer_memory(buffer, memory, 0) }.map_err(failed("memory of a buffer"))?;
    Ok((buffer, memory))
}

/// A pipeline whose vertices go nowhere: rasterization is off, so that it needs neither fragments nor attachments.
fn pipeline(table: &ash::Device, layout: vk::PipelineLayout) -> Result<vk::Pipeline, String> {
    let module = vk::ShaderModuleCreateInfo::default().code(&EMPTY_VERTEX_SHADER);
    // SAFETY: the words are a valid module.
    let module =
        unsafe { table.create_shader_module(&module, None) }.map_err(failed("shader module"))?;
    let stages = [vk::PipelineShaderStageCreateInfo::default()
        .stage(vk::ShaderStageFlags::VERTEX)
        .module(module)
        .name(c"main")];
    let input = vk::PipelineVertexInputStateCreateInfo::default();
    let assembly = vk::PipelineInputAssemblyStateCreateInfo::default()
        .topology(vk::PrimitiveTopology::TRIANGLE_LIST);
    let raster = vk::PipelineRasterizationStateCreateInfo::default()
        .rasterizer_discard_enable(true)
        .line_width(1.0);
    let mut rendering = vk::PipelineRenderingCreateInfo::default();
    let info = vk::GraphicsPipelineCreateInfo::default()
        .stages(&stages)
        .vertex_input_state(&input)
        .input_assembly_state(&assembly)
        .rasterization_state(&raster)
        .layout(layout)
        .push_next(&mut rendering);
    // SAFETY: complete for a pipeline that discards its primitives, with dynamic rendering enabled.
    let made = unsafe { table.create_graphics_pipelines(vk::PipelineCache::null(), &[info], None) };
    // SAFETY: the pipeline has been made from it.
    unsafe { table.destroy_shader_module(module, None) };
    made.map(|pipelines| pipelines[0])
        .map_err(|(_, result)| format!("pipeline: {result:?}"))
}

/// SPIR-V 1.0 of `void main() {}` as a vertex shader.
const EMPTY_VERTEX_SHADER: [u32; 29] = [
    0x0723_0203,
    0x0001_0000,
    0,
    5,
    0, // magic, version, generator, bound, schema
    0x0002_0011,
    1, // OpCapability Shader
    0x0003_000e,
    0,
    1, // OpMemoryModel Logical GLSL450
    0x0005_000f,
    0,
    1,
    0x6e69_616d,
    0, // OpEntryPoint Vertex %1 "main"
    0x0002_0013,
    2, // %2 = OpTypeVoid
    0x0003_0021,
    3,
    2, // %3 = OpTypeFunction %2
    0x0005_0036,
    2,
    1,
    0,
    3, // %1 = OpFunction %2 None %3
    0x0002_00f8,
    4,           // %4 = OpLabel
    0x0001_00fd, // OpReturn
    0x0001_0038, // OpFunctionEnd
];
