//! One pool behind a mutex that is locked for each command, each begin and each end: no job waits for another's whole
//! work, but every call may have to wait for a call.
//!
//! Each job records a secondary buffer of the one pool, because a primary that jobs record together would hold their
//! commands in the order of the day: buffers of their own keep order and picture the same in every frame.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ash::vk;

use super::Objects;
use super::recording::{Pool, Recording};
use super::secondaries::JobPools;
use crate::draw::{self, Commands};
use crate::error::Error;
use crate::scene::View;
use crate::stage::Stage;

/// The one pool that all jobs of a frame in flight share.
pub(crate) struct PerCommand(Mutex<Pool>);

impl JobPools for PerCommand {
    fn new(stage: &Stage) -> Result<Self, Error> {
        let pool = Pool::new(&stage.gpu, vk::CommandBufferLevel::SECONDARY)?;
        Ok(Self(Mutex::new(pool)))
    }

    fn reset(&mut self) -> Result<(), Error> {
        lock(&self.0).reset()
    }

    fn record(
        &self,
        stage: &Stage,
        view: &View,
        range: Range<usize>,
    ) -> Result<vk::CommandBuffer, Error> {
        let mut pool = lock(&self.0);
        let commands = Recording::secondary(stage, pool.take()?)?;
        drop(pool);
        let mut locked = Locked {
            pool: &self.0,
            commands,
        };
        draw::stones(&mut locked, stage, view, range);
        let _pool = lock(&self.0);
        locked.commands.end()
    }

    fn objects(&self) -> Objects {
        Objects {
            pools: 1,
            command_buffers: lock(&self.0).buffers(),
        }
    }
}

/// A job that panics ends the run; what the lock guards is whole all the same, since it guards single calls.
fn lock<P>(pool: &Mutex<P>) -> MutexGuard<'_, P> {
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Commands that each hold the lock while they last.
struct Locked<'a, P, C> {
    pool: &'a Mutex<P>,
    commands: C,
}

impl<P, C: Commands> Locked<'_, P, C> {
    fn locked(&mut self, command: impl FnOnce(&mut C)) {
        let _pool = lock(self.pool);
        command(&mut self.commands);
    }
}

impl<P, C: Commands> Commands for Locked<'_, P, C> {
    fn bind_pipeline(&mut self, pipeline: vk::Pipeline) {
        self.locked(|commands| commands.bind_pipeline(pipeline));
    }

    fn set_viewport(&mut self, viewport: vk::Viewport) {
        self.locked(|commands| commands.set_viewport(viewport));
    }

    fn set_scissor(&mut self, scissor: vk::Rect2D) {
        self.locked(|commands| commands.set_scissor(scissor));
    }

    fn bind_vertices(&mut self, vertices: vk::Buffer) {
        self.locked(|commands| commands.bind_vertices(vertices));
    }

    fn bind_indices(&mut self, indices: vk::Buffer) {
        self.locked(|commands| commands.bind_indices(indices));
    }

    fn push<T: Copy>(&mut self, layout: vk::PipelineLayout, value: &T) {
        self.locked(|commands| commands.push(layout, value));
    }

    fn draw(&mut self, vertices: u32) {
        self.locked(|commands| commands.draw(vertices));
    }

    fn draw_indexed(&mut self, indices: u32) {
        self.locked(|commands| commands.draw_indexed(indices));
    }

    fn barrier(&mut self, barriers: &vk::DependencyInfo<'_>) {
        self.locked(|commands| commands.barrier(barriers));
    }

    fn blit(&mut self, from: vk::Image, to: vk::Image, region: vk::ImageBlit) {
        self.locked(|commands| commands.blit(from, to, region));
    }

    fn copy_to_buffer(&mut self, from: vk::Image, to: vk::Buffer, region: vk::BufferImageCopy) {
        self.locked(|commands| commands.copy_to_buffer(from, to, region));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Call = fn(&mut Locked<'_, (), Probe<'_>>);

    /// Notes each command, and whether the lock was held meanwhile.
    struct Probe<'a> {
        pool: &'a Mutex<()>,
        seen: Vec<(&'static str, bool)>,
    }

    impl Probe<'_> {
        fn note(&mut self, command: &'static str) {
            self.seen.push((command, self.pool.try_lock().is_err()));
        }
    }

    impl Commands for Probe<'_> {
        fn bind_pipeline(&mut self, _: vk::Pipeline) {
            self.note("pipeline");
        }
        fn set_viewport(&mut self, _: vk::Viewport) {
            self.note("viewport");
        }
        fn set_scissor(&mut self, _: vk::Rect2D) {
            self.note("scissor");
        }
        fn bind_vertices(&mut self, _: vk::Buffer) {
            self.note("vertices");
        }
        fn bind_indices(&mut self, _: vk::Buffer) {
            self.note("indices");
        }
        fn push<T: Copy>(&mut self, _: vk::PipelineLayout, _: &T) {
            self.note("push");
        }
        fn draw(&mut self, _: u32) {
            self.note("draw");
        }
        fn draw_indexed(&mut self, _: u32) {
            self.note("draw indexed");
        }
        fn barrier(&mut self, _: &vk::DependencyInfo<'_>) {
            self.note("barrier");
        }
        fn blit(&mut self, _: vk::Image, _: vk::Image, _: vk::ImageBlit) {
            self.note("blit");
        }
        fn copy_to_buffer(&mut self, _: vk::Image, _: vk::Buffer, _: vk::BufferImageCopy) {
            self.note("copy");
        }
    }

    #[test]
    fn every_command_holds_the_lock_and_gives_it_back() {
        const IMAGE: vk::Image = vk::Image::null();
        const BUFFER: vk::Buffer = vk::Buffer::null();
        let pool = Mutex::new(());
        let commands = Probe {
            pool: &pool,
            seen: Vec::new(),
        };
        let mut locked = Locked {
            pool: &pool,
            commands,
        };
        let calls: [(&str, Call); 11] = [
            ("pipeline", |to| to.bind_pipeline(vk::Pipeline::null())),
            ("viewport", |to| to.set_viewport(vk::Viewport::default())),
            ("scissor", |to| to.set_scissor(vk::Rect2D::default())),
            ("vertices", |to| to.bind_vertices(BUFFER)),
            ("indices", |to| to.bind_indices(BUFFER)),
            ("push", |to| to.push(vk::PipelineLayout::null(), &1_u32)),
            ("draw", |to| to.draw(3)),
            ("draw indexed", |to| to.draw_indexed(3)),
            ("barrier", |to| to.barrier(&vk::DependencyInfo::default())),
            ("blit", |to| {
                to.blit(IMAGE, IMAGE, vk::ImageBlit::default());
            }),
            ("copy", |to| {
                to.copy_to_buffer(IMAGE, BUFFER, vk::BufferImageCopy::default());
            }),
        ];
        for (name, call) in calls {
            call(&mut locked);
            assert_eq!(locked.commands.seen.pop(), Some((name, true)));
            assert!(locked.commands.seen.is_empty(), "{name}: one call");
            assert!(pool.try_lock().is_ok(), "{name} keeps the lock");
        }
    }
}
