//! Each rule broken on purpose and reported; beside it the same done well, and nothing said.

#![allow(unsafe_code, reason = "calls Vulkan functions")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a sequence of Vulkan calls"
)]

use ash::vk;
use null_device::{NullDevice, NullOptions, Rule};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

/// A checked device with a pool and a buffer.
struct Fixture {
    null: NullDevice,
    device: ash::Device,
    swapchain: ash::khr::swapchain::Device,
    pool: vk::CommandPool,
    buffer: vk::CommandBuffer,
}

impl Fixture {
    fn new(options: NullOptions) -> Self {
        let null = NullDevice::new(options);
        let device = null.table();
        let swapchain = ash::khr::swapchain::Device::new(&null.instance(), &device);
        // SAFETY: the device lives.
        unsafe {
            let pool = device
                .create_command_pool(&vk::CommandPoolCreateInfo::default(), None)
                .unwrap();
            let info = vk::CommandBufferAllocateInfo::default()
                .command_pool(pool)
                .command_buffer_count(1);
            let buffer = device.allocate_command_buffers(&info).unwrap()[0];
            Self {
                null,
                device,
                swapchain,
                pool,
                buffer,
            }
        }
    }

    fn begin(&self) {
        let info = vk::CommandBufferBeginInfo::default()
            .flags(vk::CommandBufferUsageFlags::ONE_TIME_SUBMIT);
        // SAFETY: the device takes whatever the tests do.
        unsafe { self.device.begin_command_buffer(self.buffer, &info) }.unwrap();
    }

    fn end(&self) {
        // SAFETY: as above.
        unsafe { self.device.end_command_buffer(self.buffer) }.unwrap();
    }

    fn draw(&self) {
        // SAFETY: as above.
        unsafe { self.device.cmd_draw(self.buffer, 3, 1, 0, 0) }
    }

    fn reset(&self) {
        let none = vk::CommandPoolResetFlags::empty();
        // SAFETY: as above.
        unsafe { self.device.reset_command_pool(self.pool, none) }.unwrap();
    }

    fn recorded(&self) {
        self.begin();
        self.draw();
        self.end();
    }

    fn submit(
        &self,
        buffers: &[vk::CommandBuffer],
        waits: &[vk::Semaphore],
        signals: &[vk::Semaphore],
    ) {
        let buffer = |buffer: &vk::CommandBuffer| {
            vk::CommandBufferSubmitInfo::default().command_buffer(*buffer)
        };
        let semaphore =
            |semaphore: &vk::Semaphore| vk::SemaphoreSubmitInfo::default().semaphore(*semaphore);
        let buffers: Vec<_> = buffers.iter().map(buffer).collect();
        let waits: Vec<_> = waits.iter().map(semaphore).collect();
        let signals: Vec<_> = signals.iter().map(semaphore).collect();
        let info = vk::SubmitInfo2::default()
            .command_buffer_infos(&buffers)
            .wait_semaphore_infos(&waits)
            .signal_semaphore_infos(&signals);
        let queue = self.null.queue();
        // SAFETY: as above.
        unsafe { self.device.queue_submit2(queue, &[info], vk::Fence::null()) }.unwrap();
    }

    fn binary(&self) -> vk::Semaphore {
        let info = vk::SemaphoreCreateInfo::default();
        // SAFETY: as above.
        unsafe { self.device.create_semaphore(&info, None) }.unwrap()
    }

    fn chain(&self, old: vk::SwapchainKHR) -> vk::SwapchainKHR {
        let info = vk::SwapchainCreateInfoKHR::default()
            .min_image_count(2)
            .old_swapchain(old);
        // SAFETY: as above.
        unsafe { self.swapchain.create_swapchain(&info, None) }.unwrap()
    }

    fn acquire(&self, chain: vk::SwapchainKHR, signal: vk::Semaphore) -> u32 {
        // SAFETY: as above.
        unsafe {
            self.swapchain
                .acquire_next_image(chain, 0, signal, vk::Fence::null())
        }
        .unwrap()
        .0
    }

