//! The counting device table: who called which Vulkan function, told by the driver's own entry points.
//!
//! The demo hands out one `vkGetDeviceProcAddr`, and that one answers with the functions of this file for everything
//! that records, allocates command buffers, or touches a queue. Each of them notes the calling thread and forwards.
//! What `agate-vk` loads passes the same door, so its counts are as real as those of the demo.
//!
//! A note costs one thread-local read and one plain addition to a row that only this thread writes (not to be told
//! from noise beside 100 ns for a draw, 10,000 draws on lavapipe):
//! no lock, no allocation, no shared cache line. It is always on.
//!
//! # Invariants
//!
//! - C1: a trampoline is handed out only after the function that it forwards to was stored, and `FORWARD` never goes
//!   back to null.
//! - C2: `FORWARD[f]` holds only pointers that `vkGetDeviceProcAddr` returned for exactly the name of `f`, so they have
//!   the signature that stands beside that name in the table below.
//! - C3: the process uses one Vulkan device at a time, so a forward pointer fits every device handle that comes in.
#![allow(
    unsafe_code,
    reason = "entry points with C signatures, called by Vulkan's users, that forward to the driver"
)]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_void};
use std::mem::transmute;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering::Relaxed};

use ash::vk;

use crate::presentation::{self, Answer};

/// What a counted function touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    /// `vkCmd*`, and the begin, end and reset of a command buffer.
    Command,
    /// Command pools and the buffers allocated from them.
    Pool,
    /// `vkQueue*`, present included, and `vkDeviceWaitIdle`, which counts as a use of every queue.
    Queue,
    /// Acquiring an image.
    Swapchain,
}

impl Group {
    /// All groups, in the order of the report.
    pub(crate) const ALL: [Self; 4] = [Self::Command, Self::Pool, Self::Queue, Self::Swapchain];

    /// The name that the report and the JSON file use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Pool => "pool",
            Self::Queue => "queue",
            Self::Swapchain => "swapchain",
        }
    }
}

/// One thread's calls within one group, under one strategy.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The kernel's id of the thread.
    pub(crate) thread_id: u64,
    /// The thread's name when it made its first counted call.
    pub(crate) thread_name: String,
    /// Function name to number of calls.
    pub(crate) functions: BTreeMap<&'static str, u64>,
}

impl Caller {
    /// The calls of all functions together.
    pub(crate) fn calls(&self) -> u64 {
        self.functions.values().sum()
    }
}

/// How many strategies the table keeps apart; the last column takes what happens before and after them.
pub(crate) const COLUMNS: usize = crate::cli::StrategyName::ALL.len() + 1;

/// The column for set-up and tear-down that belong to no strategy.
pub(crate) const OUTSIDE: usize = COLUMNS - 1;

/// Calls are noted under `column` (below [`COLUMNS`]) from now on, whatever thread makes them.
pub(crate) fn set_column(column: usize) {
    COLUMN.store(column.min(OUTSIDE), Relaxed);
}

/// The column that calls are noted under now.
pub(crate) fn column() -> usize {
    COLUMN.load(Relaxed)
}

/// Who called functions of `group` while `column` was set, by thread, in order of first appearance.
pub(crate) fn callers(column: usize, group: Group) -> Vec<Caller> {
    let rows = ROWS_USED.load(Relaxed).min(ROWS);
    (0..rows)
        .filter_map(|row| {
            let functions: BTreeMap<_, _> = FUNCTIONS
                .iter()
                .enumerate()
                .filter(|(_, (of, _))| *of == group)
                .map(|(index, (_, name))| (*name, CALLS[column][row][index].load(Relaxed)))
                .filter(|(_, calls)| *calls > 0)
                .collect();
            let (thread_id, thread_name) = THREADS[row]
                .get()
                .cloned()
                .unwrap_or((0, "(more threads)".into()));
            (!functions.is_empty()).then_some(Caller {
                thread_id,
                thread_name,
                functions,
            })
        })
        .collect()
}

