//! Every command that is encoded, with random arguments, beside a direct call of the device's function: what the device is
//! given is the same, bytes included, although the arguments are spoilt before anything is replayed.

#![allow(unsafe_code, reason = "every Vulkan command is unsafe")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the same command, by two ways"
)]

#[path = "generated/mod.rs"]
mod generated;
#[path = "support/irregular.rs"]
mod irregular;
#[path = "support/maker.rs"]
mod maker;
#[path = "support/null.rs"]
mod support;

use agate_vk::{
    AnyRecorder, Command, DrawState, Eliminating, LeaseRecorder, PNextArray, RecordError, Recorder,
    Service, StreamRecorder, SubmitOptions, vk,
};
use maker::{Maker, Trial, Try};
use null_device::{Call, NullDevice, NullOptions};
use std::collections::BTreeSet;
use std::ffi::{CStr, c_void};
use std::sync::Mutex;
use support::{LONG, Random, close, service, until};

/// How many frames, each with every command in an order of its own.
const FRAMES: u64 = if cfg!(miri) { 1 } else { 60 };

/// A device that keeps what is called, with a command buffer that is recording.
fn direct() -> (NullDevice, vk::CommandBuffer) {
    let null = NullDevice::new(NullOptions::default().capture());
    let device = null.table();
    // SAFETY: the device lives.
    let buffer = unsafe {
        let info = vk::CommandPoolCreateInfo::default();
        let pool = device.create_command_pool(&info, None).expect("a pool");
        let info = vk::CommandBufferAllocateInfo::default()
            .command_pool(pool)
            .command_buffer_count(1);
        let buffer = device.allocate_command_buffers(&info).expect("a buffer")[0];
        let info = vk::CommandBufferBeginInfo::default();
        device.begin_command_buffer(buffer, &info).expect("begun");
        buffer
    };
    (null, buffer)
}

/// All trials, in an order that follows from the seed.
fn trials<R: Recorder>(seed: u64) -> Vec<Try<R>> {
    let mut all = generated::all();
    all.extend(irregular::all());
    let mut random = Random(seed);
    for i in (1..all.len()).rev() {
        all.swap(i, random.below(i as u64 + 1) as usize);
    }
    all
}

/// Runs what `record` does in one frame; what the device was given directly and by replay.
fn frame(
    service: &mut Service,
    null: &NullDevice,
    seed: u64,
    record: impl FnOnce(&mut Maker, &NullDevice, vk::CommandBuffer, StreamRecorder) -> StreamRecorder,
) -> [Vec<Call>; 2] {
    let (direct, buffer) = direct();
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside(2).expect("room");
    let mut maker = Maker::new(seed);
    let recorder = pass.slot(1).expect("free").stream().expect("room");
    let recorder = record(&mut maker, &direct, buffer, recorder);
    recorder.finish().expect("all arguments are good");
    // Nothing of the second slot is replayed before the first is complete.
    maker.spoil();
    let first = pass.slot(0).expect("free").stream().expect("room");
    first.finish().expect("the owner is there");
    let mut ticket = frame.submit(SubmitOptions::default());
    until("the frame is submitted", || null.pending() == 1);
    let replayed = null.captured(null.buffers()[0]);
    null.release(1);
    ticket.wait_timeout(LONG).expect("executed");
    [direct.captured(buffer), replayed]
}

/// As `frame`, in a lease: what the device was given directly and by the job.
fn leased(
    service: &mut Service,
    null: &NullDevice,
    seed: u64,
    record: impl FnOnce(&mut Maker, &NullDevice, vk::CommandBuffer, LeaseRecorder) -> LeaseRecorder,
) -> [Vec<Call>; 2] {
    let (direct, buffer) = direct();
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside_secondaries(1).expect("room");
    let mut maker = Maker::new(seed);
    let recorder = pass.slot(0).expect("free").lease().expect("a pool");
    let mut recorder = record(&mut maker, &direct, buffer, recorder);
    // SAFETY: it is looked at, no more.
    let own = unsafe { recorder.command_buffer() };
    recorder.finish().expect("all arguments are good");
    let mut ticket = frame.submit(SubmitOptions::default());
    until("the frame is submitted", || null.pending() == 1);
    let called = null.captured(own);
    null.release(1);
    ticket.wait_timeout(LONG).expect("executed");
    [direct.captured(buffer), called]
}

