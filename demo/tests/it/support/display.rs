//! Displays without a screen, each of its own for one test: an X server, with a window manager or not, and a Wayland
//! compositor.

use std::fs::{DirBuilder, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::running::{Server, until};
use super::{Folder, program};

/// An X server.
pub(crate) struct Xvfb {
    // Dropped in this order: a manager has no business without its server.
    manager: Option<(Server, Folder)>,
    server: Server,
    display: String,
}

/// What the window manager does, whatever this machine has for its users.
const OPENBOX: &str = r#"<?xml version="1.0"?>
<openbox_config xmlns="http://openbox.org/3.4/rc">
  <focus><focusNew>yes</focusNew></focus>
  <keyboard><keybind key="A-F4"><action name="Close"/></keybind></keyboard>
</openbox_config>
"#;

impl Xvfb {
    /// Starts it on a display that is free; none where it is missing.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// The same, with these arguments.
    pub(crate) fn start_with(more: &[&str]) -> Option<Self> {
        if !program("Xvfb") {
            return None;
        }
        let mut server = Server::start(
            Command::new("Xvfb")
                .args(["-displayfd", "1", "-noreset", "-nolisten", "tcp"])
                .args(["-screen", "0", "1280x800x24"])
                .args(more)
                .stdout(Stdio::piped()),
        );
        let mut number = String::new();
        BufReader::new(server.said())
            .read_line(&mut number)
            .expect("its display number");
        assert!(!number.trim().is_empty(), "Xvfb found no display");
        Some(Self {
            manager: None,
            server,
            display: format!(":{}", number.trim()),
        })
    }

    /// The same, for tests that use [`Self::xdotool`]; none where that is missing too.
    pub(crate) fn start_with_keys() -> Option<Self> {
        if !program("xdotool") {
            return None;
        }
        Self::start()
    }

    /// The same with xdotool and openbox, which gives windows titles, minimises and closes them.
    pub(crate) fn start_managed() -> Option<Self> {
        if !program("openbox") {
            return None;
        }
        let mut server = Self::start_with_keys()?;
        let folder = Folder::new();
        let rules = folder.path().join("rc.xml");
        std::fs::write(&rules, OPENBOX).expect("its rules");
        let openbox = Server::start(
            Command::new("openbox")
                .arg("--config-file")
                .arg(&rules)
                .env("DISPLAY", &server.display)
                .env("XDG_CACHE_HOME", folder.path())
                .env_remove("WAYLAND_DISPLAY")
                .stdout(Stdio::null()),
        );
        server.manager = Some((openbox, folder));
        // It tells the desktop's number once it manages.
        until("openbox", || {
            (!server.xdotool(&["get_desktop"]).is_empty()).then_some(())
        });
        Some(server)
    }

    /// The demo, to be started on this display.
    pub(crate) fn demo(&self, folder: &Folder, arguments: &[&str]) -> Command {
        let mut command = folder.demo(arguments);
        command.env("DISPLAY", &self.display);
        command
    }

    /// What xdotool says to these words.
    pub(crate) fn xdotool(&self, arguments: &[&str]) -> String {
        let output = Command::new("xdotool")
            .args(arguments)
            .env("DISPLAY", &self.display)
            .output();
        String::from_utf8_lossy(&output.expect("xdotool starts").stdout)
            .trim()
            .to_owned()
    }

    /// Whether somebody manages its windows.
    pub(crate) fn is_managed(&self) -> bool {
        self.manager.is_some()
    }

    /// Ends it without a chance to say goodbye.
    pub(crate) fn kill(&mut self) {
        self.server.kill();
    }
}

/// A Wayland compositor without a screen.
pub(crate) struct Weston {
    server: Server,
    runtime: PathBuf,
    _folder: Folder,
}

impl Weston {
    const SOCKET: &'static str = "agate";

    /// Starts it with `arguments` beside those that make it headless; none where it is missing. It composes on the
    /// processor, unless `--use-gl` is among them.
    pub(crate) fn start(arguments: &[&str]) -> Option<Self> {
        if !program("weston") {
            return None;
        }
        let folder = Folder::new();
        let runtime = folder.path().join("runtime");
        DirBuilder::new()
            .mode(0o700)
            .create(&runtime)
            .expect("a folder for its socket");
        std::fs::set_permissions(&runtime, Permissions::from_mode(0o700)).expect("its mode");
        let server = Server::start(
            Command::new("weston")
                .arg("--backend=headless-backend.so")
                .args((!arguments.contains(&"--use-gl")).then_some("--use-pixman"))
                .args(["--no-config", "--idle-time=0", "--socket=agate"])
                .args(arguments)
                .env("XDG_RUNTIME_DIR", &runtime)
                .env_remove("DISPLAY")
                .env_remove("WAYLAND_DISPLAY")
                .stdout(Stdio::null()),
        );
        until("weston", || {
            UnixStream::connect(runtime.join(Self::SOCKET)).ok()
        });
        Some(Self {
            server,
            runtime,
            _folder: folder,
        })
    }

    /// The demo, to be started on this display.
    pub(crate) fn demo(&self, folder: &Folder, arguments: &[&str]) -> Command {
        let mut command = folder.demo(arguments);
        command
            .env("XDG_RUNTIME_DIR", &self.runtime)
            .env("WAYLAND_DISPLAY", Self::SOCKET);
        command
    }

    /// Ends it without a chance to say goodbye.
    pub(crate) fn kill(&mut self) {
        self.server.kill();
    }
}
