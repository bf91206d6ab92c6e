//! From an image on the device to a PNG file.

use std::path::Path;
use std::sync::Arc;

use super::Gpu;
use super::memory::Buffer;
use super::target::Target;
use crate::error::Error;
use crate::files;

/// Where a frame leaves a copy of its picture.
pub(crate) struct Readback {
    pub(crate) buffer: Buffer,
    width: u32,
    height: u32,
    bytes: usize,
}

impl Readback {
    /// Room for one picture of `target`.
    pub(crate) fn new(gpu: &Arc<Gpu>, target: &Target) -> Result<Self, Error> {
        let buffer = Buffer::for_readback(gpu, "a picture to write", target.bytes())?;
        Ok(Self {
            buffer,
            width: target.extent.width,
            height: target.extent.height,
            bytes: target.bytes(),
        })
    }

    /// Writes the picture; the frame that copied it must have retired.
    pub(crate) fn write_png(&self, path: &Path) -> Result<(), Error> {
        let fail = |why: String| Error::Write {
            path: path.to_owned(),
            why,
        };
        let pixels = self
            .buffer
            .contents(self.bytes)
            .ok_or_else(|| fail("the picture is not mapped".into()))?;
        let mut opaque = pixels.to_vec();
        for pixel in opaque.as_chunks_mut::<4>().0 {
            pixel[3] = u8::MAX;
        }
        files::write(
            path,
            &self.png(&opaque).map_err(|why| fail(why.to_string()))?,
        )
    }

    /// These pixels as a PNG file.
    fn png(&self, pixels: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.width, self.height);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(pixels)?;
        writer.finish()?;
        Ok(file)
    }
}
