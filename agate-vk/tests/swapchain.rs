//! Swapchains in all weathers: sizes, surfaces that complain, images that are not presented, services that end early.

#![allow(unsafe_code, reason = "makes services")]

#[path = "support/null.rs"]
mod support;

use agate_vk::{
    AcquireError, Acquired, Device, FrameError, Service, ServiceOptions, SubmitOptions,
    TicketError, vk,
};
use null_device::Live;
use std::ffi::CStr;
use std::time::Duration;
use support::{
    LONG, acquire, checked, close, drawn, manual, present, run, service, swapchain,
    swapchain_options, until,
};

const ALL: vk::PipelineStageFlags2 = vk::PipelineStageFlags2::ALL_COMMANDS;

fn size(width: u32, height: u32) -> vk::Extent2D {
    vk::Extent2D { width, height }
}

fn shape(image: &Acquired) -> (u32, u32) {
    (image.extent.width, image.extent.height)
}

#[test]
fn the_latest_size_wins() {
    let null = checked();
    let mut service = service(&null, |_| ());
    let chain = swapchain(&mut service, &null, (64, 64));
    let mut generation = 0;
    for round in 1..6 {
        for step in 0..10 {
            chain.resize(size(100 * round + step, 50));
        }
        let image = acquire(&chain).expect("an image");
        assert_eq!(shape(&image), (100 * round + 9, 50));
        assert!(image.generation() > generation);
        generation = image.generation();
        present(&mut service, image).expect("executed");
        assert_eq!(null.live().swapchains, 1, "the one before is gone");
    }
    drop(chain);
    close(service, &null);
}

#[test]
fn the_surface_decides_where_it_has_a_size() {
    let null = checked();
    null.set_surface_extent(40, 30);
    let mut service = service(&null, |_| ());
    let chain = swapchain(&mut service, &null, (64, 64));
    let image = acquire(&chain).expect("an image");
    assert_eq!(shape(&image), (40, 30));
    // The window grows while the image is held: it is presented all the same, the next is larger.
    null.set_surface_extent(80, 60);
    present(&mut service, image).expect("executed");
    let image = acquire(&chain).expect("an image");
    assert_eq!(shape(&image), (80, 60));
    drop(image);
    drop(chain);
    close(service, &null);
}

#[test]
fn a_window_without_area_is_no_error_for_long() {
    let null = checked();
    let mut service = service(&null, |_| ());
    let chain = swapchain(&mut service, &null, (64, 64));
    present(&mut service, acquire(&chain).expect("an image")).expect("executed");
    null.set_surface_extent(0, 0);
    for _ in 0..3 {
        assert_eq!(acquire(&chain).err(), Some(AcquireError::ZeroArea));
        run(&mut service).expect("frames go on");
    }
    null.set_surface_extent(32, 32);
    let image = acquire(&chain).expect("an image");
    assert_eq!(shape(&image), (32, 32));
    present(&mut service, image).expect("executed");
    drop(chain);
    close(service, &null);
}

#[test]
fn what_the_surface_says_of_acquires() {
    let acquire_call = "vkAcquireNextImageKHR";
    for (result, renews, fails) in [
        (vk::Result::SUBOPTIMAL_KHR, true, None),
        (vk::Result::ERROR_OUT_OF_DATE_KHR, true, None),
        (vk::Result::TIMEOUT, false, None),
        (vk::Result::NOT_READY, false, None),
        (
            vk::Result::ERROR_SURFACE_LOST_KHR,
            false,
            Some(AcquireError::SurfaceLost),
        ),
    ] {
        let null = checked();
        let mut service = service(&null, |_| ());
        let chain = swapchain(&mut service, &null, (64, 64));
        present(&mut service, acquire(&chain).expect("an image")).expect("executed");
        null.fail(acquire_call, 1, result);
        match acquire(&chain) {
            Ok(image) => {
                present(&mut service, image).expect("executed");
                assert_eq!(fails, None, "{result:?}");
            }
            Err(error) => assert_eq!(Some(error), fails, "{result:?}"),
        }
        let image = acquire(&chain).expect("an image");
        assert_eq!(image.generation() > 1, renews, "{result:?}");
        present(&mut service, image).expect("executed");
        drop(chain);
        close(service, &null);
    }
}

