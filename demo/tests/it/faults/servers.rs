//! Display servers that go away while the window is open.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::ending::{Running, start};
use super::layer::{Layer, TINY};
use crate::support::{DEADLINE, Folder, STRATEGIES, device, program};

/// An X server of its own for one test.
pub(super) struct Xvfb {
    server: Server,
    display: String,
}

/// A program that does not outlive its test.
struct Server(Child);

impl Server {
    /// Ends it without a chance to say goodbye.
    fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Xvfb {
    /// Starts it on a display that is free.
    pub(super) fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    fn start_with(more: &[&str]) -> Option<Self> {
        if !program("Xvfb") {
            return None;
        }
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-noreset", "-nolisten", "tcp"])
            .args(["-screen", "0", "640x480x24"])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb starts");
        let said = server.stdout.take().expect("its output");
        let server = Server(server);
        let mut number = String::new();
        BufReader::new(said)
            .read_line(&mut number)
            .expect("its display number");
        assert!(!number.trim().is_empty(), "Xvfb found no display");
        let display = format!(":{}", number.trim());
        Some(Self { server, display })
    }

    /// The demo in a window on this server.
    pub(super) fn demo(&self, folder: &Folder, arguments: &[&str]) -> Command {
        let mut command = folder.demo(arguments);
        command.env("DISPLAY", &self.display);
        command
    }

    fn xdotool(&self, arguments: &[&str]) -> String {
        let output = Command::new("xdotool")
            .args(arguments)
            .env("DISPLAY", &self.display)
            .output();
        let said = output.expect("xdotool starts").stdout;
        String::from_utf8_lossy(&said).trim().to_owned()
    }

    /// The window's number, once it has drawn for a while and says so in its title.
    fn window(&self, demo: &mut Running) -> String {
        demo.until("a window that draws", || {
            Some(self.xdotool(&["search", "--name", "FPS"])).filter(|window| !window.is_empty())
        })
    }
}

/// Flags of a window that stays: [`TINY`] without the number of frames.
fn endless() -> &'static [&'static str] {
    &TINY[..TINY.len() - 2]
}

const WENT_AWAY: &str = "the display server went away, or closed the window";

#[test]
fn an_x_server_that_is_killed_is_one_line() {
    if !device() || !program("xdotool") {
        return;
    }
    for strategy in STRATEGIES {
        let Some(mut server) = Xvfb::start() else {
            return;
        };
        let folder = Folder::new();
        let flags = [endless(), &["--strategy", strategy]].concat();
        let mut demo = start(&mut server.demo(&folder, &flags));
        server.window(&mut demo);
        server.server.kill();
        demo.end().failed(1, WENT_AWAY);
    }
}

#[test]
fn a_window_that_is_thrown_out_is_one_line() {
    if !device() || !program("xdotool") {
        return;
    }
    let Some(server) = Xvfb::start() else { return };
    for strategy in STRATEGIES {
        let folder = Folder::new();
        let flags = [endless(), &["--strategy", strategy]].concat();
        let mut demo = start(&mut server.demo(&folder, &flags));
        let window = server.window(&mut demo);
        server.xdotool(&["windowkill", &window]);
        demo.end().failed(1, WENT_AWAY);
    }
}

#[test]
fn a_wayland_compositor_that_is_killed_is_one_line() {
    let Some(layer) = Layer::ready() else { return };
    if !program("weston") {
        return;
    }
    for strategy in STRATEGIES {
        let folder = Folder::new();
        let mut weston = Server(
            Command::new("weston")
                .args(["--backend=headless-backend.so", "--socket=wayland-test"])
                .args(["--idle-time=0", "--no-config"])
                .env("XDG_RUNTIME_DIR", private(folder.path()))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("weston starts"),
        );
        let socket = folder.path().join("wayland-test");
        let begin = Instant::now();
        while UnixStream::connect(&socket).is_err() {
            assert!(begin.elapsed() < DEADLINE, "weston makes no socket");
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut command = folder.demo(&[endless(), &["--strategy", strategy]].concat());
        command
            .env("XDG_RUNTIME_DIR", folder.path())
            .env("WAYLAND_DISPLAY", &socket);
        let drawn = folder.path().join("drawn");
        let file = drawn.to_string_lossy();
        let mut demo = start(layer.under(&mut command, &[("FAULT_MARK", file.as_ref())]));
        demo.until("a window that draws", || drawn.exists().then_some(()));
        weston.kill();
        demo.end().failed(1, WENT_AWAY);
    }
}

/// The folder, which Wayland wants to be its owner's alone.
fn private(folder: &Path) -> &Path {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(folder, mode).expect("a private folder");
    folder
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
