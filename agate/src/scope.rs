//! Scopes: who may use an object, and what a message must be there.

use crate::attach::Role;
use crate::error::CreateError;
use crate::handle::{Handle, Limits};
use crate::kind::Kind;
use crate::owner::{Handler, Owner, OwnerOptions};
use crate::queue::{Capacity, Queue};
use crate::stream::{BlockPool, Stream};

/// Who may use an object: a value from which objects are made.
///
/// Sealed: the scopes are agate's own. A function that is generic over `S: Scope` is written once.
///
/// # Examples
///
/// ```
/// use agate::{AttachError, Handle, Kind, Scope};
///
/// /// Attaches twice to an object of any kind, in any scope.
/// fn attach_two<S: Scope, K: Kind<S>>(object: &Handle<K, S>) -> Result<[K::User; 2], AttachError> {
///     Ok([object.attach()?, object.attach()?])
/// }
/// # let queue = agate::Local.queue::<u8>(agate::Limits::default(), agate::Capacity::Unbounded).unwrap();
/// # assert!(attach_two(&queue).is_ok());
/// ```
pub trait Scope: sealed::Sealed + Copy + std::fmt::Debug + 'static {}

/// The threads of one process.
///
/// Exists so that the same code can be written for other scopes: objects are made by methods of a scope value.
///
/// # Examples
///
/// ```
/// use agate::{Capacity, Limits, Local};
///
/// let orders = Local.queue::<u32>(Limits::senders(8), Capacity::bounded(16))?;
/// let sender = orders.attach_sender()?;
/// let mut receiver = orders.attach_receiver()?;
/// sender.try_send(7)?;
/// assert_eq!(receiver.drain().next(), Some(7));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Local;

impl Scope for Local {}

impl Local {
    /// Makes a queue of messages of type `T`.
    ///
    /// # Errors
    ///
    /// [`CreateError::ZeroCapacity`] for [`Capacity::Bounded`]`(0)`; [`CreateError::TooLarge`].
    ///
    /// # Progress
    ///
    /// Allocates; asks the kernel for its barrier.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Capacity, Limits, Local};
    ///
    /// let lines = Local.queue::<String>(Limits::senders(2), Capacity::bounded(128))?;
    /// lines.attach_sender()?.try_send("hello".into())?;
    /// assert_eq!(lines.attach_receiver()?.try_recv()?, "hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn queue<T: Send + 'static>(
        &self,
        limits: Limits,
        capacity: Capacity,
    ) -> Result<Handle<Queue<T>>, CreateError> {
        // Lanes are drained by one receiver at a time.
        let receivers = limits.of(Role::Receiver).min(1);
        Ok(self.install(limits.receivers(receivers), Queue::new(capacity)?))
    }

    /// Makes a stream of byte messages, whose blocks come from `pool`.
    ///
    /// # Examples
    ///
    /// See [`Stream`].
    #[must_use]
    pub fn stream(&self, limits: Limits, pool: &BlockPool) -> Handle<Stream> {
        let blocks = self.install(Limits::none(), Queue::unbounded());
        let receivers = limits.of(Role::Receiver).min(1);
        self.install(limits.receivers(receivers), Stream::new(blocks, pool))
    }

    /// Makes an owner: a thread named `name` that alone calls `handler`, once for each message.
    ///
    /// # Errors
    ///
    /// [`CreateError::Thread`] when the system refuses the thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Handler, Local, Pending};
    /// use std::time::Duration;
    ///
    /// struct Sum(u64);
    /// impl Handler for Sum {
    ///     type Message = u64;
    ///     fn handle(&mut self, n: u64) {
    ///         self.0 += n;
    ///     }
    /// }
    ///
    /// let sum = Local.owner("sum", Sum(0))?;
    /// sum.attach()?.send(3)?;
    /// assert_eq!(sum.shutdown(Pending::Drain, Duration::from_secs(10))?.handled, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn owner<H: Handler + Send>(
        &self,
        name: &str,
        handler: H,
    ) -> Result<Owner<H>, CreateError> {
        self.owner_with(OwnerOptions::named(name), move || handler)
    }

    /// Makes an owner whose handler is made on the owner's own thread, so that it need not be [`Send`].
    ///
    /// # Errors
    ///
    /// [`CreateError::Thread`] when the system refuses the thread.
    ///
    /// # Examples
    ///
    /// See [`Handler`].
    pub fn owner_with<H, F>(&self, options: OwnerOptions, make: F) -> Result<Owner<H>, CreateError>
    where
        H: Handler,
        F: FnOnce() -> H + Send + 'static,
    {
        Owner::spawn(options, make)
    }

    /// Installs an object of any kind, the user's own kinds too (see [`Kind`]).
    pub fn install<K: Kind<Self> + Send + Sync>(&self, limits: Limits, object: K) -> Handle<K> {
        Handle::new(*self, limits, object)
    }
}

pub(crate) mod sealed {
    use super::Local;
    use crate::sync::Arc;
    use std::ops::Deref;

    /// What the crate itself needs of a scope: how its users share one object.
    pub trait Sealed {
        /// A shared reference that keeps the object alive.
        type Ref<T: 'static>: Clone + Deref<Target = T>;

        /// Moves an object to where its users share it.
        fn share<T: 'static>(self, value: T) -> Self::Ref<T>;
    }

    impl Sealed for Local {
        type Ref<T: 'static> = Arc<T>;

        fn share<T: 'static>(self, value: T) -> Arc<T> {
            Arc::new(value)
        }
    }
}
