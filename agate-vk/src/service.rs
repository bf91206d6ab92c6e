//! The service: its owners and what they share, made from the host's device.

#![allow(
    unsafe_code,
    reason = "declares unsafe functions: the host vouches for its device and surface"
)]

mod start;

use crate::after::Points;
use crate::caught::discard;
use crate::counters::Tally;
use crate::error::{AcquireError, BeginError, ServiceError};
use crate::frame::{Frame, FrameShared, Layout, lock};
use crate::keeper::Keeper;
use crate::pool::{PoolMessage, PoolOwner};
use crate::queue::QueueMode;
use crate::raw::{Device, Failed};
use crate::recorder::{HEADER_WORDS, Jumbos};
use crate::retire::Retire;
use crate::shard::{ShardOwners, Shards};
use crate::status::Status;
use crate::stock::Stock;
use crate::submit::{QueueLink, QueueMessage, QueueOwner};
use crate::swapchain::{Source, Swapchain, SwapchainOptions};
use crate::ticket::FrameResult;
use crate::trace::Trace;
use agate::{
    BlockOptions, BlockPool, BlockStats, Completion, CompletionPool, Handle, Inbox, Owner,
    OwnerStats, Pending, ShutdownError, WaitError,
};
use ash::vk;
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

/// What a lost slot means for its frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingSlot {
    /// The frame is not executed, and its ticket says which slot was lost and how.
    #[default]
    Fail,
    /// The frame is executed without the slot. The owner then replays a slot only when it is complete.
    Skip,
}

/// How a [`Service`] is made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServiceOptions {
    /// The queue that the service submits to.
    pub queue: vk::Queue,
    /// Who else uses the queue. By default nobody until the service has shut down.
    pub queue_mode: QueueMode,
    /// The family of the queue; the pools are made for it.
    pub queue_family: u32,
    /// How many frames may be recorded or executed at one time: 1 to 8. By default 2.
    pub frames_in_flight: u32,
    /// What a lost slot means. By default the frame fails.
    pub missing_slot: MissingSlot,
    /// How many shards replay the slots of passes with secondary contents: 0 to 16. By default 0, *stitched*: all is
    /// replayed by the pools' owner. With shards a job that has ended takes one that nobody is busy with and replays its own
    /// messages, on its own thread, into a secondary command buffer of the shard's pool; where all are busy, whoever is at
    /// it does that too. Recording then spreads over the jobs' threads, at the price of one more command pool for each shard
    /// and frame in flight. As many as threads that record are enough.
    ///
    /// The end of a recording, or every eighth block of a long one, may then take the thread as long as the replay of what it
    /// has recorded, and of what other jobs have left to the shard meanwhile, their closures included.
    pub shards: u32,
    /// Whether the pools' owner has no thread of its own: whoever begins a frame, ends a slot or submits, and the thread
    /// that waits for the GPU, then do its work in passing. No thread has to be woken, which takes 50 to 100 µs from a frame
    /// whose jobs do the driver's work themselves, by [leases](crate::Slot::lease) or shards. What is recorded as messages
    /// into the primary is replayed by those threads too. By default `false`; with shards it is always so.
    ///
    /// None of these calls waits for another thread, but each may take as long as the work that it finds: the replay of what
    /// other jobs have recorded, their closures included, and the calls that begin, end and reset for the frame.
    pub driven_by_users: bool,
    /// The most slots in one frame, those of the service's own commands included. By default 4096.
    pub max_slots: u32,
    /// The most command pools that are lent at one time in each frame in flight ([`Slot::lease`](crate::Slot::lease)): 1 to
    /// 1024. A pool is made when all that there are are lent. By default 64.
    pub max_leases: u32,
    /// The size of a block of messages in bytes: 4 KiB to 256 KiB. By default 60 KiB: a power of two would put the starts
    /// of all blocks into the same few sets of the cache.
    pub block_bytes: usize,
    /// Above so much block memory in use, in bytes, [`Slot::record`](crate::Slot::record) gives leases where it can, a soft
    /// limit. At 0 it always does, and at [`max_block_bytes`](Self::max_block_bytes) only where else the recording would
    /// fail. Other recorders go on in blocks ([`Counters::overflow_blocks`](crate::Counters::overflow_blocks)). By default
    /// 4 MiB.
    pub soft_block_bytes: usize,
    /// The most block memory in bytes, that of commands which are larger than a block included; a hard limit. By default
    /// 64 MiB.
    pub max_block_bytes: usize,
    /// How long after a frame was submitted a slot may still be recorded; what is not finished then is lost, as
    /// [`SlotLoss::Expired`](crate::SlotLoss::Expired). By default 10 s.
    pub slot_deadline: Duration,
    /// How long a frame is held back at the most until what it waits for has been submitted
    /// ([`SubmitOptions::after`](crate::SubmitOptions::after),
    /// [`SubmitOptions::wait_timeline`](crate::SubmitOptions::wait_timeline)); then it fails. By default 10 s.
    pub hold_deadline: Duration,
    /// How long nothing must have been recorded until the memory of a burst is given back: free blocks, and by
    /// `vkTrimCommandPool` that of the command pools. By default 5 s.
    pub trim_after: Duration,
    /// Whom to tell what the service does. By default nobody.
    pub trace: Option<Trace>,
    /// What recorders check of each command, with the feature `checks`.
    #[cfg(feature = "checks")]
    pub checks: crate::Checks,
    /// The start of the names of the owner threads, and of the service's Vulkan objects
    /// ([`Device::with_debug_utils`]). By default `agate`.
    pub name: String,
}

