//! Writes the encoders, the arms of the replay, and the methods of the recorder.

use std::fmt::Write as _;

use super::arguments::{Argument, Arguments, Kind, Slot, from_bits, same_lengths, to_bits};
use super::registry::{Command, Registry, method, shout};
use super::{Form, GENERATED, Listed};

/// The value that stands for a scalar or a count, as bits.
fn bits(arguments: &Arguments, argument: &Argument) -> String {
    match &argument.kind {
        Kind::Scalar(scalar) => to_bits(*scalar, &argument.rust, &argument.name),
        Kind::Count { scalar, of } => {
            let first = of.first().map_or("", String::as_str);
            let optional = arguments
                .all
                .iter()
                .any(|a| a.name == first && matches!(a.kind, Kind::Slice { optional: true, .. }));
            let length = if optional {
                format!("{first}.map_or(0, <[_]>::len)")
            } else {
                format!("{first}.len()")
            };
            format!(
                "{length} as {}",
                if scalar.is_wide() { "u64" } else { "u32" }
            )
        }
        _ => String::new(),
    }
}

/// The scalars of the header and of the words behind it.
fn words(arguments: &Arguments) -> (String, Vec<String>) {
    let mut inline = "0".to_owned();
    let mut words = vec![(None, None); arguments.fixed];
    for argument in &arguments.all {
        let bits = bits(arguments, argument);
        match argument.slot {
            None => {}
            Some(Slot::Inline) => inline = bits,
            Some(Slot::Low(word) | Slot::Whole(word)) => {
                words[word - 1].0 = Some((bits, argument.slot));
            }
            Some(Slot::High(word)) => words[word - 1].1 = Some(bits),
        }
    }
    let words = words.into_iter().map(|word| match word {
        (Some((low, _)), Some(high)) => format!("pair({low}, {high})"),
        (Some((whole, Some(Slot::Whole(_)))), None) => whole,
        (Some((low, _)), None) => format!("u64::from({low})"),
        (None, _) => "0".to_owned(),
    });
    (inline, words.collect())
}

fn span(argument: &Argument) -> String {
    let name = &argument.name;
    match &argument.kind {
        Kind::Slice { item, optional } => {
            let of = if item.deep {
                format!("deep(&layouts::{}, ", shout(&item.ty))
            } else {
                "flat(".to_owned()
            };
            if *optional {
                format!("Span::maybe_{of}{name})")
            } else {
                format!("Span::{of}{name})")
            }
        }
        Kind::One(item) if item.deep => {
            format!(
                "Span::deep(&layouts::{}, slice::from_ref({name}))",
                shout(&item.ty)
            )
        }
        Kind::One(_) => format!("Span::flat(slice::from_ref({name}))"),
        Kind::Fixed(..) => format!("Span::flat({name})"),
        _ => String::new(),
    }
}

/// One encoder.
fn encoder(out: &mut String, listed: &Listed<'_>, arguments: &Arguments) {
    let Listed { command, index, .. } = listed;
    let name = method(&command.name);
    let (inline, words) = words(arguments);
    let given = arguments.given();
    let comma = if given.is_empty() { "" } else { ", " };
    if arguments.pointers == 0 {
        let count = 1 + arguments.fixed;
        let _ = writeln!(
            out,
            "#[inline(always)]\npub(in crate::commands) unsafe fn {name}(cursor: &mut Cursor{comma}{given}) {{"
        );
        if command.from != "VK_VERSION_1_0" {
            let _ = writeln!(out, "if lacks(cursor.base, {index}) {{ return; }}");
        }
        let head = format!("header(op::FIRST + {index}, {count}, {inline})");
        let words = std::iter::once(head)
            .chain(words)
            .collect::<Vec<_>>()
            .join(", ");
        let _ = writeln!(
            out,
            "let words = [{words}];\n// SAFETY: the header says how many words these are.\nunsafe {{ put(cursor, words) }}\n}}\n"
        );
        return;
    }
    let checks = same_lengths(arguments);
    let mutable = if checks.is_empty() { "" } else { "mut " };
    let _ = writeln!(
        out,
        "pub(in crate::commands) unsafe fn {name}({mutable}cursor: Cursor, {given}) -> Cursor {{"
    );
    for (wrong, argument) in checks {
        let _ = writeln!(
            out,
            "if {wrong} {{ cursor.fail(RecordError::BadArgument {{ command: \"{}\", argument: \"{argument}\" }}); \
             return cursor; }}",
            command.name
        );
    }
    let spans = arguments.all.iter().filter(|a| a.is_pointer()).map(span);
    let spans = spans.collect::<Vec<_>>().join(", ");
    let words = words.join(", ");
    let _ = writeln!(
        out,
        "let spans = [{spans}];\n// SAFETY: the caller vouches for the arguments; the layouts are those of their types.\n\
         unsafe {{ encode(cursor, {index}, {inline}, &[{words}], &spans) }}\n}}\n"
    );
}

