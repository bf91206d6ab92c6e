//! The dependencies that a Cargo.toml declares: as much of TOML as those tables use.

/// Where a dependency may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Dev,
    Build,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    /// The package's own name, also where the manifest renames it.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// The condition of its `[target.'…'.dependencies]` table, as written.
    pub(crate) target: Option<String>,
    pub(crate) optional: bool,
}

/// Reads all dependency tables of a manifest.
pub(crate) fn dependencies(manifest: &str) -> Vec<Dependency> {
    let mut found: Vec<Dependency> = Vec::new();
    let mut table = None;
    for line in logical_lines(manifest) {
        if let Some(header) = line.strip_prefix('[') {
            table = Table::read(
                header
                    .trim_start_matches('[')
                    .trim_end()
                    .trim_end_matches(']'),
            );
            found.extend(table.as_ref().and_then(Table::dependency));
        } else if let (Some(table), Some((key, value))) = (&table, line.split_once('=')) {
            read_entry(table, key.trim(), value.trim(), &mut found);
        }
    }
    found
}

/// A table that holds dependencies, or one dependency.
struct Table {
    kind: Kind,
    target: Option<String>,
    package: Option<String>,
}

impl Table {
    /// Reads `dependencies`, `dev-dependencies.ash`, `target.'cfg(unix)'.dependencies`, and the like.
    fn read(header: &str) -> Option<Self> {
        let (target, rest) = match header.strip_prefix("target.") {
            None => (None, header),
            Some(rest) => {
                let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'));
                let (condition, rest) = match quote {
                    Some(quote) => rest[1..].split_once(quote)?,
                    None => rest.split_once('.')?,
                };
                (Some(condition.to_owned()), rest.trim_start_matches('.'))
            }
        };
        let (kind, package) = match rest.split_once('.') {
            Some((kind, package)) => (kind, Some(unquoted(package))),
            None => (rest, None),
        };
        let kind = match kind {
            "dependencies" => Kind::Normal,
            "dev-dependencies" => Kind::Dev,
            "build-dependencies" => Kind::Build,
            _ => return None,
        };
        Some(Self {
            kind,
            target,
            package,
        })
    }

    /// The dependency that a table like `[dependencies.ash]` is about.
    fn dependency(&self) -> Option<Dependency> {
        self.package
            .as_ref()
            .map(|name| self.with_name(name.clone()))
    }

    fn with_name(&self, name: String) -> Dependency {
        Dependency {
            name,
            kind: self.kind,
            target: self.target.clone(),
            optional: false,
        }
    }
}

/// Reads `ash = "0.38"`, `ash.workspace = true`, `vk = { package = "ash", optional = true }`.
fn read_entry(table: &Table, key: &str, value: &str, found: &mut Vec<Dependency>) {
    let (name, detail) = match (&table.package, key.split_once('.')) {
        (Some(_), _) => (None, format!("{key} = {value}")),
        (None, Some((name, setting))) => (Some(unquoted(name)), format!("{setting} = {value}")),
        (None, None) => (Some(unquoted(key)), value.to_owned()),
    };
    // `ash.workspace` and `ash.optional` are one dependency in two lines.
    let same_as_last = |name: &str| found.last().is_some_and(|last| last.name == name);
    if let Some(name) = name.filter(|name| !(key.contains('.') && same_as_last(name))) {
        found.push(table.with_name(name));
    }
    let Some(dependency) = found.last_mut() else {
        return;
    };
    if let Some(package) = setting(&detail, "package") {
        dependency.name = unquoted(package);
    }
    dependency.optional |= setting(&detail, "optional") == Some("true");
}

/// The value of `key = value` in an inline table, or alone.
fn setting<'a>(detail: &'a str, key: &str) -> Option<&'a str> {
    let entries = detail.trim_matches(|c: char| matches!(c, '{' | '}') || c.is_whitespace());
    entries.split(',').find_map(|entry| {
        let (name, value) = entry.split_once('=')?;
        (name.trim() == key).then(|| value.trim())
    })
}

fn unquoted(text: &str) -> String {
    text.trim()
        .trim_matches(|c| matches!(c, '"' | '\''))
        .to_owned()
}

/// Lines without comments, with arrays and inline tables that span several joined into one.
fn logical_lines(manifest: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut depth = 0_usize;
    for physical in manifest.lines() {
        let (text, opened, closed) = without_comment(physical);
        let header = line.is_empty() && text.trim_start().starts_with('[');
        line.push_str(text.trim());
        if !header {
            depth = (depth + opened).saturating_sub(closed);
        }
        if depth == 0 && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
    }
    lines
}

/// The line up to its comment, and how many brackets open and close in it, strings left aside.
fn without_comment(line: &str) -> (&str, usize, usize) {
    let (mut quote, mut opened, mut closed) = (None, 0, 0);
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '{') => opened += 1,
            (None, ']' | '}') => closed += 1,
            (None, '#') => return (&line[..at], opened, closed),
            (None, _) => {}
        }
    }
    (line, opened, closed)
}

#[cfg(test)]
mod tests {
    use super::{Kind, dependencies};

    /// `name kind target optional` of each dependency.
    fn check(manifest: &str, expected: &[&str]) {
        let found: Vec<_> = dependencies(manifest)
            .into_iter()
            .map(|d| {
                let kind = match d.kind {
                    Kind::Normal => "normal",
                    Kind::Dev => "dev",
                    Kind::Build => "build",
                };
                let optional = if d.optional { " optional" } else { "" };
                format!(
                    "{} {kind} {}{optional}",
                    d.name,
                    d.target.unwrap_or_else(|| "-".into())
                )
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn every_way_to_write_a_dependency_is_read() {
        check(
            r##"
[package]
name = "x" # not a dependency
[dependencies]
a = "1"
b.workspace = true   # a comment with = and [
c = { version = "1", features = ["p", "q"], optional = true }
renamed = { package = "d", version = "1" }
"e" = "1"
f.workspace = true
f.optional = true
"##,
            &[
                "a normal -",
                "b normal -",
                "c normal - optional",
                "d normal -",
                "e normal -",
                "f normal - optional",
            ],
        );
    }

    #[test]
    fn tables_have_a_kind_and_a_target() {
        check(
            "[dev-dependencies]\na = \"1\"\n[build-dependencies.b]\nversion = \"1\"\nfeatures = [\"x\"]\n\
             [target.'cfg(unix)'.dependencies]\nc = \"1\"\n[target.\"cfg(loom)\".dev-dependencies]\nd = \"1\"\n\
             [target.x86_64-pc-windows-msvc.dependencies.e]\npackage = \"f\"\n",
            &[
                "a dev -",
                "b build -",
                "c normal cfg(unix)",
                "d dev cfg(loom)",
                "f normal x86_64-pc-windows-msvc",
            ],
        );
    }

    #[test]
    fn a_value_may_span_lines() {
        check(
            "[dependencies]\na = { version = \"1\", features = [\n  \"b\", # = [\n  \"c\",\n] }\nd = \"1\"\n",
            &["a normal -", "d normal -"],
        );
    }

    #[test]
    fn other_tables_hold_no_dependencies() {
        check(
            "[features]\ndefault = [\"std\"]\n[lints]\nworkspace = true\n[[bench]]\nname = \"b\"\n",
            &[],
        );
    }
}
