//! Blocks that a recorder keeps until its job ends: those of a slot that a shard replays.

use super::{Chain, Published};
use crate::error::RecordError;
use crate::frame::SlotToken;
use crate::shard::Share;

/// How many blocks a recorder keeps at the most; then a shard gets them in mid-job. That bounds the memory of a long slot.
const MOST: u32 = 8;

/// See the module.
#[derive(Default)]
pub(super) struct Held {
    blocks: Chain,
    count: u32,
    /// The shard that has got blocks of this slot, and gets the others.
    shard: Option<u32>,
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
        let shard = self.shard(token);
        token.shards().share(shard, share)
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
        let shard = self.shard(&token);
        let service = token.service();
        let share = Share {
            place: token.place(),
            blocks: self.blocks,
            token: Some(token),
        };
        service.shards.share(shard, share)
    }

    fn shard(&mut self, token: &SlotToken) -> usize {
        let pick = || token.shards().pick(token.place().slot) as u32;
        *self.shard.get_or_insert_with(pick) as usize
    }
}
