//! Presenting: the images of a frame, of several swapchains in one call.

use super::QueueOwner;
use crate::request::{MAX_IMAGES, Request};
use crate::swapchain::ImageUse;
use crate::trace::TraceKind;
use ash::vk;
use std::sync::Arc;

/// Images of a submission, with the swapchains that they are of; from the first place on.
pub(super) type Images = [Option<(u32, ImageUse)>; MAX_IMAGES];

/// Has the submission wait for its images, and signal what their presentation waits for.
pub(super) fn wait_for_images(request: &mut Request, failed: bool) -> Images {
    let mut images = Images::default();
    for (place, image) in request.images.iter_mut().zip(&mut images) {
        let Some((acquired, stages)) = place.take() else {
            break;
        };
        let (id, use_) = acquired.into_use();
        request.waits.push(use_.acquired, 0, stages);
        if !failed {
            let all = vk::PipelineStageFlags2::ALL_COMMANDS;
            request.signals.push(use_.rendered, 0, all);
        }
        *image = Some((id, use_));
    }
    images
}

impl QueueOwner {
    /// Whether all images are of swapchains of this owner.
    pub(super) fn made_all(&self, request: &Request) -> bool {
        let mut images = request.images.iter().flatten();
        images.all(|(image, _)| self.swapchains.iter().any(|chain| chain.made(image)))
    }

    /// Nobody renders to these images; those of another service's swapchain go back to its owner as they are dropped.
    pub(super) fn abandon_all(&mut self, request: &mut Request) {
        for (image, _) in request.images.iter_mut().filter_map(Option::take) {
            if self.swapchains.iter().any(|chain| chain.made(&image)) {
                let (id, image) = image.into_use();
                self.abandon(id, image);
            }
        }
    }

    /// What follows a submission with images, which `failed`: without its commands.
    pub(super) fn present(&mut self, (serial, value, failed): (u64, u64, bool), images: Images) {
        let all = || images.into_iter().flatten();
        for (id, image) in all() {
            self.chain(id, |chain| chain.used_until(image.acquired, value));
        }
        if !failed && all().next().is_some() {
            let status = Arc::clone(&self.status);
            let _span = status.span(TraceKind::Present, serial);
            self.call_present(images);
        }
        for (id, image) in all() {
            self.give_back(id, image, !failed);
        }
    }

    /// Presents the images in as few calls as may be: a call names each swapchain once.
    fn call_present(&mut self, mut left: Images) {
        let status = Arc::clone(&self.status);
        while left.iter().any(Option::is_some) {
            let mut infos = [(vk::SwapchainKHR::null(), 0, vk::Semaphore::null()); MAX_IMAGES];
            let mut images = Images::default();
            let mut count = 0;
            for place in &mut left {
                let Some((id, image)) = *place else { continue };
                let info = self.chain(id, |chain| chain.presents(image));
                let Some(info) = info.flatten() else {
                    *place = None;
                    continue;
                };
                if infos[..count].iter().any(|(named, ..)| *named == info.0) {
                    continue;
                }
                infos[count] = info;
                images[count] = place.take();
                count += 1;
            }
            if count == 0 {
                return;
            }
            let infos = &infos[..count];
            let results: [_; MAX_IMAGES] = self.device.present(self.queue, infos);
            for ((id, image), result) in images.into_iter().flatten().zip(results) {
                self.chain(id, |chain| chain.presented(&status, image, result));
            }
        }
    }
}
