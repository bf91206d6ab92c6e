//! Display servers that go away while the window is open.

use super::TINY;
use crate::support::display::{Weston, Xvfb};
use crate::support::layer::Layer;
use crate::support::running::{Running, start};
use crate::support::{Folder, STRATEGIES, device};

/// Flags of a window that stays: [`TINY`] without the number of frames.
fn endless() -> &'static [&'static str] {
    &TINY[..TINY.len() - 2]
}

/// The window's number, once it has drawn for a while and says so in its title.
fn window(server: &Xvfb, demo: &mut Running) -> String {
    demo.until("a window that draws", || {
        Some(server.xdotool(&["search", "--name", "FPS"])).filter(|window| !window.is_empty())
    })
}

const WENT_AWAY: &str = "the display server went away, or closed the window";

#[test]
fn an_x_server_that_is_killed_is_one_line() {
    if !device() {
        return;
    }
    for strategy in STRATEGIES {
        let Some(mut server) = Xvfb::start_with_keys() else {
            return;
        };
        let folder = Folder::new();
        let flags = [endless(), &["--strategy", strategy]].concat();
        let mut demo = start(&mut server.demo(&folder, &flags));
        window(&server, &mut demo);
        server.kill();
        demo.end().failed(1, WENT_AWAY);
    }
}

#[test]
fn a_window_that_is_thrown_out_is_one_line() {
    if !device() {
        return;
    }
    let Some(server) = Xvfb::start_with_keys() else {
        return;
    };
    for strategy in STRATEGIES {
        let folder = Folder::new();
        let flags = [endless(), &["--strategy", strategy]].concat();
        let mut demo = start(&mut server.demo(&folder, &flags));
        let window = window(&server, &mut demo);
        server.xdotool(&["windowkill", &window]);
        demo.end().failed(1, WENT_AWAY);
    }
}

#[test]
fn a_wayland_compositor_that_is_killed_is_one_line() {
    let Some(layer) = Layer::ready() else { return };
    for strategy in STRATEGIES {
        let Some(mut weston) = Weston::start(&[]) else {
            return;
        };
        let folder = Folder::new();
        let flags = [endless(), &["--strategy", strategy]].concat();
        let mut command = weston.demo(&folder, &flags);
        let drawn = folder.path().join("drawn");
        let file = drawn.to_string_lossy();
        let mut demo = start(layer.under(&mut command, &[("FAULT_MARK", file.as_ref())]));
        demo.until("a window that draws", || drawn.exists().then_some(()));
        weston.kill();
        demo.end().failed(1, WENT_AWAY);
    }
}

#[test]
fn an_x_server_that_lacks_what_a_window_needs_is_one_line() {
    if !device() {
        return;
    }
    let Some(server) = Xvfb::start_with(&["-extension", "RANDR"]) else {
        return;
    };
    let folder = Folder::new();
    start(&mut server.demo(&folder, &TINY)).end().failed(
        1,
        "this display server does not do for one: failed to request XRandR",
    );
    // The doctor says so, and that the demo could draw without a window.
    let doctor = start(&mut server.demo(&folder, &["--doctor"])).end();
    doctor.well();
    let said = "display: X11, but the window failed: this display server does not do for one";
    assert!(doctor.out.contains(said), "{}", doctor.out);
}
