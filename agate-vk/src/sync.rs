//! Atomics and cells: those of std, or loom's under `cfg(loom)`. The files whose protocols have models take them from here.

#[cfg(not(loom))]
pub(crate) use std::sync::atomic;

#[cfg(loom)]
pub(crate) use loom::{cell, sync::atomic};

/// A cell with the interface of loom's, at no cost.
#[cfg(not(loom))]
pub(crate) mod cell {
    /// [`std::cell::UnsafeCell`], reached through closures so that loom can watch the accesses.
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
