//! What a pass consists of: commands in the primary command buffer, or secondary command buffers and what they inherit.

use super::MAX_PASSES;
use ash::vk::{self, Handle};
use std::sync::atomic::{AtomicU64, Ordering};

/// The most colour attachments of a pass with secondary contents.
pub const MAX_COLOR_FORMATS: usize = 8;

/// What a secondary command buffer inherits, by value: it has to outlive the declaration of its pass.
#[derive(Clone, Copy)]
pub(crate) enum Inheritance {
    /// It is executed outside of rendering, and inherits nothing.
    Outside,
    /// It is executed inside of a dynamic rendering.
    Rendering {
        flags: vk::RenderingFlags,
        view_mask: u32,
        colors: [vk::Format; MAX_COLOR_FORMATS],
        color_count: u32,
        depth: vk::Format,
        stencil: vk::Format,
        samples: vk::SampleCountFlags,
    },
    /// It is executed inside of the first subpass of a render pass.
    RenderPass {
        render_pass: vk::RenderPass,
        framebuffer: vk::Framebuffer,
    },
}

impl Inheritance {
    /// What the secondaries of a dynamic rendering inherit; view mask and flags are the rendering's. `None`: too many
    /// formats.
    pub(super) fn rendering(
        info: &vk::RenderingInfo<'_>,
        inherited: &vk::CommandBufferInheritanceRenderingInfo<'_>,
        formats: &[vk::Format],
    ) -> Option<Self> {
        let mut colors = [vk::Format::UNDEFINED; MAX_COLOR_FORMATS];
        colors.get_mut(..formats.len())?.copy_from_slice(formats);
        Some(Self::Rendering {
            flags: info.flags & !vk::RenderingFlags::CONTENTS_SECONDARY_COMMAND_BUFFERS,
            view_mask: info.view_mask,
            colors,
            color_count: formats.len() as u32,
            depth: inherited.depth_attachment_format,
            stencil: inherited.stencil_attachment_format,
            samples: inherited.rasterization_samples,
        })
    }

    fn to_words(self) -> [u64; WORDS] {
        let mut words = [0; WORDS];
        match self {
            Self::Outside => words[0] = OUTSIDE,
            Self::Rendering {
                flags,
                view_mask,
                colors,
                color_count,
                depth,
                stencil,
                samples,
            } => {
                words[0] = RENDERING | u64::from(color_count) << 32;
                words[1] = pair(flags.as_raw(), view_mask);
                words[2] = pair(depth.as_raw() as u32, stencil.as_raw() as u32);
                words[3] = u64::from(samples.as_raw());
                for (word, two) in words[4..].iter_mut().zip(colors.chunks_exact(2)) {
                    *word = pair(two[0].as_raw() as u32, two[1].as_raw() as u32);
                }
            }
            Self::RenderPass {
                render_pass,
                framebuffer,
            } => {
                words[0] = RENDER_PASS;
                words[1] = render_pass.as_raw();
                words[2] = framebuffer.as_raw();
            }
        }
        words
    }

    /// `None` where the words stand for commands in the primary.
    fn from_words(words: [u64; WORDS]) -> Option<Self> {
        let low = |word: u64| word as u32;
        let high = |word: u64| (word >> 32) as u32;
        let format = |raw: u32| vk::Format::from_raw(raw as i32);
        match words[0] & 0xffff_ffff {
            OUTSIDE => Some(Self::Outside),
            RENDERING => {
                let mut colors = [vk::Format::UNDEFINED; MAX_COLOR_FORMATS];
                for (two, word) in colors.chunks_exact_mut(2).zip(&words[4..]) {
                    (two[0], two[1]) = (format(low(*word)), format(high(*word)));
                }
                Some(Self::Rendering {
                    flags: vk::RenderingFlags::from_raw(low(words[1])),
                    view_mask: high(words[1]),
                    colors,
                    color_count: high(words[0]),
                    depth: format(low(words[2])),
                    stencil: format(high(words[2])),
                    samples: vk::SampleCountFlags::from_raw(low(words[3])),
                })
            }
            RENDER_PASS => Some(Self::RenderPass {
                render_pass: vk::RenderPass::from_raw(words[1]),
                framebuffer: vk::Framebuffer::from_raw(words[2]),
            }),
            _ => None,
        }
    }
}

const WORDS: usize = 4 + MAX_COLOR_FORMATS / 2;
const OUTSIDE: u64 = 1;
const RENDERING: u64 = 2;
const RENDER_PASS: u64 = 3;

fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// The contents of the passes of a frame in flight. Written by the main thread when it declares a pass, before anybody can
/// have a slot of it; read by who has got a message from one of its slots.
pub(super) struct AllContents([[AtomicU64; WORDS]; MAX_PASSES as usize]);

impl Default for AllContents {
    fn default() -> Self {
        Self([const { [const { AtomicU64::new(0) }; WORDS] }; MAX_PASSES as usize])
    }
}

impl AllContents {
    /// `None`: inline.
    pub(super) fn set(&self, pass: u32, contents: Option<Inheritance>) {
        let words = contents.map_or([0; WORDS], Inheritance::to_words);
        for (to, word) in self.0[pass as usize].iter().zip(words) {
            to.store(word, Ordering::Relaxed);
        }
    }

    /// `None`: inline.
    pub(super) fn get(&self, pass: u32) -> Option<Inheritance> {
        let words = self.0.get(pass as usize)?;
        Inheritance::from_words(std::array::from_fn(|i| words[i].load(Ordering::Relaxed)))
    }
}
