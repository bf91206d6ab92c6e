//! A look at what a window could do here, through one that is never shown.

use ash::vk;
use winit::application::ApplicationHandler;
use winit::event::WindowEvent;
use winit::event_loop::ActiveEventLoop;
use winit::raw_window_handle::{HasDisplayHandle, HasWindowHandle};
use winit::window::{Window, WindowId};

use super::{event_loop, no_handle};
use crate::caught::caught;
use crate::error::Error;
use crate::gpu::instance::Instance;
use crate::gpu::surface::Surface;
use crate::gpu::{Gpu, device};
use crate::libraries::Display;

/// The present modes of the device that the demo would choose for a window on `display`.
pub(crate) fn present_modes(display: Display) -> Result<Vec<vk::PresentModeKHR>, Error> {
    let Ok(event_loop) = event_loop(display)? else {
        return Err(Error::Window("the display does not answer".into()));
    };
    let mut probe = Probe { modes: None };
    let ran = caught(|| event_loop.run_app(&mut probe));
    if !matches!(ran, Ok(Ok(()))) {
        return Err(Error::Window("the display server went away".into()));
    }
    probe
        .modes
        .unwrap_or_else(|| Err(Error::Window("it was never opened".into())))
}

struct Probe {
    modes: Option<Result<Vec<vk::PresentModeKHR>, Error>>,
}

impl ApplicationHandler for Probe {
    fn resumed(&mut self, event_loop: &ActiveEventLoop) {
        self.modes = Some(ask(event_loop));
        event_loop.exit();
    }

    fn window_event(&mut self, _: &ActiveEventLoop, _: WindowId, _: WindowEvent) {}
}

fn ask(event_loop: &ActiveEventLoop) -> Result<Vec<vk::PresentModeKHR>, Error> {
    let display = event_loop
        .display_handle()
        .map_err(|_| no_handle())?
        .as_raw();
    let attributes = Window::default_attributes().with_visible(false);
    let window = event_loop
        .create_window(attributes)
        .map_err(|_| Error::Window("it cannot be opened".into()))?;
    let handle = window.window_handle().map_err(|_| no_handle())?.as_raw();
    let instance = Instance::new(Gpu::window_extensions(display)?, false)?;
    let surface = Surface::new(&instance, display, handle)?;
    let choice = device::choose(&instance, Some(&surface), None)?;
    surface.present_modes(choice.found.handle)
}
