//! Atomics, cells, threads: those of std, or loom's under `cfg(loom)`. All other files take them from here.

#[cfg(not(loom))]
pub(crate) use std::{
    hint::spin_loop,
    sync::{Arc, atomic},
    thread, thread_local,
};

#[cfg(all(not(loom), not(target_os = "linux")))]
pub(crate) use std::sync::Mutex;

#[cfg(loom)]
pub(crate) use loom::{
    cell,
    hint::spin_loop,
    sync::{Arc, Mutex, atomic},
    thread, thread_local,
};

/// Cells with the interface of loom's, at no cost.
#[cfg(not(loom))]
pub(crate) mod cell {
    /// [`std::cell::UnsafeCell`], reached through closures so that loom can watch the accesses.
    #[derive(Debug)]
    #[repr(transparent)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        #[inline(always)]
        pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        #[inline(always)]
        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

/// A value in cache lines of its own: 128 bytes, because lines are fetched in pairs.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Line<T>(pub(crate) T);

impl<T> std::ops::Deref for Line<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}