#[test]
fn what_the_surface_says_of_presents() {
    for (result, fails) in [
        (vk::Result::SUBOPTIMAL_KHR, None),
        (vk::Result::ERROR_OUT_OF_DATE_KHR, None),
        (
            vk::Result::ERROR_SURFACE_LOST_KHR,
            Some(AcquireError::SurfaceLost),
        ),
    ] {
        let null = checked();
        let mut service = service(&null, |_| ());
        let chain = swapchain(&mut service, &null, (64, 64));
        let image = acquire(&chain).expect("an image");
        null.fail("vkQueuePresentKHR", 1, result);
        present(&mut service, image).expect("executed, if not shown");
        if fails.is_some() {
            assert_eq!(acquire(&chain).err(), fails);
        }
        let image = acquire(&chain).expect("an image");
        assert_eq!(image.generation(), 2, "{result:?}");
        present(&mut service, image).expect("executed");
        drop(chain);
        close(service, &null);
    }
}

#[test]
fn an_acquire_ends_at_its_deadline() {
    let null = checked();
    let mut service = service(&null, |_| ());
    let chain = swapchain(&mut service, &null, (64, 64));
    let held: Vec<_> = (0..3).map(|_| acquire(&chain).expect("an image")).collect();
    let mut answer = chain.acquire(Duration::from_millis(20));
    let answer = answer.wait_timeout(LONG).expect("an answer");
    assert_eq!(answer.err(), Some(AcquireError::TimedOut));
    // One that waits gets the image that is presented meanwhile.
    let mut waits = chain.acquire(LONG);
    for image in held {
        present(&mut service, image).expect("executed");
    }
    let image = waits.wait_timeout(LONG).expect("an answer");
    present(&mut service, image.expect("an image")).expect("executed");
    drop(chain);
    close(service, &null);
}

#[test]
fn an_endlessly_outdated_surface_ends_at_the_deadline() {
    let null = checked();
    let mut service = service(&null, |_| ());
    let chain = swapchain(&mut service, &null, (64, 64));
    let outdated = vk::Result::ERROR_OUT_OF_DATE_KHR;
    null.fail_always("vkAcquireNextImageKHR", outdated);
    let mut answer = chain.acquire(Duration::from_millis(50));
    let answer = answer.wait_timeout(LONG).expect("an answer");
    assert_eq!(answer.err(), Some(AcquireError::TimedOut));
    run(&mut service).expect("frames go on");
    null.clear_plan();
    present(&mut service, acquire(&chain).expect("an image")).expect("executed");
    drop(chain);
    close(service, &null);
}

#[test]
fn images_that_are_given_up() {
    let null = checked();
    let mut service = service(&null, |_| ());
    let chain = swapchain(&mut service, &null, (64, 64));
    for _ in 0..10 {
        drop(acquire(&chain).expect("an image"));
    }
    // With a frame that fails, too.
    for _ in 0..10 {
        let image = acquire(&chain).expect("an image");
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        drop(frame.outside(1).expect("room"));
        let mut ticket = frame.submit(SubmitOptions::default().present(image, ALL));
        assert!(ticket.wait_timeout(LONG).is_err());
    }
    present(&mut service, acquire(&chain).expect("an image")).expect("executed");
    let live = null.live();
    assert!(live.swapchains == 1 && live.semaphores <= 6, "{live:?}");
    drop(chain);
    close(service, &null);
}

#[test]
fn an_image_that_is_never_answered_for() {
    let null = checked();
    let mut service = service(&null, |_| ());
    let chain = swapchain(&mut service, &null, (64, 64));
    // The answer is dropped before or after it comes: the image goes back.
    for _ in 0..20 {
        drop(chain.acquire(LONG));
    }
    present(&mut service, acquire(&chain).expect("an image")).expect("executed");
    drop(chain);
    close(service, &null);
}

#[test]
fn a_swapchain_outlives_its_images() {
    let null = checked();
    let mut service = service(&null, |_| ());
    let chain = swapchain(&mut service, &null, (64, 64));
    let (first, second) = (acquire(&chain), acquire(&chain));
    let (first, second) = (first.expect("an image"), second.expect("another"));
    let mut gone = chain.destroy();
    present(&mut service, first).expect("executed");
    assert!(gone.poll().is_none(), "an image is held");
    drop(second);
    gone.wait_timeout(LONG).expect("gone");
    assert_eq!(null.live().swapchains, 0);
    close(service, &null);
}

#[test]
fn an_old_swapchain_outlives_its_presents() {
    let null = manual();
    let mut service = service(&null, |options| options.frames_in_flight = 3);
    let chain = swapchain(&mut service, &null, (64, 64));
    let image = acquire(&chain).expect("an image");
    let mut ticket = drawn(&mut service).submit(SubmitOptions::default().present(image, ALL));
    until("it is pending", || null.pending() == 2);
    chain.resize(size(32, 32));
    let mut next = chain.acquire(LONG);
    until("the queue is waited for", || {
        null.log().contains(&"vkQueueWaitIdle")
    });
    null.release(1000);
    let image = next.wait_timeout(LONG).expect("an answer").expect("one");
    assert_eq!(shape(&image), (32, 32));
    ticket.wait_timeout(LONG).expect("executed");
    present(&mut service, image).expect("executed");
    drop(chain);
    close(service, &null);
}

