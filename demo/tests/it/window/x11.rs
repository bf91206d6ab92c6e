//! A window on a bare X server, which nobody manages.

use super::{ended_well, small};
use crate::support::display::Xvfb;
use crate::support::running::end;
use crate::support::{Folder, PASSES, STRATEGIES, device, only_strategy, validation};

#[test]
fn every_strategy_draws_presents_and_closes_and_the_layer_is_silent() {
    if !validation() {
        return;
    }
    let Some(server) = Xvfb::start() else { return };
    let headless = Folder::new();
    headless.run_well(&small(&[
        "--headless",
        "--frames",
        "4",
        "--screenshot",
        "picture.png",
    ]));
    for strategy in STRATEGIES {
        for pass in PASSES {
            let folder = Folder::new();
            let flags = [
                "--validation",
                "--frames",
                "4",
                "--strategy",
                strategy,
                "--screenshot",
                "picture.png",
                "--json",
                "run.json",
            ];
            let flags = [small(&flags), pass.to_vec()].concat();
            ended_well(&end(&mut server.demo(&folder, &flags)));
            let numbers = folder.json("run.json");
            assert_eq!(numbers["validation_messages"], 0, "{strategy} {pass:?}");
            assert_eq!(numbers["window"], true);
            let presenters = only_strategy(&numbers)["threads"]["swapchain"]
                .as_array()
                .expect("a list")
                .len();
            assert_eq!(presenters, 1, "{strategy} {pass:?}");
            assert!(
                folder.read("picture.png") == headless.read("picture.png"),
                "{strategy} {pass:?}"
            );
        }
    }
}

#[test]
fn keys_resizes_and_escape() {
    if !device() {
        return;
    }
    let Some(server) = Xvfb::start_with_keys() else {
        return;
    };
    let folder = Folder::new();
    let mut demo = server.open(
        &folder,
        &small(&["--strategy", "single", "--json", "run.json"]),
    );
    // The strategy in use comes last, so that every press changes something.
    for (index, strategy) in STRATEGIES.into_iter().enumerate() {
        let key = (index + 1).to_string();
        demo.press_until(&key, &format!("| {strategy} |"));
        for size in [(500, 400), (1, 1), (640, 360)] {
            demo.ask_for_size(size);
        }
    }
    demo.until("a screenshot", |demo| {
        demo.press("F12");
        let picture = folder.path().join("agate-demo-001.png");
        picture.exists().then_some(())
    });
    demo.press("space");
    demo.xdotool(&["mousemove", "500", "300", "mousedown", "1"]);
    demo.xdotool(&["mousemove", "540", "320", "mouseup", "1", "click", "4"]);
    let ending = demo.press_until_it_ends("Escape");
    ended_well(&ending);
    assert!(ending.out.contains("screenshot: agate-demo-001.png"));
    let numbers = folder.json("run.json");
    let used = numbers["strategies"].as_array().expect("a list").len();
    assert_eq!(used, STRATEGIES.len());
}