impl ServiceOptions {
    /// The defaults, for a queue.
    pub fn new(queue: vk::Queue, queue_family: u32) -> Self {
        Self {
            queue,
            queue_mode: QueueMode::Owned,
            queue_family,
            frames_in_flight: 2,
            missing_slot: MissingSlot::Fail,
            shards: 0,
            driven_by_users: false,
            max_slots: 4096,
            max_leases: 64,
            block_bytes: 60 << 10,
            soft_block_bytes: 4 << 20,
            max_block_bytes: 64 << 20,
            slot_deadline: Duration::from_secs(10),
            hold_deadline: Duration::from_secs(10),
            trim_after: Duration::from_secs(5),
            trace: None,
            #[cfg(feature = "checks")]
            checks: crate::Checks::default(),
            name: "agate".to_owned(),
        }
    }

    fn users_drive(&self) -> bool {
        self.driven_by_users || self.shards > 0
    }

    fn check(&self) -> Result<(), ServiceError> {
        let bad = |what| Err(ServiceError::BadOption(what));
        if !(1..=8).contains(&self.frames_in_flight) {
            return bad("frames_in_flight must be 1 to 8");
        }
        if !(4 << 10..=256 << 10).contains(&self.block_bytes) || self.block_bytes % 64 != 0 {
            return bad("block_bytes must be a multiple of 64 from 4 KiB to 256 KiB");
        }
        if self.max_block_bytes < 4 * self.block_bytes {
            return bad("max_block_bytes must hold at least 4 blocks");
        }
        if !(1..=1 << 15).contains(&self.max_slots) {
            return bad("max_slots must be 1 to 32768");
        }
        if !(1..=1024).contains(&self.max_leases) {
            return bad("max_leases must be 1 to 1024");
        }
        if self.shards > 16 {
            return bad("shards must be 0 to 16");
        }
        if self.queue == vk::Queue::null() {
            return bad("queue is null");
        }
        Ok(())
    }
}

const _: () = assert!((4 << 10) / 8 > 4 * HEADER_WORDS);

/// What jobs and owners share.
pub(crate) struct Shared {
    pub(crate) device: Arc<Device>,
    pub(crate) pool: Handle<Inbox<PoolMessage>>,
    pub(crate) shards: Shards,
    pub(crate) blocks: BlockPool,
    /// For each frame in flight.
    pub(crate) stocks: Arc<[Stock]>,
    /// The commands that are larger than a block, likewise.
    pub(crate) jumbos: Arc<[Jumbos]>,
    pub(crate) max_blocks: usize,
    pub(crate) block_bytes: usize,
    /// With so many in use, recordings whose lane the service chooses become leases.
    pub(crate) soft_blocks: usize,
    pub(crate) tickets: CompletionPool<FrameResult>,
    pub(crate) points: Points,
    pub(crate) status: Arc<Status>,
    #[cfg(feature = "checks")]
    pub(crate) checks: crate::Checks,
    #[cfg(feature = "checks")]
    pub(crate) faults: crate::checks::Faults,
}

