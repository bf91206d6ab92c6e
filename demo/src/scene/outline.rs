//! The rim of a cut face, as `shaders/stone.wgsl` computes it.

/// Two harmonics of a circle, from the four snorm8 of a stone's shape word.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Outline([f32; 4]);

impl Outline {
    pub(super) fn new(shape: u32) -> Self {
        Self(
            shape
                .to_le_bytes()
                .map(|byte| (f32::from(byte as i8) / 127.0).max(-1.0)),
        )
    }

    /// Distance of the rim from the centre in the unit direction `d`.
    pub(super) fn rim(&self, d: [f32; 2]) -> f32 {
        let [x, y, z, w] = self.0;
        let d2 = times(d, d);
        let d3 = times(d2, d);
        let d5 = times(d3, d2);
        let sum = |a: f32, b: f32, d: [f32; 2]| a * d[0] + b * d[1];
        0.86 + 0.12 * sum(x, y, d2) + 0.065 * sum(z, w, d3) + 0.03 * sum(w, x, d5)
    }
}

/// Product of two complex numbers.
fn times(a: [f32; 2], b: [f32; 2]) -> [f32; 2] {
    [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]]
}
