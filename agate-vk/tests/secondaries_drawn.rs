//! Passes with secondary contents on a real driver with the validation layer listening: the picture of the slots' order.

#![allow(unsafe_code, reason = "every Vulkan command is unsafe")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the commands of one job belong together"
)]

mod support;

use agate_vk::{Frame, Pass, Recorder, Service, ServiceOptions, SubmitOptions, vk};
use std::time::Duration;
use support::{ColorImage, HostBuffer, Needs, Vulkan};

/// Far beyond any real wait, so that a hang ends as a failure.
const LONG: Duration = Duration::from_secs(30);
const SLOTS: u32 = 8;
const EXTENT: vk::Extent2D = vk::Extent2D {
    width: SLOTS,
    height: 1,
};
const FORMAT: vk::Format = vk::Format::R8G8B8A8_UNORM;
const ATTACHED: vk::ImageLayout = vk::ImageLayout::COLOR_ATTACHMENT_OPTIMAL;

fn image_barrier(
    recorder: &mut impl Recorder,
    image: vk::Image,
    (old, new): (vk::ImageLayout, vk::ImageLayout),
) {
    let barriers = [vk::ImageMemoryBarrier2::default()
        .src_stage_mask(vk::PipelineStageFlags2::ALL_COMMANDS)
        .src_access_mask(vk::AccessFlags2::MEMORY_WRITE)
        .dst_stage_mask(vk::PipelineStageFlags2::ALL_COMMANDS)
        .dst_access_mask(vk::AccessFlags2::MEMORY_WRITE | vk::AccessFlags2::MEMORY_READ)
        .old_layout(old)
        .new_layout(new)
        .image(image)
        .subresource_range(ColorImage::RANGE)];
    let dependency = vk::DependencyInfo::default().image_memory_barriers(&barriers);
    // SAFETY: the image outlives the frame.
    unsafe { recorder.cmd_pipeline_barrier2(&dependency) };
}

/// Slot `slot` clears all columns from its own on: column by column the picture says which slot was the last there. In the
/// lane that the service chooses.
fn clear(pass: &Pass, slot: u32) {
    let mut recorder = pass.slot(slot).expect("free").record().expect("room");
    let attachment = vk::ClearAttachment {
        aspect_mask: vk::ImageAspectFlags::COLOR,
        color_attachment: 0,
        clear_value: vk::ClearValue {
            color: vk::ClearColorValue {
                float32: [slot as f32 / 255.0, 0.0, 0.0, 1.0],
            },
        },
    };
    let rect = vk::ClearRect {
        rect: vk::Rect2D {
            offset: vk::Offset2D {
                x: slot as i32,
                y: 0,
            },
            extent: vk::Extent2D {
                width: SLOTS - slot,
                height: 1,
            },
        },
        base_array_layer: 0,
        layer_count: 1,
    };
    // SAFETY: within the pass that the slot belongs to.
    unsafe { recorder.cmd_clear_attachments(&[attachment], &[rect]) };
    recorder.finish().expect("the owner is there");
}

/// How the pass in the middle is declared.
type Declare<'a> = &'a dyn Fn(&mut Frame) -> Pass;

/// A frame that draws to the image, in that order of jobs, and copies it to the buffer.
fn draw(
    service: &mut Service,
    (image, target): (&ColorImage<'_>, &HostBuffer<'_>),
    declare: Declare<'_>,
    order: [u32; SLOTS as usize],
) {
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let before = frame.outside_secondaries(1).expect("room");
    let pass = declare(&mut frame);
    let after = frame.outside_secondaries(1).expect("room");
    let mut recorder = after.slot(0).expect("free").stream().expect("room");
    let source = vk::ImageLayout::TRANSFER_SRC_OPTIMAL;
    image_barrier(&mut recorder, image.image, (ATTACHED, source));
    // SAFETY: the buffer is as large as the image, and both outlive the frame.
    unsafe {
        let whole = [image.whole()];
        recorder.cmd_copy_image_to_buffer(image.image, source, target.buffer, &whole);
    }
    recorder.finish().expect("the owner is there");
    std::thread::scope(|jobs| {
        for slots in order.chunks(4) {
            let pass = &pass;
            jobs.spawn(move || slots.iter().for_each(|slot| clear(pass, *slot)));
        }
    });
    let mut recorder = before.slot(0).expect("free").stream().expect("room");
    let undefined = vk::ImageLayout::UNDEFINED;
    image_barrier(&mut recorder, image.image, (undefined, ATTACHED));
    recorder.finish().expect("the owner is there");
    let mut ticket = frame.submit(SubmitOptions::default());
    ticket.wait_timeout(LONG).expect("executed");
    let reds: Vec<u8> = target.read().chunks(4).map(|pixel| pixel[0]).collect();
    assert_eq!(reds, [0, 1, 2, 3, 4, 5, 6, 7], "jobs in order {order:?}");
}

/// Stitched, and by shards; in the stream lane, in leases, and in both.
fn draws(vulkan: &Vulkan, image: &ColorImage<'_>, declare: Declare<'_>) {
    for lanes in [(0, 100), (2, 100), (0, 0), (2, 0), (0, 8)] {
        draws_with(vulkan, image, declare, lanes);
    }
}

