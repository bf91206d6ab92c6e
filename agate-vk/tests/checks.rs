//! The feature `checks`: a command that stands where Vulkan does not allow it is refused by its name, with the calls of the
//! job that recorded it.

#![allow(unsafe_code, reason = "every Vulkan command is unsafe")]

#[path = "support/null.rs"]
mod support;

use agate_vk::{
    AnyRecorder, Checks, DrawState, FrameError, Pass, RecordError, Recorder, Service,
    ServiceOptions, SlotLoss, StreamRecorder, SubmitOptions, TicketError, Violation, vk,
};
use null_device::{NullDevice, NullOptions};
use std::sync::Arc;
use support::{LONG, checked, close, service};
use vk::Handle;

const GRAPHICS: vk::PipelineBindPoint = vk::PipelineBindPoint::GRAPHICS;

fn checking(options: &mut ServiceOptions) {
    options.checks = Checks::default();
}

/// Records one slot of a pass and ends its frame; what came out of `finish`, which is what the ticket says too.
fn recorded(
    service: &mut Service,
    inside: bool,
    record: impl FnOnce(&mut StreamRecorder),
) -> Result<(), RecordError> {
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass: Pass = if inside {
        let info = vk::RenderingInfo::default();
        // SAFETY: the device takes any command.
        unsafe { frame.rendering(&info, 1) }.expect("room")
    } else {
        frame.outside(1).expect("room")
    };
    let mut recorder = pass.slot(0).expect("free").stream().expect("room");
    record(&mut recorder);
    let finished = recorder.finish();
    let ticket = frame.submit(SubmitOptions::default()).wait_timeout(LONG);
    match (finished, ticket) {
        (Ok(()), Ok(_)) => {}
        (Err(error), Err(TicketError::Frame(FrameError::SlotLost { loss, .. }))) => {
            assert_eq!(loss, SlotLoss::Failed(error));
        }
        other => panic!("{other:?}"),
    }
    finished
}

/// As [`recorded`], on a service of its own.
fn once(inside: bool, record: impl FnOnce(&mut StreamRecorder)) -> Result<(), RecordError> {
    let null = checked();
    let mut service = service(&null, checking);
    let finished = recorded(&mut service, inside, record);
    assert_eq!(
        service.take_record_faults().len(),
        usize::from(finished.is_err())
    );
    close(service, &null);
    finished
}

fn refused(command: &'static str, violation: Violation) -> Result<(), RecordError> {
    Err(RecordError::Violation { command, violation })
}

fn bind(recorder: &mut impl Recorder, point: vk::PipelineBindPoint) {
    // SAFETY: the device takes any command.
    unsafe { recorder.cmd_bind_pipeline(point, Handle::from_raw(1)) };
}

fn draw(recorder: &mut impl Recorder) {
    // SAFETY: the device takes any command.
    unsafe { recorder.cmd_draw(3, 1, 0, 0) };
}

fn fill(recorder: &mut impl Recorder) {
    // SAFETY: the device takes any command.
    unsafe { recorder.cmd_fill_buffer(Handle::from_raw(1), 0, 4, 0) };
}

