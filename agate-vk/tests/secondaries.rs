//! Passes whose contents are secondary command buffers: the same commands in the same order as inline, one buffer for each
//! slot, and every way in which that can go wrong.

#![allow(unsafe_code, reason = "every Vulkan command is unsafe")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "each arm declares one pass"
)]

#[path = "support/null.rs"]
mod support;

use agate_vk::{
    Frame, FrameError, MissingSlot, Pass, PassError, RecordError, Recorder, Service, SlotLoss,
    SubmitOptions, TicketError, vk,
};
use null_device::{Call, NullDevice, NullOptions};
use std::ffi::c_void;
use std::sync::{Mutex, OnceLock};
use support::{LONG, Random, close, draw, run, service, until};
use vk::Handle;

/// Without shards, and with some.
const SHARDS: [u32; 3] = [0, 1, 3];

/// A device that looks at everything; without shards, moreover, each pool is for one thread.
fn of(shards: u32) -> NullOptions {
    let options = NullOptions::default();
    if shards == 0 {
        options.owner_only()
    } else {
        options.checked()
    }
}

/// Where a pass is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Outside,
    Rendering,
    RenderPass,
}

const PLACES: [Place; 3] = [Place::Outside, Place::Rendering, Place::RenderPass];

fn declare(frame: &mut Frame, place: Place, secondaries: bool, slots: u32) -> Pass {
    let formats = [vk::Format::R8G8B8A8_UNORM, vk::Format::R32_SFLOAT];
    let inherited = vk::CommandBufferInheritanceRenderingInfo::default()
        .color_attachment_formats(&formats)
        .rasterization_samples(vk::SampleCountFlags::TYPE_4);
    let info = vk::RenderingInfo::default().layer_count(1);
    let begin = vk::RenderPassBeginInfo::default()
        .render_pass(vk::RenderPass::from_raw(7))
        .framebuffer(vk::Framebuffer::from_raw(9));
    // SAFETY: the device takes any command.
    let declared = unsafe {
        match (place, secondaries) {
            (Place::Outside, false) => frame.outside(slots),
            (Place::Outside, true) => frame.outside_secondaries(slots),
            (Place::Rendering, false) => frame.rendering(&info, slots),
            (Place::Rendering, true) => frame.rendering_secondaries(&info, &inherited, slots),
            (Place::RenderPass, false) => frame.render_pass(&begin, slots),
            (Place::RenderPass, true) => frame.render_pass_secondaries(&begin, slots),
        }
    };
    declared.expect("room")
}

/// Records a slot that is several blocks long.
fn record(pass: &Pass, slot: u32) {
    let mut recorder = pass.slot(slot).expect("free").stream().expect("room");
    for i in 0..400 {
        // SAFETY: the device takes any command.
        unsafe { recorder.cmd_draw(3, 1, slot, i) };
    }
    recorder.finish().expect("the owner is there");
}

/// What the only primary recorded: with the commands of its secondaries in the place of their execution, and how many
/// secondaries each execution had.
fn captured(null: &NullDevice) -> (Vec<Call>, Vec<u64>) {
    let calls: Vec<_> = null
        .buffers()
        .into_iter()
        .map(|b| null.captured(b))
        .collect();
    let executes = |calls: &Vec<Call>| calls.iter().any(|c| c.name == "vkCmdExecuteCommands");
    let primary = calls.iter().find(|calls| executes(calls));
    // Without secondaries there is one buffer.
    let primary = primary.unwrap_or(&calls[0]);
    let mut executions = Vec::new();
    let mut flat = Vec::new();
    for call in primary {
        if call.name == "vkCmdExecuteCommands" {
            executions.push(call.words[0]);
            let secondaries = call.words[2..].iter();
            flat.extend(secondaries.flat_map(|s| null.captured(vk::CommandBuffer::from_raw(*s))));
        } else {
            flat.push(call.clone());
        }
    }
    (flat, executions)
}

