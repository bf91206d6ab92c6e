//! The host of a program: its services on one device, and all that it holds of them.

#![allow(unsafe_code, reason = "makes passes and timelines")]

use super::closures::Closures;
use super::jobs::{Expected, Recording, Workers};
use super::leases::Leases;
use super::{Bytes, LONG};
use crate::returns::TABLE;
use crate::support::try_service;
use agate::{Completion, WaitError};
use agate_vk::{
    AcquireError, Acquired, Frame, FrameError, MissingSlot, Pass, RecordError, Service,
    ServiceError, Slot, SlotLoss, Swapchain, Ticket, TicketError, Timeline, ash, vk,
};
use null_device::{Live, NullDevice, NullOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub(super) const ALL: vk::PipelineStageFlags2 = vk::PipelineStageFlags2::ALL_COMMANDS;

/// Slots that nobody finishes, and frames that wait for nothing, are given up after this.
const SOON: Duration = Duration::from_millis(30);

/// More than a program can submit.
const EVERYTHING: usize = 1 << 20;

/// A service of one of the queues.
pub(super) struct Running {
    pub(super) service: Service,
    pub(super) which: usize,
    /// Whether a frame fails that has lost a slot.
    pub(super) all_slots: bool,
    pub(super) leases: Arc<Leases>,
    shards: u32,
    pub(super) chain: Option<Swapchain>,
    /// Until the swapchain that is being destroyed is gone, the surface is taken.
    pub(super) going: Option<Completion<()>>,
    /// Whether nobody will know when the surface is free.
    pub(super) unknown: bool,
}

/// A frame that is not submitted.
pub(super) struct Open {
    pub(super) frame: Frame,
    /// The service.
    pub(super) which: usize,
    pub(super) expected: Arc<Expected>,
    pub(super) all_slots: bool,
    pub(super) works: u32,
}

/// A ticket and what may come of it.
pub(super) struct Submitted {
    pub(super) ticket: Ticket,
    pub(super) expected: Arc<Expected>,
    pub(super) all_slots: bool,
}

/// A timeline semaphore that is signalled once, with 1.
pub(super) struct Once {
    pub(super) semaphore: vk::Semaphore,
    pub(super) timeline: Timeline,
    pub(super) used: bool,
}

/// See the module.
pub(crate) struct Host<'a, 'b> {
    pub(super) bytes: &'a mut Bytes<'b>,
    pub(super) workers: &'a Workers,
    pub(super) table: ash::Device,
    pub(super) labels: bool,
    /// Whether pools go from thread to thread: there are leases and shards.
    lends: bool,
    pub(super) closures: Arc<Closures>,
    /// Of every service that there was.
    leases: Vec<Arc<Leases>>,
    pub(super) services: [Option<Running>; 2],
    pub(super) frames: Vec<Open>,
    pub(super) passes: Vec<(Pass, Arc<Expected>)>,
    pub(super) slots: Vec<(Slot, Arc<Expected>)>,
    pub(super) recordings: Vec<Recording>,
    pub(super) tickets: Vec<Submitted>,
    pub(super) acquires: Vec<Completion<Result<Acquired, AcquireError>>>,
    pub(super) images: Vec<Acquired>,
    pub(super) timelines: Vec<Once>,
    pub(super) planted: Vec<(&'static str, vk::Result)>,
    pub(super) works: u32,
    pub(super) worked: Arc<AtomicU32>,
    pub(super) leaks: u32,
    /// An image was held beyond the end of its service, which then leaves the swapchain to it.
    pub(super) image_held: bool,
    /// Last: everything else uses it.
    pub(super) null: NullDevice,
}

impl<'a, 'b> Host<'a, 'b> {
    /// A device, as the program wants it.
    pub(crate) fn new(bytes: &'a mut Bytes<'b>, workers: &'a Workers) -> Self {
        let kind = bytes.next();
        let mut options = NullOptions::default().queues(2, 1).no_early_waits();
        // Where not, each pool is for one thread.
        let lends = kind & 24 != 0;
        if !lends {
            options = options.owner_only();
        }
        let labels = kind & 1 != 0;
        if labels {
            options = options.labels();
        }
        if kind & 6 == 6 {
            options = options.manual();
        }
        let null = NullDevice::new(options);
        let table = null.table();
        let timelines = (0..4).map(|_| Once::new(&table)).collect();
        Self {
            bytes,
            workers,
            table,
            labels,
            lends,
            closures: Arc::default(),
            leases: Vec::new(),
            services: [None, None],
            frames: Vec::new(),
            passes: Vec::new(),
            slots: Vec::new(),
            recordings: Vec::new(),
            tickets: Vec::new(),
            acquires: Vec::new(),
            images: Vec::new(),
            timelines,
            planted: Vec::new(),
            works: 0,
            worked: Arc::default(),
            leaks: 0,
            image_held: false,
            null,
        }
    }

    /// Does what the program says, until it ends or wants another device; then looks at what is left.
    pub(crate) fn live(mut self) {
        while self.bytes.is_more() && self.step() {}
        self.end();
    }

    /// One step; false at the last.
    fn step(&mut self) -> bool {
        match self.bytes.below(48) {
            0..=5 => self.begin(),
            6..=10 => self.pass(),
            11..=16 => self.take(),
            17..=22 => self.job(),
            23..=24 => self.hold(),
            25..=29 => self.submit(),
            30 => self.leave(),
            31 => self.submit_once(),
            32..=33 => self.acquire(),
            34 => self.swapchain(),
            35 => self.work(),
            36 => self.ticket(),
            37 => match self.bytes.below(4) {
                0 => self.wait(),
                1 => self.plant(),
                2 => {
                    let which = self.bytes.below(2);
                    self.shut_down(which);
                }
                _ => return !self.bytes.once_in(4),
            },
            38 => self.null.release(self.bytes.below(4)),
            39 => self.look(),
            _ => self.fill(),
        }
        true
    }

    /// The service of one of the queues, started where there is none.
    pub(super) fn service(&mut self) -> Option<&mut Running> {
        let which = usize::from(self.bytes.next() > 180);
        if self.services[which].is_none() {
            let (kind, lanes) = (self.bytes.next(), self.bytes.next());
            let shards = if self.lends { u32::from(lanes & 3) } else { 0 };
            let frames_in_flight = 1 + u32::from(kind & 3);
            self.null.hand_over();
            let started = try_service(&self.null, |options| {
                options.queue = self.null.queue_of(which as u32, 0);
                options.queue_family = which as u32;
                options.frames_in_flight = frames_in_flight;
                options.shards = shards;
                options.driven_by_users = self.lends && lanes & 16 != 0;
                options.max_leases = if lanes & 12 == 0 { 2 } else { 64 };
                if kind & 4 != 0 {
                    options.missing_slot = MissingSlot::Skip;
                }
                options.max_slots = 64;
                options.block_bytes = 4096;
                options.max_block_bytes = 4096 * if kind & 8 != 0 { 4 } else { 256 };
                options.soft_block_bytes = 4096 * [0, 2, 8, 1024][usize::from(kind >> 5 & 3)];
                options.slot_deadline = SOON;
                options.hold_deadline = SOON;
                if kind & 16 != 0 {
                    options.trim_after = Duration::from_millis(1);
                }
            });
            match started {
                Ok(service) => {
                    let leases =
                        Arc::new(Leases::new(frames_in_flight, self.lends, kind & 16 != 0));
                    self.leases.push(Arc::clone(&leases));
                    self.services[which] = Some(Running {
                        service,
                        which,
                        all_slots: kind & 4 == 0,
                        leases,
                        shards,
                        chain: None,
                        going: None,
                        unknown: which > 0,
                    });
                }
                Err(ServiceError::Vulkan { call, result }) => self.was_planted(call, result),
                Err(error) => panic!("{error}"),
            }
        }
        self.services[which].as_mut()
    }

    /// Has something done after a frame, or with the queue.
    fn work(&mut self) {
        let worked = Arc::clone(&self.worked);
        let work = move || {
            worked.fetch_add(1, Ordering::Relaxed);
        };
        match self.bytes.below(4) {
            0 | 1 => {
                if let Some(at) = self.frame() {
                    self.works += 1;
                    self.frames[at].works += 1;
                    self.frames[at].frame.destroy_after(work);
                }
            }
            2 => {
                let at = self.bytes.below(self.tickets.len().max(1));
                if let Some(submitted) = self.tickets.get(at) {
                    self.works += 1;
                    submitted.ticket.destroy_after(work);
                }
            }
            _ => {
                if let Some(running) = self.services.iter().flatten().next() {
                    // SAFETY: it does nothing with the queue.
                    drop(unsafe { running.service.with_queue(|_, _| ()) });
                }
            }
        }
    }

    fn ticket(&mut self) {
        if let Some(mut submitted) = self.bytes.take(&mut self.tickets) {
            match submitted.ticket.poll() {
                Some(result) => self.resolved(&submitted, result),
                None => self.tickets.push(submitted),
            }
        }
    }

    /// Waits for all that was submitted.
    fn wait(&mut self) {
        self.null.release(EVERYTHING);
        for mut submitted in std::mem::take(&mut self.tickets) {
            let result = submitted.ticket.wait_timeout(LONG);
            self.resolved(&submitted, result);
        }
        for mut answer in std::mem::take(&mut self.acquires) {
            let result = answer.wait_timeout(LONG);
            assert!(
                !matches!(result, Err(WaitError::TimedOut)),
                "an acquire never ends"
            );
            self.acquired(result.unwrap_or(Err(AcquireError::Closed)));
        }
    }

    /// A ticket tells nothing that has not happened.
    fn resolved(&self, of: &Submitted, result: Result<agate_vk::FrameReport, TicketError>) {
        let error = match result {
            Ok(report) => {
                // Under either policy it fails.
                assert!(!of.expected.panics() || !of.all_slots, "a closure panicked");
                return of.expected.check(report.commands, of.all_slots);
            }
            Err(TicketError::Frame(error)) => error,
            Err(error) => panic!("{error}"),
        };
        match error {
            FrameError::DeviceLost => self.is_lost(),
            FrameError::Vulkan { call, result } => self.was_planted(call, result),
            FrameError::SlotLost { loss, .. } => match loss {
                SlotLoss::Failed(RecordError::Closed) => panic!("{error}"),
                SlotLoss::Failed(RecordError::DeviceLost) => self.is_lost(),
                SlotLoss::Failed(RecordError::Vulkan { call, result }) => {
                    self.was_planted(call, result);
                }
                SlotLoss::ClosurePanicked => assert!(of.expected.panics(), "{error}"),
                _ => {}
            },
            FrameError::OwnerPanicked | FrameError::TooManySemaphores => panic!("{error}"),
            _ => {}
        }
    }

    /// A call of the device's fails, soon.
    fn plant(&mut self) {
        let row = &TABLE[self.bytes.below(TABLE.len())];
        if row.call.contains("DebugUtils") && !self.labels {
            return;
        }
        let result = row.results[self.bytes.below(row.results.len())];
        self.planted.push((row.call, result));
        let nth = 1 + self.bytes.below(3) as u32;
        self.null.fail(row.call, nth, result);
    }

    #[track_caller]
    pub(super) fn was_planted(&self, call: &'static str, result: vk::Result) {
        if result == vk::Result::ERROR_DEVICE_LOST {
            return self.is_lost();
        }
        let known = self.planted.contains(&(call, result));
        assert!(
            known,
            "{call} failed with {result:?}, and nobody told it to"
        );
    }

    #[track_caller]
    pub(super) fn is_lost(&self) {
        let lost = |planted: &(&str, vk::Result)| planted.1 == vk::Result::ERROR_DEVICE_LOST;
        assert!(
            self.planted.iter().any(lost),
            "the device is said to be lost"
        );
    }

    fn look(&mut self) {
        // First what there is, then what that may be: jobs go on meanwhile.
        let pools = self.null.live().pools as u32;
        let mut fixed = 0;
        for running in self.services.iter().flatten() {
            let counters = running.service.counters();
            let frames = running.leases.frames_in_flight();
            let own = frames * (1 + running.shards);
            let most = running.leases.most();
            assert!(counters.lease_pools <= most, "{most}: {counters:?}");
            assert_eq!(counters.pools - counters.lease_pools, own);
            fixed += own;
        }
        let lent: u32 = self.leases.iter().map(|leases| leases.most()).sum();
        assert!(
            pools <= fixed + lent || self.leaks > 0,
            "{pools} pools, not {fixed} and {lent}"
        );
        self.bytes.take(&mut self.passes);
    }

    fn shut_down(&mut self, which: usize) {
        if let Some(running) = self.services[which].take() {
            self.null.release(EVERYTHING);
            if which == 0 {
                if !self.bytes.once_in(8) {
                    self.images.clear();
                    self.acquires.clear();
                }
                self.image_held |= !self.images.is_empty() || !self.acquires.is_empty();
            }
            let quiet = self.bytes.next() & 1 == 0;
            if quiet {
                self.workers.wait();
            }
            let out = running.leases.out();
            let began = std::time::Instant::now();
            let report = running.service.shutdown(LONG);
            assert!(began.elapsed() < LONG, "a shutdown took {report:?}");
            assert!(!report.panicked);
            if quiet && !self.may_leak() {
                assert_eq!(report.leaked, out, "{out} leases are out");
            }
            self.leaks += report.leaked;
        }
    }

    /// Whether an image was held too long, or a wait for the device was made to fail, so that a service could not know
    /// what is over.
    fn may_leak(&self) -> bool {
        let waits = ["vkWaitSemaphores", "vkQueueWaitIdle"];
        let other = |result| result != vk::Result::ERROR_DEVICE_LOST;
        let mut planted = self.planted.iter();
        self.image_held || planted.any(|(call, result)| waits.contains(call) && other(*result))
    }

    /// Ends all services and lets all go, in the order that the program wants.
    fn end(mut self) {
        self.null.release(EVERYTHING);
        if self.bytes.next() & 1 == 0 {
            self.let_go();
        }
        let first = self.bytes.below(2);
        self.shut_down(first);
        self.shut_down(1 - first);
        // The services are gone: every answer is there.
        for mut submitted in std::mem::take(&mut self.tickets) {
            let result = submitted.ticket.wait_timeout(Duration::ZERO);
            self.resolved(&submitted, result);
        }
        for answer in &self.acquires {
            assert!(answer.is_done(), "an acquire outlived its service");
        }
        self.let_go();
        self.workers.wait();
        for once in &self.timelines {
            // SAFETY: nothing uses it any more.
            unsafe { self.table.destroy_semaphore(once.semaphore, None) };
        }
        assert_eq!(self.null.violations(), []);
        self.closures.check();
        let forgotten: u32 = self.leases.iter().map(|leases| leases.forgotten()).sum();
        if self.leaks > 0 && self.may_leak() {
            return;
        }
        // Nothing is left, apart from what was forgotten.
        let live = self.null.live();
        let mut left = Live::default();
        left.pools = forgotten as usize;
        if forgotten > 0 {
            left.buffers = live.buffers;
        }
        assert_eq!(live, left, "{} counted", self.leaks);
        assert_eq!(self.worked.load(Ordering::Relaxed), self.works);
    }

    fn let_go(&mut self) {
        self.recordings.clear();
        self.slots.clear();
        self.frames.clear();
        self.passes.clear();
        self.images.clear();
    }
}

impl Once {
    fn new(table: &ash::Device) -> Self {
        let mut kind =
            vk::SemaphoreTypeCreateInfo::default().semaphore_type(vk::SemaphoreType::TIMELINE);
        let info = vk::SemaphoreCreateInfo::default().push_next(&mut kind);
        // SAFETY: the device lives.
        let semaphore = unsafe { table.create_semaphore(&info, None) }.expect("a semaphore");
        Self {
            semaphore,
            // SAFETY: it lives as long as the program's services.
            timeline: unsafe { Timeline::new(semaphore, 0) },
            used: false,
        }
    }
}
