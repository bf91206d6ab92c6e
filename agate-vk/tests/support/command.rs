//! Random commands: every one that a recorder has, with arguments of any value and arrays of any length.

#![allow(unsafe_code, reason = "every Vulkan command is unsafe")]

use super::support::Random;
use agate_vk::{Recorder, ash, vk};
use std::mem::MaybeUninit;
use vk::Handle;

/// A command with its arguments.
pub(crate) enum Command {
    BindPipeline(vk::PipelineBindPoint, vk::Pipeline),
    BindVertexBuffers(u32, Vec<vk::Buffer>, Vec<u64>),
    BindIndexBuffer(vk::Buffer, u64, vk::IndexType),
    BindDescriptorSets(
        vk::PipelineBindPoint,
        vk::PipelineLayout,
        u32,
        Vec<vk::DescriptorSet>,
        Vec<u32>,
    ),
    PushConstants(vk::PipelineLayout, u32, Vec<u8>),
    PushTyped(vk::PipelineLayout, u32, [u32; 5]),
    PushWith(vk::PipelineLayout, u32, [u64; 8]),
    SetViewport(u32, Vec<vk::Viewport>),
    SetScissor(u32, Vec<vk::Rect2D>),
    SetLineWidth(f32),
    Draw([u32; 4]),
    DrawIndexed([u32; 3], i32, u32),
    Dispatch([u32; 3]),
    Barrier(Vec<u64>, Vec<u64>, Vec<u64>),
    CopyBuffer(vk::Buffer, vk::Buffer, Vec<vk::BufferCopy>),
    CopyImage(vk::Image, vk::Image, Vec<vk::ImageCopy>),
    CopyImageToBuffer(vk::Image, vk::Buffer, Vec<vk::BufferImageCopy>),
    CopyBufferToImage(vk::Buffer, vk::Image, Vec<vk::BufferImageCopy>),
    BlitImage(vk::Image, vk::Image, Vec<vk::ImageBlit>, vk::Filter),
}

const FROM: vk::ImageLayout = vk::ImageLayout::TRANSFER_SRC_OPTIMAL;
const TO: vk::ImageLayout = vk::ImageLayout::TRANSFER_DST_OPTIMAL;

/// Often one of a few: what is said again has forms of its own.
fn handle<H: Handle>(random: &mut Random) -> H {
    H::from_raw(match random.below(4) {
        0 => random.next(),
        _ => random.below(2),
    })
}

/// Often the start of a buffer, for the same reason.
fn place(random: &mut Random) -> u64 {
    match random.below(2) {
        0 => 0,
        _ => random.next(),
    }
}

/// Where pushes go: few places, again.
fn push_offset(random: &mut Random) -> u32 {
    random.below(3) as u32 * 4
}

/// The stages of a push, which differ from place to place.
fn stages(offset: u32) -> vk::ShaderStageFlags {
    vk::ShaderStageFlags::from_raw(1 + offset)
}

fn word(random: &mut Random) -> u32 {
    // Small numbers often: they have forms of their own.
    match random.below(3) {
        0 => random.below(2) as u32,
        _ => random.next() as u32,
    }
}

fn list<T>(random: &mut Random, least: u64, make: impl Fn(&mut Random) -> T) -> Vec<T> {
    let count = least + random.below(5);
    (0..count).map(|_| make(random)).collect()
}

fn size(random: &mut Random) -> vk::Extent3D {
    vk::Extent3D {
        width: word(random),
        height: word(random),
        depth: word(random),
    }
}

fn offset(random: &mut Random) -> vk::Offset3D {
    vk::Offset3D {
        x: word(random) as i32,
        y: word(random) as i32,
        z: word(random) as i32,
    }
}

fn layers(random: &mut Random) -> vk::ImageSubresourceLayers {
    vk::ImageSubresourceLayers {
        aspect_mask: vk::ImageAspectFlags::COLOR,
        mip_level: word(random),
        base_array_layer: word(random),
        layer_count: word(random),
    }
}

fn region(random: &mut Random) -> vk::BufferImageCopy {
    vk::BufferImageCopy {
        buffer_offset: random.next(),
        buffer_row_length: word(random),
        buffer_image_height: word(random),
        image_subresource: layers(random),
        image_offset: offset(random),
        image_extent: size(random),
    }
}

