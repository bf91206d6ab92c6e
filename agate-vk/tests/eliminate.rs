//! Leaving out redundant state changes nothing of what is drawn: random programs, recorded with and without elimination,
//! whose draws meet the same state.

#![allow(unsafe_code, reason = "every Vulkan command is unsafe")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the commands of one program belong together"
)]

#[path = "support/effective.rs"]
mod effective;
#[path = "support/null.rs"]
mod support;

use agate_vk::{
    DrawState, Eliminating, Entered, Recorder, Service, StreamRecorder, SubmitOptions, vk,
};
use effective::{STATES, done, is_static};
use null_device::{Call, NullDevice, NullOptions};
use support::{LONG, Random, close, service, until};
use vk::Handle;

/// How many programs, and how many steps each has.
const SIZE: (u64, u64) = if cfg!(miri) { (2, 60) } else { (300, 400) };

const GRAPHICS: vk::PipelineBindPoint = vk::PipelineBindPoint::GRAPHICS;

/// A step of a program: a command, and the seed of its arguments.
type Step = (u64, u64);

/// What a valid program must know of itself.
#[derive(Default)]
struct Program {
    pipeline: u64,
    /// The states set since it was bound, as bits.
    since: u64,
}

impl Program {
    fn binds(&mut self, to: &mut impl Recorder, pipeline: u64) {
        (self.pipeline, self.since) = (pipeline, 0);
        // SAFETY: the device takes any command.
        unsafe { to.cmd_bind_pipeline(GRAPHICS, handle(pipeline)) };
    }

    fn sets(&mut self, name: &str) {
        if let Some(index) = STATES.iter().position(|state| *state == name) {
            self.since |= 1 << index;
        }
    }

    /// Static state of the pipeline must not have been set since it was bound: binds it again if it was.
    fn draws(&mut self, to: &mut impl Recorder) {
        let wrong = |state: usize| self.since >> state & 1 == 1 && is_static(self.pipeline, state);
        if (0..STATES.len()).any(wrong) {
            self.binds(to, self.pipeline);
        }
        self.since = 0;
    }
}

fn handle<H: Handle>(raw: u64) -> H {
    H::from_raw(raw)
}

/// Few values, so that the same comes often; never null.
fn few(r: &mut Random) -> u64 {
    1 + r.below(2)
}

fn rect(r: &mut Random) -> vk::Rect2D {
    vk::Rect2D {
        extent: vk::Extent2D {
            width: few(r) as u32,
            height: 3,
        },
        ..Default::default()
    }
}

fn viewport(r: &mut Random) -> vk::Viewport {
    vk::Viewport {
        width: few(r) as f32,
        ..Default::default()
    }
}

fn fused(r: &mut Random) -> DrawState {
    DrawState {
        pipeline: handle(1 + r.below(3)),
        vertices: handle(few(r)),
        layout: handle(few(r)),
        stages: vk::ShaderStageFlags::VERTEX,
        push_offset: 0,
    }
}

/// The state that draws of programs have: what a pipeline may have, and some that nobody has.
fn set(program: &mut Program, to: &mut impl Recorder, r: &mut Random) {
    // SAFETY: the device takes any command.
    unsafe {
        match r.below(12) {
            0 | 1 => {
                program.sets("viewport 0");
                to.cmd_set_viewport(0, &[viewport(r)]);
            }
            2 | 3 => {
                program.sets("scissor 0");
                to.cmd_set_scissor(0, &[rect(r)]);
            }
            4 => to.cmd_set_viewport(1, &[viewport(r)]),
            5 => {
                program.sets("scissor 0");
                to.cmd_set_scissor(0, &[rect(r), rect(r)]);
            }
            6 => {
                program.sets("vkCmdSetLineWidth");
                to.cmd_set_line_width(few(r) as f32);
            }
            7 => {
                program.sets("vkCmdSetCullMode");
                to.cmd_set_cull_mode(vk::CullModeFlags::from_raw(few(r) as u32));
            }
            8 => {
                program.sets("vkCmdSetDepthTestEnable");
                to.cmd_set_depth_test_enable(r.below(2) == 0);
            }
            9 => {
                program.sets("vkCmdSetDepthBias");
                to.cmd_set_depth_bias(few(r) as f32, 0.0, 0.0);
            }
            10 => {
                program.sets("vkCmdSetStencilReference");
                to.cmd_set_stencil_reference(vk::StencilFaceFlags::FRONT, few(r) as u32);
            }
            _ => {
                program.sets("viewport 0");
                to.cmd_set_viewport_with_count(&[viewport(r)]);
            }
        }
    }
}

