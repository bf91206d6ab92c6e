//! The demo in a window: events in, frames out.
//!
//! # Invariants
//!
//! - A1: a `Running` drops its session, and with it the surface, before its window.

mod keys;
mod probe;
pub(crate) mod server;
mod title;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ash::vk;
use winit::application::ApplicationHandler;
use winit::dpi::PhysicalSize;
use winit::event::{ElementState, InnerSizeWriter, MouseButton, MouseScrollDelta, WindowEvent};
use winit::event_loop::{ActiveEventLoop, ControlFlow, EventLoop, EventLoopBuilder};
use winit::platform::wayland::EventLoopBuilderExtWayland;
use winit::platform::x11::EventLoopBuilderExtX11;
use winit::raw_window_handle::{HasDisplayHandle, HasWindowHandle, RawDisplayHandle};
use winit::window::{Window, WindowId};

use crate::caught::caught;
use crate::cli::Options;
use crate::error::Error;
use crate::gpu::instance::Instance;
use crate::gpu::{Gpu, WindowHandles, device};
use crate::leave::leave;
use crate::libraries::{self, Display};
use crate::report::Ledger;
use crate::say::{complain, say};
use crate::session::{FrameFacts, Session, default_size};
use keys::Action;
pub(crate) use probe::present_modes;
use title::Title;

/// How a run that wanted a window ended.
pub(crate) enum Ended {
    /// The window was closed, or its frames were drawn.
    Well(Box<Ledger>),
    /// There is no display to open a window on, and why.
    NoDisplay(&'static str),
}

/// Opens the window and draws until it is closed.
pub(crate) fn run(options: &Options) -> Result<Ended, Error> {
    let Some(display) = libraries::display() else {
        return Ok(Ended::NoDisplay(
            "neither DISPLAY nor WAYLAND_DISPLAY leads to one",
        ));
    };
    let Ok(event_loop) = event_loop(display)? else {
        return Ok(Ended::NoDisplay(
            "the display that DISPLAY or WAYLAND_DISPLAY names does not answer",
        ));
    };
    let mut app = App {
        options,
        running: None,
        failed: None,
    };
    let ran = caught(|| event_loop.run_app(&mut app));
    if server::gone() || ran.is_err() || app.failed.is_some() {
        if let Some(display) = app.running.as_ref().and_then(Running::display) {
            server::ask(display);
        }
        if server::gone() {
            leave(&server::went_away());
        }
        let panic = |why| Error::Window(format!("the window library panicked: {why}"));
        return Err(app
            .failed
            .unwrap_or_else(|| panic(ran.err().unwrap_or_default())));
    }
    if let Ok(Err(_)) = ran {
        // winit's own text shows paths of the machine that built it.
        leave(&server::went_away());
    }
    let mut running = app
        .running
        .ok_or_else(|| Error::Window("it was never opened".into()))?;
    running.session.close()?;
    Ok(Ended::Well(Box::new(running.session.into_ledger())))
}

/// The event loop for this display, whose libraries are looked for first; `Err` inside if the display is dead.
fn event_loop(display: Display) -> Result<Result<EventLoop<()>, ()>, Error> {
    let missing = libraries::missing_for(display);
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|library| library.file).collect();
        return Err(Error::NoWindowLibrary {
            missing: names.join(", "),
            fix: libraries::install_line(&missing),
        });
    }
    let mut builder: EventLoopBuilder<()> = EventLoop::with_user_event();
    match display {
        Display::X11 => builder.with_x11(),
        Display::Wayland => builder.with_wayland(),
    };
    // It panics where the server lacks an extension, and then says which.
    let built = caught(|| builder.build());
    let built = built
        .map_err(|why| Error::Window(format!("this display server does not do for one: {why}")))?;
    Ok(built.map_err(|_| ()))
}

struct App<'a> {
    options: &'a Options,
    running: Option<Running>,
    failed: Option<Error>,
}

/// An open window and what is drawn in it.
struct Running {
    session: Session,
    window: Arc<Window>,
    drawn: u64,
    /// The size in pixels that the window was opened with, as long as the display may yet tell its scale.
    opened_with: Option<PhysicalSize<u32>>,
    cursor: Option<(f64, f64)>,
    dragging: bool,
    paused: bool,
    occluded: bool,
    screenshot: bool,
    title: Title,
}

