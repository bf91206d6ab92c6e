//! What commands refer to that are encoded, and not executed yet: it must not be updated, freed, reset or destroyed.
//!
//! The device sees a command when it is replayed, so the test says what is referred to before that. Descriptor sets are
//! known with their pools; all other handles that are destroyed here may be numbers of the test's.
//!
//! # Invariants
//!
//! - L1, as in `pool.rs`: the caller passes handles of this crate's live devices, and structures and arrays as Vulkan asks.

#![allow(unsafe_code, reason = "functions with Vulkan's signatures")]

use crate::check::Rule;
use crate::device::{Inner, NullDevice, lock};
use crate::sink::items;
use ash::vk::{self, Handle};
use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::{Arc, Mutex};

/// The type and the number of a handle.
type Key = (vk::ObjectType, u64);

fn key(handle: impl Handle) -> Key {
    (handle_type(&handle), handle.as_raw())
}

fn handle_type<H: Handle>(_: &H) -> vk::ObjectType {
    H::TYPE
}

#[derive(Default)]
pub(crate) struct References {
    /// How often each is referred to.
    counts: Mutex<HashMap<Key, u32>>,
    /// The pool of each descriptor set, and the number that was given out last.
    sets: Mutex<(HashMap<vk::DescriptorSet, vk::DescriptorPool>, u64)>,
}

/// Commands refer to an object, as long as this lives.
pub struct Reference {
    device: Arc<Inner>,
    key: Key,
}

impl Drop for Reference {
    fn drop(&mut self) {
        let mut counts = lock(&self.device.references.counts);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
        }
    }
}

impl std::fmt::Debug for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Reference").field(&self.key).finish()
    }
}

impl NullDevice {
    /// Says that commands refer to the object from now on, until what is returned here is dropped. A checked device
    /// reports it when the object is updated, freed or destroyed meanwhile.
    #[must_use]
    pub fn refer(&self, object: impl Handle) -> Reference {
        let key = key(object);
        let device = Arc::clone(self.shared());
        *lock(&device.references.counts).entry(key).or_default() += 1;
        Reference { device, key }
    }
}

impl Inner {
    /// Something is done to an object that no command may refer to then.
    fn touched(&self, call: &'static str, handle: impl Handle) {
        let key = key(handle);
        let count = lock(&self.references.counts).get(&key).copied();
        if count.unwrap_or(0) > 0 {
            self.violation(call, Rule::ReferredTo);
        }
    }

    /// The sets of a pool go with it.
    fn free_all(&self, call: &'static str, pool: vk::DescriptorPool) {
        let mut sets = lock(&self.references.sets);
        sets.0.retain(|set, of| {
            if *of == pool {
                self.touched(call, *set);
            }
            *of != pool
        });
    }
}

unsafe extern "system" fn create_pool(
    device: vk::Device,
    _: *const vk::DescriptorPoolCreateInfo<'_>,
    _: *const vk::AllocationCallbacks<'_>,
    pool: *mut vk::DescriptorPool,
) -> vk::Result {
    // SAFETY: L1.
    let device = unsafe { Inner::of(device) };
    if let Err(result) = device.planted("vkCreateDescriptorPool") {
        return result;
    }
    let mut sets = lock(&device.references.sets);
    sets.1 += 1;
    // SAFETY: there is room for the handle.
    unsafe { pool.write(vk::DescriptorPool::from_raw(sets.1)) };
    vk::Result::SUCCESS
}

unsafe extern "system" fn allocate(
    device: vk::Device,
    info: *const vk::DescriptorSetAllocateInfo<'_>,
    out: *mut vk::DescriptorSet,
) -> vk::Result {
    // SAFETY: L1.
    let device = unsafe { Inner::of(device) };
    // SAFETY: L1.
    let info = unsafe { &*info };
    if let Err(result) = device.planted("vkAllocateDescriptorSets") {
        return result;
    }
    let mut sets = lock(&device.references.sets);
    for index in 0..info.descriptor_set_count as usize {
        sets.1 += 1;
        let set = vk::DescriptorSet::from_raw(sets.1);
        sets.0.insert(set, info.descriptor_pool);
        // SAFETY: there is room for so many handles.
        let place = unsafe { out.add(index) };
        // SAFETY: as above.
        unsafe { place.write(set) };
    }
    vk::Result::SUCCESS
}

unsafe extern "system" fn free(
    device: vk::Device,
    _: vk::DescriptorPool,
    count: u32,
    freed: *const vk::DescriptorSet,
) -> vk::Result {
    const CALL: &str = "vkFreeDescriptorSets";
    // SAFETY: L1.
    let device = unsafe { Inner::of(device) };
    device.called(CALL);
    // SAFETY: L1.
    for set in unsafe { items(freed, count) } {
        device.touched(CALL, *set);
        lock(&device.references.sets).0.remove(set);
    }
    vk::Result::SUCCESS
}

unsafe extern "system" fn reset_pool(
    device: vk::Device,
    pool: vk::DescriptorPool,
    _: vk::DescriptorPoolResetFlags,
) -> vk::Result {
    const CALL: &str = "vkResetDescriptorPool";
    // SAFETY: L1.
    let device = unsafe { Inner::of(device) };
    device.called(CALL);
    device.free_all(CALL, pool);
    vk::Result::SUCCESS
}

