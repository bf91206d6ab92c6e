//! A first picture: four jobs of a thread pool record one frame together, which ends up in a PNG file.
//!
//! `cargo run -p agate-vk --example offscreen_triangle [FILE]`. It needs no window, and checks the picture.

#![allow(unsafe_code, reason = "every Vulkan call is unsafe")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "objects and commands come in groups"
)]

mod support;

use agate_vk::{Pass, Recorder, Service, ServiceOptions, StreamRecorder, SubmitOptions, ash, vk};
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use support::{COLOR, Failure, Host, LONG, memory_barrier};

const SIZE: u32 = 256;
const EXTENT: vk::Extent2D = vk::Extent2D {
    width: SIZE,
    height: SIZE,
};
const FORMAT: vk::Format = vk::Format::R8G8B8A8_UNORM;
const JOBS: u32 = 4;

/// Four triangles that make a large one; each job draws one of them, by its first vertex. In WGSL, y points up.
const SHADER: &str = "
    struct Corner {
        @builtin(position) place: vec4<f32>,
        @location(0) colour: vec3<f32>,
    }

    @vertex fn corner(@builtin(vertex_index) index: u32) -> Corner {
        var places = array<vec2<f32>, 12>(
            vec2(-0.4, 0.0), vec2(0.4, 0.0), vec2(0.0, -0.8),    // the middle, upside down
            vec2(0.0, 0.8), vec2(0.4, 0.0), vec2(-0.4, 0.0),     // the top
            vec2(-0.4, 0.0), vec2(0.0, -0.8), vec2(-0.8, -0.8),  // the left
            vec2(0.4, 0.0), vec2(0.8, -0.8), vec2(0.0, -0.8),    // the right
        );
        var colours = array<vec3<f32>, 4>(
            vec3(1.0, 1.0, 1.0), vec3(1.0, 0.0, 0.0), vec3(0.0, 1.0, 0.0), vec3(0.0, 0.0, 1.0),
        );
        return Corner(vec4(places[index], 0.0, 1.0), colours[index / 3u]);
    }

    @fragment fn colour(corner: Corner) -> @location(0) vec4<f32> {
        return vec4(corner.colour, 1.0);
    }
";

fn main() -> Result<(), Failure> {
    let Some(host) = Host::or_skip()? else {
        return Ok(());
    };
    let image = host.image(FORMAT, EXTENT)?;
    let bytes = (SIZE * SIZE * 4) as usize;
    let pixels = host.buffer(bytes, vk::BufferUsageFlags::TRANSFER_DST)?;
    let (layout, pipeline) = pipeline(&host)?;

    // The service takes the device's functions and one queue. It starts three threads, and creates two command pools.
    let (family, queue) = host.main;
    // SAFETY: the device outlives the service, and nobody else uses the queue.
    let mut service = unsafe {
        let device = agate_vk::Device::from_ash(&host.instance, &host.device)?;
        Service::new(device, ServiceOptions::new(queue, family))?
    };

    // A frame is a list of passes, in order; each has slots, which jobs record in any order.
    let mut frame = service.begin_frame_timeout(LONG)?;
    let before = frame.outside(1)?;
    let attachments = [vk::RenderingAttachmentInfo::default()
        .image_view(image.view)
        .image_layout(vk::ImageLayout::COLOR_ATTACHMENT_OPTIMAL)
        .load_op(vk::AttachmentLoadOp::CLEAR)
        .store_op(vk::AttachmentStoreOp::STORE)];
    let rendering = vk::RenderingInfo::default()
        .render_area(EXTENT.into())
        .layer_count(1)
        .color_attachments(&attachments);
    // SAFETY: the image lives until the ticket has resolved, and is in that layout by then.
    let triangles = unsafe { frame.rendering(&rendering, JOBS)? };
    let after = frame.outside(1)?;

    // agate-vk adds no barrier: layouts are the program's to change.
    record(&before, 0, |recorder| {
        layout_change(
            recorder,
            image.image,
            (
                vk::ImageLayout::UNDEFINED,
                vk::ImageLayout::COLOR_ATTACHMENT_OPTIMAL,
            ),
            (vk::PipelineStageFlags2::NONE, vk::AccessFlags2::NONE),
            (
                vk::PipelineStageFlags2::COLOR_ATTACHMENT_OUTPUT,
                vk::AccessFlags2::COLOR_ATTACHMENT_WRITE,
            ),
        );
    })?;
    record(&after, 0, |recorder| {
        read_back(recorder, image.image, pixels.buffer);
    })?;

    // The jobs. None of them waits for another, or for the threads of the service: waiting is even forbidden to them.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(JOBS as usize)
        .start_handler(|_| agate::forbid_wait())
        .build()?;
    pool.install(|| {
        (0..JOBS).into_par_iter().try_for_each(|job| {
            record(&triangles, job, |recorder| {
                let viewport = [vk::Viewport::default()
                    .width(SIZE as f32)
                    .height(SIZE as f32)
                    .max_depth(1.0)];
                // Each slot starts without any state: a job sets all that it needs.
                // SAFETY: the pipeline lives until the ticket has resolved, and fits the pass.
                unsafe {
                    recorder.cmd_bind_pipeline(vk::PipelineBindPoint::GRAPHICS, pipeline);
                    recorder.cmd_set_viewport(0, &viewport);
                    recorder.cmd_set_scissor(0, &[EXTENT.into()]);
                    recorder.cmd_draw(3, 1, 3 * job, 0);
                }
            })
        })
    })?;

    // Returns at once; the ticket says when the GPU is done, or what went wrong.
    let mut ticket = frame.submit(SubmitOptions::default());
    let report = ticket.wait_timeout(LONG)?;

    let file = std::env::args_os().nth(1).map_or_else(
        || std::env::temp_dir().join("agate_triangle.png"),
        PathBuf::from,
    );
    save(&file, pixels.bytes())?;
    check(pixels.bytes())?;
    println!(
        "{JOBS} jobs recorded {} commands into one command buffer; the picture is {}",
        report.commands,
        file.display()
    );

    let report = service.shutdown(LONG);
    if report.leaked > 0 {
        return Err(format!("the GPU still uses {} objects", report.leaked).into());
    }
    // SAFETY: the ticket has resolved, so nothing uses them.
    unsafe {
        host.device.destroy_pipeline(pipeline, None);
        host.device.destroy_pipeline_layout(layout, None);
    }
    drop((image, pixels));
    host.close()
}

