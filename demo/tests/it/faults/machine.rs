//! Machines whose devices lack something: one line that says what, and what to do.

use super::TINY;
use crate::support::Folder;
use crate::support::display::Xvfb;
use crate::support::layer::Layer;

#[test]
fn a_device_without_what_the_demo_needs_is_named_with_what_it_lacks() {
    let Some(layer) = Layer::ready() else { return };
    for (hidden, part) in [
        ("version", "has Vulkan 1.1.0, 1.3 is needed"),
        ("graphics", "has no graphics queue"),
        ("timelineSemaphore", "has no timeline semaphores"),
        ("synchronization2", "has no synchronization2"),
        ("dynamicRendering", "has no dynamic rendering"),
    ] {
        let folder = Folder::new();
        let mut command = folder.demo(&[&TINY[..], &["--headless"]].concat());
        let ending = layer.run(command.env("FAULT_HIDE", hidden), "").ending;
        ending.failed(1, part);
        assert!(
            ending.err.contains("no Vulkan device suits"),
            "{}",
            ending.err
        );
        assert!(ending.err.contains("apt install"), "{}", ending.err);
    }
}

#[test]
fn a_machine_without_a_device_is_told_how_to_get_one() {
    let Some(layer) = Layer::ready() else { return };
    for flags in [&["--headless"][..], &["--list-gpus"], &["--doctor"], &[]] {
        let mut command = Folder::new().demo(flags);
        command.current_dir("/");
        let ending = layer.run(command.env("FAULT_HIDE", "devices"), "").ending;
        ending.failed(1, "no driver that works: apt install");
    }
}

#[test]
fn a_device_that_cannot_present_is_named_with_what_it_lacks() {
    let Some(layer) = Layer::ready() else { return };
    let Some(server) = Xvfb::start() else { return };
    let folder = Folder::new();
    let mut command = server.demo(&folder, &TINY);
    let ending = layer.run(command.env("FAULT_HIDE", "swapchain"), "").ending;
    ending.failed(1, "cannot present (no VK_KHR_swapchain)");
    let mut command = server.demo(&folder, &TINY);
    let fault = "vkGetPhysicalDeviceSurfaceSupportKHR:1-:SURFACE_LOST";
    let run = layer.run(&mut command, fault);
    run.ending
        .failed(1, "has no queue that draws and presents here");
    assert!(run.struck);
}

#[test]
fn a_driver_that_fails_at_once_is_one_line() {
    let Some(layer) = Layer::ready() else { return };
    for function in [
        "vkCreateInstance",
        "vkCreateDevice",
        "vkEnumeratePhysicalDevices",
    ] {
        for flags in [&["--headless"][..], &["--doctor"], &["--list-gpus"]] {
            if function == "vkCreateDevice" && flags != ["--headless"] {
                continue;
            }
            let mut command = Folder::new().demo(flags);
            command.current_dir("/");
            let fault = format!("{function}:1-:INITIALIZATION_FAILED");
            let run = layer.run(&mut command, &fault);
            run.ending.failed(1, "INITIALIZATION_FAILED; ");
        }
    }
}
