//! Red controls: the validation layer must report the two mistakes that this crate exists to prevent.
//!
//! Zero messages in the other tests say something only if the layer would have spoken; each control here has a green
//! twin that differs in the mistake alone and must be silent.
#![allow(
    unsafe_code,
    reason = "raw Vulkan, wrong on purpose in the red controls"
)]

mod support;

use std::sync::Barrier;
use std::thread;

use ash::vk;
use support::{ColorImage, HostBuffer, Message, Needs, Vulkan};

const COMMANDS_PER_THREAD: usize = 20_000;
/// The layer sees a race only while two calls overlap; each attempt is all but certain to overlap.
const ATTEMPTS_MAX: usize = 20;
const EXTENT: vk::Extent2D = vk::Extent2D {
    width: 16,
    height: 16,
};
const FORMAT: vk::Format = vk::Format::R8G8B8A8_UNORM;

fn ids(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.id.as_str()).collect()
}

#[test]
fn one_pool_used_by_two_threads_is_reported() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
        return;
    };
    let pool = vulkan.command_pool(vk::CommandPoolCreateFlags::RESET_COMMAND_BUFFER);
    let buffers = [vulkan.command_buffer(pool), vulkan.command_buffer(pool)];
    let reported = (0..ATTEMPTS_MAX).any(|_| {
        record_at_the_same_time(&vulkan, buffers);
        vulkan.messages().iter().any(|message| {
            message
                .id
                .starts_with("UNASSIGNED-Threading-MultipleThreads")
        })
    });
    // SAFETY: both threads have ended and nothing was submitted.
    unsafe { vulkan.device.destroy_command_pool(pool, None) };
    assert!(
        reported,
        "the layer must see one pool used by two threads; it said {:?}",
        ids(&vulkan.messages())
    );
}

#[test]
fn a_pool_for_each_of_two_threads_is_silent() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
        return;
    };
    let pools =
        [(); 2].map(|()| vulkan.command_pool(vk::CommandPoolCreateFlags::RESET_COMMAND_BUFFER));
    let buffers = pools.map(|pool| vulkan.command_buffer(pool));
    record_at_the_same_time(&vulkan, buffers);
    for pool in pools {
        // SAFETY: both threads have ended and nothing was submitted.
        unsafe { vulkan.device.destroy_command_pool(pool, None) };
    }
    assert_eq!(vulkan.close(), []);
}

/// Two threads start together and record one buffer each.
fn record_at_the_same_time(vulkan: &Vulkan, buffers: [vk::CommandBuffer; 2]) {
    let start = Barrier::new(buffers.len());
    thread::scope(|scope| {
        for commands in buffers {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                record_line_widths(&vulkan.device, commands);
            });
        }
    });
}

fn record_line_widths(device: &ash::Device, commands: vk::CommandBuffer) {
    // SAFETY: the buffer is this thread's own and not pending. In the red control its pool is not: that breaks the rule
    // under test. The layer stands between, reports the overlap and lets the calls through one after the other.
    unsafe { device.begin_command_buffer(commands, &vk::CommandBufferBeginInfo::default()) }
        .expect("begin");
    for _ in 0..COMMANDS_PER_THREAD {
        // SAFETY: as above; the buffer is recording, and 1.0 needs no feature.
        unsafe { device.cmd_set_line_width(commands, 1.0) };
    }
    // SAFETY: as above.
    unsafe { device.end_command_buffer(commands) }.expect("end");
}

#[test]
fn a_missing_barrier_after_a_render_pass_is_reported() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
        return;
    };
    let (image, pixels) = image_and_pixels(&vulkan);
    let pass = ClearPass::new(&vulkan, &image);
    let pool = vulkan.command_pool(vk::CommandPoolCreateFlags::empty());
    let commands = vulkan.command_buffer(pool);
    // SAFETY: the buffer is in the initial state, and only this thread uses its pool.
    unsafe {
        vulkan
            .device
            .begin_command_buffer(commands, &vk::CommandBufferBeginInfo::default())
    }
    .expect("begin");
    pass.record(commands, &image);
    copy(&vulkan.device, commands, &image, &pixels);
    // SAFETY: the buffer is recording. It is never submitted: the layer speaks while recording.
    unsafe { vulkan.device.end_command_buffer(commands) }.expect("end");
    // SAFETY: nothing was submitted.
    unsafe { vulkan.device.destroy_command_pool(pool, None) };
    drop((pass, image, pixels));
    assert_eq!(ids(&vulkan.close()), ["SYNC-HAZARD-READ-AFTER-WRITE"]);
}

#[test]
fn with_the_barrier_the_copy_is_silent_and_has_the_colour() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
        return;
    };
    let (image, pixels) = image_and_pixels(&vulkan);
    let pass = ClearPass::new(&vulkan, &image);
    vulkan.record_and_wait(|device, commands| {
        pass.record(commands, &image);
        barrier(
            device,
            commands,
            (
                vk::PipelineStageFlags::COLOR_ATTACHMENT_OUTPUT,
                vk::AccessFlags::COLOR_ATTACHMENT_WRITE,
            ),
            (
                vk::PipelineStageFlags::TRANSFER,
                vk::AccessFlags::TRANSFER_READ,
            ),
        );
        copy(device, commands, &image, &pixels);
        barrier(
            device,
            commands,
            (
                vk::PipelineStageFlags::TRANSFER,
                vk::AccessFlags::TRANSFER_WRITE,
            ),
            (vk::PipelineStageFlags::HOST, vk::AccessFlags::HOST_READ),
        );
    });
    assert!(
        pixels
            .read()
            .chunks(4)
            .all(|pixel| pixel == [255, 0, 255, 255])
    );
    drop((pass, image, pixels));
    assert_eq!(vulkan.close(), []);
}

