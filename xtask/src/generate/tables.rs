//! Writes the table of the commands, and the list of the files.

use std::fmt::Write as _;

use super::registry::{Command, method};
use super::{Form, GENERATED, Listed, SUBJECTS};

/// The table of the commands.
pub(super) fn table(listed: &[Listed<'_>]) -> String {
    let mut out = format!(
        "//! The commands that are encoded, in the order of their op codes.\n{GENERATED}\n\
         use crate::commands::table::{{Command, Scope}};\nuse ash::vk::QueueFlags;\n\n\
         const GRAPHICS: u32 = QueueFlags::GRAPHICS.as_raw();\nconst COMPUTE: u32 = QueueFlags::COMPUTE.as_raw();\n\
         const TRANSFER: u32 = QueueFlags::TRANSFER.as_raw();\n\n"
    );
    for listed in listed.iter().filter(|l| l.form != Form::Ruled) {
        let name = method(&listed.command.name).to_uppercase();
        let _ = writeln!(out, "pub(crate) const {name}: u16 = {};", listed.index);
    }
    let _ = writeln!(
        out,
        "\n/// All of them.\npub(crate) static COMMANDS: [Command; {}] = [",
        listed.len()
    );
    for listed in listed {
        let Command {
            name,
            aliases,
            queues,
            scope,
            levels,
            from,
            ..
        } = listed.command;
        let names = std::iter::once(name).chain(aliases);
        let names: Vec<_> = names.map(|name| format!("c\"{name}\"")).collect();
        let scope = match scope.as_str() {
            "inside" => "Inside",
            "outside" => "Outside",
            _ => "Both",
        };
        let queues = queues.iter().filter_map(|queue| match queue.as_str() {
            "graphics" => Some("GRAPHICS"),
            "compute" => Some("COMPUTE"),
            "transfer" => Some("TRANSFER"),
            _ => None,
        });
        let queues = queues.collect::<Vec<_>>().join(" | ");
        let secondary = levels.iter().any(|level| level == "secondary");
        let _ = writeln!(
            out,
            "Command {{ name: \"{name}\", from: \"{from}\", names: &[{}], scope: Scope::{scope}, \
             queues: QueueFlags::from_raw({queues}), secondary: {secondary} }},",
            names.join(", ")
        );
    }
    out.push_str("];\n");
    out
}

/// The list of the files, and which replays which command.
pub(super) fn module(listed: &[Listed<'_>]) -> String {
    let mut out = format!(
        "//! What follows from Vulkan's registry.\n{GENERATED}\n\
         #![allow(unsafe_code, reason = \"hands words to the file that replays them\")]\n\
         #![allow(clippy::multiple_unsafe_ops_per_block, reason = \"one of the calls is made\")]\n\n"
    );
    let others = [
        "any",
        "direct",
        "eliminating",
        "layouts",
        "recorder",
        "table",
    ];
    for file in SUBJECTS.iter().copied().chain(others) {
        let _ = writeln!(out, "pub(crate) mod {file};");
    }
    let _ = writeln!(
        out,
        "\nuse crate::commands::replay::Words;\nuse crate::raw::Device;\nuse ash::vk;\n\n\
         /// Replays the command of that index.\n///\n/// # Safety\n///\n/// As `replay::replay`; the words are those that its \
         encoder wrote.\n#[cold]\n\
         pub(super) unsafe fn replay(device: &Device, buffer: vk::CommandBuffer, index: u16, inline: u32, words: Words) {{\n\
         // SAFETY: the caller's contract.\nunsafe {{ match index {{"
    );
    for subject in SUBJECTS {
        let mut of = listed
            .iter()
            .filter(|l| l.subject == subject)
            .map(|l| l.index);
        if let Some(first) = of.next() {
            let last = of.next_back().unwrap_or(first);
            let _ = writeln!(
                out,
                "{first}..={last} => {subject}::replay(device, buffer, index, inline, words),"
            );
        }
    }
    out.push_str("_ => super::irregular::replay(device, buffer, index, inline, words),\n} }\n}\n");
    out
}
