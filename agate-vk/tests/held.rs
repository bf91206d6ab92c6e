//! Submissions that wait for what is not submitted yet are held back, in one service and across services of two queues;
//! none is held for good.

#![allow(unsafe_code, reason = "makes services")]

#[path = "support/null.rs"]
mod support;

use agate_vk::{FrameError, Recorder, Service, SubmitOptions, TicketError, Timeline, ash, vk};
use null_device::{NullDevice, NullOptions};
use std::sync::mpsc;
use std::time::Duration;
use support::{LONG, close, drawn, run, service, submit, until};

const ALL: vk::PipelineStageFlags2 = vk::PipelineStageFlags2::ALL_COMMANDS;

/// Two queue families, and no submission may wait for what was not submitted.
fn device() -> NullDevice {
    NullDevice::new(
        NullOptions::default()
            .queues(2, 1)
            .owner_only()
            .no_early_waits(),
    )
}

/// A service of the other family's queue.
fn other(null: &NullDevice, change: impl FnOnce(&mut agate_vk::ServiceOptions)) -> Service {
    service(null, |options| {
        options.queue = null.queue_of(1, 0);
        options.queue_family = 1;
        change(options);
    })
}

/// A timeline semaphore of the test's; it is destroyed at its end.
struct Semaphore {
    table: ash::Device,
    semaphore: vk::Semaphore,
}

impl Semaphore {
    fn new(null: &NullDevice) -> Self {
        let table = null.table();
        let mut kind =
            vk::SemaphoreTypeCreateInfo::default().semaphore_type(vk::SemaphoreType::TIMELINE);
        let info = vk::SemaphoreCreateInfo::default().push_next(&mut kind);
        // SAFETY: the device lives.
        let semaphore = unsafe { table.create_semaphore(&info, None) }.expect("a semaphore");
        Self { table, semaphore }
    }

    fn timeline(&self) -> Timeline {
        // SAFETY: it lives as long as the test's services.
        unsafe { Timeline::new(self.semaphore, 0) }
    }

    fn value(&self) -> u64 {
        // SAFETY: the semaphore lives.
        unsafe { self.table.get_semaphore_counter_value(self.semaphore) }.expect("a value")
    }

    fn signal(&self, value: u64) {
        let info = vk::SemaphoreSignalInfo::default()
            .semaphore(self.semaphore)
            .value(value);
        // SAFETY: the semaphore lives.
        unsafe { self.table.signal_semaphore(&info) }.expect("it signals");
    }
}

impl Drop for Semaphore {
    fn drop(&mut self) {
        // SAFETY: the test's services have ended.
        unsafe { self.table.destroy_semaphore(self.semaphore, None) };
    }
}

fn failed(error: FrameError) -> Option<TicketError> {
    Some(TicketError::Frame(error))
}

#[test]
fn within_one_service() {
    let null = device();
    let semaphore = Semaphore::new(&null);
    let timeline = semaphore.timeline();
    let mut service = service(&null, |options| options.frames_in_flight = 3);
    let options = SubmitOptions::default().wait_timeline(&timeline, 1, ALL);
    let mut waits = drawn(&mut service).submit(options);
    // Those behind it go out meanwhile.
    run(&mut service).expect("executed");
    assert!(!waits.is_done());
    let options = SubmitOptions::default().signal_timeline(&timeline, 1, ALL);
    let mut signals = drawn(&mut service).submit(options);
    signals.wait_timeout(LONG).expect("executed");
    waits.wait_timeout(LONG).expect("executed");
    assert_eq!(timeline.submitted(), 1);
    drop(semaphore);
    close(service, &null);
}

#[test]
fn across_two_queues_by_a_timeline() {
    let null = device();
    let semaphore = Semaphore::new(&null);
    let timeline = semaphore.timeline();
    let (mut first, mut second) = (service(&null, |_| ()), other(&null, |_| ()));
    let options = |wait, signal| {
        SubmitOptions::default()
            .wait_timeline(&timeline, wait, ALL)
            .signal_timeline(&timeline, signal, ALL)
    };
    // A chain over both queues, the last link first.
    let mut tickets = Vec::new();
    for link in (0..4).rev() {
        let service = if link % 2 == 0 {
            &mut first
        } else {
            &mut second
        };
        tickets.push(drawn(service).submit(options(link, link + 1)));
    }
    for ticket in &mut tickets {
        ticket.wait_timeout(LONG).expect("executed");
    }
    drop(semaphore);
    assert_eq!(first.shutdown(LONG).leaked, 0);
    close(second, &null);
}