/// Two passes whose slots are recorded in a random order by three jobs; what the device got.
fn shuffled(
    place: Place,
    secondaries: Option<u32>,
    missing: MissingSlot,
    seed: u64,
) -> (Vec<Call>, Vec<u64>) {
    let shards = secondaries.unwrap_or(0);
    let secondaries = secondaries.is_some();
    let null = NullDevice::new(of(shards).capture().manual());
    let mut service = service(&null, |options| {
        options.shards = shards;
        options.block_bytes = 4 << 10;
        options.frames_in_flight = 1;
        options.missing_slot = missing;
    });
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let passes = [
        declare(&mut frame, place, secondaries, 5),
        declare(&mut frame, Place::Outside, false, 1),
        declare(&mut frame, place, secondaries, 4),
    ];
    let mut work: Vec<_> = (0..)
        .zip([5, 1, 4])
        .flat_map(|(pass, slots)| (0..slots).map(move |slot| (pass, slot)))
        .collect();
    let mut random = Random(seed);
    for i in (1..work.len()).rev() {
        work.swap(i, random.below(i as u64 + 1) as usize);
    }
    std::thread::scope(|jobs| {
        for share in work.chunks(4) {
            let passes = &passes;
            jobs.spawn(move || {
                for (pass, slot) in share {
                    record(&passes[*pass as usize], *slot);
                }
            });
        }
    });
    let mut ticket = frame.submit(SubmitOptions::default());
    until("it is pending", || null.pending() == 1);
    let found = captured(&null);
    let buffers = null.live().buffers as u32;
    assert_eq!(buffers, if secondaries { 1 + 9 } else { 1 });
    assert_eq!(null.live().pools as u32, 1 + shards);
    assert_eq!(service.counters().pools, 1 + shards);
    assert_eq!(service.counters().command_buffers, buffers);
    null.release(1);
    let report = ticket.wait_timeout(LONG).expect("executed");
    assert_eq!(report.commands, found.0.len() as u64);
    close(service, &null);
    found
}

#[test]
fn have_the_same_commands_in_the_same_order_as_inline() {
    for place in PLACES {
        for missing in [MissingSlot::Fail, MissingSlot::Skip] {
            for seed in 0..6 {
                let shards = [0, 1, 2, 3][seed % 4];
                let seed = seed as u64;
                let (mut inline, none) = shuffled(place, None, missing, seed);
                let (found, executions) = shuffled(place, Some(shards), missing, seed);
                assert_eq!(none, []);
                assert_eq!(executions, [5, 4], "all of a pass at once");
                // The begin of a pass says what its contents are.
                let begin = |call: &Call| call.name.starts_with("vkCmdBegin");
                for (inline, found) in inline.iter_mut().zip(&found) {
                    if begin(found) {
                        assert_eq!(inline.name, found.name);
                        assert_ne!(inline.words, found.words);
                        inline.words.clone_from(&found.words);
                    }
                }
                assert!(inline == found, "{place:?} {missing:?} {seed}");
            }
        }
    }
}

#[test]
fn are_allocated_once_and_used_again() {
    for shards in SHARDS {
        let null = NullDevice::new(of(shards));
        let mut service = service(&null, |options| options.shards = shards);
        for slots in [3, 7, 7, 2, 7, 1] {
            for _ in 0..4 {
                let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
                let pass = declare(&mut frame, Place::Rendering, true, slots);
                (0..slots).for_each(|slot| draw(&pass, slot));
                let mut ticket = frame.submit(SubmitOptions::default());
                let report = ticket.wait_timeout(LONG).expect("executed");
                assert_eq!(report.commands, u64::from(slots) + 2);
            }
        }
        // Two frames in flight, each with a primary, and the secondaries of the largest frame.
        let pools = 2 * (1 + shards);
        assert_eq!(null.live().pools as u32, pools);
        assert_eq!(service.counters().pools, pools);
        assert_eq!(null.live().buffers, 2 + 14);
        close(service, &null);
    }
}

/// A frame whose slot 1 is lost when its first block is with the owner already.
fn lossy(
    service: &mut Service,
    place: Place,
    options: SubmitOptions<'_>,
) -> Result<u64, TicketError> {
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = declare(&mut frame, place, true, 3);
    draw(&pass, 2);
    let mut recorder = pass.slot(1).expect("free").stream().expect("room");
    for _ in 0..600 {
        // SAFETY: the device takes any command.
        unsafe { recorder.cmd_set_line_width(1.0) };
    }
    drop(recorder);
    draw(&pass, 0);
    let mut ticket = frame.submit(options);
    ticket.wait_timeout(LONG).map(|report| report.commands)
}

