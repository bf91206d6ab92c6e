//! agate's owner: a thread with an inbox, asked through completions.

use std::time::Duration;

use agate::{CompletionPool, Handler, Local, OwnerOptions, Port, Resolver, Scope};

use crate::messages::owner::Owner;
use crate::messages::peer::{Class, Info};
use crate::messages::workload::Pins;

/// The number.
struct Total(u64);

/// What it is told and asked.
enum Add {
    Quietly(u64),
    AndSay(u64, Resolver<u64>),
}

impl Handler for Total {
    type Message = Add;

    #[inline]
    fn handle(&mut self, message: Add) {
        match message {
            Add::Quietly(add) => self.0 += add,
            Add::AndSay(add, asker) => {
                self.0 += add;
                asker.resolve(self.0);
            }
        }
    }
}

/// An owner that is asked with answers from a pool, or with an answer of its own for each ask.
pub struct Agate<const POOLED: bool> {
    // Before the owner, so that it is dropped first.
    port: Port<Add>,
    answers: CompletionPool<u64>,
    _owner: agate::Owner<Total>,
}

impl<const POOLED: bool> Owner for Agate<POOLED> {
    fn info() -> Info {
        let name = if POOLED {
            "agate owner"
        } else {
            "agate owner, without a pool of answers"
        };
        Info::unbounded(name, Class::Parks)
    }

    fn start() -> Result<Self, String> {
        let options = OwnerOptions::named("total").on_start(|| Pins::Apart.receiver());
        let owner = Local
            .owner_with(options, || Total(0))
            .map_err(|why| why.to_string())?;
        Ok(Self {
            port: owner.attach().map_err(|why| why.to_string())?,
            answers: CompletionPool::new(),
            _owner: owner,
        })
    }

    #[inline]
    fn tell(&mut self, add: u64) -> bool {
        self.port.send(Add::Quietly(add)).is_ok()
    }

    #[inline]
    fn ask(&mut self, add: u64) -> Option<u64> {
        let message = |asker| Add::AndSay(add, asker);
        let answer = if POOLED {
            self.port.ask_with(&self.answers, message)
        } else {
            self.port.ask(message)
        };
        answer.ok()?.wait_timeout(Duration::from_secs(10)).ok()
    }
}

/// So many tells are sent together.
const BATCH: usize = 32;

/// An owner that is told in batches. An ask sends first what waits.
pub struct Batched {
    inner: Agate<true>,
    waiting: Vec<Add>,
}

impl Batched {
    fn flush(&mut self) -> bool {
        let all = self.waiting.len();
        all == 0 || self.inner.port.send_batch(&mut self.waiting.drain(..)) == Ok(all)
    }
}

impl Owner for Batched {
    fn info() -> Info {
        Info::unbounded(format!("agate owner, batches of {BATCH}"), Class::Parks)
    }

    fn start() -> Result<Self, String> {
        Ok(Self {
            inner: Agate::start()?,
            waiting: Vec::with_capacity(BATCH),
        })
    }

    #[inline]
    fn tell(&mut self, add: u64) -> bool {
        self.waiting.push(Add::Quietly(add));
        self.waiting.len() < BATCH || self.flush()
    }

    #[inline]
    fn ask(&mut self, add: u64) -> Option<u64> {
        self.flush().then(|| self.inner.ask(add))?
    }
}
