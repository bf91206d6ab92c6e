//! Where the stones lie: the seeds of a sunflower, one unit apart in the square root of their number.
//!
//! `shaders/ground.wgsl` computes places and radii again for the shadows; the two must agree.

use super::random::Random;

/// Share of a full turn between one seed and the next: the golden angle.
const TURN: f64 = 0.381_966_011_250_105;

/// Depth of a half-geode of radius 1 below its cut face, as in `shaders/stone.wgsl`.
pub(super) const BELLY: f32 = 0.655;

/// Centre of stone `index` on the ground.
pub(super) fn place(index: usize) -> [f32; 2] {
    let turn = (index as f64 * TURN).fract() * std::f64::consts::TAU;
    let radius = (index as f64 + 0.5).sqrt();
    [(radius * turn.cos()) as f32, (radius * turn.sin()) as f32]
}

/// Radius of stone `index`: 0.60 to 0.80, less than half the way to the nearest other seed.
pub(super) fn radius(seed: u32, index: usize) -> f32 {
    let mut hash = (index as u32).wrapping_add(seed).wrapping_mul(0x9e37_79b9);
    hash = (hash ^ (hash >> 15)).wrapping_mul(0x85eb_ca6b);
    hash ^= hash >> 13;
    0.60 + 0.20 * (hash & 0xffff) as f32 / 65535.0
}

/// Height of the centre of the face, so that the belly of a tilted stone touches the ground.
pub(super) fn height(radius: f32, tilt: f32) -> f32 {
    let (sin, cos) = tilt.sin_cos();
    radius * (sin * sin * 0.74 + cos * cos * BELLY * BELLY).sqrt() * 0.96
}

/// How a stone lies.
pub(super) struct Lean {
    /// Angle between the cut face and the ground, in radians.
    pub(super) tilt: f32,
    quaternion: [f32; 4],
}

/// A random lean, mostly gentle, and a random turn about the face's own axis.
pub(super) fn lean(random: &mut Random) -> Lean {
    let tilt = 0.06 + 0.36 * random.unit() * random.unit().sqrt();
    let toward = random.range(0.0, std::f32::consts::TAU);
    let spin = random.range(0.0, std::f32::consts::PI);
    let (sin, cos) = (tilt * 0.5).sin_cos();
    let tip = [sin * toward.cos(), 0.0, sin * toward.sin(), cos];
    let (sin, cos) = spin.sin_cos();
    let turn = [0.0, sin, 0.0, cos];
    Lean {
        tilt,
        quaternion: multiply(tip, turn),
    }
}

impl Lean {
    /// The rotation as four snorm16, x in the low half of the first word.
    pub(super) fn packed(&self) -> [u32; 2] {
        let [x, y, z, w] = self
            .quaternion
            .map(|v| u32::from((v.clamp(-1.0, 1.0) * 32767.0).round() as i16 as u16));
        [x | y << 16, z | w << 16]
    }
}

/// First `b`, then `a`.
fn multiply(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
    [
        a[3] * b[0] + a[0] * b[3] + a[1] * b[2] - a[2] * b[1],
        a[3] * b[1] - a[0] * b[2] + a[1] * b[3] + a[2] * b[0],
        a[3] * b[2] + a[0] * b[1] - a[1] * b[0] + a[2] * b[3],
        a[3] * b[3] - a[0] * b[0] - a[1] * b[1] - a[2] * b[2],
    ]
}
