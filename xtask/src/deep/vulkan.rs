//! A newer validation layer than the distribution's, and the Khronos mock driver, out of Debian's packages of Chromium, which
//! brings both for tests of its own.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::cargo::{cargo, target};
use crate::host;
use crate::process::{self, End};
use crate::tally::Reader;
use crate::test::VULKAN_EXAMPLES;

/// The packages; about 110 MB.
const PACKAGES: [&str; 2] = ["chromium", "chromium-common"];

const LAYER: &str = "libVkLayer_khronos_validation.so";
const DRIVER: &str = "libVkICD_mock_icd.so";

/// What the loader wants to know of the layer. `VK_LAYER_PATH` names the folder. Of `VK_EXT_layer_settings`, which the layer
/// has, it says nothing: a loader that is older refuses it.
const LAYER_MANIFEST: &str = r#"{
    "file_format_version": "1.2.0",
    "layer": {
        "name": "VK_LAYER_KHRONOS_validation",
        "description": "Khronos validation layer, a newer one",
        "type": "GLOBAL",
        "library_path": "./libVkLayer_khronos_validation.so",
        "api_version": "1.4.300",
        "implementation_version": "1",
        "instance_extensions": [
            { "name": "VK_EXT_debug_utils", "spec_version": "2" },
            { "name": "VK_EXT_validation_features", "spec_version": "6" }
        ]
    }
}
"#;

/// What the loader wants to know of the driver. `VK_DRIVER_FILES` names the file.
const DRIVER_MANIFEST: &str = r#"{
    "file_format_version": "1.0.1",
    "ICD": { "library_path": "./libVkICD_mock_icd.so", "api_version": "1.4.300" }
}
"#;

/// A download is no hang before.
const DOWNLOAD: Duration = Duration::from_secs(20 * 60);

/// Nor is a run of all tests.
const TESTS: Duration = Duration::from_secs(50 * 60);

/// The tests that have the layer listen, red controls among them.
const LISTENING: [(&str, &str); 2] = [
    (
        "agate-vk under the newer layer",
        "test --locked --package agate-vk --tests --no-fail-fast -- --show-output",
    ),
    (
        "demo under the newer layer",
        "test --locked --package demo --test it --no-fail-fast -- --show-output \
         validation:: window:: faults::memory faults::presentation",
    ),
];

/// The folder with both, where it has been filled.
struct Kit(PathBuf);

impl Kit {
    fn layers(&self) -> PathBuf {
        self.0.join("layers")
    }

    fn driver(&self) -> PathBuf {
        self.0.join("mock_icd.json")
    }

    fn is_whole(&self) -> bool {
        self.layers().join(LAYER).is_file() && self.driver().is_file()
    }

    /// Downloads the packages and takes the two libraries out, unless that was done before.
    ///
    /// # Errors
    ///
    /// Says what could not be done.
    fn provide() -> Result<Self, String> {
        let kit = Self(target().join("vulkan-kit"));
        if kit.is_whole() {
            return Ok(kit);
        }
        for program in ["apt-get", "dpkg-deb"] {
            if !host::has_program(program) {
                return Err(format!(
                    "the newer layer and the mock driver come from Debian's packages {}, and there is no {program} here",
                    PACKAGES.join(" and ")
                ));
            }
        }
        let unpacked = kit.0.join("unpacked");
        fs::create_dir_all(&unpacked).map_err(|error| failed(&unpacked, &error))?;
        fs::create_dir_all(kit.layers()).map_err(|error| failed(&kit.layers(), &error))?;
        download(&kit.0)?;
        for package in files(&kit.0, &|name| name.ends_with(".deb")) {
            let mut extract = Command::new("dpkg-deb");
            extract.arg("--extract").arg(&package).arg(&unpacked);
            succeed(&extract)?;
            fs::remove_file(&package).map_err(|error| failed(&package, &error))?;
        }
        kit.take(&unpacked, LAYER, &kit.layers())?;
        kit.take(&unpacked, DRIVER, &kit.0)?;
        write(
            &kit.layers().join("khronos_validation.json"),
            LAYER_MANIFEST,
        )?;
        // Last: it says that the rest is there.
        write(&kit.driver(), DRIVER_MANIFEST)?;
        fs::remove_dir_all(&unpacked).map_err(|error| failed(&unpacked, &error))?;
        Ok(kit)
    }

    /// Copies the library of that name out of what was unpacked.
    fn take(&self, unpacked: &Path, library: &str, to: &Path) -> Result<(), String> {
        let found = files(unpacked, &|name| name == library);
        let Some(found) = found.first() else {
            let packages = PACKAGES.join(" and ");
            return Err(format!("{packages} have no {library} any more"));
        };
        fs::copy(found, to.join(library))
            .map(drop)
            .map_err(|error| failed(found, &error))
    }
}

