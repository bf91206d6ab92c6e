//! Where the stones lie: the seeds of a sunflower, the disc's radius the square root of their number.
//!
//! `shaders/ground.wgsl` computes places and radii again for the shadows; the two must agree.

use std::f32::consts::TAU;

use super::outline::Outline;
use super::random::Random;

/// Share of a full turn between one seed and the next: the golden angle.
const TURN: f64 = 0.381_966_011_250_105;

/// Depth of a half-geode of radius 1 below its cut face, as in `shaders/stone.wgsl`.
const BELLY: f32 = 0.655;

/// Air that neighbours keep between their rims.
const GAP: f32 = 0.03;

/// Least radius of a stone that had to give way to its neighbours.
const LEAST: f32 = 0.5;

/// Steps in number between seeds that may touch: Fibonacci numbers.
const NEIGHBOURS: [usize; 14] = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610];

/// Centre of stone `index` on the ground.
pub(super) fn place(index: usize) -> [f32; 2] {
    let turn = (index as f64 * TURN).fract() * std::f64::consts::TAU;
    let radius = (index as f64 + 0.5).sqrt();
    [(radius * turn.cos()) as f32, (radius * turn.sin()) as f32]
}

/// Random bits of stone `index` that the ground's shader knows as well: 0 to 15 for the radius,
/// 16 to 19 for the slot in the palette.
pub(super) fn chance(seed: u32, index: usize) -> u32 {
    let mut hash = (index as u32).wrapping_add(seed).wrapping_mul(0x9e37_79b9);
    hash = (hash ^ (hash >> 15)).wrapping_mul(0x85eb_ca6b);
    hash ^ (hash >> 13)
}

/// Radius that a stone would like to have.
pub(super) fn radius(chance: u32) -> f32 {
    0.72 + 0.22 * (chance & 0xffff) as f32 / 65535.0
}

/// How a stone lies.
#[derive(Clone, Copy)]
pub(super) struct Lie {
    /// Centre of the cut face.
    pub(super) position: [f32; 3],
    /// Radius after it gave way.
    pub(super) radius: f32,
    spin: f32,
    outline: Outline,
    quaternion: [f32; 4],
}

impl Lie {
    /// The rotation as four snorm16, x in the low half of the first word.
    pub(super) fn rotation(&self) -> [u32; 2] {
        let [x, y, z, w] = self
            .quaternion
            .map(|v| u32::from((v.clamp(-1.0, 1.0) * 32767.0).round() as i16 as u16));
        [x | y << 16, z | w << 16]
    }

    /// Distance from the centre to the rim in the direction (`x`, `z`) of the world, seen from above.
    fn reach(&self, x: f32, z: f32) -> f32 {
        self.radius * reach(&self.outline, self.spin, x, z)
    }
}

/// Rim of an outline of radius 1 that is turned by `spin`, in a unit direction of the world.
fn reach(outline: &Outline, spin: f32, x: f32, z: f32) -> f32 {
    // A turn by `spin` about y takes (1, 0, 0) to (cos, 0, -sin).
    let (sin, cos) = spin.sin_cos();
    outline.rim([x * cos - z * sin, x * sin + z * cos])
}

/// The stones put down so far.
#[derive(Default)]
pub(super) struct Disc {
    lies: Vec<Lie>,
}

impl Disc {
    /// Puts down the next stone: of eight turns the one that leaves most room, then as large as
    /// `wish` or as the neighbours allow.
    pub(super) fn put(&mut self, outline: Outline, wish: f32, random: &mut Random) -> Lie {
        let index = self.lies.len();
        let [x, z] = place(index);
        let first = random.range(0.0, TAU);
        let mut best = (f32::MIN, first);
        for turn in 0..8 {
            let spin = first + turn as f32 * TAU / 8.0;
            let radius = self.room(index, &outline, spin).min(wish);
            if radius > best.0 {
                best = (radius, spin);
            }
        }
        let (radius, spin) = (best.0.max(LEAST), best.1);
        // Mostly gentle; the face's own turn comes first.
        let tilt = 0.05 + 0.34 * random.unit() * random.unit().sqrt();
        let toward = random.range(0.0, TAU);
        let (sin, cos) = (tilt * 0.5).sin_cos();
        let tip = [sin * toward.cos(), 0.0, sin * toward.sin(), cos];
        let (sin, cos) = (spin * 0.5).sin_cos();
        let lie = Lie {
            position: [x, height(radius, tilt), z],
            radius,
            spin,
            outline,
            quaternion: multiply(tip, [0.0, sin, 0.0, cos]),
        };
        self.lies.push(lie);
        lie
    }

    /// Largest radius that stone `index` may have beside those put down before it.
    fn room(&self, index: usize, outline: &Outline, spin: f32) -> f32 {
        let [x, z] = place(index);
        let mut room = f32::MAX;
        for other in NEIGHBOURS
            .iter()
            .filter_map(|&step| index.checked_sub(step))
        {
            let other = &self.lies[other];
            let (dx, dz) = (other.position[0] - x, other.position[2] - z);
            let distance = (dx * dx + dz * dz).sqrt();
            if distance > 2.2 {
                continue;
            }
            // Look a little to both sides of the line between the centres as well.
            for turn in [-0.35_f32, 0.0, 0.35] {
                let (sin, cos) = turn.sin_cos();
                let (ux, uz) = (
                    (dx * cos - dz * sin) / distance,
                    (dx * sin + dz * cos) / distance,
                );
                let (vx, vz) = (
                    (-dx * cos - dz * sin) / distance,
                    (dx * sin - dz * cos) / distance,
                );
                let left = distance - GAP - other.reach(vx, vz) * cos;
                room = room.min(left / (reach(outline, spin, ux, uz) * cos));
            }
        }
        room
    }
}

/// Height of the centre of the face, so that the belly of a tilted stone touches the ground.
fn height(radius: f32, tilt: f32) -> f32 {
    let (sin, cos) = tilt.sin_cos();
    radius * (sin * sin * 0.74 + cos * cos * BELLY * BELLY).sqrt() * 0.96
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
