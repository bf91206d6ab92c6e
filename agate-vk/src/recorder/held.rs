//! Blocks that a recorder keeps until its job ends: those of a slot that a shard replays.

use super::{Chain, Published};
use crate::error::RecordError;
use crate::frame::SlotToken;
use crate::shard::{ShardMessage, Share};
use agate::Port;

/// How many blocks a recorder keeps at the most; then a shard gets them in mid-job. That bounds the memory of a long slot.
const MOST: u32 = 8;

/// See the module.
#[derive(Default)]
pub(super) struct Held {
    blocks: Chain,
    count: u32,
    /// The way to the shard that has got blocks of this slot. It gets the others on the same way, which keeps them in order:
    /// what comes by two ports may be read in any.
    way: Option<Port<ShardMessage>>,
}

impl Held {
    /// Adds a full block; a shard gets all of them where there are many.
    pub(super) fn push(&mut self, token: &SlotToken, block: Published) -> Result<(), RecordError> {
        self.blocks.push(block);
        self.count += 1;
        if self.count < MOST {
            return Ok(());
        }
        self.count = 0;
        let share = Share {
            place: token.place(),
            blocks: std::mem::take(&mut self.blocks),
            token: None,
        };
        let way = match self.way.take() {
            Some(way) => way,
            None => token.shards().attach(token.place().slot)?,
        };
        let shared = send(self.way.insert(way), share);
        token.shards().help_the_pools_owner();
        shared
    }

    /// Hands the slot with its last block to a shard.
    pub(super) fn finish(
        mut self,
        mut token: SlotToken,
        block: Published,
    ) -> Result<(), RecordError> {
        // What follows is replay.
        token.end_recording();
        self.blocks.push(block);
        let (service, slot) = (token.service(), token.place().slot);
        // If it is dropped on the way the slot is lost.
        let share = Share {
            place: token.place(),
            blocks: self.blocks,
            token: Some(token),
        };
        let way = match self.way {
            Some(way) => way,
            None => service.shards.attach(slot)?,
        };
        let shared = send(&way, share);
        drop(way);
        service.shards.help_the_pools_owner();
        shared
    }
}

/// Has the shard replay these blocks: on this thread, unless another one is at it.
fn send(way: &Port<ShardMessage>, share: Share) -> Result<(), RecordError> {
    way.send_and_help(ShardMessage::Share(share))
        .map_err(|_| RecordError::Closed)
}
