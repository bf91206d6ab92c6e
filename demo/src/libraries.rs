//! The shared libraries that Vulkan and a window need, looked for before anything else loads them.
//!
//! The crates that open windows load these libraries themselves, and one of them panics when it finds nothing.
//! So the demo looks first, and says what is missing and which package has it.
#![allow(unsafe_code, reason = "loads shared libraries")]

use std::env;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// How long a compositor may take to answer before it counts as slow.
const SLOW: Duration = Duration::from_secs(1);

/// A library, and the packages that it comes in.
pub(crate) struct Library {
    pub(crate) file: &'static str,
    pub(crate) debian: &'static str,
    pub(crate) fedora: &'static str,
    pub(crate) arch: &'static str,
    pub(crate) needed: Need,
}

/// What a library is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Vulkan,
    X11,
    Wayland,
    /// The keyboard, in both kinds of window.
    Window,
}

/// How a window can be opened here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Display {
    X11,
    Wayland,
}

const fn library(
    needed: Need,
    file: &'static str,
    debian: &'static str,
    fedora: &'static str,
    arch: &'static str,
) -> Library {
    Library {
        file,
        debian,
        fedora,
        arch,
        needed,
    }
}

/// All of them, in the order of the table.
pub(crate) const LIBRARIES: [Library; 8] = [
    library(
        Need::Vulkan,
        "libvulkan.so.1",
        "libvulkan1",
        "vulkan-loader",
        "vulkan-icd-loader",
    ),
    library(Need::X11, "libX11.so.6", "libx11-6", "libX11", "libx11"),
    library(
        Need::X11,
        "libX11-xcb.so.1",
        "libx11-xcb1",
        "libX11-xcb",
        "libx11",
    ),
    library(
        Need::X11,
        "libXcursor.so.1",
        "libxcursor1",
        "libXcursor",
        "libxcursor",
    ),
    library(Need::X11, "libXi.so.6", "libxi6", "libXi", "libxi"),
    library(
        Need::X11,
        "libxkbcommon-x11.so.0",
        "libxkbcommon-x11-0",
        "libxkbcommon-x11",
        "libxkbcommon-x11",
    ),
    library(
        Need::Window,
        "libxkbcommon.so.0",
        "libxkbcommon0",
        "libxkbcommon",
        "libxkbcommon",
    ),
    library(
        Need::Wayland,
        "libwayland-client.so.0",
        "libwayland-client0",
        "libwayland-client",
        "wayland",
    ),
];

impl Library {
    /// Whether it can be loaded.
    pub(crate) fn found(&self) -> bool {
        // SAFETY: these are system libraries whose initialisers have no preconditions; winit and ash load them too.
        unsafe { libloading::Library::new(self.file) }.is_ok()
    }

    fn needed_for(&self, display: Display) -> bool {
        match self.needed {
            Need::Vulkan => false,
            Need::Window => true,
            Need::X11 => display == Display::X11,
            Need::Wayland => display == Display::Wayland,
        }
    }
}

/// The libraries that a window on `display` lacks.
pub(crate) fn missing_for(display: Display) -> Vec<&'static Library> {
    LIBRARIES
        .iter()
        .filter(|library| library.needed_for(display) && !library.found())
        .collect()
}

/// The command that installs these libraries on Debian and its relatives.
pub(crate) fn install_line(libraries: &[&Library]) -> String {
    let packages: Vec<&str> = libraries.iter().map(|library| library.debian).collect();
    format!("apt install --no-install-recommends {}", packages.join(" "))
}

/// The display that the environment names: Wayland if its socket answers, else X11 if there is a `DISPLAY`.
pub(crate) fn display() -> Option<Display> {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    if set("WAYLAND_DISPLAY") && wayland_answers() {
        return Some(Display::Wayland);
    }
    set("DISPLAY").then_some(Display::X11)
}

/// Whether there is a compositor behind `WAYLAND_DISPLAY`.
fn wayland_answers() -> bool {
    wayland_socket().is_ok()
}

/// Whether the compositor behind `WAYLAND_DISPLAY` is gone or going. One that ends may lose its clients before it stops
/// listening, so it is asked something; one that is slow to answer is there.
pub(crate) fn wayland_hangs_up() -> bool {
    // `wl_display.sync`: for object 1, twelve bytes with request 0, which makes object 2 to answer.
    let request = [1_u32, 12 << 16, 2].map(u32::to_ne_bytes).concat();
    let ask = || {
        let mut socket = wayland_socket()?;
        socket.set_read_timeout(Some(SLOW))?;
        socket.write_all(&request)?;
        socket.read(&mut [0])
    };
    match ask() {
        Ok(bytes) => bytes == 0,
        Err(why) => !matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

fn wayland_socket() -> io::Result<UnixStream> {
    let name = PathBuf::from(env::var_os("WAYLAND_DISPLAY").unwrap_or_default());
    // An absolute name replaces the folder, as Wayland has it.
    let socket = env::var_os("XDG_RUNTIME_DIR")
        .map_or(name.clone(), |folder| PathBuf::from(folder).join(name));
    UnixStream::connect(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_window_needs_the_keyboard_and_its_own_libraries() {
        let files = |display| -> Vec<&str> {
            LIBRARIES
                .iter()
                .filter(|library| library.needed_for(display))
                .map(|library| library.file)
                .collect()
        };
        let x11 = [
            "libX11.so.6",
            "libX11-xcb.so.1",
            "libXcursor.so.1",
            "libXi.so.6",
            "libxkbcommon-x11.so.0",
            "libxkbcommon.so.0",
        ];
        assert_eq!(files(Display::X11), x11);
        assert_eq!(
            files(Display::Wayland),
            ["libxkbcommon.so.0", "libwayland-client.so.0"]
        );
    }

    #[test]
    fn a_library_that_is_not_there_is_not_found() {
        let none = library(
            Need::X11,
            "libno-such-thing.so.9",
            "nothing",
            "nothing",
            "nothing",
        );
        assert!(!none.found());
        assert_eq!(
            install_line(&[&none]),
            "apt install --no-install-recommends nothing"
        );
    }
}