    fn present(&self, chain: vk::SwapchainKHR, index: u32, wait: &[vk::Semaphore]) {
        let (chains, indices) = ([chain], [index]);
        let info = vk::PresentInfoKHR::default()
            .swapchains(&chains)
            .image_indices(&indices)
            .wait_semaphores(wait);
        // SAFETY: as above.
        unsafe { self.swapchain.queue_present(self.null.queue(), &info) }.unwrap();
    }

    #[track_caller]
    fn says(&self, call: &str, rule: Rule) {
        let found = self.null.violations();
        assert!(
            found.len() == 1 && found[0].call == call && found[0].rule == rule,
            "{rule:?} in {call}, not {found:?}"
        );
        assert!(found[0].to_string().starts_with(call), "{}", found[0]);
    }

    #[track_caller]
    fn is_silent(&self) {
        assert_eq!(self.null.violations(), []);
    }
}

fn checked() -> Fixture {
    Fixture::new(NullOptions::default().checked())
}

fn manual() -> Fixture {
    Fixture::new(NullOptions::default().checked().manual())
}

#[test]
fn a_second_thread_inside() {
    let f = checked();
    f.begin();
    let hold = f.null.hold("vkCmdDraw");
    std::thread::scope(|threads| {
        let drawing = threads.spawn(|| f.draw());
        assert!(hold.wait_entered(SOON));
        // SAFETY: the device takes whatever the tests do.
        unsafe { f.device.cmd_dispatch(f.buffer, 1, 1, 1) };
        drop(hold);
        drawing.join().unwrap();
    });
    f.says(
        "vkCmdDispatch",
        Rule::Race {
            inside: "vkCmdDraw",
        },
    );

    let f = checked();
    f.begin();
    std::thread::scope(|threads| threads.spawn(|| f.draw()).join().unwrap());
    f.draw();
    f.is_silent();
}

#[test]
fn a_second_thread_inside_the_queue() {
    let f = checked();
    let hold = f.null.hold("vkQueueWaitIdle");
    std::thread::scope(|threads| {
        // SAFETY: the device takes whatever the tests do.
        let waiting = threads.spawn(|| unsafe { f.device.queue_wait_idle(f.null.queue()) });
        assert!(hold.wait_entered(SOON));
        f.submit(&[], &[], &[]);
        drop(hold);
        waiting.join().unwrap().unwrap();
    });
    let inside = "vkQueueWaitIdle";
    f.says("vkQueueSubmit2", Rule::Race { inside });

    let f = checked();
    std::thread::scope(|threads| threads.spawn(|| f.submit(&[], &[], &[])).join().unwrap());
    f.submit(&[], &[], &[]);
    f.is_silent();
}

#[test]
fn a_pool_that_was_not_handed_over() {
    let f = Fixture::new(NullOptions::default().owner_only());
    f.begin();
    std::thread::scope(|threads| threads.spawn(|| f.draw()).join().unwrap());
    f.says("vkCmdDraw", Rule::NotHandedOver);

    let f = Fixture::new(NullOptions::default().owner_only());
    f.begin();
    f.null.hand_over();
    std::thread::scope(|threads| threads.spawn(|| f.draw()).join().unwrap());
    f.is_silent();
}

#[test]
fn pools_and_buffers_that_are_pending() {
    let pending = || {
        let f = manual();
        f.recorded();
        f.submit(&[f.buffer], &[], &[]);
        f
    };
    let f = pending();
    f.reset();
    f.says("vkResetCommandPool", Rule::BufferPending);
    let f = pending();
    f.begin();
    f.says("vkBeginCommandBuffer", Rule::BufferPending);
    let f = pending();
    // SAFETY: the device takes whatever the tests do.
    unsafe { f.device.free_command_buffers(f.pool, &[f.buffer]) };
    f.says("vkFreeCommandBuffers", Rule::BufferPending);
    let f = pending();
    // SAFETY: as above.
    unsafe { f.device.destroy_command_pool(f.pool, None) };
    f.says("vkDestroyCommandPool", Rule::BufferPending);
    let f = pending();
    f.submit(&[f.buffer], &[], &[]);
    f.says("vkQueueSubmit2", Rule::NotExecutable);

    let f = pending();
    f.null.release(1);
    f.reset();
    f.begin();
    f.end();
    // SAFETY: as above.
    unsafe {
        f.device.free_command_buffers(f.pool, &[f.buffer]);
        f.device.destroy_command_pool(f.pool, None);
    }
    f.is_silent();
    assert_eq!(f.null.live(), null_device::Live::default());
}

