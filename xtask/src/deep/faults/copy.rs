//! A copy of a crate in the target folder, with those that it needs, for faults to be planted in.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::record::Fault;
use crate::cargo::{cargo, root, target};
use crate::process::{self, End};

/// The program of the models, which loom runs: the core's own tests, built in another way.
pub(super) const MODEL: &str = "model";
/// What else of the workspace the crates need.
const BESIDE: [&str; 4] = [
    "Cargo.lock",
    "README.md",
    "docs/ordering.md",
    "docs/embedding.md",
];
/// What only examples need, which are not copied, and tests that show no faults.
const NOT_NEEDED: [&str; 5] = ["proptest", "rayon", "trybuild", "naga", "png"];
/// Built fast, and run fast enough for races to be met.
const PROFILE: &str = "[profile.dev]\ndebug = false\nopt-level = 1\nincremental = true\n";
/// What hangs is waited for so long in the tests; here that is longer than there is time for.
const DEADLINES: [(&str, &str); 3] = [
    (
        "Duration::from_secs(if cfg!(miri) { 600 } else { 60 })",
        "Duration::from_secs(4)",
    ),
    ("Duration::from_secs(20)", "Duration::from_secs(4)"),
    (
        "Duration::from_secs(if cfg!(miri) { 900 } else { 20 })",
        "Duration::from_secs(8)",
    ),
];
/// A build that takes longer than this hangs.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// The copy, without any fault between two calls.
pub(super) struct Copy {
    folder: PathBuf,
    package: &'static str,
}

