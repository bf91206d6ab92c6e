//! Whom a port helps: a list to which any thread adds without waiting, and from which the port alone takes.
//!
//! # Invariants
//!
//! - L1: a node on the list was a box, is on the list once, and is not changed. It leaves only by `clear`, with `&mut`: so
//!   through `&Helpers`, and with `&mut` until then, all nodes from the head down are alive.
#![allow(unsafe_code, reason = "nodes of a list that many threads add to, L1")]

use std::ptr;

use crate::completion::help::{Helped, Helper};
use crate::scope::{Local, Scope};
use crate::sync::atomic::Ordering;
use crate::words::Word;

struct Node<S: Scope> {
    helper: Helper<S>,
    below: *mut Node<S>,
    /// How many nodes there are from this one down.
    depth: usize,
}

/// Helpers, each once.
pub(crate) struct Helpers<S: Scope> {
    head: S::Ptr<Node<S>>,
}

// SAFETY: by L1 nodes are shared and not changed, and what they hold is `Send` and `Sync` in this scope.
unsafe impl Send for Helpers<Local> {}
// SAFETY: as above.
unsafe impl Sync for Helpers<Local> {}

impl<S: Scope> Helpers<S> {
    pub(crate) fn new() -> Self {
        Self {
            head: S::Ptr::new(ptr::null_mut()),
        }
    }

    /// Adds a helper, unless it is there. Lock-free; allocates if it is not there.
    pub(crate) fn add(&self, helper: Helper<S>) {
        let mut head = self.head.load(Ordering::Acquire);
        // SAFETY: L1: the head and what is below it.
        if unsafe { has(head, ptr::null_mut(), &helper) } {
            return;
        }
        let node = Box::into_raw(Box::new(Node {
            helper,
            below: head,
            depth: 0,
        }));
        loop {
            // SAFETY: L1: the head is alive, where there is one.
            let depth = unsafe { head.as_ref() }.map_or(0, |below| below.depth);
            // SAFETY: the node is ours alone until it is on the list.
            let new = unsafe { &mut *node };
            new.depth = depth + 1;
            let known = std::mem::replace(&mut new.below, head);
            // SAFETY: L1; what was there at the first look was looked at.
            if unsafe { has(head, known, &new.helper) } {
                break;
            }
            match self
                .head
                .compare_exchange(head, node, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
        // SAFETY: it came from a box, and did not get on the list.
        drop(unsafe { Box::from_raw(node) });
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        // SAFETY: L1.
        unsafe { self.head.load(Ordering::Acquire).as_ref() }.map_or(0, |head| head.depth)
    }

    /// Helps each once.
    pub(crate) fn help(&mut self) -> Option<Helped> {
        let mut at = self.head.load(Ordering::Acquire);
        Helped::any(std::iter::from_fn(|| {
            // SAFETY: L1; nobody clears the list while it is borrowed.
            let node = unsafe { at.as_ref() }?;
            at = node.below;
            Some(node.helper.help())
        }))
    }

    /// Lets all of them go.
    pub(crate) fn clear(&mut self) {
        let mut at = self.head.swap(ptr::null_mut(), Ordering::Acquire);
        while !at.is_null() {
            // SAFETY: L1: it was taken off the list, where it was once.
            let node = unsafe { Box::from_raw(at) };
            at = node.below;
        }
    }
}

/// Whether the helper is on the list from `at` down to `end`, which is not looked at.
///
/// # Safety
///
/// L1: `at` is null or a node of a list that is borrowed.
unsafe fn has<S: Scope>(mut at: *mut Node<S>, end: *mut Node<S>, helper: &Helper<S>) -> bool {
    while at != end {
        // SAFETY: as the caller promises.
        let Some(node) = (unsafe { at.as_ref() }) else {
            return false;
        };
        if node.helper.is_same(helper) {
            return true;
        }
        at = node.below;
    }
    false
}

impl<S: Scope> Drop for Helpers<S> {
    fn drop(&mut self) {
        self.clear();
    }
}