#[test]
fn buffers_in_the_wrong_state() {
    let f = checked();
    f.draw();
    f.says("vkCmdDraw", Rule::NotRecording);
    let f = checked();
    f.end();
    f.says("vkEndCommandBuffer", Rule::NotRecording);
    let f = checked();
    f.submit(&[f.buffer], &[], &[]);
    f.says("vkQueueSubmit2", Rule::NotExecutable);
    let f = checked();
    f.begin();
    f.submit(&[f.buffer], &[], &[]);
    f.says("vkQueueSubmit2", Rule::NotExecutable);
    let f = checked();
    f.recorded();
    f.begin();
    f.says("vkBeginCommandBuffer", Rule::NotInitial);
    let f = checked();
    f.recorded();
    f.submit(&[f.buffer], &[], &[]);
    // It was for one submission.
    f.submit(&[f.buffer], &[], &[]);
    f.says("vkQueueSubmit2", Rule::NotExecutable);

    let f = checked();
    f.recorded();
    f.submit(&[f.buffer], &[], &[]);
    f.reset();
    f.recorded();
    f.submit(&[f.buffer], &[], &[]);
    f.is_silent();
}

/// A secondary command buffer of the fixture's pool, begun and ended as asked.
fn secondary(f: &Fixture, inherits: bool, end: bool) -> vk::CommandBuffer {
    let info = vk::CommandBufferAllocateInfo::default()
        .command_pool(f.pool)
        .level(vk::CommandBufferLevel::SECONDARY)
        .command_buffer_count(1);
    let inherited = vk::CommandBufferInheritanceInfo::default();
    let mut begin =
        vk::CommandBufferBeginInfo::default().flags(vk::CommandBufferUsageFlags::ONE_TIME_SUBMIT);
    if inherits {
        begin = begin.inheritance_info(&inherited);
    }
    // SAFETY: the device takes whatever the tests do.
    unsafe {
        let buffer = f.device.allocate_command_buffers(&info).unwrap()[0];
        f.device.begin_command_buffer(buffer, &begin).unwrap();
        if end {
            f.device.end_command_buffer(buffer).unwrap();
        }
        buffer
    }
}

/// Executes it in a primary.
fn execute(f: &Fixture, secondary: vk::CommandBuffer) {
    f.begin();
    // SAFETY: the device takes whatever the tests do.
    unsafe { f.device.cmd_execute_commands(f.buffer, &[secondary]) };
    f.end();
}

#[test]
fn secondaries() {
    let f = checked();
    secondary(&f, false, true);
    f.says("vkBeginCommandBuffer", Rule::InheritsNothing);
    let f = checked();
    let open = secondary(&f, true, false);
    execute(&f, open);
    f.says("vkCmdExecuteCommands", Rule::NotExecutable);
    let f = checked();
    execute(&f, f.buffer);
    f.says("vkCmdExecuteCommands", Rule::NotSecondary);
    // It is pending with its primary.
    let f = manual();
    let executed = secondary(&f, true, true);
    execute(&f, executed);
    f.submit(&[f.buffer], &[], &[]);
    // SAFETY: as above.
    unsafe { f.device.free_command_buffers(f.pool, &[executed]) };
    f.says("vkFreeCommandBuffers", Rule::BufferPending);
    let f = checked();
    let executed = secondary(&f, true, true);
    execute(&f, executed);
    f.submit(&[f.buffer], &[], &[]);
    f.is_silent();
}

