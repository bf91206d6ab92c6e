//! What can go wrong, one small type per operation; each says what happened and what to do.

use crate::frame::{BEGIN_SLOT, END_SLOT};
use ash::vk;
use std::fmt;

/// Why a function table could not be made from the host's loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// The Vulkan function that the loader did not return.
    pub function: &'static str,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is not loaded: agate-vk needs Vulkan 1.2 with timeline semaphores and vkQueueSubmit2 (1.3 or VK_KHR_synchronization2)",
            self.function
        )
    }
}

impl std::error::Error for LoadError {}

/// Why a [`Service`](crate::Service) could not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServiceError {
    /// An option has a value that cannot work; the text names it and its range.
    BadOption(&'static str),
    /// A Vulkan call failed.
    Vulkan {
        /// The function that failed.
        call: &'static str,
        /// What it returned.
        result: vk::Result,
    },
    /// An owner ended while the service was made.
    OwnerEnded,
    /// The messaging core could not make an owner or its memory.
    Core(agate::CreateError),
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadOption(what) => write!(f, "bad service option: {what}"),
            Self::Vulkan { call, result } => {
                write!(f, "{call} failed while the service was made: {result}")
            }
            Self::OwnerEnded => f.write_str(
                "an owner ended while the service was made: it has panicked, and the panic hook has told of it",
            ),
            Self::Core(error) => write!(f, "an owner could not be started: {error}"),
        }
    }
}

impl std::error::Error for ServiceError {}

impl From<agate::CreateError> for ServiceError {
    fn from(error: agate::CreateError) -> Self {
        Self::Core(error)
    }
}

/// Why a frame could not be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BeginError {
    /// All frames in flight are still recording or executing; wait, or ask for more frames in flight.
    NoCredit,
    /// The deadline passed before a frame retired.
    TimedOut,
    /// The thread is marked with [`agate::forbid_wait`]; begin frames elsewhere or use `try_begin_frame`.
    WouldStall,
    /// The device is lost; destroy the service and the device.
    DeviceLost,
    /// An owner of this service has ended or panicked; shut the service down for the report.
    Closed,
}

impl fmt::Display for BeginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCredit => "every frame in flight is still in use: wait for one to retire",
            Self::TimedOut => {
                "no frame retired before the deadline: is a recorder held back or the GPU hung?"
            }
            Self::WouldStall => {
                "this thread must not wait: begin frames on another thread or call try_begin_frame"
            }
            Self::DeviceLost => "the device is lost: destroy the service, then the device",
            Self::Closed => {
                "an owner of this service has ended: shut the service down and read the report"
            }
        })
    }
}

impl std::error::Error for BeginError {}

/// Why a pass could not be declared.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PassError {
    /// The frame already has as many slots as [`ServiceOptions::max_slots`](crate::ServiceOptions::max_slots) allows.
    TooManySlots {
        /// The limit.
        max: u32,
    },
    /// The frame already has as many passes as it can have.
    TooManyPasses {
        /// The limit.
        max: u32,
    },
    /// More colour formats than a pass with secondary contents can inherit.
    TooManyColorFormats {
        /// The limit.
        max: u32,
    },
    /// The commands that begin or end the pass could not be recorded.
    Record(RecordError),
    /// The part that begins or ends the pass could not be taken: the pool's owner has ended.
    Slot(SlotError),
}

impl fmt::Display for PassError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManySlots { max } => write!(
                f,
                "more than {max} slots in one frame: raise ServiceOptions::max_slots or use fewer jobs"
            ),
            Self::TooManyPasses { max } => write!(f, "more than {max} passes in one frame"),
            Self::TooManyColorFormats { max } => write!(
                f,
                "more than {max} colour formats in a pass with secondary contents"
            ),
            Self::Record(error) => write!(f, "the pass could not be begun: {error}"),
            Self::Slot(error) => write!(f, "the pass could not be begun: {error}"),
        }
    }
}

impl std::error::Error for PassError {}

impl From<SlotError> for PassError {
    fn from(error: SlotError) -> Self {
        Self::Slot(error)
    }
}

impl From<RecordError> for PassError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

/// Why a slot could not be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotError {
    /// Somebody has taken this slot already; a slot is recorded once.
    Taken {
        /// Its index in the pass.
        slot: u32,
    },
    /// The pass has no slot of this index.
    OutOfRange {
        /// The index that was asked for.
        slot: u32,
        /// How many slots the pass has.
        slots: u32,
    },
    /// All slots of the pass are taken.
    Exhausted {
        /// How many slots the pass has.
        slots: u32,
    },
    /// The frame of this pass is over; a pass lives for one frame.
    Stale,
    /// No recorder can be attached to the pool's owner: it has ended, or too many are attached at one time.
    Attach(agate::AttachError),
}