#[test]
fn what_may_stand_where_it_stands_is_not_refused() {
    let inside = once(true, |recorder| {
        bind(recorder, GRAPHICS);
        draw(recorder);
    });
    assert_eq!(inside, Ok(()));
    let fused = once(true, |recorder| {
        let bound = DrawState {
            pipeline: Handle::from_raw(1),
            vertices: Handle::from_raw(2),
            layout: Handle::from_raw(3),
            stages: vk::ShaderStageFlags::VERTEX,
            push_offset: 0,
        };
        // SAFETY: the device takes any command.
        unsafe {
            recorder.draw_with(&bound, 3, |data| {
                data.write(7_u32);
            });
        }
        recorder.eliminate(|recorder| {
            // SAFETY: as above.
            unsafe { recorder.cmd_bind_pipeline(GRAPHICS, bound.pipeline) };
            // SAFETY: as above.
            unsafe { recorder.cmd_draw(3, 1, 0, 0) };
        });
    });
    assert_eq!(fused, Ok(()));
    let own = once(false, |recorder| {
        fill(recorder);
        bind(recorder, vk::PipelineBindPoint::COMPUTE);
        // SAFETY: the device takes any command.
        unsafe { recorder.cmd_dispatch(1, 1, 1) };
        // A render pass of the slot's own.
        // SAFETY: as above.
        unsafe { recorder.cmd_begin_rendering(&vk::RenderingInfo::default()) };
        bind(recorder, GRAPHICS);
        draw(recorder);
        // SAFETY: as above.
        unsafe { recorder.cmd_end_rendering() };
        fill(recorder);
    });
    assert_eq!(own, Ok(()));
}

#[test]
fn commands_stand_inside_render_passes_or_outside_as_they_must() {
    assert_eq!(
        once(true, fill),
        refused("vkCmdFillBuffer", Violation::InsidePass)
    );
    let outside = once(false, |recorder| {
        bind(recorder, GRAPHICS);
        draw(recorder);
    });
    assert_eq!(outside, refused("vkCmdDraw", Violation::OutsidePass));
    let begun = once(false, |recorder| {
        // SAFETY: the device takes any command.
        unsafe { recorder.cmd_begin_rendering(&vk::RenderingInfo::default()) };
        fill(recorder);
    });
    assert_eq!(begun, refused("vkCmdFillBuffer", Violation::InsidePass));
}

#[test]
fn a_pass_that_slots_share_is_not_a_jobs_to_end() {
    let ended = once(true, |recorder| {
        // SAFETY: the device takes any command.
        unsafe { recorder.cmd_end_rendering() };
    });
    assert_eq!(ended, refused("vkCmdEndRendering", Violation::NotBegun));
}

#[test]
fn commands_of_other_queues_are_refused() {
    let null = checked();
    let mut service = service(&null, |options| {
        options.checks = Checks::default();
        options.checks.queue_flags = vk::QueueFlags::TRANSFER;
    });
    assert_eq!(recorded(&mut service, false, fill), Ok(()));
    let dispatched = recorded(&mut service, false, |recorder| {
        bind(recorder, vk::PipelineBindPoint::COMPUTE);
    });
    assert_eq!(
        dispatched,
        refused("vkCmdBindPipeline", Violation::OtherQueue)
    );
    close(service, &null);
}

/// A slot starts with all state undefined, so what another slot has bound does not count.
#[test]
fn what_draws_needs_a_pipeline_of_its_own_slot() {
    assert_eq!(
        once(true, draw),
        refused("vkCmdDraw", Violation::NoPipeline)
    );
    let dispatched = once(false, |recorder| {
        bind(recorder, GRAPHICS);
        // SAFETY: the device takes any command.
        unsafe { recorder.cmd_dispatch(1, 1, 1) };
    });
    assert_eq!(dispatched, refused("vkCmdDispatch", Violation::NoPipeline));
    let after_others = once(false, |recorder| {
        bind(recorder, vk::PipelineBindPoint::COMPUTE);
        // SAFETY: the device takes any command.
        unsafe { recorder.cmd_execute_commands(&[]) };
        // SAFETY: as above.
        unsafe { recorder.cmd_dispatch(1, 1, 1) };
    });
    assert_eq!(
        after_others,
        refused("vkCmdDispatch", Violation::NoPipeline)
    );
}

#[test]
fn a_closure_may_have_bound_a_pipeline() {
    let behind_a_closure = once(true, |recorder| {
        // SAFETY: it does nothing.
        unsafe { recorder.record(|_, _| {}) };
        draw(recorder);
    });
    assert_eq!(behind_a_closure, Ok(()));
}

