//! Storms of sizes, and swapchains that no longer fit the window.
//!
//! Two things make a driver say so. Mesa calls an image suboptimal when the X server has told it another size than the
//! swapchain's, where the demo acquires or presents before winit has told the demo: in these storms that is so most
//! times. Out of date it never says on X11. So the layer that makes
//! calls fail says both, by count.

use std::process::Command;

use serde_json::Value;

use super::{ended_well, png_size, small, sum, swapchain_size};
use crate::support::display::Xvfb;
use crate::support::layer::Layer;
use crate::support::running::end;
use crate::support::{Folder, STRATEGIES, validation};

/// Sizes down to one pixel and back up, each asked for before the one before is drawn, and then a last one. The picture
/// and the swapchain have that one in the end, and the layer is silent.
fn storm(server: &Xvfb, strategy: &str, prepare: impl Fn(&mut Command)) -> Value {
    let last = (401, 303);
    let folder = Folder::new();
    let flags = [
        "--validation",
        "--strategy",
        strategy,
        "--screenshot",
        "last.png",
        "--json",
        "run.json",
    ];
    let mut command = server.demo(&folder, &small(&flags));
    prepare(&mut command);
    let mut demo = server.open_command(&mut command);
    demo.until_it_draws();
    for round in 0..5 {
        for size in [(640, 400), (200, 300), (40, 3), (1, 1), (1, 200), (700, 1)] {
            demo.ask_for_size((size.0 + round, size.1));
        }
        demo.resize((1, 1));
        demo.resize((500, 400));
    }
    demo.resize(last);
    ended_well(&demo.press_until_it_ends("Escape"));
    let numbers = folder.json("run.json");
    assert_eq!(numbers["validation_messages"], 0, "{strategy}");
    assert_eq!(png_size(&folder.read("last.png")), last, "{strategy}");
    assert_eq!(swapchain_size(&numbers), (401, 303), "{strategy}");
    assert!(sum(&numbers, "swapchains") >= 2, "{strategy}: {numbers}");
    numbers
}

#[test]
fn a_storm_of_sizes_ends_in_a_picture_of_the_last() {
    if !validation() {
        return;
    }
    let Some(server) = Xvfb::start_with_keys() else {
        return;
    };
    for strategy in STRATEGIES {
        storm(&server, strategy, |_| ());
    }
}

#[test]
fn a_storm_of_sizes_under_a_window_manager_too() {
    if !validation() {
        return;
    }
    let Some(server) = Xvfb::start_managed() else {
        return;
    };
    for strategy in STRATEGIES {
        storm(&server, strategy, |_| ());
    }
}

/// Every third acquire is out of date, and gives no image; every fifth present is done, and answered so all the same,
/// which is what the specification allows for a window that changed meanwhile. Every fourth acquire and every seventh
/// present is well, and suboptimal.
const NOW_AND_THEN: (&str, &str) = (
    "FAULT",
    "vkAcquireNextImageKHR:*3:OUT_OF_DATE,vkAcquireNextImageKHR:*4:SUBOPTIMAL,\
     vkQueuePresentKHR:*5:OUT_OF_DATE,vkQueuePresentKHR:*7:SUBOPTIMAL",
);

#[test]
fn a_storm_of_sizes_with_swapchains_out_of_date_and_suboptimal() {
    if !validation() {
        return;
    }
    let (Some(server), Some(layer)) = (Xvfb::start_with_keys(), Layer::ready()) else {
        return;
    };
    for strategy in STRATEGIES {
        let numbers = storm(&server, strategy, |command| {
            layer.under(command, &[NOW_AND_THEN]);
        });
        assert!(sum(&numbers, "out_of_date") > 0, "{strategy}: {numbers}");
        assert!(sum(&numbers, "suboptimal") > 0, "{strategy}: {numbers}");
    }
}

#[test]
fn a_swapchain_that_is_out_of_date_is_made_anew_and_no_frame_is_lost() {
    if !validation() {
        return;
    }
    let (Some(server), Some(layer)) = (Xvfb::start(), Layer::ready()) else {
        return;
    };
    let picture = ["--frames", "20", "--screenshot", "picture.png"];
    let headless = Folder::new();
    headless.run_well(&small(&[&picture[..], &["--headless"]].concat()));
    for strategy in STRATEGIES {
        let folder = Folder::new();
        let flags = ["--validation", "--strategy", strategy, "--json", "run.json"];
        let mut command = server.demo(&folder, &small(&[&picture[..], &flags].concat()));
        ended_well(&end(layer.under(&mut command, &[NOW_AND_THEN])));
        let numbers = folder.json("run.json");
        assert_eq!(numbers["validation_messages"], 0, "{strategy}");
        // Twenty images take at least 29 acquires, of which 9 fail; of twenty presents 4 do.
        assert!(sum(&numbers, "out_of_date") >= 13, "{strategy}: {numbers}");
        assert!(sum(&numbers, "swapchains") >= 10, "{strategy}: {numbers}");
        assert_eq!(sum(&numbers, "frames"), 20, "{strategy}");
        assert_eq!(swapchain_size(&numbers), (320, 180), "{strategy}");
        assert!(
            folder.read("picture.png") == headless.read("picture.png"),
            "{strategy}"
        );
    }
}
