//! The same picture, byte for byte, whoever records it and however the pass is said.

use crate::support::{Folder, PASSES, STRATEGIES, device, small};

fn picture(more: &[&str]) -> Vec<u8> {
    let folder = Folder::new();
    folder.run_well(&small(&[more, &["--screenshot", "picture.png"]].concat()));
    folder.read("picture.png")
}

#[test]
fn all_strategies_and_both_kinds_of_pass_draw_the_same() {
    if !device() {
        return;
    }
    let reference = picture(&["--strategy", "single"]);
    for strategy in STRATEGIES {
        for pass in PASSES {
            let same = picture(&[&["--strategy", strategy], pass].concat()) == reference;
            assert!(same, "{strategy} {pass:?}");
        }
    }
}

#[test]
fn the_number_of_jobs_does_not_matter() {
    if !device() {
        return;
    }
    let reference = picture(&["--strategy", "single"]);
    for jobs in ["1", "60", "4096"] {
        assert!(
            picture(&["--strategy", "agate", "--jobs", jobs]) == reference,
            "{jobs} jobs"
        );
    }
}

#[test]
fn seed_and_time_matter() {
    if !device() {
        return;
    }
    let reference = picture(&[]);
    assert!(picture(&["--seed", "8"]) != reference);
    assert!(picture(&["--frames", "5"]) != reference);
}

#[test]
fn the_picture_shows_something() {
    if !device() {
        return;
    }
    let folder = Folder::new();
    folder.run_well(&small(&["--screenshot", "picture.png"]));
    let decoder = png::Decoder::new(std::io::Cursor::new(folder.read("picture.png")));
    let mut reader = decoder.read_info().expect("a PNG file");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut pixels).expect("an image");
    assert_eq!((info.width, info.height), (160, 90));
    let colors: std::collections::HashSet<&[u8]> = pixels.chunks(4).collect();
    assert!(colors.len() > 1000, "{} colours", colors.len());
}
