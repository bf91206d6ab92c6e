//! The validation layer, with thread safety and synchronization checks, has nothing to say.

use crate::support::{Folder, PASSES, STRATEGIES, small, validation};

#[test]
fn the_layer_is_silent_for_all_strategies_and_both_kinds_of_pass() {
    if !validation() {
        return;
    }
    for strategy in STRATEGIES {
        for pass in PASSES {
            let folder = Folder::new();
            let flags = [
                "--validation",
                "--strategy",
                strategy,
                "--json",
                "run.json",
                "--screenshot",
                "picture.png",
            ];
            folder.run_well(&small(&[&flags, pass].concat()));
            assert_eq!(
                folder.json("run.json")["validation_messages"],
                0,
                "{strategy} {pass:?}"
            );
        }
    }
}

#[test]
fn the_layer_is_silent_where_frames_are_only_recorded() {
    if !validation() {
        return;
    }
    for strategy in STRATEGIES {
        let folder = Folder::new();
        let flags = ["--validation", "--no-execute", "--json", "run.json"];
        folder.run_well(&small(&[&flags[..], &["--strategy", strategy]].concat()));
        assert_eq!(
            folder.json("run.json")["validation_messages"],
            0,
            "{strategy}"
        );
    }
}

#[test]
fn without_the_layer_nothing_is_claimed() {
    if !validation() {
        return;
    }
    let folder = Folder::new();
    folder.run_well(&small(&["--strategy", "single", "--json", "run.json"]));
    assert!(folder.json("run.json")["validation_messages"].is_null());
}
