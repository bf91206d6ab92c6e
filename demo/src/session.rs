//! Drawing frames one after the other, by whatever strategy is chosen, and keeping the numbers.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ash::vk;

use crate::cli::{Options, StrategyName};
use crate::error::Error;
use crate::gpu::Gpu;
use crate::gpu::readback::Readback;
use crate::leave::leave;
use crate::report::Ledger;
use crate::scene::Camera;
use crate::stage::{Stage, StageOptions};
use crate::strategy::{self, FrameSample, Order, Outcome, Strategy};

/// A running demo, with a window or without.
pub(crate) struct Session {
    // Dropped in this order: the strategy's frames use the stage, the stage is on the GPU.
    strategy: Option<Box<dyn Strategy>>,
    stage: Stage,
    pub(crate) gpu: Arc<Gpu>,
    pub(crate) camera: Camera,
    pub(crate) ledger: Ledger,
    name: StrategyName,
    window: Option<vk::Extent2D>,
    execute: bool,
    clock: Clock,
    sample: FrameSample,
    /// The newest that is known.
    until_ended_us: f64,
}

/// What was seen of the frame just drawn.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FrameFacts {
    pub(crate) drawn: bool,
    pub(crate) until_ended_us: f64,
    pub(crate) blocked_us: f64,
}

impl Session {
    /// Builds everything for pictures of the wanted or the default size; `window` is the window's size, if any.
    pub(crate) fn new(
        gpu: Arc<Gpu>,
        options: &Options,
        window: Option<vk::Extent2D>,
    ) -> Result<Self, Error> {
        let extent = window.filter(|extent| extent.width > 0 && extent.height > 0);
        let stage_options = StageOptions {
            seed: options.seed,
            draws: options.draws.unwrap_or(default_draws(&gpu)),
            jobs: options.jobs,
            render_pass: options.render_pass,
            extent: extent.unwrap_or_else(|| picture_size(options, &gpu)),
        };
        let stage = Stage::new(&gpu, &stage_options)?;
        let ledger = Ledger::new(&stage, options, window.is_some());
        let strategy = strategy::make(options.strategy, &stage, window)?;
        Ok(Self {
            strategy: Some(strategy),
            stage,
            gpu,
            camera: Camera::default(),
            ledger,
            name: options.strategy,
            window,
            execute: !options.no_execute,
            clock: Clock::new(options.time_step),
            sample: FrameSample::default(),
            until_ended_us: 0.0,
        })
    }

    /// The strategy in use.
    pub(crate) fn strategy(&self) -> StrategyName {
        self.name
    }

    /// Stops or restarts the scene's time.
    pub(crate) fn pause(&mut self, paused: bool) {
        self.clock.pause(paused);
    }

    /// Draws one frame; with a file name, its picture is written there.
    pub(crate) fn frame(&mut self, screenshot: Option<&Path>) -> Result<FrameFacts, Error> {
        let copy = screenshot
            .map(|_| Readback::new(&self.gpu, &self.stage.target))
            .transpose()?;
        let view = self.camera.view(self.stage.aspect(), self.clock.now());
        let order = Order {
            view,
            copy: copy.as_ref(),
            execute: self.execute,
        };
        self.sample.clear();
        let strategy = self.strategy.as_mut().ok_or_else(no_strategy)?;
        let outcome = strategy.frame(&self.stage, &order, &mut self.sample);
        if let Err(error @ Error::Stalled { .. }) = &outcome {
            leave(error);
        }
        if copy.is_some() || outcome.is_err() {
            // The copy must not be dropped or read while a frame may write to it.
            if let Err(error) = strategy.finish(&mut self.sample) {
                if matches!(error, Error::Stalled { .. }) {
                    leave(&error);
                }
                std::mem::forget(copy);
                return Err(outcome.err().unwrap_or(error));
            }
        }
        if outcome? == Outcome::NoImage {
            return Ok(FrameFacts::default());
        }
        self.clock.tick();
        self.ledger.add(self.name, &self.sample, strategy.objects());
        if let (Some(copy), Some(path)) = (&copy, screenshot) {
            copy.write_png(path)?;
        }
        if let Some(newest) = self.sample.until_ended.last() {
            self.until_ended_us = newest.as_secs_f64() * 1e6;
        }
        let blocked: Duration = self
            .sample
            .jobs
            .iter()
            .filter(|job| job.was_blocked())
            .map(|job| job.blocked)
            .sum();
        Ok(FrameFacts {
            drawn: true,
            until_ended_us: self.until_ended_us,
            blocked_us: blocked.as_secs_f64() * 1e6,
        })
    }

