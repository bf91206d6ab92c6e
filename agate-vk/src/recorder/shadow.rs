//! What a recorder that leaves out redundant state knows of the state that its commands have set.
//!
//! Nothing is known at first. A binding or a value is known from the command that sets it to whatever may change it, and
//! only what would set it to the same again is left out. Zero and null stand for the unknown, so those are never left out.
//!
//! What a pipeline has as static state is not known here. So binding another pipeline forgets all dynamic state; and
//! binding the same again is left out only where every dynamic state that was set since has been drawn with: that shows
//! that the pipeline has it as dynamic, for else the draw would not be valid. It also forgets the descriptor sets, which
//! its layout may not fit.

use crate::commands::generated::eliminating::NUMBERS;
use ash::vk::{self, Handle};

/// The bindings of vertex buffers, and the descriptor sets, that are known; those beyond are never left out.
const KNOWN: usize = 8;

const _: () = assert!(NUMBERS < 64);

/// See the module.
pub(super) struct Shadow {
    graphics: vk::Pipeline,
    compute: vk::Pipeline,
    /// Whether dynamic state was set since `graphics` was bound, and nothing drawn since.
    unproven: bool,
    /// The first vertex buffer, which stands apart to be found fast.
    vertices: (vk::Buffer, u64),
    others: [(vk::Buffer, u64); KNOWN],
    index: (vk::Buffer, u64, vk::IndexType),
    graphics_sets: Sets,
    compute_sets: Sets,
    /// Bits of floats.
    viewport: [u32; 6],
    scissor: [u32; 4],
    line_width: u32,
    /// Dynamic state of one number: which is known, and what it is.
    known: u64,
    numbers: [u32; NUMBERS],
}

/// The bits of [`Shadow::known`] that stand for what is no number.
const VIEWPORT: u64 = 1 << 63;
const SCISSOR: u64 = 1 << 62;
const LINE_WIDTH: u64 = 1 << 61;
const _: () = assert!(NUMBERS <= 61);

/// Sets that were bound with one layout and without dynamic offsets.
struct Sets {
    layout: vk::PipelineLayout,
    bound: [vk::DescriptorSet; KNOWN],
}

impl Sets {
    const NONE: Self = Self {
        layout: vk::PipelineLayout::null(),
        bound: [vk::DescriptorSet::null(); KNOWN],
    };

    /// Whether the call changes anything; notes what it binds.
    fn binds(
        &mut self,
        layout: vk::PipelineLayout,
        first: u32,
        sets: &[vk::DescriptorSet],
        offsets: &[u32],
    ) -> bool {
        let same_layout = self.layout == layout && layout != vk::PipelineLayout::null();
        if !same_layout {
            // It may disturb any other set.
            *self = Self {
                layout,
                ..Self::NONE
            };
        }
        let mut changes = !same_layout || !offsets.is_empty();
        for (index, set) in (first as usize..).zip(sets) {
            match self.bound.get_mut(index) {
                Some(bound) if offsets.is_empty() => {
                    changes |= *bound != *set || set.is_null();
                    *bound = *set;
                }
                Some(bound) => *bound = vk::DescriptorSet::null(),
                None => changes = true,
            }
        }
        changes
    }
}

/// Marks the branch that is taken seldom, for the compiler.
#[cold]
fn seldom() {}

impl Shadow {
    /// Nothing is known.
    pub(super) const UNKNOWN: Self = Self {
        graphics: vk::Pipeline::null(),
        compute: vk::Pipeline::null(),
        unproven: false,
        vertices: NO_VERTICES,
        others: [NO_VERTICES; KNOWN],
        index: (vk::Buffer::null(), 0, vk::IndexType::UINT16),
        graphics_sets: Sets::NONE,
        compute_sets: Sets::NONE,
        viewport: [0; 6],
        scissor: [0; 4],
        line_width: 0,
        known: 0,
        numbers: [0; NUMBERS],
    };

    /// Forgets everything. The numbers need not be cleared, as none is known.
    #[inline(never)]
    pub(super) fn forget(&mut self) {
        *self = Self::UNKNOWN;
    }

    /// A draw shows that the bound pipeline has all dynamic state that was set.
    #[inline(always)]
    pub(super) fn drawn(&mut self) {
        self.unproven = false;
    }

    /// Whether binding this pipeline changes anything.
    #[inline(always)]
    pub(super) fn binds(&mut self, point: vk::PipelineBindPoint, pipeline: vk::Pipeline) -> bool {
        if point == vk::PipelineBindPoint::GRAPHICS {
            if self.graphics == pipeline && !self.unproven && !pipeline.is_null() {
                return false;
            }
            seldom();
            self.graphics = pipeline;
            self.unproven = false;
            self.known = 0;
            self.graphics_sets.layout = vk::PipelineLayout::null();
        } else if point == vk::PipelineBindPoint::COMPUTE {
            if self.compute == pipeline && !pipeline.is_null() {
                return false;
            }
            seldom();
            self.compute = pipeline;
            self.compute_sets.layout = vk::PipelineLayout::null();
        }
        true
    }