impl fmt::Display for SlotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken { slot } => write!(
                f,
                "slot {slot} was taken already: each slot is recorded once"
            ),
            Self::OutOfRange { slot, slots } => {
                write!(f, "slot {slot} asked of a pass with {slots} slots")
            }
            Self::Exhausted { slots } => {
                write!(f, "all {slots} slots of the pass are taken: declare more")
            }
            Self::Stale => {
                f.write_str("the frame of this pass is over: declare the pass in the new frame")
            }
            Self::Attach(error) => write!(
                f,
                "no recorder can be attached to the pool's owner: {error}"
            ),
        }
    }
}

impl std::error::Error for SlotError {}

/// Why a recording failed. The first error sticks; it comes out of `finish` and of the frame's ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// Block memory is at its hard limit; commands that are larger than a block count too.
    OutOfBlocks {
        /// The limit, in blocks.
        max_blocks: usize,
    },
    /// The device does not have this command.
    NotLoaded {
        /// The Vulkan command.
        command: &'static str,
    },
    /// A structure is chained to `pNext` that nobody knows: neither this crate nor, by
    /// [`Device::register_pnext`](crate::Device::register_pnext), the host.
    UnsupportedPNext {
        /// The Vulkan command.
        command: &'static str,
        /// The structure in the chain: its `VkStructureType`, as a number.
        s_type: i32,
    },
    /// One command with its arrays is too large.
    TooLarge {
        /// The Vulkan command.
        command: &'static str,
        /// Its size in bytes.
        bytes: usize,
        /// The most that there is room for, in bytes.
        max_bytes: usize,
    },
    /// An argument that Vulkan cannot take, for instance two arrays of one count with different lengths.
    BadArgument {
        /// The Vulkan command.
        command: &'static str,
        /// The argument of the recorder's method.
        argument: &'static str,
    },
    /// A command stands where Vulkan does not allow it. Found with the feature `checks` alone.
    Violation {
        /// The Vulkan command.
        command: &'static str,
        /// Which rule.
        violation: Violation,
    },
    /// The owner of the pool has ended; nothing will be replayed.
    Closed,
    /// The slot is of a pass whose contents are inline, and those are recorded in the stream lane alone.
    NotSecondary,
    /// So many command pools are lent at one time.
    OutOfLeases {
        /// The limit, [`ServiceOptions::max_leases`](crate::ServiceOptions::max_leases).
        max_leases: usize,
    },
    /// The frame of the slot is over: it was submitted, and the slot given up, before it was recorded.
    Stale,
    /// A Vulkan call failed that the recording needs.
    Vulkan {
        /// The function that failed.
        call: &'static str,
        /// What it returned.
        result: vk::Result,
    },
    /// The device is lost.
    DeviceLost,
}

/// A rule on where commands may stand, that the feature `checks` looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// The command belongs outside of render passes.
    InsidePass,
    /// The command belongs inside a render pass.
    OutsidePass,
    /// The command belongs in primary command buffers, and the slot is replayed into a secondary.
    PrimaryOnly,
    /// The service's queue family does not execute the command.
    OtherQueue,
    /// Nothing was bound in this slot that the command could run with.
    NoPipeline,
    /// The command ends what this slot has not begun; render passes that slots share are the service's to end.
    NotBegun,
    /// The slot ended before what the command began was ended.
    LeftOpen,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InsidePass => "is recorded inside a render pass and belongs outside: use Frame::outside",
            Self::OutsidePass => {
                "is recorded outside of render passes and belongs inside: use Frame::rendering or Frame::render_pass"
            }
            Self::PrimaryOnly => "belongs in primary command buffers, and this slot is of a secondary",
            Self::OtherQueue => "is not executed by queues of the service's family",
            Self::NoPipeline => {
                "is recorded before a pipeline was bound in this slot: a slot starts with all state undefined"
            }
            Self::NotBegun => "ends what this slot has not begun",
            Self::LeftOpen => "begins what is not ended at the end of the slot",
        })
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfBlocks { max_blocks } => {
                write!(
                    f,
                    "all {max_blocks} blocks are in use, or as much memory by commands larger than one: record less per frame or in fewer slots, or raise ServiceOptions::max_block_bytes"
                )
            }
            Self::NotLoaded { command } => {
                write!(
                    f,
                    "{command} is not loaded: enable the feature or extension that brings it"
                )
            }
            Self::UnsupportedPNext { command, s_type } => {
                write!(
                    f,
                    "{command}: structure type {s_type} in pNext is not known: register it with Device::register_pnext"
                )
            }
            Self::TooLarge {
                command,
                bytes,
                max_bytes,
            } => {
                write!(
                    f,
                    "{command} with its arrays takes {bytes} bytes, there is room for {max_bytes}: split the call"
                )
            }
            Self::BadArgument { command, argument } => {
                write!(
                    f,
                    "{command}: {argument} is out of Vulkan's range, or not as long as another array says"
                )
            }
            Self::Violation { command, violation } => write!(f, "{command} {violation}"),
            Self::Closed => f.write_str("the owner of the command pool has ended"),
            Self::NotSecondary => f.write_str(
                "a lease is for passes with secondary contents: record the slot with stream(), or declare the pass with secondaries",
            ),
            Self::OutOfLeases { max_leases } => write!(
                f,
                "all {max_leases} command pools are lent: record fewer slots at one time, or raise ServiceOptions::max_leases"
            ),
            Self::Stale => f.write_str(
                "the frame of this slot is over: the slot was given up before it was recorded (slot_deadline)",
            ),
            Self::Vulkan { call, result } => write!(f, "{call} failed: {result}"),
            Self::DeviceLost => {
                f.write_str("the device is lost: destroy the service, then the device")
            }
        }
    }
}