/// Gives every command to the device and to a recorder; both are of one frame.
fn all_into<R: Recorder>(
    recorder: R,
    seed: u64,
    maker: &mut Maker,
    (direct, buffer): (&NullDevice, vk::CommandBuffer),
) -> R {
    let mut trial = Trial {
        direct,
        buffer,
        recorder,
    };
    for (_, one) in trials(seed) {
        one(maker, &mut trial);
    }
    trial.recorder
}

/// A device and a service for leases.
fn leasing() -> (NullDevice, Service) {
    let null = NullDevice::new(NullOptions::default().checked().capture().manual());
    let service = service(&null, |options| options.frames_in_flight = 1);
    (null, service)
}

#[test]
fn every_command_in_a_lease_is_the_devices_own() {
    let (null, mut service) = leasing();
    for seed in 0..FRAMES {
        let record = |maker: &mut Maker, direct: &_, buffer, recorder| {
            all_into(recorder, seed, maker, (direct, buffer))
        };
        let [expected, found] = leased(&mut service, &null, seed, record);
        assert_eq!(expected.len(), trials::<LeaseRecorder>(seed).len());
        assert_same(&expected, &found, seed);
    }
    close(service, &null);
}

#[test]
fn every_command_goes_to_the_lane_that_was_chosen() {
    let (null, mut service) = leasing();
    for seed in 0..FRAMES.div_ceil(4) {
        let record = |maker: &mut Maker, direct: &_, buffer, recorder| {
            let any = all_into(AnyRecorder::Lease(recorder), seed, maker, (direct, buffer));
            match any {
                AnyRecorder::Lease(recorder) => recorder,
                AnyRecorder::Stream(_) => unreachable!("it was a lease"),
            }
        };
        let [expected, found] = leased(&mut service, &null, seed, record);
        assert_same(&expected, &found, seed);
    }
    close(service, &null);
    let (null, mut service) = capturing();
    for seed in 0..FRAMES.div_ceil(4) {
        let record = |maker: &mut Maker, direct: &_, buffer, recorder| {
            let any = all_into(AnyRecorder::Stream(recorder), seed, maker, (direct, buffer));
            match any {
                AnyRecorder::Stream(recorder) => recorder,
                AnyRecorder::Lease(_) => unreachable!("it was a stream"),
            }
        };
        let [expected, found] = frame(&mut service, &null, seed, record);
        assert_same(&expected, &found, seed);
    }
    close(service, &null);
}

/// The service's device: captured, its frames held until they were looked at.
fn capturing() -> (NullDevice, Service) {
    let null = NullDevice::new(NullOptions::default().owner_only().capture().manual());
    let service = service(&null, |options| {
        options.block_bytes = 4 << 10;
        options.frames_in_flight = 1;
    });
    (null, service)
}

#[test]
fn every_command_reaches_the_device_as_it_was_given() {
    let (null, mut service) = capturing();
    let mut seen = BTreeSet::new();
    for seed in 0..FRAMES {
        let record = |maker: &mut Maker, direct: &_, buffer, recorder| {
            all_into(recorder, seed, maker, (direct, buffer))
        };
        let [expected, found] = frame(&mut service, &null, seed, record);
        assert_eq!(expected.len(), trials::<StreamRecorder>(seed).len());
        assert_same(&expected, &found, seed);
        seen.extend(found.into_iter().map(|call| call.name));
    }
    let encoded: BTreeSet<_> = Command::all().iter().map(|command| command.name).collect();
    assert_eq!(encoded, generated::NAMES.iter().copied().collect());
    assert_eq!(seen, encoded);
    println!("{} commands, {FRAMES} times each", seen.len());
    close(service, &null);
}