/// The `vkGetDeviceProcAddr` to build every function table from.
///
/// `real` is the loader's own; it is called first, and a name that it does not know stays unknown.
pub(crate) fn install(real: vk::PFN_vkGetDeviceProcAddr) -> *const c_void {
    let real: *mut c_void = real as *mut c_void;
    REAL_LOADER.store(real, Relaxed);
    get_device_proc_addr as *const c_void
}

/// Rows of the table: threads that are told apart. Later ones share the last row.
const ROWS: usize = 256;

static COLUMN: AtomicUsize = AtomicUsize::new(OUTSIDE);
static ROWS_USED: AtomicUsize = AtomicUsize::new(0);
static REAL_LOADER: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
static FORWARD: [AtomicPtr<c_void>; FUNCTIONS.len()] =
    [const { AtomicPtr::new(std::ptr::null_mut()) }; FUNCTIONS.len()];
static CALLS: [[[AtomicU64; FUNCTIONS.len()]; ROWS]; COLUMNS] =
    [const { [const { [const { AtomicU64::new(0) }; FUNCTIONS.len()] }; ROWS] }; COLUMNS];
static THREADS: [OnceLock<(u64, String)>; ROWS] = [const { OnceLock::new() }; ROWS];

thread_local! {
    static ROW: Cell<usize> = const { Cell::new(usize::MAX) };
}

fn note(function: usize) {
    let mut row = ROW.get();
    if row == usize::MAX {
        row = take_row();
    }
    let calls = &CALLS[COLUMN.load(Relaxed)][row][function];
    if row == ROWS - 1 {
        calls.fetch_add(1, Relaxed);
    } else {
        // Nobody else writes this row, so a plain addition does.
        calls.store(calls.load(Relaxed) + 1, Relaxed);
    }
}

#[cold]
fn take_row() -> usize {
    let row = ROWS_USED.fetch_add(1, Relaxed).min(ROWS - 1);
    if row < ROWS - 1 {
        let name = std::thread::current()
            .name()
            .unwrap_or("(unnamed)")
            .to_owned();
        THREADS[row].get_or_init(|| (crate::measure::thread_id(), name));
    }
    ROW.set(row);
    row
}

unsafe extern "system" fn get_device_proc_addr(
    device: vk::Device,
    name: *const c_char,
) -> vk::PFN_vkVoidFunction {
    let real = REAL_LOADER.load(Relaxed);
    // SAFETY: `install` stored a `PFN_vkGetDeviceProcAddr` there before it gave out this function.
    let real: vk::PFN_vkGetDeviceProcAddr = unsafe { transmute(real) };
    // SAFETY: the caller keeps the contract of `vkGetDeviceProcAddr`, which is passed on unchanged.
    let found = unsafe { real(device, name) }?;
    // SAFETY: by that same contract `name` is a C string.
    let wanted = unsafe { CStr::from_ptr(name) };
    let Some(index) = FUNCTIONS
        .iter()
        .position(|(_, name)| name.as_bytes() == wanted.to_bytes())
    else {
        let Some(stand_in) = presentation::stands_for(wanted.to_bytes(), found as *const c_void)
        else {
            return Some(found);
        };
        // SAFETY: that function has the signature of the one that it stands for, and is returned as any other.
        return Some(unsafe { transmute::<*const c_void, unsafe extern "system" fn()>(stand_in) });
    };
    FORWARD[index].store(found as *mut c_void, Relaxed);
    // SAFETY: a trampoline is a function of the same signature as the one that it stands for (C2), and a generic
    // function pointer is what this function is declared to return.
    Some(unsafe { transmute::<*const c_void, unsafe extern "system" fn()>(TRAMPOLINES[index]()) })
}

