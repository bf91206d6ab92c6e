//! Commands by hand: those whose arrays the registry does not describe so that a program understands it, and the long
//! forms of those that `encode.rs` has in short forms.

#![allow(
    unsafe_code,
    reason = "copies structures with interior pointers into a block"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the words of one command are written together"
)]

use super::deep::{Span, encode};
use super::encode::pair;
use super::generated::layouts::{
    ACCELERATION_STRUCTURE_BUILD_GEOMETRY_INFO_KHR as BUILD,
    PUSH_DESCRIPTOR_SET_WITH_TEMPLATE_INFO_KHR as TEMPLATE_INFO,
};
use super::generated::table;
use super::layout::Item;
use super::replay::{Words, nobody_encodes};
use super::{header, op, words_of};
use crate::error::RecordError;
use crate::raw::Device;
use crate::recorder::cursor::Cursor;
use ash::vk::{self, Handle};
use std::slice;

/// Where the next array of a command goes.
struct Tail(*mut u64);

impl Tail {
    /// Copies `items` to the tail and returns where they are; null for none.
    ///
    /// # Safety
    ///
    /// The command has room for them.
    unsafe fn put<T: Copy>(&mut self, items: &[T]) -> *const T {
        if items.is_empty() {
            return std::ptr::null();
        }
        let at = self.0.cast::<T>();
        // SAFETY: the caller's contract; `T` is aligned to at most 8 bytes.
        unsafe {
            std::ptr::copy_nonoverlapping(items.as_ptr(), at, items.len());
            self.0 = self.0.add(words_of(size_of_val(items)));
        }
        at
    }
}

/// `[header + first, count, offsets …, buffers …]`
pub(super) unsafe fn bind_vertex_buffers(
    cursor: &mut Cursor,
    first_binding: u32,
    buffers: &[vk::Buffer],
    offsets: &[vk::DeviceSize],
) {
    const NAME: &str = "vkCmdBindVertexBuffers";
    if buffers.len() != offsets.len() {
        return cursor.fail(RecordError::BadArgument {
            command: NAME,
            argument: "offsets",
        });
    }
    let words = 2 + 2 * buffers.len();
    let Some(at) = cursor.reserve_words(words, NAME) else {
        return;
    };
    // SAFETY: `words` words are reserved.
    unsafe {
        at.write(header(op::BIND_VERTEX_BUFFERS, words, first_binding));
        at.add(1).write(buffers.len() as u64);
        let mut tail = Tail(at.add(2));
        tail.put(offsets);
        tail.put(buffers);
    }
}

/// `[header + bind point, layout, first set | set count, offset count, sets …, offsets …]`
pub(super) unsafe fn bind_descriptor_sets(
    cursor: &mut Cursor,
    bind_point: vk::PipelineBindPoint,
    layout: vk::PipelineLayout,
    first_set: u32,
    sets: &[vk::DescriptorSet],
    offsets: &[u32],
) {
    let words = 4 + sets.len() + words_of(size_of_val(offsets));
    let Some(at) = cursor.reserve_words(words, "vkCmdBindDescriptorSets") else {
        return;
    };
    // SAFETY: `words` words are reserved.
    unsafe {
        at.write(header(
            op::BIND_DESCRIPTOR_SETS,
            words,
            bind_point.as_raw() as u32,
        ));
        at.add(1).write(layout.as_raw());
        at.add(2)
            .write(u64::from(first_set) | (sets.len() as u64) << 32);
        at.add(3).write(offsets.len() as u64);
        let mut tail = Tail(at.add(4));
        tail.put(sets);
        tail.put(offsets);
    }
}

/// Refuses an argument.
fn refused(mut cursor: Cursor, index: u16, argument: &'static str) -> Cursor {
    let command = super::table::Command::of(index).name;
    cursor.fail(RecordError::BadArgument { command, argument });
    cursor
}

