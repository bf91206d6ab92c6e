//! The rules of the house: who may depend on whom, and what every file must look like.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::manifest::{self, Dependency, Kind};

const SOURCE_LINES_MAX: usize = 700;
const ARCHITECTURE_LINES_MAX: usize = 150;
const README_PROGRAM_LINES_MAX: usize = 15;

/// Windows, memory and job systems are the business of the demo, and of the benches that measure them.
const ONLY_IN_DEMO: [&str; 6] = [
    "winit",
    "ash-window",
    "raw-window-handle",
    "gpu-allocator",
    "rayon",
    "rayon-core",
];
const MAY_KNOW_ALL: [&str; 2] = ["demo", "benches"];
/// Examples show how jobs of a thread pool use the libraries, which themselves know none.
const ONLY_IN_EXAMPLES: [(&str, &str); 2] = [("agate", "rayon"), ("agate-vk", "rayon")];

/// What a crate may depend on outside its tests; crates that are not listed here are free.
const ARROWS: [(&str, &[Allowed]); 4] = [
    (
        "agate",
        &[
            Allowed::Always("crossbeam-queue"),
            Allowed::On("libc", "cfg(unix)"),
            Allowed::On("loom", "cfg(loom)"),
            Allowed::On("shuttle", "cfg(shuttle)"),
            Allowed::Optional("futures-core"),
            Allowed::Optional("zerocopy"),
        ],
    ),
    (
        "agate-vk",
        &[
            Allowed::Always("agate"),
            Allowed::Always("ash"),
            Allowed::On("loom", "cfg(loom)"),
            Allowed::Optional("log"),
            Allowed::Optional("tracing"),
        ],
    ),
    ("null-device", &[Allowed::Always("ash")]),
    ("xtask", &[]),
];

#[derive(Clone, Copy, Debug)]
enum Allowed {
    Always(&'static str),
    /// On this target alone.
    On(&'static str, &'static str),
    /// Behind a feature alone.
    Optional(&'static str),
}

impl Allowed {
    fn covers(self, dependency: &Dependency) -> bool {
        match self {
            Self::Always(name) => dependency.name == name,
            Self::On(name, target) => {
                dependency.name == name && dependency.target.as_deref() == Some(target)
            }
            Self::Optional(name) => dependency.name == name && dependency.optional,
        }
    }
}

/// A rule that is broken, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    place: String,
    rule: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.rule)
    }
}

fn violation(place: impl Into<String>, rule: impl Into<String>) -> Violation {
    Violation {
        place: place.into(),
        rule: rule.into(),
    }
}

/// Looks at every manifest, source file and front page of the workspace.
///
/// # Errors
///
/// When a file cannot be read.
pub(crate) fn violations(root: &Path) -> io::Result<Vec<Violation>> {
    let mut found = Vec::new();
    for file in files(root)? {
        let place = file
            .strip_prefix(root)
            .unwrap_or(&file)
            .to_string_lossy()
            .replace('\\', "/");
        let is_source = file.extension().is_some_and(|extension| extension == "rs");
        let name = file.file_name().unwrap_or_default();
        if is_source {
            found.extend(in_source(&place, &std::fs::read_to_string(&file)?));
        } else if name == "Cargo.toml" && file.parent() != Some(root) {
            found.extend(in_manifest(&std::fs::read_to_string(&file)?));
        } else if place == "ARCHITECTURE.md" || place == "README.md" {
            found.extend(in_front_page(&place, &std::fs::read_to_string(&file)?));
        }
    }
    Ok(found)
}

