//! A service ends at any moment, under load: in time, with every ticket resolved, no rule broken, nothing left behind;
//! and a fresh one on the same device works.

#![allow(unsafe_code, reason = "records commands")]

#[path = "support/null.rs"]
mod support;

use agate_vk::{Pass, Recorder, SubmitOptions, Ticket, TicketError, vk};
use null_device::{Live, NullDevice, NullOptions};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use support::{LONG, Random, acquire, checked, close, run, service, swapchain};

/// How many services end: more when asked to go deep.
fn rounds() -> u64 {
    if std::env::var_os("AGATE_DEEP").is_some() {
        1000
    } else {
        60
    }
}

/// Takes slots of passes as they come; now and then one is forgotten or its job panics.
fn work(passes: &mpsc::Receiver<Pass>, random: &mut Random) {
    while let Ok(pass) = passes.recv_timeout(LONG) {
        while let Ok(slot) = pass.next_slot() {
            if random.below(100) == 0 {
                continue;
            }
            let Ok(mut recorder) = slot.stream() else {
                continue;
            };
            for step in 0..random.below(40) {
                // SAFETY: the device takes any command.
                unsafe { recorder.cmd_draw(3, 1, 0, step as u32) };
            }
            if random.below(100) == 0 {
                drop(recorder);
            } else {
                let _ = recorder.finish();
            }
        }
    }
}

/// One service, from its start to its end after some frames, whose tickets come back.
fn round(seed: u64) {
    let null = checked();
    let mut random = Random(seed);
    let mut service = service(&null, |options| {
        options.block_bytes = 4096;
        options.max_block_bytes = 64 * 4096;
        options.frames_in_flight = 1 + random.below(4) as u32;
    });
    let chain = swapchain(&mut service, &null, (64, 64));
    let mut tickets: Vec<Ticket> = Vec::new();
    let mut began = Instant::now();
    let mut report = None;
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2)
            .map(|worker| {
                let (send, receive) = mpsc::channel::<Pass>();
                let mut random = Random(seed ^ (worker + 1) << 32);
                scope.spawn(move || work(&receive, &mut random));
                send
            })
            .collect();
        for _ in 0..random.below(20) {
            let image = match random.below(4) {
                0 => acquire(&chain).ok(),
                1 => {
                    drop(chain.acquire(LONG));
                    None
                }
                _ => None,
            };
            let Ok(mut frame) = service.begin_frame_timeout(LONG) else {
                break;
            };
            for _ in 0..=random.below(2) {
                let pass = frame.outside(1 + random.below(6) as u32).expect("room");
                for worker in &workers {
                    let _ = worker.send(pass.clone());
                }
            }
            if random.below(10) == 0 {
                continue;
            }
            let options = match image {
                Some(image) => {
                    SubmitOptions::default().present(image, vk::PipelineStageFlags2::ALL_COMMANDS)
                }
                None => SubmitOptions::default(),
            };
            tickets.push(frame.submit(options));
        }
        // Any moment: the workers, the owners and the device are somewhere.
        (0..random.below(2000)).for_each(|_| std::hint::spin_loop());
        began = Instant::now();
        report = Some(service.shutdown(LONG));
    });
    let report = report.expect("it has ended");
    assert!(began.elapsed() < LONG, "{seed}: {:?}", began.elapsed());
    assert_eq!((report.leaked, report.panicked), (0, false), "{seed}");
    for ticket in &mut tickets {
        let told = ticket.wait_timeout(Duration::ZERO);
        assert_ne!(told.err(), Some(TicketError::TimedOut), "{seed}");
    }
    drop(chain);
    assert_eq!(null.live(), Live::default(), "{seed}");
    assert_eq!(null.violations(), [], "{seed}");
    // The queue is free for another.
    null.hand_over();
    let mut fresh = support::service(&null, |_| ());
    run(&mut fresh).expect("executed");
    close(fresh, &null);
}

#[test]
fn at_any_moment() {
    (0..rounds()).for_each(round);
}

/// The longest deadline that there is bounds nothing, and breaks nothing.
#[test]
fn with_the_longest_deadline() {
    for (shards, driven_by_users) in [(0, false), (0, true), (2, true)] {
        let null = NullDevice::new(NullOptions::default().checked());
        let mut service = service(&null, |options| {
            options.shards = shards;
            options.driven_by_users = driven_by_users;
        });
        run(&mut service).expect("executed");
        let report = service.shutdown(Duration::MAX);
        assert_eq!((report.leaked, report.panicked), (0, false));
        assert_eq!(null.live(), Live::default());
    }
}
