//! What a submission takes, on a real driver with the validation layer listening: fences, chains, timelines, tickets of
//! other services, one-time commands, and a queue that the host shares.

#![allow(unsafe_code, reason = "every Vulkan command is unsafe")]

mod support;

use agate_vk::{
    BeginError, OnceError, QueueGuard, QueueMode, Recorder, Service, ServiceOptions,
    StreamRecorder, SubmitOptions, Ticket, Timeline, vk,
};
use std::ffi::c_void;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::{GPU_TIMEOUT_NS, HostBuffer, Needs, Vulkan};

const LONG: Duration = Duration::from_secs(30);
const ALL: vk::PipelineStageFlags2 = vk::PipelineStageFlags2::ALL_COMMANDS;

fn service(vulkan: &Vulkan, mode: QueueMode) -> Service {
    // SAFETY: the device was made from this instance and lives as long as `vulkan`.
    let device = unsafe { agate_vk::Device::from_ash(&vulkan.instance, &vulkan.device) };
    let mut options = ServiceOptions::new(vulkan.queue, vulkan.queue_family);
    options.queue_mode = mode;
    // SAFETY: the test leaves the queue to the service, or takes the lock; the service ends before `vulkan`.
    unsafe { Service::new(device.expect("all functions are there"), options) }
        .expect("a service starts")
}

fn close(service: Service, vulkan: Vulkan) {
    let report = service.shutdown(LONG);
    assert_eq!((report.leaked, report.panicked), (0, false));
    assert_eq!(vulkan.close(), []);
}

/// A buffer with the bytes 0, 1, 2 …, four of each, and one to copy to.
fn buffers(vulkan: &Vulkan) -> (HostBuffer<'_>, HostBuffer<'_>) {
    let mut source = vulkan.host_buffer(256, vk::BufferUsageFlags::TRANSFER_SRC);
    let bytes: Vec<u8> = (0..64).flat_map(|i| [i; 4]).collect();
    source.write(&bytes);
    let mut target = vulkan.host_buffer(4, vk::BufferUsageFlags::TRANSFER_DST);
    target.write(&[0; 4]);
    (source, target)
}

/// Copies the four bytes of `index` to the target.
fn copy(
    service: &mut Service,
    options: SubmitOptions<'_>,
    (source, target): (vk::Buffer, vk::Buffer),
    index: u64,
) -> Ticket {
    let region = vk::BufferCopy {
        src_offset: 4 * index,
        dst_offset: 0,
        size: 4,
    };
    let record = |recorder: &mut StreamRecorder| {
        // SAFETY: the buffers are as large as the region says, and outlive the frame.
        unsafe { recorder.cmd_copy_buffer(source, target, &[region]) };
    };
    service
        .submit_once_timeout(LONG, options, record)
        .expect("it is submitted")
}

fn timeline_semaphore(vulkan: &Vulkan) -> vk::Semaphore {
    let mut kind =
        vk::SemaphoreTypeCreateInfo::default().semaphore_type(vk::SemaphoreType::TIMELINE);
    let info = vk::SemaphoreCreateInfo::default().push_next(&mut kind);
    // SAFETY: the device lives.
    unsafe { vulkan.device.create_semaphore(&info, None) }.expect("a semaphore")
}

#[test]
fn one_time_commands_with_a_fence() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
        return;
    };
    let mut service = service(&vulkan, QueueMode::Owned);
    let (source, target) = buffers(&vulkan);
    let pair = (source.buffer, target.buffer);
    let info = vk::FenceCreateInfo::default();
    // SAFETY: the device lives.
    let fence = unsafe { vulkan.device.create_fence(&info, None) }.expect("a fence");
    // SAFETY: the fence is new, and left alone until the ticket has resolved.
    let options = unsafe { SubmitOptions::default().fence(fence) };
    let mut ticket = copy(&mut service, options, pair, 7);
    ticket.wait_timeout(LONG).expect("executed");
    // SAFETY: the fence lives.
    let signalled = unsafe {
        vulkan
            .device
            .wait_for_fences(&[fence], true, GPU_TIMEOUT_NS)
    };
    assert_eq!(signalled, Ok(()));
    assert_eq!(target.read(), [7; 4]);
    // One that fails signals its fence all the same.
    // SAFETY: nothing uses the fence.
    unsafe { vulkan.device.reset_fences(&[fence]) }.expect("it is reset");
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    drop(frame.outside(1).expect("room"));
    // SAFETY: as above.
    let mut ticket = frame.submit(unsafe { SubmitOptions::default().fence(fence) });
    assert!(ticket.wait_timeout(LONG).is_err());
    // SAFETY: the fence lives.
    let signalled = unsafe {
        vulkan
            .device
            .wait_for_fences(&[fence], true, GPU_TIMEOUT_NS)
    };
    assert_eq!(signalled, Ok(()));
    // SAFETY: nothing uses the fence any more.
    unsafe { vulkan.device.destroy_fence(fence, None) };
    drop((source, target));
    close(service, vulkan);
}

