//! What kind of agate a stone is, and its colours.

use super::outline::Outline;
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
}

/// The slots of the palette. The last three are moss agate: core, plume, milk.
const PALETTES: [Palette; 16] = [
    // Rust: carnelian.
    Palette {
        bands: [0x5a1606, 0xb8481a, 0xf0bd8a],
        heart: 0xd9cfc6,
    },
    // Honey.
    Palette {
        bands: [0x6b3a0c, 0xc98a2c, 0xf6e3b4],
        heart: 0xe6dcc8,
    },
    // Blue lace.
    Palette {
        bands: [0x3d5a86, 0x8fb0d8, 0xeaf1fa],
        heart: 0xdfe8f4,
    },
    // Rose.
    Palette {
        bands: [0x7c1f3c, 0xcf6f84, 0xf8dcd8],
        heart: 0xefd9de,
    },
    // White chalcedony and grey.
    Palette {
        bands: [0x5d5a5e, 0xb3aeac, 0xf4f1ec],
        heart: 0xe9e6ea,
    },
    // Petrol dye.
    Palette {
        bands: [0x05343f, 0x1c8a93, 0xc4ecea],
        heart: 0xd4ebec,
    },
    // Royal blue dye.
    Palette {
        bands: [0x0e1f63, 0x2f5fc4, 0xc9defa],
        heart: 0xcfdcf5,
    },
    // Amethyst.
    Palette {
        bands: [0x34154f, 0x7d4bb0, 0xe2d2f2],
        heart: 0x8f62c8,
    },
    // Sardonyx: brown, cream, black.
    Palette {
        bands: [0x24130e, 0x8a4a2a, 0xf3e6d2],
        heart: 0xdccbb8,
    },
    // Green chrysoprase.
    Palette {
        bands: [0x0f4030, 0x3f9a72, 0xd6f0dc],
        heart: 0xdcefe2,
    },
    // Plum and peach (Botswana).
    Palette {
        bands: [0x4b2430, 0xa8726c, 0xf5dccb],
        heart: 0xe8d5d0,
    },
    // Fire: crimson and gold.
    Palette {
        bands: [0x7a0b12, 0xdd5a1c, 0xfad58a],
        heart: 0xf0dcc4,
    },
    // Carnelian again, lighter: it is the commonest.
    Palette {
        bands: [0x74260c, 0xd0652c, 0xf7d3ae],
        heart: 0xe2d6cc,
    },
    Palette {
        bands: [0x16301a, 0x3f6b34, 0xe4e8dc],
        heart: 0xc9d4cc,
    },
    Palette {
        bands: [0x3c1d0c, 0x8a5a1e, 0xeee4d0],
        heart: 0xd8d2c4,
    },
    Palette {
        bands: [0x1b2330, 0x44566a, 0xe6ebf0],
        heart: 0xbcc8d4,
    },
];

/// Colours of crystals that grow in any stone: amethyst, citrine, rose quartz, aquamarine, smoke.
const CRYSTALS: [u32; 5] = [0x8a5ad6, 0xe8b048, 0xf2b4c4, 0xa8dcf2, 0x9a7a66];

/// First slot of the moss agates.
const MOSS: usize = 13;

/// Mean colour of each slot, two to a word, 5-6-5 bits in gamma 2, for the ground's shader.
pub(super) fn slots() -> [u32; 8] {
    let half = |slot: usize| {
        let [r, g, b, _] = tint(PALETTES[slot].bands[1], [1.0; 3])
            .to_le_bytes()
            .map(u32::from);
        r >> 3 | (g >> 2) << 5 | (b >> 3) << 11
    };
    std::array::from_fn(|word| half(2 * word) | half(2 * word + 1) << 16)
}

impl Look {
    /// The look of a stone whose slot is in `chance`; the rest at random.
    pub(super) fn choose(chance: u32, random: &mut Random) -> Self {
        let slot = (chance >> 16 & 15) as usize;
        let palette = &PALETTES[slot];
        let kind = match random.below(100) {
            _ if slot >= MOSS => Kind::Moss,
            0..40 => Kind::Banded,
            40..80 => Kind::Druzy,
            _ => Kind::Waterline,
        };
        let heart = match random.below(100) {
            _ if kind != Kind::Druzy => palette.heart,
            0..45 => palette.heart,
            level => CRYSTALS[level % CRYSTALS.len()],
        };
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
            heart: tint(heart, [1.0; 3]),
            style: u32::from_le_bytes([
                kind as u8,
                bands as u8,
                (warp * 255.0) as u8,
                (heart_size * 255.0) as u8,
            ]),
            shape: random.word(),
        }
    }

    /// Number of the kind.
    #[cfg(test)]
    pub(super) fn kind(&self) -> u8 {
        self.style as u8
    }

    /// The rim of the stone.
    pub(super) fn outline(&self) -> Outline {
        Outline::new(self.shape)
    }
}

/// An sRGB colour, multiplied by `shift` in linear light, as gamma-2 bytes for the shader.
fn tint(srgb: u32, shift: [f32; 3]) -> u32 {
    let channel = |at: usize| {
        let encoded = ((srgb >> (16 - 8 * at)) & 0xff) as f32 / 255.0;
        let linear = encoded.powf(2.2) * shift[at];
        (linear.clamp(0.0, 1.0).sqrt() * 255.0).round() as u8
    };
    u32::from_le_bytes([channel(0), channel(1), channel(2), 255])
}
