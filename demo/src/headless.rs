//! Drawing without a window.

use std::path::Path;

use crate::cli::Options;
use crate::error::Error;
use crate::gpu::Gpu;
use crate::gpu::instance::Instance;
use crate::report::Ledger;
use crate::session::Session;

/// Frames drawn if the command line does not say how many.
pub(crate) const FRAMES: u64 = 120;

/// Draws the frames, writes the last one to the file if one is named, and returns the numbers.
pub(crate) fn run(options: &Options, screenshot: Option<&Path>) -> Result<Ledger, Error> {
    let instance = Instance::new(&[], options.validation)?;
    let gpu = Gpu::open(instance, options.gpu.as_deref(), None)?;
    let mut session = Session::new(gpu, options, None)?;
    let frames = options.frames.unwrap_or(FRAMES);
    for frame in 1..=frames {
        session.frame(screenshot.filter(|_| frame == frames))?;
    }
    session.close()?;
    Ok(session.into_ledger())
}
