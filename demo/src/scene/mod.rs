//! Placeholder for the scene, in the final interface: one coloured triangle fan for each stone.
#![allow(missing_docs, reason = "placeholder")]
#![allow(unsafe_code, reason = "placeholder")]

use ash::vk;

pub const STONE_SPV: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/placeholder.spv"));
pub const GROUND_SPV: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/placeholder_ground.spv"));

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Vertex {
    pub position: [f32; 3],
    pub normal: [f32; 3],
}

impl Vertex {
    pub fn attributes() -> (u32, [(u32, vk::Format, u32); 2]) {
        (24, [(0, vk::Format::R32G32B32_SFLOAT, 0), (1, vk::Format::R32G32B32_SFLOAT, 12)])
    }
}

pub struct Mesh {
    pub vertices: Vec<Vertex>,
    pub indices: Vec<u32>,
}

pub struct Scene {
    pub mesh: Mesh,
    stones: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct StonePush([f32; 32]);
#[repr(C)]
#[derive(Clone, Copy)]
pub struct GroundPush([f32; 4]);
#[derive(Clone, Copy)]
pub struct View {
    aspect: f32,
    time: f32,
}
#[derive(Default)]
pub struct Camera {
    pub yaw: f32,
    pub pitch: f32,
    pub distance: f32,
}

impl Scene {
    pub fn new(_seed: u64, stones: usize, _detail: u32) -> Self {
        let v = |x: f32, y: f32| Vertex { position: [x, y, 0.0], normal: [x, y, 1.0] };
        let vertices = vec![v(-1.0, -1.0), v(1.0, -1.0), v(1.0, 1.0), v(-1.0, 1.0)];
        Self { mesh: Mesh { vertices, indices: vec![0, 1, 2, 0, 2, 3] }, stones }
    }
    pub fn len(&self) -> usize {
        self.stones
    }
    pub fn stone_push(&self, index: usize, view: &View) -> StonePush {
        let mut push = [0.0; 32];
        let r = (index as f32 / self.stones as f32).sqrt();
        let a = index as f32 * 2.4 + view.time;
        push[..4].copy_from_slice(&[r * a.cos() / view.aspect, r * a.sin(), 0.5, 0.02]);
        StonePush(push)
    }
}

pub fn ground_push(view: &View) -> GroundPush {
    GroundPush([view.aspect, view.time, 0.0, 0.0])
}

impl Camera {
    pub fn orbit(&mut self, dx: f32, dy: f32) {
        self.yaw += dx;
        self.pitch += dy;
    }
    pub fn zoom(&mut self, steps: f32) {
        self.distance -= steps;
    }
    pub fn view(&self, aspect: f32, time: f32) -> View {
        View { aspect, time: time + self.yaw }
    }
}