fn bind(program: &mut Program, to: &mut impl Recorder, r: &mut Random) {
    let buffers = [handle(few(r)), handle(few(r))];
    let point = match r.below(3) {
        0 => vk::PipelineBindPoint::COMPUTE,
        _ => GRAPHICS,
    };
    // SAFETY: the device takes any command.
    unsafe {
        match r.below(12) {
            0..=2 => program.binds(to, 1 + r.below(3)),
            3 => to.cmd_bind_pipeline(vk::PipelineBindPoint::COMPUTE, handle(few(r))),
            4 | 5 => to.cmd_bind_vertex_buffers(0, &buffers[..1], &[r.below(2) * 16]),
            6 => {
                let first = [0, 0, 1, 7, 20][r.below(5) as usize];
                to.cmd_bind_vertex_buffers(first, &buffers, &[0, r.below(2) * 16]);
            }
            7 => to.cmd_bind_index_buffer(buffers[0], r.below(2), vk::IndexType::UINT16),
            8 | 9 => {
                let sets = [handle(few(r)), handle(few(r))];
                let (count, offsets) = (1 + r.below(2) as usize, [3]);
                let offsets = &offsets[..r.below(8) as usize / 7];
                let (layout, first) = (handle(1 + r.below(8) / 7), r.below(3) as u32);
                to.cmd_bind_descriptor_sets(point, layout, first, &sets[..count], offsets);
            }
            10 => {
                let bytes = (few(r) as u32).to_ne_bytes();
                to.cmd_push_constants(handle(1), vk::ShaderStageFlags::VERTEX, 0, &bytes);
            }
            _ => rare_binding(program, to, r),
        }
    }
}

/// What the shadow knows nothing of, but must forget by.
fn rare_binding(program: &mut Program, to: &mut impl Recorder, r: &mut Random) {
    // SAFETY: the device takes any command.
    unsafe {
        match r.below(4) {
            0 => to.cmd_bind_vertex_buffers2(0, &[handle(few(r))], &[0], Some(&[8]), None),
            1 => to.cmd_bind_index_buffer2(handle(few(r)), 0, 8, vk::IndexType::UINT16),
            2 => {
                let write = [vk::WriteDescriptorSet::default().dst_binding(few(r) as u32)];
                to.cmd_push_descriptor_set(GRAPHICS, handle(1), 0, &write);
            }
            _ => {
                (program.pipeline, program.since) = (0, 0);
                to.cmd_bind_shaders(&[vk::ShaderStageFlags::VERTEX], &[handle(few(r))]);
            }
        }
    }
}

fn act(program: &mut Program, to: &mut impl Recorder, r: &mut Random) {
    // SAFETY: the device takes any command.
    unsafe {
        match r.below(16) {
            0..=6 => {
                program.draws(to);
                to.cmd_draw(3, 1, 0, r.below(2) as u32);
            }
            7 | 8 => {
                program.draws(to);
                to.cmd_draw_indexed(3, 1, 0, 0, 0);
            }
            9 | 10 => {
                let bound = fused(r);
                (program.pipeline, program.since) = (bound.pipeline.as_raw(), 0);
                to.draw_with(&bound, 3, |data| {
                    data.write(r.next());
                });
            }
            11 => {
                program.draws(to);
                to.cmd_draw_indirect(handle(1), 0, 1, 0);
            }
            12 | 13 => to.cmd_dispatch(1, 2, 3),
            14 => to.cmd_pipeline_barrier2(&vk::DependencyInfo::default()),
            _ if r.below(4) == 0 => {
                *program = Program::default();
                to.cmd_execute_commands(&[handle(1)]);
            }
            _ => to.cmd_fill_buffer(handle(1), 0, 4, 0),
        }
    }
}

fn record(steps: &[Step], to: &mut impl Recorder) {
    let mut program = Program::default();
    for (kind, seed) in steps {
        let mut random = Random(*seed);
        match kind {
            0 => set(&mut program, to, &mut random),
            1 => bind(&mut program, to, &mut random),
            _ => act(&mut program, to, &mut random),
        }
    }
}

