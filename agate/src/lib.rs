//! agate.
