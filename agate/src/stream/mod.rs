//! Blocks: fixed pieces of memory, filled by one sender, published whole, recycled.
#![allow(
    missing_docs,
    dead_code,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    unsafe_code
)]

use std::ptr::NonNull;

use crate::error::{CreateError, OutOfBlocks};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockOptions {
    pub block_bytes: usize,
    pub max_blocks: usize,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockStats {
    pub allocated: usize,
    pub in_use: usize,
    pub high_water: usize,
}
#[derive(Clone)]
pub struct BlockPool;
impl BlockPool {
    pub fn new(_options: BlockOptions) -> Result<Self, CreateError> {
        todo!()
    }
    pub fn try_take(&self) -> Result<Block, OutOfBlocks> {
        todo!()
    }
    #[must_use]
    pub fn stats(&self) -> BlockStats {
        todo!()
    }
}
/// Opaque: what a block is when it travels as a raw pointer.
pub struct RawBlock;
pub struct Block {
    raw: NonNull<RawBlock>,
}
unsafe impl Send for Block {}
impl Block {
    #[must_use]
    pub fn as_ptr(&self) -> *mut u64 {
        todo!()
    }
    #[must_use]
    pub fn capacity_words(&self) -> usize {
        todo!()
    }
    #[must_use]
    pub fn len_words(&self) -> usize {
        todo!()
    }
    pub fn set_len_words(&mut self, _words: usize) {
        todo!()
    }
    #[must_use]
    pub fn into_raw(self) -> NonNull<RawBlock> {
        todo!()
    }
    /// # Safety
    /// From `into_raw`, once.
    #[must_use]
    pub unsafe fn from_raw(_raw: NonNull<RawBlock>) -> Self {
        todo!()
    }
}
impl Drop for Block {
    fn drop(&mut self) {
        todo!()
    }
}
