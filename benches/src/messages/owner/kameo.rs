//! kameo: an actor on a runtime of tokio with one worker, its mailbox unbounded as agate's inbox is.

use std::convert::Infallible;

use kameo::Actor;
use kameo::actor::{ActorRef, Spawn};
use kameo::mailbox;
use kameo::message::{Context, Message};
use tokio::runtime::{Builder, Runtime};

use crate::messages::owner::Owner;
use crate::messages::peer::{Class, Info};
use crate::messages::workload::Pins;

/// The number.
struct Total(u64);

impl Actor for Total {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(args: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(args)
    }
}

struct Add(u64);

impl Message<Add> for Total {
    type Reply = u64;

    async fn handle(&mut self, Add(add): Add, _: &mut Context<Self, u64>) -> u64 {
        self.0 += add;
        self.0
    }
}

/// The actor and its runtime.
pub struct Kameo {
    actor: ActorRef<Total>,
    /// `None` when it is ending.
    runtime: Option<Runtime>,
}

impl Owner for Kameo {
    fn info() -> Info {
        Info::unbounded("kameo", Class::Parks)
    }

    fn start() -> Result<Self, String> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .on_thread_start(|| Pins::Apart.receiver())
            .build()
            .map_err(|why| why.to_string())?;
        let context = runtime.enter();
        let actor = Total::spawn_with_mailbox(Total(0), mailbox::unbounded());
        drop(context);
        Ok(Self {
            actor,
            runtime: Some(runtime),
        })
    }

    #[inline]
    fn tell(&mut self, add: u64) -> bool {
        self.actor.tell(Add(add)).try_send().is_ok()
    }

    #[inline]
    fn ask(&mut self, add: u64) -> Option<u64> {
        self.actor.ask(Add(add)).blocking_send().ok()
    }
}

impl Drop for Kameo {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
