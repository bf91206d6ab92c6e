//! The window, under an X server without a screen.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::{
    DEADLINE, Folder, PASSES, STRATEGIES, device, only_strategy, program, stderr, validation,
};

/// An X server of its own for one test.
struct Xvfb {
    server: Child,
    display: String,
}

impl Xvfb {
    /// Starts it on a display that is free.
    fn start() -> Option<Self> {
        if !program("Xvfb") {
            return None;
        }
        let mut server = Command::new("Xvfb")
            .args([
                "-displayfd",
                "1",
                "-noreset",
                "-nolisten",
                "tcp",
                "-screen",
                "0",
                "1280x800x24",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb starts");
        let mut number = String::new();
        let said = server.stdout.take().expect("its output");
        BufReader::new(said)
            .read_line(&mut number)
            .expect("its display number");
        assert!(!number.trim().is_empty(), "Xvfb found no display");
        Some(Self {
            server,
            display: format!(":{}", number.trim()),
        })
    }

    fn demo(&self, folder: &Folder, arguments: &[&str]) -> Command {
        let mut command = folder.demo(arguments);
        command.env("DISPLAY", &self.display);
        command
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

    /// Asks `question` again until its answer is good, as long as the demo lives.
    fn until<T>(
        &self,
        demo: &mut Demo,
        what: &str,
        mut question: impl FnMut(&Self) -> Option<T>,
    ) -> T {
        let begin = Instant::now();
        loop {
            if let Some(answer) = question(self) {
                return answer;
            }
            let child = demo.0.as_mut().expect("the demo runs");
            let ended = child.try_wait().expect("the demo's state");
            assert!(ended.is_none(), "the demo ended before {what}");
            assert!(begin.elapsed() < DEADLINE, "{what} did not come");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A demo that does not outlive its test.
struct Demo(Option<Child>);

impl Demo {
    fn output(mut self) -> Output {
        let child = self.0.take().expect("the demo runs");
        child.wait_with_output().expect("the demo ends")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Xvfb {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Flags of a small window.
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

fn ended_well(output: &Output) {
    assert_eq!(
        (output.status.code(), stderr(output).as_str()),
        (Some(0), ""),
        "{output:?}"
    );
}

#[test]
fn every_strategy_draws_presents_and_closes_and_the_layer_is_silent() {
    if !validation() {
        return;
    }
    let Some(server) = Xvfb::start() else { return };
    let headless = Folder::new();
    headless.run_well(
        &[
            &SMALL[..],
            &["--headless", "--frames", "4", "--screenshot", "picture.png"],
        ]
        .concat(),
    );
    for strategy in STRATEGIES {
        for pass in PASSES {
            let folder = Folder::new();
            let flags = [
                "--validation",
                "--frames",
                "4",
                "--strategy",
                strategy,
                "--screenshot",
                "picture.png",
                "--json",
                "run.json",
            ];
            let output = server
                .demo(&folder, &[&SMALL[..], &flags, pass].concat())
                .output()
                .expect("the demo starts");
            ended_well(&output);
            let numbers = folder.json("run.json");
            assert_eq!(numbers["validation_messages"], 0, "{strategy} {pass:?}");
            assert_eq!(numbers["window"], true);
            let presenters = only_strategy(&numbers)["threads"]["swapchain"]
                .as_array()
                .expect("a list")
                .len();
            assert_eq!(presenters, 1, "{strategy} {pass:?}");
            assert!(
                folder.read("picture.png") == headless.read("picture.png"),
                "{strategy} {pass:?}"
            );
        }
    }
}

#[test]
fn keys_resizes_and_escape() {
    if !device() || !program("xdotool") {
        return;
    }
    let Some(server) = Xvfb::start() else { return };
    let folder = Folder::new();
    let mut command = server.demo(
        &folder,
        &[&SMALL[..], &["--strategy", "single", "--json", "run.json"]].concat(),
    );
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut demo = Demo(Some(child.expect("the demo starts")));
    let window = server.until(&mut demo, "the window", |server| {
        Some(server.xdotool(&["search", "--name", "agate demo"])).filter(|id| !id.is_empty())
    });
    server.xdotool(&["windowfocus", "--sync", &window]);
    for (key, title) in [
        ("2", "per-thread"),
        ("3", "mutex"),
        ("1", "agate"),
        ("5", "mutex-per-command"),
        ("4", "single"),
    ] {
        server.until(&mut demo, title, |server| {
            // Pressed again while it is not seen: the first press may come before the focus.
            server.xdotool(&["key", key]);
            server
                .xdotool(&["getwindowname", &window])
                .contains(&format!("| {title} |"))
                .then_some(())
        });
        server.xdotool(&["windowsize", &window, "500", "400"]);
        server.xdotool(&["windowsize", &window, "1", "1"]);
        server.xdotool(&["windowsize", &window, "640", "360"]);
    }
    server.until(&mut demo, "a screenshot", |server| {
        server.xdotool(&["key", "F12"]);
        folder
            .path()
            .join("agate-demo-001.png")
            .exists()
            .then_some(())
    });
    server.xdotool(&["key", "space"]);
    server.xdotool(&[
        "mousemove",
        "--window",
        &window,
        "50",
        "50",
        "mousedown",
        "1",
    ]);
    server.xdotool(&[
        "mousemove",
        "--window",
        &window,
        "90",
        "70",
        "mouseup",
        "1",
        "click",
        "4",
    ]);
    server.xdotool(&["key", "Escape"]);
    let output = demo.output();
    ended_well(&output);
    assert!(String::from_utf8_lossy(&output.stdout).contains("screenshot: agate-demo-001.png"));
    let numbers = folder.json("run.json");
    let used = numbers["strategies"].as_array().expect("a list").len();
    assert_eq!(used, STRATEGIES.len());
}
