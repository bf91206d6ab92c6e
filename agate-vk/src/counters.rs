//! What a service counts.

use crate::service::Service;
use agate::{BlockStats, OwnerStats};
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// What a [`Service`] holds at a moment, and what it has done so far.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Counters {
    /// Command pools: for each frame in flight one, one more for each shard, and [those of leases](Self::lease_pools).
    pub pools: u32,
    /// Command buffers: one primary for each frame in flight, and the secondaries that frames have needed so far, those of
    /// leases among them. They are used again.
    pub command_buffers: u32,
    /// Command pools for leases: for each frame in flight as many as were lent at one time.
    pub lease_pools: u32,
    /// Leases so far.
    pub leases: u64,
    /// Of these, how many [`Slot::record`](crate::Slot::record) has chosen because so much block memory was in use.
    pub spills: u64,
    /// Blocks so far that were taken while more than
    /// [`ServiceOptions::soft_block_bytes`](crate::ServiceOptions::soft_block_bytes) were in use.
    pub overflow_blocks: u64,
    /// Frames begun so far.
    pub frames: u64,
    /// Block memory: in use, allocated, and the most that was in use.
    pub blocks: BlockStats,
    /// The memory of commands that are larger than a block, in bytes, which counts as block memory: of frames that are not
    /// over.
    pub large_command_bytes: usize,
    /// The size of a block in bytes.
    pub block_bytes: usize,
    /// Submissions so far, those that failed not among them.
    pub submissions: u64,
    /// Calls of `vkQueueSubmit2` so far: several submissions may go out in one.
    pub submit_calls: u64,
    /// The most submissions that went out in one call.
    pub largest_batch: u64,
    /// Submissions so far that were held back until what they wait for had been submitted.
    pub held: u64,
    /// How long the pools' owner has spent replaying what was submitted.
    pub replay_time: Duration,
    /// How long what was submitted had waited for that, from the end of its recording; in all.
    pub queue_delay: Duration,
    /// How long the one that waited longest had.
    pub longest_queue_delay: Duration,
    /// The owner of the command pools: its messages, and in how many batches they came.
    pub pool_owner: OwnerStats,
    /// The owner of the queue, likewise.
    pub queue_owner: OwnerStats,
    /// The owner of retirement, likewise.
    pub retire_owner: OwnerStats,
    /// The shards, likewise, all in one; [`Service::shard_counters`] has each. Whoever sends them something drives them, so
    /// all that they have handled was *helped*.
    pub shard_owners: OwnerStats,
}

/// What the owners count.
#[derive(Default)]
pub(crate) struct Tally {
    submissions: AtomicU64,
    calls: AtomicU64,
    largest_batch: AtomicU64,
    held: AtomicU64,
    secondaries: AtomicU32,
    lease_pools: AtomicI32,
    lease_buffers: AtomicI32,
    leases: AtomicU64,
    spills: AtomicU64,
    overflow_blocks: AtomicU64,
    /// The bytes of commands that are larger than a block.
    pub(crate) large: Level,
    /// In nanoseconds, as the two below.
    replay: AtomicU64,
    delay: AtomicU64,
    longest_delay: AtomicU64,
}

/// How much there is of something.
#[derive(Default)]
pub(crate) struct Level(AtomicUsize);

impl Level {
    pub(crate) fn add(&self, more: usize) {
        self.0.fetch_add(more, Ordering::SeqCst);
    }

