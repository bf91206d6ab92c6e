//! The mesh that all stones share: a cut face of rings, a bevel, a rough bowl below.

use ash::vk;

/// One vertex. Positions are those of a half-geode of radius 1 whose outline is a circle; the vertex
/// shader bends it to the outline of the stone.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vertex {
    /// Place in the stone; the face lies in y = 0, looking up.
    pub position: [f32; 3],
    /// Unit normal.
    pub normal: [f32; 3],
    /// 0 for the face, 1 for the bevel, 2 for the rind.
    pub part: f32,
}

impl Vertex {
    /// Bytes from one vertex to the next.
    pub const STRIDE: u32 = size_of::<Self>() as u32;
    /// The one binding of the vertex buffer.
    pub const BINDING: vk::VertexInputBindingDescription = vk::VertexInputBindingDescription {
        binding: 0,
        stride: Self::STRIDE,
        input_rate: vk::VertexInputRate::VERTEX,
    };
    /// Position, normal and part, at locations 0, 1 and 2.
    pub const ATTRIBUTES: [vk::VertexInputAttributeDescription; 3] = [
        attribute(0, vk::Format::R32G32B32_SFLOAT, 0),
        attribute(1, vk::Format::R32G32B32_SFLOAT, 12),
        attribute(2, vk::Format::R32_SFLOAT, 24),
    ];
}

const fn attribute(
    location: u32,
    format: vk::Format,
    offset: u32,
) -> vk::VertexInputAttributeDescription {
    vk::VertexInputAttributeDescription {
        location,
        binding: 0,
        format,
        offset,
    }
}

/// An indexed triangle list, counter-clockwise from outside.
pub struct Mesh {
    /// The vertices.
    pub vertices: Vec<Vertex>,
    /// Three indices per triangle.
    pub indices: Vec<u32>,
}

/// Drop of the bevel, as in `shaders/stone.wgsl`.
const BEVEL: f32 = 0.035;

impl Mesh {
    /// The half-geode. `detail` is 0 (about 500 triangles) to 3 (about 2,700); larger values mean 3.
    pub fn geode(detail: u32) -> Self {
        let (around, bowl) = [(32, 3), (48, 4), (72, 5), (112, 7)][detail.min(3) as usize];
        let mut builder = Builder {
            around,
            mesh: Self {
                vertices: Vec::new(),
                indices: Vec::new(),
            },
        };
        builder.face();
        builder.bevel();
        builder.rind(bowl);
        builder.mesh
    }
}

struct Builder {
    around: u32,
    mesh: Mesh,
}

impl Builder {
    /// Rings up to 0.5 make the heart, which may be hollow; the last ring is the rim.
    fn face(&mut self) {
        let up = [0.0, 1.0, 0.0];
        self.mesh.vertices.push(Vertex {
            position: [0.0; 3],
            normal: up,
            part: 0.0,
        });
        for i in 0..self.around {
            self.mesh
                .indices
                .extend([0, 1 + (i + 1) % self.around, 1 + i]);
        }
        let mut last = None;
        for t in [0.25, 0.41, 0.48, 0.5, 1.0] {
            let ring = self.ring(0.0, |x, z| ([x * t, 0.0, z * t], up));
            if let Some(last) = last {
                self.join(last, ring);
            }
            last = Some(ring);
        }
    }

    fn bevel(&mut self) {
        let inner = 1.0 - BEVEL;
        let upper = self.ring(1.0, |x, z| {
            ([x * inner, 0.0, z * inner], unit([x * 0.4, 1.0, z * 0.4]))
        });
        let lower = self.ring(1.0, |x, z| ([x, -BEVEL, z], unit([x, 0.5, z])));
        self.join(upper, lower);
    }

    fn rind(&mut self, rings: u32) {
        let mut last = None;
        // The bottom is flat on the ground and never seen: the last ring stays open.
        for i in 0..=rings {
            let angle = 1.3 * i as f32 / rings as f32;
            let (sin, cos) = angle.sin_cos();
            let ring = self.ring(2.0, |x, z| {
                let p = [x * cos, -sin, z * cos];
                (p, p)
            });
            if let Some(last) = last {
                self.join(last, ring);
            }
            last = Some(ring);
        }
    }

    /// Adds a ring of vertices and returns the index of its first.
    fn ring(&mut self, part: f32, at: impl Fn(f32, f32) -> ([f32; 3], [f32; 3])) -> u32 {
        let first = self.mesh.vertices.len() as u32;
        for i in 0..self.around {
            let (z, x) = (std::f32::consts::TAU * i as f32 / self.around as f32).sin_cos();
            let (position, normal) = at(x, z);
            self.mesh.vertices.push(Vertex {
                position,
                normal,
                part,
            });
        }
        first
    }

    /// Triangles between ring `inner` and ring `outer`, seen from above or outside.
    fn join(&mut self, inner: u32, outer: u32) {
        for i in 0..self.around {
            let j = (i + 1) % self.around;
            self.mesh.indices.extend([inner + i, inner + j, outer + i]);
            self.mesh.indices.extend([outer + i, inner + j, outer + j]);
        }
    }
}

fn unit(v: [f32; 3]) -> [f32; 3] {
    let length = (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt();
    v.map(|c| c / length)
}