    /// Whether binding these vertex buffers changes anything.
    #[inline(always)]
    pub(super) fn binds_vertices(
        &mut self,
        first: u32,
        buffers: &[vk::Buffer],
        offsets: &[u64],
    ) -> bool {
        if let (0, [buffer], [offset]) = (first, buffers, offsets) {
            if self.vertices == (*buffer, *offset) && !buffer.is_null() {
                return false;
            }
            seldom();
            self.vertices = (*buffer, *offset);
            return true;
        }
        self.binds_several(first, buffers, offsets)
    }

    #[inline(never)]
    fn binds_several(&mut self, first: u32, buffers: &[vk::Buffer], offsets: &[u64]) -> bool {
        let mut changes = buffers.is_empty() || buffers.len() != offsets.len();
        for (binding, new) in
            (first as usize..).zip(buffers.iter().copied().zip(offsets.iter().copied()))
        {
            let old = match binding {
                0 => &mut self.vertices,
                1..KNOWN => &mut self.others[binding],
                _ => {
                    changes = true;
                    continue;
                }
            };
            changes |= *old != new || new.0.is_null();
            *old = new;
        }
        changes
    }

    /// Whether binding this index buffer changes anything.
    #[inline(always)]
    pub(super) fn binds_indices(
        &mut self,
        buffer: vk::Buffer,
        offset: u64,
        kind: vk::IndexType,
    ) -> bool {
        let new = (buffer, offset, kind);
        if self.index == new && !buffer.is_null() {
            return false;
        }
        self.index = new;
        true
    }

    /// Whether binding these descriptor sets changes anything.
    #[inline(never)]
    pub(super) fn binds_sets(
        &mut self,
        point: vk::PipelineBindPoint,
        layout: vk::PipelineLayout,
        first: u32,
        sets: &[vk::DescriptorSet],
        offsets: &[u32],
    ) -> bool {
        match point {
            vk::PipelineBindPoint::GRAPHICS => {
                self.graphics_sets.binds(layout, first, sets, offsets)
            }
            vk::PipelineBindPoint::COMPUTE => self.compute_sets.binds(layout, first, sets, offsets),
            _ => true,
        }
    }

    /// Whether setting these viewports changes anything.
    #[inline(always)]
    pub(super) fn sets_viewport(&mut self, first: u32, viewports: &[vk::Viewport]) -> bool {
        let (0, [viewport]) = (first, viewports) else {
            self.set_viewports();
            return true;
        };
        let v = *viewport;
        let new = [v.x, v.y, v.width, v.height, v.min_depth, v.max_depth].map(f32::to_bits);
        if self.viewport == new && self.known & VIEWPORT != 0 {
            return false;
        }
        self.viewport = new;
        self.known |= VIEWPORT;
        self.unproven = true;
        true
    }

    /// Whether setting these scissors changes anything.
    #[inline(always)]
    pub(super) fn sets_scissor(&mut self, first: u32, scissors: &[vk::Rect2D]) -> bool {
        let (0, [scissor]) = (first, scissors) else {
            self.set_scissors();
            return true;
        };
        let (at, size) = (scissor.offset, scissor.extent);
        let new = [at.x as u32, at.y as u32, size.width, size.height];
        if self.scissor == new && self.known & SCISSOR != 0 {
            return false;
        }
        self.scissor = new;
        self.known |= SCISSOR;
        self.unproven = true;
        true
    }

    /// Whether setting this width, given as bits, changes anything.
    #[inline(always)]
    pub(super) fn sets_line_width(&mut self, width: u32) -> bool {
        if self.line_width == width && self.known & LINE_WIDTH != 0 {
            return false;
        }
        self.line_width = width;
        self.known |= LINE_WIDTH;
        self.unproven = true;
        true
    }

    /// Whether setting the dynamic state that is one number changes anything.
    #[inline(always)]
    pub(super) fn sets_number(&mut self, index: usize, number: u32) -> bool {
        if self.known & 1 << index != 0 && self.numbers[index] == number {
            return false;
        }
        self.numbers[index] = number;
        self.known |= 1 << index;
        self.unproven = true;
        true
    }

    /// Some viewports are set.
    #[inline(always)]
    pub(super) fn set_viewports(&mut self) {
        self.known &= !VIEWPORT;
        self.unproven = true;
    }

    /// Some scissors are set.
    #[inline(always)]
    pub(super) fn set_scissors(&mut self) {
        self.known &= !SCISSOR;
        self.unproven = true;
    }

    /// Dynamic state is set that is not known here.
    #[inline(always)]
    pub(super) fn set_other(&mut self) {
        self.unproven = true;
    }
}

const NO_VERTICES: (vk::Buffer, u64) = (vk::Buffer::null(), 0);
