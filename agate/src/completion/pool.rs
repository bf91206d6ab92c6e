//! Pools of completions: slots that are recycled.

use std::fmt;
use std::ptr::NonNull;

use crate::completion::slot::{Pool, Slot};
use crate::completion::{Completion, Resolver, completion, ends};
use crate::freelist::FreeList;
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use crate::table::Table;

/// A pool of completions of one type: pairs from it allocate nothing once it is warm.
///
/// # Examples
///
/// ```
/// use agate::CompletionPool;
///
/// let answers = CompletionPool::<u32>::new();
/// let (resolver, mut completion) = answers.pair();
/// resolver.resolve(7);
/// assert_eq!(completion.poll(), Some(Ok(7)));
/// ```
pub struct CompletionPool<T> {
    pool: Arc<Pool<T>>,
}

impl<T: Send + 'static> CompletionPool<T> {
    /// Makes an empty pool.
    #[must_use]
    pub fn new() -> Self {
        Self {
            pool: Arc::new(Pool {
                slots: Table::new(),
                free: FreeList::new(),
            }),
        }
    }

    /// Makes the two ends of one answer, in a slot that comes back to the pool when both are gone.
    ///
    /// # Progress
    ///
    /// Lock-free; allocates only when more pairs are in use than ever before.
    pub fn pair(&self) -> (Resolver<T>, Completion<T>) {
        let index = self
            .pool
            .free
            .pop(&self.pool.slots)
            .map(|index| index as usize);
        let Some(index) = index.or_else(|| self.pool.slots.reserve()) else {
            return completion();
        };
        let slot = self.pool.slots.ensure(index, Slot::new);
        slot.state.store(0, Ordering::Relaxed);
        slot.pool.store(
            Arc::into_raw(Arc::clone(&self.pool)).cast_mut(),
            Ordering::Relaxed,
        );
        ends(NonNull::from(slot))
    }
}

impl<T: Send + 'static> Default for CompletionPool<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for CompletionPool<T> {
    fn clone(&self) -> Self {
        Self {
            pool: Arc::clone(&self.pool),
        }
    }
}

impl<T> fmt::Debug for CompletionPool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompletionPool")
            .field("slots", &self.pool.slots.len())
            .finish()
    }
}
