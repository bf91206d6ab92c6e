//! Buffers and images for tests, each with memory of its own.
//!
//! # Invariants
//!
//! - I1: each object borrows the [`Vulkan`] whose device made it, so that device lives.
//! - I2: a buffer's memory is host-visible and coherent, `size` bytes of it are mapped at `mapped` until it drops.
#![allow(unsafe_code, reason = "Vulkan memory and its mapping")]

use std::ptr::NonNull;

use ash::vk;

use super::Vulkan;

/// A buffer in mapped, coherent memory.
///
/// The test destroys it (by drop) only when no pending submission uses it.
pub(crate) struct HostBuffer<'v> {
    vulkan: &'v Vulkan,
    pub(crate) buffer: vk::Buffer,
    memory: vk::DeviceMemory,
    mapped: NonNull<u8>,
    /// In bytes.
    pub(crate) size: usize,
}

impl HostBuffer<'_> {
    /// A copy of what is in it; the device must have finished writing.
    pub(crate) fn read(&self) -> Vec<u8> {
        // SAFETY: `size` bytes are mapped (I2) and were zeroed at creation; the caller waited for the device.
        unsafe { std::slice::from_raw_parts(self.mapped.as_ptr(), self.size) }.to_vec()
    }

    /// Writes `bytes` at the start; the device must not be using the buffer.
    ///
    /// # Panics
    ///
    /// When they do not fit.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        assert!(
            bytes.len() <= self.size,
            "{} bytes do not fit in {}",
            bytes.len(),
            self.size
        );
        // SAFETY: `size` bytes are mapped (I2), at least as many as are copied; the two do not overlap.
        unsafe {
            self.mapped
                .as_ptr()
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        };
    }
}

impl Drop for HostBuffer<'_> {
    fn drop(&mut self) {
        // SAFETY: the device lives (I1) and does not use the buffer, as the type's documentation asks.
        unsafe { self.vulkan.device.destroy_buffer(self.buffer, None) };
        // SAFETY: the only object bound to the memory is destroyed; freeing unmaps.
        unsafe { self.vulkan.device.free_memory(self.memory, None) };
    }
}

/// A two-dimensional colour image with one mip level, one layer, one sample, and a view of all of it.
///
/// The test destroys it (by drop) only when no pending submission uses it.
pub(crate) struct ColorImage<'v> {
    vulkan: &'v Vulkan,
    pub(crate) image: vk::Image,
    pub(crate) view: vk::ImageView,
    pub(crate) format: vk::Format,
    pub(crate) extent: vk::Extent2D,
    memory: vk::DeviceMemory,
}

impl ColorImage<'_> {
    /// All of the image, as barriers and views name it.
    pub(crate) const RANGE: vk::ImageSubresourceRange = vk::ImageSubresourceRange {
        aspect_mask: vk::ImageAspectFlags::COLOR,
        base_mip_level: 0,
        level_count: 1,
        base_array_layer: 0,
        layer_count: 1,
    };

    /// The copy of the whole image to or from a tightly packed buffer.
    pub(crate) fn whole(&self) -> vk::BufferImageCopy {
        vk::BufferImageCopy::default()
            .image_subresource(vk::ImageSubresourceLayers {
                aspect_mask: vk::ImageAspectFlags::COLOR,
                mip_level: 0,
                base_array_layer: 0,
                layer_count: 1,
            })
            .image_extent(self.extent.into())
    }
}

impl Drop for ColorImage<'_> {
    fn drop(&mut self) {
        let device = &self.vulkan.device;
        // SAFETY: the device lives (I1) and does not use the view, as the type's documentation asks.
        unsafe { device.destroy_image_view(self.view, None) };
        // SAFETY: the same for the image, whose only view is destroyed.
        unsafe { device.destroy_image(self.image, None) };
        // SAFETY: the only object bound to the memory is destroyed.
        unsafe { device.free_memory(self.memory, None) };
    }
}

