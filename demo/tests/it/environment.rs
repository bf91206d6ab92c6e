//! Machines without a display, and what the doctor says.

use crate::support::{Folder, SMALL, device};

/// [`SMALL`] without `--headless`, which is what these runs have to find out by themselves.
fn wants_a_window() -> &'static [&'static str] {
    &SMALL[1..]
}

#[test]
fn without_a_display_one_line_says_so_and_the_picture_is_drawn_headless() {
    if !device() {
        return;
    }
    let folder = Folder::new();
    let said = folder.run_well(wants_a_window());
    assert!(said.starts_with("no display ("), "{said}");
    assert!(said.contains("who called Vulkan"), "{said}");
    assert!(folder.read("agate-demo.png").starts_with(b"\x89PNG"));
}

#[test]
fn a_dead_display_is_no_display() {
    if !device() {
        return;
    }
    for (name, value) in [("DISPLAY", ":9999"), ("WAYLAND_DISPLAY", "no-such-socket")] {
        let folder = Folder::new();
        let output = folder
            .demo(wants_a_window())
            .env(name, value)
            .output()
            .expect("the demo starts");
        assert_eq!(
            (output.status.code(), output.stderr.len()),
            (Some(0), 0),
            "{output:?}"
        );
        assert!(output.stdout.starts_with(b"no display ("), "{output:?}");
        folder.read("agate-demo.png");
    }
}

#[test]
fn the_doctor_lists_libraries_and_devices() {
    if !device() {
        return;
    }
    let said = Folder::new().run_well(&["--doctor"]);
    for part in [
        "libvulkan.so.1",
        "libxkbcommon-x11.so.0",
        "Fedora",
        "Vulkan loader: ",
        "queue family 0: ",
        "the demo would use: ",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}
