//! Memory that runs out, in every call that may say so: the run ends with one line, or it goes on.

use std::fs;
use std::process::Command;

use super::TINY;
use crate::support::display::Xvfb;
use crate::support::layer::Layer;
use crate::support::{Folder, PASSES, STRATEGIES, validation};

/// What a run may survive, by strategy (empty for all), and why.
const GOES_ON: [(&str, &str); 8] = [
    // Not the demo's own question, if it is the first: the loader's parts ask too.
    ("", "vkEnumerateDeviceExtensionProperties"),
    // A block too large for the device is followed by a smaller one, or by one of another kind of memory.
    ("", "vkAllocateMemory"),
    ("", "vkMapMemory"),
    // A submission of several frames that fails is followed by one for each.
    ("agate", "vkQueueSubmit2"),
    // A pool that could not be reset when its frame was over is reset before the next frame.
    ("agate", "vkResetCommandPool"),
    // Tried again.
    ("", "vkQueueWaitIdle"),
    // The owner of retirement waits again.
    ("agate", "vkWaitSemaphores"),
    // Only asks; the answer comes with the next wait.
    ("agate", "vkGetSemaphoreCounterValue"),
];

fn may_go_on(strategy: &str, function: &str) -> bool {
    GOES_ON
        .iter()
        .any(|(who, what)| strategy.starts_with(who) && *what == function)
}

/// Fails each of these functions that the run calls, in a run of its own: the first call, and a later one.
fn fail_each(
    layer: &Layer,
    strategy: &str,
    functions: impl Fn(&str) -> bool,
    mut demo: impl FnMut(&Folder) -> Command,
) {
    let folder = Folder::new();
    let whole = layer.run(&mut demo(&folder), "");
    whole.ending.well();
    assert!(whole.counts.len() > 15, "{:?}", whole.counts);
    let chosen = whole.counts.iter().filter(|(name, _)| functions(name));
    for (function, count) in chosen {
        let later = count.div_ceil(2).max(2).min(*count);
        for (call, result) in [(1, "OUT_OF_DEVICE_MEMORY"), (later, "OUT_OF_HOST_MEMORY")] {
            let folder = Folder::new();
            let run = layer.run(&mut demo(&folder), &format!("{function}:{call}:{result}"));
            let goes_on = run.ending.code == Some(0);
            if goes_on && (!run.struck || may_go_on(strategy, function)) {
                run.ending.well();
            } else {
                run.ending.failed(1, "");
                let err = run.ending.err.to_lowercase().replace('_', " ");
                let names_it = ["memory", "initialization failed", "no queue"];
                assert!(
                    names_it.iter().any(|part| err.contains(part)),
                    "{}: {err}",
                    run.ending.line()
                );
            }
            let left = fs::read_dir(folder.path()).expect("the folder");
            let whole = ["picture.png", "run.json"];
            for file in left.map(|entry| entry.expect("an entry").file_name()) {
                let ended_well = goes_on || file == "picture.png";
                assert!(
                    ended_well && whole.iter().any(|name| file == *name),
                    "{}: {file:?} was left",
                    run.ending.line()
                );
            }
        }
    }
}

const FILES: [&str; 4] = ["--screenshot", "picture.png", "--json", "run.json"];

/// What is called before there is a strategy, and fails alike under all.
const SETUP: [&str; 15] = [
    "vkAllocateMemory",
    "vkBindBufferMemory",
    "vkBindImageMemory",
    "vkCreateBuffer",
    "vkCreateDevice",
    "vkCreateFramebuffer",
    "vkCreateGraphicsPipelines",
    "vkCreateImage",
    "vkCreateImageView",
    "vkCreateInstance",
    "vkCreatePipelineLayout",
    "vkCreateRenderPass",
    "vkCreateShaderModule",
    "vkEnumerateDeviceExtensionProperties",
    "vkMapMemory",
];

fn headless(layer: &Layer, strategy: &str, pass: &[&str], functions: impl Fn(&str) -> bool) {
    let flags = ["--headless", "--strategy", strategy];
    fail_each(layer, strategy, functions, |folder| {
        folder.demo(&[&TINY[..], &FILES, &flags, pass].concat())
    });
}

#[test]
fn setting_up_without_a_window() {
    let Some(layer) = Layer::ready() else { return };
    let setup = |function: &str| SETUP.contains(&function);
    headless(&layer, "agate", &[], setup);
    headless(&layer, "single", &["--render-pass"], setup);
}

#[test]
fn every_strategy_without_a_window() {
    let Some(layer) = Layer::ready() else { return };
    for (strategy, pass) in STRATEGIES.iter().zip(PASSES.iter().cycle()) {
        headless(&layer, strategy, pass, |function| {
            !SETUP.contains(&function)
        });
    }
}

#[test]
fn agate_and_single_in_a_window() {
    let Some(layer) = Layer::ready() else { return };
    let Some(server) = Xvfb::start() else { return };
    for strategy in ["agate", "single"] {
        let flags = ["--strategy", strategy];
        // What a window makes, and what waits for it.
        let functions = |function: &str| !SETUP.contains(&function);
        fail_each(&layer, strategy, functions, |folder| {
            server.demo(folder, &[&TINY[..], &FILES, &flags].concat())
        });
    }
}

#[test]
fn the_validation_layer_is_silent_about_what_is_done_after_a_failure() {
    if !validation() {
        return;
    }
    let Some(layer) = Layer::ready() else { return };
    for strategy in STRATEGIES {
        for fault in [
            "vkCreateImageView:2:OUT_OF_DEVICE_MEMORY",
            "vkCreateGraphicsPipelines:2:OUT_OF_HOST_MEMORY",
            "vkAllocateMemory:2:OUT_OF_DEVICE_MEMORY",
            "vkCreateCommandPool:2:OUT_OF_HOST_MEMORY",
            "vkAllocateCommandBuffers:2:OUT_OF_DEVICE_MEMORY",
            "vkResetCommandPool:2:OUT_OF_DEVICE_MEMORY",
            "vkBeginCommandBuffer:3:OUT_OF_HOST_MEMORY",
            "vkEndCommandBuffer:3:OUT_OF_DEVICE_MEMORY",
            "vkQueueSubmit2:2:OUT_OF_HOST_MEMORY",
            "vkWaitSemaphores:2:OUT_OF_HOST_MEMORY",
            "vkWaitSemaphores:2:DEVICE_LOST",
        ] {
            let folder = Folder::new();
            let flags = ["--headless", "--validation", "--strategy", strategy];
            let mut command = folder.demo(&[&TINY[..], &flags, &FILES].concat());
            let run = layer.run(&mut command, fault);
            // Code 3 would say that the layer had a message.
            match run.ending.code {
                Some(0) => run.ending.well(),
                _ => run.ending.failed(1, ""),
            }
            assert!(run.struck, "{}", run.ending.line());
        }
    }
}

#[test]
fn a_wait_that_fails_for_ever_leaves_what_the_gpu_may_use() {
    if !validation() {
        return;
    }
    let Some(layer) = Layer::ready() else { return };
    // The strategies with an owner wait again, see `GOES_ON`.
    let others = STRATEGIES
        .into_iter()
        .filter(|name| !name.starts_with("agate"));
    for strategy in others {
        let folder = Folder::new();
        let flags = ["--headless", "--validation", "--strategy", strategy];
        let mut command = folder.demo(&[&TINY[..], &flags].concat());
        let run = layer.run(&mut command, "vkWaitSemaphores:2-:OUT_OF_HOST_MEMORY");
        run.ending.failed(1, "waiting for a frame failed");
    }
}
