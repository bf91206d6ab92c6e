//! The functions that can fail: all that create, allocate, map, bind, record, submit, wait, acquire or present.
//!
//! # Invariants
//!
//! - T1: a function of this file is handed out only where the one below it, of the same name, is kept in `below`.
#![allow(unsafe_code, reason = "C functions that pass their arguments on")]

use std::ffi::c_void;

use ash::vk;

use crate::Own;
use crate::below::below;
use crate::faults::faulty;

/// What a function belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Instance,
    Device,
}

type A<'a> = *const vk::AllocationCallbacks<'a>;

macro_rules! table {
    ($($level:ident $name:ident($($argument:ident: $type:ty),*);)*) => {
        /// Level, name, and the function in its place.
        pub(crate) const TABLE: &[(Level, &str, Own)] = &[
            $((Level::$level, stringify!($name), || places::$name as *const c_void),)*
        ];
        #[allow(non_snake_case, reason = "Vulkan's names")]
        #[allow(clippy::too_many_arguments, reason = "Vulkan's signatures")]
        mod places {
            use super::*;
            $(pub(super) unsafe extern "system" fn $name($($argument: $type),*) -> vk::Result {
                type Next = unsafe extern "system" fn($($type),*) -> vk::Result;
                faulty(stringify!($name), || {
                    let next = below!(stringify!($name), Next);
                    // SAFETY: the caller's arguments; the signature is Vulkan's (T1).
                    unsafe { next($($argument),*) }
                })
            })*
        }
    };
}