impl Command {
    pub(crate) fn random(random: &mut Random) -> Self {
        let r = random;
        match r.below(19) {
            0 => Self::BindPipeline(
                vk::PipelineBindPoint::from_raw(r.below(2) as i32),
                handle(r),
            ),
            1 => {
                let buffers = list(r, 1, handle);
                let offsets = buffers.iter().map(|_| place(r)).collect();
                Self::BindVertexBuffers(word(r), buffers, offsets)
            }
            2 => Self::BindIndexBuffer(
                handle(r),
                r.next(),
                vk::IndexType::from_raw(r.below(2) as i32),
            ),
            3 => Self::BindDescriptorSets(
                vk::PipelineBindPoint::COMPUTE,
                handle(r),
                word(r),
                list(r, 1, handle),
                list(r, 0, word),
            ),
            4 => {
                let words = r.below(33) as usize;
                let bytes = (0..4 * words).map(|_| r.next() as u8).collect();
                Self::PushConstants(handle(r), push_offset(r), bytes)
            }
            5 => Self::PushTyped(handle(r), push_offset(r), std::array::from_fn(|_| word(r))),
            6 => Self::PushWith(handle(r), push_offset(r), std::array::from_fn(|_| r.next())),
            7 => Self::SetViewport(
                word(r),
                list(r, 1, |r| vk::Viewport {
                    x: word(r) as f32,
                    width: word(r) as f32,
                    ..Default::default()
                }),
            ),
            8 => Self::SetScissor(
                word(r),
                list(r, 1, |r| vk::Rect2D {
                    offset: vk::Offset2D {
                        x: word(r) as i32,
                        y: word(r) as i32,
                    },
                    extent: vk::Extent2D {
                        width: word(r),
                        height: word(r),
                    },
                }),
            ),
            9 => Self::SetLineWidth(word(r) as f32),
            // A short draw, as most are; behind push constants it joins them.
            10 => Self::Draw([word(r), 1, 0, 0]),
            11 => Self::Draw(std::array::from_fn(|_| word(r))),
            12 => Self::DrawIndexed([word(r), 1, 0], 0, 0),
            13 => Self::DrawIndexed(std::array::from_fn(|_| word(r)), word(r) as i32, word(r)),
            14 => Self::Dispatch(std::array::from_fn(|_| word(r))),
            15 => {
                let numbers = |r: &mut Random| list(r, 0, Random::next);
                Self::Barrier(numbers(r), numbers(r), numbers(r))
            }
            16 => Self::CopyBuffer(
                handle(r),
                handle(r),
                list(r, 1, |r| vk::BufferCopy {
                    src_offset: r.next(),
                    dst_offset: r.next(),
                    size: r.next(),
                }),
            ),
            17 => match r.below(3) {
                0 => Self::CopyImage(
                    handle(r),
                    handle(r),
                    list(r, 1, |r| vk::ImageCopy {
                        src_subresource: layers(r),
                        src_offset: offset(r),
                        dst_subresource: layers(r),
                        dst_offset: offset(r),
                        extent: size(r),
                    }),
                ),
                1 => Self::CopyImageToBuffer(handle(r), handle(r), list(r, 1, region)),
                _ => Self::CopyBufferToImage(handle(r), handle(r), list(r, 1, region)),
            },
            _ => Self::BlitImage(
                handle(r),
                handle(r),
                list(r, 1, |r| vk::ImageBlit {
                    src_subresource: layers(r),
                    src_offsets: [offset(r), offset(r)],
                    dst_subresource: layers(r),
                    dst_offsets: [offset(r), offset(r)],
                }),
                vk::Filter::from_raw(r.below(2) as i32),
            ),
        }
    }

    /// Records it through a recorder.
    pub(crate) fn record(&self, to: &mut impl Recorder) {
        // SAFETY: the device takes any command.
        unsafe {
            match self {
                Self::BindPipeline(point, pipeline) => to.cmd_bind_pipeline(*point, *pipeline),
                Self::BindVertexBuffers(first, buffers, offsets) => {
                    to.cmd_bind_vertex_buffers(*first, buffers, offsets);
                }
                Self::BindIndexBuffer(buffer, offset, kind) => {
                    to.cmd_bind_index_buffer(*buffer, *offset, *kind);
                }
                Self::BindDescriptorSets(point, layout, first, sets, offsets) => {
                    to.cmd_bind_descriptor_sets(*point, *layout, *first, sets, offsets);
                }
                Self::PushConstants(layout, offset, bytes) => {
                    to.cmd_push_constants(*layout, stages(*offset), *offset, bytes);
                }
                Self::PushTyped(layout, offset, words) => {
                    to.push_constants(*layout, stages(*offset), *offset, words);
                }
                Self::PushWith(layout, offset, words) => {
                    let write = |to: &mut MaybeUninit<[u64; 8]>| {
                        to.write(*words);
                    };
                    to.push_constants_with(*layout, stages(*offset), *offset, write);
                }
                Self::SetViewport(first, viewports) => to.cmd_set_viewport(*first, viewports),
                Self::SetScissor(first, scissors) => to.cmd_set_scissor(*first, scissors),
                Self::SetLineWidth(width) => to.cmd_set_line_width(*width),
                Self::Draw([a, b, c, d]) => to.cmd_draw(*a, *b, *c, *d),
                Self::DrawIndexed([a, b, c], offset, d) => {
                    to.cmd_draw_indexed(*a, *b, *c, *offset, *d);
                }
                Self::Dispatch([x, y, z]) => to.cmd_dispatch(*x, *y, *z),
                Self::Barrier(..) => self.barrier(|info| to.cmd_pipeline_barrier2(info)),
                Self::CopyBuffer(from, target, regions) => {
                    to.cmd_copy_buffer(*from, *target, regions);
                }
                Self::CopyImage(from, target, regions) => {
                    to.cmd_copy_image(*from, FROM, *target, TO, regions);
                }
                Self::CopyImageToBuffer(from, target, regions) => {
                    to.cmd_copy_image_to_buffer(*from, FROM, *target, regions);
                }
                Self::CopyBufferToImage(from, target, regions) => {
                    to.cmd_copy_buffer_to_image(*from, *target, TO, regions);
                }
                Self::BlitImage(from, target, regions, filter) => {
                    to.cmd_blit_image(*from, FROM, *target, TO, regions, *filter);
                }
            }
        }
    }