/// `[header + samples, mask]`
pub(crate) unsafe fn set_sample_mask(
    cursor: Cursor,
    samples: vk::SampleCountFlags,
    mask: &[vk::SampleMask],
) -> Cursor {
    const INDEX: u16 = table::SET_SAMPLE_MASK;
    // The flag of so many samples is their number.
    if mask.len() != samples.as_raw().div_ceil(32) as usize {
        return refused(cursor, INDEX, "sample_mask");
    }
    // SAFETY: plain numbers.
    unsafe { encode(cursor, INDEX, samples.as_raw(), &[], &[Span::flat(mask)]) }
}

/// The bytes of `count` items that stand apart by `stride`; the last one need not be followed by a gap.
///
/// # Safety
///
/// They are there.
unsafe fn apart<'a, T>(first: *const T, count: u32, stride: u32) -> Option<&'a [u8]> {
    let Some(before) = (count as usize).checked_sub(1) else {
        return Some(&[]);
    };
    let size = before * stride as usize + size_of::<T>();
    // SAFETY: the caller's contract.
    (!first.is_null()).then(|| unsafe { slice::from_raw_parts(first.cast(), size) })
}

/// `[header + count, instances | first instance, stride, items]`
pub(crate) unsafe fn draw_multi(
    cursor: Cursor,
    draw_count: u32,
    vertex_info: *const vk::MultiDrawInfoEXT,
    instance_count: u32,
    first_instance: u32,
    stride: u32,
) -> Cursor {
    const INDEX: u16 = table::DRAW_MULTI;
    // SAFETY: the caller's contract.
    let Some(bytes) = (unsafe { apart(vertex_info, draw_count, stride) }) else {
        return refused(cursor, INDEX, "vertex_info");
    };
    let fixed = [pair(instance_count, first_instance), u64::from(stride)];
    // SAFETY: plain numbers.
    unsafe { encode(cursor, INDEX, draw_count, &fixed, &[Span::flat(bytes)]) }
}

/// `[header + count, instances | first instance, stride, items, vertex offset]`
pub(crate) unsafe fn draw_multi_indexed(
    cursor: Cursor,
    draw_count: u32,
    index_info: *const vk::MultiDrawIndexedInfoEXT,
    (instance_count, first_instance): (u32, u32),
    stride: u32,
    vertex_offset: Option<&i32>,
) -> Cursor {
    const INDEX: u16 = table::DRAW_MULTI_INDEXED;
    // SAFETY: the caller's contract.
    let Some(bytes) = (unsafe { apart(index_info, draw_count, stride) }) else {
        return refused(cursor, INDEX, "index_info");
    };
    let fixed = [pair(instance_count, first_instance), u64::from(stride)];
    let offset = vertex_offset.map(slice::from_ref);
    let spans = [Span::flat(bytes), Span::maybe_flat(offset)];
    // SAFETY: plain numbers.
    unsafe { encode(cursor, INDEX, draw_count, &fixed, &spans) }
}

/// `[header + set, template, layout, data]`
pub(crate) unsafe fn push_descriptor_set_with_template(
    cursor: Cursor,
    template: vk::DescriptorUpdateTemplate,
    layout: vk::PipelineLayout,
    set: u32,
    data: &[u8],
) -> Cursor {
    const INDEX: u16 = table::PUSH_DESCRIPTOR_SET_WITH_TEMPLATE;
    let fixed = [template.as_raw(), layout.as_raw()];
    // SAFETY: plain bytes.
    unsafe { encode(cursor, INDEX, set, &fixed, &[Span::flat(data)]) }
}

/// `[header, info, data]`; replay has the info lead to the data.
pub(crate) unsafe fn push_descriptor_set_with_template2(
    cursor: Cursor,
    info: &vk::PushDescriptorSetWithTemplateInfoKHR<'_>,
    size: usize,
) -> Cursor {
    const INDEX: u16 = table::PUSH_DESCRIPTOR_SET_WITH_TEMPLATE2;
    let data: &[u8] = match (info.p_data.is_null(), size) {
        (_, 0) => &[],
        (true, _) => return refused(cursor, INDEX, "push_descriptor_set_with_template_info"),
        // SAFETY: the caller's contract.
        (false, _) => unsafe { slice::from_raw_parts(info.p_data.cast(), size) },
    };
    let spans = [
        Span::deep(&TEMPLATE_INFO, slice::from_ref(info)),
        Span::flat(data),
    ];
    // SAFETY: the caller vouches for the chain.
    unsafe { encode(cursor, INDEX, 0, &[], &spans) }
}

