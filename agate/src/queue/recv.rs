//! Receiving by await: a future for the next message, which needs no runtime.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::{RecvError, TryRecvError};
use crate::queue::Receiver;
use crate::scope::{Local, Scope};

/// The next message of a queue, to be awaited; see [`Receiver::recv`].
#[must_use = "nothing is received before it is awaited"]
pub struct Recv<'a, T: 'static, S: Scope = Local> {
    receiver: &'a mut Receiver<T, S>,
    /// Whether a waker was left with the queue.
    registered: bool,
}

impl<T: 'static, S: Scope> Receiver<T, S> {
    /// Receives the next message, to be awaited, with whatever executor.
    ///
    /// Dropping the future, also after it was polled, loses nothing: a message is taken when the future gives it.
    ///
    /// # Errors
    ///
    /// [`RecvError::Disconnected`] as with [`wait_recv`](Self::wait_recv), and no other.
    ///
    /// # Progress
    ///
    /// A poll never parks: it is wait-free, but for a call of the kernel that does not wait when nothing is there.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Capacity, Limits, Local, Receiver, RecvError, Scope};
    ///
    /// async fn sum(mut numbers: Receiver<u32>) -> u32 {
    ///     let mut sum = 0;
    ///     while let Ok(n) = numbers.recv().await {
    ///         sum += n;
    ///     }
    ///     sum
    /// }
    ///
    /// let queue = Local.queue(Limits::default(), Capacity::Unbounded)?;
    /// let sum = sum(queue.attach_receiver()?);
    /// let sender = queue.attach_sender()?;
    /// std::thread::spawn(move || (1..=4).try_for_each(|n| sender.send(n)).unwrap());
    /// assert_eq!(futures::executor::block_on(sum), 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "async")]
    pub fn recv(&mut self) -> Recv<'_, T, S> {
        Recv {
            receiver: self,
            registered: false,
        }
    }

    /// One step of [`recv`](Self::recv). Where nothing is there, the task is woken when it should look again.
    pub(crate) fn poll_recv(&mut self, context: &Context<'_>) -> Poll<Result<T, RecvError>> {
        for registered in [false, true] {
            match self.try_recv() {
                Ok(message) => return Poll::Ready(Ok(message)),
                Err(TryRecvError::Disconnected) => {
                    return Poll::Ready(Err(RecvError::Disconnected));
                }
                Err(TryRecvError::Empty) if registered => {}
                // Then once more: what came before the waker was left wakes nobody.
                Err(TryRecvError::Empty) => self.register(context.waker()),
            }
        }
        Poll::Pending
    }
}

impl<T: 'static, S: Scope> Future for Recv<'_, T, S> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.registered = true;
        self.receiver.poll_recv(context)
    }
}

impl<T: 'static, S: Scope> Drop for Recv<'_, T, S> {
    fn drop(&mut self) {
        if self.registered {
            self.receiver.unregister();
        }
    }
}

impl<T: 'static, S: Scope> fmt::Debug for Recv<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv").finish_non_exhaustive()
    }
}

/// Behind the feature `futures`. The stream ends when the queue is disconnected; a sender that attaches later revives
/// it, like the queue.
#[cfg(feature = "futures")]
impl<T: 'static, S: Scope> futures_core::Stream for Receiver<T, S> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.get_mut().poll_recv(context).map(Result::ok)
    }
}