#[test]
fn a_service_that_ends_while_an_image_is_held() {
    let null = checked();
    let mut service = service(&null, |_| ());
    let chain = swapchain(&mut service, &null, (64, 64));
    let image = acquire(&chain).expect("an image");
    let report = service.shutdown(Duration::from_millis(100));
    assert!(report.leaked > 0 && !report.panicked, "{report:?}");
    assert_eq!(null.live().swapchains, 1, "the host may still use it");
    drop(image);
    assert_eq!(acquire(&chain).err(), Some(AcquireError::Closed));
    drop(chain);
    assert_eq!(null.violations(), []);
}

#[test]
fn a_service_that_ends_while_a_frame_with_an_image_is_open() {
    let null = checked();
    let mut service = service(&null, |_| ());
    let chain = swapchain(&mut service, &null, (64, 64));
    let image = acquire(&chain).expect("an image");
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside(1).expect("room");
    let slot = pass.slot(0).expect("free");
    let mut ticket = frame.submit(SubmitOptions::default().present(image, ALL));
    close(service, &null);
    let error = ticket.wait_timeout(LONG).err();
    assert_eq!(error, Some(TicketError::Frame(FrameError::Aborted)));
    drop((slot, chain));
}

#[test]
fn images_of_another_service() {
    let (null, other) = (checked(), checked());
    let mut first = service(&null, |_| ());
    let mut second = service(&other, |_| ());
    let chain = swapchain(&mut first, &null, (64, 64));
    let same = swapchain(&mut second, &other, (64, 64));
    for _ in 0..5 {
        let image = acquire(&chain).expect("an image");
        let error = present(&mut second, image).err();
        assert_eq!(error, Some(TicketError::Frame(FrameError::StaleImage)));
    }
    present(&mut first, acquire(&chain).expect("an image")).expect("executed");
    present(&mut second, acquire(&same).expect("an image")).expect("executed");
    drop((chain, same));
    close(first, &null);
    close(second, &other);
    assert_eq!(null.live(), Live::default());
}

#[test]
fn an_image_that_nobody_waits_for_when_the_service_ends() {
    let null = checked();
    let mut service = service(&null, |_| ());
    let chain = swapchain(&mut service, &null, (64, 64));
    let inside = null.hold("vkAcquireNextImageKHR");
    let answer = chain.acquire(LONG);
    assert!(inside.wait_entered(LONG));
    drop(answer);
    let report = std::thread::scope(|threads| {
        let ending = threads.spawn(|| service.shutdown(LONG));
        until("the owner takes no more", || chain.acquire(LONG).is_done());
        drop(inside);
        ending.join().expect("no panic")
    });
    assert_eq!((report.leaked, report.panicked), (0, false));
    assert_eq!(null.live(), Live::default());
    assert_eq!(null.violations(), []);
}

#[test]
fn without_the_extension() {
    let null = checked();
    let look_up = |name: &CStr| match name.to_str() {
        Ok("vkCreateSwapchainKHR") => std::ptr::null(),
        _ => null.function(name),
    };
    // SAFETY: the functions are those of the device, which outlives the service.
    let device = unsafe { Device::load(null.handle(), look_up) }.expect("all that is needed");
    // SAFETY: the test leaves the queue to the service.
    let service = unsafe { Service::new(device, ServiceOptions::new(null.queue(), 0)) };
    let mut service = service.expect("a service starts");
    // SAFETY: the surface is the device's, which outlives the service.
    let refused = unsafe { service.create_swapchain(swapchain_options(&null, (64, 64))) };
    let error = refused.err();
    assert_eq!(error, Some(AcquireError::NotLoaded));
    assert!(error.is_some_and(|error| error.to_string().contains("VK_KHR_swapchain")));
    close(service, &null);
}

/// Of several old swapchains those go whose images are back, the others stay.
#[test]
fn an_old_swapchain_outlives_its_images_when_a_newer_one_goes() {
    let null = checked();
    let mut service = service(&null, |_| ());
    let chain = swapchain(&mut service, &null, (64, 64));
    let oldest = acquire(&chain).expect("an image");
    chain.resize(size(32, 32));
    present(&mut service, acquire(&chain).expect("an image")).expect("executed");
    chain.resize(size(16, 16));
    let newest = acquire(&chain).expect("an image");
    assert_eq!(null.live().swapchains, 2, "that between them is gone");
    present(&mut service, oldest).expect("executed");
    present(&mut service, newest).expect("executed");
    drop(chain);
    close(service, &null);
}