#[test]
fn objects_that_are_gone() {
    let f = checked();
    // SAFETY: the device takes whatever the tests do.
    unsafe { f.device.free_command_buffers(f.pool, &[f.buffer]) };
    f.begin();
    f.says("vkBeginCommandBuffer", Rule::Destroyed);
    let f = checked();
    // SAFETY: as above.
    unsafe { f.device.destroy_command_pool(f.pool, None) };
    f.reset();
    f.says("vkResetCommandPool", Rule::Destroyed);
    let f = checked();
    let semaphore = f.binary();
    // SAFETY: as above.
    unsafe {
        f.device.destroy_semaphore(semaphore, None);
        f.device.destroy_semaphore(semaphore, None);
    }
    f.says("vkDestroySemaphore", Rule::Destroyed);
}

#[test]
fn binary_semaphores() {
    let f = checked();
    let semaphore = f.binary();
    f.submit(&[], &[semaphore], &[]);
    f.says("vkQueueSubmit2", Rule::NeverSignalled);
    let f = checked();
    let semaphore = f.binary();
    f.submit(&[], &[], &[semaphore]);
    f.submit(&[], &[], &[semaphore]);
    f.says("vkQueueSubmit2", Rule::SignalledTwice);
    let f = manual();
    let semaphore = f.binary();
    f.submit(&[], &[], &[semaphore]);
    // SAFETY: the device takes whatever the tests do.
    unsafe { f.device.destroy_semaphore(semaphore, None) };
    f.says("vkDestroySemaphore", Rule::SemaphorePending);

    let f = manual();
    let semaphore = f.binary();
    for _ in 0..2 {
        f.submit(&[], &[], &[semaphore]);
        f.submit(&[], &[semaphore], &[]);
    }
    f.null.release(4);
    assert_eq!(f.null.pending(), 0);
    // SAFETY: as above.
    unsafe { f.device.destroy_semaphore(semaphore, None) };
    f.is_silent();
}

#[test]
fn swapchain_images() {
    let none = vk::SwapchainKHR::null();
    let f = checked();
    f.present(f.chain(none), 0, &[]);
    f.says("vkQueuePresentKHR", Rule::NotAcquired);
    let f = checked();
    let (chain, semaphore) = (f.chain(none), f.binary());
    f.acquire(chain, semaphore);
    f.acquire(chain, semaphore);
    f.says("vkAcquireNextImageKHR", Rule::SignalledTwice);
    let f = checked();
    let chain = f.chain(none);
    f.acquire(chain, f.binary());
    f.acquire(chain, f.binary());
    let (signal, no_fence) = (f.binary(), vk::Fence::null());
    // SAFETY: the device takes whatever the tests do.
    let late = unsafe {
        f.swapchain
            .acquire_next_image(chain, u64::MAX, signal, no_fence)
    };
    assert_eq!(late, Err(vk::Result::TIMEOUT));
    f.says("vkAcquireNextImageKHR", Rule::AcquiresForever);
    let f = checked();
    let (chain, semaphore) = (f.chain(none), f.binary());
    let index = f.acquire(chain, vk::Semaphore::null());
    f.present(chain, index, &[semaphore]);
    f.says("vkQueuePresentKHR", Rule::NeverSignalled);
    let f = checked();
    let chain = f.chain(none);
    f.chain(chain);
    f.chain(chain);
    f.says("vkCreateSwapchainKHR", Rule::Retired);
    let f = manual();
    let (chain, semaphore) = (f.chain(none), f.binary());
    f.submit(&[], &[], &[semaphore]);
    let index = f.acquire(chain, vk::Semaphore::null());
    f.present(chain, index, &[semaphore]);
    // SAFETY: the device takes whatever the tests do.
    unsafe { f.swapchain.destroy_swapchain(chain, None) };
    f.says("vkDestroySwapchainKHR", Rule::PresentPending);

    let f = manual();
    let (chain, acquired, rendered) = (f.chain(none), f.binary(), f.binary());
    for _ in 0..4 {
        let index = f.acquire(chain, acquired);
        f.submit(&[], &[acquired], &[rendered]);
        f.present(chain, index, &[rendered]);
        f.null.release(1);
    }
    let next = f.chain(chain);
    // SAFETY: as above.
    unsafe {
        f.swapchain.destroy_swapchain(chain, None);
        f.swapchain.destroy_swapchain(next, None);
    }
    f.is_silent();
    assert_eq!(f.null.live().swapchains, 0);
}

