//! Running the demo, and what a test needs around it.

pub(crate) mod display;
pub(crate) mod layer;
pub(crate) mod running;

use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

pub(crate) const STRATEGIES: [&str; 7] = [
    "agate",
    "per-thread",
    "mutex",
    "single",
    "mutex-per-command",
    "agate-shards",
    "agate-lease",
];
pub(crate) const PASSES: [&[&str]; 2] = [&[], &["--render-pass"]];

/// How long anything may take before a test gives up.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A folder of its own for one test, removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "agate-demo-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.0.join(file)).unwrap_or_else(|why| panic!("{file} was not written: {why}"))
    }

    pub(crate) fn json(&self, file: &str) -> Value {
        serde_json::from_slice(&self.read(file)).expect("the file holds JSON")
    }

    /// The demo with this folder as its current one, and without a display.
    pub(crate) fn demo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
        command
            .args(arguments)
            .current_dir(&self.0)
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY");
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.demo(arguments).output().expect("the demo starts")
    }

    /// Runs the demo, which has to end well and silently.
    pub(crate) fn run_well(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = stderr(&output);
        assert_eq!(
            (output.status.code(), said.as_str()),
            (Some(0), ""),
            "{arguments:?}"
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Flags for a picture that can be repeated and is quickly drawn.
pub(crate) const SMALL: [&str; 11] = [
    "--headless",
    "--frames",
    "4",
    "--size",
    "160x90",
    "--draws",
    "60",
    "--time-step",
    "0.5",
    "--jobs",
    "7",
];

/// `more` after [`SMALL`].
pub(crate) fn small<'a>(more: &[&'a str]) -> Vec<&'a str> {
    SMALL.iter().chain(more).copied().collect()
}

/// The one strategy that a run used, in its JSON file.
pub(crate) fn only_strategy(numbers: &Value) -> &Value {
    let strategies = numbers["strategies"].as_array().expect("strategies");
    assert_eq!(strategies.len(), 1, "{numbers}");
    &strategies[0]
}

/// Whether there is a Vulkan device; says so if not, and fails where every test has to run.
pub(crate) fn device() -> bool {
    static THERE: OnceLock<bool> = OnceLock::new();
    let there = *THERE.get_or_init(|| Folder::new().run(&["--list-gpus"]).status.success());
    there || skip("there is no Vulkan device")
}

/// Whether there are a device and the validation layer.
pub(crate) fn validation() -> bool {
    static THERE: OnceLock<bool> = OnceLock::new();
    let there = *THERE.get_or_init(|| {
        let output = Folder::new().run(&["--doctor"]);
        String::from_utf8_lossy(&output.stdout).contains("VK_LAYER_KHRONOS_validation")
    });
    device() && (there || skip("the Khronos validation layer is not installed"))
}

/// Whether the program `name` is installed.
pub(crate) fn program(name: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    let there = env::split_paths(&folders).any(|folder| folder.join(name).is_file());
    there || skip(&format!("{name} is not installed"))
}

/// Says why a test does nothing, past the harness, which would keep it to itself. Fails in CI.
pub(crate) fn skip(reason: &str) -> bool {
    let _ = writeln!(std::io::stdout(), "SKIPPED: {reason}");
    assert!(
        env::var_os("CI").is_none(),
        "skipped where nothing may be skipped: {reason}"
    );
    false
}
