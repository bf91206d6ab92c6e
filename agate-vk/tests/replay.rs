//! What the owner replays is what the jobs recorded: random commands through the whole chain, beside direct calls.

#![allow(unsafe_code, reason = "every Vulkan command is unsafe")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the commands of one job belong together"
)]

#[path = "support/command.rs"]
mod command;
#[path = "support/null.rs"]
mod support;

use agate_vk::{Pass, SubmitOptions, vk};
use command::Command;
use null_device::{Call, NullDevice, NullOptions};
use std::sync::Mutex;
use support::{LONG, Random, close, service, until};
use vk::Handle;

/// How many frames, and how many commands a slot has at the most; less where each step is interpreted.
const SIZE: (u64, u64) = if cfg!(miri) { (2, 12) } else { (40, 400) };

/// One pass: how it is enclosed, and the commands of its slots.
struct Plan {
    kind: u64,
    slots: Vec<Vec<Command>>,
}

fn plan(random: &mut Random) -> Vec<Plan> {
    let pass = |random: &mut Random| Plan {
        kind: random.below(3),
        slots: (0..random.below(6))
            .map(|_| {
                let count = random.below(SIZE.1);
                (0..count).map(|_| Command::random(random)).collect()
            })
            .collect(),
    };
    (0..1 + random.below(4)).map(|_| pass(random)).collect()
}

fn attachments() -> [vk::RenderingAttachmentInfo<'static>; 2] {
    let clear = vk::ClearValue {
        color: vk::ClearColorValue {
            uint32: [1, 2, 3, 4],
        },
    };
    [7, 8].map(|view| {
        vk::RenderingAttachmentInfo::default()
            .image_view(vk::ImageView::from_raw(view))
            .load_op(vk::AttachmentLoadOp::CLEAR)
            .clear_value(clear)
    })
}

fn rendering<'a>(
    attachments: &'a [vk::RenderingAttachmentInfo<'a>; 2],
    index: u32,
) -> vk::RenderingInfo<'a> {
    vk::RenderingInfo::default()
        .layer_count(index)
        .color_attachments(attachments)
        .depth_attachment(&attachments[1])
        .stencil_attachment(&attachments[0])
}

fn render_pass(clears: &[vk::ClearValue], index: u32) -> vk::RenderPassBeginInfo<'_> {
    vk::RenderPassBeginInfo::default()
        .render_pass(vk::RenderPass::from_raw(u64::from(index) + 1))
        .framebuffer(vk::Framebuffer::from_raw(9))
        .clear_values(clears)
}

/// The same frame by direct calls, on a device of its own.
fn direct(passes: &[Plan]) -> Vec<Call> {
    let null = NullDevice::new(NullOptions::default().capture());
    let device = null.table();
    let attachments = attachments();
    let clears = attachments.map(|attachment| attachment.clear_value);
    // SAFETY: the device takes any command.
    unsafe {
        let info = vk::CommandPoolCreateInfo::default();
        let pool = device.create_command_pool(&info, None).expect("a pool");
        let info = vk::CommandBufferAllocateInfo::default()
            .command_pool(pool)
            .command_buffer_count(1);
        let buffer = device.allocate_command_buffers(&info).expect("a buffer")[0];
        let info = vk::CommandBufferBeginInfo::default();
        device.begin_command_buffer(buffer, &info).expect("begun");
        for (index, pass) in (1..).zip(passes) {
            let inline = vk::SubpassContents::INLINE;
            match pass.kind {
                1 => device.cmd_begin_rendering(buffer, &rendering(&attachments, index)),
                2 => device.cmd_begin_render_pass(buffer, &render_pass(&clears, index), inline),
                _ => {}
            }
            for command in pass.slots.iter().flatten() {
                command.direct(&device, buffer);
            }
            match pass.kind {
                1 => device.cmd_end_rendering(buffer),
                2 => device.cmd_end_render_pass(buffer),
                _ => {}
            }
        }
        null.captured(buffer)
    }
}

#[test]
fn replayed_calls_equal_direct_calls() {
    let null = NullDevice::new(NullOptions::default().owner_only().capture().manual());
    let mut service = service(&null, |options| {
        options.block_bytes = 4 << 10;
        options.frames_in_flight = 1;
    });
    let attachments = attachments();
    let clears = attachments.map(|attachment| attachment.clear_value);
    let mut random = Random(1);
    let mut calls = 0;
    for _ in 0..SIZE.0 {
        let plan = plan(&mut random);
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let mut work: Vec<(Pass, u32, &[Command])> = Vec::new();
        for (index, pass) in (1..).zip(&plan) {
            let slots = pass.slots.len() as u32;
            // SAFETY: the device takes any command.
            let declared = unsafe {
                match pass.kind {
                    1 => frame.rendering(&rendering(&attachments, index), slots),
                    2 => frame.render_pass(&render_pass(&clears, index), slots),
                    _ => frame.outside(slots),
                }
            }
            .expect("room");
            let slots = (0..).zip(&pass.slots);
            work.extend(slots.map(|(slot, commands)| (declared.clone(), slot, &commands[..])));
        }
        // In an order of its own.
        for i in (1..work.len()).rev() {
            work.swap(i, random.below(i as u64 + 1) as usize);
        }
        let work = Mutex::new(work);
        std::thread::scope(|jobs| {
            for _ in 0..3 {
                jobs.spawn(|| {
                    loop {
                        let next = work.lock().expect("no job panics").pop();
                        let Some((pass, slot, commands)) = next else {
                            break;
                        };
                        let slot = pass.slot(slot).expect("free");
                        let mut recorder = slot.stream().expect("room");
                        for command in commands {
                            command.record(&mut recorder);
                        }
                        recorder.finish().expect("the owner is there");
                    }
                });
            }
        });
        let mut ticket = frame.submit(SubmitOptions::default());
        until("the frame is submitted", || null.pending() == 1);
        let expected = direct(&plan);
        let found = null.captured(null.buffers()[0]);
        calls += found.len();
        let difference = (0..expected.len().max(found.len()))
            .find(|i| expected.get(*i) != found.get(*i))
            .map(|i| (i, expected.get(i), found.get(i)));
        assert_eq!(difference, None);
        null.release(1);
        let report = ticket.wait_timeout(LONG).expect("executed");
        assert_eq!(report.commands, expected.len() as u64);
    }
    assert!(calls as u64 > SIZE.0 * SIZE.1 / 4, "{calls}");
    close(service, &null);
}
