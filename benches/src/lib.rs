//! Agate measured beside its peers and the physical limit.
//!
//! Each bench is a file in `benches/`; run one with `cargo bench -p benches --bench queue`. Read ratios within one run:
//! absolute times belong to the machine and the moment.
//!
//! The tables come from [`rounds`]: all candidates take turns in one process, so that what disturbs the machine disturbs
//! all of them, and medians are compared.

pub mod affinity;
pub mod allocations;
pub mod clock;
pub mod commands;
pub mod machine;
pub mod messages;
pub mod rounds;
pub mod stats;
pub mod table;
