//! What the demo shows: a sunflower disc of agate half-geodes, seen by an orbiting camera. Pure
//! arithmetic; no Vulkan call is made here.
//!
//! Every stone is one indexed draw of the same [`Mesh`] with its own [`StonePush`]. The ground is
//! one more draw of three vertices without a vertex buffer, recorded after the stones.

mod camera;
mod layout;
mod mesh;
mod outline;
mod palette;
mod random;

use ash::vk;

pub use camera::{Camera, View};
pub use mesh::{Mesh, Vertex};

use palette::Look;
use random::Random;

/// SPIR-V of the stones' pipeline, entry points [`VERTEX_ENTRY`] and [`FRAGMENT_ENTRY`].
///
/// The bytes are not aligned to words: read them with `ash::util::read_spv`.
pub const STONE_SPV: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/stone.spv"));
/// SPIR-V of the ground's pipeline, entry points [`VERTEX_ENTRY`] and [`FRAGMENT_ENTRY`].
pub const GROUND_SPV: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/ground.spv"));
/// Name of the vertex shader in both modules.
pub const VERTEX_ENTRY: &std::ffi::CStr = c"vs";
/// Name of the fragment shader in both modules.
pub const FRAGMENT_ENTRY: &std::ffi::CStr = c"fs";

/// Stages that read the push constants of both pipelines.
pub const PUSH_STAGES: vk::ShaderStageFlags = vk::ShaderStageFlags::from_raw(
    vk::ShaderStageFlags::VERTEX.as_raw() | vk::ShaderStageFlags::FRAGMENT.as_raw(),
);
/// Faces that the stones' pipeline drops.
pub const STONE_CULL: vk::CullModeFlags = vk::CullModeFlags::BACK;
/// Winding of front faces (the compiled shaders turn y over, so it is as seen with y up).
pub const FRONT_FACE: vk::FrontFace = vk::FrontFace::COUNTER_CLOCKWISE;
/// Depth state of the stones. Depth is cleared to 1.
pub const STONE_DEPTH: Depth = Depth {
    test: true,
    write: true,
    compare: vk::CompareOp::LESS,
};
/// Depth state of the ground, which lies at depth 1 and is drawn after the stones, so that only
/// the pixels that no stone covers are shaded.
pub const GROUND_DEPTH: Depth = Depth {
    test: true,
    write: false,
    compare: vk::CompareOp::LESS_OR_EQUAL,
};
/// Vertices of the ground's draw: one triangle over the whole screen, no vertex buffer, no culling.
pub const GROUND_VERTICES: u32 = 3;
/// Clear value of depth.
pub const CLEAR_DEPTH: f32 = 1.0;

/// Depth state of a pipeline.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Whether depth is tested.
    pub test: bool,
    /// Whether depth is written.
    pub write: bool,
    /// The test.
    pub compare: vk::CompareOp,
}

/// Push constants of one stone, as `shaders/stone.wgsl` reads them: words without padding.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StonePush {
    view_projection: [f32; 16],
    stone: Stone,
    eye: [f32; 3],
    time_s: f32,
}

/// The part of [`StonePush`] that never changes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stone {
    position: [f32; 3],
    radius: f32,
    /// Quaternion, four snorm16.
    rotation: [u32; 2],
    look: Look,
}

/// Push constants of the ground, as `shaders/ground.wgsl` reads them: words without padding.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroundPush {
    eye: [f32; 3],
    time_s: f32,
    right: [f32; 3],
    stones: f32,
    up: [f32; 3],
    seed: f32,
    forward: [f32; 3],
    spare: f32,
    slots: [u32; 8],
}

const _: () = assert!(size_of::<StonePush>() == 128);
const _: () = assert!(size_of::<GroundPush>() == 96);

/// A disc of stones and the mesh that they share.
///
/// The same seed, number of stones and detail give the same scene.
pub struct Scene {
    /// The shape that every stone's draw uses; the vertex shader gives each its own outline.
    pub mesh: Mesh,
    stones: Vec<Stone>,
    seed: u32,
}

impl Scene {
    /// A scene of `stones` stones. `detail` is 0 (coarse) to 3 (fine); larger values mean 3.
    pub fn new(seed: u64, stones: usize, detail: u32) -> Self {
        let short = Random::new(seed, u64::MAX).word() & 0xffff;
        let mut disc = layout::Disc::default();
        let stones = (0..stones)
            .map(|index| stone(seed, short, index, &mut disc))
            .collect();
        Self {
            mesh: Mesh::geode(detail),
            stones,
            seed: short,
        }
    }

    /// Number of stones, each of them one draw.
    pub fn len(&self) -> usize {
        self.stones.len()
    }

    /// Whether there is no stone at all.
    pub fn is_empty(&self) -> bool {
        self.stones.is_empty()
    }

    /// Push constants of stone `index` in `view`; two copies, no arithmetic.
    ///
    /// # Panics
    /// When `index` is not less than [`Scene::len`].
    #[inline]
    pub fn stone_push(&self, index: usize, view: &View) -> StonePush {
        StonePush {
            view_projection: view.view_projection,
            stone: self.stones[index],
            eye: view.eye,
            time_s: view.time_s,
        }
    }

    /// Push constants of the ground in `view`.
    pub fn ground_push(&self, view: &View) -> GroundPush {
        GroundPush {
            eye: view.eye,
            time_s: view.time_s,
            right: view.right,
            stones: self.stones.len() as f32,
            up: view.up,
            seed: self.seed as f32,
            forward: view.forward,
            spare: 0.0,
            slots: palette::slots(),
        }
    }
}

fn stone(seed: u64, short: u32, index: usize, disc: &mut layout::Disc) -> Stone {
    let mut random = Random::new(seed, index as u64);
    let chance = layout::chance(short, index);
    let look = Look::choose(chance, &mut random);
    let lie = disc.put(look.outline(), layout::radius(chance), &mut random);
    Stone {
        position: lie.position,
        radius: lie.radius,
        rotation: lie.rotation(),
        look,
    }
}

#[cfg(test)]
mod tests;
