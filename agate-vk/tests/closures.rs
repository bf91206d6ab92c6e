//! Closures among the commands: called in their turn, once; or dropped, once, wherever their block is discarded.

#![allow(unsafe_code, reason = "every Vulkan command is unsafe")]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "several commands are recorded in one go"
)]

#[path = "support/null.rs"]
mod support;

use agate_vk::{
    FrameError, MissingSlot, Pass, RecordError, Recorder, SlotLoss, StreamRecorder, SubmitOptions,
    Ticket, TicketError, ash, vk,
};
use ash::vk::Handle;
use null_device::{Call, NullDevice, NullOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::{LONG, checked, close, draw, run, service, until};

/// What became of the closures of a test.
#[derive(Default)]
struct Fates {
    made: AtomicUsize,
    called: AtomicUsize,
    dropped: AtomicUsize,
}

/// What a closure captures.
struct Witness(Arc<Fates>);

impl Witness {
    fn new(fates: &Arc<Fates>) -> Self {
        fates.made.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(fates))
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

impl Fates {
    /// Records a closure that does nothing but leave its trace.
    fn record(self: &Arc<Self>, recorder: &mut impl Recorder) {
        let witness = Witness::new(self);
        let act = move |_: &ash::Device, _| {
            witness.0.called.fetch_add(1, Ordering::Relaxed);
        };
        // SAFETY: it makes no command.
        unsafe { recorder.record(act) };
    }

    /// How many were called, and how many dropped without.
    fn counts(&self) -> (usize, usize) {
        let number = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        let called = number(&self.called);
        (called, number(&self.dropped) - called)
    }

    /// All are gone, each once; so many were called.
    fn expect(&self, called: usize) {
        let made = self.made.load(Ordering::Relaxed);
        assert_eq!(self.counts(), (called, made - called));
    }
}

/// Records a draw that says where it stands, as a command or by a closure.
fn number(recorder: &mut impl Recorder, number: u32, by_closure: bool) {
    // SAFETY: the device takes any command.
    unsafe {
        if by_closure {
            recorder.record(move |device, buffer| device.cmd_draw(buffer, number, 1, 0, 0));
        } else {
            recorder.cmd_draw(number, 1, 0, 0);
        }
    }
}

fn capturing() -> NullDevice {
    NullDevice::new(NullOptions::default().owner_only().capture().manual())
}

/// What the device was given by a frame that is pending, and the end of that frame.
fn captured(null: &NullDevice, mut ticket: Ticket) -> Vec<Call> {
    until("the frame is submitted", || null.pending() == 1);
    let calls = null.captured(null.buffers()[0]);
    null.release(1);
    ticket.wait_timeout(LONG).expect("executed");
    calls
}

/// The same numbers, some of them drawn by closures and in other blocks, always reach the device in order.
#[test]
fn closures_run_in_their_turn() {
    let null = capturing();
    let mut service = service(&null, |options| {
        options.block_bytes = 4 << 10;
        options.frames_in_flight = 1;
    });
    let (slots, each) = (3, MANY);
    let mut all: Vec<Vec<Call>> = Vec::new();
    for by_closure in [
        |_: u32| false,
        |n: u32| n % 3 == 0,
        |n: u32| n % 97 == 1,
        |_: u32| true,
    ] {
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let pass = frame.outside(slots).expect("room");
        for slot in (0..slots).rev() {
            let mut recorder = pass.slot(slot).expect("free").stream().expect("room");
            for n in slot * each..(slot + 1) * each {
                if n % 2 == 0 {
                    number(&mut recorder, n, by_closure(n));
                } else {
                    recorder.enter(|recorder| number(recorder, n, by_closure(n)));
                }
            }
            recorder.finish().expect("the owner is there");
        }
        all.push(captured(&null, frame.submit(SubmitOptions::default())));
    }
    assert_eq!(all[0].len(), (slots * each) as usize);
    assert!(all.iter().all(|calls| *calls == all[0]));
    close(service, &null);
}

/// After a closure, which may bind anything, a command says again all that it needs: also where the one before it has said
/// the same.
#[test]
fn commands_around_a_closure_mean_what_they_say() {
    let null = capturing();
    let mut service = service(&null, |options| options.frames_in_flight = 1);
    let mut all = Vec::new();
    for by_closure in [false, true] {
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let pass = frame.outside(1).expect("room");
        let mut recorder = pass.slot(0).expect("free").stream().expect("room");
        let draw = |recorder: &mut StreamRecorder, pipeline: u64| {
            let point = vk::PipelineBindPoint::GRAPHICS;
            let (layout, stages) = (vk::PipelineLayout::null(), vk::ShaderStageFlags::VERTEX);
            // SAFETY: the device takes any command.
            unsafe {
                recorder.cmd_bind_pipeline(point, vk::Pipeline::from_raw(pipeline));
                recorder.cmd_bind_vertex_buffers(0, &[vk::Buffer::from_raw(7)], &[0]);
                recorder.push_constants(layout, stages, 0, &[1u32, 2]);
            }
        };
        for n in 0..4 {
            draw(&mut recorder, 1);
            // Neither joins with the push before it.
            number(&mut recorder, n, by_closure);
            number(&mut recorder, n, false);
        }
        recorder.finish().expect("the owner is there");
        all.push(captured(&null, frame.submit(SubmitOptions::default())));
    }
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0].len(), 4 * 5);
    close(service, &null);
}

