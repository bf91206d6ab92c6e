//! Tests: what is generated is held against the sources of ash, which cargo has where it builds this workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::arguments::{Argument, Arguments};
use super::exceptions::exception;
use super::registry::method;
use super::{Form, listed, registry};
use crate::cargo::cargo;

/// The sources of ash.
fn sources() -> PathBuf {
    let metadata = cargo("metadata --locked --format-version 1").output();
    let metadata = metadata.expect("cargo runs").stdout;
    let metadata = String::from_utf8(metadata).expect("text");
    let mut paths = metadata.split("\"manifest_path\":\"").skip(1);
    let manifest = paths.find_map(|rest| {
        let path = rest.split('"').next()?.replace("\\\\", "/");
        path.contains("/ash-0.38.").then_some(path)
    });
    let manifest = PathBuf::from(manifest.expect("the workspace depends on ash 0.38"));
    manifest.with_file_name("src")
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("a file of ash")
}

#[test]
fn every_command_of_ash_is_encoded_or_an_exception() {
    let ash = sources();
    let mut declared = BTreeSet::new();
    for file in ["vk/features.rs", "vk/extensions.rs"] {
        let text = text(&ash.join(file));
        let names = text.split("pub type PFN_vkCmd").skip(1);
        let name = |rest: &str| {
            rest.split([' ', '='])
                .next()
                .map(|name| format!("vkCmd{name}"))
        };
        declared.extend(names.filter_map(name));
    }
    let registry = registry().expect("the registry is read");
    let known = |name: &String| registry.commands.iter().find(|known| known.name == *name);
    let encoded: BTreeSet<_> = listed(&registry)
        .iter()
        .map(|l| l.command.name.clone())
        .collect();
    let (mut missing, mut exceptions) = (Vec::new(), 0);
    for command in &declared {
        match (encoded.contains(command), known(command).map(exception)) {
            (true, Some(None)) => {}
            (false, Some(Some(_))) => exceptions += 1,
            _ => missing.push(command),
        }
    }
    println!(
        "{} of ash, {} encoded, {exceptions} exceptions",
        declared.len(),
        encoded.len()
    );
    assert_eq!(missing, Vec::<&String>::new());
    assert_eq!(declared.len(), encoded.len() + exceptions);
}

/// The types of the arguments of all `cmd_*` in a file of ash, without the command buffer, by name.
fn methods(text: &str, found: &mut BTreeMap<String, Vec<Vec<String>>>) {
    for rest in text.split("pub unsafe fn cmd_").skip(1) {
        let Some((name, rest)) = rest.split_once('(') else {
            continue;
        };
        let arguments = rest.split(") {").next().unwrap_or_default();
        // After `&self` and the command buffer; a comma within a type has no name before a colon behind it.
        let mut types: Vec<String> = Vec::new();
        for part in arguments
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            match part.split_once(": ") {
                Some((_, ty)) => types.push(plain(ty)),
                None if part == "&self" => {}
                None => types.last_mut().expect("a type before").push_str(part),
            }
        }
        types.remove(0);
        found.entry(name.to_owned()).or_default().push(types);
    }
}

/// Without spaces and without the endings that tell aliases apart.
fn plain(ty: &str) -> String {
    let ty: String = ty.split_whitespace().collect();
    ["KHR", "EXT"]
        .iter()
        .fold(ty, |ty, ending| ty.replace(ending, ""))
}

#[test]
fn arguments_are_those_of_ash() {
    let ash = sources();
    let mut methods_of = BTreeMap::new();
    methods(&text(&ash.join("device.rs")), &mut methods_of);
    for author in ["khr", "ext"] {
        let files = ash
            .join("extensions")
            .join(author)
            .read_dir()
            .expect("a folder of ash");
        for file in files {
            methods(&text(&file.expect("a file").path()), &mut methods_of);
        }
    }
    let registry = registry().expect("the registry is read");
    let (mut same, mut without) = (0, 0);
    for listed in listed(&registry).iter().filter(|l| l.form == Form::Ruled) {
        let arguments = Arguments::of(&registry, listed.command).expect("a rule");
        let ours: Vec<_> = arguments
            .all
            .iter()
            .filter_map(Argument::given)
            .map(|ty| plain(&ty))
            .collect();
        match methods_of.get(&method(&listed.command.name)) {
            Some(known) => {
                assert!(
                    known.contains(&ours),
                    "{}: {ours:?}, ash: {known:?}",
                    listed.command.name
                );
                same += 1;
            }
            None => without += 1,
        }
    }
    println!("{same} as in ash, {without} that ash has no method for");
    assert!(same > 100, "{same}");
}

#[test]
fn what_is_committed_is_what_would_be_written() {
    assert_eq!(super::check(), Ok(()));
}