#[test]
fn across_two_queues_by_a_ticket() {
    let null = device();
    let (mut uploads, mut draws) = (service(&null, |_| ()), other(&null, |_| ()));
    for _ in 0..50 {
        let mut frame = uploads.begin_frame_timeout(LONG).expect("a credit");
        let pass = frame.outside(1).expect("room");
        let slot = pass.slot(0).expect("free");
        let mut uploaded = frame.submit(SubmitOptions::default());
        let options = SubmitOptions::default().after(&uploaded, ALL);
        let mut drawn = drawn(&mut draws).submit(options);
        run(&mut draws).expect("executed");
        assert!(!drawn.is_done(), "the upload is not even recorded");
        let recorder = slot.stream().expect("room");
        recorder.finish().expect("the owner is there");
        drawn.wait_timeout(LONG).expect("executed");
        uploaded.wait_timeout(LONG).expect("executed before");
    }
    assert_eq!(uploads.shutdown(LONG).leaked, 0);
    close(draws, &null);
}

#[test]
fn after_frames_of_a_service_that_has_ended() {
    let null = NullDevice::new(NullOptions::default().queues(2, 1).owner_only().manual());
    let (mut first, mut second) = (service(&null, |_| ()), other(&null, |_| ()));
    let mut ticket = submit(&mut first);
    null.release(1);
    ticket.wait_timeout(LONG).expect("executed");
    // It waits for a value that is reached, and is pending when the other service ends.
    let options = SubmitOptions::default().after(&ticket, ALL);
    let mut waits = drawn(&mut second).submit(options);
    until("it is pending", || null.pending() == 1);
    assert_eq!(first.shutdown(LONG).leaked, 0);
    assert_eq!(null.live().semaphores, 2, "the pending frame uses it");
    null.release(1);
    waits.wait_timeout(LONG).expect("executed");
    assert_eq!(null.live().semaphores, 1);
    let options = SubmitOptions::default().after(&ticket, ALL);
    let mut later = drawn(&mut second).submit(options);
    null.release(1);
    later.wait_timeout(LONG).expect("executed");
    close(second, &null);
}

#[test]
fn what_fails_fails_who_waits_for_it() {
    let null = device();
    let semaphore = Semaphore::new(&null);
    let timeline = semaphore.timeline();
    let (mut first, mut second) = (service(&null, |_| ()), other(&null, |_| ()));
    // A frame that loses a slot.
    let mut frame = first.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside(1).expect("room");
    let slot = pass.slot(0).expect("free");
    let lost = frame.submit(SubmitOptions::default());
    let options = SubmitOptions::default().after(&lost, ALL);
    let mut waits = drawn(&mut second).submit(options);
    drop(slot);
    let never = failed(FrameError::NeverSignalled);
    assert_eq!(waits.wait_timeout(LONG).err(), never);
    // A submission that fails, and what waits for those that waited for it.
    let options = SubmitOptions::default()
        .wait_timeline(&timeline, 1, ALL)
        .signal_timeline(&timeline, 2, ALL);
    let mut waits = drawn(&mut second).submit(options);
    let options = SubmitOptions::default().wait_timeline(&timeline, 2, ALL);
    let mut last = drawn(&mut second).submit(options);
    null.fail("vkQueueSubmit2", 1, vk::Result::ERROR_OUT_OF_DEVICE_MEMORY);
    let options = SubmitOptions::default().signal_timeline(&timeline, 1, ALL);
    let mut broken = drawn(&mut first).submit(options);
    assert!(broken.wait_timeout(LONG).is_err());
    assert_eq!(waits.wait_timeout(LONG).err(), never);
    assert_eq!(last.wait_timeout(LONG).err(), never);
    // The values are signalled after all: who waits for them now goes on.
    let options = SubmitOptions::default().signal_timeline(&timeline, 3, ALL);
    let mut signals = drawn(&mut first).submit(options);
    signals.wait_timeout(LONG).expect("executed");
    let options = SubmitOptions::default().wait_timeline(&timeline, 2, ALL);
    let mut next = drawn(&mut second).submit(options);
    next.wait_timeout(LONG).expect("executed");
    // A frame that is discarded has no ticket; one that is only recorded never reaches a queue.
    let recorded = drawn(&mut first).submit(SubmitOptions::record_only());
    let options = SubmitOptions::default().after(&recorded, ALL);
    let mut waits = drawn(&mut second).submit(options);
    assert_eq!(waits.wait_timeout(LONG).err(), never);
    assert_eq!(first.shutdown(LONG).leaked, 0);
    assert_eq!(second.shutdown(LONG).leaked, 0);
    drop(semaphore);
    assert_eq!(null.violations(), []);
}

