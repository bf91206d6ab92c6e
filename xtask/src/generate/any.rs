//! Writes the methods of the recorder that is of one lane or the other.

use std::fmt::Write as _;

use super::arguments::Arguments;
use super::registry::{Registry, method};
use super::{Form, GENERATED, Listed};

/// The file.
///
/// # Errors
///
/// What no rule fits.
pub(super) fn methods(registry: &Registry, listed: &[Listed<'_>]) -> Result<String, String> {
    let mut methods = String::new();
    for listed in listed.iter().filter(|l| l.form == Form::Ruled) {
        let arguments = Arguments::of(registry, listed.command)?;
        let (given, names) = (arguments.given(), arguments.names());
        let name = method(&listed.command.name);
        let comma = if given.is_empty() { "" } else { ", " };
        let _ = writeln!(
            methods,
            "#[inline] unsafe fn cmd_{name}(&mut self{comma}{given}) {{\nin_its_lane!(self.cmd_{name}({names}));\n}}\n"
        );
    }
    Ok(format!(
        "//! The methods of the recorder that is of one lane or the other, as far as they follow from the registry.\n{GENERATED}\n\
         /// Hands each command on, in its lane.\nmacro_rules! hand_on {{ () => {{\n{methods}}} }}\n\n\
         pub(crate) use hand_on;\n"
    ))
}