/// Runs a frame, its one slot recorded by `record`; what the device was given.
fn calls(
    service: &mut Service,
    null: &NullDevice,
    record: impl FnOnce(&mut StreamRecorder),
) -> Vec<Call> {
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside(1).expect("room");
    let mut recorder = pass.slot(0).expect("free").stream().expect("room");
    record(&mut recorder);
    recorder.finish().expect("all arguments are good");
    let mut ticket = frame.submit(SubmitOptions::default());
    until("the frame is submitted", || null.pending() == 1);
    let calls = null.captured(null.buffers()[0]);
    null.release(1);
    ticket.wait_timeout(LONG).expect("executed");
    calls
}

fn capturing() -> (NullDevice, Service) {
    let null = NullDevice::new(NullOptions::default().owner_only().capture().manual());
    let service = service(&null, |options| {
        options.block_bytes = 4 << 10;
        options.frames_in_flight = 1;
    });
    (null, service)
}

#[test]
fn draws_meet_the_same_state_with_and_without_elimination() {
    let (null, mut service) = capturing();
    let mut random = Random(1);
    let (mut all, mut left) = (0, 0);
    for program in 0..SIZE.0 {
        // Some programs set much, others draw much; some have few different steps, which come again and again.
        let kinds = 3 + random.below(4);
        let first = random.next();
        let different = [3, 10, 40, 1000][random.below(4) as usize];
        let steps: Vec<Step> = (0..SIZE.1)
            .map(|_| (random.below(kinds), first ^ random.below(different)))
            .collect();
        let plain = calls(&mut service, &null, |recorder| record(&steps, recorder));
        let filtered = calls(&mut service, &null, |recorder| {
            recorder.eliminate(|recorder| record(&steps, recorder));
        });
        let (expected, found) = (done(&plain), done(&filtered));
        for (index, (expected, found)) in expected.iter().zip(&found).enumerate() {
            assert_eq!(expected, found, "program {program}, action {index}");
        }
        assert_eq!(expected.len(), found.len(), "program {program}");
        all += plain.len();
        left += filtered.len();
    }
    // It would be no use otherwise.
    assert!(left * 20 < all * 19, "{left} of {all} calls are left");
    println!("{left} of {all} calls are left");
    close(service, &null);
}

/// The loop of a renderer: its names, in order.
fn names(calls: &[Call]) -> Vec<&'static str> {
    calls.iter().map(|call| call.name).collect()
}

fn draw(to: &mut impl Recorder, pipeline: u64, width: u64) {
    // SAFETY: the device takes any command.
    unsafe {
        to.cmd_bind_pipeline(GRAPHICS, handle(pipeline));
        to.cmd_set_line_width(width as f32);
        to.cmd_bind_vertex_buffers(0, &[handle(7)], &[0]);
        to.cmd_bind_index_buffer(handle(8), 0, vk::IndexType::UINT32);
        to.cmd_bind_descriptor_sets(GRAPHICS, handle(2), 0, &[handle(3)], &[]);
        to.cmd_draw(3, 1, 0, 0);
    }
}

#[test]
fn what_is_bound_and_set_already_is_left_out() {
    let (null, mut service) = capturing();
    let found = calls(&mut service, &null, |recorder| {
        recorder.eliminate(|recorder| {
            draw(recorder, 1, 1);
            draw(recorder, 1, 1);
            draw(recorder, 1, 2);
            draw(recorder, 1, 2);
            draw(recorder, 2, 2);
        });
    });
    let once = [
        "vkCmdBindPipeline",
        "vkCmdSetLineWidth",
        "vkCmdBindVertexBuffers",
        "vkCmdBindIndexBuffer",
        "vkCmdBindDescriptorSets",
        "vkCmdDraw",
    ];
    let expected = [
        &once[..],
        &["vkCmdDraw", "vkCmdSetLineWidth", "vkCmdDraw", "vkCmdDraw"],
        // Another pipeline, which may have another layout and static state.
        &[
            "vkCmdBindPipeline",
            "vkCmdSetLineWidth",
            "vkCmdBindDescriptorSets",
            "vkCmdDraw",
        ],
    ];
    assert_eq!(names(&found), expected.concat());
    close(service, &null);
}

