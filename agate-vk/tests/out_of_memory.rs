//! Memory runs out in each call that may need some: the one who asked is told, the others go on, nothing is left behind.

#![allow(unsafe_code, reason = "every Vulkan command is unsafe")]

#[path = "support/null.rs"]
mod support;

use agate_vk::{AcquireError, FrameError, ServiceError, TicketError, vk};
use null_device::{Live, NullDevice};
use support::{
    LONG, acquire, checked, close, manual, present, run, service, submit, swapchain, try_service,
    until,
};

const BOTH: [vk::Result; 2] = [
    vk::Result::ERROR_OUT_OF_HOST_MEMORY,
    vk::Result::ERROR_OUT_OF_DEVICE_MEMORY,
];

#[test]
fn while_a_service_is_made() {
    for result in BOTH {
        for (call, nth) in [
            ("vkCreateSemaphore", 1),
            ("vkCreateCommandPool", 1),
            ("vkCreateCommandPool", 2),
            ("vkAllocateCommandBuffers", 1),
            ("vkAllocateCommandBuffers", 2),
        ] {
            let null = checked();
            null.fail(call, nth, result);
            let error = try_service(&null, |_| ()).err();
            match &error {
                Some(ServiceError::Vulkan {
                    call: told,
                    result: with,
                }) => assert_eq!((*told, *with), (call, result)),
                other => panic!("{call} {nth}: {other:?}"),
            }
            let text = error.map(|error| error.to_string()).unwrap_or_default();
            assert!(text.contains(call) && !text.contains('\n'), "{text}");
            assert_eq!(null.live(), Live::default(), "{call} {nth}");
            assert_eq!(null.violations(), []);
            close(service(&null, |_| ()), &null);
        }
    }
}

#[test]
fn in_a_frame() {
    for result in BOTH {
        for call in [
            "vkBeginCommandBuffer",
            "vkEndCommandBuffer",
            "vkQueueSubmit2",
        ] {
            let null = checked();
            let mut service = service(&null, |_| ());
            run(&mut service).expect("executed");
            null.fail(call, 1, result);
            let error = run(&mut service).err();
            assert_eq!(
                error,
                Some(TicketError::Frame(FrameError::Vulkan { call, result }))
            );
            for _ in 0..4 {
                run(&mut service).expect("executed");
            }
            close(service, &null);
        }
    }
}

#[test]
fn in_the_reset_of_a_pool() {
    let call = "vkResetCommandPool";
    for result in BOTH {
        let null = checked();
        let mut service = service(&null, |options| options.frames_in_flight = 1);
        // Once: it is done again before the pool is used.
        null.fail(call, 1, result);
        for _ in 0..3 {
            run(&mut service).expect("executed");
        }
        // Twice: the frame that needs it fails.
        until("the pool is reset", || null.log().last() == Some(&call));
        null.fail(call, 1, result);
        null.fail(call, 2, result);
        run(&mut service).expect("executed");
        let error = run(&mut service).err();
        assert_eq!(
            error,
            Some(TicketError::Frame(FrameError::Vulkan { call, result }))
        );
        for _ in 0..3 {
            run(&mut service).expect("executed");
        }
        close(service, &null);
    }
}

#[test]
fn while_the_device_is_waited_for() {
    for result in BOTH {
        let null = manual();
        let mut service = service(&null, |options| options.frames_in_flight = 1);
        null.fail("vkWaitSemaphores", 1, result);
        let mut ticket = submit(&mut service);
        until("it is pending", || null.pending() == 1);
        until("it was waited for", || {
            null.log().contains(&"vkWaitSemaphores")
        });
        null.release(2);
        ticket.wait_timeout(LONG).expect("executed");
        run(&mut service).expect("executed");
        close(service, &null);
    }
}

