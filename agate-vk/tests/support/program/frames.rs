//! What a program does with frames, their passes, slots and jobs.

#![allow(unsafe_code, reason = "makes passes")]

use super::host::{ALL, Host, Open, Submitted};
use super::jobs::{Expected, Lane, Recording, Script, draw, record};
use super::{Bytes, random};
use agate_vk::{BeginError, SubmitOptions, vk};
use std::sync::Arc;
use std::time::Duration;

impl Host<'_, '_> {
    pub(super) fn begin(&mut self) {
        let Some(running) = self.service() else {
            return;
        };
        let begun = match running.service.try_begin_frame() {
            Err(BeginError::NoCredit) => {
                let moment = Duration::from_millis(1);
                running.service.begin_frame_timeout(moment)
            }
            begun => begun,
        };
        let (which, all_slots) = (running.which, running.all_slots);
        let leases = Arc::clone(&running.leases);
        match begun {
            Ok(frame) => {
                self.frames.push(Open {
                    frame,
                    which,
                    expected: Arc::new(Expected::new(&self.closures, &leases)),
                    all_slots,
                    works: 0,
                });
            }
            Err(BeginError::NoCredit | BeginError::TimedOut) => {}
            Err(BeginError::DeviceLost) => self.is_lost(),
            Err(error) => panic!("{error}"),
        }
    }

    /// The place of the newest frame or another.
    pub(super) fn frame(&mut self) -> Option<usize> {
        let newest = self.frames.len().checked_sub(1)?;
        let back = self.bytes.below(8);
        Some(newest.saturating_sub(back.saturating_sub(5)))
    }

    pub(super) fn pass(&mut self) {
        let Some(at) = self.frame() else {
            return;
        };
        let (kind, slots) = (self.bytes.below(6), self.bytes.below(7) as u32);
        let Open {
            frame, expected, ..
        } = &mut self.frames[at];
        let (info, begin) = (
            vk::RenderingInfo::default(),
            vk::RenderPassBeginInfo::default(),
        );
        let inherited = vk::CommandBufferInheritanceRenderingInfo::default();
        let made = match kind {
            0 => frame.outside(slots),
            1 => frame.outside_secondaries(slots),
            // SAFETY: the device takes any command.
            2 => unsafe { frame.rendering(&info, slots) },
            // SAFETY: as above.
            3 => unsafe { frame.rendering_secondaries(&info, &inherited, slots) },
            // SAFETY: as above.
            4 => unsafe { frame.render_pass(&begin, slots) },
            // SAFETY: as above.
            _ => unsafe { frame.render_pass_secondaries(&begin, slots) },
        };
        if let Ok(pass) = made {
            expected.add(if kind < 2 { 0 } else { 2 });
            self.passes.push((pass, Arc::clone(expected)));
        } else {
            // Too many slots, no blocks, no owner: whatever was declared is not whole.
            self.frames[at].all_slots = false;
        }
        if self.passes.len() > 6 {
            self.passes.remove(0);
        }
    }

    pub(super) fn take(&mut self) {
        let Some(last) = self.passes.len().checked_sub(1) else {
            return;
        };
        let back = self.bytes.below(3);
        let (pass, expected) = &self.passes[last.saturating_sub(back)];
        let slot = match self.bytes.below(4) {
            0 => pass.slot(self.bytes.below(8) as u32),
            _ => pass.next_slot(),
        };
        if let Ok(slot) = slot {
            let slot = (slot, Arc::clone(expected));
            match self.bytes.below(40) {
                38 => drop(slot),
                39 => std::mem::forget(slot),
                _ => self.slots.push(slot),
            }
        }
    }

    pub(super) fn job(&mut self) {
        if let Some((slot, expected)) = self.bytes.take(&mut self.slots) {
            let lane = Lane::read(self.bytes);
            let script = Script::read(self.bytes);
            match self.bytes.below(3) {
                0 => record(slot, expected, lane, &script),
                which => {
                    let job = move || record(slot, expected, lane, &script);
                    self.workers.run(which, job);
                }
            }
        }
    }