/// How a shutdown went.
#[derive(Debug)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Command pools and other objects that were not destroyed, because the GPU may still use them, or a job that has not
    /// ended its [`LeaseRecorder`](crate::LeaseRecorder). The device may be destroyed when this is 0.
    pub leaked: u32,
    /// Whether an owner had panicked.
    pub panicked: bool,
    /// What it panicked with; of several, the first that was looked at.
    pub payload: Option<Box<dyn Any + Send>>,
    /// How long it took.
    pub elapsed: Duration,
}

impl ShutdownReport {
    /// The message of the panic, if there was one with a text.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn panic_message(&self) -> Option<&str> {
        let payload = self.payload.as_ref()?;
        let text = payload.downcast_ref::<&'static str>().copied();
        text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
    }
}

/// Owns the command pools and the queue of a device on threads of their own, so that any thread may record, and none
/// waits.
///
/// One service serves one queue. It has three owners: of the command pools (replays what jobs recorded), of the queue
/// (submits, acquires, presents), and of retirement (waits for the GPU); with [`ServiceOptions::shards`], also owners of
/// command pools that the jobs drive.
///
/// Keep it on the thread that begins frames. [`shutdown`](Self::shutdown) ends it with a report; dropping it does the
/// same with a deadline of two seconds.
pub struct Service {
    shared: Arc<Shared>,
    status: Arc<Status>,
    frames: Arc<[Arc<FrameShared>]>,
    credits: Vec<Option<Completion<()>>>,
    credit_pool: CompletionPool<()>,
    begun: u64,
    swapchains: u32,
    queue: Handle<Inbox<QueueMessage>>,
    owners: Option<Owners>,
}

struct Owners {
    pool: Owner<PoolOwner>,
    queue: Owner<QueueOwner>,
    retire: Owner<Retire>,
    shards: ShardOwners,
    /// Where users drive the pools' owner.
    keeper: Option<Owner<Keeper>>,
}

const DROP_DEADLINE: Duration = Duration::from_secs(2);
/// What an owner has to end in, beyond the deadline of the shutdown.
const GRACE: Duration = Duration::from_millis(500);

impl Service {
    /// Starts the owners of one queue of the host's device.
    ///
    /// # Errors
    ///
    /// [`ServiceError`]: an option out of range, a Vulkan call that failed, or a thread that could not be started.
    /// Nothing is left behind then.
    ///
    /// # Safety
    ///
    /// - `device`, its instance and the queue outlive the service, and all [`LeaseRecorder`](crate::LeaseRecorder)s; timeline semaphores and `synchronization2` are enabled.
    /// - `options.queue` is a queue of `options.queue_family` of this device, and nobody else uses it until the service
    ///   has shut down, or where the queue is [`Guarded`](QueueMode::Guarded) only under the host's lock.
    pub unsafe fn new(mut device: Device, options: ServiceOptions) -> Result<Self, ServiceError> {
        options.check()?;
        device.set_service_name(&options.name);
        let device = Arc::new(device);
        let max_blocks = options.max_block_bytes / options.block_bytes;
        let blocks = BlockPool::new(BlockOptions {
            block_bytes: options.block_bytes,
            max_blocks,
        })?;
        let timeline = device.create_timeline().map_err(vulkan)?;
        let status = Arc::new(Status::new(timeline, options.trace.clone()));
        match Self::start(&device, &status, &options, blocks, max_blocks) {
            Ok(service) => Ok(service),
            Err(error) => {
                device.destroy_semaphore(timeline);
                Err(error)
            }
        }
    }

