//! What goes wrong on ordinary machines: each fault ends the demo with one line and the right exit code, or it goes on.

mod files;
mod libraries;
mod loss;
mod machine;
mod memory;
mod presentation;
mod servers;

/// Flags of a picture that is drawn at once.
const TINY: [&str; 10] = [
    "--size",
    "64x36",
    "--draws",
    "8",
    "--time-step",
    "0.5",
    "--jobs",
    "3",
    "--frames",
    "8",
];
