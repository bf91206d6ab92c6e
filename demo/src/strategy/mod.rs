//! The ways of recording a frame; each draws the same picture.

mod agate;
mod direct;
mod mutex;
mod mutex_per_command;
mod per_thread;
mod recording;
mod secondaries;
mod single;

use ash::vk;

use self::agate::Lane;
use self::mutex::PerJob;
use self::mutex_per_command::PerCommand;
use self::per_thread::PerThread;
use self::secondaries::Secondaries;
use crate::cli::StrategyName;
use crate::error::Error;
use crate::gpu::readback::Readback;
use crate::measure::JobSample;
use crate::scene::View;
use crate::stage::Stage;

/// Frames that may be on their way at once.
pub(crate) const FRAMES_IN_FLIGHT: usize = 2;

/// How long anything on the GPU may take before the demo gives up.
pub(crate) const DEADLINE: std::time::Duration = std::time::Duration::from_secs(30);

/// One frame to draw.
pub(crate) struct Order<'a> {
    pub(crate) view: View,
    /// Where to leave a copy of the picture.
    pub(crate) copy: Option<&'a Readback>,
    /// Whether the frame is executed. If not, it is recorded and ended, no queue hears of it, and its pools are recycled.
    pub(crate) execute: bool,
}

/// What one frame cost. Reused from frame to frame.
#[derive(Default)]
pub(crate) struct FrameSample {
    /// Each job, in the order of its stones.
    pub(crate) jobs: Vec<JobSample>,
    /// From the start of recording until the frame's primary command buffer was ended: of the frames for which this
    /// became known, which for an owner's frames is when they retire.
    pub(crate) until_ended: Vec<std::time::Duration>,
}

impl FrameSample {
    /// Readies it for the next frame.
    pub(crate) fn clear(&mut self) {
        self.jobs.clear();
        self.until_ended.clear();
    }
}

/// What became of an [`Order`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Recorded, and submitted if that was ordered; the sample tells what it cost.
    Drawn,
    /// The window has no image to draw to at present (it has no area, or it is being resized).
    NoImage,
}

/// What a strategy holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Objects {
    pub(crate) pools: usize,
    pub(crate) command_buffers: usize,
}

/// One way of recording, with everything that only it needs: pools, queue, and the window's swapchain.
pub(crate) trait Strategy {
    /// Records one frame, submits it if that is ordered, and presents it if there is a window.
    fn frame(
        &mut self,
        stage: &Stage,
        order: &Order<'_>,
        sample: &mut FrameSample,
    ) -> Result<Outcome, Error>;

    /// Tells the size of the window's area.
    fn resize(&mut self, extent: vk::Extent2D);

    /// Waits until every frame has retired, and completes the sample with what is known then.
    fn finish(&mut self, sample: &mut FrameSample) -> Result<(), Error>;

    /// Pools and command buffers, as many as there are.
    fn objects(&self) -> Objects;
}

/// Makes a strategy; `window` is the size of the window's area, if there is a window.
///
/// No other strategy may be alive: queue and surface belong to one at a time.
pub(crate) fn make(
    name: StrategyName,
    stage: &Stage,
    window: Option<vk::Extent2D>,
) -> Result<Box<dyn Strategy>, Error> {
    crate::count::set_column(name.index());
    Ok(match name {
        StrategyName::Agate => Box::new(agate::Agate::new(stage, window, Lane::Stitched)?),
        StrategyName::AgateShards => Box::new(agate::Agate::new(stage, window, Lane::Sharded)?),
        StrategyName::AgateLease => Box::new(agate::Agate::new(stage, window, Lane::Lease)?),
        StrategyName::PerThread => Box::new(Secondaries::<PerThread>::new(stage, window)?),
        StrategyName::Mutex => Box::new(Secondaries::<PerJob>::new(stage, window)?),
        StrategyName::Single => Box::new(single::Single::new(stage, window)?),
        StrategyName::MutexPerCommand => Box::new(Secondaries::<PerCommand>::new(stage, window)?),
    })
}
