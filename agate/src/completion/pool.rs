//! Pools of completions: slots that are recycled.

use std::fmt;
use std::ptr::NonNull;

use crate::completion::slot::{Pool, Slot};
use crate::completion::{Completion, Resolver, completion, ends};
use crate::error::OutOfCompletions;
use crate::freelist::FreeList;
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use crate::table::{MAX, Table};

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
    /// Makes an empty pool that grows as needed.
    #[must_use]
    pub fn new() -> Self {
        Self::of(MAX)
    }

    /// Makes a pool of so many completions (8 million at most), whose memory is there from the start.
    ///
    /// So [`try_pair`](Self::try_pair) never allocates: who submits an operation has the storage for its answer, or is
    /// told before it begins that there is none.
    ///
    /// # Progress
    ///
    /// Allocates.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        let pool = Self::of(limit.min(MAX));
        for index in 0..pool.pool.limit {
            pool.pool.slots.ensure(index, Slot::new);
        }
        pool
    }

    fn of(limit: usize) -> Self {
        Self {
            pool: Arc::new(Pool {
                slots: Table::new(),
                free: FreeList::new(),
                limit,
            }),
        }
    }

    /// Makes the two ends of one answer, in a slot that comes back to the pool when both are gone. Beyond the pool's
    /// limit, in memory of their own.
    ///
    /// # Progress
    ///
    /// Lock-free; allocates only when more pairs are in use than ever before, or than the limit allows.
    pub fn pair(&self) -> (Resolver<T>, Completion<T>) {
        self.try_pair().unwrap_or_else(|_| completion())
    }

    /// As [`pair`](Self::pair), but keeps to the pool's limit. A pair is in use until both ends are gone.
    ///
    /// # Errors
    ///
    /// [`OutOfCompletions`] when as many pairs are in use as the limit allows.
    ///
    /// # Progress
    ///
    /// Lock-free. In a pool [with a limit](Self::with_limit) it never allocates.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{CompletionPool, OutOfCompletions};
    ///
    /// let answers = CompletionPool::<u32>::with_limit(1);
    /// let pair = answers.try_pair()?;
    /// assert_eq!(answers.try_pair().unwrap_err(), OutOfCompletions { limit: 1 });
    /// drop(pair);
    /// assert!(answers.try_pair().is_ok());
    /// # Ok::<(), OutOfCompletions>(())
    /// ```
    pub fn try_pair(&self) -> Result<(Resolver<T>, Completion<T>), OutOfCompletions> {
        let Pool { slots, free, limit } = &*self.pool;
        let index = free.pop(slots).map(|index| index as usize);
        let Some(index) = index.or_else(|| slots.reserve_below(*limit)) else {
            return Err(OutOfCompletions { limit: *limit });
        };
        let slot = slots.ensure(index, Slot::new);
        slot.renew();
        slot.pool.store(
            Arc::into_raw(Arc::clone(&self.pool)).cast_mut(),
            Ordering::Relaxed,
        );
        Ok(ends(NonNull::from(slot)))
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
