//! What is known of each command beside its arguments: names, and where it may be recorded.

use super::generated::table::COMMANDS;
use ash::vk;
use std::ffi::CStr;
use std::fmt;

/// A command that a recorder encodes, with Vulkan's rules on where it may be recorded.
///
/// ```
/// use agate_vk::{Command, Scope, vk};
///
/// let copy = Command::all().iter().find(|c| c.name == "vkCmdCopyBuffer").unwrap();
/// assert_eq!(copy.scope, Scope::Outside);
/// assert!(copy.secondary && copy.queues.contains(vk::QueueFlags::TRANSFER));
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// The version of Vulkan or the extension that has it.
    pub from: &'static str,
    /// The names that a device may know it by; the first is its own.
    pub names: &'static [&'static CStr],
    /// Whether it belongs inside render passes or outside.
    pub scope: Scope,
    /// The queues that execute it, each of these alone.
    pub queues: vk::QueueFlags,
    /// Whether secondary command buffers may have it; primary ones have all.
    pub secondary: bool,
}

/// Where a command may be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Inside a render pass, dynamic or not.
    Inside,
    /// Outside of them.
    Outside,
    /// Anywhere.
    Both,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("name", &self.name)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl Command {
    /// All commands that are encoded. Those of ash that are not here can be called by nobody but the host: those of
    /// vendors, and those for video.
    pub fn all() -> &'static [Self] {
        &COMMANDS
    }

    /// The command of an index.
    pub(crate) fn of(index: u16) -> &'static Self {
        &COMMANDS[usize::from(index)]
    }
}
