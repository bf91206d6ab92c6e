//! Starts the owners of a service, each with what it needs of the others.

use super::{ENDED, ServiceOptions, vulkan};
use crate::error::ServiceError;
use crate::frame::{FrameShared, Layout};
use crate::keeper::Keeper;
use crate::pool::{PoolMessage, PoolOwner};
use crate::queue::Queue;
use crate::raw::Device;
use crate::recorder::Jumbos;
use crate::retire::{Retire, Watch};
use crate::status::Status;
use crate::stock::Stock;
use crate::submit::{QueueLink, QueueOwner};
use agate::{BlockPool, Driver, Local, Owner, OwnerOptions, Port, Scope};
use std::sync::{Arc, mpsc};

/// Starts the pools' owner. Where it has a thread, its pools are made there, and what goes wrong comes back.
pub(super) fn pool_owner(
    device: &Arc<Device>,
    status: &Arc<Status>,
    shared: (QueueLink, Arc<[Layout]>, Arc<[Stock]>),
    blocks: (BlockPool, Arc<[Jumbos]>),
    options: &ServiceOptions,
) -> Result<Owner<PoolOwner>, ServiceError> {
    let (device, status, options) = (Arc::clone(device), Arc::clone(status), options.clone());
    let name = OwnerOptions::named(format!("{}-pools", options.name));
    if options.users_drive() {
        let (made, failed) = PoolOwner::new(device, status, shared, blocks, &options);
        if let Some(failed) = failed {
            return Err(vulkan(failed));
        }
        // What is left lying would wait for whoever comes next.
        let name = name.driven_by(Driver::Users).help_at_most(usize::MAX);
        return Ok(Local.owner_from(name, made)?);
    }
    let (tell, told) = mpsc::channel();
    let owner = Local.owner_with(name, move || {
        let (made, failed) = PoolOwner::new(device, status, shared, blocks, &options);
        let _ = tell.send(failed);
        made
    })?;
    match told.recv() {
        Ok(None) => Ok(owner),
        Ok(Some(failed)) => Err(vulkan(failed)),
        Err(mpsc::RecvError) => Err(ENDED),
    }
}

pub(super) fn keeper(
    pool: &Owner<PoolOwner>,
    options: &ServiceOptions,
) -> Result<Owner<Keeper>, ServiceError> {
    let keeper = Keeper::new(pool.attach().map_err(|_| ENDED)?);
    let alarm = keeper.alarm();
    let name = OwnerOptions::named(format!("{}-keeper", options.name));
    let keeper = Local.owner_with(name, move || keeper)?;
    let alarm = alarm(keeper.attach().map_err(|_| ENDED)?);
    let port = pool.attach().map_err(|_| ENDED)?;
    port.send_and_help(PoolMessage::Keeper(alarm))
        .map_err(|_| ENDED)?;
    Ok(keeper)
}

pub(super) fn retire_owner(
    device: &Arc<Device>,
    status: &Arc<Status>,
    options: &ServiceOptions,
    pool: Port<PoolMessage>,
) -> Result<Owner<Retire>, ServiceError> {
    let retire = Retire {
        device: Arc::clone(device),
        timeline: status.timeline,
        pool,
        status: Arc::clone(status),
    };
    let name = OwnerOptions::named(format!("{}-retire", options.name));
    Ok(Local.owner_with(name, move || retire)?)
}

pub(super) fn queue_owner(
    (device, status, options): (&Arc<Device>, &Arc<Status>, &ServiceOptions),
    frames: &Arc<[Arc<FrameShared>]>,
    retire: &Owner<Retire>,
    pool: &Owner<PoolOwner>,
    own: QueueLink,
) -> Result<Owner<QueueOwner>, ServiceError> {
    let retire: Port<Watch> = retire.attach().map_err(|_| ENDED)?;
    let pool = pool.attach().map_err(|_| ENDED)?;
    let (device, status, frames) = (Arc::clone(device), Arc::clone(status), Arc::clone(frames));
    let own = (own, options.hold_deadline);
    let (queue, name) = (
        Queue::new(options.queue, options.queue_mode),
        OwnerOptions::named(format!("{}-queue", options.name)),
    );
    Ok(Local.owner_with(name, move || {
        QueueOwner::new(device, status, queue, frames, retire, pool, own)
    })?)
}
