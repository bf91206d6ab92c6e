//! A window on Wayland, under a compositor without a screen.

use super::{ended_well, small, swapchain_size};
use crate::support::display::Weston;
use crate::support::running::end;
use crate::support::{Folder, PASSES, STRATEGIES, validation};

/// Draws some frames with every strategy; the last picture is, byte for byte, the headless one of this size.
fn draws_as_headless(display: &Weston, frames: &str, size: (u64, u64)) {
    let headless = Folder::new();
    let picture = [
        "--frames",
        frames,
        "--screenshot",
        "picture.png",
        "--json",
        "run.json",
    ];
    let text = format!("{}x{}", size.0, size.1);
    let alone = [&picture[..], &["--headless", "--size", &text]].concat();
    headless.run_well(&small(&alone));
    for strategy in STRATEGIES {
        for pass in PASSES {
            let folder = Folder::new();
            let flags = [
                &picture[..],
                &["--validation", "--strategy", strategy],
                pass,
            ]
            .concat();
            ended_well(&end(&mut display.demo(&folder, &small(&flags))));
            let numbers = folder.json("run.json");
            assert_eq!(numbers["window"], true);
            assert_eq!(numbers["validation_messages"], 0, "{strategy} {pass:?}");
            assert_eq!(swapchain_size(&numbers), size, "{strategy} {pass:?}");
            assert!(
                folder.read("picture.png") == headless.read("picture.png"),
                "{strategy} {pass:?}"
            );
        }
    }
}

#[test]
fn every_strategy_draws_presents_and_closes() {
    if !validation() {
        return;
    }
    let Some(display) = Weston::start(&["--width=800", "--height=600"]) else {
        return;
    };
    draws_as_headless(&display, "4", (320, 180));
}

/// The shell for one application gives the window the size of the screen. Its scale comes with the first picture, so the
/// window's size in pixels changes while the demo draws. (Without a keyboard this shell puts no window in front.)
#[test]
fn a_fine_screen_gives_the_window_its_size_in_pixels() {
    if !validation() {
        return;
    }
    let arguments = [
        "--shell=kiosk-shell.so",
        "--width=200",
        "--height=120",
        "--scale=2",
    ];
    let Some(display) = Weston::start(&arguments) else {
        return;
    };
    draws_as_headless(&display, "30", (400, 240));
}

/// A screen with two pixels for each point, on which windows have the size that they ask for.
#[test]
fn the_size_that_was_asked_for_is_in_pixels_on_a_fine_screen_too() {
    if !validation() {
        return;
    }
    // Weston 10 falls over when it composes such a screen without OpenGL, which comes with Xvfb.
    let arguments = ["--width=800", "--height=600", "--scale=2", "--use-gl"];
    let Some(display) = Weston::start(&arguments) else {
        return;
    };
    draws_as_headless(&display, "30", (320, 180));
}
