//! Images and buffers with memory from gpu-allocator.
//!
//! # Invariants
//!
//! - M1: an `Image` or `Buffer` is destroyed by its own drop, once, before its memory is given back.
//! - M2: the bytes of a mapped `Buffer` are read and written only while no submitted frame uses them.
#![allow(unsafe_code, reason = "calls Vulkan")]

use std::sync::Arc;

use ash::vk;
use gpu_allocator::MemoryLocation;
use gpu_allocator::vulkan::{
    Allocation, AllocationCreateDesc, AllocationScheme, Allocator, AllocatorCreateDesc,
};

use super::Gpu;
use super::instance::Instance;
use crate::error::{Doing, Error};
use crate::say::complain;

/// The allocator of device memory.
pub(crate) struct Memory(Allocator);

impl Memory {
    pub(super) fn new(
        instance: &Instance,
        device: &ash::Device,
        physical: vk::PhysicalDevice,
    ) -> Result<Self, Error> {
        let made = Allocator::new(&AllocatorCreateDesc {
            instance: instance.raw.clone(),
            device: device.clone(),
            physical_device: physical,
            debug_settings: gpu_allocator::AllocatorDebugSettings::default(),
            buffer_device_address: false,
            allocation_sizes: gpu_allocator::AllocationSizes::default(),
        });
        made.map(Self).map_err(|why| Error::Memory {
            what: "the allocator",
            why: why.to_string(),
        })
    }
}

/// What an image is for.
pub(crate) struct ImageUse {
    pub(crate) what: &'static str,
    pub(crate) format: vk::Format,
    pub(crate) extent: vk::Extent2D,
    pub(crate) samples: vk::SampleCountFlags,
    pub(crate) usage: vk::ImageUsageFlags,
    pub(crate) aspect: vk::ImageAspectFlags,
}

/// A two-dimensional image with its view and memory.
pub(crate) struct Image {
    pub(crate) handle: vk::Image,
    pub(crate) view: vk::ImageView,
    allocation: Option<Allocation>,
    gpu: Arc<Gpu>,
}

impl Image {
    /// An image for `purpose`, with undefined contents.
    pub(crate) fn new(gpu: &Arc<Gpu>, purpose: &ImageUse) -> Result<Self, Error> {
        let info = vk::ImageCreateInfo::default()
            .image_type(vk::ImageType::TYPE_2D)
            .format(purpose.format)
            .extent(vk::Extent3D {
                width: purpose.extent.width,
                height: purpose.extent.height,
                depth: 1,
            })
            .mip_levels(1)
            .array_layers(1)
            .samples(purpose.samples)
            .tiling(vk::ImageTiling::OPTIMAL)
            .usage(purpose.usage)
            .initial_layout(vk::ImageLayout::UNDEFINED);
        // SAFETY: the device is alive (G1), `info` is complete.
        let handle = unsafe { gpu.device.create_image(&info, None) }.doing("creating an image")?;
        // From here on the drop cleans up, whatever fails.
        let mut image = Self {
            handle,
            view: vk::ImageView::null(),
            allocation: None,
            gpu: Arc::clone(gpu),
        };
        // SAFETY: `handle` is an image of this device.
        let requirements = unsafe { gpu.device.get_image_memory_requirements(handle) };
        let allocation = allocate(
            gpu,
            &AllocationCreateDesc {
                name: purpose.what,
                requirements,
                location: MemoryLocation::GpuOnly,
                linear: false,
                allocation_scheme: AllocationScheme::DedicatedImage(handle),
            },
        )?;
        let (memory, offset) = place(&allocation);
        image.allocation = Some(allocation);
        // SAFETY: the memory was allocated for these requirements and is bound once.
        unsafe { gpu.device.bind_image_memory(handle, memory, offset) }
            .doing("binding an image")?;
        let range = whole(purpose.aspect);
        let view = vk::ImageViewCreateInfo::default()
            .image(handle)
            .view_type(vk::ImageViewType::TYPE_2D)
            .format(purpose.format)
            .subresource_range(range);
        // SAFETY: the image is bound, and the view's format is the image's.
        image.view =
            unsafe { gpu.device.create_image_view(&view, None) }.doing("viewing an image")?;
        Ok(image)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // SAFETY: no frame uses the view any more (G2); null is allowed.
        unsafe { self.gpu.device.destroy_image_view(self.view, None) };
        // SAFETY: likewise the image (M1).
        unsafe { self.gpu.device.destroy_image(self.handle, None) };
        free(&self.gpu, self.allocation.take());
    }
}

