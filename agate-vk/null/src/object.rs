//! The objects behind the handles.
//!
//! # Invariants
//!
//! - O1: a handle is the address of an object that was made with `Box::into_raw` and is listed in its device, which frees it
//!   when it is destroyed (a checked device: when the device goes), and not before.
//! - O2: an object is only ever used by shared reference; what changes in it is atomic or behind a mutex.
//! - O3: the device of an object outlives it.

#![allow(unsafe_code, reason = "handles are addresses")]

use crate::check::{Rule, User};
use crate::device::{Inner, lock};
use crate::simulate::Ring;
use crate::sink::Sink;
use ash::vk::{self, Handle};
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// One `vkCmd*` with its arguments; arrays and structures are copied into `words`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The function.
    pub name: &'static str,
    /// Its arguments, without the command buffer.
    pub words: Vec<u64>,
}

impl Sink for Vec<u64> {
    fn word(&mut self, word: u64) {
        self.push(word);
    }
}

/// An object that a handle leads to.
pub(crate) trait Object: Sized {
    type Handle: Handle + Copy;

    fn dead(&self) -> &AtomicBool;

    /// The object of a handle.
    ///
    /// # Safety
    ///
    /// A handle of this kind from a device of this crate that lives (O1).
    #[inline(always)]
    unsafe fn of<'a>(handle: Self::Handle) -> &'a Self {
        let address = handle.as_raw() as usize;
        // SAFETY: O1, O2.
        unsafe { &*std::ptr::with_exposed_provenance::<Self>(address) }
    }
}

/// A command pool.
#[repr(align(128))]
pub(crate) struct Pool {
    pub(crate) ring: Ring,
    pub(crate) user: User,
    pub(crate) pending: AtomicU32,
    pub(crate) dead: AtomicBool,
    pub(crate) resets_single: bool,
    pub(crate) family: u32,
    pub(crate) buffers: Mutex<HashSet<usize>>,
}

impl Object for Pool {
    type Handle = vk::CommandPool;

    fn dead(&self) -> &AtomicBool {
        &self.dead
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Initial,
    Recording,
    Executable,
    Invalid,
}

pub(crate) struct Recorded {
    pub(crate) stage: Stage,
    pub(crate) one_time: bool,
    pub(crate) pending: u32,
    pub(crate) calls: Vec<Call>,
    /// The secondary command buffers that it executes.
    pub(crate) executes: Vec<vk::CommandBuffer>,
}

const EXECUTE: &str = "vkCmdExecuteCommands";

/// A command buffer.
#[repr(align(128))]
pub(crate) struct Buffer {
    pub(crate) pool: vk::CommandPool,
    pub(crate) device: vk::Device,
    pub(crate) dead: AtomicBool,
    pub(crate) secondary: bool,
    pub(crate) recorded: Mutex<Recorded>,
}

impl Object for Buffer {
    type Handle = vk::CommandBuffer;

    fn dead(&self) -> &AtomicBool {
        &self.dead
    }
}

impl Buffer {
    #[inline(always)]
    pub(crate) fn pool(&self) -> &Pool {
        // SAFETY: O1: a pool goes after its buffers.
        unsafe { Pool::of(self.pool) }
    }

    #[inline(always)]
    pub(crate) fn device(&self) -> &Inner {
        // SAFETY: O3.
        unsafe { Inner::of(self.device) }
    }

    /// Looks at a command, and keeps it.
    pub(crate) fn observe(&self, name: &'static str, copy: impl FnOnce(&mut Vec<u64>)) {
        let device = self.device();
        let _inside = self.pool().user.enter(device, name);
        device.called(name);
        device.alive(self, name);
        let mut words = Vec::new();
        let executes = name == EXECUTE;
        if device.options.capture || executes {
            copy(&mut words);
        }
        let secondaries = if executes {
            self.secondaries(&words)
        } else {
            Vec::new()
        };
        let mut recorded = lock(&self.recorded);
        if recorded.stage != Stage::Recording {
            device.violation(name, Rule::NotRecording);
        }
        recorded.executes.extend(secondaries);
        if device.options.capture {
            recorded.calls.push(Call { name, words });
        }
    }