impl std::error::Error for RecordError {}

/// Why commands that were to be submitted at once were not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnceError {
    /// No frame could be begun.
    Begin(BeginError),
    /// The slot could not be taken: the pool's owner has ended.
    Slot(SlotError),
    /// Recording failed.
    Record(RecordError),
}

impl fmt::Display for OnceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin(error) => error.fmt(f),
            Self::Slot(error) => error.fmt(f),
            Self::Record(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OnceError {}

impl From<BeginError> for OnceError {
    fn from(error: BeginError) -> Self {
        Self::Begin(error)
    }
}

impl From<PassError> for OnceError {
    fn from(error: PassError) -> Self {
        match error {
            PassError::Record(error) => Self::Record(error),
            PassError::Slot(error) => Self::Slot(error),
            // One slot of one pass: there is room in any frame.
            _ => Self::Slot(SlotError::Stale),
        }
    }
}

impl From<SlotError> for OnceError {
    fn from(error: SlotError) -> Self {
        Self::Slot(error)
    }
}

impl From<RecordError> for OnceError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

/// How a slot came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotLoss {
    /// The slot or its recorder was dropped without `finish`.
    Dropped,
    /// The job panicked while it recorded.
    Panicked,
    /// Nobody had taken the slot when the frame was submitted.
    NotTaken,
    /// The slot was taken and not finished within [`ServiceOptions::slot_deadline`](crate::ServiceOptions::slot_deadline)
    /// of the frame's submission: its job still runs, or has forgotten it.
    Expired,
    /// Recording failed.
    Failed(RecordError),
    /// A closure among its commands panicked when it was called ([`Recorder::record`](crate::Recorder::record)).
    ClosurePanicked,
}