#[test]
fn of_a_lost_slot_fail_their_frame_or_are_left_out() {
    for shards in SHARDS {
        for place in PLACES {
            for missing in [MissingSlot::Fail, MissingSlot::Skip] {
                let null = NullDevice::new(of(shards));
                let mut service = service(&null, |options| {
                    options.shards = shards;
                    options.block_bytes = 4 << 10;
                    options.missing_slot = missing;
                });
                for options in [SubmitOptions::default(), SubmitOptions::record_only()] {
                    let result = lossy(&mut service, place, options);
                    match missing {
                        MissingSlot::Fail => {
                            let lost = FrameError::SlotLost {
                                pass: 0,
                                slot: 1,
                                loss: SlotLoss::Dropped,
                            };
                            assert_eq!(result, Err(TicketError::Frame(lost)));
                        }
                        // What was replayed of it is counted, and not executed.
                        MissingSlot::Skip => assert!(result.expect("executed") >= 2),
                    }
                }
                run(&mut service).expect("executed");
                close(service, &null);
            }
        }
    }
}

#[test]
fn that_are_lost_leave_nothing_of_them_in_the_primary() {
    for shards in SHARDS {
        let null = NullDevice::new(of(shards).capture().manual());
        let mut service = service(&null, |options| {
            options.shards = shards;
            options.block_bytes = 4 << 10;
            options.frames_in_flight = 1;
            options.missing_slot = MissingSlot::Skip;
        });
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let pass = declare(&mut frame, Place::Outside, true, 3);
        record(&pass, 2);
        let mut recorder = pass.slot(1).expect("free").stream().expect("room");
        for _ in 0..600 {
            // SAFETY: the device takes any command.
            unsafe { recorder.cmd_set_line_width(1.0) };
        }
        drop(recorder);
        record(&pass, 0);
        let mut ticket = frame.submit(SubmitOptions::default());
        until("it is pending", || null.pending() == 1);
        let (calls, executions) = captured(&null);
        assert_eq!(executions, [2]);
        assert_eq!(calls.len(), 800);
        assert!(calls.iter().all(|call| call.name == "vkCmdDraw"));
        null.release(1);
        ticket.wait_timeout(LONG).expect("executed");
        close(service, &null);
    }
}

#[test]
fn of_a_frame_that_is_dropped_are_used_again() {
    for shards in SHARDS {
        let null = NullDevice::new(of(shards));
        let mut service = service(&null, |options| {
            options.shards = shards;
            options.frames_in_flight = 1;
        });
        for _ in 0..3 {
            let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
            let pass = declare(&mut frame, Place::Rendering, true, 2);
            draw(&pass, 1);
            let held = pass.slot(0).expect("free").stream().expect("room");
            drop(frame);
            run(&mut service).expect("executed");
            // Too late: its frame is over.
            held.finish().expect("the owner is there");
        }
        assert!(null.live().buffers <= 3, "{:?}", null.live());
        close(service, &null);
    }
}

#[test]
fn that_cannot_be_made_begun_or_ended_fail_their_frame() {
    for shards in SHARDS {
        for result in [
            vk::Result::ERROR_OUT_OF_HOST_MEMORY,
            vk::Result::ERROR_OUT_OF_DEVICE_MEMORY,
        ] {
            for (call, nth) in [
                ("vkAllocateCommandBuffers", 1),
                ("vkAllocateCommandBuffers", 2),
                // The first is that of the primary.
                ("vkBeginCommandBuffer", 2),
                ("vkBeginCommandBuffer", 3),
                ("vkEndCommandBuffer", 1),
                ("vkEndCommandBuffer", 2),
                ("vkEndCommandBuffer", 3),
            ] {
                let null = NullDevice::new(of(shards));
                let mut service = service(&null, |options| options.shards = shards);
                null.fail(call, nth, result);
                let mut drawn = || {
                    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
                    let pass = declare(&mut frame, Place::Rendering, true, 2);
                    draw(&pass, 0);
                    draw(&pass, 1);
                    frame.submit(SubmitOptions::default()).wait_timeout(LONG)
                };
                let error = drawn().err();
                let expected = TicketError::Frame(FrameError::Vulkan { call, result });
                assert_eq!(error, Some(expected), "{call} {nth}");
                for _ in 0..4 {
                    drawn().expect("executed");
                }
                close(service, &null);
            }
        }
    }
}