/// `[header + count, infos, ranges]`
pub(crate) unsafe fn build_acceleration_structures(
    cursor: Cursor,
    infos: &[vk::AccelerationStructureBuildGeometryInfoKHR<'_>],
    build_range_infos: &[&[vk::AccelerationStructureBuildRangeInfoKHR]],
) -> Cursor {
    const INDEX: u16 = table::BUILD_ACCELERATION_STRUCTURES;
    if !as_long(infos, build_range_infos) {
        return refused(cursor, INDEX, "build_range_infos");
    }
    let list = |i: usize| list_of(build_range_infos, i);
    let spans = [
        Span::deep(&BUILD, infos),
        Span::Lists {
            count: infos.len(),
            of: Item::Plain(size_of::<vk::AccelerationStructureBuildRangeInfoKHR>()),
            list: &list,
        },
    ];
    // SAFETY: the caller vouches for the infos; the lists are slices.
    unsafe { encode(cursor, INDEX, infos.len() as u32, &[], &spans) }
}

/// `[header + count, infos, addresses, strides, counts]`
pub(crate) unsafe fn build_acceleration_structures_indirect(
    cursor: Cursor,
    infos: &[vk::AccelerationStructureBuildGeometryInfoKHR<'_>],
    indirect_device_addresses: &[vk::DeviceAddress],
    indirect_strides: &[u32],
    max_primitive_counts: &[&[u32]],
) -> Cursor {
    const INDEX: u16 = table::BUILD_ACCELERATION_STRUCTURES_INDIRECT;
    let count = infos.len();
    if indirect_device_addresses.len() != count {
        return refused(cursor, INDEX, "indirect_device_addresses");
    }
    if indirect_strides.len() != count {
        return refused(cursor, INDEX, "indirect_strides");
    }
    if !as_long(infos, max_primitive_counts) {
        return refused(cursor, INDEX, "max_primitive_counts");
    }
    let list = |i: usize| list_of(max_primitive_counts, i);
    let spans = [
        Span::deep(&BUILD, infos),
        Span::flat(indirect_device_addresses),
        Span::flat(indirect_strides),
        Span::Lists {
            count,
            of: Item::Plain(4),
            list: &list,
        },
    ];
    // SAFETY: as above.
    unsafe { encode(cursor, INDEX, count as u32, &[], &spans) }
}

/// Whether there is a list for each info, as long as its geometries.
pub(super) fn as_long<T>(
    infos: &[vk::AccelerationStructureBuildGeometryInfoKHR<'_>],
    lists: &[&[T]],
) -> bool {
    let mut pairs = infos.iter().zip(lists);
    infos.len() == lists.len()
        && pairs.all(|(info, list)| info.geometry_count as usize == list.len())
}

fn list_of<T>(lists: &[&[T]], index: usize) -> (*const u8, usize) {
    let list = lists.get(index).copied().unwrap_or_default();
    (list.as_ptr().cast(), list.len())
}

/// Replays one of the commands of this file that the table lists.
///
/// # Safety
///
/// As `replay::replay`; the words are those that an encoder of this file wrote.
#[cold]
pub(super) unsafe fn replay(
    device: &Device,
    buffer: vk::CommandBuffer,
    index: u16,
    inline: u32,
    words: Words,
) {
    // SAFETY: each arm reads what the encoder of its command wrote (C2); the function was there when it was encoded.
    unsafe {
        match index {
            table::SET_SAMPLE_MASK => {
                let call: vk::PFN_vkCmdSetSampleMaskEXT = device.function(index);
                let samples = vk::SampleCountFlags::from_raw(inline);
                call(buffer, samples, words.pointer(1));
            }
            table::DRAW_MULTI => {
                let call: vk::PFN_vkCmdDrawMultiEXT = device.function(index);
                let (instances, first) = (words.low(1), words.high(1));
                let items = words.pointer(3);
                call(buffer, inline, items, instances, first, words.low(2));
            }
            table::DRAW_MULTI_INDEXED => {
                let call: vk::PFN_vkCmdDrawMultiIndexedEXT = device.function(index);
                let (instances, first) = (words.low(1), words.high(1));
                let (items, offset) = (words.pointer(3), words.pointer(4));
                let stride = words.low(2);
                call(buffer, inline, items, instances, first, stride, offset);
            }
            table::PUSH_DESCRIPTOR_SET_WITH_TEMPLATE => {
                let call: vk::PFN_vkCmdPushDescriptorSetWithTemplateKHR = device.function(index);
                let (template, layout) = (words.handle(1), words.handle(2));
                call(buffer, template, layout, inline, words.pointer(3));
            }
            table::PUSH_DESCRIPTOR_SET_WITH_TEMPLATE2 => {
                let call: vk::PFN_vkCmdPushDescriptorSetWithTemplate2KHR = device.function(index);
                let mut info: vk::PushDescriptorSetWithTemplateInfoKHR<'_> = words
                    .pointer::<vk::PushDescriptorSetWithTemplateInfoKHR<'_>>(1)
                    .read();
                info.p_data = words.pointer(2);
                call(buffer, &info);
            }
            table::BUILD_ACCELERATION_STRUCTURES => {
                let call: vk::PFN_vkCmdBuildAccelerationStructuresKHR = device.function(index);
                call(buffer, inline, words.pointer(1), words.pointer(2));
            }
            table::BUILD_ACCELERATION_STRUCTURES_INDIRECT => {
                let call: vk::PFN_vkCmdBuildAccelerationStructuresIndirectKHR =
                    device.function(index);
                let (infos, addresses) = (words.pointer(1), words.pointer(2));
                let (strides, counts) = (words.pointer(3), words.pointer(4));
                call(buffer, inline, infos, addresses, strides, counts);
            }
            _ => nobody_encodes(),
        }
    }
}

/// Declares the commands of this file that the table lists, in the trait.
macro_rules! declare {
    () => {
        /// `vkCmdSetSampleMaskEXT`. The mask has a bit for each sample, 32 in a word.
        ///
        /// # Safety
        ///
        /// See [the trait](Recorder#safety).
        #[doc(alias = "vkCmdSetSampleMaskEXT")]
        unsafe fn cmd_set_sample_mask(
            &mut self,
            samples: vk::SampleCountFlags,
            sample_mask: &[vk::SampleMask],
        );

        /// `vkCmdDrawMultiEXT`. The draws stand `stride` bytes apart, and are copied with what stands between them.
        ///
        /// # Safety
        ///
        /// See [the trait](Recorder#safety); and from the first draw to the end of the last, all bytes are initialised.
        #[doc(alias = "vkCmdDrawMultiEXT")]
        unsafe fn cmd_draw_multi(
            &mut self,
            draw_count: u32,
            vertex_info: *const vk::MultiDrawInfoEXT,
            instance_count: u32,
            first_instance: u32,
            stride: u32,
        );

        /// `vkCmdDrawMultiIndexedEXT`. The draws stand `stride` bytes apart, and are copied with what stands between them.
        ///
        /// # Safety
        ///
        /// As for [`cmd_draw_multi`](Self::cmd_draw_multi).
        #[doc(alias = "vkCmdDrawMultiIndexedEXT")]
        unsafe fn cmd_draw_multi_indexed(
            &mut self,
            draw_count: u32,
            index_info: *const vk::MultiDrawIndexedInfoEXT,
            instance_count: u32,
            first_instance: u32,
            stride: u32,
            vertex_offset: Option<&i32>,
        );

        /// `vkCmdPushDescriptorSetWithTemplateKHR`. `data` is all that the template reads, from its start: the template
        /// alone knows how much that is. Pointers in it are not followed.
        ///
        /// # Safety
        ///
        /// See [the trait](Recorder#safety).
        #[doc(alias = "vkCmdPushDescriptorSetWithTemplateKHR")]
        unsafe fn cmd_push_descriptor_set_with_template(
            &mut self,
            descriptor_update_template: vk::DescriptorUpdateTemplate,
            layout: vk::PipelineLayout,
            set: u32,
            data: &[u8],
        );

        /// `vkCmdPushDescriptorSetWithTemplate2KHR`. `size` bytes at `pData` are all that the template reads: the template
        /// alone knows how much that is. Pointers in it are not followed.
        ///
        /// # Safety
        ///
        /// See [the trait](Recorder#safety).
        #[doc(alias = "vkCmdPushDescriptorSetWithTemplate2KHR")]
        unsafe fn cmd_push_descriptor_set_with_template2(
            &mut self,
            push_descriptor_set_with_template_info: &vk::PushDescriptorSetWithTemplateInfoKHR<'_>,
            size: usize,
        );

        /// `vkCmdBuildAccelerationStructuresKHR`. For each info there is a list, with a range for each geometry.
        ///
        /// # Safety
        ///
        /// See [the trait](Recorder#safety).
        #[doc(alias = "vkCmdBuildAccelerationStructuresKHR")]
        unsafe fn cmd_build_acceleration_structures(
            &mut self,
            infos: &[vk::AccelerationStructureBuildGeometryInfoKHR<'_>],
            build_range_infos: &[&[vk::AccelerationStructureBuildRangeInfoKHR]],
        );

        /// `vkCmdBuildAccelerationStructuresIndirectKHR`. For each info there is a list, with a number for each geometry.
        ///
        /// # Safety
        ///
        /// See [the trait](Recorder#safety).
        #[doc(alias = "vkCmdBuildAccelerationStructuresIndirectKHR")]
        unsafe fn cmd_build_acceleration_structures_indirect(
            &mut self,
            infos: &[vk::AccelerationStructureBuildGeometryInfoKHR<'_>],
            indirect_device_addresses: &[vk::DeviceAddress],
            indirect_strides: &[u32],
            max_primitive_counts: &[&[u32]],
        );
    };
}

/// Encodes them, for all that have a cursor.
macro_rules! encode_all {
    ($($method:ident: $index:ident $encoder:ident($($argument:ident: $kind:ty),*) gives ($($given:expr),*);)*) => {
        $(
            #[inline]
            unsafe fn $method(&mut self, $($argument: $kind),*) {
                let cursor = self.cursor_for($crate::commands::generated::table::$index);
                // SAFETY: the arguments' contract is the caller's.
                *cursor = unsafe { $crate::commands::irregular::$encoder(*cursor, $($given),*) };
            }
        )*
    };
}

/// As [`encode_all`], with the commands.
macro_rules! encode {
    () => {
        $crate::commands::irregular::encode_all! {
            cmd_set_sample_mask: SET_SAMPLE_MASK set_sample_mask(
                samples: vk::SampleCountFlags, sample_mask: &[vk::SampleMask]
            ) gives (samples, sample_mask);
            cmd_draw_multi: DRAW_MULTI draw_multi(
                draw_count: u32, vertex_info: *const vk::MultiDrawInfoEXT, instance_count: u32, first_instance: u32,
                stride: u32
            ) gives (draw_count, vertex_info, instance_count, first_instance, stride);
            cmd_draw_multi_indexed: DRAW_MULTI_INDEXED draw_multi_indexed(
                draw_count: u32, index_info: *const vk::MultiDrawIndexedInfoEXT, instance_count: u32,
                first_instance: u32, stride: u32, vertex_offset: Option<&i32>
            ) gives (draw_count, index_info, (instance_count, first_instance), stride, vertex_offset);
            cmd_push_descriptor_set_with_template: PUSH_DESCRIPTOR_SET_WITH_TEMPLATE push_descriptor_set_with_template(
                descriptor_update_template: vk::DescriptorUpdateTemplate, layout: vk::PipelineLayout, set: u32,
                data: &[u8]
            ) gives (descriptor_update_template, layout, set, data);
            cmd_push_descriptor_set_with_template2: PUSH_DESCRIPTOR_SET_WITH_TEMPLATE2 push_descriptor_set_with_template2(
                info: &vk::PushDescriptorSetWithTemplateInfoKHR<'_>, size: usize
            ) gives (info, size);
            cmd_build_acceleration_structures: BUILD_ACCELERATION_STRUCTURES build_acceleration_structures(
                infos: &[vk::AccelerationStructureBuildGeometryInfoKHR<'_>],
                build_range_infos: &[&[vk::AccelerationStructureBuildRangeInfoKHR]]
            ) gives (infos, build_range_infos);
            cmd_build_acceleration_structures_indirect: BUILD_ACCELERATION_STRUCTURES_INDIRECT build_acceleration_structures_indirect(
                infos: &[vk::AccelerationStructureBuildGeometryInfoKHR<'_>],
                indirect_device_addresses: &[vk::DeviceAddress], indirect_strides: &[u32],
                max_primitive_counts: &[&[u32]]
            ) gives (infos, indirect_device_addresses, indirect_strides, max_primitive_counts);
        }
    };
}

/// Hands them on, for [`Eliminating`](crate::Eliminating), where those that are no draws may set any state, or for
/// [`AnyRecorder`](crate::AnyRecorder).
macro_rules! hand_on {
    ($whose:ident) => {
        $crate::commands::irregular::hand_on! { $whose:
            set_other cmd_set_sample_mask(samples: vk::SampleCountFlags, sample_mask: &[vk::SampleMask]);
            drawn cmd_draw_multi(
                draw_count: u32, vertex_info: *const vk::MultiDrawInfoEXT, instance_count: u32, first_instance: u32,
                stride: u32
            );
            drawn cmd_draw_multi_indexed(
                draw_count: u32, index_info: *const vk::MultiDrawIndexedInfoEXT, instance_count: u32,
                first_instance: u32, stride: u32, vertex_offset: Option<&i32>
            );
            forget cmd_push_descriptor_set_with_template(
                descriptor_update_template: vk::DescriptorUpdateTemplate, layout: vk::PipelineLayout, set: u32,
                data: &[u8]
            );
            forget cmd_push_descriptor_set_with_template2(
                info: &vk::PushDescriptorSetWithTemplateInfoKHR<'_>, size: usize
            );
            forget cmd_build_acceleration_structures(
                infos: &[vk::AccelerationStructureBuildGeometryInfoKHR<'_>],
                build_range_infos: &[&[vk::AccelerationStructureBuildRangeInfoKHR]]
            );
            forget cmd_build_acceleration_structures_indirect(
                infos: &[vk::AccelerationStructureBuildGeometryInfoKHR<'_>],
                indirect_device_addresses: &[vk::DeviceAddress], indirect_strides: &[u32],
                max_primitive_counts: &[&[u32]]
            );
        }
    };
    (eliminating: $($effect:ident $method:ident($($argument:ident: $kind:ty),*);)*) => {
        $(
            #[inline(always)]
            unsafe fn $method(&mut self, $($argument: $kind),*) {
                self.shadow.$effect();
                // SAFETY: the arguments' contract is the caller's.
                unsafe { self.inner.$method($($argument),*) };
            }
        )*
    };
    (any: $($effect:ident $method:ident($($argument:ident: $kind:ty),*);)*) => {
        $(
            #[inline]
            unsafe fn $method(&mut self, $($argument: $kind),*) {
                in_its_lane!(self.$method($($argument),*));
            }
        )*
    };
}

pub(crate) use {declare, encode as encode_irregular, encode_all, hand_on};
