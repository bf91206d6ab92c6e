//! A minute of everything that a user can do to a window, at random.

use std::time::{Duration, Instant};

use super::{ended_well, png_size, small, sum, swapchain_size};
use crate::support::display::Xvfb;
use crate::support::{Folder, STRATEGIES, validation};

/// How long it lasts; `AGATE_STORM_SECONDS` says otherwise.
const SECONDS: u64 = 60;

/// The sequence of events is the same each time (the demo's answers come when they come).
const SEED: u64 = 0x5eed_0f57_0123_4567;

/// Numbers without a pattern that a window would notice (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % end
    }

    /// A size for a window, now and then with a side of one pixel.
    fn size(&mut self) -> (u32, u32) {
        let mut side = |most| {
            let side = if self.below(4) == 0 {
                0
            } else {
                self.below(most)
            };
            1 + u32::try_from(side).unwrap_or(0)
        };
        (side(900), side(600))
    }
}

fn length() -> Duration {
    let seconds = std::env::var("AGATE_STORM_SECONDS").ok();
    Duration::from_secs(
        seconds
            .and_then(|text| text.parse().ok())
            .unwrap_or(SECONDS),
    )
}

#[test]
fn a_minute_of_sizes_hiding_and_strategies_leaves_the_layer_silent() {
    if !validation() {
        return;
    }
    let Some(server) = Xvfb::start_managed() else {
        return;
    };
    let folder = Folder::new();
    let flags = [
        "--validation",
        "--screenshot",
        "last.png",
        "--json",
        "run.json",
    ];
    let mut demo = server.open(&folder, &small(&flags));
    demo.until_it_draws();
    let mut random = Random(SEED);
    let (mut hidden, mut switched) = (0_u64, 0_u64);
    let (begin, length) = (Instant::now(), length());
    while begin.elapsed() < length {
        match random.below(8) {
            0 => {
                demo.minimise();
                hidden += 1;
                // A size that is asked for in hiding counts when the window is back.
                demo.ask_for_size(random.size());
                demo.restore();
            }
            1 | 2 => {
                let index = usize::try_from(random.below(STRATEGIES.len() as u64)).unwrap_or(0);
                let key = (index + 1).to_string();
                demo.press_until(&key, &format!("| {} |", STRATEGIES[index]));
                switched += 1;
            }
            3 => demo.resize((1, 1)),
            4 => demo.until_it_draws(),
            _ => (0..=random.below(4)).for_each(|_| demo.ask_for_size(random.size())),
        }
    }
    let last = (487, 271);
    demo.resize(last);
    demo.until_it_draws();
    ended_well(&demo.press_until_it_ends("Escape"));
    let numbers = folder.json("run.json");
    assert_eq!(numbers["validation_messages"], 0);
    assert_eq!(numbers["window_hidden"], hidden);
    assert_eq!(numbers["frames_while_hidden"], 0);
    assert_eq!(png_size(&folder.read("last.png")), last);
    assert_eq!(swapchain_size(&numbers), (487, 271));
    assert!(sum(&numbers, "frames") > 0 && switched > 0, "{numbers}");
    let (frames, swapchains) = (sum(&numbers, "frames"), sum(&numbers, "swapchains"));
    println!(
        "{hidden} times hidden, {switched} switches, {frames} frames, {swapchains} swapchains"
    );
}