/// Every call of an acquire fails in turn; the acquire after it is well.
#[test]
fn in_an_acquire() {
    for result in BOTH {
        for (call, nth) in [
            ("vkGetPhysicalDeviceSurfaceCapabilitiesKHR", 1),
            ("vkCreateSwapchainKHR", 1),
            ("vkGetSwapchainImagesKHR", 1),
            ("vkGetSwapchainImagesKHR", 2),
            ("vkCreateSemaphore", 1),
            ("vkCreateSemaphore", 2),
            ("vkCreateSemaphore", 4),
            ("vkGetSemaphoreCounterValue", 1),
            ("vkAcquireNextImageKHR", 1),
        ] {
            let null = checked();
            let mut service = service(&null, |_| ());
            let chain = swapchain(&mut service, &null, (64, 64));
            null.fail(call, nth, result);
            let error = acquire(&chain).err();
            assert_eq!(error, Some(AcquireError::Vulkan { call, result }), "{nth}");
            shows(&null, service, chain);
        }
    }
}

/// Presents some images and ends.
fn shows(null: &NullDevice, mut service: agate_vk::Service, chain: agate_vk::Swapchain) {
    for _ in 0..8 {
        let image = acquire(&chain).expect("an image");
        present(&mut service, image).expect("executed");
    }
    drop(chain);
    close(service, null);
}

#[test]
fn in_a_present() {
    for result in BOTH {
        let null = checked();
        let mut service = service(&null, |_| ());
        let chain = swapchain(&mut service, &null, (64, 64));
        // More often than there are images: each is lost to its swapchain.
        for _ in 0..5 {
            let image = acquire(&chain).expect("an image");
            null.fail("vkQueuePresentKHR", 1, result);
            present(&mut service, image).expect("executed, if not shown");
            let call = "vkQueuePresentKHR";
            let error = acquire(&chain).err();
            assert_eq!(error, Some(AcquireError::Vulkan { call, result }));
        }
        shows(&null, service, chain);
    }
}

#[test]
fn in_the_submission_of_a_frame_that_presents() {
    for result in BOTH {
        let null = checked();
        let mut service = service(&null, |_| ());
        let chain = swapchain(&mut service, &null, (64, 64));
        for _ in 0..5 {
            let image = acquire(&chain).expect("an image");
            null.fail("vkQueueSubmit2", 1, result);
            let call = "vkQueueSubmit2";
            let error = present(&mut service, image).err();
            assert_eq!(
                error,
                Some(TicketError::Frame(FrameError::Vulkan { call, result }))
            );
        }
        // The semaphores of those acquires were waited for, and serve again.
        assert!(null.live().semaphores <= 6, "{:?}", null.live());
        shows(&null, service, chain);
    }
}

#[test]
fn in_the_submission_that_gives_an_image_up() {
    for result in BOTH {
        let null = checked();
        let mut service = service(&null, |_| ());
        let chain = swapchain(&mut service, &null, (64, 64));
        for _ in 0..5 {
            let image = acquire(&chain).expect("an image");
            null.fail("vkQueueSubmit2", 1, result);
            drop(image);
        }
        run(&mut service).expect("executed");
        shows(&null, service, chain);
    }
}

#[test]
fn while_an_old_swapchain_is_let_go() {
    for result in BOTH {
        let null = manual();
        let mut service = service(&null, |_| ());
        let chain = swapchain(&mut service, &null, (64, 64));
        let image = acquire(&chain).expect("an image");
        let stages = vk::PipelineStageFlags2::ALL_COMMANDS;
        let options = agate_vk::SubmitOptions::default().present(image, stages);
        let mut ticket = support::drawn(&mut service).submit(options);
        until("it is pending", || null.pending() == 2);
        null.fail("vkQueueWaitIdle", 1, result);
        chain.resize(vk::Extent2D {
            width: 32,
            height: 32,
        });
        // The first swapchain's image is still being presented: it must not go yet.
        drop(acquire(&chain).expect("an image"));
        null.release(100);
        ticket.wait_timeout(LONG).expect("executed");
        shows(&null, service, chain);
    }
}
