//! Where the arguments of a command go: words, and the arrays and structures behind pointers, copied deeply.
//!
//! # Invariants
//!
//! - V1: what the functions here are given is what a caller of Vulkan gives: structures of the type that they say, arrays
//!   as long as their counts, chains that end.

#![allow(unsafe_code, reason = "reads what a command's pointers lead to")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the arguments of one call are read together"
)]

use crate::layout::{self, Item};
use ash::vk;

/// Takes the arguments of a command one after the other.
pub(crate) trait Sink {
    /// Takes one word.
    fn word(&mut self, word: u64);

    /// Takes one argument.
    #[inline(always)]
    fn put(&mut self, argument: impl Word) {
        self.word(argument.word());
    }

    /// Takes the 4-byte units of an array.
    ///
    /// # Safety
    ///
    /// `items` leads to `count` initialised items without padding whose size is a multiple of 4, or `count` is 0.
    #[inline(always)]
    unsafe fn array<T>(&mut self, items: *const T, count: u32) {
        let units = count as usize * size_of::<T>() / 4;
        let items = items.cast::<u32>();
        for pair in 0..units / 2 {
            // SAFETY: the caller's contract; Vulkan's arrays are aligned to 4 bytes, and this read needs no alignment.
            self.word(unsafe { items.add(2 * pair).cast::<u64>().read_unaligned() });
        }
        if units % 2 == 1 {
            // SAFETY: as above.
            self.word(u64::from(unsafe { items.add(units - 1).read_unaligned() }));
        }
    }

    /// Takes what a pointer leads to.
    ///
    /// # Safety
    ///
    /// As for [`layout::items`].
    unsafe fn items(&mut self, item: Item, items: *const u8, count: usize)
    where
        Self: Sized,
    {
        // SAFETY: the caller's contract.
        unsafe { layout::items(self, item, items, count) }
    }
}

/// An argument that is one word.
pub(crate) trait Word {
    fn word(self) -> u64;
}

macro_rules! words {
    (|$value:ident| $word:expr; $($kind:ty),* $(,)?) => {
        $(impl Word for $kind {
            #[inline(always)]
            fn word(self) -> u64 {
                let $value = self;
                $word
            }
        })*
    };
}

words!(|value| value; u64);
words!(|value| u64::from(value); u32);
words!(|value| u64::from(value as u32); i32);
words!(|value| u64::from(value.to_bits()); f32);
words!(|value| vk::Handle::as_raw(value);
    vk::CommandBuffer, vk::Pipeline, vk::PipelineLayout, vk::Buffer, vk::Image, vk::ImageView, vk::DescriptorSet,
    vk::RenderPass, vk::Framebuffer);
words!(|value| u64::from(value.as_raw() as u32);
    vk::PipelineBindPoint, vk::IndexType, vk::ImageLayout, vk::Filter, vk::SubpassContents, vk::StructureType,
    vk::AttachmentLoadOp, vk::AttachmentStoreOp);
words!(|value| u64::from(value.as_raw());
    vk::ShaderStageFlags, vk::PipelineStageFlags, vk::DependencyFlags, vk::AccessFlags, vk::ImageAspectFlags,
    vk::RenderingFlags, vk::ResolveModeFlags, vk::StencilFaceFlags);
words!(|value| value.as_raw(); vk::PipelineStageFlags2, vk::AccessFlags2);

/// The slice behind a Vulkan count and pointer.
///
/// # Safety
///
/// `pointer` leads to `count` items, or `count` is 0.
pub(crate) unsafe fn items<'a, T>(pointer: *const T, count: u32) -> &'a [T] {
    if count == 0 || pointer.is_null() {
        return &[];
    }
    // SAFETY: the caller's contract.
    unsafe { std::slice::from_raw_parts(pointer, count as usize) }
}
