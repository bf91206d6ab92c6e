//! What a program does with its swapchain and the images of it.

use super::host::Host;
use crate::support::swapchain;
use agate_vk::{AcquireError, Acquired, Swapchain, vk};
use std::time::Duration;

impl Host<'_, '_> {
    pub(super) fn acquire(&mut self) {
        match self.bytes.below(6) {
            0..=2 => {
                let timeout = Duration::from_millis(self.bytes.below(3) as u64);
                let chains = self
                    .services
                    .iter()
                    .flatten()
                    .find_map(|r| r.chain.as_ref());
                self.acquires
                    .extend(chains.map(|chain| chain.acquire(timeout)));
            }
            3 => {
                if let Some(mut answer) = self.bytes.take(&mut self.acquires) {
                    match answer.poll() {
                        Some(result) => self.acquired(result.unwrap_or(Err(AcquireError::Closed))),
                        None => self.acquires.push(answer),
                    }
                }
            }
            4 => drop(self.bytes.take(&mut self.acquires)),
            _ => {
                let image = self.bytes.take(&mut self.images);
                if self.bytes.once_in(8) {
                    self.image_held |= image.is_some();
                    std::mem::forget(image);
                }
            }
        }
    }

    pub(super) fn acquired(&mut self, result: Result<Acquired, AcquireError>) {
        match result {
            Ok(image) => self.images.push(image),
            Err(AcquireError::Vulkan { call, result }) => self.was_planted(call, result),
            Err(AcquireError::DeviceLost) => self.is_lost(),
            Err(_) => {}
        }
    }

    pub(super) fn swapchain(&mut self) {
        let size = self.bytes.next();
        let Some(running) = self.services[0].as_mut() else {
            return;
        };
        let extent = (u32::from(size % 3) * 16, 32);
        match (&running.chain, size / 8 % 8) {
            (None, _) => {
                let gone = running.going.as_mut().is_none_or(|gone| gone.is_done());
                if gone && !running.unknown {
                    running.chain = Some(swapchain(&mut running.service, &self.null, extent));
                }
            }
            (Some(_), 0) => running.going = running.chain.take().map(Swapchain::destroy),
            (Some(_), 1) => {
                running.unknown = true;
                drop(running.chain.take());
            }
            (Some(_), 2) => {
                running.unknown = true;
                std::mem::forget(running.chain.take());
            }
            (Some(chain), 3..) => chain.resize(vk::Extent2D {
                width: extent.0,
                height: extent.1,
            }),
        }
    }
}