    pub(crate) fn remove(&self, less: usize) {
        self.0.fetch_sub(less, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Tally {
    /// A call with so many submissions.
    pub(crate) fn call(&self, submissions: usize) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.largest_batch
            .fetch_max(submissions as u64, Ordering::Relaxed);
    }

    /// A submission that went well.
    pub(crate) fn submitted(&self, replay: Duration, delay: Duration) {
        let delay = nanoseconds(delay);
        self.submissions.fetch_add(1, Ordering::Relaxed);
        self.replay
            .fetch_add(nanoseconds(replay), Ordering::Relaxed);
        self.delay.fetch_add(delay, Ordering::Relaxed);
        self.longest_delay.fetch_max(delay, Ordering::Relaxed);
    }

    /// Pools for leases were made, or destroyed.
    pub(crate) fn lease_pools(&self, more: i32) {
        self.lease_pools.fetch_add(more, Ordering::Relaxed);
    }

    /// Command buffers of leases were made, or destroyed.
    pub(crate) fn lease_buffers(&self, more: i32) {
        self.lease_buffers.fetch_add(more, Ordering::Relaxed);
    }

    /// A pool was lent.
    pub(crate) fn lease(&self) {
        self.leases.fetch_add(1, Ordering::Relaxed);
    }

    /// A lease was chosen for want of block memory.
    pub(crate) fn spill(&self) {
        self.spills.fetch_add(1, Ordering::Relaxed);
    }

    /// A block was taken above the soft limit.
    pub(crate) fn overflow(&self) {
        self.overflow_blocks.fetch_add(1, Ordering::Relaxed);
    }

    /// A secondary command buffer was allocated.
    pub(crate) fn secondary(&self) {
        self.secondaries.fetch_add(1, Ordering::Relaxed);
    }

    /// A submission is held back.
    pub(crate) fn held(&self) {
        self.held.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counting.
impl Service {
    /// What the service holds now, and what it has done so far.
    ///
    /// ```no_run
    /// # fn example(service: &agate_vk::Service) {
    /// let counters = service.counters();
    /// println!("{} submissions in {} calls", counters.submissions, counters.submit_calls);
    /// # }
    /// ```
    ///
    /// # Progress
    ///
    /// Wait-free.
    pub fn counters(&self) -> Counters {
        let tally = self.tally();
        let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let of_leases = |counter: &AtomicI32| counter.load(Ordering::Relaxed).max(0) as u32;
        let time = |counter: &AtomicU64| Duration::from_nanos(number(counter));
        // Read once: jobs make pools meanwhile, and the sums are to agree.
        let lease_pools = of_leases(&tally.lease_pools);
        let (frames_in_flight, frames) = self.frames();
        let (blocks, block_bytes) = self.blocks();
        let [pool_owner, queue_owner, retire_owner] = self.owner_stats();
        let shard_owners = self.shard_counters().fold(OwnerStats::default(), sum);
        Counters {
            pools: frames_in_flight * (1 + self.shard_count()) + lease_pools,
            command_buffers: frames_in_flight
                + tally.secondaries.load(Ordering::Relaxed)
                + of_leases(&tally.lease_buffers),
            lease_pools,
            leases: number(&tally.leases),
            spills: number(&tally.spills),
            overflow_blocks: number(&tally.overflow_blocks),
            frames,
            blocks,
            large_command_bytes: tally.large.now(),
            block_bytes,
            submissions: number(&tally.submissions),
            submit_calls: number(&tally.calls),
            largest_batch: number(&tally.largest_batch),
            held: number(&tally.held),
            replay_time: time(&tally.replay),
            queue_delay: time(&tally.delay),
            longest_queue_delay: time(&tally.longest_delay),
            pool_owner,
            queue_owner,
            retire_owner,
            shard_owners,
        }
    }

    /// What the owner of each [shard](crate::ServiceOptions::shards) has done so far: whether jobs spread over them.
    ///
    /// ```no_run
    /// # fn example(service: &agate_vk::Service) {
    /// for (shard, owner) in service.shard_counters().enumerate() {
    ///     println!("shard {shard}: {} messages in {} batches", owner.handled, owner.batches);
    /// }
    /// # }
    /// ```
    ///
    /// # Progress
    ///
    /// Wait-free.
    pub fn shard_counters(&self) -> impl Iterator<Item = OwnerStats> + '_ {
        self.shard_stats()
    }
}

fn sum(mut all: OwnerStats, one: OwnerStats) -> OwnerStats {
    all.handled += one.handled;
    all.batches += one.batches;
    all.helped += one.helped;
    all
}