/// The whole of an image without mip levels and layers.
pub(crate) fn whole(aspect: vk::ImageAspectFlags) -> vk::ImageSubresourceRange {
    vk::ImageSubresourceRange::default()
        .aspect_mask(aspect)
        .level_count(1)
        .layer_count(1)
}

/// A buffer with its memory, mapped for the processor.
pub(crate) struct Buffer {
    pub(crate) handle: vk::Buffer,
    allocation: Option<Allocation>,
    gpu: Arc<Gpu>,
}

impl Buffer {
    /// A buffer that the processor writes and the GPU reads, holding `contents`.
    pub(crate) fn with_contents(
        gpu: &Arc<Gpu>,
        what: &'static str,
        usage: vk::BufferUsageFlags,
        contents: &[u8],
    ) -> Result<Self, Error> {
        let mut buffer = Self::new(gpu, what, usage, contents.len(), MemoryLocation::CpuToGpu)?;
        let mapped = buffer
            .allocation
            .as_mut()
            .and_then(Allocation::mapped_slice_mut);
        let space = mapped.and_then(|bytes| bytes.get_mut(..contents.len()));
        space
            .ok_or(Error::Memory {
                what,
                why: "it is not mapped".into(),
            })?
            .copy_from_slice(contents);
        Ok(buffer)
    }

    /// A buffer that the GPU writes and the processor reads.
    pub(crate) fn for_readback(
        gpu: &Arc<Gpu>,
        what: &'static str,
        bytes: usize,
    ) -> Result<Self, Error> {
        Self::new(
            gpu,
            what,
            vk::BufferUsageFlags::TRANSFER_DST,
            bytes,
            MemoryLocation::GpuToCpu,
        )
    }

    /// The first `bytes` of it; the frame that wrote them must have retired (M2).
    pub(crate) fn contents(&self, bytes: usize) -> Option<&[u8]> {
        self.allocation
            .as_ref()
            .and_then(Allocation::mapped_slice)
            .and_then(|all| all.get(..bytes))
    }

    fn new(
        gpu: &Arc<Gpu>,
        what: &'static str,
        usage: vk::BufferUsageFlags,
        bytes: usize,
        location: MemoryLocation,
    ) -> Result<Self, Error> {
        let info = vk::BufferCreateInfo::default()
            .size(bytes as u64)
            .usage(usage);
        // SAFETY: the device is alive (G1), `info` is complete.
        let handle = unsafe { gpu.device.create_buffer(&info, None) }.doing("creating a buffer")?;
        let mut buffer = Self {
            handle,
            allocation: None,
            gpu: Arc::clone(gpu),
        };
        // SAFETY: `handle` is a buffer of this device.
        let requirements = unsafe { gpu.device.get_buffer_memory_requirements(handle) };
        let allocation = allocate(
            gpu,
            &AllocationCreateDesc {
                name: what,
                requirements,
                location,
                linear: true,
                allocation_scheme: AllocationScheme::GpuAllocatorManaged,
            },
        )?;
        let (memory, offset) = place(&allocation);
        buffer.allocation = Some(allocation);
        // SAFETY: the memory was allocated for these requirements and is bound once.
        unsafe { gpu.device.bind_buffer_memory(handle, memory, offset) }
            .doing("binding a buffer")?;
        Ok(buffer)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: no frame uses the buffer any more (G2, M1).
        unsafe { self.gpu.device.destroy_buffer(self.handle, None) };
        free(&self.gpu, self.allocation.take());
    }
}

fn allocate(gpu: &Gpu, wanted: &AllocationCreateDesc<'_>) -> Result<Allocation, Error> {
    let what = || wanted.name.to_owned();
    let fail = |why: String| Error::Memory {
        what: "an image or a buffer",
        why: format!("{} ({why})", what()),
    };
    let mut memory = gpu
        .memory
        .lock()
        .map_err(|_| fail("an allocation panicked".into()))?;
    let memory = memory
        .as_mut()
        .ok_or_else(|| fail("the device is closing".into()))?;
    memory
        .0
        .allocate(wanted)
        .map_err(|why| fail(why.to_string()))
}

fn free(gpu: &Gpu, allocation: Option<Allocation>) {
    let Some(allocation) = allocation else { return };
    if let Ok(mut memory) = gpu.memory.lock()
        && let Some(memory) = memory.as_mut()
        && let Err(why) = memory.0.free(allocation)
    {
        complain!("demo: giving device memory back failed: {why}");
    }
}

fn place(allocation: &Allocation) -> (vk::DeviceMemory, u64) {
    // SAFETY: the handle is used to bind the resource for which the memory was allocated, and for nothing else.
    (unsafe { allocation.memory() }, allocation.offset())
}
