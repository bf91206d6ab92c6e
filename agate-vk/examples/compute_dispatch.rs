//! A compute pass that jobs record together: each dispatches a piece of the work, and what the GPU computes is compared
//! with what the processor does.
//!
//! `cargo run -p agate-vk --example compute_dispatch`. It needs no window.

#![allow(unsafe_code, reason = "every Vulkan call is unsafe")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "objects and commands come in groups"
)]

mod support;

use agate_vk::{Pass, Recorder, Service, ServiceOptions, SubmitOptions, vk};
use std::thread;
use support::{Failure, Host, LONG, memory_barrier};

const JOBS: u32 = 4;
const GROUP: u32 = 64;
const PER_JOB: u32 = 16 * GROUP;
const NUMBERS: u32 = JOBS * PER_JOB;
const BYTES: usize = NUMBERS as usize * 4;

/// How many steps the Collatz sequence takes from `n` to 1, for each `n` from 1.
const SHADER: &str = "
    @group(0) @binding(0) var<storage, read_write> steps: array<u32>;

    // What an invocation adds to its number: the first of the job's.
    var<immediate> first: u32;

    @compute @workgroup_size(64) fn count(@builtin(global_invocation_id) id: vec3<u32>) {
        let index = first + id.x;
        var n = index + 1u;
        var count = 0u;
        while n != 1u {
            if n % 2u == 0u {
                n = n / 2u;
            } else {
                n = 3u * n + 1u;
            }
            count += 1u;
        }
        steps[index] = count;
    }
";

/// The same on the processor.
fn steps_to_one(n: u32) -> u32 {
    let next = |n: &u32| (*n != 1).then(|| if n % 2 == 0 { n / 2 } else { 3 * n + 1 });
    std::iter::successors(Some(n), next).count() as u32 - 1
}

fn main() -> Result<(), Failure> {
    let Some(host) = Host::or_skip()? else {
        return Ok(());
    };
    let steps = host.buffer(BYTES, vk::BufferUsageFlags::STORAGE_BUFFER)?;
    let program = Program::new(&host, steps.buffer)?;
    let (family, queue) = host.main;
    // SAFETY: the device outlives the service, and nobody else uses the queue.
    let mut service = unsafe {
        let device = agate_vk::Device::from_ash(&host.instance, &host.device)?;
        Service::new(device, ServiceOptions::new(queue, family))?
    };

    let mut frame = service.begin_frame_timeout(LONG)?;
    let pass = frame.outside(JOBS)?;
    let after = frame.outside(1)?;
    thread::scope(|scope| {
        let jobs: Vec<_> = (0..JOBS)
            .map(|_| scope.spawn(|| job(&pass, &program)))
            .collect();
        let mut ends = jobs.into_iter().map(thread::ScopedJoinHandle::join);
        ends.try_for_each(|end| end.unwrap_or_else(|_| Err("a job panicked".into())))
    })?;
    // The jobs write to different places, so there is no barrier between them; before the host reads, there is one.
    let mut recorder = after.slot(0)?.stream()?;
    let barrier = memory_barrier(
        (
            vk::PipelineStageFlags2::COMPUTE_SHADER,
            vk::AccessFlags2::SHADER_STORAGE_WRITE,
        ),
        (vk::PipelineStageFlags2::HOST, vk::AccessFlags2::HOST_READ),
    );
    // SAFETY: valid usage.
    unsafe {
        recorder.cmd_pipeline_barrier2(&vk::DependencyInfo::default().memory_barriers(&barrier));
    }
    recorder.finish()?;
    frame.submit(SubmitOptions::default()).wait_timeout(LONG)?;

    for (n, bytes) in (1..).zip(steps.bytes().chunks_exact(4)) {
        let found = u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        if found != steps_to_one(n) {
            return Err(format!("{n}: {found} steps and not {}", steps_to_one(n)).into());
        }
    }
    println!("{NUMBERS} sequences in {JOBS} dispatches, as the processor counts them");

    let report = service.shutdown(LONG);
    if report.leaked > 0 {
        return Err(format!("the GPU still uses {} objects", report.leaked).into());
    }
    program.destroy(&host);
    drop(steps);
    host.close()
}