/// Takes a slot, records it, and finishes it.
fn record(
    pass: &Pass,
    slot: u32,
    commands: impl FnOnce(&mut StreamRecorder),
) -> Result<(), Failure> {
    let mut recorder = pass.slot(slot)?.stream()?;
    commands(&mut recorder);
    Ok(recorder.finish()?)
}

type Scope = (vk::PipelineStageFlags2, vk::AccessFlags2);

fn layout_change(
    recorder: &mut StreamRecorder,
    image: vk::Image,
    (old, new): (vk::ImageLayout, vk::ImageLayout),
    (from_stages, from_access): Scope,
    (to_stages, to_access): Scope,
) {
    let barrier = [vk::ImageMemoryBarrier2::default()
        .image(image)
        .subresource_range(COLOR)
        .old_layout(old)
        .new_layout(new)
        .src_queue_family_index(vk::QUEUE_FAMILY_IGNORED)
        .dst_queue_family_index(vk::QUEUE_FAMILY_IGNORED)
        .src_stage_mask(from_stages)
        .src_access_mask(from_access)
        .dst_stage_mask(to_stages)
        .dst_access_mask(to_access)];
    let info = vk::DependencyInfo::default().image_memory_barriers(&barrier);
    // SAFETY: the image lives until the ticket has resolved.
    unsafe { recorder.cmd_pipeline_barrier2(&info) };
}

fn read_back(recorder: &mut StreamRecorder, image: vk::Image, pixels: vk::Buffer) {
    let copied = (
        vk::PipelineStageFlags2::COPY,
        vk::AccessFlags2::TRANSFER_READ,
    );
    layout_change(
        recorder,
        image,
        (
            vk::ImageLayout::COLOR_ATTACHMENT_OPTIMAL,
            vk::ImageLayout::TRANSFER_SRC_OPTIMAL,
        ),
        (
            vk::PipelineStageFlags2::COLOR_ATTACHMENT_OUTPUT,
            vk::AccessFlags2::COLOR_ATTACHMENT_WRITE,
        ),
        copied,
    );
    let region = [vk::BufferImageCopy::default()
        .image_subresource(vk::ImageSubresourceLayers {
            aspect_mask: vk::ImageAspectFlags::COLOR,
            mip_level: 0,
            base_array_layer: 0,
            layer_count: 1,
        })
        .image_extent(EXTENT.into())];
    let barrier = memory_barrier(
        (
            vk::PipelineStageFlags2::COPY,
            vk::AccessFlags2::TRANSFER_WRITE,
        ),
        (vk::PipelineStageFlags2::HOST, vk::AccessFlags2::HOST_READ),
    );
    let info = vk::DependencyInfo::default().memory_barriers(&barrier);
    // SAFETY: image and buffer live until the ticket has resolved, and have the same size.
    unsafe {
        let layout = vk::ImageLayout::TRANSFER_SRC_OPTIMAL;
        recorder.cmd_copy_image_to_buffer(image, layout, pixels, &region);
        recorder.cmd_pipeline_barrier2(&info);
    }
}