/// Why a frame did not execute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// A slot came to nothing and the policy is [`MissingSlot::Fail`](crate::MissingSlot::Fail).
    SlotLost {
        /// The pass, in order of declaration.
        pass: u32,
        /// The slot in it; the commands that begin and end a pass have the slots `u32::MAX - 1` and `u32::MAX`.
        slot: u32,
        /// How.
        loss: SlotLoss,
    },
    /// A Vulkan call failed; other frames go on.
    Vulkan {
        /// The function that failed.
        call: &'static str,
        /// What it returned.
        result: vk::Result,
    },
    /// The device is lost.
    DeviceLost,
    /// The frame was dropped before it was submitted, or the service shut down before it was.
    Aborted,
    /// An owner panicked; shut the service down, its report has what with
    /// ([`ShutdownReport::payload`](crate::ShutdownReport::payload)).
    OwnerPanicked,
    /// A swapchain image of another service, or of a swapchain that is gone, was given for presenting.
    StaleImage,
    /// More semaphores than [`MAX_SEMAPHORES`](crate::MAX_SEMAPHORES) in one submission.
    TooManySemaphores,
    /// More swapchain images than [`MAX_IMAGES`](crate::MAX_IMAGES) in one submission.
    TooManyImages,
    /// Semaphores or an image to present came with [`SubmitOptions::record_only`](crate::SubmitOptions::record_only).
    RecordOnly,
    /// What the frame was to wait for will never be signalled: the submission or the frame that was to do it has failed, or
    /// is of another device.
    NeverSignalled,
    /// What the frame was to wait for was not submitted within
    /// [`ServiceOptions::hold_deadline`](crate::ServiceOptions::hold_deadline).
    HeldTooLong,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SlotLost { pass, slot, loss } => {
                match *slot {
                    BEGIN_SLOT => write!(f, "the begin of pass {pass} ")?,
                    END_SLOT => write!(f, "the end of pass {pass} ")?,
                    _ => write!(f, "pass {pass}, slot {slot} ")?,
                }
                match loss {
                    SlotLoss::Dropped => f.write_str("was dropped without finish()"),
                    SlotLoss::Panicked => f.write_str("was lost: its job panicked"),
                    SlotLoss::NotTaken => {
                        f.write_str("was not taken by the time the frame was submitted")
                    }
                    SlotLoss::Expired => f.write_str(
                        "was not finished in time: its job hangs or has forgotten it (slot_deadline)",
                    ),
                    SlotLoss::Failed(error) => write!(f, "failed: {error}"),
                    SlotLoss::ClosurePanicked => {
                        f.write_str("was lost: a closure that it recorded panicked")
                    }
                }
            }
            Self::Vulkan { call, result } => write!(f, "{call} failed: {result}"),
            Self::DeviceLost => {
                f.write_str("the device is lost: destroy the service, then the device")
            }
            Self::Aborted => f.write_str(
                "the frame was dropped, or the service shut down, before it was submitted",
            ),
            Self::OwnerPanicked => {
                f.write_str("an owner panicked: shut the service down and read the report")
            }
            Self::StaleImage => f.write_str(
                "the acquired image belongs to another service or to a swapchain that is gone",
            ),
            Self::TooManySemaphores => f.write_str("too many semaphores in one submission"),
            Self::TooManyImages => f.write_str("too many swapchain images in one submission"),
            Self::NeverSignalled => f.write_str(
                "what the frame was to wait for will never be signalled: its submission has failed",
            ),
            Self::HeldTooLong => f.write_str(
                "what the frame was to wait for was not submitted in time (hold_deadline): submit its signal, or call Timeline::note_submitted",
            ),
            Self::RecordOnly => f.write_str(
                "a frame that is only recorded neither waits, signals nor presents: submit it, or leave these out",
            ),
        }
    }
}

impl std::error::Error for FrameError {}

/// Why waiting for a ticket gave no report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TicketError {
    /// The deadline passed; the ticket stays good.
    TimedOut,
    /// The thread is marked with [`agate::forbid_wait`].
    WouldStall,
    /// The report was taken before.
    AlreadyTaken,
    /// The frame failed.
    Frame(FrameError),
}

impl fmt::Display for TicketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("the frame has not retired before the deadline"),
            Self::WouldStall => {
                f.write_str("this thread must not wait: poll the ticket or await it")
            }
            Self::AlreadyTaken => f.write_str("the report of this ticket was taken before"),
            Self::Frame(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TicketError {}

/// Why no swapchain image could be acquired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcquireError {
    /// The surface has no area (a minimised window); try again when it has.
    ZeroArea,
    /// No image came free before the deadline.
    TimedOut,
    /// The surface is lost; make a new surface and a new swapchain.
    SurfaceLost,
    /// The device is lost.
    DeviceLost,
    /// A Vulkan call failed.
    Vulkan {
        /// The function that failed.
        call: &'static str,
        /// What it returned.
        result: vk::Result,
    },
    /// The device does not have `VK_KHR_swapchain`.
    NotLoaded,
    /// The swapchain was destroyed, or its owner has ended.
    Closed,
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroArea => {
                f.write_str("the surface has no area: try again when the window is shown")
            }
            Self::TimedOut => f.write_str("no swapchain image came free before the deadline"),
            Self::SurfaceLost => {
                f.write_str("the surface is lost: make a new surface and swapchain")
            }
            Self::DeviceLost => {
                f.write_str("the device is lost: destroy the service, then the device")
            }
            Self::Vulkan { call, result } => write!(f, "{call} failed: {result}"),
            Self::NotLoaded => f.write_str(
                "vkCreateSwapchainKHR is not loaded: enable VK_KHR_swapchain when you create the device",
            ),
            Self::Closed => {
                f.write_str("the swapchain was destroyed, or the owner of the queue has ended")
            }
        }
    }
}

impl std::error::Error for AcquireError {}