impl Vulkan {
    /// A zeroed buffer of `size` bytes that the host can read and write.
    ///
    /// # Panics
    ///
    /// When `size` is 0, or the driver is out of memory.
    pub(crate) fn host_buffer(&self, size: usize, usage: vk::BufferUsageFlags) -> HostBuffer<'_> {
        let info = vk::BufferCreateInfo::default()
            .size(size as u64)
            .usage(usage);
        // SAFETY: the device lives (I1).
        let buffer = unsafe { self.device.create_buffer(&info, None) }.expect("vkCreateBuffer");
        // SAFETY: the buffer was made by this device.
        let needs = unsafe { self.device.get_buffer_memory_requirements(buffer) };
        let memory = self.allocate(
            needs,
            vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT,
        );
        // SAFETY: the memory is of a type and size that the buffer asked for, and nothing is bound to it.
        unsafe { self.device.bind_buffer_memory(buffer, memory, 0) }.expect("vkBindBufferMemory");
        // SAFETY: the memory is host-visible and not mapped.
        let mapped = unsafe {
            self.device
                .map_memory(memory, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty())
        };
        let mapped =
            NonNull::new(mapped.expect("vkMapMemory").cast::<u8>()).expect("mapped memory");
        // SAFETY: at least `size` bytes are mapped, and the device does not know them yet.
        unsafe { mapped.as_ptr().write_bytes(0, size) };
        HostBuffer {
            vulkan: self,
            buffer,
            memory,
            mapped,
            size,
        }
    }

    /// A colour image in device memory, undefined in content and layout.
    ///
    /// # Panics
    ///
    /// When the format or usage is not supported, or the driver is out of memory.
    pub(crate) fn color_image(
        &self,
        format: vk::Format,
        extent: vk::Extent2D,
        usage: vk::ImageUsageFlags,
    ) -> ColorImage<'_> {
        let info = vk::ImageCreateInfo::default()
            .image_type(vk::ImageType::TYPE_2D)
            .format(format)
            .extent(extent.into())
            .mip_levels(1)
            .array_layers(1)
            .samples(vk::SampleCountFlags::TYPE_1)
            .tiling(vk::ImageTiling::OPTIMAL)
            .usage(usage);
        // SAFETY: the device lives (I1).
        let image = unsafe { self.device.create_image(&info, None) }.expect("vkCreateImage");
        // SAFETY: the image was made by this device.
        let needs = unsafe { self.device.get_image_memory_requirements(image) };
        let memory = self.allocate(needs, vk::MemoryPropertyFlags::empty());
        // SAFETY: the memory is of a type and size that the image asked for, and nothing is bound to it.
        unsafe { self.device.bind_image_memory(image, memory, 0) }.expect("vkBindImageMemory");
        let view = vk::ImageViewCreateInfo::default()
            .image(image)
            .view_type(vk::ImageViewType::TYPE_2D)
            .format(format)
            .subresource_range(ColorImage::RANGE);
        // SAFETY: the image is bound to memory and has this format and range.
        let view =
            unsafe { self.device.create_image_view(&view, None) }.expect("vkCreateImageView");
        ColorImage {
            vulkan: self,
            image,
            view,
            format,
            extent,
            memory,
        }
    }

    fn allocate(
        &self,
        needs: vk::MemoryRequirements,
        wanted: vk::MemoryPropertyFlags,
    ) -> vk::DeviceMemory {
        let types = self.memory.memory_types_as_slice();
        let fits = |(index, ty): &(usize, &vk::MemoryType)| {
            needs.memory_type_bits & (1 << index) != 0 && ty.property_flags.contains(wanted)
        };
        let (index, _) = types
            .iter()
            .enumerate()
            .find(fits)
            .expect("a memory type that fits");
        let index = u32::try_from(index).expect("at most 32 memory types");
        let info = vk::MemoryAllocateInfo::default()
            .allocation_size(needs.size)
            .memory_type_index(index);
        // SAFETY: the device lives (I1) and has this memory type.
        unsafe { self.device.allocate_memory(&info, None) }.expect("vkAllocateMemory")
    }
}
