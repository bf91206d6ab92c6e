//! What kind of agate a stone is, and its colours.

use super::random::Random;

/// Kinds of stone; the numbers are those of `shaders/stone.wgsl`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Bands to a small heart of polished quartz.
    Banded = 0,
    /// Bands around a hollow lined with crystals.
    Druzy = 1,
    /// Level layers inside a banded shell.
    Waterline = 2,
    /// Plumes in milky chalcedony.
    Moss = 3,
}

/// Looks of a stone as the shader reads them: colours in gamma 2, then style and shape bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Look {
    dark: u32,
    middle: u32,
    light: u32,
    heart: u32,
    style: u32,
    shape: u32,
}

/// sRGB colours of the bands, from dark to light, and of the heart.
struct Palette {
    bands: [u32; 3],
    heart: u32,
    /// How often it is met, out of the sum of all.
    share: u32,
}

const PALETTES: [Palette; 12] = [
    // Rust: carnelian.
    Palette {
        bands: [0x5a1606, 0xb8481a, 0xf0bd8a],
        heart: 0xd9cfc6,
        share: 5,
    },
    // Honey.
    Palette {
        bands: [0x6b3a0c, 0xc98a2c, 0xf6e3b4],
        heart: 0xe6dcc8,
        share: 5,
    },
    // Blue lace.
    Palette {
        bands: [0x3d5a86, 0x8fb0d8, 0xeaf1fa],
        heart: 0xdfe8f4,
        share: 4,
    },
    // Rose.
    Palette {
        bands: [0x7c1f3c, 0xcf6f84, 0xf8dcd8],
        heart: 0xefd9de,
        share: 3,
    },
    // White chalcedony and grey.
    Palette {
        bands: [0x5d5a5e, 0xb3aeac, 0xf4f1ec],
        heart: 0xe9e6ea,
        share: 3,
    },
    // Petrol dye.
    Palette {
        bands: [0x05343f, 0x1c8a93, 0xc4ecea],
        heart: 0xd4ebec,
        share: 4,
    },
    // Royal blue dye.
    Palette {
        bands: [0x0e1f63, 0x2f5fc4, 0xc9defa],
        heart: 0xcfdcf5,
        share: 3,
    },
    // Amethyst.
    Palette {
        bands: [0x34154f, 0x7d4bb0, 0xe2d2f2],
        heart: 0x8f62c8,
        share: 4,
    },
    // Sardonyx: brown, cream, black.
    Palette {
        bands: [0x24130e, 0x8a4a2a, 0xf3e6d2],
        heart: 0xdccbb8,
        share: 4,
    },
    // Green chrysoprase.
    Palette {
        bands: [0x0f4030, 0x3f9a72, 0xd6f0dc],
        heart: 0xdcefe2,
        share: 2,
    },
    // Plum and peach (Botswana).
    Palette {
        bands: [0x4b2430, 0xa8726c, 0xf5dccb],
        heart: 0xe8d5d0,
        share: 3,
    },
    // Fire: crimson and gold.
    Palette {
        bands: [0x7a0b12, 0xdd5a1c, 0xfad58a],
        heart: 0xf0dcc4,
        share: 3,
    },
];

/// Palettes of the plumes in moss agate: core, plume, milk.
const MOSS: [Palette; 3] = [
    Palette {
        bands: [0x16301a, 0x3f6b34, 0xe4e8dc],
        heart: 0xc9d4cc,
        share: 3,
    },
    Palette {
        bands: [0x3c1d0c, 0x8a5a1e, 0xeee4d0],
        heart: 0xd8d2c4,
        share: 1,
    },
    Palette {
        bands: [0x1b2330, 0x44566a, 0xe6ebf0],
        heart: 0xbcc8d4,
        share: 1,
    },
];

impl Look {
    /// A look by chance.
    pub(super) fn choose(random: &mut Random) -> Self {
        let kind = match random.below(100) {
            0..34 => Kind::Banded,
            34..68 => Kind::Druzy,
            68..86 => Kind::Waterline,
            _ => Kind::Moss,
        };
        let palette = pick(if kind == Kind::Moss { &MOSS } else { &PALETTES }, random);
        let heart_size = match kind {
            Kind::Banded => random.range(0.06, 0.26),
            Kind::Druzy => random.range(0.26, 0.52),
            Kind::Waterline => random.range(0.10, 0.20),
            Kind::Moss => 0.2,
        };
        let bands = match kind {
            Kind::Moss => 9.0,
            Kind::Druzy => random.range(6.0, 11.0),
            _ => random.range(9.0, 18.0),
        };
        let warp = random.range(0.35, 1.0);
        let mut drift = || random.range(0.90, 1.08);
        let shift = [drift(), drift(), drift()];
        Self {
            dark: tint(palette.bands[0], shift),
            middle: tint(palette.bands[1], shift),
            light: tint(palette.bands[2], [1.0; 3]),
            heart: tint(palette.heart, [1.0; 3]),
            style: u32::from_le_bytes([
                kind as u8,
                bands as u8,
                (warp * 255.0) as u8,
                (heart_size * 255.0) as u8,
            ]),
            shape: random.word(),
        }
    }
}

fn pick<'a>(palettes: &'a [Palette], random: &mut Random) -> &'a Palette {
    let total: u32 = palettes.iter().map(|palette| palette.share).sum();
    let mut left = random.below(total as usize) as u32;
    for palette in palettes {
        if left < palette.share {
            return palette;
        }
        left -= palette.share;
    }
    &palettes[0]
}

/// An sRGB colour, multiplied by `shift` in linear light, as gamma-2 bytes for the shader.
fn tint(srgb: u32, shift: [f32; 3]) -> u32 {
    let channel = |at: usize| {
        let encoded = (srgb >> (16 - 8 * at) & 0xff) as f32 / 255.0;
        let linear = encoded.powf(2.2) * shift[at];
        (linear.clamp(0.0, 1.0).sqrt() * 255.0).round() as u8
    };
    u32::from_le_bytes([channel(0), channel(1), channel(2), 255])
}