/// Every file of the workspace, except what is built or hidden; in a fixed order.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries: Vec<_> = folder.read_dir()?.collect::<Result<_, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.file_name();
        let kind = entry.file_type()?;
        if kind.is_dir() && name != "target" && !name.to_string_lossy().starts_with('.') {
            found.extend(files(&entry.path())?);
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// The arrows of one crate, read from its manifest.
fn in_manifest(manifest: &str) -> Vec<Violation> {
    let package = package_name(manifest);
    let arrows = ARROWS.iter().find(|(name, _)| *name == package);
    let check = |dependency: &Dependency| {
        let name = &dependency.name;
        let in_example =
            dependency.kind == Kind::Dev && ONLY_IN_EXAMPLES.contains(&(package, name.as_str()));
        if ONLY_IN_DEMO.contains(&name.as_str()) && !MAY_KNOW_ALL.contains(&package) && !in_example
        {
            return Some(violation(
                package,
                format!("depends on {name}, which only the demo may know"),
            ));
        }
        let (_, allowed) = arrows?;
        let tests_are_free = dependency.kind == Kind::Dev && !allowed.is_empty();
        let permitted = tests_are_free || allowed.iter().any(|a| a.covers(dependency));
        (!permitted).then(|| {
            violation(
                package,
                format!("depends on {name}; {}", permitted_text(allowed)),
            )
        })
    };
    manifest::dependencies(manifest)
        .iter()
        .filter_map(check)
        .collect()
}

fn permitted_text(allowed: &[Allowed]) -> String {
    if allowed.is_empty() {
        return "it must depend on nothing".into();
    }
    let each: Vec<_> = allowed
        .iter()
        .map(|allowed| match allowed {
            Allowed::Always(name) => (*name).to_owned(),
            Allowed::On(name, target) => format!("{name} (under {target})"),
            Allowed::Optional(name) => format!("{name} (optional)"),
        })
        .collect();
    format!("only these are allowed: {}", each.join(", "))
}

fn package_name(manifest: &str) -> &str {
    let name = manifest.lines().find_map(|line| line.strip_prefix("name"));
    name.unwrap_or_default()
        .trim_matches(|c: char| matches!(c, '=' | '"') || c.is_whitespace())
}

fn in_source(place: &str, text: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    if !text.starts_with("//! ") {
        found.push(violation(
            place,
            "must begin with a //! line that says what it is for",
        ));
    }
    let lines = text.lines().count();
    let generated = text.lines().take(5).any(|line| line.contains("@generated"));
    if lines > SOURCE_LINES_MAX && !generated {
        found.push(violation(
            place,
            format!("has {lines} lines, at most {SOURCE_LINES_MAX} unless @generated"),
        ));
    }
    found
}

fn in_front_page(place: &str, text: &str) -> Option<Violation> {
    let (what, lines, most) = if place == "README.md" {
        (
            "the first program",
            first_program(text).count(),
            README_PROGRAM_LINES_MAX,
        )
    } else {
        ("the page", text.lines().count(), ARCHITECTURE_LINES_MAX)
    };
    (lines > most).then(|| violation(place, format!("{what} has {lines} lines, at most {most}")))
}

/// The shown lines of the first block of Rust.
fn first_program(text: &str) -> impl Iterator<Item = &str> {
    let from = text
        .lines()
        .skip_while(|line| !line.starts_with("```rust"))
        .skip(1);
    from.take_while(|line| !line.starts_with("```"))
        .filter(|line| !line.starts_with("# "))
}

#[cfg(test)]
mod tests {
    use super::{Violation, files, in_front_page, in_manifest, in_source, violations};
    use std::path::Path;

    /// Checks a manifest of `package` with these tables; each expected text must be in the violation at its place.
    fn check(package: &str, tables: &str, expected: &[&str]) {
        let manifest = format!("[package]\nname = \"{package}\"\n{tables}");
        let found: Vec<_> = in_manifest(&manifest)
            .iter()
            .map(Violation::to_string)
            .collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "'{expected}' is not in '{found}'");
        }
    }

    #[test]
    fn agate_depends_on_its_three_crates_alone() {
        check(
            "agate",
            "[dependencies]\ncrossbeam-queue.workspace = true\n[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"\n\
             [target.'cfg(loom)'.dependencies]\nloom = \"0.7\"\n[dev-dependencies]\nproptest = \"1\"\n",
            &[],
        );
        check(
            "agate",
            "[dependencies]\nash = \"0.38\"\n",
            &["agate: depends on ash; only these"],
        );
        check(
            "agate",
            "[dependencies]\nloom = \"0.7\"\n",
            &["loom (under cfg(loom))"],
        );
        check(
            "agate",
            "[dependencies]\nzerocopy = \"0.8\"\n",
            &["zerocopy (optional)"],
        );
        check(
            "agate",
            "[build-dependencies]\ncc = \"1\"\n",
            &["depends on cc"],
        );
        check(
            "agate",
            "[dependencies]\nq = { package = \"flume\", version = \"0.11\" }\n",
            &["depends on flume"],
        );
    }

    #[test]
    fn agate_vk_depends_on_agate_and_ash_and_may_log() {
        check(
            "agate-vk",
            "[dependencies]\nagate.workspace = true\nash.workspace = true\n",
            &[],
        );
        check(
            "agate-vk",
            "[dependencies]\nlibc = \"0.2\"\n",
            &[
                "only these are allowed: agate, ash, loom (under cfg(loom)), log (optional), tracing (optional)",
            ],
        );
        check(
            "agate-vk",
            "[dev-dependencies]\nlibloading = \"0.8\"\n",
            &[],
        );
    }

    #[test]
    fn windows_allocators_and_rayon_are_the_demos_own() {
        let tables = "[dependencies]\nwinit = \"0.30\"\n[dev-dependencies]\nrayon = \"1\"\n";
        check("some-new-crate", tables, &["winit", "rayon"]);
        check("demo", tables, &[]);
        check("benches", tables, &[]);
        // Of these the libraries' examples may use rayon, and nothing else of them may.
        for library in ["agate", "agate-vk"] {
            check(library, tables, &["winit, which only the demo"]);
            let rayon = "[dependencies]\nrayon = \"1\"\n";
            check(library, rayon, &["rayon, which only the demo"]);
        }
    }

    #[test]
    fn xtask_depends_on_nothing_even_in_tests() {
        check(
            "xtask",
            "[dev-dependencies]\nash = \"0.38\"\n",
            &["xtask: depends on ash; it must depend on nothing"],
        );
    }

    #[test]
    fn a_source_file_says_what_it_is_for_and_stays_small() {
        assert_eq!(in_source("a.rs", "//! Atomics.\nfn main() {}\n"), []);
        assert_eq!(in_source("a.rs", "fn main() {}\n").len(), 1);
        let long = format!("//! Long.\n{}", "// line\n".repeat(700));
        assert_eq!(in_source("a.rs", &long).len(), 1);
        let generated = long.replace("Long.", "@generated by xtask gen.");
        assert_eq!(in_source("a.rs", &generated), []);
    }

    #[test]
    fn front_pages_stay_short() {
        let program = |lines| {
            format!(
                "# Agate\n```rust\n# hidden\n{}```\n",
                "use x;\n".repeat(lines)
            )
        };
        assert_eq!(in_front_page("README.md", &program(15)), None);
        assert!(in_front_page("README.md", &program(16)).is_some());
        assert_eq!(
            in_front_page("ARCHITECTURE.md", &"line\n".repeat(150)),
            None
        );
        assert!(in_front_page("ARCHITECTURE.md", &"line\n".repeat(151)).is_some());
    }

    #[test]
    fn this_workspace_keeps_the_rules() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        assert!(
            files(root)
                .unwrap()
                .contains(&root.join("xtask/src/house.rs"))
        );
        let found: Vec<_> = violations(root)
            .unwrap()
            .iter()
            .map(Violation::to_string)
            .collect();
        assert!(found.is_empty(), "{found:#?}");
    }
}
