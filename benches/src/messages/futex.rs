//! The kernel's part of sleeping, as plainly as it can be used: the base of what is measured against agate's waiting.
#![allow(unsafe_code, reason = "futex and membarrier are system calls")]

use std::sync::atomic::{AtomicU32, Ordering, compiler_fence, fence};

const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

/// Sleeps while the word is `expected`; may return at any time.
pub fn sleep(word: &AtomicU32, expected: u32) {
    let wait = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    let no_limit = std::ptr::null::<libc::timespec>();
    // SAFETY: the word lives for the whole call, and the kernel only reads it.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), wait, expected, no_limit) };
}

/// Wakes one that sleeps on the word.
pub fn wake(word: &AtomicU32) {
    let wake = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the kernel uses the word's address only as a key.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), wake, 1) };
}

/// How a sender that publishes and then looks, and a sleeper that announces itself and then looks, do not miss each other.
#[derive(Clone, Copy, Debug)]
pub enum Barrier {
    /// The sleeper has the kernel put a barrier on all processors; the sender does nothing.
    Membarrier,
    /// Both put a fence.
    Fence,
}

impl Barrier {
    /// The best that the kernel grants.
    pub fn choose() -> Self {
        // SAFETY: takes integers only.
        let granted =
            unsafe { libc::syscall(libc::SYS_membarrier, REGISTER_PRIVATE_EXPEDITED, 0, 0) } == 0;
        if granted {
            Self::Membarrier
        } else {
            Self::Fence
        }
    }

    /// The sender's half.
    #[inline(always)]
    pub fn light(self) {
        match self {
            Self::Membarrier => compiler_fence(Ordering::SeqCst),
            Self::Fence => fence(Ordering::SeqCst),
        }
    }

    /// The sleeper's half.
    pub fn heavy(self) {
        match self {
            Self::Membarrier => {
                // SAFETY: takes integers only.
                unsafe { libc::syscall(libc::SYS_membarrier, PRIVATE_EXPEDITED, 0, 0) };
            }
            Self::Fence => fence(Ordering::SeqCst),
        }
    }
}
