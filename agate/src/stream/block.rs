//! Blocks and their pool.
//!
//! # Invariants
//!
//! - I1: a block's memory is one allocation, made by its pool, that never moves and lives until the pool's last
//!   reference is gone, or the block is trimmed while it is free: a [`RawBlock`] header in its first 64 bytes, then the words.
//! - I2: a block that is taken is owned by one `Block` (or by the pointer that [`Block::into_raw`] gave): nobody else
//!   touches its words or its `len`. A block that is free is on one of the pool's lists, once; one whose memory is being
//!   freed is on none.
//! - I3: a taken block holds one count on its pool, in the form of `Counted::into_raw`; it is the header's `pool`.
//! - I4: memory is reached by raw pointers derived from the pointer that the allocation gave; references are made to
//!   the header's fields only, never to the words.
#![allow(
    unsafe_code,
    reason = "blocks are raw memory, owned by one user at a time, I2"
)]

use std::alloc::Layout;
use std::fmt;
use std::ptr::{self, NonNull};
use std::time::Instant;

use crate::counted::Counted;
use crate::error::{CreateError, OutOfBlocks};
use crate::freelist::{FreeList, Links};
use crate::park::{Bell, Gate, WaitMode, Woken};
use crate::scope::{Local, Scope};
use crate::sync::atomic::Ordering;
use crate::table::{self, Table};
use crate::words::{Number, Word};

/// Header and alignment of a block, in bytes.
const HEADER: usize = 64;
const WORD: usize = size_of::<u64>();

/// What a pool of blocks is made with.
///
/// # Examples
///
/// See [`BlockPool::new`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockOptions {
    /// Bytes that a block holds; rounded up to whole words of 8 bytes.
    pub block_bytes: usize,
    /// How many blocks there may be at once. A pool counts up to 8 million of them, also where this says more.
    pub max_blocks: usize,
}

/// What a pool has done so far; see [`BlockPool::stats`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockStats {
    /// Blocks allocated, free ones included.
    pub allocated: usize,
    /// Blocks taken now.
    pub in_use: usize,
    /// The most blocks that were taken at a time.
    pub high_water: usize,
}

/// A pool of blocks of one size. The block that came back last is given out first, while it is still in the cache.
///
/// Memory is allocated when no block is free, and given back to the system when the pool and all its blocks are gone, or
/// when the pool is [trimmed](Self::trim).
///
/// # Examples
///
/// ```
/// use agate::{BlockOptions, BlockPool};
///
/// let pool = BlockPool::new(BlockOptions { block_bytes: 4096, max_blocks: 1 })?;
/// let block = pool.try_take()?;
/// assert_eq!(block.capacity_words(), 512);
/// assert!(pool.try_take().is_err(), "one block at a time");
/// drop(block);
/// assert!(pool.try_take().is_ok());
/// assert_eq!(pool.stats().allocated, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct BlockPool<S: Scope = Local> {
    pool: S::Ref<Pool<S>>,
}

struct Pool<S: Scope> {
    layout: Layout,
    words: usize,
    max_blocks: usize,
    entries: Table<Entry<S>, S>,
    free: FreeList<S>,
    /// Those that are free and without memory: they were trimmed, or there was none to be had.
    bare: FreeList<S>,
    bare_count: S::Usize,
    in_use: S::Usize,
    high_water: S::Usize,
    /// What those sleep on who wait for a free block.
    room: S::Bell,
}

/// Why no block was taken.
pub(super) enum Short {
    /// As many as there may be are taken.
    Blocks,
    Memory,
}

/// A block in the pool's table.
struct Entry<S: Scope> {
    link: S::U32,
    block: S::Ptr<RawBlock<S>>,
}

impl<S: Scope> Links<S> for Table<Entry<S>, S> {
    fn link(&self, index: u32) -> &S::U32 {
        &self
            .get(index as usize)
            .expect("an index on the free list has been made")
            .link
    }
}

/// The head of a block's memory: what a block is while it travels as a raw pointer. See [`Block::into_raw`].
#[repr(C, align(64))]
pub struct RawBlock<S: Scope = Local> {
    pool: *const Pool<S>,
    index: u32,
    len: usize,
}

