//! What is kept alive until a frame is over, and what is done then: after it was executed, and in all cases where it never
//! is. While the GPU may still use the frame, nothing is.

#![allow(unsafe_code, reason = "makes services")]

#[path = "support/null.rs"]
mod support;

use agate_vk::{BeginError, MissingSlot, Recorder, Slot, SubmitOptions, vk};
use null_device::{NullDevice, NullOptions};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::sync::{Arc, Weak};
use std::thread::ThreadId;
use std::time::Duration;
use support::{Bomb, LONG, checked, close, drawn, explode, manual, run, service, until};

/// Something whose end is told, with the thread of it.
struct Told(mpsc::Sender<ThreadId>);

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.send(std::thread::current().id());
    }
}

fn told() -> (Arc<Told>, Receiver<ThreadId>) {
    let (tell, end) = mpsc::channel();
    (Arc::new(Told(tell)), end)
}

/// It has ended, on an owner's thread.
#[track_caller]
fn ended(end: &Receiver<ThreadId>) {
    let thread = end.recv_timeout(LONG).expect("it ends");
    assert_ne!(thread, std::thread::current().id());
}

#[test]
fn after_the_frame_was_executed() {
    let null = manual();
    let mut service = service(&null, |_| ());
    let mut frame = drawn(&mut service);
    let (value, end) = told();
    let weak: Weak<Told> = Arc::downgrade(&value);
    frame.keep_alive(value);
    let times = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&times);
    frame.destroy_after(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let mut ticket = frame.submit(SubmitOptions::default());
    // More, when it is on its way.
    let count = Arc::clone(&times);
    ticket.destroy_after(move || {
        count.fetch_add(10, Ordering::Relaxed);
    });
    until("it is pending", || null.pending() == 1);
    assert!(weak.upgrade().is_some() && times.load(Ordering::Relaxed) == 0);
    null.release(1);
    ticket.wait_timeout(LONG).expect("executed");
    // Before the ticket resolves.
    assert!(weak.upgrade().is_none());
    assert_eq!(times.load(Ordering::Relaxed), 11);
    ended(&end);
    // After it is over: here and now.
    let (value, end) = told();
    ticket.keep_alive(value);
    assert_eq!(end.try_recv(), Ok(std::thread::current().id()));
    close(service, &null);
}

#[test]
fn where_the_frame_is_discarded_or_fails() {
    let null = checked();
    let mut service = service(&null, |_| ());
    // Discarded.
    let (value, end) = told();
    let mut frame = drawn(&mut service);
    frame.keep_alive(value);
    drop(frame);
    ended(&end);
    // A slot is lost.
    let (value, end) = told();
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    frame.keep_alive(value);
    drop(frame.outside(1));
    let mut ticket = frame.submit(SubmitOptions::default());
    assert!(ticket.wait_timeout(LONG).is_err());
    ended(&end);
    // It is only recorded.
    let (value, end) = told();
    let mut frame = drawn(&mut service);
    frame.keep_alive(value);
    drop(frame.submit(SubmitOptions::record_only()));
    ended(&end);
    // What is asked of the submission is refused.
    let (value, end) = told();
    let mut frame = drawn(&mut service);
    frame.keep_alive(value);
    let signals = [vk::SemaphoreSubmitInfo::default()];
    // SAFETY: it is refused.
    let options = unsafe { SubmitOptions::record_only().signals(&signals) };
    assert!(frame.submit(options).wait_timeout(LONG).is_err());
    ended(&end);
    // The submission fails.
    let (value, end) = told();
    let mut frame = drawn(&mut service);
    frame.keep_alive(value);
    null.fail("vkQueueSubmit2", 1, vk::Result::ERROR_OUT_OF_HOST_MEMORY);
    drop(frame.submit(SubmitOptions::default()));
    ended(&end);
    run(&mut service).expect("executed");
    close(service, &null);
}

#[test]
fn one_that_panics_takes_nobody_along() {
    let null = checked();
    let mut service = service(&null, |_| ());
    let (value, end) = told();
    let mut frame = drawn(&mut service);
    frame.destroy_after(|| panic!("planted"));
    frame.destroy_after(|| explode());
    frame.keep_alive(Arc::new(Bomb));
    frame.keep_alive(value);
    let mut ticket = frame.submit(SubmitOptions::default());
    ticket.wait_timeout(LONG).expect("executed");
    ended(&end);
    // Nor the caller, where the frame is over.
    ticket.destroy_after(|| panic!("planted"));
    ticket.destroy_after(|| explode());
    ticket.keep_alive(Arc::new(Bomb));
    run(&mut service).expect("executed");
    close(service, &null);
}

/// Keeps something alive from a recording.
fn kept(recorder: &mut impl Recorder) -> Receiver<ThreadId> {
    let (value, end) = told();
    recorder.keep_alive(value);
    end
}

/// Has slot 0 of its own frame recorded, and lost or not, and says what was kept alive by it.
type Record = fn(Slot) -> Vec<Receiver<ThreadId>>;

