//! What a machine must have beside the Rust toolchain, what its distribution calls it, and installing it.

use std::path::Path;
use std::process::Command;

use crate::cli::Bench;
use crate::host::{self, Display};

/// One thing that must be there, and the packages that bring it.
#[derive(Debug)]
pub(crate) struct Need {
    what: &'static str,
    probe: Probe,
    debian: &'static str,
    fedora: &'static str,
    arch: &'static str,
}

#[derive(Debug)]
enum Probe {
    Library(&'static str),
    Program(&'static str),
    AnyDriver,
    Lavapipe,
    ValidationLayer,
}

impl Need {
    fn is_met(&self) -> bool {
        match self.probe {
            Probe::Library(file) => host::has_library(file),
            Probe::Program(name) => host::has_program(name),
            Probe::AnyDriver => !host::vulkan_drivers().is_empty(),
            Probe::Lavapipe => host::lavapipe().is_some(),
            Probe::ValidationLayer => host::has_validation_layer(),
        }
    }
}

const fn need(what: &'static str, probe: Probe, [debian, fedora, arch]: [&'static str; 3]) -> Need {
    Need {
        what,
        probe,
        debian,
        fedora,
        arch,
    }
}

const LOADER: Need = need(
    "Vulkan loader",
    Probe::Library("libvulkan.so.1"),
    ["libvulkan1", "vulkan-loader", "vulkan-icd-loader"],
);
const DRIVER: Need = need(
    "Vulkan driver",
    Probe::AnyDriver,
    [
        "mesa-vulkan-drivers",
        "mesa-vulkan-drivers",
        "vulkan-swrast",
    ],
);
const LAVAPIPE: Need = need(
    "lavapipe, the Vulkan driver that needs no GPU",
    Probe::Lavapipe,
    [
        "mesa-vulkan-drivers",
        "mesa-vulkan-drivers",
        "vulkan-swrast",
    ],
);
const LAYER: Need = need(
    "Vulkan validation layer",
    Probe::ValidationLayer,
    [
        "vulkan-validationlayers",
        "vulkan-validation-layers",
        "vulkan-validation-layers",
    ],
);
const X11: [Need; 5] = [
    need(
        "X11 client",
        Probe::Library("libX11.so.6"),
        ["libx11-6", "libX11", "libx11"],
    ),
    need(
        "X11 beside XCB",
        Probe::Library("libX11-xcb.so.1"),
        ["libx11-xcb1", "libX11-xcb", "libx11"],
    ),
    need(
        "X11 cursors",
        Probe::Library("libXcursor.so.1"),
        ["libxcursor1", "libXcursor", "libxcursor"],
    ),
    need(
        "X11 input",
        Probe::Library("libXi.so.6"),
        ["libxi6", "libXi", "libxi"],
    ),
    need(
        "X11 keyboard maps",
        Probe::Library("libxkbcommon-x11.so.0"),
        ["libxkbcommon-x11-0", "libxkbcommon-x11", "libxkbcommon-x11"],
    ),
];
const WAYLAND: [Need; 2] = [
    need(
        "Wayland client",
        Probe::Library("libwayland-client.so.0"),
        ["libwayland-client0", "libwayland-client", "wayland"],
    ),
    need(
        "keyboard maps",
        Probe::Library("libxkbcommon.so.0"),
        ["libxkbcommon0", "libxkbcommon", "libxkbcommon"],
    ),
];
const WINDOW_TESTS: [Need; 4] = [
    need(
        "X server without a screen",
        Probe::Program("Xvfb"),
        ["xvfb", "xorg-x11-server-Xvfb", "xorg-server-xvfb"],
    ),
    need(
        "keys and clicks for window tests",
        Probe::Program("xdotool"),
        ["xdotool", "xdotool", "xdotool"],
    ),
    need(
        "X11 window manager for window tests",
        Probe::Program("openbox"),
        ["openbox", "openbox", "openbox"],
    ),
    need(
        "Wayland compositor for window tests",
        Probe::Program("weston"),
        ["weston", "weston", "weston"],
    ),
];

/// What the demo needs, in a window on `display`, or headless.
pub(crate) fn for_demo(display: Display, validation: bool) -> Vec<Need> {
    let mut needs = vec![LOADER, DRIVER];
    match display {
        Display::None => {}
        Display::X11 => needs.extend(X11),
        Display::Wayland => needs.extend(WAYLAND),
    }
    needs.extend(validation.then_some(LAYER));
    needs
}

/// What the tests need: all is tested on lavapipe, windows under Xvfb and a Wayland compositor without a screen.
pub(crate) fn for_tests() -> Vec<Need> {
    [LOADER, LAVAPIPE, LAYER]
        .into_iter()
        .chain(X11)
        .chain(WAYLAND)
        .chain(WINDOW_TESTS)
        .collect()
}

/// What a bench needs: those of drawing are measured on lavapipe too.
pub(crate) fn for_bench(bench: Bench) -> Vec<Need> {
    if bench.draws() {
        vec![LOADER, LAVAPIPE]
    } else {
        Vec::new()
    }
}

/// What is missing still, and what the user can do about it.
#[derive(Debug)]
pub(crate) struct Unmet(String);

impl std::fmt::Display for Unmet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Installs what is missing where it may (as root, or by sudo when asked), else says how.
pub(crate) fn provide(needs: Vec<Need>, install: bool) -> Result<(), Unmet> {
    let missing = unmet(needs);
    if missing.is_empty() {
        return Ok(());
    }
    if !host::has_program("apt-get") {
        return Err(Unmet(format!(
            "missing: {}\n{}",
            list(&missing),
            without_apt(&missing)
        )));
    }
    let root = host::is_root();
    if !root && !install {
        return Err(Unmet(format!(
            "missing: {}\nThis installs it:\n  {}",
            list(&missing),
            apt_line(&missing)
        )));
    }
    println!("installing with apt-get: {}", list(&missing));
    let installed = apt_install(&debian_names(&missing), !root);
    let missing = unmet(missing);
    match (missing.is_empty(), installed) {
        (true, _) => Ok(()),
        (false, Ok(())) => Err(Unmet(format!(
            "apt-get succeeded, and yet this is missing: {}",
            list(&missing)
        ))),
        (false, Err(why)) => Err(Unmet(format!("{why}; missing still: {}", list(&missing)))),
    }
}

fn unmet(needs: Vec<Need>) -> Vec<Need> {
    needs.into_iter().filter(|need| !need.is_met()).collect()
}

fn list(needs: &[Need]) -> String {
    let each: Vec<_> = needs
        .iter()
        .map(|need| format!("{} ({})", need.what, need.debian))
        .collect();
    each.join(", ")
}

fn debian_names(needs: &[Need]) -> Vec<&'static str> {
    distinct(needs.iter().map(|need| need.debian))
}