#[repr(align(64))]
struct Aligned([u8; 64]);

#[repr(align(4096))]
struct Page([u8; 4096]);

#[test]
fn closures_of_any_size_and_alignment_keep_what_they_captured() {
    let null = checked();
    let mut service = service(&null, |options| options.block_bytes = 4 << 10);
    let fates = Arc::new(Fates::default());
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside(1).expect("room");
    let mut recorder = pass.slot(0).expect("free").stream().expect("room");
    let rounds = if cfg!(miri) { 3 } else { 40 };
    for round in 0..rounds {
        let witness = |_| Witness::new(&fates);
        let called = |witness: &Witness| witness.0.called.fetch_add(1, Ordering::Relaxed);
        let (byte, words) = (round as u8, [round; 3]);
        let (aligned, page) = (Aligned([byte; 64]), Page([byte; 4096]));
        let (half, large) = ([byte; 3600], [byte; 20_000]);
        let witnesses = [0, 1, 2, 3, 4, 5].map(witness);
        let [one, two, three, four, five, six] = witnesses;
        // SAFETY: they make no command.
        unsafe {
            recorder.record(|_, _| ());
            recorder.record(move |_, _| {
                assert_eq!(byte, round as u8);
                called(&one);
            });
            recorder.record(move |_, _| {
                assert_eq!(words, [round; 3]);
                called(&two);
            });
            recorder.record(move |_, _| {
                assert_eq!(std::ptr::from_ref(&aligned).addr() % 64, 0);
                assert_eq!(aligned.0, [round as u8; 64]);
                called(&three);
            });
            recorder.record(move |_, _| {
                assert_eq!(half, [round as u8; 3600]);
                called(&four);
            });
            recorder.record(move |_, _| {
                assert_eq!(std::ptr::from_ref(&page).addr() % 4096, 0);
                assert_eq!(page.0, [round as u8; 4096]);
                called(&five);
            });
            recorder.record(move |_, _| {
                assert_eq!(large, [round as u8; 20_000]);
                called(&six);
            });
        }
    }
    recorder.finish().expect("the owner is there");
    let mut ticket = frame.submit(SubmitOptions::default());
    let report = ticket.wait_timeout(LONG).expect("no closure panicked");
    assert_eq!(report.commands, 7 * rounds);
    fates.expect(6 * rounds as usize);
    close(service, &null);
}

/// More than a block has room for.
const MANY: u32 = if cfg!(miri) { 150 } else { 300 };

/// Records more closures than a block has room for, so that some are published before the end.
fn many(pass: &Pass, slot: u32, fates: &Arc<Fates>) -> StreamRecorder {
    let mut recorder = pass.slot(slot).expect("free").stream().expect("room");
    for n in 0..MANY {
        fates.record(&mut recorder);
        number(&mut recorder, n, false);
    }
    recorder
}

/// A way to record slot 1 of 3, and what the frame says then.
type Way = (fn(&Pass, &Arc<Fates>), SlotLoss);

const WAYS: [Way; 4] = [
    (|pass, fates| drop(many(pass, 1, fates)), SlotLoss::Dropped),
    (panics, SlotLoss::Panicked),
    (
        fails,
        SlotLoss::Failed(RecordError::BadArgument {
            command: "vkCmdPushConstants",
            argument: "constants",
        }),
    ),
    (
        |pass, _| drop(pass.slot(1).expect("free")),
        SlotLoss::Dropped,
    ),
];

fn panics(pass: &Pass, fates: &Arc<Fates>) {
    let job = std::thread::scope(|threads| {
        let job = threads.spawn(|| {
            let mut recorder = many(pass, 1, fates);
            recorder.enter(|recorder| {
                fates.record(recorder);
                std::panic::resume_unwind(Box::new("on purpose"));
            })
        });
        job.join()
    });
    assert!(job.is_err());
}

/// Records on behind an error, in block after block.
fn fails(pass: &Pass, fates: &Arc<Fates>) {
    let mut recorder = many(pass, 1, fates);
    for _ in 0..MANY {
        let (layout, stages) = (vk::PipelineLayout::null(), vk::ShaderStageFlags::VERTEX);
        // SAFETY: what Vulkan cannot take is refused.
        unsafe { recorder.cmd_push_constants(layout, stages, 0, &[0; 3]) };
        fates.record(&mut recorder);
    }
    assert!(recorder.finish().is_err());
}