#[test]
fn what_never_comes_is_waited_for_so_long_and_no_longer() {
    let null = device();
    let semaphore = Semaphore::new(&null);
    let timeline = semaphore.timeline();
    let mut service = service(&null, |options| {
        options.hold_deadline = Duration::from_millis(30);
    });
    let options = SubmitOptions::default().wait_timeline(&timeline, 1, ALL);
    let mut waits = drawn(&mut service).submit(options);
    let error = waits.wait_timeout(LONG).err();
    assert_eq!(error, failed(FrameError::HeldTooLong));
    run(&mut service).expect("executed");
    drop(semaphore);
    close(service, &null);
}

#[test]
fn what_the_host_signals() {
    let null = device();
    let semaphore = Semaphore::new(&null);
    let timeline = semaphore.timeline();
    let mut service = service(&null, |_| ());
    // By a call of its own, which nobody tells the owner of.
    let options = SubmitOptions::default().wait_timeline(&timeline, 1, ALL);
    let mut waits = drawn(&mut service).submit(options);
    run(&mut service).expect("executed");
    assert!(!waits.is_done());
    semaphore.signal(1);
    waits.wait_timeout(LONG).expect("executed");
    drop(semaphore);
    close(service, &null);
}

#[test]
fn a_device_that_is_lost_meanwhile() {
    let null = device();
    let semaphore = Semaphore::new(&null);
    let timeline = semaphore.timeline();
    let mut service = service(&null, |options| options.frames_in_flight = 3);
    let options = SubmitOptions::default().wait_timeline(&timeline, 1, ALL);
    let mut waits = drawn(&mut service).submit(options);
    // Retirement finds out; the queue's owner sleeps.
    null.fail("vkWaitSemaphores", 1, vk::Result::ERROR_DEVICE_LOST);
    assert_eq!(run(&mut service).err(), failed(FrameError::DeviceLost));
    let error = waits.wait_timeout(LONG).err();
    assert_eq!(error, failed(FrameError::DeviceLost));
    drop(semaphore);
    close(service, &null);
}

#[test]
fn a_device_that_is_found_lost_by_looking() {
    let null = device();
    let semaphore = Semaphore::new(&null);
    let timeline = semaphore.timeline();
    let mut service = service(&null, |_| ());
    null.fail(
        "vkGetSemaphoreCounterValue",
        3,
        vk::Result::ERROR_DEVICE_LOST,
    );
    let options = SubmitOptions::default().wait_timeline(&timeline, 1, ALL);
    let mut waits = drawn(&mut service).submit(options);
    let error = waits.wait_timeout(LONG).err();
    assert_eq!(error, failed(FrameError::DeviceLost));
    drop(semaphore);
    close(service, &null);
}

