//! Noticing that the X server is gone, or has thrown the window out.
//!
//! Xlib ends the process when its connection breaks, whatever it is doing, and says so in words of its own. This file tells
//! it to go on instead: its calls fail then, the window library may panic, and the demo ends in its usual way.
//!
//! # Invariants
//!
//! - X1: `watch` and `ask` are called with the live display of the event loop, whose Xlib this process has loaded as
//!   `libX11.so.6`.
//! - X2: that library is never unloaded, so its functions may be called, and may call ours, until the process ends.
#![allow(unsafe_code, reason = "sets handlers of Xlib, a C library")]

use std::ffi::{c_int, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::SeqCst};

use libloading::Library;
use winit::raw_window_handle::RawDisplayHandle;

use crate::error::Error;
use crate::leave::leave;
use crate::libraries;

static ON_WAYLAND: AtomicBool = AtomicBool::new(false);
/// The connection to the compositor; -1: there is none.
static WAYLAND: AtomicI32 = AtomicI32::new(-1);
static GONE: AtomicBool = AtomicBool::new(false);
/// Whether this Xlib can go on after its connection broke (1.7, of 2020, can).
static GOES_ON: AtomicBool = AtomicBool::new(false);

type Pending = unsafe extern "C" fn(display: *mut c_void) -> c_int;
type Broken = unsafe extern "C" fn(display: *mut c_void) -> c_int;
type AtExit = unsafe extern "C" fn(display: *mut c_void, data: *mut c_void);
type SetBroken = unsafe extern "C" fn(Option<Broken>) -> Option<Broken>;
type SetAtExit = unsafe extern "C" fn(*mut c_void, Option<AtExit>, *mut c_void);

/// Whether the server of the window is gone.
pub(super) fn gone() -> bool {
    GONE.load(SeqCst)
}

/// Whether the window's compositor does not answer any more. A driver may wait for one that is gone until its deadline.
pub(crate) fn compositor_gone() -> bool {
    ON_WAYLAND.load(SeqCst) && libraries::wayland_hangs_up()
}

/// Ends the program if the compositor has hung up: Mesa's `vkQueuePresentKHR` (of 22.3, on lavapipe) uses what libwayland
/// gives it without a look at whether it is null, which it is on a broken connection.
pub(crate) fn leave_if_hung_up() {
    let mut connection = libc::pollfd {
        fd: WAYLAND.load(SeqCst),
        events: 0,
        revents: 0,
    };
    // SAFETY: one structure, and it does not wait. One that is negative is passed over.
    let found = unsafe { libc::poll(&raw mut connection, 1, 0) };
    if found > 0 && connection.revents & (libc::POLLHUP | libc::POLLERR) != 0 {
        leave(&went_away());
    }
}

/// The file of a connection to a compositor.
fn wayland_file(display: *mut c_void) -> Option<c_int> {
    // SAFETY: the window library has loaded it, and its initialisation does nothing.
    let wayland = unsafe { Library::new("libwayland-client.so.0") }.ok()?;
    // SAFETY: the type is that of its header.
    let file = unsafe { wayland.get::<Pending>(b"wl_display_get_fd\0") }.ok()?;
    // SAFETY: the display is alive (X1).
    Some(unsafe { file(display) })
}

/// The error to end with then. Neither the window library nor the driver can be relied on to take the window down without a
/// server, so the program leaves at once.
pub(crate) fn went_away() -> Error {
    Error::Window("the display server went away, or closed the window".into())
}

/// Looks whether the server is gone, which others may have noticed before Xlib.
pub(super) fn ask(display: RawDisplayHandle) {
    let RawDisplayHandle::Xlib(handle) = display else {
        GONE.fetch_or(libraries::wayland_hangs_up(), SeqCst);
        return;
    };
    if let (Some(display), Some(xlib)) = (handle.display, xlib())
        // SAFETY: the type is that of Xlib's header.
        && let Ok(pending) = unsafe { xlib.get::<Pending>(b"XPending\0") }
    {
        // SAFETY: the display is alive (X1), and `watch` has made Xlib come back from a broken connection.
        unsafe { pending(display.as_ptr()) };
    }
}

/// Xlib, for good.
fn xlib() -> Option<&'static Library> {
    static XLIB: OnceLock<Option<Library>> = OnceLock::new();
    // SAFETY: it is loaded already (X1).
    XLIB.get_or_init(|| unsafe { Library::new("libX11.so.6") }.ok())
        .as_ref()
}

/// Watches the connection to an X server (X1). Losing one to a compositor ends the event loop, unless the driver notices
/// first.
pub(super) fn watch(display: RawDisplayHandle) {
    let RawDisplayHandle::Xlib(handle) = display else {
        ON_WAYLAND.store(true, SeqCst);
        if let RawDisplayHandle::Wayland(handle) = display {
            WAYLAND.store(wayland_file(handle.display.as_ptr()).unwrap_or(-1), SeqCst);
        }
        return;
    };
    let (Some(display), Some(xlib)) = (handle.display, xlib()) else {
        return;
    };
    // SAFETY: the type is that of Xlib's header.
    if let Ok(set) = unsafe { xlib.get::<SetAtExit>(b"XSetIOErrorExitHandler\0") } {
        // SAFETY: the display is alive (X1), the handler lives as long as the process.
        unsafe { set(display.as_ptr(), Some(go_on), std::ptr::null_mut()) };
        GOES_ON.store(true, SeqCst);
    }
    // SAFETY: the type is that of Xlib's header.
    if let Ok(set) = unsafe { xlib.get::<SetBroken>(b"XSetIOErrorHandler\0") } {
        // SAFETY: the handler lives as long as the process.
        unsafe { set(Some(broken)) };
    }
}

/// Called by Xlib when it finds its connection broken; an old Xlib ends the process when this returns.
unsafe extern "C" fn broken(_: *mut c_void) -> c_int {
    GONE.store(true, SeqCst);
    if !GOES_ON.load(SeqCst) {
        leave(&went_away());
    }
    0
}

/// Called by Xlib in the place of `exit`.
unsafe extern "C" fn go_on(_: *mut c_void, _: *mut c_void) {}
