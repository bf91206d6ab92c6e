//! The command pools that are lent to jobs: a stock of them for each frame in flight.
//!
//! Each pool stands in a small block of memory, and the lock-free list of free blocks is the stock: who takes a block has
//! its pool. A pool is made by the job that finds a block without one, so a stock has as many as were lent at one time. It
//! goes back when its job ends, and the next job of the frame goes on with its next command buffer; when the frame has
//! retired, the owner resets them all.
//!
//! # Invariants
//!
//! - S1: every block of `blocks` starts with a [`Pool`], from the making of the stock to its end; none is trimmed.
//! - S2: whoever has a block alone uses the `Pool` in it, and with it the Vulkan pool and its buffers.
//! - S3: a frame begins when the one that had its place before is over. So nothing is pending of a pool whose `serial` is
//!   older than a frame that has begun.
//! - S4: the owner sets `state` once, before it empties the stock; who has put a block back, or taken one, passes it then. So
//!   either the owner finds that block, or that it is out, or the stock is found closed.

#![allow(unsafe_code, reason = "keeps pools in the words of blocks")]

use crate::ending::Ending;
use crate::error::RecordError;
use crate::frame::Inheritance;
use crate::notes::Notes;
use crate::raw::{Device, Failed};
use crate::status::Status;
use crate::turnstile::Turnstile;
use agate::{Block, BlockOptions, BlockPool, CreateError};
use ash::vk;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A command pool and its buffers.
struct Pool {
    /// Null until a job needs it.
    pool: vk::CommandPool,
    buffers: Vec<vk::CommandBuffer>,
    /// How many of them were begun since the last reset.
    used: usize,
    /// The frame that they were begun for.
    serial: u64,
}

const _: () = assert!(align_of::<Pool>() <= 64);

/// A pool that is lent. Dropping it puts it back, and whoever has dropped it has to [`sweep`](Stock::sweep).
pub(crate) struct Lease {
    block: Block,
}

impl Lease {
    fn pool(&mut self) -> &mut Pool {
        // SAFETY: S1; S2, and the reference ends with the borrow of this value, which alone has the block.
        unsafe { &mut *self.block.as_ptr().cast::<Pool>() }
    }

    /// Begins the next buffer.
    pub(crate) fn begin(
        &mut self,
        device: &Device,
        inherited: &Inheritance,
        status: &Status,
    ) -> Result<vk::CommandBuffer, Failed> {
        let pool = self.pool();
        if pool.used == pool.buffers.len() {
            let level = vk::CommandBufferLevel::SECONDARY;
            pool.buffers.push(device.allocate_buffer(pool.pool, level)?);
            status.tally.lease_buffers(1);
        }
        let buffer = pool.buffers[pool.used];
        // One that cannot be begun is not tried again before the reset.
        pool.used += 1;
        device.begin_secondary(buffer, inherited)?;
        Ok(buffer)
    }

    fn buffers(&self) -> usize {
        // SAFETY: as in `pool`.
        unsafe { (*self.block.as_ptr().cast::<Pool>()).buffers.len() }
    }

    fn is_empty(&mut self) -> bool {
        self.pool().pool == vk::CommandPool::null()
    }

    /// Nothing of the pool is pending.
    fn reset(&mut self, device: &Device) -> Result<(), Failed> {
        let pool = self.pool();
        if pool.used > 0 {
            device.reset_pool(pool.pool)?;
            pool.used = 0;
        }
        Ok(())
    }

    /// Forgets the pool; destroys it where `device` is given: then nothing of it is pending.
    fn clear(&mut self, device: Option<&Device>, status: &Status) -> bool {
        let Some(pool) = self.take_pool(status) else {
            return false;
        };
        if let Some(device) = device {
            device.destroy_pool(pool);
        }
        status.tally.lease_pools(-1);
        true
    }