    /// Calls it directly.
    pub(crate) fn direct(&self, to: &ash::Device, at: vk::CommandBuffer) {
        // SAFETY: as above.
        unsafe {
            match self {
                Self::BindPipeline(point, pipeline) => to.cmd_bind_pipeline(at, *point, *pipeline),
                Self::BindVertexBuffers(first, buffers, offsets) => {
                    to.cmd_bind_vertex_buffers(at, *first, buffers, offsets);
                }
                Self::BindIndexBuffer(buffer, offset, kind) => {
                    to.cmd_bind_index_buffer(at, *buffer, *offset, *kind);
                }
                Self::BindDescriptorSets(point, layout, first, sets, offsets) => {
                    to.cmd_bind_descriptor_sets(at, *point, *layout, *first, sets, offsets);
                }
                Self::PushConstants(layout, offset, bytes) => {
                    to.cmd_push_constants(at, *layout, stages(*offset), *offset, bytes);
                }
                Self::PushTyped(layout, offset, words) => {
                    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_ne_bytes()).collect();
                    to.cmd_push_constants(at, *layout, stages(*offset), *offset, &bytes);
                }
                Self::PushWith(layout, offset, words) => {
                    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_ne_bytes()).collect();
                    to.cmd_push_constants(at, *layout, stages(*offset), *offset, &bytes);
                }
                Self::SetViewport(first, viewports) => to.cmd_set_viewport(at, *first, viewports),
                Self::SetScissor(first, scissors) => to.cmd_set_scissor(at, *first, scissors),
                Self::SetLineWidth(width) => to.cmd_set_line_width(at, *width),
                Self::Draw([a, b, c, d]) => to.cmd_draw(at, *a, *b, *c, *d),
                Self::DrawIndexed([a, b, c], offset, d) => {
                    to.cmd_draw_indexed(at, *a, *b, *c, *offset, *d);
                }
                Self::Dispatch([x, y, z]) => to.cmd_dispatch(at, *x, *y, *z),
                Self::Barrier(..) => self.barrier(|info| to.cmd_pipeline_barrier2(at, info)),
                Self::CopyBuffer(from, target, regions) => {
                    to.cmd_copy_buffer(at, *from, *target, regions);
                }
                Self::CopyImage(from, target, regions) => {
                    to.cmd_copy_image(at, *from, FROM, *target, TO, regions);
                }
                Self::CopyImageToBuffer(from, target, regions) => {
                    to.cmd_copy_image_to_buffer(at, *from, FROM, *target, regions);
                }
                Self::CopyBufferToImage(from, target, regions) => {
                    to.cmd_copy_buffer_to_image(at, *from, *target, TO, regions);
                }
                Self::BlitImage(from, target, regions, filter) => {
                    to.cmd_blit_image(at, *from, FROM, *target, TO, regions, *filter);
                }
            }
        }
    }

    fn barrier(&self, give: impl FnOnce(&vk::DependencyInfo<'_>)) {
        let Self::Barrier(memory, buffers, images) = self else {
            return;
        };
        let access = vk::AccessFlags2::from_raw;
        let memory: Vec<_> = memory
            .iter()
            .map(|n| vk::MemoryBarrier2::default().src_access_mask(access(*n)))
            .collect();
        let buffers: Vec<_> = buffers
            .iter()
            .map(|n| {
                vk::BufferMemoryBarrier2::default()
                    .buffer(vk::Buffer::from_raw(*n))
                    .offset(n / 2)
                    .dst_access_mask(access(n / 3))
            })
            .collect();
        let images: Vec<_> = images
            .iter()
            .map(|n| {
                vk::ImageMemoryBarrier2::default()
                    .image(vk::Image::from_raw(*n))
                    .new_layout(TO)
                    .src_stage_mask(vk::PipelineStageFlags2::from_raw(n / 2))
                    .subresource_range(vk::ImageSubresourceRange {
                        layer_count: *n as u32,
                        ..Default::default()
                    })
            })
            .collect();
        let info = vk::DependencyInfo::default()
            .memory_barriers(&memory)
            .buffer_memory_barriers(&buffers)
            .image_memory_barriers(&images);
        give(&info);
    }
}