macro_rules! counted {
    ($($group:ident $name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)?;)*) => {
        #[allow(non_camel_case_types)]
        enum Function { $($name),* }

        const FUNCTIONS: &[(Group, &str)] = &[$((Group::$group, stringify!($name))),*];

        const TRAMPOLINES: &[fn() -> *const c_void] = &[$(|| trampoline::$name as *const c_void),*];

        #[allow(non_snake_case, clippy::too_many_arguments)]
        mod trampoline {
            use super::*;
            $(
                pub(super) unsafe extern "system" fn $name($($arg: $ty),*) $(-> $ret)? {
                    const INDEX: usize = Function::$name as usize;
                    note(INDEX);
                    if INDEX == Function::vkQueuePresentKHR as usize {
                        crate::app::server::leave_if_hung_up();
                    }
                    let real = FORWARD[INDEX].load(Relaxed);
                    // SAFETY: by C1 the pointer is not null, by C2 it has this signature.
                    let real: unsafe extern "system" fn($($ty),*) $(-> $ret)? = unsafe { transmute(real) };
                    // SAFETY: the caller keeps the contract of the function, and by C3 it is the one of this device.
                    unsafe { real($($arg),*) }.noted()
                }
            )*
        }
    };
}

// Every vkCmd*, vkQueue* and command pool function of Vulkan 1.0 to 1.3, and the swapchain's two.
counted! {
    Queue vkQueueSubmit(a: vk::Queue, b: u32, c: *const vk::SubmitInfo<'_>, d: vk::Fence) -> vk::Result;
    Queue vkQueueWaitIdle(a: vk::Queue) -> vk::Result;
    Queue vkDeviceWaitIdle(a: vk::Device) -> vk::Result;
    Queue vkQueueBindSparse(a: vk::Queue, b: u32, c: *const vk::BindSparseInfo<'_>, d: vk::Fence) -> vk::Result;
    Pool vkCreateCommandPool(a: vk::Device, b: *const vk::CommandPoolCreateInfo<'_>, c: *const vk::AllocationCallbacks<'_>, d: *mut vk::CommandPool) -> vk::Result;
    Pool vkDestroyCommandPool(a: vk::Device, b: vk::CommandPool, c: *const vk::AllocationCallbacks<'_>);
    Pool vkResetCommandPool(a: vk::Device, b: vk::CommandPool, c: vk::CommandPoolResetFlags) -> vk::Result;
    Pool vkAllocateCommandBuffers(a: vk::Device, b: *const vk::CommandBufferAllocateInfo<'_>, c: *mut vk::CommandBuffer) -> vk::Result;
    Pool vkFreeCommandBuffers(a: vk::Device, b: vk::CommandPool, c: u32, d: *const vk::CommandBuffer);
    Command vkBeginCommandBuffer(a: vk::CommandBuffer, b: *const vk::CommandBufferBeginInfo<'_>) -> vk::Result;
    Command vkEndCommandBuffer(a: vk::CommandBuffer) -> vk::Result;
    Command vkResetCommandBuffer(a: vk::CommandBuffer, b: vk::CommandBufferResetFlags) -> vk::Result;
    Command vkCmdBindPipeline(a: vk::CommandBuffer, b: vk::PipelineBindPoint, c: vk::Pipeline);
    Command vkCmdSetViewport(a: vk::CommandBuffer, b: u32, c: u32, d: *const vk::Viewport);
    Command vkCmdSetScissor(a: vk::CommandBuffer, b: u32, c: u32, d: *const vk::Rect2D);
    Command vkCmdSetLineWidth(a: vk::CommandBuffer, b: f32);
    Command vkCmdSetDepthBias(a: vk::CommandBuffer, b: f32, c: f32, d: f32);
    Command vkCmdSetBlendConstants(a: vk::CommandBuffer, b: *const [f32; 4]);
    Command vkCmdSetDepthBounds(a: vk::CommandBuffer, b: f32, c: f32);
    Command vkCmdSetStencilCompareMask(a: vk::CommandBuffer, b: vk::StencilFaceFlags, c: u32);
    Command vkCmdSetStencilWriteMask(a: vk::CommandBuffer, b: vk::StencilFaceFlags, c: u32);
    Command vkCmdSetStencilReference(a: vk::CommandBuffer, b: vk::StencilFaceFlags, c: u32);
    Command vkCmdBindDescriptorSets(a: vk::CommandBuffer, b: vk::PipelineBindPoint, c: vk::PipelineLayout, d: u32, e: u32, f: *const vk::DescriptorSet, g: u32, h: *const u32);
    Command vkCmdBindIndexBuffer(a: vk::CommandBuffer, b: vk::Buffer, c: vk::DeviceSize, d: vk::IndexType);
    Command vkCmdBindVertexBuffers(a: vk::CommandBuffer, b: u32, c: u32, d: *const vk::Buffer, e: *const vk::DeviceSize);
    Command vkCmdDraw(a: vk::CommandBuffer, b: u32, c: u32, d: u32, e: u32);
    Command vkCmdDrawIndexed(a: vk::CommandBuffer, b: u32, c: u32, d: u32, e: i32, f: u32);
    Command vkCmdDrawIndirect(a: vk::CommandBuffer, b: vk::Buffer, c: vk::DeviceSize, d: u32, e: u32);
    Command vkCmdDrawIndexedIndirect(a: vk::CommandBuffer, b: vk::Buffer, c: vk::DeviceSize, d: u32, e: u32);
    Command vkCmdDispatch(a: vk::CommandBuffer, b: u32, c: u32, d: u32);
    Command vkCmdDispatchIndirect(a: vk::CommandBuffer, b: vk::Buffer, c: vk::DeviceSize);
    Command vkCmdCopyBuffer(a: vk::CommandBuffer, b: vk::Buffer, c: vk::Buffer, d: u32, e: *const vk::BufferCopy);
    Command vkCmdCopyImage(a: vk::CommandBuffer, b: vk::Image, c: vk::ImageLayout, d: vk::Image, e: vk::ImageLayout, f: u32, g: *const vk::ImageCopy);
    Command vkCmdBlitImage(a: vk::CommandBuffer, b: vk::Image, c: vk::ImageLayout, d: vk::Image, e: vk::ImageLayout, f: u32, g: *const vk::ImageBlit, h: vk::Filter);
    Command vkCmdCopyBufferToImage(a: vk::CommandBuffer, b: vk::Buffer, c: vk::Image, d: vk::ImageLayout, e: u32, f: *const vk::BufferImageCopy);
    Command vkCmdCopyImageToBuffer(a: vk::CommandBuffer, b: vk::Image, c: vk::ImageLayout, d: vk::Buffer, e: u32, f: *const vk::BufferImageCopy);
    Command vkCmdUpdateBuffer(a: vk::CommandBuffer, b: vk::Buffer, c: vk::DeviceSize, d: vk::DeviceSize, e: *const c_void);
    Command vkCmdFillBuffer(a: vk::CommandBuffer, b: vk::Buffer, c: vk::DeviceSize, d: vk::DeviceSize, e: u32);
    Command vkCmdClearColorImage(a: vk::CommandBuffer, b: vk::Image, c: vk::ImageLayout, d: *const vk::ClearColorValue, e: u32, f: *const vk::ImageSubresourceRange);
    Command vkCmdClearDepthStencilImage(a: vk::CommandBuffer, b: vk::Image, c: vk::ImageLayout, d: *const vk::ClearDepthStencilValue, e: u32, f: *const vk::ImageSubresourceRange);
    Command vkCmdClearAttachments(a: vk::CommandBuffer, b: u32, c: *const vk::ClearAttachment, d: u32, e: *const vk::ClearRect);
    Command vkCmdResolveImage(a: vk::CommandBuffer, b: vk::Image, c: vk::ImageLayout, d: vk::Image, e: vk::ImageLayout, f: u32, g: *const vk::ImageResolve);
    Command vkCmdSetEvent(a: vk::CommandBuffer, b: vk::Event, c: vk::PipelineStageFlags);
    Command vkCmdResetEvent(a: vk::CommandBuffer, b: vk::Event, c: vk::PipelineStageFlags);
    Command vkCmdWaitEvents(a: vk::CommandBuffer, b: u32, c: *const vk::Event, d: vk::PipelineStageFlags, e: vk::PipelineStageFlags, f: u32, g: *const vk::MemoryBarrier<'_>, h: u32, i: *const vk::BufferMemoryBarrier<'_>, j: u32, k: *const vk::ImageMemoryBarrier<'_>);
    Command vkCmdPipelineBarrier(a: vk::CommandBuffer, b: vk::PipelineStageFlags, c: vk::PipelineStageFlags, d: vk::DependencyFlags, e: u32, f: *const vk::MemoryBarrier<'_>, g: u32, h: *const vk::BufferMemoryBarrier<'_>, i: u32, j: *const vk::ImageMemoryBarrier<'_>);
    Command vkCmdBeginQuery(a: vk::CommandBuffer, b: vk::QueryPool, c: u32, d: vk::QueryControlFlags);
    Command vkCmdEndQuery(a: vk::CommandBuffer, b: vk::QueryPool, c: u32);
    Command vkCmdResetQueryPool(a: vk::CommandBuffer, b: vk::QueryPool, c: u32, d: u32);
    Command vkCmdWriteTimestamp(a: vk::CommandBuffer, b: vk::PipelineStageFlags, c: vk::QueryPool, d: u32);
    Command vkCmdCopyQueryPoolResults(a: vk::CommandBuffer, b: vk::QueryPool, c: u32, d: u32, e: vk::Buffer, f: vk::DeviceSize, g: vk::DeviceSize, h: vk::QueryResultFlags);
    Command vkCmdPushConstants(a: vk::CommandBuffer, b: vk::PipelineLayout, c: vk::ShaderStageFlags, d: u32, e: u32, f: *const c_void);
    Command vkCmdBeginRenderPass(a: vk::CommandBuffer, b: *const vk::RenderPassBeginInfo<'_>, c: vk::SubpassContents);
    Command vkCmdNextSubpass(a: vk::CommandBuffer, b: vk::SubpassContents);
    Command vkCmdEndRenderPass(a: vk::CommandBuffer);
    Command vkCmdExecuteCommands(a: vk::CommandBuffer, b: u32, c: *const vk::CommandBuffer);
    Command vkCmdSetDeviceMask(a: vk::CommandBuffer, b: u32);
    Command vkCmdDispatchBase(a: vk::CommandBuffer, b: u32, c: u32, d: u32, e: u32, f: u32, g: u32);
    Pool vkTrimCommandPool(a: vk::Device, b: vk::CommandPool, c: vk::CommandPoolTrimFlags);
    Command vkCmdDrawIndirectCount(a: vk::CommandBuffer, b: vk::Buffer, c: vk::DeviceSize, d: vk::Buffer, e: vk::DeviceSize, f: u32, g: u32);
    Command vkCmdDrawIndexedIndirectCount(a: vk::CommandBuffer, b: vk::Buffer, c: vk::DeviceSize, d: vk::Buffer, e: vk::DeviceSize, f: u32, g: u32);
    Command vkCmdBeginRenderPass2(a: vk::CommandBuffer, b: *const vk::RenderPassBeginInfo<'_>, c: *const vk::SubpassBeginInfo<'_>);
    Command vkCmdNextSubpass2(a: vk::CommandBuffer, b: *const vk::SubpassBeginInfo<'_>, c: *const vk::SubpassEndInfo<'_>);
    Command vkCmdEndRenderPass2(a: vk::CommandBuffer, b: *const vk::SubpassEndInfo<'_>);
    Command vkCmdSetEvent2(a: vk::CommandBuffer, b: vk::Event, c: *const vk::DependencyInfo<'_>);
    Command vkCmdResetEvent2(a: vk::CommandBuffer, b: vk::Event, c: vk::PipelineStageFlags2);
    Command vkCmdWaitEvents2(a: vk::CommandBuffer, b: u32, c: *const vk::Event, d: *const vk::DependencyInfo<'_>);
    Command vkCmdPipelineBarrier2(a: vk::CommandBuffer, b: *const vk::DependencyInfo<'_>);
    Command vkCmdWriteTimestamp2(a: vk::CommandBuffer, b: vk::PipelineStageFlags2, c: vk::QueryPool, d: u32);
    Queue vkQueueSubmit2(a: vk::Queue, b: u32, c: *const vk::SubmitInfo2<'_>, d: vk::Fence) -> vk::Result;
    Command vkCmdCopyBuffer2(a: vk::CommandBuffer, b: *const vk::CopyBufferInfo2<'_>);
    Command vkCmdCopyImage2(a: vk::CommandBuffer, b: *const vk::CopyImageInfo2<'_>);
    Command vkCmdCopyBufferToImage2(a: vk::CommandBuffer, b: *const vk::CopyBufferToImageInfo2<'_>);
    Command vkCmdCopyImageToBuffer2(a: vk::CommandBuffer, b: *const vk::CopyImageToBufferInfo2<'_>);
    Command vkCmdBlitImage2(a: vk::CommandBuffer, b: *const vk::BlitImageInfo2<'_>);
    Command vkCmdResolveImage2(a: vk::CommandBuffer, b: *const vk::ResolveImageInfo2<'_>);
    Command vkCmdBeginRendering(a: vk::CommandBuffer, b: *const vk::RenderingInfo<'_>);
    Command vkCmdEndRendering(a: vk::CommandBuffer);
    Command vkCmdSetCullMode(a: vk::CommandBuffer, b: vk::CullModeFlags);
    Command vkCmdSetFrontFace(a: vk::CommandBuffer, b: vk::FrontFace);
    Command vkCmdSetPrimitiveTopology(a: vk::CommandBuffer, b: vk::PrimitiveTopology);
    Command vkCmdSetViewportWithCount(a: vk::CommandBuffer, b: u32, c: *const vk::Viewport);
    Command vkCmdSetScissorWithCount(a: vk::CommandBuffer, b: u32, c: *const vk::Rect2D);
    Command vkCmdBindVertexBuffers2(a: vk::CommandBuffer, b: u32, c: u32, d: *const vk::Buffer, e: *const vk::DeviceSize, f: *const vk::DeviceSize, g: *const vk::DeviceSize);
    Command vkCmdSetDepthTestEnable(a: vk::CommandBuffer, b: vk::Bool32);
    Command vkCmdSetDepthWriteEnable(a: vk::CommandBuffer, b: vk::Bool32);
    Command vkCmdSetDepthCompareOp(a: vk::CommandBuffer, b: vk::CompareOp);
    Command vkCmdSetDepthBoundsTestEnable(a: vk::CommandBuffer, b: vk::Bool32);
    Command vkCmdSetStencilTestEnable(a: vk::CommandBuffer, b: vk::Bool32);
    Command vkCmdSetStencilOp(a: vk::CommandBuffer, b: vk::StencilFaceFlags, c: vk::StencilOp, d: vk::StencilOp, e: vk::StencilOp, f: vk::CompareOp);
    Command vkCmdSetRasterizerDiscardEnable(a: vk::CommandBuffer, b: vk::Bool32);
    Command vkCmdSetDepthBiasEnable(a: vk::CommandBuffer, b: vk::Bool32);
    Command vkCmdSetPrimitiveRestartEnable(a: vk::CommandBuffer, b: vk::Bool32);
    Swapchain vkAcquireNextImageKHR(a: vk::Device, b: vk::SwapchainKHR, c: u64, d: vk::Semaphore, e: vk::Fence, f: *mut u32) -> vk::Result;
    Swapchain vkAcquireNextImage2KHR(a: vk::Device, b: *const vk::AcquireNextImageInfoKHR<'_>, c: *mut u32) -> vk::Result;
    Queue vkQueuePresentKHR(a: vk::Queue, b: *const vk::PresentInfoKHR<'_>) -> vk::Result;
}