#[test]
fn a_service_that_ends_meanwhile() {
    let null = device();
    let semaphore = Semaphore::new(&null);
    let timeline = semaphore.timeline();
    let (mut first, mut second) = (service(&null, |_| ()), other(&null, |_| ()));
    let options = SubmitOptions::default()
        .wait_timeline(&timeline, 1, ALL)
        .signal_timeline(&timeline, 2, ALL);
    let mut waits = drawn(&mut first).submit(options);
    // The owner looks at the semaphore when it holds the frame back; a frame that is not there yet would be aborted, and
    // signal all the same.
    until("it is held", || {
        null.log().contains(&"vkGetSemaphoreCounterValue")
    });
    let options = SubmitOptions::default().wait_timeline(&timeline, 2, ALL);
    let mut depends = drawn(&mut second).submit(options);
    run(&mut second).expect("executed");
    assert_eq!(first.shutdown(LONG).leaked, 0);
    let error = waits.wait_timeout(LONG).err();
    assert_eq!(error, failed(FrameError::Aborted));
    let error = depends.wait_timeout(LONG).err();
    assert_eq!(error, failed(FrameError::NeverSignalled));
    drop(semaphore);
    close(second, &null);
}

#[test]
fn more_than_there_is_room_for() {
    let null = device();
    let semaphore = Semaphore::new(&null);
    let timeline = semaphore.timeline();
    let mut service = service(&null, |_| ());
    let (mut waits, mut signals) = (SubmitOptions::default(), SubmitOptions::default());
    for value in 0..=agate_vk::MAX_SEMAPHORES as u64 {
        waits = waits.wait_timeline(&timeline, value, ALL);
        signals = signals.signal_timeline(&timeline, value + 1, ALL);
    }
    for options in [waits, signals] {
        // The ticket does not tell before nobody replays what the frame's jobs have recorded.
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let pass = frame.outside(1).expect("room");
        let mut recorder = pass.slot(0).expect("free").stream().expect("room");
        let (enter, entered) = mpsc::channel();
        let (open, opened) = mpsc::channel::<()>();
        // SAFETY: it records nothing.
        unsafe {
            recorder.record(move |_, _| {
                let _ = enter.send(());
                let _ = opened.recv_timeout(LONG);
            });
        }
        recorder.finish().expect("the owner is there");
        entered.recv_timeout(LONG).expect("it is replayed");
        let mut ticket = frame.submit(options);
        assert!(!ticket.is_done());
        open.send(()).expect("it waits");
        let error = ticket.wait_timeout(LONG).err();
        assert_eq!(error, failed(FrameError::TooManySemaphores));
    }
    drop(semaphore);
    close(service, &null);
}

/// A deadline beyond what the clock can say is none.
#[test]
fn with_the_longest_deadline() {
    let null = device();
    let semaphore = Semaphore::new(&null);
    let timeline = semaphore.timeline();
    let mut service = service(&null, |options| options.hold_deadline = Duration::MAX);
    let options = SubmitOptions::default().wait_timeline(&timeline, 1, ALL);
    let mut waits = drawn(&mut service).submit(options);
    // The owner looks a few times meanwhile.
    let early = waits.wait_timeout(Duration::from_millis(100)).err();
    assert_eq!(early, Some(TicketError::TimedOut));
    semaphore.signal(1);
    waits.wait_timeout(LONG).expect("executed");
    drop(semaphore);
    close(service, &null);
}

/// What the host gives itself is waited for and signalled: the device would complain of a binary semaphore that is
/// signalled twice without a wait, or the other way round, and would run what waits for nothing at once.
#[test]
fn semaphores_of_the_hosts_own_are_waited_for_and_signalled() {
    let null = NullDevice::new(NullOptions::default().owner_only());
    let semaphore = Semaphore::new(&null);
    let table = null.table();
    let info = vk::SemaphoreCreateInfo::default();
    // SAFETY: the device lives.
    let binary = unsafe { table.create_semaphore(&info, None) }.expect("a semaphore");
    let at = |semaphore, value| {
        let info = vk::SemaphoreSubmitInfo::default().semaphore(semaphore);
        [info.value(value).stage_mask(ALL)]
    };
    let mut service = service(&null, |_| ());
    let (signal, five) = (at(binary, 0), at(semaphore.semaphore, 5));
    for _ in 0..3 {
        // SAFETY: it is signalled, and then waited for once.
        let options = unsafe { SubmitOptions::default().signals(&signal) };
        let mut ticket = drawn(&mut service).submit(options);
        ticket.wait_timeout(LONG).expect("executed");
        // SAFETY: as above.
        let options = unsafe { SubmitOptions::default().waits(&signal) };
        let mut ticket = drawn(&mut service).submit(options);
        ticket.wait_timeout(LONG).expect("executed");
    }
    // SAFETY: the value grows.
    let options = unsafe { SubmitOptions::default().signals(&five) };
    let mut ticket = drawn(&mut service).submit(options);
    ticket.wait_timeout(LONG).expect("executed");
    let told = |semaphore: &Semaphore| {
        // SAFETY: the semaphore lives.
        unsafe {
            semaphore
                .table
                .get_semaphore_counter_value(semaphore.semaphore)
        }
    };
    assert_eq!(told(&semaphore), Ok(5));
    let seven = at(semaphore.semaphore, 7);
    // SAFETY: the host signals it.
    let options = unsafe { SubmitOptions::default().waits(&seven) };
    let mut waits = drawn(&mut service).submit(options);
    until("it is submitted", || service.counters().submissions == 8);
    assert_eq!((null.pending(), waits.is_done()), (1, false));
    semaphore.signal(7);
    waits.wait_timeout(LONG).expect("executed");
    // SAFETY: nothing is pending.
    unsafe { table.destroy_semaphore(binary, None) };
    drop(semaphore);
    close(service, &null);
}