impl Copy {
    /// Makes the copy of the first of these crates, with its tests and the others; what is there already stays, so that it
    /// need not be built again.
    pub(super) fn make(members: &[&'static str]) -> Result<Self, String> {
        let package = members.first().ok_or("nothing is to be copied")?;
        let folder = target().join("faults").join(package);
        let copy = Self { folder, package };
        let from = root();
        let read = |path: &Path| read(&from.join(path));
        for file in BESIDE.map(Path::new) {
            copy.write(file, &read(file)?)?;
        }
        let manifest = read(Path::new("Cargo.toml"))?;
        copy.write(Path::new("Cargo.toml"), &alone(&manifest, members)?)?;
        for member in members.iter().map(Path::new) {
            let manifest = read(&member.join("Cargo.toml"))?;
            let lines = manifest.lines();
            let needed = lines.filter(|line| !NOT_NEEDED.iter().any(|name| line.starts_with(name)));
            let needed: String = needed.flat_map(|line| [line, "\n"]).collect();
            copy.write(&member.join("Cargo.toml"), &needed)?;
            for file in files(&from, &member.join("src"))? {
                copy.write(&file, &read(&file)?)?;
            }
        }
        let tests = files(&from, &Path::new(package).join("tests"))?;
        let is_source = |file: &PathBuf| file.extension().is_some_and(|end| end == "rs");
        for file in tests.into_iter().filter(is_source) {
            let text = DEADLINES.iter().fold(read(&file)?, |text, (long, short)| {
                text.replace(long, short)
            });
            copy.write(&file, &text)?;
        }
        Ok(copy)
    }

    /// Builds test programs; returns where each is.
    pub(super) fn build(&self, programs: &[&str]) -> Result<HashMap<String, PathBuf>, String> {
        let (models, tests): (Vec<&str>, Vec<&str>) =
            programs.iter().partition(|program| **program == MODEL);
        let mut built = HashMap::new();
        if !tests.is_empty() {
            let mut build = self.cargo("-Awarnings", "target");
            for test in &tests {
                build.args(["--test", test]);
            }
            built.extend(built_by(&build, &tests, |program| program)?);
        }
        if !models.is_empty() {
            let mut build = self.cargo("-Awarnings --cfg loom", "loom");
            build.arg("--lib");
            built.extend(built_by(&build, &models, |_| "agate")?);
        }
        Ok(built)
    }

    /// A build of the crate's tests; a fault leaves names unused.
    fn cargo(&self, flags: &str, target: &str) -> Command {
        let mut build = cargo("test --no-run --package");
        build.arg(self.package);
        build.args(["--message-format", "json-render-diagnostics"]);
        build.current_dir(&self.folder);
        build.env("CARGO_TARGET_DIR", self.folder.join(target));
        build.env("RUSTFLAGS", flags);
        build
    }

    /// Plants a fault, has it looked at, and takes it out again.
    pub(super) fn with<R>(
        &self,
        fault: &Fault,
        look: impl FnOnce() -> Result<R, String>,
    ) -> Result<R, String> {
        let mut before: Vec<(PathBuf, String)> = Vec::new();
        let planted = fault.edits.iter().try_for_each(|edit| {
            let file = Path::new(self.package).join(&edit.file);
            let text = read(&self.folder.join(&file))?;
            self.write(&file, &edit.apply(&text)?)?;
            before.push((file, text));
            Ok(())
        });
        let result = planted.and_then(|()| look());
        for (file, text) in before.into_iter().rev() {
            self.write(&file, &text)?;
        }
        result
    }

    /// Writes a file, unless it is so already.
    fn write(&self, file: &Path, text: &str) -> Result<(), String> {
        let file = self.folder.join(file);
        let said = |error| format!("{}: {error}", file.display());
        if fs::read_to_string(&file).is_ok_and(|there| there == text) {
            return Ok(());
        }
        fs::create_dir_all(file.parent().unwrap_or(&self.folder)).map_err(said)?;
        fs::write(&file, text).map_err(said)
    }
}

/// Where each of the programs is that a build makes, which gives them names of its own.
fn built_by<'a>(
    build: &Command,
    programs: &[&'a str],
    name: impl Fn(&'a str) -> &'a str,
) -> Result<HashMap<String, PathBuf>, String> {
    let mut output = String::new();
    let end = run(build, LIMIT, &mut output)?;
    if !matches!(end, End::Exited(status) if status.success()) {
        let said = output.lines().filter(|line| !line.starts_with('{'));
        let said: Vec<_> = said.collect();
        return Err(format!("it does not build:\n{}", said.join("\n")));
    }
    let found = |program: &&'a str| {
        let name = format!("\"name\":\"{}\"", name(program));
        let mut lines = output.lines().filter(|line| line.contains(&name));
        let path = lines.find_map(|line| {
            let (_, rest) = line.split_once("\"executable\":\"")?;
            rest.split('"').next()
        });
        path.map(|path| ((*program).to_owned(), path.into()))
            .ok_or_else(|| format!("cargo built no {program}"))
    };
    programs.iter().map(found).collect()
}

pub(super) fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

/// Runs a command and keeps what it says.
pub(super) fn run(command: &Command, limit: Duration, output: &mut String) -> Result<End, String> {
    let end = process::run(command, limit, |line| {
        output.push_str(line);
        output.push('\n');
    });
    end.map_err(|error| format!("{:?}: {error}", command.get_program()))
}

/// The manifest of a workspace of these crates alone.
fn alone(manifest: &str, members: &[&str]) -> Result<String, String> {
    let members = format!("members = {members:?}");
    let (workspace, _profiles) = manifest
        .split_once("[profile.")
        .ok_or("the workspace has no profiles")?;
    let lines = workspace.lines().map(|line| match line.split_once(" = ") {
        Some(("members", _)) => members.as_str(),
        Some(("default-members", _)) => "",
        _ => line,
    });
    let workspace: String = lines.flat_map(|line| [line, "\n"]).collect();
    Ok(workspace + PROFILE)
}

/// All files below a folder, from `root` on.
fn files(root: &Path, folder: &Path) -> Result<Vec<PathBuf>, String> {
    let said = |error| format!("{}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in root.join(folder).read_dir().map_err(said)? {
        let entry = entry.map_err(said)?;
        let path = folder.join(entry.file_name());
        if entry.file_type().map_err(said)?.is_dir() {
            found.extend(files(root, &path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{DEADLINES, Path, PathBuf, alone, files, read, root};

    #[test]
    fn the_core_is_a_workspace_of_its_own() {
        let manifest = "[workspace]\nmembers = [\"a\", \"b\"]\ndefault-members = [\"a\"]\n\n[workspace.package]\n\
                        version = \"1\"\n\n[profile.release]\nlto = true\n";
        let alone = alone(manifest, &["agate"]).unwrap();
        assert!(alone.starts_with("[workspace]\nmembers = [\"agate\"]\n\n\n[workspace.package]\n"));
        assert!(alone.contains("version = \"1\"") && !alone.contains("lto"));
    }

    /// Where the tests' deadlines are written in another way, what hangs outlives the time that it is given.
    #[test]
    fn each_deadline_is_one_of_the_tests() {
        let mut files = files(&root(), Path::new("agate/tests")).expect("there are tests");
        files.push(PathBuf::from("agate-vk/tests/support/null.rs"));
        let texts: Vec<_> = files
            .iter()
            .filter(|file| file.extension().is_some_and(|extension| extension == "rs"))
            .map(|file| read(&root().join(file)).expect("it is text"))
            .collect();
        for (deadline, _) in DEADLINES {
            assert!(
                texts.iter().any(|text| text.contains(deadline)),
                "{deadline}"
            );
        }
        let other = "LONG: Duration = Duration::from_secs(60)";
        assert!(!texts.iter().any(|text| text.contains(other)), "{other}");
    }
}