impl App<'_> {
    fn open(&self, event_loop: &ActiveEventLoop) -> Result<Running, Error> {
        let display = event_loop
            .display_handle()
            .map_err(|_| no_handle())?
            .as_raw();
        server::watch(display);
        let extensions = Gpu::window_extensions(display)?;
        let instance = Instance::new(extensions, self.options.validation)?;
        // The size of the window depends on the kind of device that will probably draw it.
        let probable = device::choose(&instance, None, self.options.gpu.as_deref())?;
        let (width, height) = self
            .options
            .size
            .unwrap_or(default_size(probable.found.kind));
        let attributes = Window::default_attributes()
            .with_title("agate demo")
            .with_inner_size(PhysicalSize::new(width, height));
        let window = event_loop
            .create_window(attributes)
            .map_err(|_| Error::Window("it cannot be opened".into()))?;
        let window = Arc::new(window);
        let handle = window.window_handle().map_err(|_| no_handle())?.as_raw();
        let gpu = Gpu::open(
            instance,
            self.options.gpu.as_deref(),
            Some(WindowHandles {
                display,
                window: handle,
            }),
        )?;
        let session = Session::new(gpu, self.options, Some(extent(window.inner_size())))?;
        window.request_redraw();
        Ok(Running {
            session,
            window,
            drawn: 0,
            opened_with: Some(PhysicalSize::new(width, height)),
            cursor: None,
            dragging: false,
            paused: false,
            occluded: false,
            screenshot: false,
            title: Title::new(),
        })
    }

    fn handle(&mut self, event_loop: &ActiveEventLoop, event: &WindowEvent) -> Result<(), Error> {
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        match event {
            WindowEvent::CloseRequested => running.quit(event_loop, self.options)?,
            WindowEvent::Resized(size) => running.session.resize(extent(*size))?,
            WindowEvent::ScaleFactorChanged {
                inner_size_writer, ..
            } => running.keep_size(inner_size_writer.clone()),
            WindowEvent::Occluded(occluded) => running.occlude(*occluded),
            WindowEvent::RedrawRequested => running.redraw(event_loop, self.options)?,
            WindowEvent::KeyboardInput { event, .. } => match keys::action(event) {
                Some(Action::Quit) => running.quit(event_loop, self.options)?,
                Some(action) => running.act(action)?,
                None => {}
            },
            event => running.look(event),
        }
        Ok(())
    }
}

impl ApplicationHandler for App<'_> {
    fn resumed(&mut self, event_loop: &ActiveEventLoop) {
        if self.running.is_some() || self.failed.is_some() {
            return;
        }
        match self.open(event_loop) {
            Ok(running) => self.running = Some(running),
            Err(error) => self.fail(event_loop, error),
        }
    }

    fn window_event(&mut self, event_loop: &ActiveEventLoop, _: WindowId, event: WindowEvent) {
        if event_loop.exiting() {
            return;
        }
        if server::gone() {
            return self.fail(event_loop, server::went_away());
        }
        if let Err(error) = self.handle(event_loop, &event) {
            self.fail(event_loop, error);
        }
    }

    fn about_to_wait(&mut self, event_loop: &ActiveEventLoop) {
        if server::gone() {
            return self.fail(event_loop, server::went_away());
        }
        if let Some(running) = &self.running {
            running.plan(event_loop);
        }
    }
}

impl App<'_> {
    fn fail(&mut self, event_loop: &ActiveEventLoop, error: Error) {
        self.failed = self.failed.take().or(Some(error));
        event_loop.exit();
    }
}

impl Running {
    /// The display that the window is on.
    fn display(&self) -> Option<RawDisplayHandle> {
        Some(self.window.display_handle().ok()?.as_raw())
    }

    /// Draws the next frame; the last one that the command line allows goes to its file.
    ///
    /// A redraw that was asked for before the window was hidden comes after, and draws nothing.
    fn redraw(&mut self, event_loop: &ActiveEventLoop, options: &Options) -> Result<(), Error> {
        if self.occluded {
            return Ok(());
        }
        let last = options
            .frames
            .is_some_and(|frames| self.drawn + 1 >= frames);
        let facts = if last {
            self.session.frame(options.screenshot.as_deref())?
        } else {
            self.draw()?
        };
        self.drawn += u64::from(facts.drawn);
        if last && facts.drawn {
            event_loop.exit();
        }
        if let Some(title) = self.title.frame(&facts) {
            self.show_title(&title);
        }
        Ok(())
    }

    fn show_title(&self, rest: &str) {
        let name = self.session.strategy().name();
        self.window
            .set_title(&format!("agate demo | {name} | {rest}"));
    }