#[test]
fn what_a_slot_begins_it_ends() {
    let label = once(false, |recorder| {
        // SAFETY: the device takes any command.
        unsafe { recorder.cmd_begin_debug_utils_label(&vk::DebugUtilsLabelEXT::default()) };
    });
    assert_eq!(
        label,
        refused("vkCmdBeginDebugUtilsLabelEXT", Violation::LeftOpen)
    );
    let query = once(true, |recorder| {
        let flags = vk::QueryControlFlags::empty();
        // SAFETY: the device takes any command.
        unsafe { recorder.cmd_begin_query(Handle::from_raw(1), 0, flags) };
    });
    assert_eq!(query, refused("vkCmdBeginQuery", Violation::LeftOpen));
    let ended = once(true, |recorder| {
        // SAFETY: the device takes any command.
        unsafe { recorder.cmd_end_conditional_rendering() };
    });
    assert_eq!(
        ended,
        refused("vkCmdEndConditionalRenderingEXT", Violation::NotBegun)
    );
    let rendering = once(false, |recorder| {
        // SAFETY: the device takes any command.
        unsafe { recorder.cmd_begin_rendering(&vk::RenderingInfo::default()) };
    });
    assert_eq!(
        rendering,
        refused("vkCmdBeginRendering", Violation::LeftOpen)
    );
}

#[inline(never)]
fn a_job_with_a_telling_name(recorder: &mut impl Recorder) {
    fill(recorder);
    fill(recorder);
}

#[test]
fn the_first_error_comes_with_the_calls_of_the_job() {
    let null: NullDevice = checked();
    let mut service = service(&null, checking);
    let finished = recorded(&mut service, true, a_job_with_a_telling_name);
    let faults = service.take_record_faults();
    let [fault] = &faults[..] else {
        panic!("{faults:?}");
    };
    assert_eq!(Err(fault.error), finished);
    assert_eq!((fault.place.pass, fault.place.slot), (0, 0));
    let calls = fault.backtrace.to_string();
    assert!(calls.contains("a_job_with_a_telling_name"), "{calls}");
    // Some of those that came later are kept.
    for _ in 0..20 {
        let _ = recorded(&mut service, true, fill);
    }
    assert_eq!(service.take_record_faults().len(), 16);
    assert!(service.take_record_faults().is_empty());
    close(service, &null);
}

/// Records one slot of a pass with secondary contents, in a stream and in a lease, which say the same; and what the
/// lease has given to the driver.
fn in_both_lanes(
    inside: bool,
    queue_flags: vk::QueueFlags,
    record: impl Fn(&mut AnyRecorder),
) -> (Result<(), RecordError>, Vec<&'static str>) {
    // Pools are lent from thread to thread.
    let null = NullDevice::new(NullOptions::default().checked().capture());
    let lanes = [usize::MAX, 0].map(|soft_block_bytes| {
        let mut service = service(&null, |options| {
            checking(options);
            options.checks.queue_flags = queue_flags;
            options.soft_block_bytes = soft_block_bytes;
        });
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let pass: Pass = if inside {
            let inherited = vk::CommandBufferInheritanceRenderingInfo::default();
            let info = vk::RenderingInfo::default();
            // SAFETY: the device takes any command.
            unsafe { frame.rendering_secondaries(&info, &inherited, 1) }.expect("room")
        } else {
            frame.outside_secondaries(1).expect("room")
        };
        let before = null.buffers();
        let mut recorder = pass.slot(0).expect("free").record().expect("room");
        assert_eq!(recorder.is_lease(), soft_block_bytes == 0);
        record(&mut recorder);
        let mut given = null.buffers();
        given.retain(|buffer| !before.contains(buffer));
        let given = given.into_iter().flat_map(|buffer| null.captured(buffer));
        let given: Vec<_> = given.map(|call| call.name).collect();
        let place = recorder.place();
        let finished = recorder.finish();
        let faults = service.take_record_faults();
        let noted: Vec<_> = faults.iter().map(|fault| Err(fault.error)).collect();
        assert_eq!(noted.first().unwrap_or(&Ok(())), &finished);
        assert!(faults.iter().all(|fault| Some(fault.place) == place));
        let ticket = frame.submit(SubmitOptions::default()).wait_timeout(LONG);
        assert_eq!(ticket.is_ok(), finished.is_ok());
        close(service, &null);
        (finished, given)
    });
    let [(stream, _), (lease, given)] = lanes;
    assert_eq!(stream, lease);
    (lease, given)
}

