//! Writes the methods of the recorder that leaves out redundant state, for the commands that are encoded by rule.

use std::fmt::Write as _;

use super::arguments::{Argument, Arguments, Kind, Slot, to_bits};
use super::registry::{Registry, method};
use super::{Form, GENERATED, Listed};

/// Commands named as if they set dynamic state of graphics pipelines, which they do not.
const NOT_DYNAMIC: [&str; 2] = ["set_device_mask", "set_ray_tracing_pipeline_stack_size"];

/// Whether the command sets one number that is dynamic state, and nothing else: it is compared with what was set before.
fn number<'a>(subject: &str, name: &str, arguments: &'a Arguments) -> Option<&'a Argument> {
    let [argument] = &arguments.all[..] else {
        return None;
    };
    let narrow = matches!(argument.kind, Kind::Scalar(_)) && argument.slot == Some(Slot::Inline);
    (subject == "state" && narrow && !NOT_DYNAMIC.contains(&name)).then_some(argument)
}

/// What a command does to what is known of the state, as a call; nothing where it leaves all state as it is. What no rule
/// is for forgets all.
fn effect(subject: &str, name: &str) -> Option<&'static str> {
    match (subject, name) {
        ("acceleration" | "label" | "sync" | "transfer", _) | ("bind", "push_constants2") => None,
        ("draw", name) if name.starts_with("draw") => Some("drawn"),
        ("draw", _) => None,
        ("state", name) if NOT_DYNAMIC.contains(&name) => None,
        ("state", "set_viewport_with_count") => Some("set_viewports"),
        ("state", "set_scissor_with_count") => Some("set_scissors"),
        ("state", _) => Some("set_other"),
        _ => Some("forget"),
    }
}

/// The methods.
pub(super) fn methods(registry: &Registry, listed: &[Listed<'_>]) -> Result<String, String> {
    let mut forwarded = String::new();
    let mut numbers = 0;
    for listed in listed.iter().filter(|l| l.form == Form::Ruled) {
        let arguments = Arguments::of(registry, listed.command)?;
        let (given, names) = (arguments.given(), arguments.names());
        let name = method(&listed.command.name);
        let comma = if given.is_empty() { "" } else { ", " };
        let shadowed = number(listed.subject, &name, &arguments);
        let before = match (shadowed, effect(listed.subject, &name)) {
            (Some(argument), _) => {
                let Kind::Scalar(scalar) = argument.kind else {
                    return Err(format!("{name}: no scalar"));
                };
                let bits = to_bits(scalar, &argument.rust, &argument.name);
                numbers += 1;
                format!(
                    "if !self.shadow.sets_number({}, {bits}) {{ return; }}\n",
                    numbers - 1
                )
            }
            (None, Some(effect)) => format!("self.shadow.{effect}();\n"),
            (None, None) => String::new(),
        };
        let _ = writeln!(
            forwarded,
            "#[inline(always)] unsafe fn cmd_{name}(&mut self{comma}{given}) {{\n{before}\
             // SAFETY: the arguments' contract is the caller's.\nunsafe {{ self.inner.cmd_{name}({names}) }}\n}}\n"
        );
    }
    Ok(format!(
        "//! The methods of the recorder that leaves out redundant state, as far as they follow from the registry.\n{GENERATED}\n\
         /// How many commands set one number of dynamic state.\npub(crate) const NUMBERS: usize = {numbers};\n\n\
         /// Hands each command on, unless it would set what is set.\nmacro_rules! hand_on {{ () => {{\n{forwarded}}} }}\n\n\
         pub(crate) use hand_on;\n"
    ))
}
