//! A swapchain that does not fit its window any more, or fits it badly: the demo goes on, however often it is told.

use super::TINY;
use crate::support::display::Xvfb;
use crate::support::layer::Layer;
use crate::support::{Folder, STRATEGIES, validation};

#[test]
fn out_of_date_and_suboptimal_swapchains_are_rebuilt() {
    let Some(layer) = Layer::ready() else { return };
    let Some(server) = Xvfb::start() else { return };
    let checks: &[&str] = if validation() { &["--validation"] } else { &[] };
    for strategy in STRATEGIES {
        for function in ["vkAcquireNextImageKHR", "vkQueuePresentKHR"] {
            for (calls, result) in [
                ("1", "OUT_OF_DATE"),
                ("2-6", "OUT_OF_DATE"),
                ("2-6", "SUBOPTIMAL"),
            ] {
                let folder = Folder::new();
                let flags = ["--strategy", strategy, "--json", "run.json"];
                let mut command = server.demo(&folder, &[&TINY[..], &flags, checks].concat());
                let run = layer.run(&mut command, &format!("{function}:{calls}:{result}"));
                run.ending.well();
                assert!(run.struck, "{}", run.ending.line());
                let drawn = &folder.json("run.json")["strategies"][0]["frames"];
                assert_eq!(drawn, 8, "{}", run.ending.line());
                let built = run.counts["vkCreateSwapchainKHR"];
                assert!(built > 1, "{}: built {built} times", run.ending.line());
            }
        }
    }
}
