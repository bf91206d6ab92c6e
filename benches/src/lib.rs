//! Agate measured beside its peers and the physical limit.
//!
//! Each bench is a file in `benches/`; run one with `cargo bench -p benches --bench queue`. Read ratios within one run:
//! absolute times belong to the machine and the moment.
