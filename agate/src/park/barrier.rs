//! What keeps a waiter's store and load in order against a sender's.

#[cfg(all(target_os = "linux", not(any(loom, shuttle, miri))))]
use crate::park::linux;
use crate::sync::atomic::{Ordering, fence};

/// How it is done; chosen once for each bell, never switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Barrier {
    /// Both sides run a full fence.
    Fence,
    /// The mutant that loses wake-ups, for the model that proves that the fence is needed.
    #[cfg(all(test, loom))]
    Missing,
    /// The waiter has the kernel run a barrier on every core where this process runs; the sender runs none.
    #[cfg(all(target_os = "linux", not(any(loom, shuttle, miri))))]
    Membarrier,
}

impl Barrier {
    pub(super) fn choose() -> Self {
        #[cfg(all(target_os = "linux", not(any(loom, shuttle, miri))))]
        if linux::register_membarrier() {
            return Self::Membarrier;
        }
        Self::Fence
    }

    /// The sender's half, between publishing and looking.
    #[inline(always)]
    pub(super) fn light(self) {
        match self {
            Self::Fence => fence(Ordering::SeqCst),
            #[cfg(all(test, loom))]
            Self::Missing => {}
            #[cfg(all(target_os = "linux", not(any(loom, shuttle, miri))))]
            Self::Membarrier => std::sync::atomic::compiler_fence(Ordering::SeqCst),
        }
    }

    /// The waiter's half, between announcing and looking. `false` when the kernel failed to do it.
    pub(super) fn heavy(self) -> bool {
        match self {
            Self::Fence => {
                fence(Ordering::SeqCst);
                true
            }
            #[cfg(all(test, loom))]
            Self::Missing => true,
            #[cfg(all(target_os = "linux", not(any(loom, shuttle, miri))))]
            Self::Membarrier => linux::membarrier(),
        }
    }
}