    /// A frame like any other, or with F12 one that is also written to a file.
    fn draw(&mut self) -> Result<FrameFacts, Error> {
        if !self.screenshot {
            return self.session.frame(None);
        }
        let path = free_name();
        match self.session.frame(Some(&path)) {
            Ok(facts) if facts.drawn => {
                self.screenshot = false;
                say!("screenshot: {}", path.display());
                Ok(facts)
            }
            // A disk that is full is no reason to close the window.
            Err(error @ Error::Write { .. }) => {
                self.screenshot = false;
                complain!("demo: {error}");
                Ok(FrameFacts::default())
            }
            other => other,
        }
    }

    /// Closes the window; with `--screenshot` after a last frame that goes to its file.
    fn quit(&mut self, event_loop: &ActiveEventLoop, options: &Options) -> Result<(), Error> {
        event_loop.exit();
        if let Some(path) = &options.screenshot
            && !self.session.frame(Some(path))?.drawn
        {
            complain!("demo: no screenshot: the window has no image to draw to");
        }
        Ok(())
    }

    fn act(&mut self, action: Action) -> Result<(), Error> {
        match action {
            Action::Pause => {
                self.paused = !self.paused;
                self.session.pause(self.paused);
            }
            Action::Screenshot => self.screenshot = true,
            Action::Strategy(name) if name != self.session.strategy() => {
                self.session.switch(name)?;
                self.title = Title::new();
                self.show_title("…");
            }
            Action::Strategy(_) | Action::Quit => {}
        }
        Ok(())
    }

    /// Drag and wheel.
    fn look(&mut self, event: &WindowEvent) {
        match event {
            WindowEvent::MouseInput {
                state,
                button: MouseButton::Left,
                ..
            } => {
                self.dragging = *state == ElementState::Pressed;
            }
            WindowEvent::CursorMoved { position, .. } => {
                let now = (position.x, position.y);
                if let (true, Some(before)) = (self.dragging, self.cursor) {
                    self.session
                        .camera
                        .orbit((now.0 - before.0) as f32, (now.1 - before.1) as f32);
                }
                self.cursor = Some(now);
            }
            WindowEvent::CursorLeft { .. } => self.cursor = None,
            WindowEvent::MouseWheel { delta, .. } => self.session.camera.zoom(notches(*delta)),
            _ => {}
        }
    }

    /// Nobody sees the window any more, or somebody does again.
    fn occlude(&mut self, occluded: bool) {
        self.session.ledger.set_hidden(occluded);
        if occluded {
            self.show_title("hidden");
        }
        self.occluded = occluded;
        self.title = Title::new();
    }

    /// Wayland tells a window's scale once it is shown, and winit keeps its size in points then. A picture has the size
    /// in pixels that was asked for, so the first change of scale keeps that; later ones are as the system has them.
    fn keep_size(&mut self, mut size: InnerSizeWriter) {
        let Some(asked) = self.opened_with.take() else {
            return;
        };
        // The window itself answers in the new scale already.
        if self.session.window_size() == Some(extent(asked))
            && size.request_inner_size(asked).is_err()
        {
            complain!("demo: the window does not keep its size in pixels");
        }
    }

    /// Asks for the next frame: at once, not at all while nobody sees it, or a little later if there is no area.
    fn plan(&self, event_loop: &ActiveEventLoop) {
        let size = self.window.inner_size();
        if self.occluded || size.width == 0 || size.height == 0 {
            event_loop.set_control_flow(ControlFlow::wait_duration(Duration::from_millis(100)));
        } else {
            event_loop.set_control_flow(ControlFlow::Wait);
            self.window.request_redraw();
        }
    }
}

/// The first name for a screenshot that no file has.
fn free_name() -> PathBuf {
    let name = |number: u32| PathBuf::from(format!("agate-demo-{number:03}.png"));
    (1..1000)
        .map(name)
        .find(|path| !Path::exists(path))
        .unwrap_or_else(|| name(1000))
}

fn notches(delta: MouseScrollDelta) -> f32 {
    const PIXELS_PER_NOTCH: f64 = 40.0;
    match delta {
        MouseScrollDelta::LineDelta(_, lines) => lines,
        MouseScrollDelta::PixelDelta(pixels) => (pixels.y / PIXELS_PER_NOTCH) as f32,
    }
}

fn extent(size: PhysicalSize<u32>) -> vk::Extent2D {
    vk::Extent2D {
        width: size.width,
        height: size.height,
    }
}

fn no_handle() -> Error {
    Error::Window("it has no handle".into())
}
