//! Who may touch what, and when: for each rule a service that keeps it while the device listens, and the same rule broken
//! on purpose, which the device must report.
//!
//! | rule | here | elsewhere |
//! |---|---|---|
//! | 1. A command pool, and all that is done with its buffers, has one user at a time. | `a_pool_has_one_user` | the device's own `a_second_thread_inside`, `a_pool_that_was_not_handed_over`; with the layer `one_pool_used_by_two_threads_is_reported` |
//! | 2. So has a command buffer, in every call; freeing it is a use of its pool. | `a_buffer_is_touched_by_its_owner_alone` | the device's own `pools_and_buffers_that_are_pending`, `objects_that_are_gone` |
//! | 3. A queue has one user at a time; waiting for the device uses all queues. A present uses its swapchain, a submission its fence. | `a_queue_has_one_user`, `a_present_uses_its_swapchain`, `a_fence_is_left_alone_until_the_ticket` | `queue_modes.rs` for a queue that is shared under a lock |
//! | 4. What is pending is not begun, reset, freed or submitted again. | `what_is_pending_is_left_alone` | the device's own `pools_and_buffers_that_are_pending`, `buffers_in_the_wrong_state` |
//! | 5. A secondary is pending with its primary, and continues nothing of another buffer's state. | | `secondaries.rs`, the device's own `secondaries` |
//! | 6. A pool is of the family of its queue; a resource that changes its family is released and acquired, in order. | `a_pool_is_of_the_family_of_its_queue`, `both_halves_of_a_transfer_arrive_in_order` | the device's own `queues.rs` |
//! | 7. What a command refers to stays as it is from encoding until the ticket. | `a_descriptor_set_is_not_updated_between_encoding_and_replay`, `what_a_frame_refers_to_lives_until_its_ticket`, `what_is_destroyed_after_a_frame_is_destroyed_in_time` | `over.rs` |
//! | 8. Submitting a buffer while another of its pool is recorded is allowed. | `a_pool_is_recorded_while_its_other_buffer_is_submitted` | |
//!
//! Every test of this crate with jobs on several threads runs on a device that checks these rules (`checked` in
//! `support/null.rs`), or on a driver with the validation layer.

#![allow(unsafe_code, reason = "calls Vulkan, wrong on purpose")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a sequence of Vulkan calls"
)]

#[path = "support/null.rs"]
mod support;

use agate_vk::{Frame, Recorder, Slot, SubmitOptions, ash, vk};
use null_device::{NullDevice, NullOptions, Rule};
use std::sync::Arc;
use support::{LONG, checked, close, draw, drawn, manual, run, service, submit, until};
use vk::Handle;

const ALL: vk::PipelineStageFlags2 = vk::PipelineStageFlags2::ALL_COMMANDS;

/// The device has seen the rule broken by this function.
#[track_caller]
fn says(null: &NullDevice, call: &str, rule: Rule) {
    let found = null.violations();
    let is_it = |found: &null_device::Violation| found.call == call && found.rule == rule;
    assert!(found.iter().any(is_it), "{rule:?} in {call}, not {found:?}");
}

#[track_caller]
fn is_silent(null: &NullDevice) {
    assert_eq!(null.violations(), []);
}

/// A service's command buffer, after a frame.
fn used_buffer(null: &NullDevice) -> (agate_vk::Service, vk::CommandBuffer) {
    let mut service = service(null, |options| options.frames_in_flight = 1);
    run(&mut service).expect("executed");
    is_silent(null);
    (service, null.buffers()[0])
}

#[test]
fn a_pool_has_one_user() {
    let null = checked();
    let mut service = service(&null, |_| ());
    for _ in 0..20 {
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let pass = frame.outside(8).expect("room");
        std::thread::scope(|threads| {
            for job in 0..4 {
                let pass = &pass;
                threads.spawn(move || [job, job + 4].map(|slot| draw(pass, slot)));
            }
        });
        let mut ticket = frame.submit(SubmitOptions::default());
        ticket.wait_timeout(LONG).expect("executed");
    }
    close(service, &null);

    let null = checked();
    let (service, buffer) = used_buffer(&null);
    // SAFETY: the device takes whatever the tests do.
    unsafe { null.table().cmd_draw(buffer, 3, 1, 0, 0) };
    says(&null, "vkCmdDraw", Rule::NotHandedOver);
    drop(service);
}

