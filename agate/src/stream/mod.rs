//! Blocks: fixed pieces of memory, filled by one sender, published whole, recycled.

mod block;

pub use block::{Block, BlockOptions, BlockPool, BlockStats, RawBlock};