/// Where nothing is known of the state, nothing is redundant: so every command is handed on, as it was given.
#[test]
fn every_command_is_handed_on_where_no_state_is_known() {
    let (null, mut service) = capturing();
    for seed in 0..FRAMES.div_ceil(4) {
        let record = |maker: &mut Maker,
                      direct: &NullDevice,
                      buffer: vk::CommandBuffer,
                      mut recorder: StreamRecorder| {
            let mut trial = Trial {
                direct,
                buffer,
                recorder: Eliminating::new(&mut recorder),
            };
            for (_, one) in trials(seed) {
                trial.recorder.forget_state();
                one(maker, &mut trial);
            }
            recorder
        };
        let [expected, found] = frame(&mut service, &null, seed, record);
        assert_same(&expected, &found, seed);
    }
    close(service, &null);
}

#[track_caller]
fn assert_same(expected: &[Call], found: &[Call], seed: u64) {
    for (expected, found) in expected.iter().zip(found) {
        assert_eq!(expected, found, "seed {seed}");
    }
    assert_eq!(expected.len(), found.len(), "seed {seed}");
}

#[test]
fn the_null_device_has_every_command_that_is_encoded() {
    let there: BTreeSet<_> = NullDevice::commands().collect();
    let encoded: BTreeSet<_> = Command::all().iter().map(|command| command.name).collect();
    assert_eq!(there, encoded);
}

/// Records with a service on a device whose functions are `function`, and finishes.
fn recorded(
    function: impl Fn(&CStr) -> Option<*const c_void>,
    change: impl FnOnce(agate_vk::Device) -> agate_vk::Device,
    record: impl FnOnce(&mut StreamRecorder),
) -> Result<(), RecordError> {
    let null = NullDevice::new(NullOptions::default().owner_only().capture());
    let look_up = |name: &CStr| function(name).unwrap_or_else(|| null.function(name));
    // SAFETY: the functions are those of the device, which outlives the service.
    let device = unsafe { agate_vk::Device::load(null.handle(), look_up) }.expect("all are there");
    let options = agate_vk::ServiceOptions::new(null.queue(), 0);
    // SAFETY: the test leaves the queue to the service.
    let mut service = unsafe { Service::new(change(device), options) }.expect("a service starts");
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside(1).expect("room");
    let mut recorder = pass.slot(0).expect("free").stream().expect("room");
    record(&mut recorder);
    let finished = recorder.finish();
    let mut ticket = frame.submit(SubmitOptions::default());
    assert_eq!(ticket.wait_timeout(LONG).is_ok(), finished.is_ok());
    close(service, &null);
    finished
}

/// A structure that no registry knows.
#[repr(C)]
struct Stranger {
    s_type: vk::StructureType,
    p_next: *const c_void,
    count: u32,
    items: *const u16,
}

const STRANGER: vk::StructureType = vk::StructureType::from_raw(1_999_000_000);

/// Records a barrier with a stranger in its chain, and a known structure behind it.
fn estranged(recorder: &mut StreamRecorder) {
    let known = vk::SampleLocationsInfoEXT::default();
    let items = [1, 2, 3];
    let mut stranger = Stranger {
        s_type: STRANGER,
        p_next: (&raw const known).cast(),
        count: 3,
        items: items.as_ptr(),
    };
    let barrier = [vk::MemoryBarrier2 {
        p_next: (&raw const stranger).cast(),
        ..Default::default()
    }];
    let info = vk::DependencyInfo::default().memory_barriers(&barrier);
    // SAFETY: the device takes any command; the chain is one.
    unsafe { recorder.cmd_pipeline_barrier2(&info) };
    stranger.count = 99;
    std::hint::black_box(&stranger);
}

#[test]
fn a_structure_that_nobody_knows_is_refused_by_its_type() {
    let refused = recorded(|_| None, |device| device, estranged);
    let expected = RecordError::UnsupportedPNext {
        command: "vkCmdPipelineBarrier2",
        s_type: STRANGER.as_raw(),
    };
    assert_eq!(refused, Err(expected));
}

