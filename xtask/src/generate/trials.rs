//! Writes the trials: random arguments of each command, given to the device and to a recorder.

use std::fmt::Write as _;

use super::arguments::{Argument, Arguments, Kind, from_bits};
use super::null::has_layout;
use super::registry::{Registry, Scalar, method, shout};
use super::{Form, GENERATED, Listed, SUBJECTS};

/// What has short forms and is tried elsewhere: it refuses some arguments.
const ELSEWHERE: &str = "vkCmdPushConstants";

fn made(registry: &Registry, argument: &Argument) -> String {
    let (name, rust) = (&argument.name, argument.rust.replace("<'_>", "<'static>"));
    let made = match &argument.kind {
        Kind::Scalar(Scalar::Bool) => "maker.flag()".to_owned(),
        Kind::Scalar(scalar) if scalar.is_wide() => from_bits(*scalar, &rust, "maker.word()"),
        Kind::Scalar(scalar) => from_bits(*scalar, &rust, "maker.half()"),
        Kind::Count { .. } => return format!("let {name} = maker.count();"),
        Kind::Slice { item, optional } => {
            let count = argument.count();
            let array = if item.ty == "void" {
                format!("maker.plain(4 * {count})")
            } else if has_layout(registry, &item.ty) {
                format!("maker.array(&layouts::{}, {count})", shout(&item.ty))
            } else {
                format!("maker.plain({count})")
            };
            if *optional {
                format!("maker.maybe({array})")
            } else {
                array
            }
        }
        Kind::One(item) if has_layout(registry, &item.ty) => {
            format!("&maker.array(&layouts::{}, 1)[0]", shout(&item.ty))
        }
        Kind::One(_) => "&maker.plain(1)[0]".to_owned(),
        Kind::Fixed(..) => "&maker.plain(1)[0]".to_owned(),
    };
    let ty = argument
        .given()
        .unwrap_or_default()
        .replace("<'_>", "<'static>");
    if made.starts_with("maker.maybe(") {
        return format!(
            "let {name}: {ty} = maker.flag().then_some({});",
            &made[12..made.len() - 1]
        );
    }
    format!("let {name}: {ty} = {made};")
}

fn passed(arguments: &Arguments, argument: &Argument) -> String {
    let name = &argument.name;
    match &argument.kind {
        Kind::Scalar(Scalar::Bool) => format!("u32::from({name})"),
        Kind::Scalar(_) => name.clone(),
        Kind::Count { scalar, of } => {
            let first = of.first().map_or("", String::as_str);
            let first = arguments.all.iter().find(|a| a.name == first);
            let width = if scalar.is_wide() { "u64" } else { "u32" };
            match first.map(|a| (&a.name, &a.kind)) {
                Some((
                    first,
                    Kind::Slice {
                        optional: false, ..
                    },
                )) => format!("{first}.len() as {width}"),
                _ => format!("{name} as {width}"),
            }
        }
        Kind::Slice {
            item,
            optional: false,
        } if item.ty == "void" => format!("{name}.as_ptr().cast()"),
        Kind::Slice {
            optional: false, ..
        } => format!("{name}.as_ptr()"),
        Kind::Slice { .. } => format!("{name}.map_or(std::ptr::null(), <[_]>::as_ptr)"),
        Kind::One(_) | Kind::Fixed(..) => name.clone(),
    }
}

/// The file of one subject.
///
/// # Errors
///
/// What no rule fits.
pub(super) fn subject(
    registry: &Registry,
    subject: &str,
    listed: &[Listed<'_>],
) -> Result<String, String> {
    let (mut trials, mut all) = (String::new(), String::new());
    let wanted = |l: &&Listed<'_>| match l.form {
        Form::Short => subject == "short" && l.command.name != ELSEWHERE,
        Form::Ruled => l.subject == subject,
        Form::Irregular => false,
    };
    for listed in listed.iter().filter(wanted) {
        let arguments = Arguments::of(registry, listed.command)?;
        let vulkan = &listed.command.name;
        let name = method(vulkan);
        let counts = |a: &&Argument| matches!(a.kind, Kind::Count { .. });
        let lets = arguments.all.iter().filter(counts);
        let lets = lets.chain(arguments.all.iter().filter(|a| !counts(a)));
        let lets: Vec<_> = lets.map(|a| made(registry, a)).collect();
        let passed: Vec<_> = arguments
            .all
            .iter()
            .map(|a| passed(&arguments, a))
            .collect();
        let comma = if passed.is_empty() { "" } else { ", " };
        let maker = if lets.is_empty() { "_" } else { "maker" };
        let _ = writeln!(
            trials,
            "fn {name}<R: Recorder>({maker}: &mut Maker, trial: &mut Trial<'_, R>) {{\n{}\n\
             let call: vk::PFN_{vulkan} = trial.function(c\"{vulkan}\");\n\
             // SAFETY: the device takes any command.\n\
             unsafe {{\ncall(trial.buffer{comma}{});\ntrial.recorder.cmd_{name}({});\n}}\n}}\n",
            lets.join("\n"),
            passed.join(", "),
            arguments.names()
        );
        let _ = write!(all, "(\"{vulkan}\", {name}), ");
    }
    let layouts = if trials.contains("layouts::") {
        "use null_device::layouts;\n"
    } else {
        ""
    };
    let handle = if trials.contains("Handle::from_raw") {
        "{self, Handle}"
    } else {
        "{self}"
    };
    Ok(format!(
        "//! Trials of commands: {subject}.\n{GENERATED}\n\
         #![allow(unsafe_code, reason = \"every Vulkan command is unsafe\")]\n\
         #![allow(clippy::multiple_unsafe_ops_per_block, reason = \"the same command, by two ways\")]\n\n\
         use crate::maker::{{Maker, Try, Trial}};\nuse agate_vk::vk::{handle};\nuse agate_vk::Recorder;\n{layouts}\n{trials}\n\
         pub(crate) fn all<R: Recorder>() -> Vec<Try<R>> {{ vec![{all}] }}\n"
    ))
}

/// The list of the files, and the names of all commands.
pub(super) fn module(listed: &[Listed<'_>]) -> String {
    let mut out = format!(
        "//! Trials of all commands that are encoded by rule or in short forms.\n{GENERATED}\n"
    );
    let files: Vec<_> = SUBJECTS.iter().copied().chain(["short"]).collect();
    for file in &files {
        let _ = writeln!(out, "mod {file};");
    }
    let all: Vec<_> = files.iter().map(|file| format!("{file}::all()")).collect();
    let _ = writeln!(
        out,
        "\n/// File by file.\npub(crate) fn all<R: agate_vk::Recorder>() -> Vec<crate::maker::Try<R>> {{ [{}].concat() }}\n\n\
         /// Every command that is encoded.\npub(crate) const NAMES: &[&str] = &[",
        all.join(", ")
    );
    for listed in listed {
        let _ = write!(out, "\"{}\", ", listed.command.name);
    }
    out.push_str("];\n");
    out
}