/// One arm of the replay.
fn arm(out: &mut String, listed: &Listed<'_>, arguments: &Arguments) {
    let Listed { command, index, .. } = listed;
    let mut values = vec!["buffer".to_owned()];
    for argument in &arguments.all {
        let (Kind::Scalar(scalar) | Kind::Count { scalar, .. }) = argument.kind else {
            values.push(format!("words.pointer({})", argument.word));
            continue;
        };
        let bits = match argument.slot {
            Some(Slot::Inline) | None => "inline".to_owned(),
            Some(Slot::Low(word)) => format!("words.low({word})"),
            Some(Slot::High(word)) => format!("words.high({word})"),
            Some(Slot::Whole(word)) => format!("words.at({word})"),
        };
        values.push(from_bits(scalar, &argument.rust, &bits));
    }
    let _ = writeln!(
        out,
        "{index} => {{ let call: vk::PFN_{} = device.function({index}); call({}); }}",
        command.name,
        values.join(", ")
    );
}

/// The file of one subject.
pub(super) fn subject(
    registry: &Registry,
    subject: &str,
    listed: &[Listed<'_>],
) -> Result<String, String> {
    let (mut encoders, mut arms) = (String::new(), String::new());
    for listed in listed
        .iter()
        .filter(|l| l.subject == subject && l.form == Form::Ruled)
    {
        let arguments = Arguments::of(registry, listed.command)?;
        encoder(&mut encoders, listed, &arguments);
        arm(&mut arms, listed, &arguments);
    }
    let mut imports = String::new();
    let uses = |word: &str| encoders.contains(word) || arms.contains(word);
    if uses("layouts::") {
        imports.push_str("use super::layouts;\n");
    }
    let deep: Vec<_> = [("Span::", "Span"), ("encode(", "encode")]
        .iter()
        .filter(|(word, _)| uses(word))
        .map(|(_, name)| *name)
        .collect();
    if !deep.is_empty() {
        let _ = writeln!(
            imports,
            "use crate::commands::deep::{{{}}};",
            deep.join(", ")
        );
    }
    let encode: Vec<_> = [("lacks(", "lacks"), ("pair(", "pair"), (" put(", "put")]
        .iter()
        .filter(|(word, _)| uses(word))
        .map(|(_, name)| *name)
        .collect();
    if !encode.is_empty() {
        let _ = writeln!(
            imports,
            "use crate::commands::encode::{{{}}};",
            encode.join(", ")
        );
    }
    imports.push_str("use crate::commands::replay::Words;\n");
    if uses(" header(") || uses("[header(") {
        imports.push_str("use crate::commands::{header, op};\n");
    }
    if uses("RecordError") {
        imports.push_str("use crate::error::RecordError;\n");
    }
    imports.push_str("use crate::raw::Device;\nuse crate::recorder::cursor::Cursor;\n");
    let handle = uses("Handle::from_raw");
    let inline = if arms.contains("inline") {
        "inline"
    } else {
        "_"
    };
    imports.push_str(if handle {
        "use ash::vk::{self, Handle};\n"
    } else {
        "use ash::vk;\n"
    });
    if uses("slice::from_ref") {
        imports.push_str("use std::slice;\n");
    }
    Ok(format!(
        "//! Encoders and replay: {subject}.\n{GENERATED}\n\
         #![allow(unsafe_code, reason = \"writes words at the cursor of a block, reads them, and calls the driver\")]\n\
         #![allow(clippy::multiple_unsafe_ops_per_block, reason = \"one arm reads the words of one command and makes its call\")]\n\
         #![allow(clippy::too_many_arguments, reason = \"the arguments are Vulkan's\")]\n\n{imports}\n{encoders}\n\
         /// Replays one of the commands of this file.\n///\n/// # Safety\n///\n/// As `replay::replay`; the words are those that an \
         encoder of this file wrote.\n\
         pub(super) unsafe fn replay(device: &Device, buffer: vk::CommandBuffer, index: u16, {inline}: u32, words: Words) {{\n\
         // SAFETY: each arm reads what the encoder of its command wrote (C2); the function was there when it was encoded.\n\
         unsafe {{ match index {{\n{arms}_ => crate::commands::replay::nobody_encodes(), }} }}\n}}\n"
    ))
}

/// The methods of the trait, and those of all that have a cursor.
pub(super) fn recorder(registry: &Registry, listed: &[Listed<'_>]) -> Result<String, String> {
    let (mut declared, mut encoded) = (String::new(), String::new());
    for listed in listed.iter().filter(|l| l.form == Form::Ruled) {
        let command: &Command = listed.command;
        let index = listed.index;
        let arguments = Arguments::of(registry, command)?;
        let (given, names) = (arguments.given(), arguments.names());
        let name = method(&command.name);
        let comma = if given.is_empty() { "" } else { ", " };
        let signature = format!("unsafe fn cmd_{name}(&mut self{comma}{given})");
        let many = arguments.all.iter().filter(|a| a.given().is_some()).count() >= 7;
        let allowed = if many {
            "#[allow(clippy::too_many_arguments, reason = \"the arguments are Vulkan's\")]\n"
        } else {
            ""
        };
        let version = match command.from.strip_prefix("VK_VERSION_") {
            Some(version) => format!("Vulkan {}", version.replace('_', ".")),
            None => format!("`{}`", command.from),
        };
        let _ = writeln!(
            declared,
            "/// `{}`, of {version}.\n///\n/// # Safety\n///\n/// See [the trait](Recorder#safety).\n#[doc(alias = \"{}\")]\n{allowed}{signature};\n",
            command.name, command.name
        );
        let path = format!("$crate::commands::generated::{}::{name}", listed.subject);
        if arguments.pointers == 0 {
            let _ = writeln!(
                encoded,
                "#[inline(always)] {signature} {{\n// SAFETY: the arguments' contract is the caller's.\n\
                 unsafe {{ {path}(self.cursor_for({index}){comma}{names}) }}\n}}\n"
            );
        } else {
            let _ = writeln!(
                encoded,
                "#[inline] {signature} {{\nlet cursor = self.cursor_for({index});\n// SAFETY: the arguments' contract is the caller's.\n\
                 *cursor = unsafe {{ {path}(*cursor{comma}{names}) }};\n}}\n"
            );
        }
    }
    Ok(format!(
        "//! The methods of the recorder that follow from the registry.\n{GENERATED}\n\
         /// Declares them, in the trait.\nmacro_rules! declare {{ () => {{\n{declared}}} }}\n\n\
         /// Encodes them, for all that have a cursor.\nmacro_rules! encode {{ () => {{\n{encoded}}} }}\n\n\
         pub(crate) use declare;\npub(crate) use encode;\n"
    ))
}