#[test]
fn whose_pool_cannot_be_reset_are_reset_before_they_are_used() {
    let call = "vkResetCommandPool";
    let result = vk::Result::ERROR_OUT_OF_DEVICE_MEMORY;
    for shards in SHARDS {
        for failing in [1, 2, 3, 8] {
            let null = NullDevice::new(of(shards));
            let mut service = service(&null, |options| options.shards = shards);
            (1..=failing).for_each(|nth| null.fail(call, nth, result));
            let mut failed = 0;
            while null.planted() > 0 || failed == 0 {
                let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
                let pass = declare(&mut frame, Place::Rendering, true, 6);
                (0..6).for_each(|slot| draw(&pass, slot));
                match frame.submit(SubmitOptions::default()).wait_timeout(LONG) {
                    // Where one of the resets was the second of its pool.
                    Err(TicketError::Frame(FrameError::Vulkan { call: told, .. })) => {
                        assert_eq!(told, call);
                        failed += 1;
                    }
                    Err(other) => panic!("{other}"),
                    Ok(_) if null.planted() == 0 => break,
                    Ok(_) => {}
                }
            }
            for _ in 0..4 {
                let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
                let pass = declare(&mut frame, Place::Rendering, true, 6);
                (0..6).for_each(|slot| draw(&pass, slot));
                let mut ticket = frame.submit(SubmitOptions::default());
                ticket.wait_timeout(LONG).expect("executed");
            }
            close(service, &null);
        }
    }
}

#[test]
fn of_a_lost_device_fail_their_frame() {
    for shards in SHARDS {
        for (call, nth) in [
            ("vkAllocateCommandBuffers", 1),
            ("vkBeginCommandBuffer", 2),
            ("vkEndCommandBuffer", 1),
            ("vkQueueSubmit2", 1),
        ] {
            let null = NullDevice::new(of(shards));
            let mut service = service(&null, |options| options.shards = shards);
            null.fail(call, nth, vk::Result::ERROR_DEVICE_LOST);
            let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
            let pass = declare(&mut frame, Place::Rendering, true, 1);
            draw(&pass, 0);
            let mut ticket = frame.submit(SubmitOptions::default());
            let error = ticket.wait_timeout(LONG).err();
            assert_eq!(error, Some(TicketError::Frame(FrameError::DeviceLost)));
            close(service, &null);
        }
    }
}

#[test]
fn inherit_what_can_be_kept_alone() {
    let null = NullDevice::new(of(0));
    let mut service = service(&null, |_| ());
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let info = vk::RenderingInfo::default();
    let formats = [vk::Format::R8_UNORM; 9];
    let many =
        vk::CommandBufferInheritanceRenderingInfo::default().color_attachment_formats(&formats);
    // SAFETY: the device takes any command.
    let refused = unsafe { frame.rendering_secondaries(&info, &many, 1) };
    assert_eq!(
        refused.err(),
        Some(PassError::TooManyColorFormats { max: 8 })
    );
    let next = vk::AttachmentSampleCountInfoAMD::default();
    let chained = vk::CommandBufferInheritanceRenderingInfo {
        p_next: std::ptr::from_ref(&next).cast(),
        ..Default::default()
    };
    // SAFETY: as above.
    let refused = unsafe { frame.rendering_secondaries(&info, &chained, 1) };
    let unsupported = RecordError::UnsupportedPNext {
        command: "vkBeginCommandBuffer",
        s_type: vk::StructureType::ATTACHMENT_SAMPLE_COUNT_INFO_AMD.as_raw(),
    };
    assert_eq!(refused.err(), Some(PassError::Record(unsupported)));
    drop(frame);
    close(service, &null);
}

/// What a secondary is begun with: its flags, and what it inherits.
type Begun = (u32, Vec<u64>);

static BEGUN: Mutex<Vec<Begun>> = Mutex::new(Vec::new());
static BEGIN: OnceLock<vk::PFN_vkBeginCommandBuffer> = OnceLock::new();

