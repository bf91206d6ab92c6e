//! What an owner needs of a scope: who drives it there, and what may move to where it is driven.

use std::any::Any;

use crate::attach::Place;
use crate::error::CreateError;
use crate::owner::drive::{Drive, Driven};
use crate::owner::inbox::Inbox;
use crate::owner::run::Job;
use crate::owner::{Driver, Handler};
use crate::scope::{Local, Private, Scope};
use crate::sync::owner_thread::{Builder, JoinHandle};

/// How owners of a scope are driven.
pub trait Drives: Sized {
    /// A handler whose type is forgotten, as movable as the scope wants it.
    type Erased<M: 'static>: Drive<M, Self>
    where
        Self: Scope;

    /// Who drives an owner if nothing is said.
    const DRIVER: Driver;

    /// Makes a handler that is called on this thread alone. `None` where an owner without a thread of its own may be
    /// called on any.
    fn make_here<H: Handler>(make: impl FnOnce() -> H) -> Option<Self::Erased<H::Message>>
    where
        Self: Scope;
}

/// What can be done with a value that the scope carries. The bound on `T` is in the implementations, so whoever has
/// `S: Moves<T>` may move a `T` wherever `S` reaches, and the compiler has checked it.
pub trait Moves<T>: Drives {
    /// Gives a value and a job to a new thread.
    ///
    /// # Errors
    ///
    /// [`CreateError::Thread`], [`CreateError::NoThreads`].
    fn spawn(
        name: String,
        value: T,
        job: Job,
        run: fn(T, Job),
    ) -> Result<JoinHandle<()>, CreateError>;

    /// Forgets a handler's type.
    fn erase(handler: T) -> Self::Erased<T::Message>
    where
        T: Handler,
        Self: Scope;

    /// Makes a place in an inbox of such messages ready to be moved to a thread.
    ///
    /// # Errors
    ///
    /// [`CreateError::NoThreads`].
    fn pack(place: Place<Inbox<T, Self>, Self>) -> Result<Box<dyn Any + Send>, CreateError>
    where
        T: 'static,
        Self: Scope;
}

impl Drives for Local {
    type Erased<M: 'static> = Box<dyn Drive<M, Self> + Send>;

    const DRIVER: Driver = Driver::Thread;

    fn make_here<H: Handler>(_: impl FnOnce() -> H) -> Option<Self::Erased<H::Message>> {
        None
    }
}

impl<T: Send + 'static> Moves<T> for Local {
    fn spawn(
        name: String,
        value: T,
        job: Job,
        run: fn(T, Job),
    ) -> Result<JoinHandle<()>, CreateError> {
        let builder = Builder::new().name(name);
        builder
            .spawn(move || run(value, job))
            .map_err(CreateError::Thread)
    }

    fn erase(handler: T) -> Self::Erased<T::Message>
    where
        T: Handler,
    {
        Box::new(Driven(handler))
    }

    fn pack(place: Place<Inbox<T, Self>, Self>) -> Result<Box<dyn Any + Send>, CreateError> {
        Ok(Box::new(place))
    }
}

impl Drives for Private {
    type Erased<M: 'static> = Box<dyn Drive<M, Self>>;

    const DRIVER: Driver = Driver::Users;

    fn make_here<H: Handler>(make: impl FnOnce() -> H) -> Option<Self::Erased<H::Message>> {
        Some(Box::new(Driven(make())))
    }
}

impl<T: 'static> Moves<T> for Private {
    fn spawn(_: String, _: T, _: Job, _: fn(T, Job)) -> Result<JoinHandle<()>, CreateError> {
        Err(CreateError::NoThreads)
    }

    fn erase(handler: T) -> Self::Erased<T::Message>
    where
        T: Handler,
    {
        Box::new(Driven(handler))
    }

    fn pack(_: Place<Inbox<T, Self>, Self>) -> Result<Box<dyn Any + Send>, CreateError> {
        Err(CreateError::NoThreads)
    }
}
