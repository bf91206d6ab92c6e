//! What the deep check needs of rustup: nightly Rust with Miri and the sources, and the other systems' libraries.

use std::process::Command;

use crate::host;

/// What nightly must have besides the compiler.
const COMPONENTS: [&str; 2] = ["miri", "rust-src"];

/// Nightly Rust, as it is installed.
#[derive(Clone, Debug, Default)]
pub(super) struct Nightly {
    /// The system that it runs on, as a target: the sanitizers want it named.
    pub(super) host: String,
}

/// Installs nightly Rust and its parts, as far as they are missing.
///
/// # Errors
///
/// Says what is missing and what could not be done about it.
pub(super) fn provide() -> Result<Nightly, String> {
    if rustc().is_err() {
        println!("installing nightly Rust");
        let install = "toolchain install nightly --profile minimal --no-self-update --component";
        let words = install.split(' ').chain(COMPONENTS);
        rustup(words).map_err(|error| unmet("nightly Rust", &error))?;
    }
    let installed = rustup("component list --toolchain nightly --installed".split(' '))?;
    let missing = missing(&COMPONENTS, &installed);
    if !missing.is_empty() {
        println!("adding to nightly: {}", missing.join(", "));
        let words = "component add --toolchain nightly"
            .split(' ')
            .chain(missing);
        rustup(words).map_err(|error| unmet("Miri or the sources of nightly", &error))?;
    }
    let version = rustc()?;
    println!("{}", version.lines().next().unwrap_or_default());
    let host = host_of(&version).ok_or("nightly's rustc does not say what it runs on")?;
    Ok(Nightly {
        host: host.to_owned(),
    })
}

/// Installs the libraries of another system, if they are missing, for the toolchain that runs us.
///
/// # Errors
///
/// Says what could not be done.
pub(super) fn provide_target(target: &'static str) -> Result<(), String> {
    let installed = rustup("target list --installed".split(' '))?;
    if missing(&[target], &installed).is_empty() {
        return Ok(());
    }
    println!("adding the target {target}");
    rustup(["target", "add", target])
        .map(drop)
        .map_err(|error| unmet(target, &error))
}

/// What nightly's compiler says of itself.
fn rustc() -> Result<String, String> {
    rustup("run nightly rustc -vV".split(' '))
}

/// Runs rustup and gives what it printed.
fn rustup<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<String, String> {
    if !host::has_program("rustup") {
        return Err("rustup is not installed; see https://rustup.rs".into());
    }
    let mut rustup = Command::new("rustup");
    // Within `rustup run`, the compiler that runs us is not the one that is asked for.
    rustup.args(words).env_remove("RUSTC");
    match rustup.output() {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(output) => Err(first_error(&String::from_utf8_lossy(&output.stderr)).to_owned()),
        Err(error) => Err(format!("rustup could not be run: {error}")),
    }
}

fn unmet(what: &str, error: &str) -> String {
    format!("{what} could not be installed: {error} (is there a network?)")
}

/// Those of `wanted` that are not in a list of rustup's, which may name them with a system behind.
fn missing<'a>(wanted: &[&'a str], installed: &str) -> Vec<&'a str> {
    let has = |name: &str| {
        let mut lines = installed.lines().map(str::trim);
        lines.any(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
    };
    wanted.iter().copied().filter(|name| !has(name)).collect()
}

/// The line `host: …` of `rustc -vV`.
fn host_of(version: &str) -> Option<&str> {
    version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::trim)
}

/// The line that says what went wrong, of all that rustup prints.
fn first_error(output: &str) -> &str {
    let mut lines = output.lines().map(str::trim);
    lines
        .clone()
        .find(|line| line.starts_with("error"))
        .or_else(|| lines.rfind(|line| !line.is_empty()))
        .unwrap_or("rustup failed and said nothing")
}

#[cfg(test)]
mod tests {
    use super::{first_error, host_of, missing};

    #[test]
    fn a_component_is_found_with_and_without_its_system() {
        let installed = "cargo-x86_64-unknown-linux-gnu\nmiri-x86_64-unknown-linux-gnu\nrust-src\n";
        assert!(missing(&["miri", "rust-src"], installed).is_empty());
        assert_eq!(missing(&["rust", "clippy"], "clippy-a\n"), ["rust"]);
        assert_eq!(missing(&["miri", "rust-src"], "mirific\n").len(), 2);
    }

    #[test]
    fn the_host_is_read() {
        let version = "rustc 1.97.0-nightly\nbinary: rustc\nhost: aarch64-apple-darwin\n";
        assert_eq!(host_of(version), Some("aarch64-apple-darwin"));
        assert_eq!(host_of("rustc 1.97.0\n"), None);
    }

    #[test]
    fn the_error_is_told_without_what_was_said_before() {
        let output = "info: syncing channel\nerror: could not download\nCaused by: no route\n";
        assert_eq!(first_error(output), "error: could not download");
        assert_eq!(first_error("a\nlast\n\n"), "last");
    }
}
