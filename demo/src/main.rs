//! demo.

pub mod scene;

fn main() {}
