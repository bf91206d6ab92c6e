//! What a frame consists of, told once for every way of recording it.
//!
//! A frame is: setup (barriers), the pass with the ground and all stones, finish (copies to the window or to a file).
//! The strategies differ in who records these parts, and where; what is recorded is here.

use std::ops::Range;

use ash::vk;

use crate::gpu::memory::whole;
use crate::gpu::readback::Readback;
use crate::gpu::target::Target;
use crate::scene::{GROUND_VERTICES, View};
use crate::stage::Stage;

/// The Vulkan commands that a frame uses, wherever they go: each method is one `vkCmd*`.
///
/// # Safety rule
///
/// Handles passed in must stay alive until the frame retires; the callers in this file pass only those of a
/// [`Stage`], which outlives its frames.
pub(crate) trait Commands {
    fn bind_pipeline(&mut self, pipeline: vk::Pipeline);
    fn set_viewport(&mut self, viewport: vk::Viewport);
    fn set_scissor(&mut self, scissor: vk::Rect2D);
    fn bind_vertices(&mut self, vertices: vk::Buffer);
    fn bind_indices(&mut self, indices: vk::Buffer);
    fn push<T: Copy>(&mut self, layout: vk::PipelineLayout, value: &T);
    fn draw(&mut self, vertices: u32);
    fn draw_indexed(&mut self, indices: u32);
    fn barrier(&mut self, barriers: &vk::DependencyInfo<'_>);
    fn blit(&mut self, from: vk::Image, to: vk::Image, region: vk::ImageBlit);
    fn copy_to_buffer(&mut self, from: vk::Image, to: vk::Buffer, region: vk::BufferImageCopy);
}

/// An image of a window's swapchain that the frame will be shown in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub(crate) image: vk::Image,
    pub(crate) extent: vk::Extent2D,
}

/// Readies the target: its old contents are given up once the frame before has been copied from it.
pub(crate) fn setup(commands: &mut impl Commands, target: &Target) {
    let color = vk::ImageMemoryBarrier2::default()
        .src_stage_mask(
            vk::PipelineStageFlags2::ALL_TRANSFER
                | vk::PipelineStageFlags2::COLOR_ATTACHMENT_OUTPUT,
        )
        .src_access_mask(vk::AccessFlags2::COLOR_ATTACHMENT_WRITE)
        .dst_stage_mask(vk::PipelineStageFlags2::COLOR_ATTACHMENT_OUTPUT)
        .dst_access_mask(
            vk::AccessFlags2::COLOR_ATTACHMENT_WRITE | vk::AccessFlags2::COLOR_ATTACHMENT_READ,
        )
        .new_layout(vk::ImageLayout::COLOR_ATTACHMENT_OPTIMAL)
        .subresource_range(whole(vk::ImageAspectFlags::COLOR));
    let tests = vk::PipelineStageFlags2::EARLY_FRAGMENT_TESTS
        | vk::PipelineStageFlags2::LATE_FRAGMENT_TESTS;
    let depth_write = vk::AccessFlags2::DEPTH_STENCIL_ATTACHMENT_WRITE;
    let depth = vk::ImageMemoryBarrier2::default()
        .src_stage_mask(tests)
        .src_access_mask(depth_write)
        .dst_stage_mask(tests)
        .dst_access_mask(depth_write | vk::AccessFlags2::DEPTH_STENCIL_ATTACHMENT_READ)
        .new_layout(vk::ImageLayout::DEPTH_STENCIL_ATTACHMENT_OPTIMAL)
        .image(target.depth.handle)
        .subresource_range(whole(vk::ImageAspectFlags::DEPTH));
    let samples = target.samples.as_ref().unwrap_or(&target.color);
    let barriers = [
        depth,
        color.image(target.color.handle),
        color.image(samples.handle),
    ];
    let used = if target.samples.is_some() {
        &barriers[..]
    } else {
        &barriers[..2]
    };
    commands.barrier(&vk::DependencyInfo::default().image_memory_barriers(used));
}

/// The stones of `range`; the job with the last stone draws the ground behind them all.
pub(crate) fn stones(
    commands: &mut impl Commands,
    stage: &Stage,
    view: &View,
    range: Range<usize>,
) {
    let extent = stage.target.extent;
    let viewport = vk::Viewport {
        width: extent.width as f32,
        height: extent.height as f32,
        max_depth: 1.0,
        ..Default::default()
    };
    let last = range.end == stage.scene.len();
    commands.set_viewport(viewport);
    commands.set_scissor(stage.target.area());
    let pipeline = &stage.pipelines.stone;
    commands.bind_pipeline(pipeline.handle);
    commands.bind_vertices(stage.mesh.vertices.handle);
    commands.bind_indices(stage.mesh.indices.handle);
    for stone in range {
        commands.push(pipeline.layout, &stage.scene.stone_push(stone, view));
        commands.draw_indexed(stage.mesh.index_count);
    }
    if last {
        ground(commands, stage, view);
    }
}

