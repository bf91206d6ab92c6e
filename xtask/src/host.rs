//! What is on this machine: shared libraries, Vulkan drivers and layers, programs, a display.
//!
//! Everything is found by looking at files and at the cache of the dynamic linker, so nothing is loaded here.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether the dynamic linker would find a shared library of this machine's own kind.
pub(crate) fn has_library(file: &str) -> bool {
    let cached = linker_cache().is_some_and(|cache| cache_lists(&cache, file, linker_kind()));
    cached
        || library_folders()
            .iter()
            .any(|folder| folder.join(file).exists())
}

/// The output of `ldconfig -p`; the program is often outside an ordinary user's PATH.
fn linker_cache() -> Option<String> {
    ["ldconfig", "/sbin/ldconfig", "/usr/sbin/ldconfig"]
        .iter()
        .find_map(|program| {
            let output = Command::new(program).arg("-p").output().ok()?;
            output
                .status
                .success()
                .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
        })
}

/// How the cache marks libraries that a program of this build can load; "" accepts all.
fn linker_kind() -> &'static str {
    match env::consts::ARCH {
        "x86_64" => "x86-64",
        "aarch64" => "AArch64",
        _ => "",
    }
}

/// Finds `\tlibX11.so.6 (libc6,x86-64) => /lib/…` in the output of `ldconfig -p`.
fn cache_lists(cache: &str, file: &str, kind: &str) -> bool {
    cache.lines().any(|line| {
        let mut parts = line.trim().splitn(2, ' ');
        parts.next() == Some(file) && parts.next().is_some_and(|rest| rest.contains(kind))
    })
}

fn library_folders() -> Vec<PathBuf> {
    let mut folders = paths_in("LD_LIBRARY_PATH");
    folders.extend(["/usr/local/lib", "/usr/lib64", "/lib64"].map(PathBuf::from));
    let multiarch = format!("{}-linux-gnu", env::consts::ARCH);
    folders.extend(["/lib", "/usr/lib"].map(|folder| Path::new(folder).join(&multiarch)));
    folders
}

/// Manifests of Vulkan drivers that the loader would read.
pub(crate) fn vulkan_drivers() -> Vec<PathBuf> {
    for variable in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] {
        let named = paths_in(variable);
        if !named.is_empty() {
            return named.into_iter().filter(|path| path.exists()).collect();
        }
    }
    manifests("icd.d")
}

/// The manifest of lavapipe, Mesa's Vulkan driver that runs on the processor.
pub(crate) fn lavapipe() -> Option<PathBuf> {
    manifests("icd.d")
        .into_iter()
        .find(|path| is_lavapipe(path))
}

/// Has `command` use lavapipe, if it is there and the user chose no other driver.
pub(crate) fn prefer_lavapipe(command: &mut Command) {
    const NAMES: [&str; 2] = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"];
    if NAMES.iter().any(|name| env::var_os(name).is_some()) {
        return;
    }
    if let Some(lavapipe) = lavapipe() {
        command.envs(NAMES.map(|name| (name, &lavapipe)));
    }
}

fn is_lavapipe(manifest: &Path) -> bool {
    manifest
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("lvp_icd"))
}

/// Whether the Khronos validation layer is installed.
pub(crate) fn has_validation_layer() -> bool {
    let mut found = manifests("explicit_layer.d");
    found.extend(
        paths_in("VK_LAYER_PATH")
            .iter()
            .flat_map(|folder| json_files(folder)),
    );
    found.iter().any(|path| {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        name.contains("khronos_validation")
    })
}

/// The `*.json` files of one kind in all folders where the Vulkan loader looks for them.
fn manifests(kind: &str) -> Vec<PathBuf> {
    let mut roots = vec![PathBuf::from("/etc"), PathBuf::from("/usr/local/etc")];
    roots.extend(paths_in("XDG_CONFIG_DIRS"));
    roots.extend(paths_in("XDG_DATA_HOME"));
    roots.extend(
        paths_in("HOME")
            .into_iter()
            .map(|home| home.join(".local/share")),
    );
    roots.extend(paths_in("XDG_DATA_DIRS"));
    roots.extend(["/usr/local/share", "/usr/share"].map(PathBuf::from));
    roots
        .iter()
        .flat_map(|root| json_files(&root.join("vulkan").join(kind)))
        .collect()
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = folder.read_dir() else {
        return Vec::new();
    };
    let files = entries.filter_map(Result::ok).map(|entry| entry.path());
    files
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect()
}

/// Whether a program is found in PATH.
pub(crate) fn has_program(name: &str) -> bool {
    paths_in("PATH")
        .iter()
        .any(|folder| folder.join(name).is_file())
}

fn paths_in(variable: &str) -> Vec<PathBuf> {
    let value = env::var_os(variable).unwrap_or_default();
    env::split_paths(&value)
        .filter(|path| !path.as_os_str().is_empty())
        .collect()
}

/// Where a window would open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Display {
    None,
    Wayland,
    X11,
}

/// The display that the environment names; a Wayland compositor goes first, as it does in winit.
pub(crate) fn display() -> Display {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    if is_set("WAYLAND_DISPLAY") || is_set("WAYLAND_SOCKET") {
        Display::Wayland
    } else if is_set("DISPLAY") {
        Display::X11
    } else {
        Display::None
    }
}

/// Whether this process may install packages.
pub(crate) fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::{cache_lists, is_lavapipe};
    use std::path::Path;

    const CACHE: &str = "\
3 libs found in cache `/etc/ld.so.cache'
\tlibvulkan.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libvulkan.so.1
\tlibXi.so.6 (libc6) => /lib/i386-linux-gnu/libXi.so.6
\tlibX11.so (libc6,x86-64) => /lib/x86_64-linux-gnu/libX11.so
";

    #[test]
    fn a_library_is_found_by_its_whole_name_and_kind() {
        assert!(cache_lists(CACHE, "libvulkan.so.1", "x86-64"));
        assert!(!cache_lists(CACHE, "libvulkan.so", "x86-64"));
        assert!(!cache_lists(CACHE, "libX11.so.6", "x86-64"));
        assert!(!cache_lists(CACHE, "libXi.so.6", "x86-64"), "32-bit only");
        assert!(cache_lists(CACHE, "libXi.so.6", ""));
    }

    #[test]
    fn lavapipe_is_known_by_its_manifest() {
        assert!(is_lavapipe(Path::new(
            "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json"
        )));
        assert!(!is_lavapipe(Path::new(
            "/usr/share/vulkan/icd.d/radeon_icd.x86_64.json"
        )));
    }
}
