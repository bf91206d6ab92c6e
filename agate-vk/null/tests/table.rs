//! The table of functions: what is there in each form, and secondaries recorded on two threads at once.

#![allow(unsafe_code, reason = "calls Vulkan functions")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a sequence of Vulkan calls"
)]

use ash::vk;
use null_device::{Cost, Live, NullDevice, NullOptions};
use std::ffi::CString;

fn forms() -> [NullOptions; 3] {
    let options = NullOptions::default();
    [
        options,
        options.cost(Cost::Simulated),
        options.checked().capture(),
    ]
}

#[test]
fn every_command_is_there_in_every_form() {
    let devices = forms().map(NullDevice::new);
    for name in NullDevice::commands() {
        let name = CString::new(name).expect("a name");
        let [empty, simulated, observed] = devices.each_ref().map(|null| null.function(&name));
        assert!(!empty.is_null() && empty != simulated && simulated != observed);
    }
    assert!(devices[0].function(c"vkCreateWindow").is_null());
}

/// Two threads record a secondary each, from pools of their own; a primary executes them.
#[test]
fn secondaries_on_two_threads() {
    for options in forms() {
        let null = NullDevice::new(options);
        let device = null.table();
        let pool = || {
            let info = vk::CommandPoolCreateInfo::default();
            // SAFETY: the device lives.
            unsafe { device.create_command_pool(&info, None) }.expect("a pool")
        };
        let buffer = |pool, level| {
            let info = vk::CommandBufferAllocateInfo::default()
                .command_pool(pool)
                .level(level)
                .command_buffer_count(1);
            // SAFETY: as above.
            unsafe { device.allocate_command_buffers(&info) }.expect("a buffer")[0]
        };
        let pools = [pool(), pool(), pool()];
        let secondary = |pool| {
            let buffer = buffer(pool, vk::CommandBufferLevel::SECONDARY);
            let inheritance = vk::CommandBufferInheritanceInfo::default();
            let info = vk::CommandBufferBeginInfo::default().inheritance_info(&inheritance);
            // SAFETY: as above.
            unsafe {
                device.begin_command_buffer(buffer, &info).expect("begun");
                for i in 0..10_000 {
                    device.cmd_draw(buffer, i, 1, 0, 0);
                }
                device.end_command_buffer(buffer).expect("ended");
            }
            buffer
        };
        let secondaries = std::thread::scope(|threads| {
            let other = threads.spawn(|| secondary(pools[1]));
            [secondary(pools[0]), other.join().expect("recorded")]
        });
        let primary = buffer(pools[2], vk::CommandBufferLevel::PRIMARY);
        let info = vk::CommandBufferBeginInfo::default();
        let rendering = vk::RenderingInfo::default();
        // SAFETY: as above.
        unsafe {
            device.begin_command_buffer(primary, &info).expect("begun");
            device.cmd_begin_rendering(primary, &rendering);
            device.cmd_execute_commands(primary, &secondaries);
            device.cmd_end_rendering(primary);
            device.end_command_buffer(primary).expect("ended");
            let buffers = [vk::CommandBufferSubmitInfo::default().command_buffer(primary)];
            let submit = [vk::SubmitInfo2::default().command_buffer_infos(&buffers)];
            let queue = device.get_device_queue(0, 0);
            assert_eq!(queue, null.queue());
            let none = vk::Fence::null();
            device
                .queue_submit2(queue, &submit, none)
                .expect("submitted");
            device.device_wait_idle().expect("idle");
            for pool in pools {
                device.destroy_command_pool(pool, None);
            }
        }
        assert_eq!(null.live(), Live::default());
        assert_eq!(null.violations(), []);
    }
}
