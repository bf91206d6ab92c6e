//! The two pipelines, stones and ground, for dynamic rendering or for a classic render pass.
#![allow(unsafe_code, reason = "calls Vulkan")]

use std::sync::Arc;

use ash::vk;

use super::Gpu;
use super::pass::PassKind;
use super::target::Formats;
use crate::error::{Doing, Error};
use crate::scene;

/// One pipeline with its layout.
pub(crate) struct Pipeline {
    pub(crate) handle: vk::Pipeline,
    pub(crate) layout: vk::PipelineLayout,
    gpu: Arc<Gpu>,
}

/// What the frame draws with.
pub(crate) struct Pipelines {
    pub(crate) stone: Pipeline,
    pub(crate) ground: Pipeline,
}

impl Pipelines {
    /// Compiles both for the pass.
    pub(crate) fn new(gpu: &Arc<Gpu>, formats: Formats, pass: &PassKind) -> Result<Self, Error> {
        let stone = Kind {
            code: scene::STONE_SPV,
            push_bytes: size_of::<scene::StonePush>(),
            vertices: true,
            depth: scene::STONE_DEPTH,
            cull: scene::STONE_CULL,
        };
        let ground = Kind {
            code: scene::GROUND_SPV,
            push_bytes: size_of::<scene::GroundPush>(),
            vertices: false,
            depth: scene::GROUND_DEPTH,
            cull: vk::CullModeFlags::NONE,
        };
        Ok(Self {
            stone: Pipeline::new(gpu, formats, pass, &stone)?,
            ground: Pipeline::new(gpu, formats, pass, &ground)?,
        })
    }
}

struct Kind {
    code: &'static [u8],
    push_bytes: usize,
    vertices: bool,
    depth: scene::Depth,
    cull: vk::CullModeFlags,
}

impl Pipeline {
    fn new(gpu: &Arc<Gpu>, formats: Formats, pass: &PassKind, kind: &Kind) -> Result<Self, Error> {
        let push = [vk::PushConstantRange::default()
            .stage_flags(scene::PUSH_STAGES)
            .size(u32::try_from(kind.push_bytes).unwrap_or(u32::MAX))];
        let info = vk::PipelineLayoutCreateInfo::default().push_constant_ranges(&push);
        // SAFETY: the device is alive (G1), `info` is complete.
        let layout = unsafe { gpu.device.create_pipeline_layout(&info, None) }
            .doing("creating a pipeline layout")?;
        let mut pipeline = Self {
            handle: vk::Pipeline::null(),
            layout,
            gpu: Arc::clone(gpu),
        };
        let module = shader(gpu, kind.code)?;
        let compiled = compile(gpu, formats, pass, kind, layout, module);
        // SAFETY: a pipeline does not need its modules once it is made.
        unsafe { gpu.device.destroy_shader_module(module, None) };
        pipeline.handle = compiled?;
        Ok(pipeline)
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        // SAFETY: no frame uses it any more (G2); null is allowed.
        unsafe { self.gpu.device.destroy_pipeline(self.handle, None) };
        // SAFETY: likewise.
        unsafe { self.gpu.device.destroy_pipeline_layout(self.layout, None) };
    }
}

fn shader(gpu: &Gpu, code: &[u8]) -> Result<vk::ShaderModule, Error> {
    let words: Vec<u32> = code
        .as_chunks::<4>()
        .0
        .iter()
        .map(|word| u32::from_le_bytes(*word))
        .collect();
    let info = vk::ShaderModuleCreateInfo::default().code(&words);
    // SAFETY: the code was made and validated by naga when the demo was built.
    unsafe { gpu.device.create_shader_module(&info, None) }.doing("loading a shader")
}

fn compile(
    gpu: &Gpu,
    formats: Formats,
    pass: &PassKind,
    kind: &Kind,
    layout: vk::PipelineLayout,
    module: vk::ShaderModule,
) -> Result<vk::Pipeline, Error> {
    let stage = |stage, name| {
        vk::PipelineShaderStageCreateInfo::default()
            .stage(stage)
            .module(module)
            .name(name)
    };
    let stages = [
        stage(vk::ShaderStageFlags::VERTEX, scene::VERTEX_ENTRY),
        stage(vk::ShaderStageFlags::FRAGMENT, scene::FRAGMENT_ENTRY),
    ];
    let used = usize::from(kind.vertices);
    let bindings = &[scene::Vertex::BINDING][..used];
    let attributes = &scene::Vertex::ATTRIBUTES[..used * scene::Vertex::ATTRIBUTES.len()];
    let vertices = vk::PipelineVertexInputStateCreateInfo::default()
        .vertex_binding_descriptions(bindings)
        .vertex_attribute_descriptions(attributes);
    let assembly = vk::PipelineInputAssemblyStateCreateInfo::default()
        .topology(vk::PrimitiveTopology::TRIANGLE_LIST);
    let viewport = vk::PipelineViewportStateCreateInfo::default()
        .viewport_count(1)
        .scissor_count(1);
    let raster = vk::PipelineRasterizationStateCreateInfo::default()
        .polygon_mode(vk::PolygonMode::FILL)
        .cull_mode(kind.cull)
        .front_face(scene::FRONT_FACE)
        .line_width(1.0);
    let samples =
        vk::PipelineMultisampleStateCreateInfo::default().rasterization_samples(formats.samples);
    let depth = vk::PipelineDepthStencilStateCreateInfo::default()
        .depth_test_enable(kind.depth.test)
        .depth_write_enable(kind.depth.write)
        .depth_compare_op(kind.depth.compare);
    let blends = [vk::PipelineColorBlendAttachmentState::default()
        .color_write_mask(vk::ColorComponentFlags::RGBA)];
    let blend = vk::PipelineColorBlendStateCreateInfo::default().attachments(&blends);
    let dynamics = [vk::DynamicState::VIEWPORT, vk::DynamicState::SCISSOR];
    let dynamic = vk::PipelineDynamicStateCreateInfo::default().dynamic_states(&dynamics);
    let colors = [formats.color];
    let mut rendering = vk::PipelineRenderingCreateInfo::default()
        .color_attachment_formats(&colors)
        .depth_attachment_format(formats.depth);
    let info = vk::GraphicsPipelineCreateInfo::default()
        .stages(&stages)
        .vertex_input_state(&vertices)
        .input_assembly_state(&assembly)
        .viewport_state(&viewport)
        .rasterization_state(&raster)
        .multisample_state(&samples)
        .depth_stencil_state(&depth)
        .color_blend_state(&blend)
        .dynamic_state(&dynamic)
        .layout(layout);
    let info = match pass {
        PassKind::Dynamic => info.push_next(&mut rendering),
        PassKind::Classic(pass) => info.render_pass(pass.handle),
    };
    // SAFETY: layout, module and pass are alive and belong to this device; pointers outlive the call.
    let made = unsafe {
        gpu.device
            .create_graphics_pipelines(vk::PipelineCache::null(), &[info], None)
    };
    let made = made
        .map_err(|(_, result)| result)
        .doing("compiling a pipeline")?;
    made.first().copied().ok_or(Error::Vulkan {
        doing: "compiling a pipeline",
        result: vk::Result::ERROR_UNKNOWN,
    })
}