/// A slot starts without state, a scope knows nothing of what was recorded before, and a host may have set what it likes.
#[test]
fn nothing_is_known_where_others_may_have_set_state() {
    let (null, mut service) = capturing();
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside(2).expect("room");
    for slot in 0..2 {
        let mut recorder = pass.slot(slot).expect("free").stream().expect("room");
        recorder.eliminate(|recorder| {
            draw(recorder, 1, 1);
            recorder.forget_state();
            draw(recorder, 1, 1);
            draw(recorder.other(), 1, 1);
            draw(recorder, 1, 1);
        });
        recorder.eliminate(|recorder| draw(recorder, 1, 1));
        recorder.finish().expect("the owner is there");
    }
    let mut ticket = frame.submit(SubmitOptions::default());
    until("the frame is submitted", || null.pending() == 1);
    let found = null.captured(null.buffers()[0]);
    null.release(1);
    ticket.wait_timeout(LONG).expect("executed");
    // Nothing at all is left out.
    assert_eq!(found.len(), 2 * 5 * 6);
    close(service, &null);
}

#[test]
fn a_fused_draw_is_its_four_calls() {
    let (null, mut service) = capturing();
    let bound = DrawState {
        pipeline: handle(1),
        vertices: handle(2),
        layout: handle(3),
        stages: vk::ShaderStageFlags::VERTEX,
        push_offset: 16,
    };
    let fused = calls(&mut service, &null, |recorder| {
        recorder.enter(|recorder| {
            // Across the ends of blocks.
            for data in 0..200_u64 {
                // SAFETY: the device takes any command.
                unsafe {
                    recorder.draw_with(&bound, data as u32, |to| {
                        to.write([data; 5]);
                    });
                }
            }
        });
    });
    let four = calls(&mut service, &null, |recorder| {
        for data in 0..200_u64 {
            // SAFETY: the device takes any command.
            unsafe {
                recorder.cmd_bind_pipeline(GRAPHICS, bound.pipeline);
                recorder.cmd_bind_vertex_buffers(0, &[bound.vertices], &[0]);
                recorder.push_constants(bound.layout, bound.stages, 16, &[data; 5]);
                recorder.cmd_draw(data as u32, 1, 0, 0);
            }
        }
    });
    assert_eq!(fused, four);
    let once = calls(&mut service, &null, |recorder| {
        recorder.eliminate(|recorder| {
            for data in 0..200_u64 {
                // SAFETY: the device takes any command.
                unsafe {
                    recorder.draw_with(&bound, data as u32, |to| {
                        to.write([data; 5]);
                    });
                }
            }
        });
    });
    assert_eq!(once.len(), 2 + 2 * 200);
    assert_eq!(done(&once), done(&four));
    close(service, &null);
}

/// Commands that may set anything, or what the shadow does not follow, and closures, make it forget.
#[test]
fn whatever_may_have_set_state_makes_it_forget() {
    let unseen: [fn(&mut Eliminating<'_, Entered<'_>>); 7] = [
        // SAFETY: it sets nothing, but could have.
        |to| unsafe { to.record(|_, _| ()) },
        // SAFETY: the device takes any command.
        |to| unsafe { to.cmd_execute_commands(&[handle(1)]) },
        |to| {
            let write = [vk::WriteDescriptorSet::default()];
            // SAFETY: as above.
            unsafe { to.cmd_push_descriptor_set(GRAPHICS, handle(2), 0, &write) };
        },
        // SAFETY: as above.
        |to| unsafe {
            to.cmd_push_descriptor_set_with_template(handle(1), handle(2), 0, &[0]);
        },
        // SAFETY: as above.
        |to| unsafe { to.cmd_bind_vertex_buffers2(0, &[handle(9)], &[0], None, None) },
        // SAFETY: as above.
        |to| unsafe { to.cmd_bind_index_buffer2(handle(9), 0, 8, vk::IndexType::UINT16) },
        // SAFETY: as above.
        |to| unsafe { to.cmd_bind_shaders(&[vk::ShaderStageFlags::VERTEX], &[handle(9)]) },
    ];
    let (null, mut service) = capturing();
    for (index, unseen) in unseen.into_iter().enumerate() {
        let found = calls(&mut service, &null, |recorder| {
            recorder.eliminate(|recorder| {
                draw(recorder, 1, 1);
                unseen(recorder);
                draw(recorder, 1, 1);
                draw(recorder, 1, 1);
            });
        });
        // The closure makes no call.
        let own = usize::from(index > 0);
        assert_eq!(found.len(), 6 + own + 6 + 1, "{index}: {:?}", names(&found));
    }
    close(service, &null);
}