impl BlockPool {
    /// Makes a pool without blocks; [`Scope::block_pool`] makes one in any scope.
    ///
    /// # Errors
    ///
    /// [`CreateError::ZeroBlocks`] when blocks would hold nothing or there may be none; [`CreateError::TooLarge`].
    ///
    /// # Progress
    ///
    /// Allocates; asks the kernel for its barrier.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{BlockOptions, BlockPool, CreateError};
    ///
    /// let pool = BlockPool::new(BlockOptions { block_bytes: 100, max_blocks: 8 })?;
    /// assert_eq!(pool.block_words(), 13);
    /// assert_eq!(pool.stats().allocated, 0, "blocks are made when they are taken");
    /// # Ok::<(), CreateError>(())
    /// ```
    pub fn new(options: BlockOptions) -> Result<Self, CreateError> {
        Self::make(options)
    }
}

impl<S: Scope> BlockPool<S> {
    pub(crate) fn make(options: BlockOptions) -> Result<Self, CreateError> {
        let BlockOptions {
            block_bytes,
            max_blocks,
        } = options;
        if block_bytes == 0 || max_blocks == 0 {
            return Err(CreateError::ZeroBlocks);
        }
        let words = block_bytes.div_ceil(WORD);
        let bytes = words
            .checked_mul(WORD)
            .and_then(|bytes| bytes.checked_add(HEADER));
        let layout = Layout::from_size_align(bytes.ok_or(CreateError::TooLarge)?, HEADER);
        let pool = Pool {
            layout: layout.map_err(|_| CreateError::TooLarge)?,
            words,
            max_blocks: max_blocks.min(table::MAX),
            entries: Table::new(),
            free: FreeList::new(),
            bare: FreeList::new(),
            bare_count: S::Usize::new(0),
            in_use: S::Usize::new(0),
            high_water: S::Usize::new(0),
            room: S::Bell::for_many(WaitMode::Wake),
        };
        Ok(Self {
            pool: S::Ref::new(pool),
        })
    }

    /// Takes a free block; allocates one if none is free and there may be more. Its length is 0, its words are
    /// whatever was in them.
    ///
    /// # Errors
    ///
    /// [`OutOfBlocks`] when `max_blocks` are taken, or memory is out.
    ///
    /// # Progress
    ///
    /// Lock-free; without allocation when a block is free.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{BlockOptions, BlockPool, OutOfBlocks};
    ///
    /// let pool = BlockPool::new(BlockOptions { block_bytes: 64, max_blocks: 1 })?;
    /// let block = pool.try_take()?;
    /// assert_eq!(pool.try_take().unwrap_err(), OutOfBlocks { max_blocks: 1 });
    /// drop(block); // it goes back
    /// assert!(pool.try_take().is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_take(&self) -> Result<Block<S>, OutOfBlocks> {
        self.take().map_err(|_| self.out_of_blocks())
    }

    pub(super) fn out_of_blocks(&self) -> OutOfBlocks {
        OutOfBlocks {
            max_blocks: self.pool.max_blocks,
        }
    }

    /// As `try_take`, and tells what is short.
    pub(super) fn take(&self) -> Result<Block<S>, Short> {
        let pool = &self.pool;
        let index = match pool.free.pop(&pool.entries) {
            Some(index) => index as usize,
            None => match pool.pop_bare() {
                Some(index) => index as usize,
                None => pool
                    .entries
                    .reserve_below(pool.max_blocks)
                    .ok_or(Short::Blocks)?,
            },
        };
        let raw = pool.memory(index).ok_or(Short::Memory)?;
        pool.count_taken();
        let counted = pool.clone().into_raw();
        // SAFETY: I1 and I2: the header is alive and ours alone.
        unsafe { (*raw.as_ptr()).pool = counted };
        // SAFETY: as above.
        unsafe { (*raw.as_ptr()).len = 0 };
        Ok(Block { raw })
    }

    pub(super) fn max_blocks(&self) -> usize {
        self.pool.max_blocks
    }

    /// What a block holds, in bytes.
    pub(super) fn block_bytes(&self) -> usize {
        self.pool.words * WORD
    }

    /// Waits until a block may be free, `also` is true, or the deadline.
    pub(crate) fn wait_room(
        &self,
        gate: &mut Gate,
        deadline: Option<Instant>,
        also: impl Fn() -> bool,
    ) -> Woken {
        let Pool { room, .. } = &*self.pool;
        room.wait(gate, deadline, || also() || self.pool.has_room())
    }

    /// Has those who wait for a block look at what else has changed.
    pub(super) fn nudge(&self) {
        self.pool.room.ring();
    }

    /// How many blocks there are and were in use. Others may take and give back meanwhile.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn stats(&self) -> BlockStats {
        let pool = &self.pool;
        BlockStats {
            allocated: pool.allocated(),
            in_use: pool.in_use.load(Ordering::Relaxed),
            high_water: pool.high_water.load(Ordering::Relaxed),
        }
    }

    /// Gives the memory of free blocks back to the system, until `keep` free blocks are left that have some; says of how
    /// many. For a moment after a burst: the next blocks that are taken beyond those have to be allocated again.
    ///
    /// One block at a time is out of reach meanwhile. A pool whose other blocks are all taken is out of blocks for that
    /// moment.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{BlockOptions, BlockPool};
    ///
    /// let pool = BlockPool::new(BlockOptions { block_bytes: 4096, max_blocks: 8 })?;
    /// drop([pool.try_take()?, pool.try_take()?, pool.try_take()?]);
    /// assert_eq!(pool.trim(1), 2);
    /// assert_eq!(pool.stats().allocated, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Progress
    ///
    /// Lock-free, but for the system's allocator.
    pub fn trim(&self, keep: usize) -> usize {
        let pool = &self.pool;
        let mut freed = 0;
        while pool.allocated() > keep.saturating_add(pool.in_use.load(Ordering::Relaxed)) {
            let Some(index) = pool.free.pop(&pool.entries) else {
                break;
            };
            freed += usize::from(pool.strip(index));
        }
        freed
    }

    /// What each block of this pool holds, in words of 8 bytes.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn block_words(&self) -> usize {
        self.pool.words
    }
}

