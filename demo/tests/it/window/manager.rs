//! A window under a window manager: minimised, restored, closed, and on a display of high resolution.

use super::{ended_well, png_size, small, sum, swapchain_size};
use crate::support::display::Xvfb;
use crate::support::running::end;
use crate::support::{Folder, STRATEGIES, device, validation};

#[test]
fn a_minimised_window_draws_nothing_and_goes_on_when_it_is_restored() {
    if !validation() {
        return;
    }
    let Some(server) = Xvfb::start_managed() else {
        return;
    };
    for strategy in STRATEGIES {
        let folder = Folder::new();
        let flags = ["--validation", "--strategy", strategy, "--json", "run.json"];
        let mut demo = server.open(&folder, &small(&flags));
        demo.until_it_draws();
        demo.minimise();
        // Long enough for twenty frames: another demo draws as many meanwhile.
        Folder::new().run_well(&small(&["--headless", "--frames", "20"]));
        demo.restore();
        demo.until_it_draws();
        ended_well(&demo.press_until_it_ends("Escape"));
        let numbers = folder.json("run.json");
        assert_eq!(numbers["window_hidden"], 1, "{strategy}");
        assert_eq!(numbers["frames_while_hidden"], 0, "{strategy}");
        assert_eq!(numbers["validation_messages"], 0, "{strategy}");
    }
}

#[test]
fn a_window_that_is_closed_in_the_middle_of_much_work_ends_well() {
    if !validation() {
        return;
    }
    let Some(server) = Xvfb::start_managed() else {
        return;
    };
    for strategy in STRATEGIES {
        for waits in [false, true] {
            let folder = Folder::new();
            let flags = [
                "--validation",
                "--size",
                "640x360",
                "--draws",
                "3000",
                "--strategy",
                strategy,
                "--json",
                "run.json",
            ];
            let mut demo = server.open(&folder, &flags);
            if waits {
                demo.until_it_draws();
            }
            ended_well(&demo.press_until_it_ends("alt+F4"));
            let numbers = folder.json("run.json");
            assert_eq!(numbers["validation_messages"], 0, "{strategy}");
            if waits {
                assert!(sum(&numbers, "frames") > 0, "{strategy}");
            }
        }
    }
}

#[test]
fn pixels_are_pixels_whatever_their_scale() {
    if !device() {
        return;
    }
    let Some(server) = Xvfb::start_managed() else {
        return;
    };
    let headless = Folder::new();
    headless.run_well(&small(&[
        "--headless",
        "--frames",
        "3",
        "--screenshot",
        "picture.png",
    ]));
    let fine = Folder::new();
    let flags = ["--frames", "3", "--screenshot", "picture.png"];
    let mut command = server.demo(&fine, &small(&flags));
    ended_well(&end(command.env("WINIT_X11_SCALE_FACTOR", "2")));
    // The same stones from the same place: neither size nor camera know the scale.
    assert!(fine.read("picture.png") == headless.read("picture.png"));

    let folder = Folder::new();
    let flags = ["--screenshot", "picture.png", "--json", "run.json"];
    let mut command = server.demo(&folder, &small(&flags));
    let mut demo = server.open_command(command.env("WINIT_X11_SCALE_FACTOR", "2"));
    demo.until_it_draws();
    assert_eq!(demo.size(), Some((320, 180)));
    demo.resize((500, 300));
    ended_well(&demo.press_until_it_ends("Escape"));
    assert_eq!(png_size(&folder.read("picture.png")), (500, 300));
    assert_eq!(swapchain_size(&folder.json("run.json")), (500, 300));
}
