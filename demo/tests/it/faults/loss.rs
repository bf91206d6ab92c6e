//! A device that is lost, a GPU that hangs, a surface that is lost: at every call that can tell of it.

use super::TINY;
use crate::support::display::Xvfb;
use crate::support::layer::{Faulty, Layer};
use crate::support::{Folder, STRATEGIES};

/// The first call, and one in the midst of the run.
const CALLS: [&str; 2] = ["1", "3"];

#[test]
fn a_lost_device_is_one_line_without_a_window() {
    let Some(layer) = Layer::ready() else { return };
    for strategy in STRATEGIES {
        for function in ["vkQueueSubmit2", "vkWaitSemaphores"] {
            for call in CALLS {
                let folder = Folder::new();
                let flags = ["--headless", "--strategy", strategy, "--json", "run.json"];
                let mut command = folder.demo(&[&TINY[..], &flags].concat());
                let fault = format!("{function}:{call}:DEVICE_LOST");
                let run = layer.run(&mut command, &fault);
                lost(&run, "device");
                assert!(!folder.path().join("run.json").exists());
            }
        }
    }
}

#[test]
fn a_lost_device_is_one_line_in_a_window() {
    let Some(layer) = Layer::ready() else { return };
    let Some(server) = Xvfb::start() else { return };
    for strategy in STRATEGIES {
        for function in [
            "vkQueueSubmit2",
            "vkWaitSemaphores",
            "vkAcquireNextImageKHR",
            "vkQueuePresentKHR",
        ] {
            for call in CALLS {
                let folder = Folder::new();
                let flags = ["--strategy", strategy];
                let mut command = server.demo(&folder, &[&TINY[..], &flags].concat());
                let fault = format!("{function}:{call}:DEVICE_LOST");
                let run = layer.run(&mut command, &fault);
                lost(&run, "device");
            }
        }
    }
}

#[test]
fn a_lost_surface_is_one_line() {
    let Some(layer) = Layer::ready() else { return };
    let Some(server) = Xvfb::start() else { return };
    for strategy in STRATEGIES {
        for function in [
            "vkAcquireNextImageKHR",
            "vkQueuePresentKHR",
            "vkCreateSwapchainKHR",
            "vkGetPhysicalDeviceSurfaceCapabilitiesKHR",
        ] {
            let folder = Folder::new();
            let mut command =
                server.demo(&folder, &[&TINY[..], &["--strategy", strategy]].concat());
            let run = layer.run(&mut command, &format!("{function}:1:SURFACE_LOST"));
            lost(&run, "surface");
        }
    }
}

#[test]
fn a_gpu_that_hangs_is_one_line_and_nothing_it_uses_is_destroyed() {
    let Some(layer) = Layer::ready() else { return };
    // The owner of the command pool gives up waiting only when it is told to.
    for strategy in STRATEGIES
        .into_iter()
        .filter(|name| !name.starts_with("agate"))
    {
        let folder = Folder::new();
        let flags = ["--headless", "--strategy", strategy];
        let mut command = folder.demo(&[&TINY[..], &flags].concat());
        let run = layer.run(&mut command, "vkWaitSemaphores:1-:TIMEOUT");
        run.ending.failed(1, "a frame did not come within 30 s");
        // The counts are written where the instance is destroyed.
        assert!(run.counts.is_empty());
    }
}

/// The run has failed as it should, and says that this was lost.
fn lost(run: &Faulty, what: &str) {
    run.ending.failed(1, "");
    let err = run.ending.err.to_lowercase();
    assert!(err.contains(what) && err.contains("lost"), "{err}");
    assert!(run.struck, "{}", run.ending.line());
}
