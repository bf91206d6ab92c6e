//! Passes whose contents are secondary command buffers: one for each slot.

#![allow(
    unsafe_code,
    reason = "declares the unsafe methods that record commands"
)]

use super::{Frame, Inheritance, MAX_COLOR_FORMATS, Pass};
use crate::checks::Standing;
use crate::error::{PassError, RecordError};
use crate::recorder::Recorder;
use ash::vk;

/// Passes with secondary contents. Every slot becomes one secondary command buffer, which the primary executes in slot
/// order. So a slot can be recorded into its buffer before those in front of it are complete, and a slot inherits nothing
/// but what the pass says.
impl Frame {
    /// A pass outside of rendering, contents in secondary command buffers.
    ///
    /// # Errors
    ///
    /// [`PassError`]: too many slots or passes.
    #[doc(alias = "vkCmdExecuteCommands")]
    pub fn outside_secondaries(&mut self, slots: u32) -> Result<Pass, PassError> {
        let pass = self.next_pass(slots, Some(Inheritance::Outside))?;
        Ok(self.declare(pass, slots, Standing::OUTSIDE.in_secondary(true)))
    }

    /// A pass inside one dynamic rendering, contents in secondary command buffers. The owner begins and ends it.
    ///
    /// Of `inherited`, formats and samples count; view mask and flags are those of `info`, and its flag for contents in
    /// secondary command buffers need not be set.
    ///
    /// ```no_run
    /// # use agate_vk::{Frame, Pass, PassError, vk};
    /// # fn example(frame: &mut Frame, info: &vk::RenderingInfo<'_>, format: vk::Format) -> Result<Pass, PassError> {
    /// let formats = [format];
    /// let inherited = vk::CommandBufferInheritanceRenderingInfo::default()
    ///     .color_attachment_formats(&formats)
    ///     .rasterization_samples(vk::SampleCountFlags::TYPE_1);
    /// // SAFETY: the attachments have this format and live until the frame's ticket has resolved.
    /// let pass = unsafe { frame.rendering_secondaries(info, &inherited, 8)? };
    /// # Ok(pass)
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`PassError`]: too many slots, passes or formats, or the begin could not be recorded (a structure in `pNext` that
    /// nobody knows, any in that of `inherited`, or dynamic rendering is not loaded).
    ///
    /// # Safety
    ///
    /// The valid usage of `vkCmdBeginRendering`, `vkCmdEndRendering`, and of `vkBeginCommandBuffer` and
    /// `vkCmdExecuteCommands` with what is inherited; the attachments live until the frame's ticket has resolved, and as long
    /// as a [lease](crate::LeaseRecorder) of the pass is out.
    #[doc(alias = "vkCmdBeginRendering")]
    #[doc(alias = "vkCmdExecuteCommands")]
    pub unsafe fn rendering_secondaries(
        &mut self,
        info: &vk::RenderingInfo<'_>,
        inherited: &vk::CommandBufferInheritanceRenderingInfo<'_>,
        slots: u32,
    ) -> Result<Pass, PassError> {
        if !self.shared.service.device.has_dynamic_rendering() {
            return Err(RecordError::NotLoaded {
                command: "vkCmdBeginRendering",
            }
            .into());
        }
        // SAFETY: the caller's contract: a valid structure.
        let formats = unsafe { formats(inherited) }?;
        let inheritance = Inheritance::rendering(info, inherited, formats).ok_or(
            PassError::TooManyColorFormats {
                max: MAX_COLOR_FORMATS as u32,
            },
        )?;
        let mut info = *info;
        info.flags |= vk::RenderingFlags::CONTENTS_SECONDARY_COMMAND_BUFFERS;
        self.enclosed(
            (slots, Some(inheritance)),
            // SAFETY: the caller's contract.
            |recorder| unsafe { recorder.cmd_begin_rendering(&info) },
            // SAFETY: it ends what was begun.
            |recorder| unsafe { recorder.cmd_end_rendering() },
        )
    }

    /// A pass inside the first subpass of a render pass, contents in secondary command buffers. The owner begins and ends
    /// it.
    ///
    /// # Errors
    ///
    /// [`PassError`]: too many slots or passes, or the begin could not be recorded (a structure in `pNext` that nobody
    /// knows).
    ///
    /// # Safety
    ///
    /// The valid usage of `vkCmdBeginRenderPass`, `vkCmdEndRenderPass` and `vkCmdExecuteCommands`; render pass, framebuffer
    /// and attachments live until the frame's ticket has resolved, and as long as a [lease](crate::LeaseRecorder) of the pass
    /// is out.
    #[doc(alias = "vkCmdBeginRenderPass")]
    #[doc(alias = "vkCmdExecuteCommands")]
    pub unsafe fn render_pass_secondaries(
        &mut self,
        info: &vk::RenderPassBeginInfo<'_>,
        slots: u32,
    ) -> Result<Pass, PassError> {
        let inheritance = Inheritance::RenderPass {
            render_pass: info.render_pass,
            framebuffer: info.framebuffer,
        };
        let contents = vk::SubpassContents::SECONDARY_COMMAND_BUFFERS;
        self.enclosed(
            (slots, Some(inheritance)),
            // SAFETY: the caller's contract.
            |recorder| unsafe { recorder.cmd_begin_render_pass(info, contents) },
            // SAFETY: it ends what was begun.
            |recorder| unsafe { recorder.cmd_end_render_pass() },
        )
    }
}

/// The colour formats that are inherited; an error for what is not understood.
///
/// # Safety
///
/// A valid structure.
unsafe fn formats<'a>(
    inherited: &vk::CommandBufferInheritanceRenderingInfo<'a>,
) -> Result<&'a [vk::Format], RecordError> {
    const COMMAND: &str = "vkBeginCommandBuffer";
    let next = inherited.p_next.cast::<vk::BaseInStructure<'_>>();
    if !next.is_null() {
        return Err(RecordError::UnsupportedPNext {
            command: COMMAND,
            // SAFETY: a chain leads to structures that begin with their type.
            s_type: unsafe { (*next).s_type }.as_raw(),
        });
    }
    let (at, count) = (
        inherited.p_color_attachment_formats,
        inherited.color_attachment_count as usize,
    );
    match (count, at.is_null()) {
        (0, _) => Ok(&[]),
        (_, true) => Err(RecordError::BadArgument {
            command: COMMAND,
            argument: "color_attachment_formats",
        }),
        // SAFETY: the structure has so many formats.
        (_, false) => Ok(unsafe { std::slice::from_raw_parts(at, count) }),
    }
}
