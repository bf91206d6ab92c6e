//! What a frame is drawn into: colour, depth, and with several samples the image that is resolved from.
//!
//! All strategies and both kinds of pass draw into the same images. The picture stands in `color`, from where it is
//! copied to a window or to a file, so drawing knows nothing of windows.
#![allow(unsafe_code, reason = "calls Vulkan")]

use std::sync::Arc;

use ash::vk;

use super::Gpu;
use super::memory::{Image, ImageUse};
use crate::error::{Doing, Error};

/// The format of the picture.
pub(crate) const COLOR_FORMAT: vk::Format = vk::Format::R8G8B8A8_SRGB;

/// Formats and samples that passes and pipelines have to agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Formats {
    pub(crate) color: vk::Format,
    pub(crate) depth: vk::Format,
    pub(crate) samples: vk::SampleCountFlags,
}

impl Formats {
    /// What suits this device: four samples on a GPU, one where the processor does the work.
    pub(crate) fn of(gpu: &Gpu) -> Self {
        // SAFETY: the device came from this instance (G1).
        let limits = unsafe {
            gpu.instance
                .raw
                .get_physical_device_properties(gpu.physical)
        }
        .limits;
        let both = limits.framebuffer_color_sample_counts & limits.framebuffer_depth_sample_counts;
        let four = !gpu.is_cpu() && both.contains(vk::SampleCountFlags::TYPE_4);
        let samples = if four {
            vk::SampleCountFlags::TYPE_4
        } else {
            vk::SampleCountFlags::TYPE_1
        };
        Self {
            color: COLOR_FORMAT,
            depth: depth_format(gpu),
            samples,
        }
    }

    /// Whether what is drawn has to be resolved.
    pub(crate) fn multisampled(&self) -> bool {
        self.samples != vk::SampleCountFlags::TYPE_1
    }
}

/// The images of one size.
pub(crate) struct Target {
    pub(crate) extent: vk::Extent2D,
    pub(crate) color: Image,
    pub(crate) samples: Option<Image>,
    pub(crate) depth: Image,
    pub(crate) framebuffer: Option<Framebuffer>,
}

impl Target {
    /// Images for `extent`; with a framebuffer if a classic render pass is given.
    pub(crate) fn new(
        gpu: &Arc<Gpu>,
        formats: Formats,
        extent: vk::Extent2D,
        render_pass: Option<vk::RenderPass>,
    ) -> Result<Self, Error> {
        check_size(gpu, extent)?;
        let image = |what, format, samples, usage, aspect| {
            Image::new(
                gpu,
                &ImageUse {
                    what,
                    format,
                    extent,
                    samples,
                    usage,
                    aspect,
                },
            )
        };
        let once = vk::SampleCountFlags::TYPE_1;
        let drawn = vk::ImageUsageFlags::COLOR_ATTACHMENT;
        let color_aspect = vk::ImageAspectFlags::COLOR;
        let color = image(
            "colour",
            formats.color,
            once,
            drawn | vk::ImageUsageFlags::TRANSFER_SRC,
            color_aspect,
        )?;
        let samples = formats
            .multisampled()
            .then(|| {
                image(
                    "samples",
                    formats.color,
                    formats.samples,
                    drawn,
                    color_aspect,
                )
            })
            .transpose()?;
        let depth_usage = vk::ImageUsageFlags::DEPTH_STENCIL_ATTACHMENT;
        let depth = image(
            "depth",
            formats.depth,
            formats.samples,
            depth_usage,
            vk::ImageAspectFlags::DEPTH,
        )?;
        let views = [
            Some(samples.as_ref().unwrap_or(&color)),
            Some(&depth),
            samples.as_ref().map(|_| &color),
        ];
        let views: Vec<_> = views
            .into_iter()
            .flatten()
            .map(|image| image.view)
            .collect();
        let framebuffer = render_pass
            .map(|pass| Framebuffer::new(gpu, pass, &views, extent))
            .transpose()?;
        Ok(Self {
            extent,
            color,
            samples,
            depth,
            framebuffer,
        })
    }

    /// The part of the picture that is drawn: all of it.
    pub(crate) fn area(&self) -> vk::Rect2D {
        vk::Rect2D::default().extent(self.extent)
    }

    /// Bytes of the picture when it is laid out row by row.
    pub(crate) fn bytes(&self) -> usize {
        self.extent.width as usize * self.extent.height as usize * 4
    }
}

/// A framebuffer for the classic render pass.
pub(crate) struct Framebuffer {
    pub(crate) handle: vk::Framebuffer,
    gpu: Arc<Gpu>,
}

impl Framebuffer {
    fn new(
        gpu: &Arc<Gpu>,
        pass: vk::RenderPass,
        views: &[vk::ImageView],
        extent: vk::Extent2D,
    ) -> Result<Self, Error> {
        let info = vk::FramebufferCreateInfo::default()
            .render_pass(pass)
            .attachments(views)
            .width(extent.width)
            .height(extent.height)
            .layers(1);
        // SAFETY: pass and views belong to this device and are alive (G1).
        let handle = unsafe { gpu.device.create_framebuffer(&info, None) }
            .doing("creating a framebuffer")?;
        Ok(Self {
            handle,
            gpu: Arc::clone(gpu),
        })
    }
}

impl Drop for Framebuffer {
    fn drop(&mut self) {
        // SAFETY: no frame uses it any more (G2).
        unsafe { self.gpu.device.destroy_framebuffer(self.handle, None) };
    }
}

fn check_size(gpu: &Gpu, extent: vk::Extent2D) -> Result<(), Error> {
    // SAFETY: the device came from this instance (G1).
    let limits = unsafe {
        gpu.instance
            .raw
            .get_physical_device_properties(gpu.physical)
    }
    .limits;
    let most = limits
        .max_image_dimension2_d
        .min(limits.max_framebuffer_width)
        .min(limits.max_framebuffer_height);
    if extent.width.max(extent.height) > most {
        return Err(Error::Memory {
            what: "the picture",
            why: format!(
                "{}x{} is more than {most}, this device's largest",
                extent.width, extent.height
            ),
        });
    }
    Ok(())
}

fn depth_format(gpu: &Gpu) -> vk::Format {
    let fits = |format| {
        // SAFETY: the device came from this instance (G1).
        let has = unsafe {
            gpu.instance
                .raw
                .get_physical_device_format_properties(gpu.physical, format)
        };
        has.optimal_tiling_features
            .contains(vk::FormatFeatureFlags::DEPTH_STENCIL_ATTACHMENT)
    };
    // D16 is the one that every device draws to.
    if fits(vk::Format::D32_SFLOAT) {
        vk::Format::D32_SFLOAT
    } else {
        vk::Format::D16_UNORM
    }
}