    /// Leaves the place empty. The pool counts until it is destroyed.
    fn take_pool(&mut self, status: &Status) -> Option<vk::CommandPool> {
        let pool = self.pool();
        let handle = std::mem::take(&mut pool.pool);
        if handle == vk::CommandPool::null() {
            return None;
        }
        status.tally.lease_buffers(-(pool.buffers.len() as i32));
        pool.buffers.clear();
        pool.used = 0;
        Some(handle)
    }
}

/// Pools are lent.
const OPEN: u64 = 0;
/// No more are. What is put back is destroyed.
const CLOSED: u64 = 1;
/// No more are, and what is put back may be pending for ever.
const LEAKED: u64 = 2;

/// See the module.
pub(crate) struct Stock {
    blocks: BlockPool,
    most: usize,
    family: u32,
    pub(crate) state: Turnstile,
    /// How many were lent since the last reset.
    lent: AtomicU32,
    /// Odd while the owner has pools in its hands only to put them back.
    moves: AtomicU32,
    status: Arc<Status>,
    /// What was recorded into them.
    pub(crate) notes: Notes,
    /// Which frame is over for them.
    pub(crate) ending: Arc<Ending>,
}

impl Stock {
    /// A stock of `most` pools for a queue family, none of them made yet.
    pub(crate) fn new(most: usize, family: u32, status: Arc<Status>) -> Result<Self, CreateError> {
        let blocks = BlockPool::new(BlockOptions {
            block_bytes: size_of::<Pool>(),
            max_blocks: most,
        })?;
        let all: Vec<Block> = (0..most).map_while(|_| blocks.try_take().ok()).collect();
        for block in &all {
            let empty = Pool {
                pool: vk::CommandPool::null(),
                buffers: Vec::new(),
                used: 0,
                serial: 0,
            };
            // SAFETY: the block is new, ours alone, and large enough.
            unsafe { block.as_ptr().cast::<Pool>().write(empty) };
        }
        Ok(Self {
            // Where memory was out there are fewer.
            most: all.len(),
            blocks,
            family,
            state: Turnstile::new(OPEN),
            lent: AtomicU32::new(0),
            moves: AtomicU32::new(0),
            status,
            notes: Notes::new()?,
            ending: Arc::default(),
        })
    }

    /// Lends a pool to a job of the frame `serial`.
    pub(crate) fn lend(&self, device: &Device, serial: u64) -> Result<Lease, RecordError> {
        if self.status.is_lost() {
            return Err(RecordError::DeviceLost);
        }
        let out = RecordError::OutOfLeases {
            max_leases: self.most,
        };
        let block = self.take_block().ok_or(out)?;
        let mut lease = Lease { block };
        if self.state.pass() != OPEN {
            return Err(RecordError::Closed);
        }
        self.lent.fetch_add(1, Ordering::Relaxed);
        let failed = |failed| self.failed(failed);
        if lease.is_empty() {
            lease.pool().pool = device.create_pool(self.family).map_err(failed)?;
            self.status.tally.lease_pools(1);
        } else if lease.pool().serial > serial {
            return Err(RecordError::Stale);
        } else if lease.pool().serial < serial {
            // S3. Only where its job ended after its frame is there anything to reset.
            lease.reset(device).map_err(failed)?;
        }
        lease.pool().serial = serial;
        self.status.tally.lease();
        Ok(lease)
    }

    /// A free block, if there is one; not because of the owner, which just has those in its hands that are free. It puts them
    /// back after a few steps, so its turn is waited for a moment, and no longer: the system may have stopped it.
    fn take_block(&self) -> Option<Block> {
        const TRIES: u32 = 10_000;
        for _ in 0..TRIES {
            let moves = self.moves.load(Ordering::SeqCst);
            if let Ok(block) = self.blocks.try_take() {
                return Some(block);
            }
            if moves % 2 == 0 && self.moves.load(Ordering::SeqCst) == moves {
                return None;
            }
            std::hint::spin_loop();
        }
        None
    }

