//! An orbiting camera and what a frame needs of it.

/// Looks at a point of the disc from a distance; drag and wheel move it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// Angle around the vertical axis, in radians.
    pub yaw: f32,
    /// Angle above the ground, in radians, kept between 0.12 and 1.5.
    pub pitch: f32,
    /// Distance from the eye to [`Camera::target`].
    pub distance: f32,
    /// The point looked at.
    pub target: [f32; 3],
    /// Turn by itself, in radians per second.
    pub drift: f32,
}

const PITCH: (f32, f32) = (0.12, 1.5);
const DISTANCE: (f32, f32) = (2.5, 160.0);
/// Half of the vertical field of view, as a tangent.
const TAN: f32 = 0.34;
const NEAR: f32 = 0.25;
const FAR: f32 = 600.0;

impl Default for Camera {
    fn default() -> Self {
        Self {
            yaw: -0.3,
            pitch: 0.62,
            distance: 12.5,
            target: [0.0, 0.4, 0.0],
            drift: 0.06,
        }
    }
}

impl Camera {
    /// Turns the camera by a drag of `dx`, `dy` pixels, y down.
    pub fn orbit(&mut self, dx: f32, dy: f32) {
        self.yaw -= dx * 0.006;
        self.pitch = (self.pitch + dy * 0.005).clamp(PITCH.0, PITCH.1);
    }

    /// Comes closer by `steps` notches of the wheel (less than 0: goes away).
    pub fn zoom(&mut self, steps: f32) {
        self.distance = (self.distance * 0.9_f32.powf(steps)).clamp(DISTANCE.0, DISTANCE.1);
    }

    /// The view at `time_s` seconds into the demo; the same arguments give the same view.
    ///
    /// `aspect` is width divided by height.
    pub fn view(&self, aspect: f32, time_s: f32) -> View {
        let (sin_yaw, cos_yaw) = (self.yaw + self.drift * time_s).sin_cos();
        let (sin_pitch, cos_pitch) = self.pitch.clamp(PITCH.0, PITCH.1).sin_cos();
        let back = [cos_pitch * sin_yaw, sin_pitch, cos_pitch * cos_yaw];
        let right = [cos_yaw, 0.0, -sin_yaw];
        let up = cross(back, right);
        let eye: [f32; 3] = std::array::from_fn(|i| self.target[i] + back[i] * self.distance);
        let aspect = aspect.max(0.01);
        let (wide, high) = (1.0 / (TAN * aspect), 1.0 / TAN);
        let depth = FAR / (FAR - NEAR);
        // Rows of view and projection multiplied out; stored by columns.
        let x: [f32; 3] = right.map(|v| v * wide);
        let y: [f32; 3] = up.map(|v| v * high);
        let z: [f32; 3] = back.map(|v| -v * depth);
        View {
            view_projection: [
                x[0],
                y[0],
                z[0],
                -back[0],
                x[1],
                y[1],
                z[1],
                -back[1],
                x[2],
                y[2],
                z[2],
                -back[2],
                -dot(x, eye),
                -dot(y, eye),
                -dot(z, eye) - depth * NEAR,
                dot(back, eye),
            ],
            eye,
            right: right.map(|v| v * TAN * aspect),
            up: up.map(|v| v * TAN),
            forward: back.map(|v| -v),
            time_s,
        }
    }
}

/// One frame's camera, in the form that the push constants want. y of the clip space is up, depth
/// is 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// World to clip space, by columns.
    pub view_projection: [f32; 16],
    /// The eye in the world.
    pub eye: [f32; 3],
    /// From the middle of the screen to its right edge, at distance 1.
    pub right: [f32; 3],
    /// From the middle of the screen to its upper edge, at distance 1.
    pub up: [f32; 3],
    /// Unit vector into the screen.
    pub forward: [f32; 3],
    /// Seconds since the start.
    pub time_s: f32,
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}
