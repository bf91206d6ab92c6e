//! A picture that was looked at once and must not change unnoticed: `golden/stones.png`, and whose driver drew it.
//!
//! Drivers round as they like, so the picture counts for the driver and version in `golden/stones.json` alone; with
//! another one the test is skipped, and says so. `AGATE_BLESS=1` writes both files anew, and refuses to put one driver's
//! picture in the place of another's: that takes deleting the old one first, in view of whoever reviews it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Folder, device, skip};

/// What is drawn. The time is fixed, so the picture can be repeated.
const SCENE: [&str; 15] = [
    "--headless",
    "--size",
    "320x180",
    "--draws",
    "60",
    "--jobs",
    "7",
    "--time-step",
    "0.5",
    "--frames",
    "4",
    "--seed",
    "7",
    "--strategy",
    "agate",
];

/// The most by which a channel may differ, of 255, before its pixel counts as different.
///
/// One driver draws the same bytes with vectors of 128, 256 and 512 bits. Without AVX it rounds in other places
/// (`GALLIUM_OVERRIDE_CPU_CAPS=sse4.1`): 193 of the 57,600 pixels differ then, 189 of them by no more than this.
const TOLERANCE: u8 = 4;

/// As many pixels may be different: ten times the 4 that were seen on such a processor.
const PIXELS: usize = 40;

/// A picture with four channels of 8 bits.
struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<[u8; 4]>,
}

impl Picture {
    fn read(path: &Path) -> Self {
        let file = fs::File::open(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let mut reader = png::Decoder::new(std::io::BufReader::new(file))
            .read_info()
            .expect("a PNG file");
        let mut bytes = vec![0; reader.output_buffer_size().expect("a size")];
        let info = reader.next_frame(&mut bytes).expect("an image");
        assert_eq!(info.color_type, png::ColorType::Rgba, "{}", path.display());
        let pixels = bytes[..info.buffer_size()].as_chunks().0.to_vec();
        Self {
            width: info.width,
            height: info.height,
            pixels,
        }
    }

    fn write(&self, path: &Path) {
        let file = fs::File::create(path).expect("a file for a picture");
        let mut encoder = png::Encoder::new(file, self.width, self.height);
        encoder.set_color(png::ColorType::Rgba);
        let mut writer = encoder.write_header().expect("the head of a PNG file");
        let written = writer.write_image_data(self.pixels.as_flattened());
        written.expect("a PNG file");
    }

    /// Each channel's difference, eight times as bright; what is beyond the tolerance is red.
    fn difference(&self, other: &Self) -> (usize, Self) {
        let mut different = 0;
        let pixels = self.pixels.iter().zip(&other.pixels).map(|(left, right)| {
            let apart: [u8; 4] = std::array::from_fn(|at| left[at].abs_diff(right[at]));
            if apart.iter().any(|apart| *apart > TOLERANCE) {
                different += 1;
                return [255, 0, 0, 255];
            }
            let [red, green, blue, _] = apart.map(|apart| apart.saturating_mul(8));
            [red, green, blue, 255]
        });
        let pixels = pixels.collect();
        (
            different,
            Self {
                width: self.width,
                height: self.height,
                pixels,
            },
        )
    }
}

/// Device and driver of a run. The device's name without what stands in parentheses, which for lavapipe is the width of
/// the processor's vectors and does not change the picture.
fn driver(numbers: &Value) -> Value {
    let device = numbers["device"].as_str().expect("a device");
    let device = device.split(" (").next().unwrap_or(device);
    json!({
        "device": device,
        "driver_name": numbers["driver_name"],
        "driver_info": numbers["driver_info"],
        "driver_version": numbers["driver_version"],
    })
}

fn golden(extension: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    folder.join(format!("stones.{extension}"))
}

/// Whose picture it is; none where it was deleted.
fn blessed_driver() -> Option<Value> {
    let text = fs::read(golden("json")).ok()?;
    Some(serde_json::from_slice(&text).expect("golden/stones.json is JSON"))
}

/// Makes `picture` the golden one.
fn bless(picture: &Path, driver: &Value) {
    assert!(
        env::var_os("CI").is_none(),
        "nothing is blessed where nobody looks at it"
    );
    if let Some(old) = blessed_driver() {
        assert_eq!(
            &old,
            driver,
            "{} is another driver's picture: delete it and its JSON file first",
            golden("png").display()
        );
    } else {
        assert!(
            !golden("png").exists(),
            "{} is nobody knows whose picture: delete it first",
            golden("png").display()
        );
    }
    fs::create_dir_all(golden("png").parent().expect("its folder")).expect("its folder");
    fs::copy(picture, golden("png")).expect("the golden picture");
    fs::write(golden("json"), format!("{driver:#}\n")).expect("its driver");
}

#[test]
fn the_stones_look_as_they_did() {
    if !device() {
        return;
    }
    let folder = Folder::new();
    let files = ["--screenshot", "picture.png", "--json", "run.json"];
    folder.run_well(&[&SCENE[..], &files].concat());
    let (drawn, driver) = (
        folder.path().join("picture.png"),
        driver(&folder.json("run.json")),
    );
    if env::var("AGATE_BLESS").is_ok_and(|value| value == "1") {
        return bless(&drawn, &driver);
    }
    let blessed = blessed_driver().expect("golden/stones.json; AGATE_BLESS=1 makes it");
    if blessed != driver {
        skip(&format!(
            "the golden picture is of {blessed}, and this is {driver}"
        ));
        return;
    }
    let (actual, expected) = (Picture::read(&drawn), Picture::read(&golden("png")));
    assert_eq!(
        (actual.width, actual.height),
        (expected.width, expected.height)
    );
    let (different, difference) = actual.difference(&expected);
    if different > PIXELS {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (drawn, apart) = (
            kept.join("stones-actual.png"),
            kept.join("stones-difference.png"),
        );
        actual.write(&drawn);
        difference.write(&apart);
        panic!(
            "{different} pixels differ by more than {TOLERANCE} of 255, and {PIXELS} may: compare {} with {}; {} shows \
             where",
            drawn.display(),
            golden("png").display(),
            apart.display()
        );
    }
}

#[test]
fn a_difference_counts_pixels_and_not_channels() {
    let picture = |pixels: &[[u8; 4]]| Picture {
        width: 3,
        height: 1,
        pixels: pixels.to_vec(),
    };
    let left = picture(&[[0, 0, 0, 255], [9, 9, 9, 255], [200, 200, 200, 255]]);
    let right = picture(&[[4, 4, 4, 255], [0, 0, 0, 255], [200, 205, 200, 255]]);
    let (different, shown) = left.difference(&right);
    assert_eq!(different, 2);
    assert_eq!(shown.pixels[0], [32, 32, 32, 255]);
}