    /// The secondary command buffers among the arguments of `EXECUTE`, those that are none reported. Addresses that are no
    /// command buffers are left alone.
    fn secondaries(&self, words: &[u64]) -> Vec<vk::CommandBuffer> {
        let device = self.device();
        // A count, whether there are any, and the handles.
        let handles = words.iter().skip(2);
        let mut handles: Vec<_> = handles
            .map(|word| vk::CommandBuffer::from_raw(*word))
            .collect();
        let objects = lock(&device.objects);
        handles.retain(|handle| objects.buffers.knows(*handle));
        drop(objects);
        handles.retain(|handle| {
            // SAFETY: O1: it is or was listed, and the objects of a checked device keep their memory.
            let secondary = unsafe { Self::of(*handle) };
            device.alive(secondary, EXECUTE);
            if !secondary.secondary {
                device.violation(EXECUTE, Rule::NotSecondary);
                return false;
            }
            let recorded = lock(&secondary.recorded);
            if recorded.pending > 0 && recorded.one_time {
                device.violation(EXECUTE, Rule::BufferPending);
            } else if recorded.stage != Stage::Executable {
                device.violation(EXECUTE, Rule::NotExecutable);
            }
            true
        });
        handles
    }

    pub(crate) fn reset(&self) {
        let mut recorded = lock(&self.recorded);
        recorded.stage = Stage::Initial;
        recorded.calls.clear();
        recorded.executes.clear();
    }
}

/// A semaphore, of either type.
pub(crate) struct Semaphore {
    pub(crate) timeline: bool,
    /// Of a timeline.
    pub(crate) value: AtomicU64,
    /// Of a timeline: the greatest value that a submission signals.
    pub(crate) promised: AtomicU64,
    /// Of a binary semaphore: something signals it or has signalled it, and nothing has waited for that.
    pub(crate) signalled: AtomicBool,
    /// Pending submissions that use it.
    pub(crate) uses: AtomicU32,
    pub(crate) dead: AtomicBool,
}

impl Object for Semaphore {
    type Handle = vk::Semaphore;

    fn dead(&self) -> &AtomicBool {
        &self.dead
    }
}

/// The objects of one kind that a device has made.
pub(crate) struct List<T> {
    alive: HashSet<usize>,
    dead: Vec<usize>,
    kind: std::marker::PhantomData<fn(T) -> T>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self {
            alive: HashSet::new(),
            dead: Vec::new(),
            kind: std::marker::PhantomData,
        }
    }
}

impl<T: Object> List<T> {
    pub(crate) fn len(&self) -> usize {
        self.alive.len()
    }

    pub(crate) fn handles(&self) -> impl Iterator<Item = T::Handle> + '_ {
        self.alive.iter().map(|a| T::Handle::from_raw(*a as u64))
    }

    /// Whether it is alive, or was and has kept its memory.
    pub(crate) fn knows(&self, handle: T::Handle) -> bool {
        let address = handle.as_raw() as usize;
        self.alive.contains(&address) || self.dead.contains(&address)
    }

    pub(crate) fn make(&mut self, object: T) -> T::Handle {
        let address = Box::into_raw(Box::new(object)).expose_provenance();
        self.alive.insert(address);
        T::Handle::from_raw(address as u64)
    }

    /// The object goes; it keeps its memory if `keep`. Whether it was there.
    pub(crate) fn remove(&mut self, handle: T::Handle, keep: bool) -> bool {
        let address = handle.as_raw() as usize;
        if !self.alive.remove(&address) {
            return false;
        }
        if keep {
            // SAFETY: O1: it was listed as alive.
            let object = unsafe { T::of(handle) };
            object.dead().store(true, Ordering::Release);
            self.dead.push(address);
        } else {
            free::<T>(address);
        }
        true
    }
}

impl<T> Drop for List<T> {
    fn drop(&mut self) {
        for address in self.alive.drain().chain(self.dead.drain(..)) {
            free::<T>(address);
        }
    }
}

fn free<T>(address: usize) {
    let pointer = std::ptr::with_exposed_provenance_mut::<T>(address);
    // SAFETY: O1: made by `Box::into_raw`, taken off its list by the caller.
    drop(unsafe { Box::from_raw(pointer) });
}
