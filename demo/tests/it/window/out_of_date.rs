//! A swapchain that is out of date now and then.
//!
//! Lavapipe never says so: it calls an image suboptimal where others call it out of date (the storms see that). So a
//! Vulkan layer of the tests, `tests/layer`, says it: for every third acquire, and for every fifth present.

use std::path::{Path, PathBuf};

use super::harness::Xvfb;
use super::{ended_well, small, sum, swapchain_size};
use crate::support::{Folder, STRATEGIES, skip, validation};

/// The layer's library, which cargo builds as an example beside the program.
fn library() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_BIN_EXE_demo")).parent()?;
    let file = folder.join("examples/libout_of_date_layer.so");
    file.exists().then_some(file)
}

/// Describes the layer to Vulkan's loader.
fn manifest(library: &Path) -> String {
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
    manifest.to_string()
}

#[test]
fn a_swapchain_that_is_out_of_date_is_made_anew_and_no_frame_is_lost() {
    if !validation() {
        return;
    }
    let Some(server) = Xvfb::start() else { return };
    let Some(library) = library() else {
        skip("the layer is not built: cargo build --package demo --examples does that");
        return;
    };
    let picture = ["--frames", "20", "--screenshot", "picture.png"];
    let headless = Folder::new();
    headless.run_well(&small(&[&picture[..], &["--headless"]].concat()));
    for strategy in STRATEGIES {
        let folder = Folder::new();
        std::fs::write(folder.path().join("layer.json"), manifest(&library)).expect("a manifest");
        let flags = ["--validation", "--strategy", strategy, "--json", "run.json"];
        let output = server
            .demo(&folder, &small(&[&picture[..], &flags].concat()))
            .env("VK_ADD_LAYER_PATH", folder.path())
            .env("VK_INSTANCE_LAYERS", "VK_LAYER_AGATE_out_of_date")
            .output();
        ended_well(&output.expect("the demo starts"));
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