    /// Gives out what is left of the newest pass, each slot to a job of its own.
    pub(super) fn fill(&mut self) {
        let scripts = random(self.bytes.next().into(), 48);
        let mut scripts = Bytes::new(&scripts);
        let Some((pass, expected)) = self.passes.last() else {
            return;
        };
        while let Ok(slot) = pass.next_slot() {
            let (expected, lane) = (Arc::clone(expected), Lane::read(&mut scripts));
            let script = Script::read(&mut scripts);
            let which = scripts.below(2);
            let job = move || record(slot, expected, lane, &script);
            self.workers.run(which, job);
        }
    }

    /// Records a part of a slot, or goes on with one.
    pub(super) fn hold(&mut self) {
        if self.bytes.next() & 1 == 0 {
            if let Some((slot, expected)) = self.bytes.take(&mut self.slots) {
                let lane = Lane::read(self.bytes);
                self.recordings
                    .extend(Recording::begin(slot, expected, lane));
            }
        } else if let Some(mut recording) = self.bytes.take(&mut self.recordings) {
            let script = Script::read(self.bytes);
            recording.write(&script);
            if self.bytes.next() & 1 == 0 {
                recording.end(&script);
            } else {
                self.recordings.push(recording);
            }
        }
    }

    /// What to submit a frame with.
    pub(super) fn options(&mut self, which: usize) -> SubmitOptions<'static> {
        let mut options = SubmitOptions::default();
        match self.bytes.below(12) {
            0 => options = SubmitOptions::record_only(),
            1 | 2 => {
                if let Some(image) = self.bytes.take(&mut self.images) {
                    // The other service gives it back, but nobody knows when.
                    self.image_held |= which > 0;
                    options = options.present(image, ALL);
                }
            }
            3 => {
                for _ in 0..self.bytes.below(3) {
                    let at = self.bytes.below(self.tickets.len().max(1));
                    if let Some(submitted) = self.tickets.get(at) {
                        options = options.after(&submitted.ticket, ALL);
                    }
                }
            }
            4 => {
                let at = self.bytes.below(self.timelines.len());
                options = options.wait_timeline(&self.timelines[at].timeline, 1, ALL);
            }
            5 => {
                let unused = self.timelines.iter_mut().find(|once| !once.used);
                if let Some(once) = unused {
                    once.used = true;
                    options = options.signal_timeline(&once.timeline, 1, ALL);
                }
            }
            _ => {}
        }
        options
    }

    pub(super) fn submit(&mut self) {
        if let Some(at) = self.frame() {
            let options = self.options(self.frames[at].which);
            let Open {
                frame,
                expected,
                all_slots,
                ..
            } = self.frames.remove(at);
            self.tickets.push(Submitted {
                ticket: frame.submit(options),
                expected,
                all_slots,
            });
        }
    }

    /// Leaves a frame without submitting it, or what else is held.
    pub(super) fn leave(&mut self) {
        match self.bytes.below(6) {
            0 => drop(self.bytes.take(&mut self.frames)),
            1 => {
                if let Some(open) = self.bytes.take(&mut self.frames) {
                    // What was to be done after it will not be.
                    self.works -= open.works;
                    std::mem::forget(open);
                }
            }
            2 => {
                if let Some(recording) = self.bytes.take(&mut self.recordings) {
                    recording.forget();
                }
            }
            3 => drop(self.bytes.take(&mut self.recordings)),
            4 => drop(self.bytes.take(&mut self.tickets)),
            _ => std::mem::forget(self.bytes.take(&mut self.tickets)),
        }
    }

    pub(super) fn submit_once(&mut self) {
        let draws = self.bytes.below(100) as u64;
        let Some(running) = self.service() else {
            return;
        };
        let (which, all_slots) = (running.which, running.all_slots);
        let options = self.options(which);
        let Some(running) = &mut self.services[which] else {
            return;
        };
        let expected = Arc::new(Expected::new(&self.closures, &running.leases));
        let submitted = running.service.try_submit_once(options, |recorder| {
            draw(recorder, draws, &expected);
        });
        if let Ok(ticket) = submitted {
            self.tickets.push(Submitted {
                ticket,
                expected,
                all_slots,
            });
        }
    }
}
