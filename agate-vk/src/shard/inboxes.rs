//! The inboxes of the shards, as the jobs and the main thread see them.

use super::ShardMessage;
use crate::error::RecordError;
use crate::pool::PoolMessage;
use agate::{Handle, Inbox, Port};

/// What jobs choose from; empty in a service without shards.
pub(crate) struct Shards {
    inboxes: Box<[Handle<Inbox<ShardMessage>>]>,
    pool: Handle<Inbox<PoolMessage>>,
}

impl Shards {
    pub(crate) fn new(
        inboxes: Box<[Handle<Inbox<ShardMessage>>]>,
        pool: Handle<Inbox<PoolMessage>>,
    ) -> Self {
        Self { inboxes, pool }
    }

    pub(crate) fn len(&self) -> usize {
        self.inboxes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.inboxes.is_empty()
    }

    /// The first shard from `start` on that nobody is busy with; where there is none, that of `start`.
    fn pick(&self, start: u32) -> usize {
        let count = self.inboxes.len().max(1);
        let start = start as usize % count;
        let all = (start..count).chain(0..start);
        all.into_iter()
            .find(|shard| {
                self.inboxes
                    .get(*shard)
                    .is_some_and(|inbox| !inbox.is_driven())
            })
            .unwrap_or(start)
    }

    /// A way to the first shard from `start` on that nobody is busy with.
    pub(crate) fn attach(&self, start: u32) -> Result<Port<ShardMessage>, RecordError> {
        let inbox = self.inboxes.get(self.pick(start));
        inbox
            .and_then(|inbox| inbox.attach().ok())
            .ok_or(RecordError::Closed)
    }

    /// Says that a frame was submitted, and helps, so that nothing is left lying.
    pub(crate) fn flush(&self, frame: u32, serial: u64) {
        for inbox in &self.inboxes {
            // A shard that has ended has told the pools' owner.
            if let Ok(port) = inbox.attach() {
                let _ = port.send_and_help(ShardMessage::Flush { frame, serial });
            }
        }
        self.help_the_pools_owner();
    }

    /// Once by who has driven a shard: what a shard does is told to the pools' owner, by messages that drive nobody.
    pub(crate) fn help_the_pools_owner(&self) {
        if let Ok(pool) = self.pool.attach() {
            pool.finish();
        }
    }
}
