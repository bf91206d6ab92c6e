//! All that frames are drawn from and into, whatever strategy records them.

use std::sync::Arc;

use ash::vk;

use crate::error::Error;
use crate::gpu::Gpu;
use crate::gpu::mesh::MeshBuffers;
use crate::gpu::pass::PassKind;
use crate::gpu::pipeline::Pipelines;
use crate::gpu::target::{Formats, Target};
use crate::jobs::Jobs;
use crate::scene::Scene;

/// Scene, pipelines, target and job threads.
pub(crate) struct Stage {
    pub(crate) target: Target,
    pub(crate) pipelines: Pipelines,
    pub(crate) pass: PassKind,
    pub(crate) mesh: MeshBuffers,
    pub(crate) scene: Scene,
    pub(crate) formats: Formats,
    pub(crate) jobs: Jobs,
    pub(crate) gpu: Arc<Gpu>,
}

/// What the command line and the kind of device decide about a [`Stage`].
pub(crate) struct StageOptions {
    pub(crate) seed: u64,
    pub(crate) draws: usize,
    pub(crate) jobs: Option<usize>,
    pub(crate) render_pass: bool,
    pub(crate) extent: vk::Extent2D,
}

impl Stage {
    pub(crate) fn new(gpu: &Arc<Gpu>, options: &StageOptions) -> Result<Self, Error> {
        // A processor has better use for its time than fine triangles.
        let detail = if gpu.is_cpu() { 0 } else { 3 };
        let scene = Scene::new(options.seed, options.draws, detail);
        let formats = Formats::of(gpu);
        let pass = PassKind::new(gpu, formats, options.render_pass)?;
        Ok(Self {
            target: Target::new(gpu, formats, options.extent, pass.classic())?,
            pipelines: Pipelines::new(gpu, formats, &pass)?,
            mesh: MeshBuffers::new(gpu, &scene.mesh)?,
            jobs: Jobs::new(options.jobs)?,
            pass,
            scene,
            formats,
            gpu: Arc::clone(gpu),
        })
    }

    /// Width over height.
    pub(crate) fn aspect(&self) -> f32 {
        self.target.extent.width as f32 / self.target.extent.height as f32
    }

    /// Gives the picture another size; all frames must have retired.
    pub(crate) fn resize(&mut self, extent: vk::Extent2D) -> Result<(), Error> {
        if extent != self.target.extent {
            self.target = Target::new(&self.gpu, self.formats, extent, self.pass.classic())?;
        }
        Ok(())
    }
}
