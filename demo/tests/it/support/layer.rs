//! The layer that makes calls fail, which cargo builds as an example of this package, and runs of the demo over it.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::running::{Ending, end};
use super::{Folder, device, skip};

/// Where the loader looks for the layers of the system.
const SYSTEM: [&str; 3] = [
    "/usr/local/share/vulkan/explicit_layer.d",
    "/etc/vulkan/explicit_layer.d",
    "/usr/share/vulkan/explicit_layer.d",
];

/// The layer, ready to be put under a run.
pub(crate) struct Layer {
    folder: Folder,
}

/// A run over the layer.
pub(crate) struct Faulty {
    pub(crate) ending: Ending,
    /// How often each function was called that can fail; nothing where the instance was never destroyed.
    pub(crate) counts: BTreeMap<String, u64>,
    /// Whether a call failed as it was asked to.
    pub(crate) struck: bool,
}

impl Layer {
    /// The layer, if there are a device and the library.
    pub(crate) fn ready() -> Option<Self> {
        if !device() {
            return None;
        }
        let Some(library) = library() else {
            skip("the fault layer is not built: cargo build --package demo --example fault_layer");
            return None;
        };
        let folder = Folder::new();
        let manifest = serde_json::json!({
            "file_format_version": "1.2.0",
            "layer": {
                "name": "VK_LAYER_AGATE_fault",
                "type": "GLOBAL",
                "library_path": library,
                "api_version": "1.3.0",
                "implementation_version": "1",
                "description": "makes calls fail"
            }
        });
        fs::write(folder.path().join("fault.json"), manifest.to_string()).expect("a manifest");
        Some(Self { folder })
    }

    /// Puts the layer under a run, with these of its variables.
    pub(crate) fn under<'a>(
        &self,
        command: &'a mut Command,
        variables: &[(&str, &str)],
    ) -> &'a mut Command {
        let mut folders = vec![self.folder.path().to_owned()];
        match env::var_os("VK_LAYER_PATH") {
            Some(more) => folders.extend(env::split_paths(&more)),
            None => folders.extend(SYSTEM.map(PathBuf::from)),
        }
        command
            .env("VK_LAYER_PATH", env::join_paths(folders).expect("paths"))
            .env("VK_INSTANCE_LAYERS", "VK_LAYER_AGATE_fault")
            // This layer of Mesa's calls for devices on its own account, and crashes where there is none.
            .env("NODEVICE_SELECT", "1")
            .envs(variables.iter().copied())
    }

    /// Runs the demo over the layer.
    pub(crate) fn run(&self, command: &mut Command, fault: &str) -> Faulty {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let counts = self.folder.path().join(format!("counts-{number}"));
        let file = counts.to_string_lossy();
        let variables = [("FAULT", fault), ("FAULT_COUNTS", file.as_ref())];
        let ending = end(self.under(command, &variables));
        let text = fs::read_to_string(&counts).unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        let mut counts: BTreeMap<String, u64> = lines
            .filter_map(|(name, count)| Some((name.to_owned(), count.parse().ok()?)))
            .collect();
        let struck = counts.remove("struck").is_some_and(|times| times > 0);
        Faulty {
            ending,
            counts,
            struck,
        }
    }
}

/// The library, beside the program that is tested.
fn library() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_BIN_EXE_demo")).parent()?;
    let file = folder.join("examples/libfault_layer.so");
    file.is_file().then_some(file)
}