/// Notes what secondaries are begun with, and begins them.
unsafe extern "system" fn begin(
    buffer: vk::CommandBuffer,
    info: *const vk::CommandBufferBeginInfo<'_>,
) -> vk::Result {
    // SAFETY: a valid structure, which a secondary's inheritance is in; what may be chained to that is of one type here.
    let (begun, inherited, rendering) = unsafe {
        let inherited = (*info).p_inheritance_info.as_ref();
        let next = inherited.map(|inherited| inherited.p_next.cast());
        let rendering: Option<*const vk::CommandBufferInheritanceRenderingInfo<'_>> = next;
        (&*info, inherited, rendering.and_then(|next| next.as_ref()))
    };
    if let Some(inherited) = inherited {
        let (pass, frame) = (inherited.render_pass, inherited.framebuffer);
        let mut words = vec![pass.as_raw(), frame.as_raw()];
        if let Some(rendering) = rendering {
            let count = rendering.color_attachment_count as usize;
            // SAFETY: a valid array.
            let formats =
                unsafe { std::slice::from_raw_parts(rendering.p_color_attachment_formats, count) };
            words.extend([
                u64::from(rendering.flags.as_raw()),
                rendering.view_mask.into(),
            ]);
            words.extend(formats.iter().map(|format| format.as_raw() as u64));
            let (depth, stencil) = (
                rendering.depth_attachment_format,
                rendering.stencil_attachment_format,
            );
            words.extend([depth, stencil].map(|format| format.as_raw() as u64));
            words.push(rendering.rasterization_samples.as_raw().into());
        }
        BEGUN
            .lock()
            .expect("no panic")
            .push((begun.flags.as_raw(), words));
    }
    // SAFETY: the caller's contract.
    unsafe { BEGIN.get().expect("set before")(buffer, info) }
}

#[test]
fn are_begun_with_all_that_their_pass_says() {
    let null = NullDevice::new(NullOptions::default().checked());
    let _ = BEGIN.set(null.table().fp_v1_0().begin_command_buffer);
    for shards in SHARDS {
        let spied = support::device(&null, |name| {
            (name == c"vkBeginCommandBuffer")
                .then_some(begin as vk::PFN_vkBeginCommandBuffer as *const c_void)
        });
        let service = support::try_service_of(spied, &null, |options| options.shards = shards);
        let mut service = service.expect("a service starts");
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let (colors, depth) = (
            [vk::Format::R8_UNORM, vk::Format::R32_SFLOAT],
            vk::Format::D16_UNORM,
        );
        let inherited = vk::CommandBufferInheritanceRenderingInfo::default()
            .color_attachment_formats(&colors)
            .depth_attachment_format(depth)
            .stencil_attachment_format(vk::Format::S8_UINT)
            .rasterization_samples(vk::SampleCountFlags::TYPE_4);
        let (suspending, views) = (vk::RenderingFlags::SUSPENDING, 0b101);
        let info = vk::RenderingInfo::default()
            .flags(suspending)
            .view_mask(views);
        // SAFETY: the device takes any command.
        let rendering = unsafe { frame.rendering_secondaries(&info, &inherited, 2) };
        let passes = [
            rendering.expect("room"),
            declare(&mut frame, Place::RenderPass, true, 2),
            declare(&mut frame, Place::Outside, true, 2),
        ];
        for pass in &passes {
            draw(pass, 0);
            let lease = pass.slot(1).expect("free").lease().expect("a pool");
            lease.finish().expect("the owner is there");
        }
        let mut ticket = frame.submit(SubmitOptions::default());
        ticket.wait_timeout(LONG).expect("executed");
        close(service, &null);
        let once = vk::CommandBufferUsageFlags::ONE_TIME_SUBMIT;
        let inside = (once | vk::CommandBufferUsageFlags::RENDER_PASS_CONTINUE).as_raw();
        let formats = [colors[0], colors[1], depth, vk::Format::S8_UINT];
        let mut of_rendering = vec![0, 0, suspending.as_raw().into(), views.into()];
        of_rendering.extend(formats.map(|format| format.as_raw() as u64));
        of_rendering.push(vk::SampleCountFlags::TYPE_4.as_raw().into());
        let expected = [
            (inside, of_rendering),
            (inside, vec![7, 9]),
            (once.as_raw(), vec![0, 0]),
        ];
        let mut begun = std::mem::take(&mut *BEGUN.lock().expect("no panic"));
        for expected in expected {
            let all = begun.len();
            begun.retain(|begun| *begun != expected);
            assert_eq!(
                all - begun.len(),
                2,
                "by a stream and by a lease: {expected:?}"
            );
        }
        assert_eq!(begun, []);
        null.hand_over();
    }
}
