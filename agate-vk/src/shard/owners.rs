//! The shards of a service: how they are made, and how they end.

use super::{ShardMessage, ShardOwner, Shards};
use crate::error::ServiceError;
use crate::frame::Layout;
use crate::pool::{PoolMessage, PoolOwner};
use crate::raw::Device;
use crate::service::{ENDED, ServiceOptions, vulkan};
use crate::status::Status;
use agate::{
    Driver, Local, Owner, OwnerOptions, OwnerStats, Pending, Scope, ShutdownError, ShutdownReport,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// See the module.
pub(crate) struct ShardOwners {
    owners: Vec<Owner<ShardOwner>>,
    /// Whether the pools' owner has ended.
    ended: Arc<AtomicBool>,
}

/// Makes the lanes that jobs send through, each with the two pieces of memory that it goes on with in turns, so that none is
/// made while frames are recorded.
fn warm_up(shard: &Owner<ShardOwner>) -> Result<(), ()> {
    const LANES: usize = 16;
    /// More than a piece has room for.
    const MESSAGES: usize = 4096 / size_of::<ShardMessage>() + 1;
    let lanes: Result<Vec<_>, _> = (0..LANES).map(|_| shard.attach()).collect();
    let lanes = lanes.map_err(drop)?;
    for lane in &lanes {
        for _ in 0..MESSAGES {
            // Of a frame before the first: nothing is done.
            let nothing = ShardMessage::Flush {
                frame: 0,
                serial: 0,
            };
            lane.send(nothing).map_err(drop)?;
        }
    }
    // The shard reads them as the lanes are given back.
    drop(lanes);
    Ok(())
}

type End = Result<ShutdownReport, ShutdownError>;

impl ShardOwners {
    /// Makes the shards, with their pools, and tells the pools' owner of them.
    pub(crate) fn start(
        (device, status): (&Arc<Device>, &Arc<Status>),
        layouts: &Arc<[Layout]>,
        pool: &Owner<PoolOwner>,
        options: &ServiceOptions,
    ) -> Result<Self, ServiceError> {
        let ended = Arc::new(AtomicBool::new(false));
        let mut owners = Vec::new();
        for index in 0..options.shards {
            let port = pool.attach().map_err(|_| ENDED)?;
            let shard = ShardOwner::new(index, (device, status), layouts, port, &ended, options);
            let name = OwnerOptions::named(format!("{}-shard-{index}", options.name));
            let name = name.driven_by(Driver::Users);
            owners.push(Local.owner_from(name, shard.map_err(vulkan)?)?);
        }
        let ports = owners.iter().map(Owner::attach).collect::<Result<_, _>>();
        let ports = PoolMessage::Shards(ports.map_err(|_| ENDED)?);
        let port = pool.attach().map_err(|_| ENDED)?;
        port.send_and_help(ports).map_err(|_| ENDED)?;
        owners.iter().try_for_each(warm_up).map_err(|()| ENDED)?;
        Ok(Self { owners, ended })
    }

    pub(crate) fn inboxes(&self, pool: &Owner<PoolOwner>) -> Shards {
        Shards::new(
            self.owners.iter().map(Owner::handle).collect(),
            pool.handle(),
        )
    }

    /// What each has done so far.
    pub(crate) fn stats(&self) -> impl Iterator<Item = OwnerStats> + '_ {
        self.owners.iter().map(Owner::stats)
    }

    /// Ends the shards, after the pools' owner, which has ended so.
    pub(crate) fn shutdown(self, pool: &End, mut left: impl FnMut() -> Duration) -> Vec<End> {
        let ended = matches!(pool, Ok(_) | Err(ShutdownError::Panicked { .. }));
        self.ended.store(ended, Ordering::Release);
        let owners = self.owners.into_iter();
        owners
            .map(|owner| owner.shutdown(Pending::Drain, left()))
            .collect()
    }
}