    fn start(
        device: &Arc<Device>,
        status: &Arc<Status>,
        options: &ServiceOptions,
        blocks: BlockPool,
        max_blocks: usize,
    ) -> Result<Self, ServiceError> {
        let link = QueueLink::default();
        let layouts: Arc<[Layout]> = (0..options.frames_in_flight)
            .map(|_| Layout::default())
            .collect();
        let stocks = (0..options.frames_in_flight).map(|_| {
            let most = options.max_leases as usize;
            Stock::new(most, options.queue_family, Arc::clone(status))
        });
        let stocks: Arc<[Stock]> = stocks.collect::<Result<_, _>>()?;
        let jumbos: Arc<[Jumbos]> = stocks.iter().map(|_| Jumbos::default()).collect();
        let pool_owner = start::pool_owner(
            device,
            status,
            (link.another(), Arc::clone(&layouts), Arc::clone(&stocks)),
            (blocks.clone(), Arc::clone(&jumbos)),
            options,
        )?;
        let pool = pool_owner.handle();
        let keeper = options
            .users_drive()
            .then(|| start::keeper(&pool_owner, options));
        let keeper = keeper.transpose()?;
        let shards = ShardOwners::start((device, status), &layouts, &pool_owner, options)?;
        let shared = Arc::new(Shared {
            device: Arc::clone(device),
            pool,
            shards: shards.inboxes(&pool_owner),
            blocks,
            stocks,
            jumbos,
            max_blocks,
            block_bytes: options.block_bytes,
            soft_blocks: max_blocks.min(options.soft_block_bytes / options.block_bytes),
            tickets: CompletionPool::new(),
            points: Points::new(Arc::clone(device), Arc::clone(status)),
            status: Arc::clone(status),
            #[cfg(feature = "checks")]
            checks: options.checks,
            #[cfg(feature = "checks")]
            faults: crate::checks::Faults::default(),
        });
        let frames: Arc<[Arc<FrameShared>]> = (0..options.frames_in_flight)
            .map(|index| {
                Arc::new(FrameShared::new(
                    index,
                    Arc::clone(&shared),
                    options.max_slots,
                    Arc::clone(&layouts),
                ))
            })
            .collect();
        let retire_owner = start::retire_owner(
            device,
            status,
            options,
            pool_owner.attach().map_err(|_| ENDED)?,
        )?;
        let queue_owner = start::queue_owner(
            (device, status, options),
            &frames,
            &retire_owner,
            &pool_owner,
            link.another(),
        )?;
        let queue = queue_owner.handle();
        link.set(queue.clone());
        status.set_serves(true);
        Ok(Self {
            shared,
            status: Arc::clone(status),
            credits: frames.iter().map(|_| None).collect(),
            frames,
            credit_pool: CompletionPool::new(),
            begun: 0,
            swapchains: 0,
            queue,
            owners: Some(Owners {
                pool: pool_owner,
                queue: queue_owner,
                retire: retire_owner,
                shards,
                keeper,
            }),
        })
    }

    /// Begins a frame if one of the frames in flight is free.
    ///
    /// # Errors
    ///
    /// [`BeginError::NoCredit`] if none is; [`BeginError::DeviceLost`] or [`BeginError::Closed`] if none will be.
    ///
    /// # Progress
    ///
    /// Lock-free; wakes the pool's owner if it sleeps, or [does its work](ServiceOptions::driven_by_users).
    pub fn try_begin_frame(&mut self) -> Result<Frame, BeginError> {
        self.begin(|credit| match credit.poll() {
            None => Err(BeginError::NoCredit),
            Some(Ok(())) => Ok(()),
            Some(Err(_)) => Err(BeginError::Closed),
        })
    }

    /// Begins a frame; waits until one of the frames in flight is free, `timeout` at the longest.
    ///
    /// # Errors
    ///
    /// [`BeginError`]; after [`BeginError::TimedOut`] it can be tried again.
    ///
    /// # Progress
    ///
    /// May park.
    pub fn begin_frame_timeout(&mut self, timeout: Duration) -> Result<Frame, BeginError> {
        self.begin(|credit| match credit.wait_timeout(timeout) {
            Ok(()) => Ok(()),
            Err(WaitError::TimedOut) => Err(BeginError::TimedOut),
            Err(WaitError::WouldStall) => Err(BeginError::WouldStall),
            Err(_) => Err(BeginError::Closed),
        })
    }

    /// Takes the latest errors of recordings, the oldest first, each with the calls of the job that made it: 16 at the
    /// most, older ones are forgotten.
    #[cfg(feature = "checks")]
    pub fn take_record_faults(&self) -> Vec<crate::RecordFault> {
        self.shared.faults.take()
    }