/// What the device's own barrier has met: the stranger's items, and the type behind it.
static MET: Mutex<Vec<(Vec<u16>, i32)>> = Mutex::new(Vec::new());

unsafe extern "system" fn barrier(_: vk::CommandBuffer, info: *const vk::DependencyInfo<'_>) {
    // SAFETY: the test records one barrier with a stranger in its chain.
    let met = unsafe {
        let stranger = (*(*info).p_memory_barriers).p_next.cast::<Stranger>();
        let items = std::slice::from_raw_parts((*stranger).items, (*stranger).count as usize);
        let behind = (*stranger).p_next.cast::<vk::BaseInStructure<'_>>();
        (items.to_vec(), (*behind).s_type.as_raw())
    };
    MET.lock().expect("nobody panics").push(met);
}

#[test]
fn a_structure_of_the_hosts_is_copied_with_its_arrays() {
    let own: vk::PFN_vkCmdPipelineBarrier2 = barrier;
    let function = |name: &CStr| (name == c"vkCmdPipelineBarrier2").then_some(own as *const c_void);
    let items = PNextArray {
        pointer_offset: std::mem::offset_of!(Stranger, items),
        count_offset: std::mem::offset_of!(Stranger, count),
        item_size: 2,
    };
    // SAFETY: so the structure is.
    let known = |device: agate_vk::Device| unsafe {
        device.register_pnext(STRANGER, size_of::<Stranger>(), &[items])
    };
    assert_eq!(recorded(function, known, estranged), Ok(()));
    let behind = vk::StructureType::SAMPLE_LOCATIONS_INFO_EXT.as_raw();
    let met = MET.lock().expect("nobody panics");
    assert_eq!(*met, [(vec![1, 2, 3], behind)]);
}

#[test]
fn a_command_that_the_device_lacks_is_named() {
    let lacks = |missing: &'static CStr| {
        move |name: &CStr| {
            name.to_bytes()
                .starts_with(missing.to_bytes())
                .then_some(std::ptr::null())
        }
    };
    let not_loaded = |command| Err(RecordError::NotLoaded { command });
    // SAFETY: the device takes any command.
    let scalars = recorded(
        lacks(c"vkCmdSetCullMode"),
        |device| device,
        |recorder| unsafe {
            recorder.cmd_set_cull_mode(vk::CullModeFlags::BACK);
        },
    );
    assert_eq!(scalars, not_loaded("vkCmdSetCullMode"));
    // SAFETY: as above.
    let arrays = recorded(
        lacks(c"vkCmdCopyBuffer2"),
        |device| device,
        |recorder| unsafe {
            recorder.cmd_copy_buffer2(&vk::CopyBufferInfo2::default());
        },
    );
    assert_eq!(arrays, not_loaded("vkCmdCopyBuffer2"));
    // SAFETY: as above.
    let by_hand = recorded(
        lacks(c"vkCmdDrawMultiEXT"),
        |device| device,
        |recorder| unsafe {
            recorder.cmd_draw_multi(0, std::ptr::null(), 1, 0, 0);
        },
    );
    assert_eq!(by_hand, not_loaded("vkCmdDrawMultiEXT"));
}

#[test]
fn a_command_is_found_by_the_name_of_its_extension() {
    let null = NullDevice::new(NullOptions::default());
    let function = |name: &CStr| match name.to_bytes() {
        b"vkCmdSetCullMode" => Some(std::ptr::null()),
        b"vkCmdSetCullModeEXT" => Some(null.function(c"vkCmdSetCullMode")),
        _ => None,
    };
    // SAFETY: the device takes any command.
    let found = recorded(
        function,
        |device| device,
        |recorder| unsafe {
            recorder.cmd_set_cull_mode(vk::CullModeFlags::BACK);
        },
    );
    assert_eq!(found, Ok(()));
}

