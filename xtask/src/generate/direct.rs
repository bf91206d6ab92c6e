//! Writes the methods of a recorder that calls the driver itself.

use std::fmt::Write as _;

use super::arguments::{Argument, Arguments, Kind, same_lengths};
use super::registry::{Registry, Scalar, method};
use super::{Form, GENERATED, Listed};

/// How the function of the device gets an argument.
fn passed(arguments: &Arguments, argument: &Argument) -> String {
    let name = &argument.name;
    match &argument.kind {
        Kind::Scalar(Scalar::Bool) => format!("u32::from({name})"),
        Kind::Scalar(_) => name.clone(),
        Kind::Count { scalar, of } => {
            let first = of.first().map_or("", String::as_str);
            let width = if scalar.is_wide() { "u64" } else { "u32" };
            let first_kind = arguments.all.iter().find(|a| a.name == first);
            match first_kind.map(|a| &a.kind) {
                Some(Kind::Slice { optional: true, .. }) => {
                    format!("{first}.map_or(0, <[_]>::len) as {width}")
                }
                _ => format!("{first}.len() as {width}"),
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

/// The file.
///
/// # Errors
///
/// What no rule fits.
pub(super) fn methods(registry: &Registry, listed: &[Listed<'_>]) -> Result<String, String> {
    let mut methods = String::new();
    for Listed { command, index, .. } in listed.iter().filter(|l| l.form == Form::Ruled) {
        let arguments = Arguments::of(registry, command)?;
        let (name, given) = (method(&command.name), arguments.given());
        let comma = if given.is_empty() { "" } else { ", " };
        let checks = same_lengths(&arguments);
        let refuse: String = checks
            .iter()
            .map(|(wrong, argument)| {
                format!("if {wrong} {{ return self.refuse({index}, \"{argument}\"); }}\n")
            })
            .collect();
        let passed = arguments.all.iter().map(|a| passed(&arguments, a));
        let passed: Vec<_> = std::iter::once("into".to_owned()).chain(passed).collect();
        let _ = writeln!(
            methods,
            "#[inline] unsafe fn cmd_{name}(&mut self{comma}{given}) {{\n{refuse}\
             // SAFETY: it is the type of the command's function.\n\
             if let Some((call, into)) = unsafe {{ self.call::<vk::PFN_{}>({index}) }} {{\n\
             // SAFETY: the arguments' contract is the caller's; the buffer is recording, and its pool is this recorder's.\n\
             unsafe {{ call({}) }}\n}}\n}}\n",
            command.name,
            passed.join(", ")
        );
    }
    Ok(format!(
        "//! The methods of a recorder that calls the driver itself.\n{GENERATED}\n\
         /// Calls them.\nmacro_rules! direct {{ () => {{\n{methods}}} }}\n\n\
         pub(crate) use direct;\n"
    ))
}