    /// What a failed call means for the recording that it struck.
    pub(crate) fn failed(&self, failed: Failed) -> RecordError {
        self.status.note(failed);
        if failed.result == vk::Result::ERROR_DEVICE_LOST {
            return RecordError::DeviceLost;
        }
        RecordError::Vulkan {
            call: failed.call,
            result: failed.result,
        }
    }

    pub(crate) fn status(&self) -> &Status {
        &self.status
    }

    /// The owner's frame is over: nothing is pending of what the stock has.
    pub(crate) fn reset(&self, device: &Device, taken: &mut Vec<Lease>) {
        if self.lent.swap(0, Ordering::Relaxed) == 0 {
            return;
        }
        self.take(taken, Lease::is_empty);
        for lease in &mut *taken {
            if self.status.is_lost() {
                break;
            }
            if let Err(failed) = lease.reset(device) {
                // The next job tries again.
                self.status.note(failed);
            }
        }
        // Those with most buffers are lent first, so that few of the others need more.
        taken.sort_unstable_by_key(|lease| std::cmp::Reverse(lease.buffers()));
        put_all_back(taken);
    }

    /// Destroys the pools that are here: nothing of the frame `over` and those before it is pending. The next may have begun,
    /// though the owner has not heard of it: it keeps what it has used. Meanwhile jobs find the places that are free.
    pub(crate) fn trim(&self, device: &Device, over: u64, taken: &mut Vec<Lease>) {
        let mut pools = Vec::with_capacity(self.most);
        self.moves.fetch_add(1, Ordering::SeqCst);
        self.take(taken, Lease::is_empty);
        for lease in &mut *taken {
            if lease.pool().serial <= over {
                pools.extend(lease.take_pool(&self.status));
            }
        }
        taken.sort_unstable_by_key(|lease| std::cmp::Reverse(lease.buffers()));
        put_all_back(taken);
        self.moves.fetch_add(1, Ordering::SeqCst);
        for pool in pools {
            device.destroy_pool(pool);
            self.status.tally.lease_pools(-1);
        }
    }

    /// Ends the stock and destroys its pools; where some of them may be pending for ever, leaks them. Says how many pools
    /// are leaked, and how many are out.
    pub(crate) fn close(&self, device: &Device, over: bool) -> (u32, u32) {
        let state = if over { CLOSED } else { LEAKED };
        self.state.set(state);
        let mut taken = Vec::new();
        self.take(&mut taken, |_| false);
        // Also one that its job is about to put back: the job destroys it, later.
        let out = (self.most - taken.len()) as u32;
        let mut leaked = 0;
        for lease in &mut taken {
            let had = lease.clear(over.then_some(device), &self.status);
            leaked += u32::from(had && !over);
        }
        put_all_back(&mut taken);
        (leaked, out)
    }

    /// A pool was put back, or may have been: destroys all that is here if the owner has ended, which did not see it.
    pub(crate) fn sweep(&self, device: &Device) {
        if self.state.pass() == CLOSED {
            let mut taken = Vec::new();
            self.take(&mut taken, |_| false);
            for lease in &mut taken {
                lease.clear(Some(device), &self.status);
            }
            put_all_back(&mut taken);
        }
    }

    /// Takes what is here, up to the first that is the `last`. Those without a pool are never above one that has one, but
    /// where a pool could not be made.
    fn take(&self, taken: &mut Vec<Lease>, last: impl Fn(&mut Lease) -> bool) {
        while let Ok(block) = self.blocks.try_take() {
            taken.push(Lease { block });
            if taken.last_mut().is_some_and(&last) {
                break;
            }
        }
    }
}

/// In such an order that the first is taken first.
fn put_all_back(taken: &mut Vec<Lease>) {
    while let Some(lease) = taken.pop() {
        drop(lease);
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        let mut taken = Vec::new();
        self.take(&mut taken, |_| false);
        for lease in taken {
            // SAFETY: S1; a lease keeps its stock, so this is the end of the stock's blocks, and each is taken once.
            unsafe { lease.block.as_ptr().cast::<Pool>().drop_in_place() };
        }
    }
}