/// One job: takes the next slot, whichever it is, and dispatches that slot's piece.
fn job(pass: &Pass, program: &Program) -> Result<(), Failure> {
    let slot = pass.next_slot()?;
    let piece = slot.place().ok_or("a slot has a place")?.slot;
    let mut recorder = slot.stream()?;
    let first = piece * PER_JOB;
    // SAFETY: what the commands refer to lives, and the descriptor set is not updated, until the ticket has resolved.
    unsafe {
        recorder.cmd_bind_pipeline(vk::PipelineBindPoint::COMPUTE, program.pipeline);
        recorder.cmd_bind_descriptor_sets(
            vk::PipelineBindPoint::COMPUTE,
            program.layout,
            0,
            &[program.set],
            &[],
        );
        recorder.cmd_push_constants(
            program.layout,
            vk::ShaderStageFlags::COMPUTE,
            0,
            &first.to_ne_bytes(),
        );
        recorder.cmd_dispatch(PER_JOB / GROUP, 1, 1);
    }
    Ok(recorder.finish()?)
}

/// The pipeline and its descriptors. Nothing of agate-vk's is in it.
struct Program {
    set_layout: vk::DescriptorSetLayout,
    descriptors: vk::DescriptorPool,
    set: vk::DescriptorSet,
    layout: vk::PipelineLayout,
    pipeline: vk::Pipeline,
}

impl Program {
    fn new(host: &Host, steps: vk::Buffer) -> Result<Self, Failure> {
        let device = &host.device;
        let shader = host.shader(SHADER)?;
        let kind = vk::DescriptorType::STORAGE_BUFFER;
        let stages = vk::ShaderStageFlags::COMPUTE;
        let bindings = [vk::DescriptorSetLayoutBinding::default()
            .descriptor_type(kind)
            .descriptor_count(1)
            .stage_flags(stages)];
        let set_info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
        let sizes = [vk::DescriptorPoolSize::default()
            .ty(kind)
            .descriptor_count(1)];
        let pool_info = vk::DescriptorPoolCreateInfo::default()
            .max_sets(1)
            .pool_sizes(&sizes);
        let ranges = [vk::PushConstantRange::default().stage_flags(stages).size(4)];
        // SAFETY: valid usage; the shader is not needed once the pipeline is made.
        unsafe {
            let set_layout = device.create_descriptor_set_layout(&set_info, None)?;
            let descriptors = device.create_descriptor_pool(&pool_info, None)?;
            let set_layouts = [set_layout];
            let info = vk::DescriptorSetAllocateInfo::default()
                .descriptor_pool(descriptors)
                .set_layouts(&set_layouts);
            let set = device.allocate_descriptor_sets(&info)?[0];
            let buffers = [vk::DescriptorBufferInfo::default()
                .buffer(steps)
                .range(vk::WHOLE_SIZE)];
            let write = vk::WriteDescriptorSet::default()
                .dst_set(set)
                .descriptor_type(kind)
                .buffer_info(&buffers);
            device.update_descriptor_sets(&[write], &[]);
            let info = vk::PipelineLayoutCreateInfo::default()
                .set_layouts(&set_layouts)
                .push_constant_ranges(&ranges);
            let layout = device.create_pipeline_layout(&info, None)?;
            let stage = vk::PipelineShaderStageCreateInfo::default()
                .stage(stages)
                .module(shader)
                .name(c"count");
            let info = vk::ComputePipelineCreateInfo::default()
                .stage(stage)
                .layout(layout);
            let made = device.create_compute_pipelines(vk::PipelineCache::null(), &[info], None);
            let pipeline = made.map_err(|(_, error)| error)?[0];
            device.destroy_shader_module(shader, None);
            Ok(Self {
                set_layout,
                descriptors,
                set,
                layout,
                pipeline,
            })
        }
    }

    fn destroy(self, host: &Host) {
        let device = &host.device;
        // SAFETY: the ticket has resolved, so nothing uses them.
        unsafe {
            device.destroy_pipeline(self.pipeline, None);
            device.destroy_pipeline_layout(self.layout, None);
            device.destroy_descriptor_pool(self.descriptors, None);
            device.destroy_descriptor_set_layout(self.set_layout, None);
        }
    }
}
