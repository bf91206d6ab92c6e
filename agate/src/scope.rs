//! Scopes: who may use an object, and what a message must be there.

use std::fmt::Debug;

use crate::attach::Role;
use crate::completion::{Completion, CompletionPool, CompletionPort, Resolver, pair};
use crate::error::CreateError;
use crate::handle::{Handle, Limits};
use crate::kind::Kind;
use crate::owner::{Handler, Owner, OwnerOptions};
use crate::queue::{Capacity, Queue};
use crate::stream::{BlockOptions, BlockPool, Stream};

/// Who may use an object: a value from which objects are made.
///
/// [`Private`] is one thread, [`Local`] the threads of one process. Code that is generic over the scope is written
/// once and runs in each. Sealed: the scopes are agate's own.
///
/// # Examples
///
/// ```
/// use agate::{Capacity, Carries, Limits, Local, Private, Scope};
///
/// /// Sends a message to itself, in any scope.
/// fn echo<S: Scope>(scope: S) -> Result<u32, Box<dyn std::error::Error>>
/// where
///     S: Carries<u32>,
/// {
///     let queue = scope.queue::<u32>(Limits::senders(8), Capacity::bounded(16))?;
///     let sender = queue.attach_sender()?;
///     let mut receiver = queue.attach_receiver()?;
///     sender.try_send(7)?;
///     Ok(receiver.try_recv()?)
/// }
///
/// assert_eq!(echo(Private)?, 7);
/// assert_eq!(echo(Local)?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Scope: sealed::Home + Copy + Debug + 'static {
    /// Makes a queue of messages of type `T`.
    ///
    /// # Errors
    ///
    /// [`CreateError::ZeroCapacity`] for [`Capacity::Bounded`]`(0)`; [`CreateError::TooLarge`].
    ///
    /// # Progress
    ///
    /// Allocates; in [`Local`] it asks the kernel for its barrier.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Capacity, Limits, Local, Scope};
    ///
    /// let lines = Local.queue::<String>(Limits::senders(2), Capacity::bounded(128))?;
    /// lines.attach_sender()?.try_send("hello".into())?;
    /// assert_eq!(lines.attach_receiver()?.try_recv()?, "hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn queue<T: 'static>(
        &self,
        limits: Limits,
        capacity: Capacity,
    ) -> Result<Handle<Queue<T, Self>, Self>, CreateError>
    where
        Self: Carries<T>,
    {
        // Lanes are drained by one receiver at a time.
        let receivers = limits.of(Role::Receiver).min(1);
        Ok(self.install(limits.receivers(receivers), Queue::new(capacity)?))
    }

    /// Makes a stream of byte messages, whose blocks come from `pool`.
    ///
    /// # Examples
    ///
    /// See [`Stream`].
    fn stream(&self, limits: Limits, pool: &BlockPool<Self>) -> Handle<Stream<Self>, Self> {
        let blocks = self.install(Limits::none(), Queue::unbounded());
        let receivers = limits.of(Role::Receiver).min(1);
        self.install(limits.receivers(receivers), Stream::new(blocks, pool))
    }

    /// Makes a pool without blocks; in [`Local`] the same as [`BlockPool::new`].
    ///
    /// # Errors
    ///
    /// As [`BlockPool::new`].
    fn block_pool(&self, options: BlockOptions) -> Result<BlockPool<Self>, CreateError> {
        BlockPool::make(options)
    }

    /// Makes the two ends of one answer; in [`Local`] the same as [`completion`](crate::completion()).
    ///
    /// # Progress
    ///
    /// Allocates.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Private, Scope, WaitError};
    /// use std::time::Duration;
    ///
    /// let (resolver, mut completion) = Private.completion();
    /// let minute = Duration::from_secs(60);
    /// assert_eq!(completion.wait_timeout(minute), Err(WaitError::WouldStall), "nobody else could resolve it");
    /// resolver.resolve(7);
    /// assert_eq!(completion.wait_timeout(minute), Ok(7));
    /// ```
    fn completion<T: 'static>(&self) -> (Resolver<T, Self>, Completion<T, Self>)
    where
        Self: Carries<T>,
    {
        pair()
    }

    /// Makes a pool of completions that grows as needed, or of so many, whose memory is there from the start; in
    /// [`Local`] the same as [`CompletionPool::new`] and [`CompletionPool::with_limit`].
    ///
    /// # Progress
    ///
    /// Allocates.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Private, Scope};
    ///
    /// let answers = Private.completion_pool::<u32>(Some(8));
    /// let (resolver, mut completion) = answers.try_pair()?;
    /// resolver.resolve(7);
    /// assert_eq!(completion.poll(), Some(Ok(7)));
    /// # Ok::<(), agate::OutOfCompletions>(())
    /// ```
    fn completion_pool<T: 'static>(&self, limit: Option<usize>) -> CompletionPool<T, Self>
    where
        Self: Carries<T>,
    {
        CompletionPool::make(limit)
    }

    /// Makes a port where answers arrive, which lets at most so many be watched; in [`Local`] the same as
    /// [`CompletionPort::new`] and [`CompletionPort::with_limit`].
    ///
    /// # Progress
    ///
    /// Allocates; in [`Local`] it asks the kernel for its barrier.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Private, Scope};
    ///
    /// let mut port = Private.completion_port(None);
    /// let (resolver, completion) = Private.completion();
    /// port.watch(completion, 1);
    /// resolver.resolve("done");
    /// assert_eq!(port.wait_next()?.outcome, Ok("done"));
    /// # Ok::<(), agate::NextError>(())
    /// ```
    fn completion_port<T: 'static>(&self, limit: Option<usize>) -> CompletionPort<T, Self>
    where
        Self: Carries<T>,
    {
        CompletionPort::of(limit.unwrap_or(usize::MAX))
    }

    /// Installs an object of any kind, the user's own kinds too (see [`Kind`]).
    fn install<K: Kind<Self>>(&self, limits: Limits, object: K) -> Handle<K, Self> {
        Handle::new(limits, object)
    }
}