    /// The window's size, as far as it was told.
    pub(crate) fn window_size(&self) -> Option<vk::Extent2D> {
        self.window
    }

    /// The window has another size.
    pub(crate) fn resize(&mut self, extent: vk::Extent2D) -> Result<(), Error> {
        if self.window == Some(extent) {
            return Ok(());
        }
        self.window = Some(extent);
        let strategy = self.strategy.as_mut().ok_or_else(no_strategy)?;
        strategy.resize(extent);
        if extent.width > 0 && extent.height > 0 {
            self.finish()?;
            self.stage.resize(extent)?;
            self.ledger.set_size(extent);
        }
        Ok(())
    }

    /// Records the following frames in another way.
    pub(crate) fn switch(&mut self, name: StrategyName) -> Result<(), Error> {
        if name == self.name {
            return Ok(());
        }
        // The old one has to be gone before the new one takes queue and window.
        self.close()?;
        self.strategy = Some(strategy::make(name, &self.stage, self.window)?);
        self.name = name;
        Ok(())
    }

    /// Waits for the last frames, and gives back what the strategy holds.
    pub(crate) fn close(&mut self) -> Result<(), Error> {
        let finished = self.finish();
        drop(self.strategy.take());
        crate::count::set_column(crate::count::OUTSIDE);
        finished
    }

    /// Waits until every frame has retired, and notes what is known then.
    fn finish(&mut self) -> Result<(), Error> {
        let Some(strategy) = &mut self.strategy else {
            return Ok(());
        };
        self.sample.clear();
        let finished = strategy.finish(&mut self.sample);
        if let Err(error @ Error::Stalled { .. }) = &finished {
            // The GPU may still use what would be destroyed now.
            leave(error);
        }
        self.ledger.add_ended(self.name, &self.sample.until_ended);
        finished
    }

    /// Ends the session, device included, and hands out its numbers: what the layer says at the very end counts.
    pub(crate) fn into_ledger(self) -> Ledger {
        let Self {
            strategy,
            stage,
            gpu,
            mut ledger,
            ..
        } = self;
        let messages = Arc::clone(&gpu.instance.messages);
        drop((strategy, stage, gpu));
        ledger.set_validation(messages.count());
        ledger
    }
}

/// Width and height that a device of this kind draws fluently.
pub(crate) fn default_size(kind: vk::PhysicalDeviceType) -> (u32, u32) {
    if kind == vk::PhysicalDeviceType::CPU {
        (960, 540)
    } else {
        (1280, 720)
    }
}

fn picture_size(options: &Options, gpu: &Gpu) -> vk::Extent2D {
    let (width, height) = options.size.unwrap_or(default_size(gpu.kind));
    vk::Extent2D { width, height }
}

fn default_draws(gpu: &Gpu) -> usize {
    if gpu.is_cpu() { 300 } else { 10_000 }
}

fn no_strategy() -> Error {
    Error::Window("a frame was asked for after the end".into())
}

/// The scene's time.
struct Clock {
    step: Option<f32>,
    frames: u64,
    seconds: f64,
    last: Instant,
    paused: bool,
}

impl Clock {
    fn new(step: Option<f32>) -> Self {
        Self {
            step,
            frames: 0,
            seconds: 0.0,
            last: Instant::now(),
            paused: false,
        }
    }

    fn pause(&mut self, paused: bool) {
        self.advance();
        self.paused = paused;
    }

    fn now(&mut self) -> f32 {
        match self.step {
            Some(step) => (self.frames as f64 * f64::from(step)) as f32,
            None => {
                self.advance();
                self.seconds as f32
            }
        }
    }

    fn tick(&mut self) {
        self.frames += u64::from(!self.paused);
    }

    fn advance(&mut self) {
        let now = Instant::now();
        if !self.paused {
            self.seconds += now.duration_since(self.last).as_secs_f64();
        }
        self.last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_step_counts_frames_and_stands_still_while_paused() {
        let mut clock = Clock::new(Some(0.5));
        let mut seen = Vec::new();
        for paused in [false, false, true, true, false] {
            clock.pause(paused);
            seen.push(clock.now());
            clock.tick();
        }
        assert_eq!(seen, [0.0, 0.5, 1.0, 1.0, 1.0]);
    }
}