fn image_and_pixels(vulkan: &Vulkan) -> (ColorImage<'_>, HostBuffer<'_>) {
    let usage = vk::ImageUsageFlags::COLOR_ATTACHMENT | vk::ImageUsageFlags::TRANSFER_SRC;
    let size = EXTENT.width as usize * EXTENT.height as usize * 4;
    (
        vulkan.color_image(FORMAT, EXTENT, usage),
        vulkan.host_buffer(size, vk::BufferUsageFlags::TRANSFER_DST),
    )
}

fn copy(
    device: &ash::Device,
    commands: vk::CommandBuffer,
    image: &ColorImage<'_>,
    pixels: &HostBuffer<'_>,
) {
    // SAFETY: the buffer is recording outside a render pass; the image is in this layout after the pass, both have the
    // transfer usage and the same size.
    unsafe {
        device.cmd_copy_image_to_buffer(
            commands,
            image.image,
            vk::ImageLayout::GENERAL,
            pixels.buffer,
            &[image.whole()],
        );
    }
}

fn barrier(
    device: &ash::Device,
    commands: vk::CommandBuffer,
    (src_stage, src_access): (vk::PipelineStageFlags, vk::AccessFlags),
    (dst_stage, dst_access): (vk::PipelineStageFlags, vk::AccessFlags),
) {
    let memory = [vk::MemoryBarrier::default()
        .src_access_mask(src_access)
        .dst_access_mask(dst_access)];
    // SAFETY: the buffer is recording outside a render pass.
    unsafe {
        device.cmd_pipeline_barrier(
            commands,
            src_stage,
            dst_stage,
            vk::DependencyFlags::empty(),
            &memory,
            &[],
            &[],
        );
    }
}

/// A classic render pass that clears one image to magenta and leaves it in the general layout, so that between pass
/// and copy nothing but the barrier is missing.
struct ClearPass<'v> {
    device: &'v ash::Device,
    pass: vk::RenderPass,
    framebuffer: vk::Framebuffer,
}

impl<'v> ClearPass<'v> {
    fn new(vulkan: &'v Vulkan, image: &ColorImage<'_>) -> Self {
        let attachments = [vk::AttachmentDescription::default()
            .format(image.format)
            .samples(vk::SampleCountFlags::TYPE_1)
            .load_op(vk::AttachmentLoadOp::CLEAR)
            .store_op(vk::AttachmentStoreOp::STORE)
            .initial_layout(vk::ImageLayout::UNDEFINED)
            .final_layout(vk::ImageLayout::GENERAL)];
        let color = [vk::AttachmentReference {
            attachment: 0,
            layout: vk::ImageLayout::GENERAL,
        }];
        let subpasses = [vk::SubpassDescription::default()
            .pipeline_bind_point(vk::PipelineBindPoint::GRAPHICS)
            .color_attachments(&color)];
        let info = vk::RenderPassCreateInfo::default()
            .attachments(&attachments)
            .subpasses(&subpasses);
        // SAFETY: the device lives; the one subpass refers to the one attachment.
        let pass =
            unsafe { vulkan.device.create_render_pass(&info, None) }.expect("vkCreateRenderPass");
        let views = [image.view];
        let info = vk::FramebufferCreateInfo::default()
            .render_pass(pass)
            .attachments(&views)
            .width(image.extent.width)
            .height(image.extent.height)
            .layers(1);
        // SAFETY: the view has the format and size that pass and framebuffer name.
        let framebuffer =
            unsafe { vulkan.device.create_framebuffer(&info, None) }.expect("vkCreateFramebuffer");
        Self {
            device: &vulkan.device,
            pass,
            framebuffer,
        }
    }

    fn record(&self, commands: vk::CommandBuffer, image: &ColorImage<'_>) {
        let magenta = vk::ClearColorValue {
            float32: [1.0, 0.0, 1.0, 1.0],
        };
        let clear = [vk::ClearValue { color: magenta }];
        let begin = vk::RenderPassBeginInfo::default()
            .render_pass(self.pass)
            .framebuffer(self.framebuffer)
            .render_area(image.extent.into())
            .clear_values(&clear);
        // SAFETY: the buffer is recording outside a render pass; pass and framebuffer live and fit each other.
        unsafe {
            self.device
                .cmd_begin_render_pass(commands, &begin, vk::SubpassContents::INLINE);
        };
        // SAFETY: the buffer is in the pass begun above.
        unsafe { self.device.cmd_end_render_pass(commands) };
    }
}

impl Drop for ClearPass<'_> {
    fn drop(&mut self) {
        // SAFETY: no submission that uses the framebuffer is pending: the test waited, or never submitted.
        unsafe { self.device.destroy_framebuffer(self.framebuffer, None) };
        // SAFETY: the same for the pass.
        unsafe { self.device.destroy_render_pass(self.pass, None) };
    }
}