/// What a message must be in a scope; implemented for every type that the scope can carry.
///
/// [`Private`] carries every type, [`Local`] every type that may be sent to another thread.
pub trait Carries<T>: Scope {}

/// One thread. Objects in it cost no atomic operation, and cannot leave their thread.
///
/// Nothing can come from elsewhere while the thread waits, so waiting for what is not there returns at once with
/// `WouldStall`.
///
/// # Examples
///
/// ```
/// use agate::{Capacity, Limits, Private, RecvError, Scope};
/// use std::rc::Rc;
///
/// let events = Private.queue::<Rc<str>>(Limits::default(), Capacity::Unbounded)?; // not `Send`: welcome here
/// let sender = events.attach_sender()?;
/// let mut receiver = events.attach_receiver()?;
/// sender.send("clicked".into())?;
/// assert_eq!(&*receiver.wait_recv()?, "clicked");
/// assert_eq!(receiver.wait_recv(), Err(RecvError::WouldStall), "nobody else could send");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Private;

/// The threads of one process.
///
/// # Examples
///
/// ```
/// use agate::{Capacity, Limits, Local, Scope};
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

impl Scope for Private {}
impl Scope for Local {}
impl<T: 'static> Carries<T> for Private {}
impl<T: Send + 'static> Carries<T> for Local {}

impl Local {
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
    pub fn owner<H: Handler + Send>(&self, name: &str, handler: H) -> Result<Owner<H>, CreateError>
    where
        H::Message: Send,
    {
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
        H::Message: Send,
        F: FnOnce() -> H + Send + 'static,
    {
        Owner::spawn(options, make)
    }
}

pub(crate) mod sealed {
    use std::marker::PhantomData;
    use std::rc::Rc;

    use super::{Local, Private};
    use crate::counted::Counted;
    use crate::park::{Alone as Quiet, Bell, Doorbell};
    use crate::sync::Arc;
    use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};
    use crate::words::{Alone, Number, Word};

    /// What the crate itself needs of a scope: what its objects are built of.
    pub trait Home: Sized {
        type U32: Number<Value = u32>;
        type U64: Number<Value = u64>;
        type Usize: Number<Value = usize>;
        type Bool: Word<Value = bool>;
        type Ptr<T>: Word<Value = *mut T>;
        type Ref<T>: Counted<T>;
        /// What receivers sleep on.
        type Bell: Bell;
        /// Whether there is one thread only, so that nothing can come while it waits.
        const ALONE: bool;
        /// Has the auto traits that handles and attachments may have at most.
        type Confined;
    }

    impl Home for Private {
        type U32 = Alone<u32>;
        type U64 = Alone<u64>;
        type Usize = Alone<usize>;
        type Bool = Alone<bool>;
        type Ptr<T> = Alone<*mut T>;
        type Ref<T> = Rc<T>;
        type Bell = Quiet;
        const ALONE: bool = true;
        type Confined = PhantomData<*const ()>;
    }

    impl Home for Local {
        type U32 = AtomicU32;
        type U64 = AtomicU64;
        type Usize = AtomicUsize;
        type Bool = AtomicBool;
        type Ptr<T> = AtomicPtr<T>;
        type Ref<T> = Arc<T>;
        type Bell = Doorbell;
        const ALONE: bool = false;
        type Confined = ();
    }
}
