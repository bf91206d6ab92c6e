//! The window: what the program does on a display, without a window manager and with one, on X11 and on Wayland.

mod harness;
mod manager;
mod sizes;
mod storm;
mod wayland;
mod x11;

use serde_json::Value;

use crate::support::running::Ending;

/// Flags of a small window whose pictures can be repeated.
const SMALL: [&str; 8] = [
    "--size",
    "320x180",
    "--draws",
    "40",
    "--time-step",
    "0.5",
    "--jobs",
    "5",
];

/// [`SMALL`] and `more`.
fn small<'a>(more: &[&'a str]) -> Vec<&'a str> {
    SMALL.iter().chain(more).copied().collect()
}

/// The run was well and silent, and told its numbers.
#[track_caller]
fn ended_well(ending: &Ending) {
    ending.well();
    let said = &ending.out;
    assert!(said.contains("who called Vulkan"), "{said}");
}

/// Width and height of a PNG file, which begins with them.
fn png_size(file: &[u8]) -> (u32, u32) {
    let reader = png::Decoder::new(std::io::Cursor::new(file)).read_info();
    let reader = reader.expect("a PNG file");
    let info = reader.info();
    (info.width, info.height)
}

/// Width and height of the images of the swapchain that was made last.
fn swapchain_size(numbers: &Value) -> (u64, u64) {
    let side = |index: usize| numbers["swapchain_size"][index].as_u64().expect("a side");
    (side(0), side(1))
}

/// The sum of a number over all strategies of a run.
fn sum(numbers: &Value, name: &str) -> u64 {
    let strategies = numbers["strategies"].as_array().expect("strategies");
    strategies
        .iter()
        .map(|strategy| strategy[name].as_u64().expect(name))
        .sum()
}
