//! A Vulkan device without a driver: a table of `extern "system"` functions, for tests and benches.
//!
//! A [`NullDevice`] owns its objects and shares nothing with another. Its handles are addresses of its own objects, so they
//! are good as long as it lives. Pools, command buffers, semaphores, submissions and swapchains work; nothing is drawn.

mod check;
mod commands;
mod device;
mod fault;
mod generated;
mod instance;
mod irregular;
mod labels;
pub mod layout;
mod object;
mod options;
mod pool;
mod queue;
mod referred;
mod semaphore;
mod simulate;
mod sink;
mod swapchain;

pub use check::{Rule, Violation};
pub use device::{Live, NullDevice};
pub use fault::Hold;
pub use generated::layouts;
pub use irregular::TEMPLATE_BYTES;
pub use object::Call;
pub use options::{Cost, NullOptions};
pub use referred::Reference;
