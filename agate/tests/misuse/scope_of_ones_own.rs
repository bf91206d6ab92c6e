//! The scopes are agate's own.

#[derive(Clone, Copy, Debug)]
struct Mine;

impl agate::Scope for Mine {}

fn main() {}
