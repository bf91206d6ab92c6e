//! Compiles the shaders in `../shaders` from WGSL to SPIR-V, both entry points of a file into one
//! module `$OUT_DIR/<name>.spv`.

use std::path::{Path, PathBuf};
use std::{env, fs, process};

use naga::back::spv;
use naga::valid::{Capabilities, ValidationFlags, Validator};

fn main() {
    let shaders = Path::new(&var("CARGO_MANIFEST_DIR")).join("../shaders");
    println!("cargo:rerun-if-changed={}", shaders.display());
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(var("OUT_DIR"));
    for name in ["stone", "ground"] {
        let path = shaders.join(name).with_extension("wgsl");
        println!("cargo:rerun-if-changed={}", path.display());
        match compile(&path) {
            Ok(words) => {
                let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
                let target = out.join(name).with_extension("spv");
                if let Err(error) = fs::write(&target, bytes) {
                    fail(&format!("{}: {error}", target.display()));
                }
            }
            Err(message) => fail(&message),
        }
    }
}

/// SPIR-V words of one WGSL file, or a message that points at the fault in it.
fn compile(path: &Path) -> Result<Vec<u32>, String> {
    let shown = path.display().to_string();
    let source = fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    let module = naga::front::wgsl::parse_str(&source)
        .map_err(|error| error.emit_to_string_with_path(&source, &shown))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::IMMEDIATES)
        .validate(&module)
        .map_err(|error| error.emit_to_string_with_path(&source, &shown))?;
    let options = spv::Options {
        lang_version: (1, 3),
        ..spv::Options::default()
    };
    spv::write_vec(&module, &info, &options, None).map_err(|error| format!("{shown}: {error}"))
}

fn var(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| fail(&format!("cargo did not set {name}")))
}

fn fail(message: &str) -> ! {
    eprintln!("{message}");
    process::exit(1);
}