fn draws_with(
    vulkan: &Vulkan,
    image: &ColorImage<'_>,
    declare: Declare<'_>,
    (shards, soft_blocks): (u32, usize),
) {
    let target = vulkan.host_buffer(4 * SLOTS as usize, vk::BufferUsageFlags::TRANSFER_DST);
    // SAFETY: the device was made from this instance and lives as long as `vulkan`.
    let device = unsafe { agate_vk::Device::from_ash(&vulkan.instance, &vulkan.device) };
    let mut options = ServiceOptions::new(vulkan.queue, vulkan.queue_family);
    options.shards = shards;
    options.soft_block_bytes = soft_blocks * options.block_bytes;
    // SAFETY: the test leaves the queue to the service, which ends before `vulkan`.
    let service = unsafe { Service::new(device.expect("all functions are there"), options) };
    let mut service = service.expect("a service starts");
    for order in [
        [0, 1, 2, 3, 4, 5, 6, 7],
        [7, 6, 5, 4, 3, 2, 1, 0],
        [4, 1, 7, 2, 0, 6, 5, 3],
    ] {
        for _ in 0..3 {
            draw(&mut service, (image, &target), declare, order);
        }
    }
    let spills = service.counters().spills;
    match soft_blocks {
        0 => assert_eq!(spills, u64::from(3 * 3 * SLOTS)),
        100 => assert_eq!(spills, 0),
        _ => println!("{spills} of {} slots were leases", 3 * 3 * SLOTS),
    }
    let report = service.shutdown(LONG);
    assert_eq!((report.leaked, report.panicked), (0, false));
}

fn image(vulkan: &Vulkan) -> ColorImage<'_> {
    let usage = vk::ImageUsageFlags::COLOR_ATTACHMENT | vk::ImageUsageFlags::TRANSFER_SRC;
    vulkan.color_image(FORMAT, EXTENT, usage)
}

#[test]
fn in_a_dynamic_rendering() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
        return;
    };
    let image = image(&vulkan);
    draws(&vulkan, &image, &|frame| {
        let attachments = [vk::RenderingAttachmentInfo::default()
            .image_view(image.view)
            .image_layout(ATTACHED)
            .load_op(vk::AttachmentLoadOp::CLEAR)
            .store_op(vk::AttachmentStoreOp::STORE)];
        let info = vk::RenderingInfo::default()
            .layer_count(1)
            .render_area(EXTENT.into())
            .color_attachments(&attachments);
        let formats = [FORMAT];
        let inherited = vk::CommandBufferInheritanceRenderingInfo::default()
            .color_attachment_formats(&formats)
            .rasterization_samples(vk::SampleCountFlags::TYPE_1);
        // SAFETY: the image outlives the service, and these are its format and samples.
        unsafe { frame.rendering_secondaries(&info, &inherited, SLOTS) }.expect("room")
    });
    drop(image);
    assert_eq!(vulkan.close(), []);
}

#[test]
fn in_a_render_pass() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
        return;
    };
    let image = image(&vulkan);
    let attachments = [vk::AttachmentDescription::default()
        .format(FORMAT)
        .samples(vk::SampleCountFlags::TYPE_1)
        .load_op(vk::AttachmentLoadOp::CLEAR)
        .store_op(vk::AttachmentStoreOp::STORE)
        .initial_layout(ATTACHED)
        .final_layout(ATTACHED)];
    let colors = [vk::AttachmentReference::default().layout(ATTACHED)];
    let subpasses = [vk::SubpassDescription::default()
        .pipeline_bind_point(vk::PipelineBindPoint::GRAPHICS)
        .color_attachments(&colors)];
    let info = vk::RenderPassCreateInfo::default()
        .attachments(&attachments)
        .subpasses(&subpasses);
    // SAFETY: the device lives.
    let render_pass = unsafe { vulkan.device.create_render_pass(&info, None) };
    let render_pass = render_pass.expect("vkCreateRenderPass");
    let views = [image.view];
    let info = vk::FramebufferCreateInfo::default()
        .render_pass(render_pass)
        .attachments(&views)
        .width(EXTENT.width)
        .height(EXTENT.height)
        .layers(1);
    // SAFETY: the device lives, with the render pass and the view.
    let framebuffer = unsafe { vulkan.device.create_framebuffer(&info, None) };
    let framebuffer = framebuffer.expect("vkCreateFramebuffer");
    draws(&vulkan, &image, &|frame| {
        let clears = [vk::ClearValue::default()];
        let info = vk::RenderPassBeginInfo::default()
            .render_pass(render_pass)
            .framebuffer(framebuffer)
            .render_area(EXTENT.into())
            .clear_values(&clears);
        // SAFETY: they outlive the service.
        unsafe { frame.render_pass_secondaries(&info, SLOTS) }.expect("room")
    });
    // SAFETY: the service that used them has ended.
    unsafe {
        vulkan.device.destroy_framebuffer(framebuffer, None);
        vulkan.device.destroy_render_pass(render_pass, None);
    }
    drop(image);
    assert_eq!(vulkan.close(), []);
}