const ANY: vk::QueueFlags = vk::QueueFlags::empty();

#[test]
fn leases_take_what_may_stand_where_it_stands() {
    let (inside, given) = in_both_lanes(true, ANY, |recorder| {
        bind(recorder, GRAPHICS);
        draw(recorder);
        // SAFETY: the device takes any command.
        unsafe { recorder.cmd_begin_query(Handle::from_raw(1), 0, vk::QueryControlFlags::empty()) };
        // SAFETY: as above.
        unsafe { recorder.cmd_end_query(Handle::from_raw(1), 0) };
    });
    assert_eq!(inside, Ok(()));
    let all = [
        "vkCmdBindPipeline",
        "vkCmdDraw",
        "vkCmdBeginQuery",
        "vkCmdEndQuery",
    ];
    assert_eq!(given, all);
    let (own, given) = in_both_lanes(false, ANY, |recorder| {
        fill(recorder);
        // SAFETY: the device takes any command.
        unsafe { recorder.cmd_begin_rendering(&vk::RenderingInfo::default()) };
        // SAFETY: it does nothing.
        unsafe { recorder.record(|_, _| {}) };
        // What the closure may have bound is bound.
        draw(recorder);
        // SAFETY: as above.
        unsafe { recorder.cmd_end_rendering() };
    });
    assert_eq!(own, Ok(()));
    assert_eq!(given.len(), 4, "{given:?}");
    let (library, _) = in_both_lanes(true, ANY, |recorder| {
        match recorder {
            // SAFETY: nothing is done with it.
            AnyRecorder::Lease(recorder) => _ = unsafe { recorder.command_buffer() },
            AnyRecorder::Stream(recorder) => bind(recorder, GRAPHICS),
        }
        draw(recorder);
    });
    assert_eq!(library, Ok(()));
}

