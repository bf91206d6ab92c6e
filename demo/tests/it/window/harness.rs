//! A demo with a window on an X server, and what a user does to it.

use std::process::Command;

use crate::support::Folder;
use crate::support::display::Xvfb;
use crate::support::running::{Ending, Running, start, until};

impl Xvfb {
    /// Starts the demo, and waits for its window.
    pub(super) fn open(&self, folder: &Folder, arguments: &[&str]) -> Demo<'_> {
        self.open_command(&mut self.demo(folder, arguments))
    }

    /// The same, with the command as it is.
    pub(super) fn open_command(&self, command: &mut Command) -> Demo<'_> {
        let mut demo = Demo {
            running: start(command),
            display: self,
            window: String::new(),
        };
        demo.window = demo.until("the window", |demo| {
            let found = demo.display.xdotool(&["search", "--name", "agate demo"]);
            (!found.is_empty()).then_some(found)
        });
        demo
    }
}

/// A demo with a window on an [`Xvfb`].
pub(super) struct Demo<'a> {
    running: Running,
    display: &'a Xvfb,
    window: String,
}

impl Demo<'_> {
    /// Asks `question` again until its answer is good, as long as the demo lives.
    pub(super) fn until<T>(
        &mut self,
        what: &str,
        mut question: impl FnMut(&Self) -> Option<T>,
    ) -> T {
        until(what, || {
            let answer = question(self);
            if answer.is_none() {
                self.running.lives_until(what);
            }
            answer
        })
    }

    pub(super) fn xdotool(&self, arguments: &[&str]) -> String {
        self.display.xdotool(arguments)
    }

    /// Presses a key, once the window was made the one that keys go to: a manager gives a new window no focus where
    /// somebody pressed a key just before.
    pub(super) fn press(&self, key: &str) {
        let focus = if self.display.is_managed() {
            "windowactivate"
        } else {
            "windowfocus"
        };
        self.xdotool(&[focus, &self.window]);
        self.xdotool(&["key", key]);
    }

    /// Presses a key until the window's title has `part`: the first press may come before the focus.
    pub(super) fn press_until(&mut self, key: &str, part: &str) {
        self.until(part, |demo| {
            demo.press(key);
            demo.title().contains(part).then_some(())
        });
    }

    pub(super) fn title(&self) -> String {
        self.xdotool(&["getwindowname", &self.window])
    }

    /// Waits until numbers of frames are in the title: frames have been drawn since it last had none.
    pub(super) fn until_it_draws(&mut self) {
        self.until("frames", |demo| {
            demo.title().contains(" FPS ").then_some(())
        });
    }

    /// Asks for another size, and waits for nothing.
    pub(super) fn ask_for_size(&self, (width, height): (u32, u32)) {
        let (width, height) = (width.to_string(), height.to_string());
        self.xdotool(&["windowsize", &self.window, &width, &height]);
    }

    /// The size of the window's area, as the X server has it.
    pub(super) fn size(&self) -> Option<(u32, u32)> {
        let said = self.xdotool(&["getwindowgeometry", "--shell", &self.window]);
        let side = |name: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|side| side.parse().ok())
        };
        Some((side("WIDTH=")?, side("HEIGHT=")?))
    }

    /// Gives the window another size.
    pub(super) fn resize(&mut self, size: (u32, u32)) {
        self.until("another size", |demo| {
            demo.ask_for_size(size);
            (demo.size() == Some(size)).then_some(())
        });
    }

    /// Minimises, until the demo knows.
    pub(super) fn minimise(&mut self) {
        self.until("the hidden window", |demo| {
            demo.xdotool(&["windowminimize", &demo.window]);
            demo.title().ends_with("| hidden").then_some(())
        });
    }

    /// Shows the window again, until it draws.
    pub(super) fn restore(&mut self) {
        self.until("the window again", |demo| {
            demo.xdotool(&["windowactivate", &demo.window]);
            (!demo.title().ends_with("| hidden")).then_some(())
        });
    }

    /// Presses a key until the demo ends: the first press may come before the focus.
    pub(super) fn press_until_it_ends(mut self, key: &str) -> Ending {
        until("the end", || {
            self.press(key);
            self.running.has_ended().then_some(())
        });
        self.running.end()
    }
}
