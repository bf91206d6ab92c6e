//! Atomics, cells, threads: those of std, or loom's under `cfg(loom)`, or shuttle's under `cfg(shuttle)`. All other files
//! take them from here.

#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::{
    hint::spin_loop,
    sync::{Arc, atomic},
    thread,
};

#[cfg(not(any(loom, shuttle, target_os = "linux")))]
pub(crate) use std::sync::{Condvar, Mutex};

#[cfg(loom)]
pub(crate) use loom::{
    cell,
    hint::spin_loop,
    sync::{Arc, Condvar, Mutex, atomic},
    thread,
};

#[cfg(shuttle)]
pub(crate) use shuttle::{
    hint::spin_loop,
    sync::{Arc, Condvar, Mutex, atomic},
    thread,
};

/// The threads of owners, which loom does not model.
#[cfg(not(shuttle))]
pub(crate) use std::thread as owner_thread;

#[cfg(shuttle)]
pub(crate) use shuttle::thread as owner_thread;

/// Whether a thread has ended. Shuttle does not say; joining one there comes to the same.
#[cfg(not(shuttle))]
pub(crate) fn has_ended<T>(thread: &owner_thread::JoinHandle<T>) -> bool {
    thread.is_finished()
}

#[cfg(shuttle)]
pub(crate) fn has_ended<T>(_: &owner_thread::JoinHandle<T>) -> bool {
    true
}

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

/// Variables of each thread, initialised by constants, without destructors.
macro_rules! per_thread {
    ($($vis:vis static $name:ident: $type:ty = $init:expr;)*) => {
        #[cfg(not(any(loom, shuttle)))]
        std::thread_local! { $($vis static $name: $type = const { $init };)* }
        #[cfg(loom)]
        loom::thread_local! { $($vis static $name: $type = $init;)* }
        #[cfg(shuttle)]
        shuttle::thread_local! { $($vis static $name: $type = $init;)* }
    };
}
pub(crate) use per_thread;
