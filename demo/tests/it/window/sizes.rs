//! Storms of sizes, and swapchains that no longer fit the window.
//!
//! Two things make a driver say so. Mesa calls an image suboptimal when the X server has told it another size than the
//! swapchain's, where the demo acquires or presents before winit has told the demo: in these storms that is so most
//! times. Out of date it never says on X11. So a Vulkan layer of the tests, `tests/layer`, says both, by count.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::harness::Xvfb;
use super::{ended_well, png_size, small, sum, swapchain_size};
use crate::support::{Folder, STRATEGIES, skip, validation};

/// Sizes down to one pixel and back up, each asked for before the one before is drawn, and then a last one. The picture
/// and the swapchain have that one in the end, and the layer is silent.
fn storm(server: &Xvfb, strategy: &str, prepare: impl Fn(&mut Command, &Folder)) -> Value {
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
    prepare(&mut command, &folder);
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
    let Some(server) = Xvfb::start() else { return };
    for strategy in STRATEGIES {
        storm(&server, strategy, |_, _| ());
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
        storm(&server, strategy, |_, _| ());
    }
}

/// The layer's library, which cargo builds as an example beside the program.
fn library() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_BIN_EXE_demo")).parent()?;
    let file = folder.join("examples/libout_of_date_layer.so");
    let there = file.exists()
        || skip("the layer is not built: cargo build --package demo --examples does that");
    there.then_some(file)
}

/// Has Vulkan's loader put the layer between the demo and the driver.
fn load(library: &Path, command: &mut Command, folder: &Folder) {
    let manifest = serde_json::json!({
        "file_format_version": "1.1.2",
        "layer": {
            "name": "VK_LAYER_AGATE_out_of_date",
            "type": "GLOBAL",
            "library_path": library,
            "api_version": "1.3.0",
            "implementation_version": "1",
            "description": "calls a swapchain out of date now and then",
        },
    });
    std::fs::write(folder.path().join("layer.json"), manifest.to_string()).expect("a manifest");
    command
        .env("VK_ADD_LAYER_PATH", folder.path())
        .env("VK_INSTANCE_LAYERS", "VK_LAYER_AGATE_out_of_date");
}

#[test]
fn a_storm_of_sizes_with_swapchains_out_of_date_and_suboptimal() {
    if !validation() {
        return;
    }
    let (Some(server), Some(library)) = (Xvfb::start(), library()) else {
        return;
    };
    for strategy in STRATEGIES {
        let numbers = storm(&server, strategy, |command, folder| {
            load(&library, command, folder);
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
    let (Some(server), Some(library)) = (Xvfb::start(), library()) else {
        return;
    };
    let picture = ["--frames", "20", "--screenshot", "picture.png"];
    let headless = Folder::new();
    headless.run_well(&small(&[&picture[..], &["--headless"]].concat()));
    for strategy in STRATEGIES {
        let folder = Folder::new();
        let flags = ["--validation", "--strategy", strategy, "--json", "run.json"];
        let mut command = server.demo(&folder, &small(&[&picture[..], &flags].concat()));
        load(&library, &mut command, &folder);
        ended_well(&command.output().expect("the demo starts"));
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
