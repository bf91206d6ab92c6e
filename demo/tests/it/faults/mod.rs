//! What goes wrong on ordinary machines: each fault ends the demo with one line and the right exit code, or it goes on.

mod ending;
mod files;
mod layer;
mod libraries;
mod loss;
mod machine;
mod memory;
mod presentation;
mod servers;