    fn begin(
        &mut self,
        gain: impl FnOnce(&mut Completion<()>) -> Result<(), BeginError>,
    ) -> Result<Frame, BeginError> {
        if self.status.is_lost() {
            return Err(BeginError::DeviceLost);
        }
        if self.status.is_gone() {
            return Err(BeginError::Closed);
        }
        let index = (self.begun % self.frames.len() as u64) as usize;
        if let Some(credit) = &mut self.credits[index] {
            gain(credit)?;
        }
        let (resolver, credit) = self.credit_pool.pair();
        self.begun += 1;
        self.credits[index] = Some(credit);
        Frame::begin(Arc::clone(&self.frames[index]), self.begun, resolver)
    }

    /// Makes a swapchain that the queue's owner owns. Returns at once: errors come with the first acquire.
    ///
    /// # Errors
    ///
    /// [`AcquireError::NotLoaded`] where the device does not have `VK_KHR_swapchain`; [`AcquireError::Closed`] when the
    /// queue's owner has ended.
    ///
    /// # Safety
    ///
    /// The surface supports the queue's family, format, present mode and usage; it belongs to the instance of
    /// `options.surface_fns`, and outlives the swapchain ([`Swapchain::destroy`] tells when that is gone). The host makes
    /// no other swapchain for it.
    pub unsafe fn create_swapchain(
        &mut self,
        options: SwapchainOptions,
    ) -> Result<Swapchain, AcquireError> {
        if !self.shared.device.has_swapchain() {
            return Err(AcquireError::NotLoaded);
        }
        self.swapchains += 1;
        let id = self.swapchains;
        let size = Arc::new(AtomicU64::new(0));
        let swapchain = Swapchain {
            id,
            queue: self.queue.clone(),
            size: Arc::clone(&size),
            acquires: CompletionPool::new(),
            destroyed: false,
        };
        swapchain.resize(options.extent);
        let source = Box::new(Source {
            options,
            size,
            queue: self.queue.clone(),
        });
        let port = self.queue.attach().map_err(|_| AcquireError::Closed)?;
        port.send(QueueMessage::CreateSwapchain { source, id })
            .map_err(|_| AcquireError::Closed)?;
        Ok(swapchain)
    }

