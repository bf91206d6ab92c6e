//! Names and labels for debuggers, where the host has enabled `VK_EXT_debug_utils`.
//!
//! # Invariants
//!
//! - U1: a name or a label is given to an object of this device, by the owner of that object; the text ends with a null
//!   byte and lives as long as the call.

#![allow(unsafe_code, reason = "calls Vulkan")]

use crate::queue::Queue;
use crate::raw::Device;
use ash::vk;
use std::ffi::CStr;
use std::io::Write;

/// The functions, where they are there.
pub(crate) type Functions = ash::ext::debug_utils::DeviceFn;

/// The longest text of a label or a name, without the null byte; what is longer is cut.
const LONGEST: usize = 63;

/// A short text that needs no heap.
#[derive(Clone, Copy)]
pub(crate) struct Text([u8; LONGEST + 1]);

impl Text {
    pub(crate) fn new(arguments: std::fmt::Arguments<'_>) -> Self {
        let mut text = [0; LONGEST + 1];
        let mut room = &mut text[..LONGEST];
        // What does not fit is cut.
        let _ = room.write_fmt(arguments);
        Self(text)
    }

    fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }

    fn label(&self) -> vk::DebugUtilsLabelEXT<'_> {
        vk::DebugUtilsLabelEXT::default().label_name(self.as_c_str())
    }
}

impl Device {
    /// Names an object after the service and what it is. That it cannot be named is no error.
    pub(crate) fn name(&self, object: impl vk::Handle, what: &str) {
        let Some(functions) = self.labels() else {
            return;
        };
        let text = Text::new(format_args!("{} {what}", self.service_name()));
        let info = vk::DebugUtilsObjectNameInfoEXT::default()
            .object_handle(object)
            .object_name(text.as_c_str());
        // SAFETY: U1.
        let _ = unsafe { (functions.set_debug_utils_object_name_ext)(self.handle(), &info) };
    }

    /// Begins a label in a command buffer that is being recorded.
    pub(crate) fn begin_label(&self, buffer: vk::CommandBuffer, text: &Text) {
        if let Some(functions) = self.labels() {
            // SAFETY: U1.
            unsafe { (functions.cmd_begin_debug_utils_label_ext)(buffer, &text.label()) };
        }
    }

    /// Ends the label that was begun last.
    pub(crate) fn end_label(&self, buffer: vk::CommandBuffer) {
        if let Some(functions) = self.labels() {
            // SAFETY: U1.
            unsafe { (functions.cmd_end_debug_utils_label_ext)(buffer) };
        }
    }

    /// Puts a label around what is done with the queue.
    pub(crate) fn labelled<R>(
        &self,
        queue: Queue,
        text: &Text,
        act: impl FnOnce(vk::Queue) -> R,
    ) -> R {
        queue.with(|queue| {
            let Some(functions) = self.labels() else {
                return act(queue);
            };
            // SAFETY: U1.
            unsafe { (functions.queue_begin_debug_utils_label_ext)(queue, &text.label()) };
            let result = act(queue);
            // SAFETY: U1.
            unsafe { (functions.queue_end_debug_utils_label_ext)(queue) };
            result
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn what_is_too_long_is_cut() {
        let long = "a".repeat(100);
        assert_eq!(
            Text::new(format_args!("{long}")).as_c_str().to_bytes(),
            &long.as_bytes()[..63]
        );
        let short = Text::new(format_args!("frame {}", 7));
        assert_eq!(short.as_c_str(), c"frame 7");
    }
}
