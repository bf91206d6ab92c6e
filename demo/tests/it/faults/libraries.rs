//! Machines without the libraries that Vulkan and a window need.
//!
//! An empty file of a library's name, in a folder that the dynamic linker searches first, cannot be loaded, and the linker
//! does not look further: to the demo the library is missing.

use std::fs;
use std::os::unix::net::UnixListener;
use std::process::Command;

use crate::support::running::end;
use crate::support::{Folder, device};

const X11: [&str; 6] = [
    "libX11.so.6",
    "libX11-xcb.so.1",
    "libXcursor.so.1",
    "libXi.so.6",
    "libxkbcommon-x11.so.0",
    "libxkbcommon.so.0",
];
const WAYLAND: [&str; 2] = ["libwayland-client.so.0", "libxkbcommon.so.0"];

/// Lets `command` not find these libraries.
fn without<'a>(command: &'a mut Command, folder: &Folder, libraries: &[&str]) -> &'a mut Command {
    let place = folder.path().join("libraries");
    fs::create_dir_all(&place).expect("a folder");
    for library in libraries {
        fs::write(place.join(library), "").expect("an empty file");
    }
    command.env("LD_LIBRARY_PATH", place)
}

#[test]
fn without_the_loader_one_line_has_the_command_that_installs_it() {
    for flags in [&["--headless"][..], &["--list-gpus"], &["--doctor"], &[]] {
        let folder = Folder::new();
        let ending = end(without(
            &mut folder.demo(flags),
            &folder,
            &["libvulkan.so.1"],
        ));
        ending.failed(1, "no Vulkan loader (libvulkan.so.1): apt install");
        if flags == ["--doctor"] {
            assert!(
                ending.out.contains("libvulkan.so.1          NO"),
                "{}",
                ending.out
            );
        }
    }
}

#[test]
fn without_a_library_of_its_window_one_line_names_it_and_its_package() {
    for library in X11 {
        let folder = Folder::new();
        let mut command = folder.demo(&[]);
        // The libraries are looked for before the display is.
        command.env("DISPLAY", ":9999");
        let ending = end(without(&mut command, &folder, &[library]));
        // Those that need this one in their turn cannot be loaded either.
        ending.failed(1, "a window needs ");
        for part in [
            library,
            ": apt install --no-install-recommends lib",
            "--headless",
        ] {
            assert!(ending.err.contains(part), "{library}: {}", ending.err);
        }
    }
    for library in WAYLAND {
        let folder = Folder::new();
        let socket = folder.path().join("wayland");
        let _server = UnixListener::bind(&socket).expect("a socket");
        let mut command = folder.demo(&[]);
        command.env("WAYLAND_DISPLAY", &socket);
        let ending = end(without(&mut command, &folder, &[library]));
        ending.failed(1, &format!("a window needs {library}: apt install"));
    }
}

#[test]
fn all_that_is_missing_stands_in_the_one_line() {
    let folder = Folder::new();
    let mut command = folder.demo(&[]);
    command.env("DISPLAY", ":9999");
    let ending = end(without(&mut command, &folder, &X11));
    ending.failed(
        1,
        &format!("a window needs {}: apt install", X11.join(", ")),
    );
}

#[test]
fn the_doctor_names_what_is_missing_and_the_command_that_installs_it() {
    if !device() {
        return;
    }
    let folder = Folder::new();
    let libraries = ["libXcursor.so.1", "libxkbcommon-x11.so.0"];
    let ending = end(without(
        &mut folder.demo(&["--doctor"]),
        &folder,
        &libraries,
    ));
    ending.well();
    let command = "apt install --no-install-recommends libxcursor1 libxkbcommon-x11-0";
    assert!(ending.out.contains(command), "{}", ending.out);
}

#[test]
fn a_driver_that_is_no_driver_is_no_driver() {
    let folder = Folder::new();
    let library = folder.path().join("driver.so");
    fs::write(&library, "").expect("an empty file");
    let manifest = folder.path().join("driver.json");
    let text = format!(
        r#"{{"file_format_version":"1.0.0","ICD":{{"library_path":{library:?},"api_version":"1.3.0"}}}}"#
    );
    fs::write(&manifest, text).expect("a manifest");
    let broken = folder.path().join("broken.json");
    fs::write(&broken, "{").expect("half a manifest");
    for driver in [&manifest, &broken, &folder.path().join("none.json")] {
        for flags in [&["--headless"][..], &["--list-gpus"]] {
            let mut command = folder.demo(flags);
            command
                .env("VK_DRIVER_FILES", driver)
                .env("VK_ICD_FILENAMES", driver);
            let part = if *driver == broken {
                "may be broken, and VK_LOADER_DEBUG=error tells which"
            } else {
                "no driver that works: apt install"
            };
            end(&mut command).failed(1, part);
        }
    }
}