unsafe extern "system" fn destroy_pool(
    device: vk::Device,
    pool: vk::DescriptorPool,
    _: *const vk::AllocationCallbacks<'_>,
) {
    const CALL: &str = "vkDestroyDescriptorPool";
    // SAFETY: L1.
    let device = unsafe { Inner::of(device) };
    device.called(CALL);
    device.free_all(CALL, pool);
}

unsafe extern "system" fn update(
    device: vk::Device,
    write_count: u32,
    writes: *const vk::WriteDescriptorSet<'_>,
    copy_count: u32,
    copies: *const vk::CopyDescriptorSet<'_>,
) {
    const CALL: &str = "vkUpdateDescriptorSets";
    // SAFETY: L1.
    let device = unsafe { Inner::of(device) };
    device.called(CALL);
    // SAFETY: L1.
    for write in unsafe { items(writes, write_count) } {
        device.touched(CALL, write.dst_set);
    }
    // SAFETY: L1.
    for copy in unsafe { items(copies, copy_count) } {
        device.touched(CALL, copy.dst_set);
    }
}

unsafe extern "system" fn update_with_template(
    device: vk::Device,
    set: vk::DescriptorSet,
    _: vk::DescriptorUpdateTemplate,
    _: *const c_void,
) {
    const CALL: &str = "vkUpdateDescriptorSetWithTemplate";
    // SAFETY: L1.
    let device = unsafe { Inner::of(device) };
    device.called(CALL);
    device.touched(CALL, set);
}

unsafe extern "system" fn reset_fences(
    device: vk::Device,
    count: u32,
    fences: *const vk::Fence,
) -> vk::Result {
    const CALL: &str = "vkResetFences";
    // SAFETY: L1.
    let device = unsafe { Inner::of(device) };
    device.called(CALL);
    // SAFETY: L1.
    for fence in unsafe { items(fences, count) } {
        device.touched(CALL, *fence);
    }
    vk::Result::SUCCESS
}

/// The functions that destroy an object and do no more.
macro_rules! destroys {
    ($($call:ident $function:ident($handle:ident) $pfn:ident;)*) => {
        mod destroys {
            use super::*;
            $(pub(super) unsafe extern "system" fn $function(
                device: vk::Device,
                handle: vk::$handle,
                _: *const vk::AllocationCallbacks<'_>,
            ) {
                // SAFETY: L1.
                let device = unsafe { Inner::of(device) };
                device.called(stringify!($call));
                device.touched(stringify!($call), handle);
            })*
        }

        fn find_destroy(name: &[u8]) -> Option<*const c_void> {
            $(if name == stringify!($call).as_bytes() {
                return Some(destroys::$function as vk::$pfn as *const c_void);
            })*
            None
        }
    };
}

destroys! {
    vkDestroyBuffer buffer(Buffer) PFN_vkDestroyBuffer;
    vkDestroyBufferView buffer_view(BufferView) PFN_vkDestroyBufferView;
    vkDestroyDescriptorUpdateTemplate template(DescriptorUpdateTemplate) PFN_vkDestroyDescriptorUpdateTemplate;
    vkDestroyEvent event(Event) PFN_vkDestroyEvent;
    vkDestroyFence fence(Fence) PFN_vkDestroyFence;
    vkDestroyFramebuffer framebuffer(Framebuffer) PFN_vkDestroyFramebuffer;
    vkDestroyImage image(Image) PFN_vkDestroyImage;
    vkDestroyImageView image_view(ImageView) PFN_vkDestroyImageView;
    vkDestroyPipeline pipeline(Pipeline) PFN_vkDestroyPipeline;
    vkDestroyPipelineLayout pipeline_layout(PipelineLayout) PFN_vkDestroyPipelineLayout;
    vkDestroyQueryPool query_pool(QueryPool) PFN_vkDestroyQueryPool;
    vkDestroyRenderPass render_pass(RenderPass) PFN_vkDestroyRenderPass;
    vkDestroySampler sampler(Sampler) PFN_vkDestroySampler;
    vkFreeMemory memory(DeviceMemory) PFN_vkFreeMemory;
}

/// The function of that name.
pub(crate) fn find(name: &[u8]) -> Option<*const c_void> {
    Some(match name {
        b"vkCreateDescriptorPool" => create_pool as vk::PFN_vkCreateDescriptorPool as *const c_void,
        b"vkAllocateDescriptorSets" => {
            allocate as vk::PFN_vkAllocateDescriptorSets as *const c_void
        }
        b"vkFreeDescriptorSets" => free as vk::PFN_vkFreeDescriptorSets as *const c_void,
        b"vkResetDescriptorPool" => reset_pool as vk::PFN_vkResetDescriptorPool as *const c_void,
        b"vkDestroyDescriptorPool" => {
            destroy_pool as vk::PFN_vkDestroyDescriptorPool as *const c_void
        }
        b"vkUpdateDescriptorSets" => update as vk::PFN_vkUpdateDescriptorSets as *const c_void,
        b"vkUpdateDescriptorSetWithTemplate" => {
            update_with_template as vk::PFN_vkUpdateDescriptorSetWithTemplate as *const c_void
        }
        b"vkResetFences" => reset_fences as vk::PFN_vkResetFences as *const c_void,
        _ => return find_destroy(name),
    })
}
