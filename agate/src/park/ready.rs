//! What a waiter looks for.

/// Tells whether a wait is over. A function that says so is one.
pub trait Ready {
    /// Whether the wait is over.
    fn is_over(&self) -> bool;

    /// Looks at what most waits end with, and nothing else: while a waiter spins, most of its looks are of this kind.
    /// `true` only if the wait is over.
    #[inline(always)]
    fn is_likely_over(&self) -> bool {
        self.is_over()
    }
}

impl<F: Fn() -> bool> Ready for F {
    #[inline(always)]
    fn is_over(&self) -> bool {
        self()
    }
}

/// A quick look, and a thorough one.
pub(crate) struct Looks<Q, T> {
    pub(crate) quick: Q,
    pub(crate) thorough: T,
}

impl<Q: Fn() -> bool, T: Fn() -> bool> Ready for Looks<Q, T> {
    #[inline(always)]
    fn is_over(&self) -> bool {
        (self.thorough)()
    }

    #[inline(always)]
    fn is_likely_over(&self) -> bool {
        (self.quick)()
    }
}