/// A pipeline for dynamic rendering. Nothing of agate-vk's is in it.
fn pipeline(host: &Host) -> Result<(vk::PipelineLayout, vk::Pipeline), Failure> {
    let device: &ash::Device = &host.device;
    let shader = host.shader(SHADER)?;
    let stage = |stage, name| {
        vk::PipelineShaderStageCreateInfo::default()
            .stage(stage)
            .module(shader)
            .name(name)
    };
    let stages = [
        stage(vk::ShaderStageFlags::VERTEX, c"corner"),
        stage(vk::ShaderStageFlags::FRAGMENT, c"colour"),
    ];
    let input = vk::PipelineVertexInputStateCreateInfo::default();
    let assembly = vk::PipelineInputAssemblyStateCreateInfo::default()
        .topology(vk::PrimitiveTopology::TRIANGLE_LIST);
    let viewport = vk::PipelineViewportStateCreateInfo::default()
        .viewport_count(1)
        .scissor_count(1);
    let raster = vk::PipelineRasterizationStateCreateInfo::default().line_width(1.0);
    let samples = vk::PipelineMultisampleStateCreateInfo::default()
        .rasterization_samples(vk::SampleCountFlags::TYPE_1);
    let targets = [vk::PipelineColorBlendAttachmentState::default()
        .color_write_mask(vk::ColorComponentFlags::RGBA)];
    let blend = vk::PipelineColorBlendStateCreateInfo::default().attachments(&targets);
    let dynamic = [vk::DynamicState::VIEWPORT, vk::DynamicState::SCISSOR];
    let dynamic = vk::PipelineDynamicStateCreateInfo::default().dynamic_states(&dynamic);
    let formats = [FORMAT];
    let mut rendering =
        vk::PipelineRenderingCreateInfo::default().color_attachment_formats(&formats);
    // SAFETY: valid usage; the shader is not needed once the pipeline is made.
    unsafe {
        let layout =
            device.create_pipeline_layout(&vk::PipelineLayoutCreateInfo::default(), None)?;
        let info = vk::GraphicsPipelineCreateInfo::default()
            .stages(&stages)
            .vertex_input_state(&input)
            .input_assembly_state(&assembly)
            .viewport_state(&viewport)
            .rasterization_state(&raster)
            .multisample_state(&samples)
            .color_blend_state(&blend)
            .dynamic_state(&dynamic)
            .layout(layout)
            .push_next(&mut rendering);
        let made = device.create_graphics_pipelines(vk::PipelineCache::null(), &[info], None);
        let pipelines = made.map_err(|(_, error)| error)?;
        device.destroy_shader_module(shader, None);
        Ok((layout, pipelines[0]))
    }
}

fn save(file: &Path, pixels: &[u8]) -> Result<(), Failure> {
    let mut encoder = png::Encoder::new(std::fs::File::create(file)?, SIZE, SIZE);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(pixels)?;
    Ok(())
}

/// The middle of each triangle has its colour, and the corners of the picture have none.
fn check(pixels: &[u8]) -> Result<(), Failure> {
    let expected = [
        ((128, 150), [255, 255, 255, 255]),
        ((128, 90), [255, 0, 0, 255]),
        ((76, 195), [0, 255, 0, 255]),
        ((180, 195), [0, 0, 255, 255]),
        ((10, 10), [0, 0, 0, 0]),
        ((245, 10), [0, 0, 0, 0]),
    ];
    for ((x, y), colour) in expected {
        let at = ((y * SIZE + x) * 4) as usize;
        let found = &pixels[at..at + 4];
        if found != colour {
            return Err(format!("pixel {x}, {y} is {found:?} and not {colour:?}").into());
        }
    }
    Ok(())
}