impl<S: Scope> Clone for BlockPool<S> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
        }
    }
}

impl<S: Scope> fmt::Debug for BlockPool<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockPool")
            .field("words", &self.pool.words)
            .field("stats", &self.stats())
            .finish()
    }
}

impl<S: Scope> Pool<S> {
    fn count_taken(&self) {
        let in_use = self.in_use.fetch_add(1, Ordering::Relaxed) + 1;
        if in_use > self.high_water.load(Ordering::Relaxed) {
            self.high_water.fetch_max(in_use, Ordering::Relaxed);
        }
    }

    /// How many blocks have memory.
    fn allocated(&self) -> usize {
        let bare = self.bare_count.load(Ordering::Relaxed);
        self.entries.len().saturating_sub(bare)
    }

    #[cold]
    fn pop_bare(&self) -> Option<u32> {
        let index = self.bare.pop(&self.entries)?;
        self.bare_count.fetch_sub(1, Ordering::Relaxed);
        Some(index)
    }

    /// Frees the memory of the block at an index that is the caller's, and gives the index back; whether there was any.
    fn strip(&self, index: u32) -> bool {
        let entry = self.entries.get(index as usize);
        let memory = entry.map_or(ptr::null_mut(), |entry| {
            entry.block.swap(ptr::null_mut(), Ordering::AcqRel)
        });
        if !memory.is_null() {
            // SAFETY: I1: the block is free and its index the caller's, so nobody else knows its memory any more; it was
            // allocated with this layout.
            unsafe { std::alloc::dealloc(memory.cast(), self.layout) };
        }
        self.bare_count.fetch_add(1, Ordering::Relaxed);
        self.bare.push(&self.entries, index);
        self.room.ring();
        !memory.is_null()
    }

    fn has_room(&self) -> bool {
        !self.free.is_empty() || !self.bare.is_empty() || self.entries.len() < self.max_blocks
    }

    /// The memory of the block at an index that is the caller's; allocates it where there is none yet. `None`, and the
    /// index is free again, when memory is out.
    fn memory(&self, index: usize) -> Option<NonNull<RawBlock<S>>> {
        let there = self.entries.get(index);
        let there = there.map_or(ptr::null_mut(), |entry| entry.block.load(Ordering::Relaxed));
        NonNull::new(there).or_else(|| self.allocate(index))
    }

    #[cold]
    fn allocate(&self, index: usize) -> Option<NonNull<RawBlock<S>>> {
        let new_entry = |_| Entry {
            link: S::U32::new(0),
            block: S::Ptr::new(ptr::null_mut()),
        };
        let entry = self.entries.ensure(index, new_entry);
        let index = u32::try_from(index).expect("a table has fewer than 2^32 entries");
        // SAFETY: the layout has a size: at least the header.
        let memory = unsafe { std::alloc::alloc(self.layout) }.cast::<RawBlock<S>>();
        let Some(block) = NonNull::new(memory) else {
            self.bare_count.fetch_add(1, Ordering::Relaxed);
            self.bare.push(&self.entries, index);
            self.room.ring();
            return None;
        };
        let header = RawBlock {
            pool: ptr::null(),
            index,
            len: 0,
        };
        // SAFETY: the allocation is aligned for a header and large enough for one.
        unsafe { memory.write(header) };
        entry.block.store(memory, Ordering::Release);
        Some(block)
    }
}