table! {
    Instance vkCreateXlibSurfaceKHR(a: vk::Instance, b: *const vk::XlibSurfaceCreateInfoKHR<'_>, c: A<'_>, d: *mut vk::SurfaceKHR);
    Instance vkCreateXcbSurfaceKHR(a: vk::Instance, b: *const vk::XcbSurfaceCreateInfoKHR<'_>, c: A<'_>, d: *mut vk::SurfaceKHR);
    Instance vkCreateWaylandSurfaceKHR(a: vk::Instance, b: *const vk::WaylandSurfaceCreateInfoKHR<'_>, c: A<'_>, d: *mut vk::SurfaceKHR);
    Instance vkGetPhysicalDeviceSurfaceSupportKHR(a: vk::PhysicalDevice, b: u32, c: vk::SurfaceKHR, d: *mut vk::Bool32);
    Instance vkGetPhysicalDeviceSurfaceCapabilitiesKHR(a: vk::PhysicalDevice, b: vk::SurfaceKHR, c: *mut vk::SurfaceCapabilitiesKHR);
    Instance vkGetPhysicalDeviceSurfaceFormatsKHR(a: vk::PhysicalDevice, b: vk::SurfaceKHR, c: *mut u32, d: *mut vk::SurfaceFormatKHR);
    Instance vkGetPhysicalDeviceSurfacePresentModesKHR(a: vk::PhysicalDevice, b: vk::SurfaceKHR, c: *mut u32, d: *mut vk::PresentModeKHR);
    Instance vkCreateDebugUtilsMessengerEXT(a: vk::Instance, b: *const vk::DebugUtilsMessengerCreateInfoEXT<'_>, c: A<'_>, d: *mut vk::DebugUtilsMessengerEXT);
    Device vkAllocateMemory(a: vk::Device, b: *const vk::MemoryAllocateInfo<'_>, c: A<'_>, d: *mut vk::DeviceMemory);
    Device vkMapMemory(a: vk::Device, b: vk::DeviceMemory, c: vk::DeviceSize, d: vk::DeviceSize, e: vk::MemoryMapFlags, f: *mut *mut c_void);
    Device vkFlushMappedMemoryRanges(a: vk::Device, b: u32, c: *const vk::MappedMemoryRange<'_>);
    Device vkInvalidateMappedMemoryRanges(a: vk::Device, b: u32, c: *const vk::MappedMemoryRange<'_>);
    Device vkBindBufferMemory(a: vk::Device, b: vk::Buffer, c: vk::DeviceMemory, d: vk::DeviceSize);
    Device vkBindImageMemory(a: vk::Device, b: vk::Image, c: vk::DeviceMemory, d: vk::DeviceSize);
    Device vkBindBufferMemory2(a: vk::Device, b: u32, c: *const vk::BindBufferMemoryInfo<'_>);
    Device vkBindImageMemory2(a: vk::Device, b: u32, c: *const vk::BindImageMemoryInfo<'_>);
    Device vkCreateBuffer(a: vk::Device, b: *const vk::BufferCreateInfo<'_>, c: A<'_>, d: *mut vk::Buffer);
    Device vkCreateBufferView(a: vk::Device, b: *const vk::BufferViewCreateInfo<'_>, c: A<'_>, d: *mut vk::BufferView);
    Device vkCreateImage(a: vk::Device, b: *const vk::ImageCreateInfo<'_>, c: A<'_>, d: *mut vk::Image);
    Device vkCreateImageView(a: vk::Device, b: *const vk::ImageViewCreateInfo<'_>, c: A<'_>, d: *mut vk::ImageView);
    Device vkCreateSampler(a: vk::Device, b: *const vk::SamplerCreateInfo<'_>, c: A<'_>, d: *mut vk::Sampler);
    Device vkCreateShaderModule(a: vk::Device, b: *const vk::ShaderModuleCreateInfo<'_>, c: A<'_>, d: *mut vk::ShaderModule);
    Device vkCreatePipelineCache(a: vk::Device, b: *const vk::PipelineCacheCreateInfo<'_>, c: A<'_>, d: *mut vk::PipelineCache);
    Device vkCreatePipelineLayout(a: vk::Device, b: *const vk::PipelineLayoutCreateInfo<'_>, c: A<'_>, d: *mut vk::PipelineLayout);
    Device vkCreateGraphicsPipelines(a: vk::Device, b: vk::PipelineCache, c: u32, d: *const vk::GraphicsPipelineCreateInfo<'_>, e: A<'_>, f: *mut vk::Pipeline);
    Device vkCreateComputePipelines(a: vk::Device, b: vk::PipelineCache, c: u32, d: *const vk::ComputePipelineCreateInfo<'_>, e: A<'_>, f: *mut vk::Pipeline);
    Device vkCreateDescriptorSetLayout(a: vk::Device, b: *const vk::DescriptorSetLayoutCreateInfo<'_>, c: A<'_>, d: *mut vk::DescriptorSetLayout);
    Device vkCreateDescriptorPool(a: vk::Device, b: *const vk::DescriptorPoolCreateInfo<'_>, c: A<'_>, d: *mut vk::DescriptorPool);
    Device vkAllocateDescriptorSets(a: vk::Device, b: *const vk::DescriptorSetAllocateInfo<'_>, c: *mut vk::DescriptorSet);
    Device vkCreateRenderPass(a: vk::Device, b: *const vk::RenderPassCreateInfo<'_>, c: A<'_>, d: *mut vk::RenderPass);
    Device vkCreateRenderPass2(a: vk::Device, b: *const vk::RenderPassCreateInfo2<'_>, c: A<'_>, d: *mut vk::RenderPass);
    Device vkCreateFramebuffer(a: vk::Device, b: *const vk::FramebufferCreateInfo<'_>, c: A<'_>, d: *mut vk::Framebuffer);
    Device vkCreateQueryPool(a: vk::Device, b: *const vk::QueryPoolCreateInfo<'_>, c: A<'_>, d: *mut vk::QueryPool);
    Device vkGetQueryPoolResults(a: vk::Device, b: vk::QueryPool, c: u32, d: u32, e: usize, f: *mut c_void, g: vk::DeviceSize, h: vk::QueryResultFlags);
    Device vkCreateEvent(a: vk::Device, b: *const vk::EventCreateInfo<'_>, c: A<'_>, d: *mut vk::Event);
    Device vkCreateFence(a: vk::Device, b: *const vk::FenceCreateInfo<'_>, c: A<'_>, d: *mut vk::Fence);
    Device vkResetFences(a: vk::Device, b: u32, c: *const vk::Fence);
    Device vkGetFenceStatus(a: vk::Device, b: vk::Fence);
    Device vkWaitForFences(a: vk::Device, b: u32, c: *const vk::Fence, d: vk::Bool32, e: u64);
    Device vkCreateSemaphore(a: vk::Device, b: *const vk::SemaphoreCreateInfo<'_>, c: A<'_>, d: *mut vk::Semaphore);
    Device vkGetSemaphoreCounterValue(a: vk::Device, b: vk::Semaphore, c: *mut u64);
    Device vkWaitSemaphores(a: vk::Device, b: *const vk::SemaphoreWaitInfo<'_>, c: u64);
    Device vkSignalSemaphore(a: vk::Device, b: *const vk::SemaphoreSignalInfo<'_>);
    Device vkCreateCommandPool(a: vk::Device, b: *const vk::CommandPoolCreateInfo<'_>, c: A<'_>, d: *mut vk::CommandPool);
    Device vkResetCommandPool(a: vk::Device, b: vk::CommandPool, c: vk::CommandPoolResetFlags);
    Device vkAllocateCommandBuffers(a: vk::Device, b: *const vk::CommandBufferAllocateInfo<'_>, c: *mut vk::CommandBuffer);
    Device vkBeginCommandBuffer(a: vk::CommandBuffer, b: *const vk::CommandBufferBeginInfo<'_>);
    Device vkEndCommandBuffer(a: vk::CommandBuffer);
    Device vkResetCommandBuffer(a: vk::CommandBuffer, b: vk::CommandBufferResetFlags);
    Device vkQueueSubmit(a: vk::Queue, b: u32, c: *const vk::SubmitInfo<'_>, d: vk::Fence);
    Device vkQueueSubmit2(a: vk::Queue, b: u32, c: *const vk::SubmitInfo2<'_>, d: vk::Fence);
    Device vkQueueWaitIdle(a: vk::Queue);
    Device vkDeviceWaitIdle(a: vk::Device);
    Device vkCreateSwapchainKHR(a: vk::Device, b: *const vk::SwapchainCreateInfoKHR<'_>, c: A<'_>, d: *mut vk::SwapchainKHR);
    Device vkGetSwapchainImagesKHR(a: vk::Device, b: vk::SwapchainKHR, c: *mut u32, d: *mut vk::Image);
    Device vkAcquireNextImageKHR(a: vk::Device, b: vk::SwapchainKHR, c: u64, d: vk::Semaphore, e: vk::Fence, f: *mut u32);
    Device vkQueuePresentKHR(a: vk::Queue, b: *const vk::PresentInfoKHR<'_>);
    Device vkSetDebugUtilsObjectNameEXT(a: vk::Device, b: *const vk::DebugUtilsObjectNameInfoEXT<'_>);
}