#[test]
fn arrays_of_different_lengths_are_refused() {
    // SAFETY: the device takes any command.
    let refused = recorded(
        |_| None,
        |device| device,
        |recorder| unsafe {
            recorder.cmd_wait_events2(&[vk::Event::null()], &[]);
        },
    );
    let command = "vkCmdWaitEvents2";
    assert_eq!(
        refused,
        Err(RecordError::BadArgument {
            command,
            argument: "dependency_infos"
        })
    );
}

#[test]
fn a_command_that_is_far_too_large_is_refused() {
    let data = vec![0; 65 << 20];
    let update = |recorder: &mut StreamRecorder| {
        // SAFETY: the device takes any command.
        unsafe { recorder.cmd_update_buffer(vk::Buffer::null(), 0, &data) };
    };
    match recorded(|_| None, |device| device, update) {
        Err(RecordError::TooLarge {
            command, max_bytes, ..
        }) => assert_eq!((command, max_bytes), ("vkCmdUpdateBuffer", 64 << 20)),
        other => panic!("{other:?}"),
    }
}

/// What nobody replays is given back as well: Miri would find it otherwise.
#[test]
fn large_commands_of_lost_slots_do_no_harm() {
    let (null, mut service) = capturing();
    let data = vec![7; 64 << 10];
    for _ in 0..3 {
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let pass = frame.outside(2).expect("room");
        for slot in 0..2 {
            let mut recorder = pass.slot(slot).expect("free").stream().expect("room");
            // SAFETY: the device takes any command.
            unsafe { recorder.cmd_update_buffer(vk::Buffer::null(), 0, &data) };
        }
        drop(frame);
    }
    close(service, &null);
}

#[test]
fn commands_say_where_they_may_be_recorded() {
    use agate_vk::Scope::{Inside, Outside};
    let of = |name| {
        Command::all()
            .iter()
            .find(|c| c.name == name)
            .expect("it is encoded")
    };
    assert_eq!(of("vkCmdDrawIndirect").scope, Inside);
    assert_eq!(of("vkCmdBlitImage2").scope, Outside);
    assert!(!of("vkCmdBeginRenderPass2").secondary && of("vkCmdBeginRendering").secondary);
    let queues = of("vkCmdDispatchIndirect").queues;
    assert!(queues == vk::QueueFlags::COMPUTE, "{}", queues.as_raw());
    assert_eq!(of("vkCmdDrawMultiEXT").from, "VK_EXT_multi_draw");
}

/// Messages keep 16 bits of it, far more than devices have room for push constants.
#[test]
fn an_offset_of_push_constants_out_of_range_is_refused() {
    let (layout, stages) = (vk::PipelineLayout::null(), vk::ShaderStageFlags::ALL);
    let refused = |offset, record: fn(&mut StreamRecorder, &DrawState)| {
        let bound = DrawState {
            pipeline: vk::Pipeline::null(),
            vertices: vk::Buffer::null(),
            layout,
            stages,
            push_offset: offset,
        };
        recorded(|_| None, |device| device, |r| record(r, &bound))
    };
    // SAFETY, of all: the device takes any command.
    let all: [(&str, &str, fn(&mut StreamRecorder, &DrawState)); 4] = [
        ("vkCmdPushConstants", "offset", |r, to| unsafe {
            r.cmd_push_constants(to.layout, to.stages, to.push_offset, &[7; 16]);
        }),
        ("vkCmdPushConstants", "offset", |r, to| unsafe {
            r.push_constants(to.layout, to.stages, to.push_offset, &[7_u32; 4]);
        }),
        ("vkCmdPushConstants", "offset", |r, to| unsafe {
            r.push_constants_with(to.layout, to.stages, to.push_offset, |data| {
                data.write([7_u32; 4]);
            });
        }),
        ("vkCmdPushConstants", "bound", |r, to| unsafe {
            r.draw_with(to, 3, |data| {
                data.write([7_u32; 4]);
            });
        }),
    ];
    for (command, argument, record) in all {
        assert_eq!(refused(0xfffc, record), Ok(()));
        let error = RecordError::BadArgument { command, argument };
        for offset in [0x1_0000, u32::MAX] {
            assert_eq!(refused(offset, record), Err(error));
        }
    }
}
