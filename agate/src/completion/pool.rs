//! Pools of completions: slots that are recycled.

use std::fmt;
use std::ptr::NonNull;

use crate::completion::slot::{Pool, Slot, boxed};
use crate::completion::{Completion, Resolver, ends};
use crate::counted::Counted;
use crate::error::{CreateError, OutOfCompletions};
use crate::freelist::FreeList;
use crate::scope::{Local, Scope};
use crate::sync::atomic::Ordering;
use crate::table::{MAX, Table};
use crate::words::Word;

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
pub struct CompletionPool<T, S: Scope = Local> {
    pool: S::Ref<Pool<T, S>>,
}

impl<T: Send + 'static> CompletionPool<T> {
    /// Makes an empty pool that grows as needed.
    ///
    /// # Progress
    ///
    /// Allocates.
    #[must_use]
    pub fn new() -> Self {
        Self::of(0, MAX)
    }

    /// Makes a pool of so many completions, whose memory is there from the start.
    ///
    /// So [`try_pair`](Self::try_pair) never allocates: who submits an operation has the storage for its answer, or is
    /// told before it begins that there is none.
    ///
    /// # Errors
    ///
    /// [`CreateError::TooLarge`] for a limit of more than [`MAX_LIMIT`](Self::MAX_LIMIT).
    ///
    /// # Progress
    ///
    /// Allocates.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{CompletionPool, CreateError};
    ///
    /// let answers = CompletionPool::<u32>::with_limit(64)?;
    /// assert!(answers.try_pair().is_ok());
    /// let refused = CompletionPool::<u32>::with_limit(usize::MAX);
    /// assert!(matches!(refused, Err(CreateError::TooLarge)));
    /// # Ok::<(), CreateError>(())
    /// ```
    pub fn with_limit(limit: usize) -> Result<Self, CreateError> {
        Self::make(Some(limit))
    }
}

impl<T, S: Scope> CompletionPool<T, S> {
    /// The most that a pool can hold, and the limit of one that has none: 8 million. Beyond it
    /// [`pair`](Self::pair) goes on in memory of its own.
    pub const MAX_LIMIT: usize = MAX;

    /// A pool without a limit, or one that has the memory for so many.
    pub(crate) fn make(limit: Option<usize>) -> Result<Self, CreateError> {
        match limit {
            None => Ok(Self::of(0, MAX)),
            Some(limit) if limit <= MAX => Ok(Self::of(limit, limit)),
            Some(_) => Err(CreateError::TooLarge),
        }
    }

    /// A pool that has the memory for so many, and may have so many.
    fn of(there: usize, limit: usize) -> Self {
        let slots = Table::new();
        for index in 0..there {
            slots.ensure(index, Slot::new);
        }
        Self {
            pool: S::Ref::new(Pool {
                slots,
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
    pub fn pair(&self) -> (Resolver<T, S>, Completion<T, S>) {
        self.try_pair().unwrap_or_else(|_| ends(boxed()))
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
    /// let answers = CompletionPool::<u32>::with_limit(1)?;
    /// let pair = answers.try_pair()?;
    /// assert_eq!(answers.try_pair().unwrap_err(), OutOfCompletions { limit: 1 });
    /// drop(pair);
    /// assert!(answers.try_pair().is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[allow(clippy::type_complexity, reason = "two ends, or none")]
    pub fn try_pair(&self) -> Result<(Resolver<T, S>, Completion<T, S>), OutOfCompletions> {
        let Pool { slots, free, limit } = &*self.pool;
        let index = free.pop(slots).map(|index| index as usize);
        let Some(index) = index.or_else(|| slots.reserve_below(*limit)) else {
            return Err(OutOfCompletions { limit: *limit });
        };
        let slot = slots.ensure(index, Slot::new);
        slot.renew();
        slot.pool.store(
            S::Ref::into_raw(self.pool.clone()).cast_mut(),
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

impl<T, S: Scope> Clone for CompletionPool<T, S> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
        }
    }
}

impl<T, S: Scope> fmt::Debug for CompletionPool<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompletionPool")
            .field("slots", &self.pool.slots.len())
            .finish()
    }
}
