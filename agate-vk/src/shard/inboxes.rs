//! The inboxes of the shards, as the jobs and the main thread see them.

use super::{ShardMessage, Share};
use crate::error::RecordError;
use crate::pool::PoolMessage;
use agate::{Handle, Inbox};

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
    pub(crate) fn pick(&self, start: u32) -> usize {
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

    /// Has a shard replay these blocks: on this thread, unless another one is at it.
    pub(crate) fn share(&self, shard: usize, share: Share) -> Result<(), RecordError> {
        self.tell(shard, ShardMessage::Share(share))
            .ok_or(RecordError::Closed)
    }

    /// Says that a frame was submitted, and helps, so that nothing is left lying.
    pub(crate) fn flush(&self, frame: u32, serial: u64) {
        for shard in 0..self.inboxes.len() {
            // A shard that has ended has told the pools' owner.
            let _ = self.tell(shard, ShardMessage::Flush { frame, serial });
        }
    }

    /// `None`: the shard has ended, and the message was dropped.
    fn tell(&self, shard: usize, message: ShardMessage) -> Option<()> {
        let port = self.inboxes.get(shard)?.attach().ok()?;
        let told = port.send_and_help(message);
        drop(port);
        // What a shard does is told to the pools' owner, by messages that drive nobody.
        if let Ok(pool) = self.pool.attach() {
            pool.finish();
        }
        told.ok()
    }
}