/// What a frame was to signal does not come where the queue hears nothing of it.
#[test]
fn what_is_given_up_signals_nothing() {
    let null = device();
    let (semaphore, signalled) = (Semaphore::new(&null), Semaphore::new(&null));
    let timeline = semaphore.timeline();
    let mut service = service(&null, |options| {
        options.hold_deadline = Duration::from_millis(1);
    });
    let signals = [vk::SemaphoreSubmitInfo::default()
        .semaphore(signalled.semaphore)
        .value(1)
        .stage_mask(ALL)];
    // SAFETY: the semaphore outlives the frame, and its values grow.
    let options = unsafe { SubmitOptions::default().signals(&signals) };
    let mut waits = drawn(&mut service).submit(options.wait_timeline(&timeline, 1, ALL));
    let error = waits.wait_timeout(LONG).err();
    assert_eq!(error, failed(FrameError::HeldTooLong));
    assert_eq!(signalled.value(), 0);
    // One that fails otherwise signals.
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    drop(frame.outside(1).expect("room"));
    // SAFETY: as above.
    let options = unsafe { SubmitOptions::default().signals(&signals) };
    assert!(frame.submit(options).wait_timeout(LONG).is_err());
    assert_eq!(signalled.value(), 1);
    drop((semaphore, signalled));
    close(service, &null);
}

/// Where memory runs out for several submissions together, each still has its own fate.
#[test]
fn submissions_that_fail_together_are_tried_one_by_one() {
    for failing in [1, 2] {
        let null = device();
        let semaphore = Semaphore::new(&null);
        let timeline = semaphore.timeline();
        let mut service = service(&null, |options| options.frames_in_flight = 4);
        let options = || SubmitOptions::default().wait_timeline(&timeline, 1, ALL);
        let mut tickets: Vec<_> = (0..3)
            .map(|_| drawn(&mut service).submit(options()))
            .collect();
        until("they are held back", || service.counters().held == 3);
        // The first call is that of what they wait for, the second theirs, the third that of the first of them alone.
        let out = vk::Result::ERROR_OUT_OF_DEVICE_MEMORY;
        (2..2 + failing).for_each(|nth| null.fail("vkQueueSubmit2", nth, out));
        let options = SubmitOptions::default().signal_timeline(&timeline, 1, ALL);
        let mut signals = drawn(&mut service).submit(options);
        signals.wait_timeout(LONG).expect("executed");
        let ended = tickets.iter_mut().map(|ticket| ticket.wait_timeout(LONG));
        let ended: Vec<_> = ended.map(|ended| ended.map(|_| ())).collect();
        let (call, result) = ("vkQueueSubmit2", out);
        let error = Err(TicketError::Frame(FrameError::Vulkan { call, result }));
        let first = if failing == 1 { Ok(()) } else { error };
        assert_eq!(ended, [first, Ok(()), Ok(())]);
        let counters = service.counters();
        assert_eq!(
            (counters.largest_batch, counters.submit_calls),
            (3, 1 + 1 + 3)
        );
        drop(semaphore);
        close(service, &null);
    }
}