#[test]
fn closures_of_lost_slots_are_dropped() {
    for policy in [MissingSlot::Fail, MissingSlot::Skip] {
        for (way, loss) in WAYS {
            // Whether the others finish before or after.
            for before in [true, false] {
                if cfg!(miri) && (before || policy == MissingSlot::Skip) {
                    continue;
                }
                let null = checked();
                let mut service = service(&null, |options| {
                    options.block_bytes = 4 << 10;
                    options.missing_slot = policy;
                });
                let (lost, others) = (Arc::default(), Arc::default());
                let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
                let pass = frame.outside(3).expect("room");
                let others_record = || {
                    for slot in [2, 0] {
                        let recorder = many(&pass, slot, &others);
                        recorder.finish().expect("the owner is there");
                    }
                };
                if before {
                    others_record();
                }
                way(&pass, &lost);
                if !before {
                    others_record();
                }
                let result = frame
                    .submit(SubmitOptions::default())
                    .wait_timeout(LONG)
                    .map(|_| ());
                if policy == MissingSlot::Skip {
                    assert_eq!(result, Ok(()));
                    lost.expect(0);
                    others.expect(2 * MANY as usize);
                } else {
                    let (pass, slot) = (0, 1);
                    let error = FrameError::SlotLost { pass, slot, loss };
                    assert_eq!(result, Err(TicketError::Frame(error)));
                }
                assert!(run(&mut service).is_ok());
                close(service, &null);
                lost.expect(lost.counts().0);
                others.expect(others.counts().0);
            }
        }
    }
}

#[test]
fn closures_of_frames_that_are_given_up_are_dropped() {
    let null = checked();
    let mut service = service(&null, |options| {
        options.block_bytes = 4 << 10;
        options.slot_deadline = Duration::ZERO;
    });
    let fates = Arc::new(Fates::default());
    let frame_with = |service: &mut agate_vk::Service| {
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let pass = frame.outside(2).expect("room");
        let recorder = many(&pass, 1, &fates);
        (frame, recorder)
    };
    // Discarded, with a finished slot and without; and where a slot comes when all is over.
    let (frame, recorder) = frame_with(&mut service);
    recorder.finish().expect("the owner is there");
    drop(frame);
    let (frame, recorder) = frame_with(&mut service);
    drop(frame);
    drop(recorder);
    let (frame, late) = frame_with(&mut service);
    let mut ticket = frame.submit(SubmitOptions::default());
    assert!(ticket.wait_timeout(LONG).is_err());
    late.finish().expect("the owner is there");
    // Open when the service ends, and recorded to when it has ended.
    let (frame, finished) = frame_with(&mut service);
    finished.finish().expect("the owner is there");
    let (_other, after) = frame_with(&mut service);
    close(service, &null);
    assert_eq!(after.finish(), Err(RecordError::Closed));
    drop(frame);
    fates.expect(0);
}

#[test]
fn closures_of_a_device_that_is_lost_are_dropped() {
    let null = checked();
    let mut service = service(&null, |options| options.block_bytes = 4 << 10);
    let fates = Arc::new(Fates::default());
    null.fail("vkEndCommandBuffer", 0, vk::Result::ERROR_DEVICE_LOST);
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside(2).expect("room");
    let mut next = service.begin_frame_timeout(LONG).expect("a credit");
    let next_pass = next.outside(2).expect("room");
    for slot in [1, 0] {
        let finished = many(&pass, slot, &fates).finish();
        finished.expect("the owner is there");
    }
    let mut ticket = frame.submit(SubmitOptions::default());
    let lost = Err(TicketError::Frame(FrameError::DeviceLost));
    assert_eq!(ticket.wait_timeout(LONG).map(|_| ()), lost);
    for slot in [1, 0] {
        let _ = many(&next_pass, slot, &fates).finish();
    }
    let mut ticket = next.submit(SubmitOptions::default());
    assert_eq!(ticket.wait_timeout(LONG).map(|_| ()), lost);
    assert_eq!(service.shutdown(LONG).leaked, 0);
    fates.expect(fates.counts().0);
    assert!(fates.counts().0 >= 2 * MANY as usize);
}

#[test]
fn without_blocks_closures_are_dropped() {
    let null = checked();
    let mut service = service(&null, |options| {
        options.block_bytes = 4 << 10;
        options.max_block_bytes = 4 * options.block_bytes;
    });
    let fates = Arc::new(Fates::default());
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside(2).expect("room");
    // Its blocks wait for slot 0.
    let mut recorder = many(&pass, 1, &fates);
    for _ in 0..1000 {
        fates.record(&mut recorder);
    }
    let error = RecordError::OutOfBlocks { max_blocks: 4 };
    assert_eq!(recorder.finish(), Err(error));
    drop(pass.slot(0));
    let mut ticket = frame.submit(SubmitOptions::default());
    assert!(ticket.wait_timeout(LONG).is_err());
    close(service, &null);
    fates.expect(0);
}

