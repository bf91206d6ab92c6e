//! A display without a screen, a window manager for it, and a demo that runs there: each ends with its test.

use std::fs::{DirBuilder, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::{DEADLINE, Folder, program};

/// A program that does not outlive its test.
struct Server(Child);

impl Server {
    fn start(command: &mut Command) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|why| panic!("{command:?}: {why}"));
        Self(child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks `question` again until its answer is good; between two questions it lets others run.
fn until<T>(what: &str, mut question: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        assert!(begin.elapsed() < DEADLINE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// An X server of its own for one test, with or without a window manager.
pub(super) struct Xvfb {
    // Dropped in this order: a manager has no business without its server.
    manager: Option<(Server, Folder)>,
    _server: Server,
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
    /// Starts it on a display that is free; none where it or xdotool is missing.
    pub(super) fn start() -> Option<Self> {
        if !program("Xvfb") || !program("xdotool") {
            return None;
        }
        let mut server = Server::start(
            Command::new("Xvfb")
                .args(["-displayfd", "1", "-noreset", "-nolisten", "tcp"])
                .args(["-screen", "0", "1280x800x24"])
                .stdout(Stdio::piped()),
        );
        let mut number = String::new();
        let said = server.0.stdout.take().expect("its output");
        BufReader::new(said)
            .read_line(&mut number)
            .expect("its display number");
        assert!(!number.trim().is_empty(), "Xvfb found no display");
        Some(Self {
            manager: None,
            _server: server,
            display: format!(":{}", number.trim()),
        })
    }

    /// The same with openbox, which gives windows titles, minimises and closes them.
    pub(super) fn start_managed() -> Option<Self> {
        if !program("openbox") {
            return None;
        }
        let mut server = Self::start()?;
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
    pub(super) fn demo(&self, folder: &Folder, arguments: &[&str]) -> Command {
        let mut command = folder.demo(arguments);
        command.env("DISPLAY", &self.display);
        command
    }

    /// Starts the demo, and waits for its window.
    pub(super) fn open(&self, folder: &Folder, arguments: &[&str]) -> Demo<'_> {
        self.open_command(&mut self.demo(folder, arguments))
    }

    /// The same, with the command as it is.
    pub(super) fn open_command(&self, command: &mut Command) -> Demo<'_> {
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut demo = Demo {
            child: Some(child.expect("the demo starts")),
            display: self,
            window: String::new(),
        };
        demo.window = demo.until("the window", |demo| {
            let found = demo.display.xdotool(&["search", "--name", "agate demo"]);
            (!found.is_empty()).then_some(found)
        });
        demo
    }

    fn xdotool(&self, arguments: &[&str]) -> String {
        let output = Command::new("xdotool")
            .args(arguments)
            .env("DISPLAY", &self.display)
            .output();
        String::from_utf8_lossy(&output.expect("xdotool starts").stdout)
            .trim()
            .to_owned()
    }
}

/// A demo with a window on an [`Xvfb`].
pub(super) struct Demo<'a> {
    child: Option<Child>,
    display: &'a Xvfb,
    window: String,
}

impl Demo<'_> {
    /// Asks `question` again until its answer is good, as long as the demo lives.
    pub(super) fn until<T>(
        &mut self,
        what: &str,
        mut question: impl FnMut(&Self) -> Option<T>,
    ) -> T {
        until(what, || {
            let answer = question(self);
            if answer.is_none() {
                assert!(!self.has_ended(), "the demo ended before {what}");
            }
            answer
        })
    }

    fn has_ended(&mut self) -> bool {
        let child = self.child.as_mut().expect("the demo runs");
        child.try_wait().expect("the demo's state").is_some()
    }

    pub(super) fn xdotool(&self, arguments: &[&str]) -> String {
        self.display.xdotool(arguments)
    }

    /// Presses a key, once the window was made the one that keys go to: a manager gives a new window no focus where
    /// somebody pressed a key just before.
    pub(super) fn press(&self, key: &str) {
        let focus = if self.display.manager.is_some() {
            "windowactivate"
        } else {
            "windowfocus"
        };
        self.xdotool(&[focus, &self.window]);
        self.xdotool(&["key", key]);
    }

    /// Presses a key until the window's title has `part`: the first press may come before the focus.
    pub(super) fn press_until(&mut self, key: &str, part: &str) {
        self.until(part, |demo| {
            demo.press(key);
            demo.title().contains(part).then_some(())
        });
    }

    pub(super) fn title(&self) -> String {
        self.xdotool(&["getwindowname", &self.window])
    }

    /// Waits until numbers of frames are in the title: frames have been drawn since it last had none.
    pub(super) fn until_it_draws(&mut self) {
        self.until("frames", |demo| {
            demo.title().contains(" FPS ").then_some(())
        });
    }

    /// Asks for another size, and waits for nothing.
    pub(super) fn ask_for_size(&self, (width, height): (u32, u32)) {
        let (width, height) = (width.to_string(), height.to_string());
        self.xdotool(&["windowsize", &self.window, &width, &height]);
    }

    /// The size of the window's area, as the X server has it.
    pub(super) fn size(&self) -> Option<(u32, u32)> {
        let said = self.xdotool(&["getwindowgeometry", "--shell", &self.window]);
        let side = |name: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|side| side.parse().ok())
        };
        Some((side("WIDTH=")?, side("HEIGHT=")?))
    }

    /// Gives the window another size.
    pub(super) fn resize(&mut self, size: (u32, u32)) {
        self.until("another size", |demo| {
            demo.ask_for_size(size);
            (demo.size() == Some(size)).then_some(())
        });
    }

    /// Minimises, until the demo knows.
    pub(super) fn minimise(&mut self) {
        self.until("the hidden window", |demo| {
            demo.xdotool(&["windowminimize", &demo.window]);
            demo.title().ends_with("| hidden").then_some(())
        });
    }

    /// Shows the window again, until it draws.
    pub(super) fn restore(&mut self) {
        self.until("the window again", |demo| {
            demo.xdotool(&["windowactivate", &demo.window]);
            (!demo.title().ends_with("| hidden")).then_some(())
        });
    }

    /// Presses a key until the demo ends: the first press may come before the focus.
    pub(super) fn press_until_it_ends(mut self, key: &str) -> Output {
        until("the end", || {
            self.press(key);
            self.has_ended().then_some(())
        });
        self.output()
    }

    /// Waits for its end.
    pub(super) fn output(mut self) -> Output {
        let child = self.child.take().expect("the demo runs");
        child.wait_with_output().expect("the demo ends")
    }
}

impl Drop for Demo<'_> {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A Wayland compositor without a screen, of its own for one test.
pub(super) struct Weston {
    _server: Server,
    runtime: PathBuf,
    _folder: Folder,
}

impl Weston {
    const SOCKET: &'static str = "agate";

    /// Starts it with `arguments` beside those that make it headless; none where it is missing. It composes on the
    /// processor, unless `--use-gl` is among them.
    pub(super) fn start(arguments: &[&str]) -> Option<Self> {
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
            _server: server,
            runtime,
            _folder: folder,
        })
    }

    /// The demo, to be started on this display.
    pub(super) fn demo(&self, folder: &Folder, arguments: &[&str]) -> Command {
        let mut command = folder.demo(arguments);
        command
            .env("XDG_RUNTIME_DIR", &self.runtime)
            .env("WAYLAND_DISPLAY", Self::SOCKET);
        command
    }
}