fn download(to: &Path) -> Result<(), String> {
    println!("downloading {} with apt-get", PACKAGES.join(" and "));
    let mut download = Command::new("apt-get");
    download.current_dir(to).arg("download").args(PACKAGES);
    if succeed(&download).is_ok() {
        return Ok(());
    }
    // The lists may be old; whoever may not renew them is told by the second try.
    let mut update = Command::new("apt-get");
    update.arg("update");
    let _may_not = succeed(&update);
    succeed(&download).map_err(|error| {
        format!(
            "{} cannot be downloaded: {error} (is there a network, and does apt know Debian?)",
            PACKAGES.join(" and ")
        )
    })
}

fn succeed(command: &Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy();
    let end = process::run(command, DOWNLOAD, |line| println!("{line}"))
        .map_err(|error| format!("{program} could not be run: {error}"))?;
    match end {
        End::Exited(status) if status.success() => Ok(()),
        End::Exited(status) => Err(format!("{program}: {status}")),
        End::TimedOut => Err(format!("{program} did not end")),
    }
}

fn failed(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| failed(path, &error))
}

/// The files in a folder and in those within it whose names are right.
fn files(folder: &Path, right: &dyn Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.path()) {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if path.is_dir() && !path.is_symlink() {
            found.extend(files(&path, right));
        } else if right(name) {
            found.push(path);
        }
    }
    found
}

/// What draws, with the newer layer listening: thread safety and synchronization.
///
/// # Errors
///
/// Says what failed, was skipped, or is missing.
pub(super) fn newer_layer() -> Result<Vec<String>, String> {
    let kit = Kit::provide()?;
    let build = "build --locked --package demo --example fault_layer";
    run("the layer that tests load", &cargo(build))?;
    let listening = |words: &str| {
        let mut command = cargo(words);
        host::prefer_lavapipe(&mut command);
        // This folder takes the place of those where the loader looks for such layers.
        command.env("VK_LAYER_PATH", kit.layers());
        // This layer has both off, and the tests cannot ask for the second by what an older loader knows.
        command.env("VK_KHRONOS_VALIDATION_VALIDATE_SYNC", "true");
        command.env("VK_KHRONOS_VALIDATION_THREAD_SAFETY", "true");
        command
    };
    let mut told = Vec::new();
    for (name, words) in LISTENING {
        told.extend(run(name, &listening(words))?);
    }
    for name in VULKAN_EXAMPLES {
        let words = format!("run --locked --quiet --package agate-vk --example {name}");
        let mut example = listening(&words);
        // So that one that cannot run fails, as does one that the layer has said anything to.
        example.env("CI", "1");
        run(&format!("example {name}"), &example)?;
    }
    let examples = VULKAN_EXAMPLES.len();
    told.push(format!(
        "{examples} examples under the newer layer: it is silent"
    ));
    Ok(told)
}

/// Every command through a real loader, to a driver that takes anything.
///
/// # Errors
///
/// As [`newer_layer`].
pub(super) fn mock_driver() -> Result<Vec<String>, String> {
    let kit = Kit::provide()?;
    let words = "test --locked --package agate-vk --test loader -- --show-output";
    let mut tests = cargo(words);
    tests.env("AGATE_MOCK_DRIVER", "1");
    for name in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] {
        tests.env(name, kit.driver());
    }
    run("mock driver", &tests)
}

/// Runs tests of which none may be skipped, or another command; what they counted.
fn run(name: &str, command: &Command) -> Result<Vec<String>, String> {
    let mut reader = Reader::default();
    let end = process::run(command, TESTS, |line| {
        println!("{line}");
        reader.line(line);
    });
    let tally = reader.finish();
    match end {
        Err(error) => Err(format!("{name}: cargo could not be run: {error}")),
        Ok(End::TimedOut) => Err(format!("{name}: it did not end")),
        Ok(End::Exited(status)) if !status.success() => Err(format!("{name}: {tally}")),
        Ok(_) if tally.skipped > 0 => Err(format!("{name}: {tally}: {}", tally.reasons.join("; "))),
        Ok(_) => Ok(vec![format!("{name}: {tally}")]),
    }
}

#[cfg(test)]
mod tests {
    use super::{DRIVER, DRIVER_MANIFEST, LAYER, LAYER_MANIFEST, files};
    use std::fs;

    #[test]
    fn manifests_name_the_libraries_beside_them() {
        for (manifest, library) in [(LAYER_MANIFEST, LAYER), (DRIVER_MANIFEST, DRIVER)] {
            assert!(manifest.contains(&format!("\"./{library}\"")), "{manifest}");
        }
    }

    #[test]
    fn libraries_are_found_wherever_a_package_has_them() {
        let folder = std::env::temp_dir().join(format!("agate-kit-{}", std::process::id()));
        let deep = folder.join("usr/lib/somewhere");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join(LAYER), "").unwrap();
        fs::write(folder.join("other.so"), "").unwrap();
        let found = files(&folder, &|name| name == LAYER);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found, [deep.join(LAYER)]);
    }
}
