//! What becomes of a frame, for those that wait for it: other submissions, and what is kept alive until it is over.
//!
//! Each frame has one [`Point`]. Its [`Promise`] travels with the frame from its beginning through all owners; whoever
//! holds it when the frame is over ends it. What happens to it on the way, a dropped message and a panic included, ends it
//! too.

use crate::caught::quietly;
use crate::error::FrameError;
use crate::frame::Frame;
use crate::raw::Device;
use crate::status::Status;
use crate::ticket::Ticket;
use crate::timeline::Readiness;
use crate::trace::{Span, TraceKind};
use crate::waiters::Waiters;
use ash::vk;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Something to do when a frame is over.
pub(crate) type Work = Box<dyn FnOnce() + Send>;

/// In place of a value: the frame will never be executed.
const NEVER: u64 = u64::MAX;

/// See the module.
pub(crate) struct Point {
    device: Arc<Device>,
    status: Arc<Status>,
    /// 0 while the frame is not submitted; then its value on the service's timeline, or [`NEVER`].
    reached_by: AtomicU64,
    waiters: Waiters,
    work: Mutex<Works>,
}

/// What is to be done when a frame is over.
enum Works {
    Waiting(Vec<Work>),
    /// It is over.
    Over,
    /// Nobody will know whether it is: the GPU may still use what the work would destroy.
    Unknown,
}

impl Point {
    /// Does `work` when the frame is over; at once where it is. Where nobody will know, it is leaked.
    pub(crate) fn add(&self, work: Work) {
        let mut works = crate::frame::lock(&self.work);
        match &mut *works {
            Works::Waiting(list) => list.push(work),
            Works::Over => {
                drop(works);
                quietly(work);
            }
            Works::Unknown => std::mem::forget(work),
        }
    }

    pub(crate) fn readiness(&self) -> Readiness {
        match self.reached_by.load(Ordering::Acquire) {
            0 => Readiness::Held,
            NEVER => Readiness::Never,
            _ => Readiness::Ready,
        }
    }

    /// Whom to tell when the frame is submitted, or never will be.
    pub(crate) fn waiters(&self) -> &Waiters {
        &self.waiters
    }

    pub(crate) fn is_of_device(&self, device: &Device) -> bool {
        self.device.handle() == device.handle()
    }

    /// What the frame `waiting` is to wait for, of this one, which was submitted. `None` where its service has ended: then
    /// it has been executed.
    pub(crate) fn operation(self: &Arc<Self>, waiting: &Promise) -> Option<(vk::Semaphore, u64)> {
        let value = self.reached_by.load(Ordering::Acquire);
        let waiting = waiting.point.as_ref()?;
        if !Arc::ptr_eq(&self.status, &waiting.status) {
            // The other service keeps its semaphore until the frame that waits for it is over.
            if !self.status.uses.add() {
                return None;
            }
            let point = Arc::clone(self);
            waiting.add(Box::new(move || {
                if point.status.uses.remove() {
                    point.device.destroy_semaphore(point.status.timeline);
                }
            }));
        }
        Some((self.status.timeline, value))
    }

    fn take_work(&self, then: Works) -> Vec<Work> {
        match std::mem::replace(&mut *crate::frame::lock(&self.work), then) {
            Works::Waiting(list) => list,
            Works::Over | Works::Unknown => Vec::new(),
        }
    }

    fn set(&self, value: u64) {
        // The first who knows decides: a frame that failed stays so.
        let _ = self
            .reached_by
            .compare_exchange(0, value, Ordering::AcqRel, Ordering::Acquire);
        self.waiters.tell();
    }
}

/// The frame of a [`Point`] is not over.
pub(crate) struct Promise {
    point: Option<Arc<Point>>,
    /// The value of the submission that may be pending.
    pending: Option<u64>,
    serial: u64,
    /// Tells the host's trace that the frame is under way.
    _span: Option<Box<Span>>,
}

impl Promise {
    pub(crate) fn point(&self) -> Option<&Arc<Point>> {
        self.point.as_ref()
    }

    /// The frame has been submitted; `failed`: without its commands.
    pub(crate) fn submitted(&mut self, value: u64, failed: bool) {
        self.pending = Some(value);
        if let Some(point) = &self.point {
            point.set(if failed { NEVER } else { value });
        }
    }

    /// The frame has failed; this tells the host's trace, and the ticket the host.
    pub(crate) fn failed(&self, error: FrameError) {
        if let Some(point) = &self.point {
            point
                .status
                .wrong(TraceKind::Failed, self.serial, Some(error));
        }
    }

    /// The frame is over: it has been executed, or was never submitted, or the device is lost.
    pub(crate) fn end(mut self) {
        if let Some(point) = self.point.take() {
            run(&point);
        }
    }

    /// Whether the frame is over will not be known: what waits for that is leaked, and counted.
    pub(crate) fn leak(mut self) {
        if let Some(point) = self.point.take() {
            leak(&point);
        }
    }
}