/// A panic whose payload, and whose captured value, panic when they are dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            std::panic::resume_unwind(Box::new("in a drop, on purpose"));
        }
    }
}

#[test]
fn a_closure_that_panics_fails_its_frame_alone() {
    for policy in [MissingSlot::Fail, MissingSlot::Skip] {
        let null = checked();
        let mut service = service(&null, |options| {
            options.block_bytes = 4 << 10;
            options.missing_slot = policy;
        });
        let (before, after) = (Arc::default(), Arc::default());
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        draw(&frame.outside(1).expect("room"), 0);
        let pass = frame.outside(2).expect("room");
        let mut recorder = pass.slot(0).expect("free").stream().expect("room");
        let before: &Arc<Fates> = &before;
        before.record(&mut recorder);
        let witness = Witness::new(before);
        // Where memory is watched, what is leaked on purpose would be a finding.
        let payload = (!cfg!(miri)).then(|| Bomb);
        let bad = move |_: &ash::Device, _| {
            witness.0.called.fetch_add(1, Ordering::Relaxed);
            std::panic::resume_unwind(Box::new(payload));
        };
        // SAFETY: it makes no command.
        unsafe { recorder.record(bad) };
        // Behind it in its block, in the blocks behind that, and in the slot behind.
        for n in 0..MANY {
            Fates::record(&after, &mut recorder);
            number(&mut recorder, n, false);
        }
        recorder.finish().expect("the owner is there");
        let finished = many(&pass, 1, &after).finish();
        finished.expect("the owner is there");
        let error = FrameError::SlotLost {
            pass: 1,
            slot: 0,
            loss: SlotLoss::ClosurePanicked,
        };
        assert!(!error.to_string().contains('\n'), "{error}");
        let mut ticket = frame.submit(SubmitOptions::default());
        let result = ticket.wait_timeout(LONG).map(|_| ());
        assert_eq!(result, Err(TicketError::Frame(error)));
        before.expect(2);
        after.expect(0);
        for _ in 0..4 {
            assert_eq!(run(&mut service).map(|report| report.commands), Ok(1));
        }
        close(service, &null);
    }
}

#[test]
fn a_panic_in_the_drop_of_a_closure_ends_there() {
    let null = checked();
    let mut service = service(&null, |_| ());
    let fates = Arc::new(Fates::default());
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let pass = frame.outside(2).expect("room");
    let mut recorders: Vec<_> = (0..2)
        .map(|slot| pass.slot(slot).expect("free").stream().expect("room"))
        .collect();
    for recorder in &mut recorders {
        for _ in 0..3 {
            fates.record(recorder);
            let bomb = Bomb;
            // SAFETY: it makes no command.
            unsafe { recorder.record(move |_, _| std::mem::forget(bomb)) };
        }
    }
    // One is discarded here, the other by the owner.
    drop(recorders.remove(0));
    let finished = recorders.remove(0).finish();
    finished.expect("the owner is there");
    let mut ticket = frame.submit(SubmitOptions::default());
    assert!(ticket.wait_timeout(LONG).is_err());
    assert!(run(&mut service).is_ok());
    close(service, &null);
    fates.expect(0);
}

/// The pools' owner drops them, or the thread that discards; neither holds anything then that their drop needs.
#[test]
fn the_drop_of_a_closure_may_use_the_service() {
    struct Draws(Pass, Arc<AtomicUsize>);
    impl Drop for Draws {
        fn drop(&mut self) {
            let recorder = self.0.next_slot().expect("a free slot").stream();
            recorder
                .expect("room")
                .finish()
                .expect("the owner is there");
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }
    let null = checked();
    let mut service = service(&null, |options| options.missing_slot = MissingSlot::Skip);
    for by_owner in [false, true] {
        let drops = Arc::new(AtomicUsize::new(0));
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let pass = frame.outside(3).expect("room");
        let mut recorder = pass.next_slot().expect("free").stream().expect("room");
        for _ in 0..2 {
            let draws = Draws(pass.clone(), Arc::clone(&drops));
            let act = move |_: &ash::Device, _| drop(draws);
            // SAFETY: it makes no command.
            unsafe { recorder.record(act) };
        }
        if by_owner {
            recorder.finish().expect("the owner is there");
        } else {
            drop(recorder);
        }
        until("both are dropped", || drops.load(Ordering::Relaxed) == 2);
        let mut ticket = frame.submit(SubmitOptions::default());
        assert!(ticket.wait_timeout(LONG).is_ok());
    }
    close(service, &null);
}
