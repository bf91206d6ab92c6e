//! The pass that draws the stones, in Vulkan's two ways of saying it.
//!
//! Both have the same attachments, and neither moves an image to another layout: the barriers around the pass do
//! that in both, so a frame is the same but for how its pass begins and ends.
#![allow(unsafe_code, reason = "calls Vulkan")]

use std::sync::Arc;

use ash::vk;

use super::Gpu;
use super::target::{Formats, Target};
use crate::error::{Doing, Error};
use crate::scene;

/// Dynamic rendering, or a `VkRenderPass`.
pub(crate) enum PassKind {
    Dynamic,
    Classic(RenderPass),
}

impl PassKind {
    /// The kind that the command line asks for.
    pub(crate) fn new(gpu: &Arc<Gpu>, formats: Formats, classic: bool) -> Result<Self, Error> {
        Ok(if classic {
            Self::Classic(RenderPass::new(gpu, formats)?)
        } else {
            Self::Dynamic
        })
    }

    /// The classic pass, if it is one.
    pub(crate) fn classic(&self) -> Option<vk::RenderPass> {
        match self {
            Self::Dynamic => None,
            Self::Classic(pass) => Some(pass.handle),
        }
    }
}

/// A render pass with one subpass.
pub(crate) struct RenderPass {
    pub(crate) handle: vk::RenderPass,
    gpu: Arc<Gpu>,
}

impl RenderPass {
    fn new(gpu: &Arc<Gpu>, formats: Formats) -> Result<Self, Error> {
        let attachments = attachments(formats);
        let color = [reference(0, vk::ImageLayout::COLOR_ATTACHMENT_OPTIMAL)];
        let depth = reference(1, vk::ImageLayout::DEPTH_STENCIL_ATTACHMENT_OPTIMAL);
        let resolve = [reference(2, vk::ImageLayout::COLOR_ATTACHMENT_OPTIMAL)];
        let subpass = vk::SubpassDescription::default()
            .pipeline_bind_point(vk::PipelineBindPoint::GRAPHICS)
            .color_attachments(&color)
            .depth_stencil_attachment(&depth);
        let subpasses = [if formats.multisampled() {
            subpass.resolve_attachments(&resolve)
        } else {
            subpass
        }];
        let info = vk::RenderPassCreateInfo::default()
            .attachments(&attachments)
            .subpasses(&subpasses);
        // SAFETY: the device is alive (G1), `info` is complete.
        let handle = unsafe { gpu.device.create_render_pass(&info, None) }
            .doing("creating the render pass")?;
        Ok(Self {
            handle,
            gpu: Arc::clone(gpu),
        })
    }
}

impl Drop for RenderPass {
    fn drop(&mut self) {
        // SAFETY: no frame uses it any more (G2).
        unsafe { self.gpu.device.destroy_render_pass(self.handle, None) };
    }
}

/// The values that colour and depth begin with, in attachment order.
pub(crate) const CLEAR: [vk::ClearValue; 2] = [
    vk::ClearValue {
        color: vk::ClearColorValue {
            float32: [0.0, 0.0, 0.0, 1.0],
        },
    },
    vk::ClearValue {
        depth_stencil: vk::ClearDepthStencilValue {
            depth: scene::CLEAR_DEPTH,
            stencil: 0,
        },
    },
];

/// Begins the classic pass over `target`.
pub(crate) fn render_pass_begin(
    pass: vk::RenderPass,
    target: &Target,
) -> vk::RenderPassBeginInfo<'static> {
    let framebuffer = target
        .framebuffer
        .as_ref()
        .map_or(vk::Framebuffer::null(), |framebuffer| framebuffer.handle);
    vk::RenderPassBeginInfo::default()
        .render_pass(pass)
        .framebuffer(framebuffer)
        .render_area(target.area())
        .clear_values(&CLEAR)
}

/// The attachments of dynamic rendering over one target; [`Self::info`] borrows from it.
pub(crate) struct Rendering {
    color: [vk::RenderingAttachmentInfo<'static>; 1],
    depth: vk::RenderingAttachmentInfo<'static>,
    area: vk::Rect2D,
}

impl Rendering {
    pub(crate) fn new(target: &Target) -> Self {
        let drawn = target.samples.as_ref().unwrap_or(&target.color);
        let mut color = vk::RenderingAttachmentInfo::default()
            .image_view(drawn.view)
            .image_layout(vk::ImageLayout::COLOR_ATTACHMENT_OPTIMAL)
            .load_op(vk::AttachmentLoadOp::CLEAR)
            .store_op(vk::AttachmentStoreOp::STORE)
            .clear_value(CLEAR[0]);
        if target.samples.is_some() {
            color = color
                .store_op(vk::AttachmentStoreOp::DONT_CARE)
                .resolve_mode(vk::ResolveModeFlags::AVERAGE)
                .resolve_image_view(target.color.view)
                .resolve_image_layout(vk::ImageLayout::COLOR_ATTACHMENT_OPTIMAL);
        }
        let depth = vk::RenderingAttachmentInfo::default()
            .image_view(target.depth.view)
            .image_layout(vk::ImageLayout::DEPTH_STENCIL_ATTACHMENT_OPTIMAL)
            .load_op(vk::AttachmentLoadOp::CLEAR)
            .store_op(vk::AttachmentStoreOp::DONT_CARE)
            .clear_value(CLEAR[1]);
        Self {
            color: [color],
            depth,
            area: target.area(),
        }
    }

    pub(crate) fn info(&self) -> vk::RenderingInfo<'_> {
        vk::RenderingInfo::default()
            .render_area(self.area)
            .layer_count(1)
            .color_attachments(&self.color)
            .depth_attachment(&self.depth)
    }
}

fn attachments(formats: Formats) -> Vec<vk::AttachmentDescription> {
    let layout = vk::ImageLayout::COLOR_ATTACHMENT_OPTIMAL;
    let drawn = vk::AttachmentDescription::default()
        .format(formats.color)
        .samples(formats.samples)
        .load_op(vk::AttachmentLoadOp::CLEAR)
        .store_op(vk::AttachmentStoreOp::STORE)
        .initial_layout(layout)
        .final_layout(layout);
    let depth = vk::AttachmentDescription::default()
        .format(formats.depth)
        .samples(formats.samples)
        .load_op(vk::AttachmentLoadOp::CLEAR)
        .store_op(vk::AttachmentStoreOp::DONT_CARE)
        .stencil_load_op(vk::AttachmentLoadOp::DONT_CARE)
        .stencil_store_op(vk::AttachmentStoreOp::DONT_CARE)
        .initial_layout(vk::ImageLayout::DEPTH_STENCIL_ATTACHMENT_OPTIMAL)
        .final_layout(vk::ImageLayout::DEPTH_STENCIL_ATTACHMENT_OPTIMAL);
    if !formats.multisampled() {
        return vec![drawn, depth];
    }
    let resolved = drawn
        .samples(vk::SampleCountFlags::TYPE_1)
        .load_op(vk::AttachmentLoadOp::DONT_CARE);
    vec![
        drawn.store_op(vk::AttachmentStoreOp::DONT_CARE),
        depth,
        resolved,
    ]
}

fn reference(attachment: u32, layout: vk::ImageLayout) -> vk::AttachmentReference {
    vk::AttachmentReference::default()
        .attachment(attachment)
        .layout(layout)
}