#[test]
fn a_buffer_is_touched_by_its_owner_alone() {
    type Touch = (&'static str, fn(&ash::Device, vk::CommandBuffer));
    // SAFETY: the device takes whatever the tests do.
    let touches: [Touch; 4] = unsafe {
        [
            ("vkBeginCommandBuffer", |table, buffer| {
                let info = vk::CommandBufferBeginInfo::default();
                let _ = table.begin_command_buffer(buffer, &info);
            }),
            ("vkEndCommandBuffer", |table, buffer| {
                let _ = table.end_command_buffer(buffer);
            }),
            ("vkResetCommandBuffer", |table, buffer| {
                let _ = table.reset_command_buffer(buffer, vk::CommandBufferResetFlags::empty());
            }),
            ("vkCmdDispatch", |table, buffer| {
                table.cmd_dispatch(buffer, 1, 1, 1);
            }),
        ]
    };
    for (call, touch) in touches {
        let null = checked();
        let (service, buffer) = used_buffer(&null);
        touch(&null.table(), buffer);
        says(&null, call, Rule::NotHandedOver);
        drop(service);
        // The service has ended, and its buffers with it.
        assert!(null.buffers().is_empty());
    }
}

#[test]
fn a_queue_has_one_user() {
    let null = checked();
    let mut first = service(&null, |_| ());
    run(&mut first).expect("executed");
    close(first, &null);
    // It is handed over when the service has ended, and not before.
    null.hand_over();
    let table = null.table();
    // SAFETY: the device takes whatever the tests do.
    unsafe { table.queue_wait_idle(null.queue()) }.expect("idle");
    is_silent(&null);
    null.hand_over();
    let mut second = service(&null, |_| ());
    run(&mut second).expect("executed");
    // SAFETY: as above.
    unsafe {
        let _ = table.queue_submit2(null.queue(), &[], vk::Fence::null());
        let _ = table.queue_wait_idle(null.queue());
        let _ = table.device_wait_idle();
    }
    says(&null, "vkQueueSubmit2", Rule::NotHandedOver);
    says(&null, "vkQueueWaitIdle", Rule::NotHandedOver);
    says(&null, "vkDeviceWaitIdle", Rule::NotHandedOver);
    drop(second);
}

#[test]
fn a_present_uses_its_swapchain() {
    let null = NullDevice::new(NullOptions::default().checked());
    let swapchains = ash::khr::swapchain::Device::new(&null.instance(), &null.table());
    let info = vk::SwapchainCreateInfoKHR::default().min_image_count(3);
    let acquire = |chain| {
        // SAFETY: the device takes whatever the tests do.
        let acquired = unsafe {
            swapchains.acquire_next_image(chain, 0, vk::Semaphore::null(), vk::Fence::null())
        };
        acquired.expect("an image").0
    };
    // SAFETY: as above.
    let chain = unsafe { swapchains.create_swapchain(&info, None) }.expect("a swapchain");
    let chains = [chain];
    let present = |index| {
        let indices = [index];
        let info = vk::PresentInfoKHR::default()
            .swapchains(&chains)
            .image_indices(&indices);
        // SAFETY: as above.
        unsafe { swapchains.queue_present(null.queue(), &info) }.expect("presented");
    };
    // One after the other, on whatever thread.
    let index = acquire(chain);
    std::thread::scope(|threads| threads.spawn(|| present(index)).join()).expect("no panic");
    is_silent(&null);
    // An acquire on one thread, while another presents.
    let index = acquire(chain);
    let inside = null.hold("vkAcquireNextImageKHR");
    std::thread::scope(|threads| {
        threads.spawn(|| acquire(chain));
        assert!(inside.wait_entered(LONG));
        present(index);
        drop(inside);
    });
    let inside = "vkAcquireNextImageKHR";
    says(&null, "vkQueuePresentKHR", Rule::Race { inside });
}

#[test]
fn a_fence_is_left_alone_until_the_ticket() {
    let null = manual();
    let mut service = service(&null, |_| ());
    let (table, fence) = (null.table(), vk::Fence::from_raw(7));
    // SAFETY: the device takes whatever the tests do.
    let reset = || unsafe { table.reset_fences(&[fence]) }.expect("reset");
    let mut frame = drawn(&mut service);
    frame.keep_alive(Arc::new(null.refer(fence)));
    reset_only_where_it_says(&null, || {
        // SAFETY: nobody uses the fence until the ticket, but for what is wrong on purpose.
        let options = unsafe { SubmitOptions::default().fence(fence) };
        let mut ticket = frame.submit(options);
        reset();
        says(&null, "vkResetFences", Rule::ReferredTo);
        null.release(1);
        ticket.wait_timeout(LONG).expect("executed");
    });
    let before = null.violations().len();
    reset();
    assert_eq!(null.violations().len(), before, "its frame is over");
    assert_eq!(service.shutdown(LONG).leaked, 0);
}

/// What happens in `act` is reported once.
fn reset_only_where_it_says(null: &NullDevice, act: impl FnOnce()) {
    is_silent(null);
    act();
    assert_eq!(null.violations().len(), 1);
}

#[test]
fn what_is_pending_is_left_alone() {
    let null = manual();
    let mut service = service(&null, |_| ());
    let resets = || {
        let log = null.log();
        log.iter().filter(|c| **c == "vkResetCommandPool").count()
    };
    let mut tickets: Vec<_> = (0..2).map(|_| submit(&mut service)).collect();
    for frame in 0..10 {
        until("both are pending", || null.pending() == 2);
        assert_eq!(resets(), frame, "a pool waits for its frame");
        null.release(1);
        tickets.remove(0).wait_timeout(LONG).expect("executed");
        tickets.push(submit(&mut service));
    }
    null.release(2);
    close(service, &null);

    // Whoever touches a buffer then is found out, the owner or not.
    let null = NullDevice::new(NullOptions::default().checked().manual());
    let mut service = support::service(&null, |options| options.frames_in_flight = 1);
    let mut ticket = submit(&mut service);
    until("it is pending", || null.pending() == 1);
    let none = vk::CommandBufferResetFlags::empty();
    // SAFETY: the device takes whatever the tests do.
    unsafe { null.table().reset_command_buffer(null.buffers()[0], none) }.expect("reset");
    says(&null, "vkResetCommandBuffer", Rule::BufferPending);
    null.release(1);
    ticket.wait_timeout(LONG).expect("executed");
    drop(service);
}

#[test]
fn a_pool_is_of_the_family_of_its_queue() {
    let device = || NullDevice::new(NullOptions::default().queues(2, 1).owner_only());
    for family in 0..2 {
        let null = device();
        let mut service = service(&null, |options| {
            options.queue = null.queue_of(1, 0);
            options.queue_family = family;
        });
        run(&mut service).expect("executed");
        if family == 1 {
            close(service, &null);
        } else {
            says(&null, "vkQueueSubmit2", Rule::OtherFamily);
            drop(service);
        }
    }
}

/// A barrier that hands a buffer from family 0 to family 1: the release and the acquire are the same.
fn transfer(slot: Slot) {
    let barrier = [vk::BufferMemoryBarrier2::default()
        .src_queue_family_index(0)
        .dst_queue_family_index(1)
        .buffer(vk::Buffer::from_raw(5))
        .size(vk::WHOLE_SIZE)];
    let info = vk::DependencyInfo::default().buffer_memory_barriers(&barrier);
    let mut recorder = slot.stream().expect("room");
    // SAFETY: the device takes any command.
    unsafe { recorder.cmd_pipeline_barrier2(&info) };
    recorder.finish().expect("the owner is there");
}

#[test]
fn both_halves_of_a_transfer_arrive_in_order() {
    let options = NullOptions::default().queues(2, 1).capture();
    let null = NullDevice::new(options.no_early_waits().owner_only().manual());
    let mut uploads = service(&null, |options| options.frames_in_flight = 1);
    let mut draws = service(&null, |options| {
        options.frames_in_flight = 1;
        options.queue = null.queue_of(1, 0);
        options.queue_family = 1;
    });
    let begin = |service: &mut agate_vk::Service| -> (Frame, Slot) {
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let slot = frame.outside(1).expect("room").slot(0).expect("free");
        (frame, slot)
    };
    let (released, release) = begin(&mut uploads);
    let (acquired, acquire) = begin(&mut draws);
    let mut released = released.submit(SubmitOptions::default());
    let mut acquired = acquired.submit(SubmitOptions::default().after(&released, ALL));
    // The wrong way round in time; the second is held back until the first has been submitted.
    transfer(acquire);
    transfer(release);
    until("both are pending", || null.pending() == 2);
    let halves: Vec<_> = null
        .buffers()
        .into_iter()
        .map(|buffer| null.captured(buffer))
        .collect();
    assert_eq!(halves[0].len(), 1);
    assert_eq!(halves[0], halves[1], "as they were recorded");
    null.release(2);
    released.wait_timeout(LONG).expect("executed");
    acquired.wait_timeout(LONG).expect("executed");
    assert_eq!(uploads.shutdown(LONG).leaked, 0);
    close(draws, &null);
}

/// A descriptor set, and its pool.
fn descriptor_set(table: &ash::Device) -> (vk::DescriptorPool, vk::DescriptorSet) {
    let info = vk::DescriptorPoolCreateInfo::default();
    // SAFETY: the device takes whatever the tests do.
    let pool = unsafe { table.create_descriptor_pool(&info, None) }.expect("a pool");
    let layouts = [vk::DescriptorSetLayout::null()];
    let info = vk::DescriptorSetAllocateInfo::default()
        .descriptor_pool(pool)
        .set_layouts(&layouts);
    // SAFETY: as above.
    let sets = unsafe { table.allocate_descriptor_sets(&info) }.expect("a set");
    (pool, sets[0])
}

fn update(table: &ash::Device, set: vk::DescriptorSet) {
    let write = vk::WriteDescriptorSet::default().dst_set(set);
    // SAFETY: the device takes whatever the tests do.
    unsafe { table.update_descriptor_sets(&[write], &[]) };
}

/// Binds the set; the device is told that the frame refers to it.
fn bind(null: &NullDevice, frame: &mut Frame, slot: Slot, set: vk::DescriptorSet) {
    frame.keep_alive(Arc::new(null.refer(set)));
    let mut recorder = slot.stream().expect("room");
    let (point, layout) = (vk::PipelineBindPoint::GRAPHICS, vk::PipelineLayout::null());
    // SAFETY: the device takes any command.
    unsafe { recorder.cmd_bind_descriptor_sets(point, layout, 0, &[set], &[]) };
    recorder.finish().expect("the owner is there");
}

#[test]
fn a_descriptor_set_is_not_updated_between_encoding_and_replay() {
    let null = checked();
    let table = null.table();
    let mut service = service(&null, |_| ());
    let (_, set) = descriptor_set(&table);
    let replayed = || null.log().contains(&"vkCmdBindDescriptorSets");
    update(&table, set);
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside(2).expect("room");
    let first = pass.slot(0).expect("free");
    bind(&null, &mut frame, pass.slot(1).expect("free"), set);
    is_silent(&null);
    // The slot before it is not recorded yet, so it is not replayed.
    update(&table, set);
    assert!(!replayed());
    says(&null, "vkUpdateDescriptorSets", Rule::ReferredTo);
    assert_eq!(null.violations().len(), 1);
    first.stream().expect("room").finish().expect("open");
    let mut ticket = frame.submit(SubmitOptions::default());
    ticket.wait_timeout(LONG).expect("executed");
    assert!(replayed());
    // Now it may be.
    update(&table, set);
    assert_eq!(null.violations().len(), 1);
    drop(service);
}

#[test]
fn what_a_frame_refers_to_lives_until_its_ticket() {
    type Touch = (
        &'static str,
        fn(&ash::Device, vk::DescriptorPool, vk::DescriptorSet),
    );
    // SAFETY: the device takes whatever the tests do.
    let touches: [Touch; 4] = unsafe {
        [
            ("vkUpdateDescriptorSets", |table, _, set| update(table, set)),
            ("vkFreeDescriptorSets", |table, pool, set| {
                table.free_descriptor_sets(pool, &[set]).expect("freed");
            }),
            ("vkResetDescriptorPool", |table, pool, _| {
                let none = vk::DescriptorPoolResetFlags::empty();
                table.reset_descriptor_pool(pool, none).expect("reset");
            }),
            ("vkDestroyDescriptorPool", |table, pool, _| {
                table.destroy_descriptor_pool(pool, None);
            }),
        ]
    };
    for (call, touch) in touches {
        for too_early in [true, false] {
            let null = manual();
            let table = null.table();
            let mut service = service(&null, |_| ());
            let (pool, set) = descriptor_set(&table);
            let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
            let slot = frame.outside(1).expect("room").slot(0).expect("free");
            bind(&null, &mut frame, slot, set);
            let mut ticket = frame.submit(SubmitOptions::default());
            until("it is pending", || null.pending() == 1);
            if too_early {
                touch(&table, pool, set);
                says(&null, call, Rule::ReferredTo);
            }
            null.release(1);
            ticket.wait_timeout(LONG).expect("executed");
            if too_early {
                drop(service);
            } else {
                touch(&table, pool, set);
                close(service, &null);
            }
        }
    }
    // A frame that is discarded refers to nothing any more.
    let null = checked();
    let table = null.table();
    let mut service = service(&null, |_| ());
    let (_, set) = descriptor_set(&table);
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let slot = frame.outside(1).expect("room").slot(0).expect("free");
    bind(&null, &mut frame, slot, set);
    let (over, is_over) = std::sync::mpsc::channel();
    frame.destroy_after(move || over.send(()).expect("somebody waits"));
    drop(frame);
    is_over.recv_timeout(LONG).expect("it is over");
    update(&table, set);
    close(service, &null);
}

#[test]
fn what_is_destroyed_after_a_frame_is_destroyed_in_time() {
    for too_early in [true, false] {
        let null = manual();
        let mut service = service(&null, |_| ());
        let (table, buffer) = (null.table(), vk::Buffer::from_raw(9));
        let mut frame = drawn(&mut service);
        frame.keep_alive(Arc::new(null.refer(buffer)));
        // SAFETY: the device takes whatever the tests do.
        let destroy = move || unsafe { table.destroy_buffer(buffer, None) };
        let mut ticket;
        if too_early {
            ticket = frame.submit(SubmitOptions::default());
            destroy();
            says(&null, "vkDestroyBuffer", Rule::ReferredTo);
        } else {
            frame.destroy_after(destroy);
            ticket = frame.submit(SubmitOptions::default());
        }
        null.release(1);
        ticket.wait_timeout(LONG).expect("executed");
        assert!(null.log().contains(&"vkDestroyBuffer"));
        assert_eq!(null.violations().len(), usize::from(too_early));
        assert_eq!(service.shutdown(LONG).leaked, 0);
    }
}

#[test]
fn a_pool_is_recorded_while_its_other_buffer_is_submitted() {
    let null = NullDevice::new(NullOptions::default().checked());
    let table = null.table();
    let begin = vk::CommandBufferBeginInfo::default();
    // SAFETY: the device takes whatever the tests do.
    let [recorded, open] = unsafe {
        let info = vk::CommandPoolCreateInfo::default();
        let pool = table.create_command_pool(&info, None).expect("a pool");
        let info = vk::CommandBufferAllocateInfo::default()
            .command_pool(pool)
            .command_buffer_count(2);
        let buffers = table.allocate_command_buffers(&info).expect("two");
        table
            .begin_command_buffer(buffers[0], &begin)
            .expect("begun");
        table.end_command_buffer(buffers[0]).expect("ended");
        table
            .begin_command_buffer(buffers[1], &begin)
            .expect("begun");
        [buffers[0], buffers[1]]
    };
    let inside = null.hold("vkCmdDraw");
    std::thread::scope(|threads| {
        // SAFETY: as above.
        threads.spawn(|| unsafe { table.cmd_draw(open, 3, 1, 0, 0) });
        assert!(inside.wait_entered(LONG));
        let buffers = [vk::CommandBufferSubmitInfo::default().command_buffer(recorded)];
        let submission = [vk::SubmitInfo2::default().command_buffer_infos(&buffers)];
        // SAFETY: as above.
        unsafe { table.queue_submit2(null.queue(), &submission, vk::Fence::null()) }
            .expect("submitted");
        drop(inside);
    });
    is_silent(&null);
}