fn distinct(names: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

/// The one command for a Debian or Ubuntu user without root.
fn apt_line(needs: &[Need]) -> String {
    let update = if has_package_lists() {
        ""
    } else {
        "sudo apt-get update && "
    };
    format!(
        "{update}sudo apt-get install --no-install-recommends {}",
        debian_names(needs).join(" ")
    )
}

/// The one command where dnf or pacman is there, else the names to look for.
fn without_apt(needs: &[Need]) -> String {
    let fedora = distinct(needs.iter().map(|need| need.fedora)).join(" ");
    let arch = distinct(needs.iter().map(|need| need.arch)).join(" ");
    if host::has_program("dnf") {
        format!("This installs it:\n  sudo dnf install {fedora}")
    } else if host::has_program("pacman") {
        format!("This installs it:\n  sudo pacman -S --needed {arch}")
    } else {
        let debian = debian_names(needs).join(" ");
        format!(
            "Install with your package manager:\n  Debian: {debian}\n  Fedora: {fedora}\n  Arch:   {arch}"
        )
    }
}

fn has_package_lists() -> bool {
    let Ok(entries) = Path::new("/var/lib/apt/lists").read_dir() else {
        return false;
    };
    entries
        .filter_map(Result::ok)
        .any(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
}

/// Installs; where the package lists are absent or too old, fetches them first.
fn apt_install(names: &[&str], sudo: bool) -> Result<(), String> {
    let install: Vec<&str> = ["install", "-y", "--no-install-recommends"]
        .iter()
        .chain(names)
        .copied()
        .collect();
    if has_package_lists() && apt_get(&install, sudo).is_ok() {
        return Ok(());
    }
    apt_get(&["update"], sudo)?;
    apt_get(&install, sudo)
}

fn apt_get(arguments: &[&str], sudo: bool) -> Result<(), String> {
    let mut command = Command::new(if sudo { "sudo" } else { "env" });
    if sudo {
        command.arg("env");
    }
    command
        .args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"])
        .args(arguments);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("apt-get {} failed ({status})", arguments[0])),
        Err(error) => Err(format!(
            "{} could not be run ({error})",
            command.get_program().to_string_lossy()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{Display, debian_names, for_demo, for_tests};

    #[test]
    fn a_demo_without_display_needs_no_window_library() {
        assert_eq!(
            debian_names(&for_demo(Display::None, false)),
            ["libvulkan1", "mesa-vulkan-drivers"]
        );
    }

    #[test]
    fn a_window_needs_the_libraries_of_its_display_alone() {
        let x11 = debian_names(&for_demo(Display::X11, false));
        assert!(
            x11.contains(&"libxkbcommon-x11-0") && !x11.contains(&"libwayland-client0"),
            "{x11:?}"
        );
        let wayland = debian_names(&for_demo(Display::Wayland, true));
        assert!(
            wayland.contains(&"libwayland-client0") && !wayland.contains(&"libxi6"),
            "{wayland:?}"
        );
        assert!(wayland.contains(&"vulkan-validationlayers"));
    }

    #[test]
    fn tests_need_the_layer_and_both_kinds_of_display() {
        let names = debian_names(&for_tests());
        for name in [
            "libvulkan1",
            "mesa-vulkan-drivers",
            "vulkan-validationlayers",
            "xvfb",
            "openbox",
            "libwayland-client0",
            "weston",
        ] {
            assert!(names.contains(&name), "{name} in {names:?}");
        }
    }
}