    /// Runs `act` with the queue on the queue's owner, in no order with frames and with other such work: to be behind a
    /// frame, wait for its ticket, or for the answer of that work. Where the queue is
    /// [`Guarded`](QueueMode::Guarded), under the host's lock. The completion resolves with what it returns. Where the
    /// device is lost or `act` panics, the completion fails with
    /// [`CompletionError::Abandoned`](agate::CompletionError::Abandoned).
    ///
    /// ```no_run
    /// # use agate_vk::{Service, vk};
    /// # fn example(service: &Service) {
    /// // SAFETY: waiting for the queue needs nothing.
    /// let mut idle = unsafe { service.with_queue(|device, queue| device.queue_wait_idle(queue)) };
    /// let answer = idle.wait_timeout(std::time::Duration::from_secs(1));
    /// # }
    /// ```
    ///
    /// # Progress
    ///
    /// Lock-free; wakes the queue's owner if it sleeps. Allocates. What `act` takes, all submissions wait.
    ///
    /// # Safety
    ///
    /// `act` uses the queue as Vulkan allows, and no longer than it runs.
    pub unsafe fn with_queue<R: Send + 'static>(
        &self,
        act: impl FnOnce(&ash::Device, vk::Queue) -> R + Send + 'static,
    ) -> Completion<R> {
        let (resolver, completion) = agate::completion();
        let act = Box::new(move |device: &ash::Device, queue| resolver.resolve(act(device, queue)));
        // Where the owner has ended, the resolver is dropped with the message and the completion tells.
        if let Ok(port) = self.queue.attach() {
            let _ = port.send(QueueMessage::With(act));
        }
        completion
    }

    #[cfg(all(test, not(loom)))]
    pub(crate) fn status(&self) -> &Status {
        &self.status
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.status.tally
    }

    /// How many may be in flight, and how many have begun.
    pub(crate) fn frames(&self) -> (u32, u64) {
        (self.frames.len() as u32, self.begun)
    }

    pub(crate) fn blocks(&self) -> (BlockStats, usize) {
        (self.shared.blocks.stats(), self.shared.block_bytes)
    }

    /// How many shards there are.
    pub(crate) fn shard_count(&self) -> u32 {
        self.shared.shards.len() as u32
    }

    /// Of the owners of pools, queue and retirement.
    pub(crate) fn owner_stats(&self) -> [OwnerStats; 3] {
        self.owners
            .as_ref()
            .map_or_else(Default::default, |owners| {
                [
                    owners.pool.stats(),
                    owners.queue.stats(),
                    owners.retire.stats(),
                ]
            })
    }

    /// Of the owner of each shard.
    pub(crate) fn shard_stats(&self) -> impl Iterator<Item = OwnerStats> + '_ {
        let owners = self.owners.iter();
        owners.flat_map(|owners| owners.shards.stats())
    }

    /// Ends the service: frames that are not submitted, or whose recording the pools' owner has not seen the end of, are
    /// aborted; those that are with the queue may end until `deadline`; then the owners destroy what they own and their threads are joined.
    ///
    /// Not on a thread that is marked with [`agate::forbid_wait`]: there it cannot wait, and leaks what it cannot end.
    ///
    /// # Progress
    ///
    /// May park, until `deadline`, and after it for as long as the owners need to end, half a second for each at the most.
    /// Where the GPU hangs, each owner that has something of it, shards included, waits 0.2 s for it before it leaves that
    /// behind.
    pub fn shutdown(mut self, deadline: Duration) -> ShutdownReport {
        self.end(deadline)
    }

    fn end(&mut self, deadline: Duration) -> ShutdownReport {
        let start = Instant::now();
        let Some(owners) = self.owners.take() else {
            return ShutdownReport {
                leaked: 0,
                panicked: false,
                payload: None,
                elapsed: Duration::ZERO,
            };
        };
        self.status.set_serves(false);
        let left = || deadline.saturating_sub(start.elapsed());
        if let Ok(port) = owners.pool.attach() {
            let _ = port.send_and_help(PoolMessage::AbortAll);
        }
        if let Ok(port) = owners.queue.attach() {
            let _ = port.send(QueueMessage::Close);
        }
        for credit in self.credits.iter_mut().flatten() {
            // Not before all submissions have retired do the owners end; the deadline bounds it.
            let _ = credit.wait_timeout(left());
        }
        for frame in self.frames.iter() {
            // Where the end overtook a submission, on another lane, nobody takes what the frame was to be submitted with;
            // an image in it goes back to its swapchain now, while the queue's owner is there.
            drop(lock(&frame.request).take());
        }
        self.status.give_up();
        // Who submits first, then who waits for what was submitted, last who destroys the pools: each still finds those
        // that it speaks to.
        let patience = || left().saturating_add(GRACE);
        let mut ends = vec![
            owners.queue.shutdown(Pending::Drain, patience()),
            owners.retire.shutdown(Pending::Drain, patience()),
            owners.pool.shutdown(Pending::Drain, patience()),
        ];
        ends.extend(owners.shards.shutdown(&ends[2], patience));
        let keeper = owners.keeper.into_iter();
        ends.extend(keeper.map(|keeper| keeper.shutdown(Pending::Discard, patience())));
        let mut leaked = self.status.leaked();
        // An owner that has not ended, or that panicked, may still hold objects of the device.
        leaked += ends.iter().filter(|end| end.is_err()).count() as u32;
        let mut payloads = ends.into_iter().filter_map(|end| match end {
            Err(ShutdownError::Panicked { payload, .. }) => Some(payload),
            _ => None,
        });
        let payload = payloads.next();
        payloads.for_each(discard);
        // What leases record that are out is never submitted: the timeline need not wait for them.
        if leaked == 0 {
            if self.status.uses.close() {
                self.shared.device.destroy_semaphore(self.status.timeline);
            }
        } else {
            self.status.uses.leak();
            leaked += 1;
        }
        leaked += self.status.out();
        self.status.tell_leaks(leaked);
        ShutdownReport {
            leaked,
            panicked: payload.is_some(),
            payload,
            elapsed: start.elapsed(),
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Nobody is there to read the report.
        if let Some(payload) = self.end(DROP_DEADLINE).payload {
            discard(payload);
        }
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service")
            .field("counters", &self.counters())
            .finish_non_exhaustive()
    }
}

pub(crate) const ENDED: ServiceError = ServiceError::OwnerEnded;

pub(crate) fn vulkan(failed: Failed) -> ServiceError {
    ServiceError::Vulkan {
        call: failed.call,
        result: failed.result,
    }
}
