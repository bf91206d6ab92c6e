//! Writes the functions of the null device, which take the arguments as the device is given them.

use std::fmt::Write as _;

use super::arguments::{Argument, Arguments, Kind, to_bits};
use super::registry::{Registry, Scalar, shout};
use super::{Form, GENERATED, Listed, SUBJECTS};

/// Whether a type has a layout in the null device.
pub(super) fn has_layout(registry: &Registry, ty: &str) -> bool {
    registry
        .structure(ty)
        .is_some_and(|structure| !structure.union)
}

fn taken(registry: &Registry, argument: &Argument) -> String {
    let name = &argument.name;
    let items = |ty: &str, rust: &str, count: &str| {
        if has_layout(registry, ty) {
            format!(
                "out.items(Item::Deep(&layouts::{}), {name}.cast(), {count});",
                shout(ty)
            )
        } else {
            format!("out.items(Item::Plain(size_of::<{rust}>()), {name}.cast(), {count});")
        }
    };
    match &argument.kind {
        Kind::Scalar(Scalar::Bool) => format!("out.word(u64::from({name}));"),
        Kind::Scalar(scalar) | Kind::Count { scalar, .. } => {
            let bits = to_bits(*scalar, &argument.rust, name);
            if scalar.is_wide() {
                format!("out.word({bits});")
            } else {
                format!("out.word(u64::from({bits}));")
            }
        }
        Kind::Slice { item, .. } => items(
            &item.ty,
            &item.rust,
            &format!("{} as usize", argument.count()),
        ),
        Kind::One(item) => items(&item.ty, &item.rust, "1"),
        Kind::Fixed(item, length) => items(&item.ty, &item.rust, &length.to_string()),
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
    let mut out = String::new();
    for listed in listed
        .iter()
        .filter(|l| l.subject == subject && l.form == Form::Ruled)
    {
        let arguments = Arguments::of(registry, listed.command)?;
        let name = listed.command.name.trim_start_matches("vkCmd");
        let parameters = arguments
            .all
            .iter()
            .map(|a| format!("{}: {}", a.name, a.taken()));
        let body: Vec<_> = arguments.all.iter().map(|a| taken(registry, a)).collect();
        let sink = if body.is_empty() { "_out" } else { "out" };
        let _ = writeln!(
            out,
            "    {name} PFN_vkCmd{name}({}) |{sink}| {{ {} }}",
            parameters.collect::<Vec<_>>().join(", "),
            body.join(" ")
        );
    }
    let mut imports = "use crate::commands::{Form, commands};\n".to_owned();
    if out.contains("out.items(") {
        imports.push_str("use crate::layout::Item;\n");
    }
    imports.push_str("use crate::object::{Buffer, Object};\n");
    if out.contains("out.") {
        imports.push_str("use crate::sink::Sink;\n");
    }
    imports.push_str(if out.contains(".as_raw()") {
        "use ash::vk::{self, Handle};\n"
    } else {
        "use ash::vk;\n"
    });
    if out.contains("layouts::") {
        imports.push_str("use crate::generated::layouts;\n");
    }
    imports.push_str("use std::ffi::c_void;\n");
    Ok(format!(
        "//! Functions of the device: {subject}.\n{GENERATED}\n\
         #![allow(unsafe_code, reason = \"functions with Vulkan's signatures\")]\n\
         #![allow(clippy::multiple_unsafe_ops_per_block, clippy::too_many_arguments, non_snake_case, unused_imports, unused_qualifications, \
         reason = \"the names and signatures are Vulkan's, and one function reads all arguments of one command\")]\n\n\
         {imports}\ncommands! {{\n{out}}}\n"
    ))
}

/// The list of the files.
pub(super) fn module() -> String {
    let mut out = format!("//! What follows from Vulkan's registry.\n{GENERATED}\n");
    for subject in SUBJECTS {
        let _ = writeln!(out, "mod {subject};");
    }
    out.push_str("pub mod layouts;\n\nuse crate::commands::Form;\nuse std::ffi::c_void;\n\n");
    out.push_str("/// The function of that name.\npub(crate) fn find(name: &[u8], form: Form) -> Option<*const c_void> {\nNone\n");
    for subject in SUBJECTS {
        let _ = writeln!(out, ".or_else(|| {subject}::find(name, form))");
    }
    out.push_str("}\n\n/// The names of all commands, file by file.\npub(crate) const NAMES: &[&[&str]] = &[");
    for subject in SUBJECTS {
        let _ = write!(out, "{subject}::NAMES, ");
    }
    out.push_str("];\n");
    out
}
