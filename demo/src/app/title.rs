//! The numbers in the window's title.

use std::time::{Duration, Instant};

use crate::session::FrameFacts;

/// What the title shows, gathered over half a second.
pub(super) struct Title {
    since: Instant,
    frames: u32,
    until_ended_us: f64,
    blocked_us: f64,
}

impl Title {
    const PERIOD: Duration = Duration::from_millis(500);

    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            frames: 0,
            until_ended_us: 0.0,
            blocked_us: 0.0,
        }
    }

    /// Takes in a frame; a new text once the period is over.
    pub(super) fn frame(&mut self, facts: &FrameFacts) -> Option<String> {
        self.frames += u32::from(facts.drawn);
        self.until_ended_us += facts.until_ended_us;
        self.blocked_us += facts.blocked_us;
        let passed = self.since.elapsed();
        if passed < Self::PERIOD || self.frames == 0 {
            return None;
        }
        let frames = f64::from(self.frames);
        let text = format!(
            "{:.1} FPS | record {:.0} us | jobs blocked {:.0} us per frame",
            frames / passed.as_secs_f64(),
            self.until_ended_us / frames,
            self.blocked_us / frames
        );
        *self = Self::new();
        Some(text)
    }
}
