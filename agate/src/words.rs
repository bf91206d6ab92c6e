//! Words that the users of an object share: atomics between threads, plain cells within one.

use std::cell::Cell;
use std::fmt::{self, Debug};

use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// A word with the methods of the standard library's atomics. The orderings mean what they mean there; a cell, which
/// one thread alone sees, ignores them.
#[allow(
    unreachable_pub,
    reason = "what a scope is built of, named by its sealed trait; rustc 1.85 does not see that"
)]
pub trait Word: Debug {
    /// What the word holds.
    type Value: Copy;

    fn new(value: Self::Value) -> Self;
    fn load(&self, order: Ordering) -> Self::Value;
    fn store(&self, value: Self::Value, order: Ordering);
    fn swap(&self, value: Self::Value, order: Ordering) -> Self::Value;
    fn compare_exchange(
        &self,
        current: Self::Value,
        new: Self::Value,
        success: Ordering,
        failure: Ordering,
    ) -> Result<Self::Value, Self::Value>;
}

/// A word that counts or holds bits.
#[allow(
    unreachable_pub,
    reason = "what a scope is built of, named by its sealed trait; rustc 1.85 does not see that"
)]
pub trait Number: Word {
    fn compare_exchange_weak(
        &self,
        current: Self::Value,
        new: Self::Value,
        success: Ordering,
        failure: Ordering,
    ) -> Result<Self::Value, Self::Value>;
    fn fetch_add(&self, value: Self::Value, order: Ordering) -> Self::Value;
    fn fetch_sub(&self, value: Self::Value, order: Ordering) -> Self::Value;
    fn fetch_or(&self, value: Self::Value, order: Ordering) -> Self::Value;
    fn fetch_and(&self, value: Self::Value, order: Ordering) -> Self::Value;
    fn fetch_max(&self, value: Self::Value, order: Ordering) -> Self::Value;
}

/// A word of one thread.
pub struct Alone<V>(Cell<V>);

impl<V: Copy + Debug> Debug for Alone<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.get().fmt(f)
    }
}

impl<V: Copy + PartialEq + Debug> Word for Alone<V> {
    type Value = V;

    #[inline(always)]
    fn new(value: V) -> Self {
        Self(Cell::new(value))
    }

    #[inline(always)]
    fn load(&self, _: Ordering) -> V {
        self.0.get()
    }

    #[inline(always)]
    fn store(&self, value: V, _: Ordering) {
        self.0.set(value);
    }

    #[inline(always)]
    fn swap(&self, value: V, _: Ordering) -> V {
        self.0.replace(value)
    }

    #[inline(always)]
    fn compare_exchange(&self, current: V, new: V, _: Ordering, _: Ordering) -> Result<V, V> {
        let seen = self.0.get();
        if seen == current {
            self.0.set(new);
            Ok(seen)
        } else {
            Err(seen)
        }
    }
}

macro_rules! word {
    ($value:ty, $atomic:ty $(, $generic:ident)?) => {
        impl$(<$generic>)? Word for $atomic {
            type Value = $value;

            #[inline(always)]
            fn new(value: $value) -> Self {
                <$atomic>::new(value)
            }

            #[inline(always)]
            fn load(&self, order: Ordering) -> $value {
                self.load(order)
            }

            #[inline(always)]
            fn store(&self, value: $value, order: Ordering) {
                self.store(value, order);
            }

            #[inline(always)]
            fn swap(&self, value: $value, order: Ordering) -> $value {
                self.swap(value, order)
            }

            #[inline(always)]
            fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(current, new, success, failure)
            }
        }
    };
}

macro_rules! number {
    ($value:ty, $atomic:ty) => {
        word!($value, $atomic);

        impl Number for $atomic {
            #[inline(always)]
            fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange_weak(current, new, success, failure)
            }

            number!(@fetch $value; fetch_add fetch_sub fetch_or fetch_and fetch_max);
        }

        impl Number for Alone<$value> {
            #[inline(always)]
            fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(current, new, success, failure)
            }

            number!(@alone $value; fetch_add wrapping_add, fetch_sub wrapping_sub, fetch_max max);

            #[inline(always)]
            fn fetch_or(&self, value: $value, _: Ordering) -> $value {
                self.0.replace(self.0.get() | value)
            }

            #[inline(always)]
            fn fetch_and(&self, value: $value, _: Ordering) -> $value {
                self.0.replace(self.0.get() & value)
            }
        }
    };
    (@fetch $value:ty; $($fetch:ident)*) => {
        $(
            #[inline(always)]
            fn $fetch(&self, value: $value, order: Ordering) -> $value {
                self.$fetch(value, order)
            }
        )*
    };
    (@alone $value:ty; $($fetch:ident $plain:ident),*) => {
        $(
            #[inline(always)]
            fn $fetch(&self, value: $value, _: Ordering) -> $value {
                let seen = self.0.get();
                self.0.set(seen.$plain(value));
                seen
            }
        )*
    };
}

word!(bool, AtomicBool);
word!(*mut T, AtomicPtr<T>, T);
number!(u32, AtomicU32);
number!(u64, AtomicU64);
number!(usize, AtomicUsize);
