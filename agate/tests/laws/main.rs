//! The laws of channels: what every lane in every scope must keep, over the public API alone.
//!
//! A law is written once, as parties that each do a small piece of work at a time (`world`). They take turns on one
//! thread, and run each on a thread of its own where the scope has threads.

mod capacity;
mod disconnect;
mod drops;
mod fairness;
mod ledger;
mod model;
mod order;
mod places;
mod program;
mod time;
mod world;
