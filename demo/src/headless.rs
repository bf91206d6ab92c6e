//! Drawing without a window.

use std::path::PathBuf;

use crate::cli::Options;
use crate::error::Error;
use crate::gpu::Gpu;
use crate::report::Ledger;
use crate::session::Session;

/// Frames drawn if the command line does not say how many.
pub(crate) const FRAMES: u64 = 120;

/// Draws the frames, writes the last one to the file if one is named, and returns the numbers.
pub(crate) fn run(options: &Options, screenshot: Option<&PathBuf>) -> Result<Ledger, Error> {
    let gpu = Gpu::open(options.gpu.as_deref(), options.validation, None)?;
    let mut session = Session::new(gpu, options, None)?;
    let frames = options.frames.unwrap_or(FRAMES);
    for frame in 1..=frames {
        session.frame(screenshot.filter(|_| frame == frames).map(PathBuf::as_path))?;
    }
    session.close()?;
    Ok(session.into_ledger())
}
