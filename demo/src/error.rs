//! Why the demo stops: one line that says what happened, and what to do about it.

use std::fmt;
use std::path::PathBuf;

use ash::vk;

/// A reason to end the program, told in one line.
#[derive(Debug)]
pub(crate) enum Error {
    /// libvulkan.so.1 cannot be loaded.
    NoLoader,
    /// The loader found no driver.
    NoDriver,
    /// The loader made no instance, for another reason; a driver's file that is broken says "out of memory" for instance.
    NoInstance(vk::Result),
    /// No device can do what the demo needs; why, device by device.
    NoDevice(String),
    /// `--gpu` names none of the devices.
    NoSuchGpu { wanted: String, have: String },
    /// `--validation` without the layer.
    NoValidationLayer,
    /// A library that a window needs is missing.
    NoWindowLibrary { missing: String, fix: String },
    /// Opening or driving the window failed.
    Window(String),
    /// A Vulkan call failed.
    Vulkan {
        doing: &'static str,
        result: vk::Result,
    },
    /// Device memory could not be had.
    Memory { what: &'static str, why: String },
    /// The GPU did not finish within the deadline.
    Stalled { what: &'static str, seconds: u64 },
    /// A file could not be written.
    Write { path: PathBuf, why: String },
    /// Threads for the jobs could not be started.
    Jobs(String),
    /// A job panicked.
    JobPanicked { job: usize, why: String },
    /// The owner of the command pool failed a frame.
    Agate(String),
}

/// The command that installs what runs Vulkan without a GPU.
pub(crate) const INSTALL_DRIVER: &str =
    "apt install --no-install-recommends libvulkan1 mesa-vulkan-drivers";

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLoader => write!(out, "no Vulkan loader (libvulkan.so.1): {INSTALL_DRIVER}"),
            Self::NoDriver => write!(
                out,
                "the Vulkan loader found no driver that works: {INSTALL_DRIVER}"
            ),
            Self::NoInstance(result) => write!(
                out,
                "the Vulkan loader made no instance: {result:?}; the file of a driver or layer may be broken, and \
                 VK_LOADER_DEBUG=error tells which"
            ),
            Self::NoDevice(why) => {
                write!(
                    out,
                    "no Vulkan device suits ({why}); a software device will do: {INSTALL_DRIVER}"
                )
            }
            Self::NoSuchGpu { wanted, have } => {
                write!(
                    out,
                    "--gpu {wanted} names no device; there are: {have}; see --list-gpus"
                )
            }
            Self::NoValidationLayer => {
                write!(
                    out,
                    "--validation needs the Khronos layer: apt install vulkan-validationlayers"
                )
            }
            Self::NoWindowLibrary { missing, fix } => {
                write!(out, "a window needs {missing}: {fix} (or pass --headless)")
            }
            Self::Window(why) => write!(
                out,
                "the window failed: {why} (--headless draws without one)"
            ),
            Self::Vulkan { doing, result } => {
                write!(out, "{doing} failed: {result:?}; {}", advice(*result))
            }
            Self::Memory { what, why } => {
                write!(
                    out,
                    "no memory for {what}: {why}; try a smaller --size or fewer --draws"
                )
            }
            Self::Stalled { what, seconds } => {
                write!(
                    out,
                    "{what} did not come within {seconds} s; try fewer --draws, and look at --doctor"
                )
            }
            Self::Write { path, why } => write!(out, "cannot write {}: {why}", path.display()),
            Self::Jobs(why) => write!(out, "cannot start the job threads: {why}"),
            Self::JobPanicked { job, why } => {
                write!(
                    out,
                    "job {job} of a frame panicked: {why}; this is a fault in the program"
                )
            }
            Self::Agate(why) => write!(
                out,
                "the owner of the command pool: {why} (try fewer --draws or --jobs; --doctor shows the driver)"
            ),
        }
    }
}

impl std::error::Error for Error {}

/// What to do about a Vulkan call that failed so.
fn advice(result: vk::Result) -> &'static str {
    match result {
        vk::Result::ERROR_OUT_OF_HOST_MEMORY | vk::Result::ERROR_OUT_OF_DEVICE_MEMORY => {
            "try a smaller --size or fewer --draws"
        }
        vk::Result::ERROR_DEVICE_LOST => {
            "the GPU or its driver stopped: try again, or another --gpu; --doctor shows the driver"
        }
        vk::Result::ERROR_SURFACE_LOST_KHR => "the window went away; --headless draws without one",
        _ => "--doctor shows the driver",
    }
}

/// Says what was being done when a Vulkan call failed.
pub(crate) trait Doing<T> {
    /// Turns a Vulkan result into an [`Error`] that names the action.
    fn doing(self, doing: &'static str) -> Result<T, Error>;
}

impl<T> Doing<T> for Result<T, vk::Result> {
    fn doing(self, doing: &'static str) -> Result<T, Error> {
        self.map_err(|result| Error::Vulkan { doing, result })
    }
}