impl<S: Scope> Drop for Pool<S> {
    fn drop(&mut self) {
        for index in 0..self.entries.len() {
            let memory = self
                .entries
                .get(index)
                .map_or(ptr::null_mut(), |entry| entry.block.load(Ordering::Acquire));
            if !memory.is_null() {
                // SAFETY: I1 and I3: no block is taken any more, each is in the table once, allocated with this layout.
                unsafe { std::alloc::dealloc(memory.cast(), self.layout) };
            }
        }
    }
}

/// A piece of memory, owned: it never moves, and is written and read through a raw pointer.
///
/// Taken by [`BlockPool::try_take`]; dropping it, on any thread, gives it back.
///
/// # Examples
///
/// ```
/// use agate::{BlockOptions, BlockPool};
///
/// let pool = BlockPool::new(BlockOptions { block_bytes: 64, max_blocks: 8 })?;
/// let mut block = pool.try_take()?;
/// // SAFETY: the block is ours and holds eight words.
/// unsafe { block.as_ptr().write(42) };
/// block.set_len_words(1);
/// let read = std::thread::spawn(move || {
///     // SAFETY: the block is ours now, and its first word was written.
///     unsafe { block.as_ptr().read() }
/// });
/// assert_eq!(read.join().unwrap(), 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Block<S: Scope = Local> {
    raw: NonNull<RawBlock<S>>,
}

// SAFETY: by I2 the block belongs to this value alone, wherever it is moved; its pool is shared by atomics.
unsafe impl<S: Scope> Send for Block<S> where S::Confined: Send {}

impl<S: Scope> Block<S> {
    /// The first word: aligned to 64 bytes, with the provenance of the whole block.
    ///
    /// All `capacity_words` may be written and read through it as long as the block is owned; words that were not
    /// written since the block was first allocated are uninitialised.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    #[inline]
    pub fn as_ptr(&self) -> *mut u64 {
        // SAFETY: by I1 the words begin `HEADER` bytes into the allocation.
        unsafe { self.raw.as_ptr().byte_add(HEADER).cast() }
    }

    /// How many words of 8 bytes the block holds.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    #[inline]
    pub fn capacity_words(&self) -> usize {
        // SAFETY: I1, I2.
        let pool = unsafe { (*self.raw.as_ptr()).pool };
        // SAFETY: I3: the pool is alive.
        unsafe { &*pool }.words
    }

    /// How many words the last [`set_len_words`](Self::set_len_words) said; 0 when just taken.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    #[inline]
    pub fn len_words(&self) -> usize {
        // SAFETY: I1, I2.
        unsafe { (*self.raw.as_ptr()).len }
    }

    /// Notes how many words are in use, for whoever gets the block next. The memory itself is not touched.
    ///
    /// # Panics
    ///
    /// When `words` is more than [`capacity_words`](Self::capacity_words).
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[inline]
    pub fn set_len_words(&mut self, words: usize) {
        assert!(
            words <= self.capacity_words(),
            "a block's length may not be more than its capacity"
        );
        // SAFETY: I1, I2.
        unsafe { (*self.raw.as_ptr()).len = words };
    }

    /// Gives the block up as a raw pointer, from which [`from_raw`](Self::from_raw) makes it again. Until then it
    /// counts as taken.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    #[inline]
    pub fn into_raw(self) -> NonNull<RawBlock<S>> {
        std::mem::ManuallyDrop::new(self).raw
    }

    /// Makes a block of the pointer that [`into_raw`](Self::into_raw) gave.
    ///
    /// # Safety
    ///
    /// `raw` comes from `into_raw`, and no block was made of it since.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    #[inline]
    pub unsafe fn from_raw(raw: NonNull<RawBlock<S>>) -> Self {
        Self { raw }
    }
}

impl<S: Scope> Drop for Block<S> {
    fn drop(&mut self) {
        // SAFETY: I1, I2.
        let pool = unsafe { (*self.raw.as_ptr()).pool };
        // SAFETY: as above.
        let index = unsafe { (*self.raw.as_ptr()).index };
        // SAFETY: I3: this is the count that the block holds; it ends here.
        let pool = unsafe { S::Ref::<Pool<S>>::from_raw(pool) };
        pool.in_use.fetch_sub(1, Ordering::Relaxed);
        pool.free.push(&pool.entries, index);
        pool.room.ring();
    }
}

impl<S: Scope> fmt::Debug for Block<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block")
            .field("len_words", &self.len_words())
            .field("capacity_words", &self.capacity_words())
            .finish()
    }
}
