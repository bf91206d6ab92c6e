//! The mesh that all stones share, on the device.

use std::sync::Arc;

use ash::vk;

use super::Gpu;
use super::memory::Buffer;
use crate::bytes::slice_bytes;
use crate::error::Error;
use crate::scene::Mesh;

/// Vertices and indices in memory that the GPU reads.
pub(crate) struct MeshBuffers {
    pub(crate) vertices: Buffer,
    pub(crate) indices: Buffer,
    pub(crate) index_count: u32,
}

impl MeshBuffers {
    /// Copies `mesh` to the device. It is small (tens of kilobytes), so it is not staged.
    pub(crate) fn new(gpu: &Arc<Gpu>, mesh: &Mesh) -> Result<Self, Error> {
        let vertices = slice_bytes(&mesh.vertices);
        let indices = slice_bytes(&mesh.indices);
        Ok(Self {
            vertices: Buffer::with_contents(
                gpu,
                "vertices",
                vk::BufferUsageFlags::VERTEX_BUFFER,
                vertices,
            )?,
            indices: Buffer::with_contents(
                gpu,
                "indices",
                vk::BufferUsageFlags::INDEX_BUFFER,
                indices,
            )?,
            index_count: u32::try_from(mesh.indices.len()).unwrap_or(u32::MAX),
        })
    }
}
