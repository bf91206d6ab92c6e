//! Several queues: each executes in its own order, one may wait for another, and each has its family.

#![allow(unsafe_code, reason = "every Vulkan call is unsafe")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the calls of one test belong together"
)]

use ash::vk;
use null_device::{NullDevice, NullOptions, Rule};

fn timeline(device: &ash::Device) -> vk::Semaphore {
    let mut kind =
        vk::SemaphoreTypeCreateInfo::default().semaphore_type(vk::SemaphoreType::TIMELINE);
    let info = vk::SemaphoreCreateInfo::default().push_next(&mut kind);
    // SAFETY: the device lives.
    unsafe { device.create_semaphore(&info, None) }.expect("a semaphore")
}

fn at(semaphore: vk::Semaphore, value: u64) -> [vk::SemaphoreSubmitInfo<'static>; 1] {
    [vk::SemaphoreSubmitInfo::default()
        .semaphore(semaphore)
        .value(value)]
}

fn rules(null: &NullDevice) -> Vec<Rule> {
    null.violations().iter().map(|found| found.rule).collect()
}

#[test]
fn one_queue_waits_for_another() {
    let null = NullDevice::new(NullOptions::default().queues(2, 1).no_early_waits());
    let device = null.table();
    let timeline = timeline(&device);
    let (first, second) = (null.queue_of(0, 0), null.queue_of(1, 0));
    assert_ne!(first, second);
    assert_eq!(null.queue_of(1, 1), vk::Queue::null());
    let (one, two) = (at(timeline, 1), at(timeline, 2));
    let waits = vk::SubmitInfo2::default()
        .wait_semaphore_infos(&one)
        .signal_semaphore_infos(&two);
    let signals = vk::SubmitInfo2::default().signal_semaphore_infos(&one);
    let value = || {
        // SAFETY: the semaphore lives.
        unsafe { device.get_semaphore_counter_value(timeline) }.expect("a value")
    };
    let fence = vk::Fence::null();
    // SAFETY: queues and semaphore live.
    unsafe {
        device.queue_submit2(second, &[waits], fence).expect("well");
        assert_eq!((value(), null.pending()), (0, 1), "nothing signals it");
        assert_eq!(rules(&null), [Rule::WaitsEarly]);
        device.queue_wait_idle(first).expect("the other is idle");
        device.queue_submit2(first, &[signals], fence).expect("");
        assert_eq!((value(), null.pending()), (2, 0), "both are executed");
        device.destroy_semaphore(timeline, None);
    }
    // The value 2 was promised before 1, which this device takes for a step back.
    assert_eq!(rules(&null), [Rule::WaitsEarly, Rule::TimelineNotGrowing]);
}

#[test]
fn a_buffer_of_another_family() {
    let null = NullDevice::new(NullOptions::default().queues(2, 1).checked());
    let device = null.table();
    let info = vk::CommandPoolCreateInfo::default().queue_family_index(1);
    // SAFETY: valid usage, but for the family of the queue.
    unsafe {
        let pool = device.create_command_pool(&info, None).expect("a pool");
        let allocate = vk::CommandBufferAllocateInfo::default()
            .command_pool(pool)
            .command_buffer_count(1);
        let buffer = device.allocate_command_buffers(&allocate).expect("one")[0];
        let begin = vk::CommandBufferBeginInfo::default();
        device.begin_command_buffer(buffer, &begin).expect("well");
        device.end_command_buffer(buffer).expect("well");
        let buffers = [vk::CommandBufferSubmitInfo::default().command_buffer(buffer)];
        let submit = [vk::SubmitInfo2::default().command_buffer_infos(&buffers)];
        for (family, broken) in [(1, 0), (0, 1)] {
            let queue = null.queue_of(family, 0);
            device
                .queue_submit2(queue, &submit, vk::Fence::null())
                .expect("well");
            assert_eq!(rules(&null).len(), broken);
        }
        device.destroy_command_pool(pool, None);
    }
    assert_eq!(rules(&null), [Rule::OtherFamily]);
}