const LANES: [Record; 4] = [
    |slot| {
        let mut recorder = slot.stream().expect("room");
        let mut all = vec![kept(&mut recorder)];
        all.push(recorder.enter(|recorder| kept(recorder)));
        all.push(recorder.eliminate(|recorder| kept(recorder)));
        recorder.finish().expect("the owner is there");
        all
    },
    |slot| {
        let mut recorder = slot.lease().expect("a pool");
        let all = vec![kept(&mut recorder)];
        recorder.finish().expect("the owner is there");
        all
    },
    |slot| {
        let mut recorder = slot.record().expect("room");
        let all = vec![kept(&mut recorder)];
        recorder.finish().expect("the owner is there");
        all
    },
    // Its slot is lost, and the frame goes on.
    |slot| vec![kept(&mut slot.stream().expect("room"))],
];

#[test]
fn what_a_job_keeps_alive() {
    for shards in [0, 2] {
        let null = NullDevice::new(NullOptions::default().checked().manual());
        let mut service = service(&null, |options| {
            options.shards = shards;
            options.missing_slot = MissingSlot::Skip;
        });
        for record in LANES {
            for submitted in [true, false] {
                let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
                let slot = frame.outside_secondaries(1).expect("room").slot(0);
                let all = record(slot.expect("free"));
                let alive = || all.iter().all(|end| end.try_recv().is_err());
                if !submitted {
                    assert!(alive());
                    drop(frame);
                } else {
                    let mut ticket = frame.submit(SubmitOptions::default());
                    until("it is pending", || null.pending() == 1);
                    assert!(alive(), "the GPU may use it");
                    null.release(1);
                    ticket.wait_timeout(LONG).expect("executed");
                }
                for end in &all {
                    end.recv_timeout(LONG).expect("it ends");
                }
            }
        }
        close(service, &null);
    }
}

/// Of a recording whose frame is over nothing will be executed.
#[test]
fn what_a_late_job_keeps_alive() {
    let null = NullDevice::new(NullOptions::default().checked());
    let mut service = service(&null, |options| {
        options.slot_deadline = Duration::from_millis(1);
        options.frames_in_flight = 1;
    });
    for frames in 0..2 {
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let slot = frame.outside(1).expect("room").slot(0).expect("free");
        let mut recorder = slot.stream().expect("room");
        let mut ticket = frame.submit(SubmitOptions::default());
        assert!(ticket.wait_timeout(LONG).is_err(), "it was given up");
        // Whether or not another frame has its place by now.
        let later = (frames > 0).then(|| drawn(&mut service));
        let end = kept(&mut recorder);
        assert_eq!(end.try_recv(), Ok(std::thread::current().id()));
        let _ = recorder.finish();
        drop(later);
    }
    close(service, &null);
}

#[test]
fn where_the_device_is_lost() {
    let null = manual();
    let mut service = service(&null, |options| options.frames_in_flight = 3);
    let keep = |frame: &mut agate_vk::Frame| {
        let (value, end) = told();
        frame.keep_alive(value);
        end
    };
    let mut pending = drawn(&mut service);
    let first = keep(&mut pending);
    let mut pending = pending.submit(SubmitOptions::default());
    until("it is pending", || null.pending() == 1);
    let mut open = drawn(&mut service);
    let second = keep(&mut open);
    let mut struck = drawn(&mut service);
    let third = keep(&mut struck);
    null.fail("vkQueueSubmit2", 1, vk::Result::ERROR_DEVICE_LOST);
    drop(struck.submit(SubmitOptions::default()));
    ended(&third);
    ended(&first);
    assert!(pending.wait_timeout(LONG).is_err());
    drop(open);
    ended(&second);
    let error = service.try_begin_frame().err();
    assert_eq!(error, Some(BeginError::DeviceLost));
    close(service, &null);
}

#[test]
fn where_the_service_ends() {
    let null = checked();
    let mut service = service(&null, |_| ());
    // Recorded, but for one slot.
    let (value, end) = told();
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    frame.keep_alive(value);
    let slot = frame.outside(1).expect("room").slot(0).expect("free");
    let ticket = frame.submit(SubmitOptions::default());
    // Not submitted when the service ends: it goes with the frame.
    let (other, later) = told();
    let mut open = drawn(&mut service);
    open.keep_alive(other);
    close(service, &null);
    ended(&end);
    assert!(later.try_recv().is_err());
    drop(open);
    assert!(later.try_recv().is_ok());
    drop((slot, ticket));
}

/// What is to be done later, too, is not done while the GPU may still use the frame.
fn hang(null: &NullDevice) -> (u32, [Receiver<ThreadId>; 2]) {
    let mut service = service(null, |_| ());
    let (value, end) = told();
    let mut frame = drawn(&mut service);
    frame.keep_alive(value);
    let ticket = frame.submit(SubmitOptions::default());
    until("it is pending", || null.pending() == 1);
    let leaked = service.shutdown(Duration::from_millis(50)).leaked;
    let (value, later) = told();
    ticket.keep_alive(value);
    (leaked, [end, later])
}

#[test]
fn where_the_device_hangs_nothing_is_done() {
    let null = manual();
    let (leaked, ends) = hang(&null);
    for end in ends {
        assert_eq!(
            end.try_recv(),
            Err(TryRecvError::Empty),
            "the GPU may use it"
        );
    }
    // Retirement's owner gave up, the pool and the timeline stay, and so does what was kept alive.
    assert_eq!(leaked, 3);
    assert_eq!(null.violations(), []);
}
