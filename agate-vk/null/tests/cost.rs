//! What a command costs: nothing, or about what was promised.

#![allow(unsafe_code, reason = "calls Vulkan functions")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a sequence of Vulkan calls"
)]

use ash::vk;
use null_device::{Cost, NullDevice, NullOptions};
use std::time::Instant;

/// Nanoseconds for each of many draws: the best of some rounds.
fn draw_ns(cost: Cost) -> f64 {
    const DRAWS: u32 = 20_000;
    let null = NullDevice::new(NullOptions::default().cost(cost));
    let device = null.table();
    // SAFETY: a device of this crate takes what Vulkan takes; nothing is used after its end.
    unsafe {
        let pool = device
            .create_command_pool(&vk::CommandPoolCreateInfo::default(), None)
            .unwrap();
        let info = vk::CommandBufferAllocateInfo::default()
            .command_pool(pool)
            .command_buffer_count(1);
        let buffer = device.allocate_command_buffers(&info).unwrap()[0];
        let round = || {
            let began = Instant::now();
            for _ in 0..DRAWS {
                device.cmd_draw(buffer, 3, 1, 0, 0);
            }
            began.elapsed().as_nanos() as f64 / f64::from(DRAWS)
        };
        (0..50).map(|_| round()).fold(f64::MAX, f64::min)
    }
}

#[test]
fn a_simulated_command_costs_more_than_an_empty_one() {
    let (empty, simulated) = (draw_ns(Cost::None), draw_ns(Cost::Simulated));
    println!("a draw: {empty:.1} ns empty, {simulated:.1} ns simulated");
    // Loose on purpose: the machine may be busy. A device that forgot to burn would cost about the same as an empty one.
    assert!(simulated > 3.0 && simulated < 300.0, "{simulated}");
    assert!(empty < simulated);
}