impl Drop for Promise {
    /// Nobody has ended it: a message was dropped, or an owner has panicked.
    fn drop(&mut self) {
        let Some(point) = self.point.take() else {
            return;
        };
        let over = match self.pending {
            None => true,
            Some(value) => {
                point.status.is_lost()
                    || point.status.wait_for(&point.device, value)
                    || point.status.is_lost()
            }
        };
        if over {
            run(&point);
        } else {
            leak(&point);
        }
    }
}

fn run(point: &Point) {
    point.set(NEVER);
    for work in point.take_work(Works::Over) {
        // One that panics does not keep the others from their turn, nor the owner from its work.
        quietly(work);
    }
}

fn leak(point: &Point) {
    point.set(NEVER);
    for work in point.take_work(Works::Unknown) {
        std::mem::forget(work);
        point.status.note_leak();
    }
}

/// What lives as long as the frame.
impl Frame {
    /// Keeps a value alive until the frame is over: executed, discarded, failed, or its device lost. An owner drops it then.
    /// A job does the same by its recorder ([`Recorder::keep_alive`](crate::Recorder::keep_alive)). A
    /// [lease](crate::LeaseRecorder) that outlives the frame is not waited for.
    ///
    /// # Progress
    ///
    /// Never parks; allocates.
    pub fn keep_alive<T: Send + Sync + 'static>(&mut self, value: Arc<T>) {
        self.destroy_after(move || drop(value));
    }

    /// Does something when the frame is over: executed, discarded, failed, or its device lost. An owner does it, on its
    /// thread or on that of who [drives](crate::ServiceOptions::driven_by_users) it, and what it takes, that owner's other
    /// frames wait; the frame's ticket resolves after it. A job does the same by its recorder
    /// ([`Recorder::destroy_after`](crate::Recorder::destroy_after)).
    ///
    /// Where the service ends before the GPU has, as after a hang, it is never done, and
    /// [`ShutdownReport::leaked`](crate::ShutdownReport::leaked) counts it. A panic in it is caught.
    ///
    /// ```no_run
    /// # use agate_vk::{Frame, SubmitOptions, vk};
    /// # fn example(mut frame: Frame, device: agate_vk::ash::Device, buffer: vk::Buffer) {
    /// // SAFETY: nothing but this frame uses the buffer.
    /// frame.destroy_after(move || unsafe { device.destroy_buffer(buffer, None) });
    /// let ticket = frame.submit(SubmitOptions::default());
    /// # }
    /// ```
    ///
    /// # Progress
    ///
    /// Never parks; allocates.
    pub fn destroy_after(&mut self, work: impl FnOnce() + Send + 'static) {
        if let Some(point) = self.promise().and_then(Promise::point) {
            point.add(Box::new(work));
        }
    }
}

/// What lives as long as the frame.
impl Ticket {
    /// As [`Frame::keep_alive`], after the frame was submitted. Where the frame is over already, the value is dropped here.
    ///
    /// # Progress
    ///
    /// Never parks; allocates.
    pub fn keep_alive<T: Send + Sync + 'static>(&self, value: Arc<T>) {
        self.destroy_after(move || drop(value));
    }

    /// As [`Frame::destroy_after`], after the frame was submitted. Where the frame is over already, it is done here and now;
    /// a panic in it is caught all the same.
    ///
    /// # Progress
    ///
    /// Never parks; allocates.
    pub fn destroy_after(&self, work: impl FnOnce() + Send + 'static) {
        match self.point() {
            Some(point) => point.add(Box::new(work)),
            None => {
                quietly(work);
            }
        }
    }
}

/// Points that are used again when nobody knows them any more.
pub(crate) struct Points {
    device: Arc<Device>,
    status: Arc<Status>,
    known: Mutex<Vec<Arc<Point>>>,
}

/// How many points are kept at the most; a host that keeps more tickets pays with allocations.
const MOST: usize = 64;

impl Points {
    pub(crate) fn new(device: Arc<Device>, status: Arc<Status>) -> Self {
        Self {
            device,
            status,
            known: Mutex::new(Vec::with_capacity(MOST)),
        }
    }

    /// For a frame that begins.
    pub(crate) fn promise(&self, serial: u64) -> Promise {
        let mut known = crate::frame::lock(&self.known);
        let free = known.iter_mut().find_map(|point| {
            let free = Arc::get_mut(point)?;
            *free.reached_by.get_mut() = 0;
            *crate::frame::lock(&free.work) = Works::Waiting(Vec::new());
            Some(Arc::clone(point))
        });
        let point = free.unwrap_or_else(|| {
            let made = Arc::new(Point {
                device: Arc::clone(&self.device),
                status: Arc::clone(&self.status),
                reached_by: AtomicU64::new(0),
                waiters: Waiters::default(),
                work: Mutex::new(Works::Waiting(Vec::new())),
            });
            if known.len() < MOST {
                known.push(Arc::clone(&made));
            }
            made
        });
        Promise {
            point: Some(point),
            pending: None,
            serial,
            _span: self.status.under_way(serial),
        }
    }
}