#[test]
fn one_time_commands_when_all_frames_are_in_use() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
        return;
    };
    let mut service = service(&vulkan, QueueMode::Owned);
    let frames = [service.try_begin_frame(), service.try_begin_frame()];
    let refused = service.try_submit_once(SubmitOptions::default(), |_| panic!("no room"));
    assert_eq!(refused.err(), Some(OnceError::Begin(BeginError::NoCredit)));
    let short = Duration::from_millis(1);
    let refused = service.submit_once_timeout(short, SubmitOptions::default(), |_| ());
    assert_eq!(refused.err(), Some(OnceError::Begin(BeginError::TimedOut)));
    drop(frames);
    let ticket = service.submit_once_timeout(LONG, SubmitOptions::default(), |_| ());
    let report = ticket.expect("it is submitted").wait_timeout(LONG);
    assert_eq!(report.expect("executed").commands, 0);
    close(service, vulkan);
}

/// Later writes come last, in whatever order they are submitted.
#[test]
fn timelines_and_tickets_order_frames() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
        return;
    };
    let mut service = service(&vulkan, QueueMode::Owned);
    let semaphore = timeline_semaphore(&vulkan);
    // SAFETY: the semaphore lives until the service has ended.
    let timeline = unsafe { Timeline::new(semaphore, 0) };
    let (source, target) = buffers(&vulkan);
    let pair = (source.buffer, target.buffer);
    for round in 0..20 {
        let value = 2 * round + 1;
        let options = SubmitOptions::default().wait_timeline(&timeline, value, ALL);
        let second = copy(&mut service, options, pair, 2);
        let options = SubmitOptions::default().signal_timeline(&timeline, value, ALL);
        let first = copy(&mut service, options, pair, 1);
        let options = SubmitOptions::default().after(&second, ALL);
        let mut third = copy(&mut service, options, pair, 3 + round);
        third.wait_timeout(LONG).expect("executed");
        assert!(second.is_done() && first.is_done());
        assert_eq!(target.read()[0], 3 + round as u8);
    }
    drop((source, target));
    let report = service.shutdown(LONG);
    assert_eq!((report.leaked, report.panicked), (0, false));
    // SAFETY: the service has ended.
    unsafe { vulkan.device.destroy_semaphore(semaphore, None) };
    assert_eq!(vulkan.close(), []);
}

/// The layer hears of a chain that the host gives, and says that it does not belong there.
#[test]
fn a_chain_reaches_the_driver() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
        return;
    };
    let mut service = service(&vulkan, QueueMode::Owned);
    let chain = vk::SemaphoreTypeCreateInfo::default();
    // SAFETY: wrong on purpose; the driver ignores what it does not know.
    let options = unsafe { SubmitOptions::default().next((&raw const chain).cast()) };
    let ticket = service.submit_once_timeout(LONG, options, |_| ());
    let report = ticket.expect("it is submitted").wait_timeout(LONG);
    report.expect("executed");
    assert_eq!(service.shutdown(LONG).leaked, 0);
    let messages = vulkan.close();
    assert!(
        messages
            .iter()
            .any(|message| message.id.contains("VkSubmitInfo2-pNext")),
        "{messages:?}"
    );
}

struct Lock {
    held: AtomicBool,
    calls: Mutex<u32>,
}

unsafe extern "C" fn lock(user: *mut c_void, _: vk::Queue) {
    // SAFETY: the test's lock, which outlives the service.
    let lock = unsafe { &*user.cast::<Lock>() };
    while lock.held.swap(true, Ordering::Acquire) {
        std::thread::yield_now();
    }
    *lock.calls.lock().expect("not poisoned") += 1;
}

unsafe extern "C" fn unlock(user: *mut c_void, _: vk::Queue) {
    // SAFETY: as above.
    let lock = unsafe { &*user.cast::<Lock>() };
    lock.held.store(false, Ordering::Release);
}

#[test]
fn the_host_and_the_service_share_a_queue() {
    let Some(vulkan) = Vulkan::or_skip(&Needs::validation()) else {
        return;
    };
    let shared = Lock {
        held: AtomicBool::new(false),
        calls: Mutex::new(0),
    };
    let user = (&raw const shared).cast_mut().cast();
    // SAFETY: the lock outlives the service, and excludes.
    let guard = unsafe { QueueGuard::new(lock, unlock, user) };
    let mut service = service(&vulkan, QueueMode::Guarded(guard));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..50 {
                // SAFETY: the lock lives.
                unsafe { lock(user_of(&shared), vulkan.queue) };
                // SAFETY: the lock is held.
                let result = unsafe {
                    vulkan
                        .device
                        .queue_submit2(vulkan.queue, &[], vk::Fence::null())
                };
                // SAFETY: the lock is held.
                unsafe { unlock(user_of(&shared), vulkan.queue) };
                result.expect("it submits");
            }
        });
        for _ in 0..20 {
            let ticket = service.submit_once_timeout(LONG, SubmitOptions::default(), |_| ());
            let report = ticket.expect("it is submitted").wait_timeout(LONG);
            report.expect("executed");
        }
    });
    assert!(*shared.calls.lock().expect("not poisoned") >= 50 + 20);
    close(service, vulkan);
}

fn user_of(lock: &Lock) -> *mut c_void {
    std::ptr::from_ref(lock).cast_mut().cast()
}