/// Copies the picture to the window's image and to the buffer for a file, whichever is wanted.
pub(crate) fn finish(
    commands: &mut impl Commands,
    target: &Target,
    shown: Option<Shown>,
    copy: Option<&Readback>,
) {
    let from = vk::ImageMemoryBarrier2::default()
        .src_stage_mask(vk::PipelineStageFlags2::COLOR_ATTACHMENT_OUTPUT)
        .src_access_mask(vk::AccessFlags2::COLOR_ATTACHMENT_WRITE)
        .dst_stage_mask(vk::PipelineStageFlags2::ALL_TRANSFER)
        .dst_access_mask(vk::AccessFlags2::TRANSFER_READ)
        .old_layout(vk::ImageLayout::COLOR_ATTACHMENT_OPTIMAL)
        .new_layout(vk::ImageLayout::TRANSFER_SRC_OPTIMAL)
        .image(target.color.handle)
        .subresource_range(whole(vk::ImageAspectFlags::COLOR));
    // The submission waits for the acquired image at the transfer stage; the barrier continues from there.
    let to = vk::ImageMemoryBarrier2::default()
        .src_stage_mask(vk::PipelineStageFlags2::ALL_TRANSFER)
        .dst_stage_mask(vk::PipelineStageFlags2::ALL_TRANSFER)
        .dst_access_mask(vk::AccessFlags2::TRANSFER_WRITE)
        .new_layout(vk::ImageLayout::TRANSFER_DST_OPTIMAL)
        .image(shown.map_or(vk::Image::null(), |shown| shown.image))
        .subresource_range(whole(vk::ImageAspectFlags::COLOR));
    let barriers = [from, to];
    let used = if shown.is_some() {
        &barriers[..]
    } else {
        &barriers[..1]
    };
    commands.barrier(&vk::DependencyInfo::default().image_memory_barriers(used));
    if let Some(shown) = shown {
        show(commands, target, shown, &to);
    }
    if let Some(copy) = copy {
        copy_out(commands, target, copy);
    }
}

/// The backdrop: one triangle over the whole picture, behind everything.
fn ground(commands: &mut impl Commands, stage: &Stage, view: &View) {
    let pipeline = &stage.pipelines.ground;
    commands.bind_pipeline(pipeline.handle);
    commands.push(pipeline.layout, &stage.scene.ground_push(view));
    commands.draw(GROUND_VERTICES);
}

fn show(
    commands: &mut impl Commands,
    target: &Target,
    shown: Shown,
    to: &vk::ImageMemoryBarrier2<'_>,
) {
    let region = vk::ImageBlit::default()
        .src_subresource(color_layer())
        .src_offsets(corners(target.extent))
        .dst_subresource(color_layer())
        .dst_offsets(corners(shown.extent));
    commands.blit(target.color.handle, shown.image, region);
    let present = to
        .src_access_mask(vk::AccessFlags2::TRANSFER_WRITE)
        .dst_stage_mask(vk::PipelineStageFlags2::NONE)
        .dst_access_mask(vk::AccessFlags2::NONE)
        .old_layout(vk::ImageLayout::TRANSFER_DST_OPTIMAL)
        .new_layout(vk::ImageLayout::PRESENT_SRC_KHR);
    commands.barrier(&vk::DependencyInfo::default().image_memory_barriers(&[present]));
}

fn copy_out(commands: &mut impl Commands, target: &Target, copy: &Readback) {
    let region = vk::BufferImageCopy::default()
        .image_subresource(color_layer())
        .image_extent(vk::Extent3D {
            width: target.extent.width,
            height: target.extent.height,
            depth: 1,
        });
    commands.copy_to_buffer(target.color.handle, copy.buffer.handle, region);
    let host = vk::MemoryBarrier2::default()
        .src_stage_mask(vk::PipelineStageFlags2::ALL_TRANSFER)
        .src_access_mask(vk::AccessFlags2::TRANSFER_WRITE)
        .dst_stage_mask(vk::PipelineStageFlags2::HOST)
        .dst_access_mask(vk::AccessFlags2::HOST_READ);
    commands.barrier(&vk::DependencyInfo::default().memory_barriers(&[host]));
}

fn color_layer() -> vk::ImageSubresourceLayers {
    vk::ImageSubresourceLayers::default()
        .aspect_mask(vk::ImageAspectFlags::COLOR)
        .layer_count(1)
}

fn corners(extent: vk::Extent2D) -> [vk::Offset3D; 2] {
    let far = vk::Offset3D {
        x: i32::try_from(extent.width).unwrap_or(i32::MAX),
        y: i32::try_from(extent.height).unwrap_or(i32::MAX),
        z: 1,
    };
    [vk::Offset3D::default(), far]
}