#[test]
fn leases_refuse_what_streams_refuse_and_spare_the_driver() {
    let transfer = vk::QueueFlags::TRANSFER;
    let compute = vk::PipelineBindPoint::COMPUTE;
    type Bad = fn(&mut AnyRecorder);
    let bad: [(bool, vk::QueueFlags, Bad, &'static str, Violation); 8] = [
        (
            true,
            ANY,
            |r| fill(r),
            "vkCmdFillBuffer",
            Violation::InsidePass,
        ),
        (false, ANY, |r| draw(r), "vkCmdDraw", Violation::OutsidePass),
        (true, ANY, |r| draw(r), "vkCmdDraw", Violation::NoPipeline),
        (
            false,
            ANY,
            // SAFETY: the device takes any command.
            |r| unsafe { r.cmd_dispatch(1, 1, 1) },
            "vkCmdDispatch",
            Violation::NoPipeline,
        ),
        (
            false,
            transfer,
            |r| bind(r, vk::PipelineBindPoint::COMPUTE),
            "vkCmdBindPipeline",
            Violation::OtherQueue,
        ),
        (
            true,
            ANY,
            // SAFETY: the device takes any command.
            |r| unsafe { r.cmd_end_rendering() },
            "vkCmdEndRendering",
            Violation::NotBegun,
        ),
        (
            false,
            ANY,
            // SAFETY: the device takes any command.
            |r| unsafe {
                r.cmd_begin_render_pass(
                    &vk::RenderPassBeginInfo::default(),
                    vk::SubpassContents::INLINE,
                );
            },
            "vkCmdBeginRenderPass",
            Violation::PrimaryOnly,
        ),
        (
            true,
            ANY,
            // SAFETY: the device takes any command.
            |r| unsafe { r.cmd_end_conditional_rendering() },
            "vkCmdEndConditionalRenderingEXT",
            Violation::NotBegun,
        ),
    ];
    for (inside, queues, bad, command, violation) in bad {
        let called = Arc::new(());
        let (finished, given) = in_both_lanes(inside, queues, |recorder| {
            bad(recorder);
            // All of this would be allowed, each in its place.
            // SAFETY: the device takes any command.
            unsafe { recorder.cmd_set_line_width(1.0) };
            bind(recorder, compute);
            let in_closure = Arc::clone(&called);
            // SAFETY: as above.
            unsafe { recorder.record(move |_, _| drop(in_closure)) };
        });
        assert_eq!(finished, refused(command, violation));
        assert!(given.is_empty(), "{command}: {given:?}");
        assert_eq!(Arc::strong_count(&called), 1, "{command}");
    }
    let (left, given) = in_both_lanes(false, ANY, |recorder| {
        // SAFETY: the device takes any command.
        unsafe { recorder.cmd_begin_debug_utils_label(&vk::DebugUtilsLabelEXT::default()) };
    });
    let label = "vkCmdBeginDebugUtilsLabelEXT";
    assert_eq!(left, refused(label, Violation::LeftOpen));
    assert_eq!(given, [label]);
}

/// A gap of another kind: what stands behind it might rely on what is not there.
#[test]
fn behind_any_error_a_lease_spares_the_driver() {
    let (finished, given) = in_both_lanes(true, ANY, |recorder| {
        bind(recorder, GRAPHICS);
        // SAFETY: the device takes any command.
        unsafe { recorder.cmd_bind_vertex_buffers(0, &[Handle::from_raw(1)], &[]) };
        draw(recorder);
        fill(recorder);
    });
    let error = RecordError::BadArgument {
        command: "vkCmdBindVertexBuffers",
        argument: "offsets",
    };
    assert_eq!(finished, Err(error));
    assert_eq!(given, ["vkCmdBindPipeline"]);
}

#[test]
fn the_first_error_of_a_lease_comes_with_the_calls_of_the_job() {
    let null = NullDevice::new(NullOptions::default().checked());
    let mut service = service(&null, checking);
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let inherited = vk::CommandBufferInheritanceRenderingInfo::default();
    let info = vk::RenderingInfo::default();
    // SAFETY: the device takes any command.
    let pass = unsafe { frame.rendering_secondaries(&info, &inherited, 2) }.expect("room");
    let mut recorder = pass.slot(1).expect("free").lease().expect("a pool");
    a_job_with_a_telling_name(&mut recorder);
    let finished = recorder.finish();
    let faults = service.take_record_faults();
    let [fault] = &faults[..] else {
        panic!("{faults:?}");
    };
    assert_eq!(Err(fault.error), finished);
    assert_eq!((fault.place.pass, fault.place.slot), (0, 1));
    let calls = fault.backtrace.to_string();
    assert!(calls.contains("a_job_with_a_telling_name"), "{calls}");
    drop(frame);
    close(service, &null);
}

#[test]
fn nothing_is_refused_where_checks_are_off() {
    let null = checked();
    let mut service = service(&null, |_| ());
    assert_eq!(recorded(&mut service, true, fill), Ok(()));
    close(service, &null);
}

#[test]
fn a_violation_says_what_is_wrong() {
    let error = RecordError::Violation {
        command: "vkCmdFillBuffer",
        violation: Violation::InsidePass,
    };
    let text = error.to_string();
    assert!(
        text.starts_with("vkCmdFillBuffer is recorded inside a render pass"),
        "{text}"
    );
}