#[test]
fn a_timeline_waits_and_wakes() {
    let f = manual();
    let mut kind =
        vk::SemaphoreTypeCreateInfo::default().semaphore_type(vk::SemaphoreType::TIMELINE);
    let info = vk::SemaphoreCreateInfo::default().push_next(&mut kind);
    // SAFETY: the device lives.
    let timeline = unsafe { f.device.create_semaphore(&info, None) }.unwrap();
    let signal = [vk::SemaphoreSubmitInfo::default()
        .semaphore(timeline)
        .value(1)];
    let submit = [vk::SubmitInfo2::default().signal_semaphore_infos(&signal)];
    let (semaphores, values) = ([timeline], [1]);
    let wait = vk::SemaphoreWaitInfo::default()
        .semaphores(&semaphores)
        .values(&values);
    // SAFETY: as above.
    unsafe {
        f.device
            .queue_submit2(f.null.queue(), &submit, vk::Fence::null())
            .unwrap();
        assert_eq!(f.device.get_semaphore_counter_value(timeline), Ok(0));
        let early = f.device.wait_semaphores(&wait, 1_000_000);
        assert_eq!(early, Err(vk::Result::TIMEOUT));
        std::thread::scope(|threads| {
            let waiting = threads.spawn(|| f.device.wait_semaphores(&wait, 10_000_000_000));
            f.null.release(1);
            assert_eq!(waiting.join().unwrap(), Ok(()));
        });
        assert_eq!(f.device.get_semaphore_counter_value(timeline), Ok(1));
        f.device
            .queue_submit2(f.null.queue(), &submit, vk::Fence::null())
            .unwrap();
    }
    f.says("vkQueueSubmit2", Rule::TimelineNotGrowing);
}

#[test]
fn faults_come_when_they_were_asked_for() {
    let f = checked();
    let oom = vk::Result::ERROR_OUT_OF_HOST_MEMORY;
    f.null.fail("vkResetCommandPool", 2, oom);
    let reset = || {
        let none = vk::CommandPoolResetFlags::empty();
        // SAFETY: the device lives.
        unsafe { f.device.reset_command_pool(f.pool, none) }
    };
    assert_eq!([reset(), reset(), reset()], [Ok(()), Err(oom), Ok(())]);
    let lost = vk::Result::ERROR_DEVICE_LOST;
    f.null.fail("vkQueueWaitIdle", 1, lost);
    // SAFETY: as above.
    let idle = unsafe { f.device.queue_wait_idle(f.null.queue()) };
    assert_eq!((idle, reset()), (Err(lost), Err(lost)));
}

#[test]
fn captured_calls_are_copies() {
    let null = NullDevice::new(NullOptions::default().capture());
    let device = null.table();
    let begin = vk::CommandBufferBeginInfo::default();
    // SAFETY: the device lives.
    unsafe {
        let pool = device
            .create_command_pool(&vk::CommandPoolCreateInfo::default(), None)
            .unwrap();
        let info = vk::CommandBufferAllocateInfo::default()
            .command_pool(pool)
            .command_buffer_count(1);
        let buffer = device.allocate_command_buffers(&info).unwrap()[0];
        device.begin_command_buffer(buffer, &begin).unwrap();
        let mut bytes = *b"twelve bytes";
        let (layout, stages) = (vk::PipelineLayout::null(), vk::ShaderStageFlags::VERTEX);
        device.cmd_push_constants(buffer, layout, stages, 4, &bytes);
        bytes.fill(0);
        device.cmd_draw(buffer, 3, 1, 0, 7);
        let calls = null.captured(buffer);
        assert_eq!(calls.len(), 2);
        assert_eq!(calls[0].name, "vkCmdPushConstants");
        let data: Vec<u8> = calls[0].words[4..]
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        assert_eq!(&data[..12], b"twelve bytes");
        assert_eq!(calls[1].words, [3, 1, 0, 7]);
    }
}
