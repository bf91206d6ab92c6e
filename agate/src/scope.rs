//! Scopes: who may use an object, and what a message must be there.

use std::fmt::Debug;

use crate::attach::Role;
use crate::completion::{Completion, CompletionPool, CompletionPort, Resolver, pair};
use crate::error::CreateError;
use crate::handle::{Handle, Limits};
use crate::kind::Kind;
use crate::owner::{Drives, Handler, Moves, Owner, OwnerOptions};
use crate::queue::{Capacity, Order, Queue, QueueOptions};
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
pub trait Scope: sealed::Home + Drives + Copy + Debug + 'static {
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
        self.queue_with(QueueOptions::new(capacity).limits(limits))
    }

    /// Makes a queue with all its options: the order of messages, how receivers wait.
    ///
    /// # Errors
    ///
    /// As [`queue`](Self::queue).
    ///
    /// # Progress
    ///
    /// As [`queue`](Self::queue).
    ///
    /// # Examples
    ///
    /// See [`QueueOptions`].
    fn queue_with<T: 'static>(
        &self,
        options: QueueOptions,
    ) -> Result<Handle<Queue<T, Self>, Self>, CreateError>
    where
        Self: Carries<T>,
    {
        let mut limits = options.limits;
        if options.order == Order::PerSender {
            // Lanes are drained by one receiver at a time.
            limits = limits.receivers(limits.of(Role::Receiver).min(1));
        }
        Ok(self.install(limits, Queue::new(&options)?))
    }

    /// Makes a stream of byte messages, whose blocks come from `pool`.
    ///
    /// # Progress
    ///
    /// Allocates.
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
    ///
    /// # Progress
    ///
    /// Allocates.
    fn block_pool(&self, options: BlockOptions) -> Result<BlockPool<Self>, CreateError> {
        BlockPool::make(options)
    }

    /// Makes an owner that calls `handler` for each message: in [`Local`] on a thread of its own named `name`, in
    /// [`Private`] on the one thread that there is, driven by its users.
    ///
    /// # Errors
    ///
    /// [`CreateError::Thread`] when the system refuses the thread.
    ///
    /// # Progress
    ///
    /// Allocates; in [`Local`] it starts a thread and does not wait for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Carries, Handler, Local, Pending, Private, Resolver, Scope};
    /// use std::time::Duration;
    ///
    /// const LONG: Duration = Duration::from_secs(10);
    ///
    /// struct Counter<S>(u64, S);
    /// enum Count<S: Scope> {
    ///     Add(u64),
    ///     Total(Resolver<u64, S>),
    /// }
    /// impl<S: Scope> Handler for Counter<S> {
    ///     type Message = Count<S>;
    ///     fn handle(&mut self, message: Count<S>) {
    ///         match message {
    ///             Count::Add(n) => self.0 += n,
    ///             Count::Total(asker) => asker.resolve(self.0),
    ///         }
    ///     }
    /// }
    ///
    /// /// Counts, in any scope.
    /// fn count<S>(scope: S) -> Result<u64, Box<dyn std::error::Error>>
    /// where
    ///     S: Carries<Counter<S>> + Carries<Count<S>> + Carries<u64>,
    /// {
    ///     let counter = scope.owner("counter", Counter(0, scope))?;
    ///     let port = counter.attach()?;
    ///     port.send(Count::Add(2)).unwrap();
    ///     port.send(Count::Add(3)).unwrap();
    ///     let total = port.ask(Count::Total).unwrap().wait_timeout(LONG)?;
    ///     counter.shutdown(Pending::Drain, LONG)?;
    ///     Ok(total)
    /// }
    ///
    /// assert_eq!(count(Local)?, 5);
    /// assert_eq!(count(Private)?, 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn owner<H: Handler>(&self, name: &str, handler: H) -> Result<Owner<H, Self>, CreateError>
    where
        Self: Carries<H> + Carries<H::Message>,
    {
        self.owner_from(OwnerOptions::named(name), handler)
    }

    /// As [`owner`](Self::owner), with options: who drives it, limits, and more.
    ///
    /// # Errors
    ///
    /// [`CreateError::Thread`] when the system refuses the thread; [`CreateError::NoThreads`] in [`Private`] for
    /// [`Driver::Thread`](crate::Driver::Thread).
    ///
    /// # Progress
    ///
    /// As [`owner`](Self::owner), for an owner with a thread; else it allocates.
    ///
    /// # Panics
    ///
    /// When the [hook](OwnerOptions::on_start) does, for an owner without a thread; else that comes out of
    /// [`Owner::shutdown`].
    ///
    /// # Examples
    ///
    /// See [`Driver`](crate::Driver).
    fn owner_from<H: Handler>(
        &self,
        options: OwnerOptions,
        handler: H,
    ) -> Result<Owner<H, Self>, CreateError>
    where
        Self: Carries<H> + Carries<H::Message>,
    {
        Owner::from_handler(options, handler)
    }

    /// As [`owner_from`](Self::owner_from), with a handler that is made where it is called: in [`Local`] on the owner's
    /// own thread, so that it need not be [`Send`].
    ///
    /// # Errors
    ///
    /// As [`owner_from`](Self::owner_from); [`CreateError::HandlerMoves`] in [`Local`] for an owner that is to have no
    /// thread of its own, whose handler must be [`Send`].
    ///
    /// # Panics
    ///
    /// When `make` or the [hook](OwnerOptions::on_start) does, for an owner without a thread; else that comes out of
    /// [`Owner::shutdown`].
    ///
    /// # Progress
    ///
    /// As [`owner`](Self::owner), for an owner with a thread; else it allocates.
    ///
    /// # Examples
    ///
    /// See [`Handler`].
    fn owner_with<H, F>(
        &self,
        options: OwnerOptions,
        make: F,
    ) -> Result<Owner<H, Self>, CreateError>
    where
        H: Handler,
        F: FnOnce() -> H,
        Self: Carries<F> + Carries<H::Message>,
    {
        Owner::from_maker(options, make)
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
    /// # Errors
    ///
    /// [`CreateError::TooLarge`] for a limit of more than [`CompletionPool::MAX_LIMIT`].
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
    /// let answers = Private.completion_pool::<u32>(Some(8))?;
    /// let (resolver, mut completion) = answers.try_pair()?;
    /// resolver.resolve(7);
    /// assert_eq!(completion.poll(), Some(Ok(7)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn completion_pool<T: 'static>(
        &self,
        limit: Option<usize>,
    ) -> Result<CompletionPool<T, Self>, CreateError>
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
    ///
    /// # Progress
    ///
    /// Allocates.
    fn install<K: Kind<Self>>(&self, limits: Limits, object: K) -> Handle<K, Self> {
        Handle::new(limits, object)
    }
}

/// What a message must be in a scope; implemented for every type that the scope can carry.
///
/// [`Private`] carries every type, [`Local`] every type that may be sent to another thread.
///
/// # Examples
///
/// See [`Scope`].
pub trait Carries<T>: Scope + Moves<T> {}

/// One thread. Objects in it cannot leave their thread, and use cells where those of [`Local`] use atomics (but for queues
/// in total order, ports of completions, and the end of an owner).
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
